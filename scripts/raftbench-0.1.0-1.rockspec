rockspec_format = "3.0"
package = "raftbench"
version = "0.1.0-1"
source = {
  url = "git+file://.",
  tag = "v0.1.0",
}
description = {
  summary = "A test workbench for the Raft consensus algorithm, scripted in Lua",
  detailed = [[
A C core implements Raft and its TCP transport; scripts in Lua create clusters, simulated or real,
inject faults, submit commands and check what was committed. Applications embed a replica.]],
  license = "MIT",
}
supported_platforms = { "linux" }
dependencies = {
  "lua >= 5.1, < 5.5",
  "lua-cjson >= 2.1",
  "luaunit >= 3.4",
  "argparse >= 0.7",
}
external_dependencies = {
  UV = { header = "uv.h" },
  XXHASH = { header = "xxhash.h" },
  EDIT = { header = "histedit.h" },
}
build = {
  type = "make",
  build_target = "all",
  build_variables = {
    CFLAGS = "-I$(LUA_INCDIR)",
  },
  install_target = "install-to",
  install_variables = {
    TO_LUA = "$(LUADIR)",
    TO_C = "$(LIBDIR)",
    TO_BIN = "$(BINDIR)",
  },
}
