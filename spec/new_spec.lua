-- `raftbench new NAME`: the project that it writes works as its README says, from a checkout and installed.
local lu = require "luaunit"
local command = require "spec.support.command"

local tests = {}
local unpack = table.unpack or unpack -- luacheck: ignore 113 143

-- What a shell command prints to both streams, and its exit code.
local function sh(line, ...)
  local words = {}
  for position, word in ipairs { ... } do
    words[position] = command.quote(word)
  end
  local pipe = io.popen(("{ %s\n} 2>&1 </dev/null; echo \"[$?]\""):format(line:format(unpack(words))), "r")
  local text, code = pipe:read "*a":match "^(.*)%[(%d+)%]\n$"
  pipe:close()
  return text, tonumber(code)
end

local function assert_sh(line, ...)
  local text, code = sh(line, ...)
  if code ~= 0 then
    lu.fail(("'%s' ended with %d; it printed:\n%s"):format(line, code, text))
  end
  return text
end

-- Replaces one text in a file.
local function change(path, from, to)
  local text = command.read(path)
  local first, last = text:find(from, 1, true)
  lu.assertNotNil(first, path .. " has no '" .. from .. "'")
  command.write(path, text:sub(1, first - 1) .. to .. text:sub(last + 1))
end

local function new(folder)
  local result = command.assert_code(command.run { "new", folder .. "/shop" }, 0)
  command.assert_has(result.out, "make test", "make fuzz")
  return folder .. "/shop"
end

command.add(tests, "ItsTestsFuzzAndDiagramWork", function(folder)
  local project = new(folder)
  local out = assert_sh("make -C %s test", project)
  command.assert_has(out, "300 passed, 0 failed, 0 skipped", "--mode tcp", "3 passed, 0 failed, 0 skipped")
  command.assert_has(assert_sh("make -C %s fuzz SEEDS=20", project), "20 seeds", "no failure")
  assert_sh("make -C %s diagram", project)
  command.assert_has(command.read(project .. "/run.html"), "<html")
  command.assert_has(assert_sh("make -C %s help", project), "make test", "make diagram")
  command.assert_has(command.read(project .. "/README.md"), "# shop\n")
  command.assert_lacks(command.read(project .. "/Makefile"), "@RAFTBENCH@")
end)

-- The README names these mistakes.
for name, mistake in pairs {
  ASnapshotThatForgets = { "machine.lua", '      lines[#lines + 1] = ("%s=%d\n"):format(item, count)',
    '      if item ~= "pears" then lines[#lines + 1] = ("%s=%d\n"):format(item, count) end',
    "FOUND: machines answer alike" },
  OneMoreThanThereIs = { "machine.lua", "held < command.count then", "held < command.count - 1 then",
    "FOUND: linearizability" },
  StaleReads = { "faults.lua", "cluster:query(operation.key)", 'cluster:query(operation.key, { read = "stale" })',
    "FOUND: linearizability" },
} do
  command.add(tests, "AMistakeIsFound_" .. name, function(folder)
    local project = new(folder)
    change(project .. "/" .. mistake[1], mistake[2]:gsub("\n", "\\n"), mistake[3]:gsub("\n", "\\n"))
    local out, code = sh("cd %s && make fuzz SEEDS='100 --no-shrink'", project)
    lu.assertEquals(code, 2) -- make's own
    command.assert_has(out, mistake[4], "again: ")
  end)
end

-- Its clients' own function works on another cluster as well: what is left needs no faults, and one operation.
command.add(tests, "AMistakeIsMadeSmall", function(folder)
  local project = new(folder)
  change(project .. "/machine.lua", "held < command.count then", "held + 1 < command.count then")
  local out = sh("cd %s && make fuzz SEEDS=20", project)
  command.assert_match(out, "\n  to   0 faults, 1 operation, [^\n]*1 node")
  local again, code = sh("cd %s && $(sed -n 's/^RAFTBENCH ?= //p' Makefile) run repro-*.lua", project)
  lu.assertEquals(code, 1)
  command.assert_has(again, "linearizab")
end)

command.add(tests, "NothingThatIsThereIsTouched", function(folder)
  local project = new(folder)
  command.write(project .. "/machine.lua", "mine")
  local result = command.assert_code(command.run { "new", project .. "/" }, 3)
  command.assert_has(result.err, "File exists")
  lu.assertEquals(command.read(project .. "/machine.lua"), "mine")
  os.execute("mkdir " .. folder .. "/empty")
  command.assert_code(command.run { "new", folder .. "/empty" }, 3)
  command.assert_has(command.assert_code(command.run { "new", folder .. "/none/shop" }, 3).err, "No such file")
  for _, name in ipairs { "a b", "", "-x", "..", "x;y" } do
    command.assert_code(command.run { "new", "--", folder .. "/" .. name }, name == "" and 3 or 2)
  end
end)

-- As `make install` puts it there, with nothing of the checkout in reach; the Makefile calls the command by its name.
command.add(tests, "WithTheInstalledCommand", function(folder)
  local lua = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match "%d+%.%d+"
  local build = os.getenv "RAFTBENCH_BUILD"
  assert_sh("make --no-print-directory install-to LUA=" .. lua .. (build and " BUILD=" .. build or "")
    .. " TO_LUA=%s TO_C=%s TO_BIN=%s", folder .. "/share", folder .. "/lib", folder .. "/bin")
  local out = assert_sh([[cd %s
export PATH="$PWD/bin:$PATH" LUA_PATH="$PWD/share/?.lua;$PWD/share/?/init.lua;;" LUA_CPATH="$PWD/lib/?.so;;"
raftbench new shop && cd shop && make test && make fuzz SEEDS=5]], folder)
  command.assert_has(out, "raftbench test machine_spec.lua --seeds 100\n", "300 passed", "no failure")
  command.assert_match(command.read(folder .. "/shop/Makefile"), "\nRAFTBENCH %?= [%w./ ]*raftbench\n")
end)

return tests
