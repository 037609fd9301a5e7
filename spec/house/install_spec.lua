-- Modules are installed where the interpreter looks for them; elsewhere it is said what to set.
local lu = require "luaunit"

local tests = {}

-- What places.lua prints under this interpreter, and what it says besides.
local function place(kind, prefix)
  local interpreter = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match "%d+%.%d+"
  local command = "env -u LUA_PATH -u LUA_CPATH %s scripts/dev/places.lua %s '%s' 2>&1"
  local pipe = assert(io.popen(command:format(interpreter, kind, prefix)))
  local text = pipe:read "*a"
  pipe:close()
  local said, folder = text:match "^(.-)([^\n]*)\n$"
  return folder, said
end

local function looks_in(path, file)
  return (";" .. path .. ";"):find(";" .. file .. ";", 1, true) ~= nil
end

function tests.test_BelowUsrLocalTheInterpreterFindsIt()
  local folder, said = place("c", "/usr/local")
  lu.assertEquals(said, "")
  lu.assertEquals(folder, "/usr/local/lib/lua/" .. _VERSION:match "%d+%.%d+")
  folder, said = place("lua", "/usr/local/")
  lu.assertEquals(said, "")
  lu.assertEquals(folder, "/usr/local/share/lua/" .. _VERSION:match "%d+%.%d+")
end

function tests.test_ElsewhereItSaysWhatToSet()
  local folder, said = place("c", "/opt/raft")
  lu.assertEquals(folder, "/opt/raft/lib/lua/" .. _VERSION:match "%d+%.%d+")
  lu.assertStrContains(said, "LUA_CPATH=\"" .. folder .. "/?.so;;\"")
  lu.assertTrue(looks_in(said:match '"(.*)"', folder .. "/?.so"))
end

return tests
