-- `raftbench run` and the command line: scripts, scenarios and specs, what becomes of them, and the
-- exit codes 0, 1 if a check failed, 2 for wrong usage, 3 if it could not run.
local lu = require "luaunit"
local command = require "spec.support.command"
local raft = require "raft"

local tests = {}
local unpack = table.unpack or unpack -- luacheck: ignore 113 143

-- Adds a test of `raftbench run FILE ...`: f(run, path), run(text, ...) writes the file and runs it.
local function add(name, f)
  command.add(tests, name, function(folder)
    local path = folder .. "/file.lua"
    f(function(text, ...)
      return command.run { "run", command.write(path, text), ... }
    end, path, folder)
  end)
end

local function again_line(result)
  return result.err:match("\n  again: ([^\n]+)\n$")
end

-- What an error says of itself: no Lua internals, none of our own files.
local function assert_plain(text)
  command.assert_lacks(text, "[C]", "stack traceback", "lua/raft/", "raft/command", "luaunit.lua", "in upvalue",
    "xpcall", "table: 0x", "function: 0x", "userdata: 0x")
end

-- ---- scripts ------------------------------------------------------------------------------------

local script = [[
local raft = require "raft"
local c = raft.cluster { nodes = 3 }
local leader = c:check_one_leader()
assert(c:set("answer", 42))
print(c:mode(), c:get("answer"), c:random(1000000))
c:shutdown()
]]

add("AScriptThatRuns", function(run)
  local result = command.assert_code(run(script), 0)
  lu.assertEquals(result.err, "")
  command.assert_match(result.out, "^sim\t42\t%d+\n$")
end)

add("ModeAndSeed", function(run)
  local first, same, other = run(script), run(script, "--seed", "1"), run(script, "--seed", "2")
  lu.assertEquals(first.out, same.out) -- 1 is the default
  lu.assertNotEquals(first.out, other.out)
  command.assert_match(run(script, "--mode", "tcp").out, "^tcp\t42\t%d+\n$")
end)

add("TheEnvironmentGivesDefaults", function(_, path)
  command.write(path, script)
  local seeded = command.run { "run", path, "--seed", "77" }
  lu.assertEquals(command.run({ "run", path, env = { RAFTBENCH_SEED = "77" } }).out, seeded.out)
  lu.assertEquals(command.run({ "run", path, "--seed", "77", env = { RAFTBENCH_SEED = "5" } }).out, seeded.out)
  command.assert_has(command.run({ "run", path, env = { RAFTBENCH_MODE = "tcp" } }).out, "tcp")
  command.assert_has(command.run({ "run", path, "--mode", "sim", env = { RAFTBENCH_MODE = "tcp" } }).out, "sim")
  for name, value in pairs { RAFTBENCH_SEED = "-1", RAFTBENCH_MODE = "moon", RAFTBENCH_SPEED = "0" } do
    local result = command.run { "run", path, env = { [name] = value } }
    lu.assertTrue(result.code ~= 0)
    lu.assertStrContains(result.err, value)
    assert_plain(result.err)
  end
end)

add("ACheckThatFails", function(run, path)
  local result = command.assert_code(run([[
local raft = require "raft"
local function look(c)
  c:check_committed("never")
end
local c = raft.cluster()
c:check_one_leader()
look(c)
]], "--seed", "7"), 1)
  local lines = command.lines(result.err)
  command.assert_has(lines[1], "raftbench: " .. path .. ':3: "never" was expected to be committed')
  lu.assertEquals(lines[2], "  from " .. path .. ":7")
  lu.assertEquals(#lines, 3)
  command.assert_has(again_line(result), path .. " --mode sim --seed 7")
  assert_plain(result.err)
end)

add("ThePrintedCommandRunsItAgain", function(run)
  local result = command.assert_code(run([[
local c = require("raft").cluster()
error("drawn: " .. c:random(1000000))
]], "--seed", "12345"), 1)
  local pipe = io.popen(again_line(result) .. " 2>&1; echo $?", "r")
  local again = pipe:read("*a")
  pipe:close()
  lu.assertEquals(again, result.err .. "1\n")
end)

-- What a script does wrong is told with its own line.
for name, case in pairs {
  AnErrorOfTheScript = { 'local x = nil\nprint(x.y)', ":2: attempt to index ", "local 'x'", "a nil value" },
  AnAssertThatFails = { 'assert(false, "no luck")', "no luck" },
  ALuaUnitAssertion = { 'require("luaunit").assertEquals(1, 2)', ":1: ", "expected: 2, actual: 1" },
  AnUnknownOption = { 'require("raft").cluster { nodez = 3 }', ":1: ", "there is no option 'nodez'" },
  AWrongArgument = { 'local c = require("raft").cluster()\n\nc:crash("x")', ":3: bad argument 'id'" },
  ATableWithAMessage = { 'error { message = "of a table" }', "of a table" },
  ATableWithAText = { 'error(setmetatable({}, { __tostring = function() return "its words" end }))', "its words" },
  ANumber = { 'error(42)', "42" },
  AnErrorOfAClient = { [[
local c = require("raft").cluster()
local function fail() c:sleep(0.1) error("boom") end
c:client(function()
  fail()
end)
c:sleep(1)]], ":2: boom\n  from ", ":4: in function", ":6\n" },
  AnErrorOfAMachine = { [[
local c = require("raft").cluster { machine = function()
  return { apply = function() error("cannot apply") end }
end }
c:propose(1)
c:sleep(1)]], ":2: cannot apply" },
} do
  add(name, function(run, path)
    local result = command.assert_code(run(case[1]), 1)
    command.assert_has(result.err, "raftbench: ", path, unpack(case, 2))
    assert_plain(result.err)
    lu.assertNotNil(again_line(result))
  end)
end

add("AViolationNamesThePropertyAndTheReplay", function(run, path)
  local result = command.assert_code(run([[
local c = require("raft").cluster { machine = function(id)
  return { apply = function() return id end }
end }
c:propose(1)
c:sleep(1)
]], "--seed", "3"), 1)
  command.assert_has(result.err, "machine", "again: ", path .. " --mode sim --seed 3")
  lu.assertEquals(select(2, result.err:gsub("%-%-seed 3", "")), 1) -- once
  assert_plain(result.err)
end)

add("WhatCannotRun", function(run, path, folder)
  local missing = command.assert_code(command.run { "run", folder .. "/none.lua" }, 3)
  command.assert_has(missing.err, "cannot read " .. folder .. "/none.lua: No such file")
  command.assert_has(command.assert_code(command.run { "run", folder }, 3).err, folder)
  local broken = command.assert_code(run("local x = = 3"), 3)
  command.assert_has(broken.err, path .. ":1: unexpected symbol near '='")
  local without = command.assert_code(run('require "nowhere.to.be.found"'), 3)
  command.assert_has(without.err, "the module 'nowhere.to.be.found' was not found")
  command.assert_has(command.assert_code(run(script, "--trace", "/nowhere/trace"), 3).err,
    "the trace cannot be written: /nowhere/trace")
  local nothing = command.assert_code(run "return { nodes = 3, runn = function() end }", 3)
  command.assert_has(nothing.err, "nothing ran: it returns a table", "no function `run`")
  command.assert_code(run 'require("raft").cluster { nodes = 1 } return { shared = true }', 0)
  local early = command.assert_code(run('print "it ran"', "--html", "/nowhere/page.html"), 3)
  command.assert_has(early.err, "/nowhere/page.html: No such file")
  lu.assertEquals(early.out, "")
  for _, result in ipairs { missing, broken, without, nothing } do
    assert_plain(result.err)
  end
end)

add("SeveralFiles", function(_, _, folder)
  local good = command.write(folder .. "/good.lua", 'print("good")')
  local bad = command.write(folder .. "/bad.lua", 'error("bad")')
  local broken = command.write(folder .. "/broken.lua", "=")
  local function code_of(...)
    local result = command.run { "run", ... }
    local _, times = result.out:gsub("good", "")
    return result.code, times
  end
  lu.assertEquals({ code_of(good, good) }, { 0, 2 })
  lu.assertEquals({ code_of(bad, good) }, { 1, 1 }) -- the others run all the same
  lu.assertEquals({ code_of(good, bad, broken, good) }, { 3, 2 }) -- the worst of all
end)

add("AScriptHasNoArgumentsOfOurs", function(run, path)
  lu.assertEquals(run("print(#arg, arg[0])").out, "0\t" .. path .. "\n")
end)

add("WhatAScriptLeavesOpenIsShutDown", function(run, _, folder)
  local trace = folder .. "/trace"
  local text = 'c = require("raft").cluster { name = "left" } '
  local pattern = '"kind":"verdict","text":"left","value":{"passed":%s,"message":"%s"}}\n$'
  command.assert_code(run(text .. "c:check_one_leader()", "--trace", trace), 0)
  command.assert_match(command.read(trace), pattern:format("true", ""))
  command.assert_code(run(text .. 'error("why")', "--trace", trace), 1)
  command.assert_match(command.read(trace), pattern:format("false", "[^\n]*why"))
end)

-- ---- --trace and --verbose ----------------------------------------------------------------------

add("TheTraceHoldsThisRunOnly", function(run, _, folder)
  local trace = folder .. "/trace"
  local two = script .. script:gsub("local ", "")
  run(two, "--trace", trace)
  local first = command.read(trace)
  lu.assertEquals(select(2, first:gsub('"kind":"run"', "")), 2) -- of both clusters
  run(two, "--trace", trace)
  lu.assertEquals(command.read(trace), first)
  for line in first:gmatch("[^\n]+") do
    lu.assertIsTable(raft.core.json_decode(line))
  end
end)

add("ATraceThatCannotBeWrittenWholeIsAFailure", function(run)
  local result = command.assert_code(run('c = require("raft").cluster() c:sleep(2)', "--trace", "/dev/full"), 1)
  command.assert_has(result.err, "the trace is not complete: No space left on device")
end)

add("VerboseWritesReadableLines", function(run)
  for _, mode in ipairs { "sim", "tcp" } do
    local result = command.assert_code(run(script, "--verbose", "--mode", mode), 0)
    lu.assertEquals(#result.lines, 1) -- the script's own output stays apart
    local lines = command.lines(result.err)
    for _, line in ipairs(lines) do
      command.assert_match(line, "^%d+%.%d%d%d%d%d%d %[[%d-]+%] %S")
    end
    command.assert_match(result.err, "\n%d+%.%d+ %[[123]%] becomes leader of term %d+\n")
    lu.assertTrue(#lines > 50)
  end
end)

-- ---- scenarios ----------------------------------------------------------------------------------

local scenario = [[
return {
  nodes = 3,
  run = function(c, options)
    print(c:mode(), #c:ids(), options.nodes, options.link and options.link.drop)
    c:check_one_leader()
    for i = 1, 3 do
      assert(c:set("key", i))
    end
    c:crash(1)
    c:pause(2)
  end,
}
]]

add("AScenarioIsHealedAndCheckedAfterwards", function(run, path)
  local result = command.assert_code(run(scenario), 0)
  command.assert_match(result.out, "^sim\t3\t3\tnil\n[^\n]+: passed %(%d+%.%d+ s, trace %x+%)\n$")
  command.assert_has(result.out, path .. ": passed")
  lu.assertEquals(#result.out:match("trace (%x+)"), 16)
  lu.assertEquals(run(scenario).out, result.out) -- the same seed, the same run
  lu.assertNotEquals(run(scenario, "--seed", "2").out, result.out)
  command.assert_match(run(scenario, "--mode", "tcp").out, "^tcp\t3\t3\tnil\n.*: passed %(%d+%.%d+ s%)\n$")
end)

add("AScenarioIsNamedAfterItsFile", function(run, _, folder)
  local trace = folder .. "/trace"
  run(scenario, "--trace", trace)
  command.assert_has(command.read(trace), '"kind":"run","text":"file"', '"kind":"verdict","text":"file"')
end)

add("AScenarioThatFails", function(run, path)
  local result = command.assert_code(run([[
return { nodes = 3, run = function(c)
  c:check_one_leader()
  c:check_committed("never")
end }]], "--set", "nodes=5", "--seed", "9"), 1)
  command.assert_has(result.err, path .. ":3: ", '"never" was expected')
  command.assert_has(again_line(result), path .. " --mode sim --seed 9 --set nodes=5")
  lu.assertEquals(result.out, "")
  assert_plain(result.err)
end)

-- What lives on only because faults hide it, is found by the check after the scenario.
add("AScenarioWhoseClusterDoesNotLiveAfterwards", function(run)
  local result = command.assert_code(run([[
return { nodes = 3, election_timeout = math.huge, run = function(c)
  c:campaign(1, { force = true })
  assert(c:wait_leader())
  c:crash(1)
end }]]), 1)
  lu.assertTrue(#result.err > 0)
  assert_plain(result.err)
end)

add("SetFillsOptions", function(run)
  local function first_line(...)
    return command.assert_code(run(scenario, ...), 0).lines[1]
  end
  lu.assertEquals(first_line("--set", "nodes=5"), "sim\t5\t5\tnil")
  lu.assertEquals(first_line("--set", "nodes={4, 7}"):match("^sim\t2\ttable"), "sim\t2\ttable")
  lu.assertEquals(first_line("--set", "link.drop=0.1", "--set", "mode=tcp"), "tcp\t3\t3\t0.1")
  local echo = [[
return { run = function(c, options)
  print(options.nodes, options.name, options.pre_vote, options.keep_events - 1024)
end }]]
  lu.assertEquals(run(echo, "--set", "nodes=1", "--set", "name=two words", "--set", "pre_vote=false", "--set",
    "keep_events=4*256").lines[1], "1\ttwo words\tfalse\t0")
end)

add("SetLeadsIntoTables", function(run)
  local text = 'return { link = { delay = 0.002 }, run = function(c, options) print(%s) end }'
  local result = run(text:format("options.link.delay, options.link.drop"), "--set", "link.drop=0.5")
  lu.assertEquals(result.lines[1], "0.002\t0.5")
end)

add("SetThatIsWrong", function(run, path)
  for _, text in ipairs { "nodes", "=3", "5=5", "a..b=1", "a.=1" } do
    local result = command.assert_code(run(scenario, "--set", text), 2)
    command.assert_has(result.err, "--set needs NAME=VALUE, not '" .. text)
  end
  command.assert_has(command.assert_code(run(scenario, "--set", "nodez=3"), 2).err, "there is no option 'nodez'")
  command.assert_has(command.assert_code(run(scenario, "--set", "run=3"), 2).err, "'run' is what the scenario does")
  command.assert_has(command.assert_code(run(scenario, "--set", "nodes=0"), 2).err, "'nodes'")
  local own = "return { parameters = { time = 1, churn = true }, run = function() end }"
  command.assert_has(command.assert_code(run(own, "--set", "parameters.tme=3"), 2).err,
    "there is no parameter 'tme'; there is churn, time")
  command.assert_code(run(own, "--set", "parameters.time=3"), 0)
  command.assert_has(run(script, "--set", "nodes=5").err, path .. " is not a scenario: --set had no effect")
end)

add("AScenarioWithWrongOptionsCannotRun", function(run)
  local result = command.assert_code(run("return { nodez = 3, run = function() end }"), 3)
  command.assert_has(result.err, "there is no option 'nodez'")
  assert_plain(result.err)
end)

-- ---- specs --------------------------------------------------------------------------------------

add("ASpecIsRunAsOne", function(run)
  local text = [[
local lu = require "luaunit"
local tests = {}
function tests.test_good() lu.assertEquals(require("raft").cluster { nodes = 1 }:mode(), "%s") end
function tests.test_bad() %s end
return tests]]
  local result = command.assert_code(run(text:format("sim", "")), 0)
  lu.assertEquals(result.lines[#result.lines], "2 passed, 0 failed, 0 skipped")
  result = command.assert_code(run(text:format("tcp", 'error("bad")'), "--mode", "tcp"), 1)
  lu.assertEquals(result.lines[#result.lines], "1 passed, 1 failed, 0 skipped")
  command.assert_has(result.out, "file.test_bad", ":4: bad", "--mode tcp")
end)

add("ASpecOfGlobalTests", function(run)
  local result = run("TestGlobal = {} function TestGlobal.test_one() end function test_two() end")
  lu.assertEquals(result.lines[#result.lines], "2 passed, 0 failed, 0 skipped")
end)

-- ---- the command line ---------------------------------------------------------------------------

function tests.test_WrongUsage()
  for _, case in ipairs {
    { {}, "Usage: raftbench" },
    { { "fly" }, "unknown command 'fly'", "raftbench --help" },
    { { "--nonsense" }, "--nonsense", "raftbench --help" },
    { { "run" }, "missing argument", "raftbench run --help" },
    { { "run", "--sed", "4", "x.lua" }, "unknown option '--sed'", "raftbench run --help" },
    { { "run", "x.lua", "--seed" }, "--seed", "raftbench run --help" },
    { { "run", "x.lua", "--seed", "-1" }, "raftbench run --help" },
    { { "run", "x.lua", "--seed", "1.5" }, "'1.5' is not an integer from 0 to 2^53 - 1" },
    { { "run", "x.lua", "--seed", "9007199254740992" }, "is not an integer from 0 to 2^53 - 1" },
    { { "run", "x.lua", "--mode", "moon" }, "--mode", "raftbench run --help" },
  } do
    local result = command.assert_code(command.run(case[1]), 2)
    lu.assertEquals(result.out, "")
    command.assert_has(result.err, unpack(case, 2))
    assert_plain(result.err)
  end
end

function tests.test_TwoValuesOfOneOptionAreRefused()
  for _, case in ipairs {
    { "-o", "view", "x.trace", "-o", "x.html", "--output", "x.svg" },
    { "--html", "run", "x.lua", "--html", "a.html", "--html", "b.html" },
    { "--json", "fuzz", "x.lua", "--json", "a", "--json", "a" },
    { "--seed", "test", "--seed", "1", "x.lua", "--seed=2" },
  } do
    local result = command.assert_code(command.run { unpack(case, 2) }, 2)
    command.assert_match(result.err, "option '.-' can be given once only\n.*raftbench " .. case[2] .. " %-%-help")
    command.assert_has(result.err, case[1])
  end
  command.assert_code(command.run { "run", "--verbose", "--verbose", "--set", "a=1", "--set", "b=2", "--help" }, 0)
end

-- In 80 columns, and each option's default where it has one.
function tests.test_HelpAndVersion()
  for _, words in ipairs { { "--help" }, { "run", "--help" }, { "test", "-h" }, { "view", "-h" }, { "menu", "-h" },
    { "fuzz", "-h" } } do
    local result = command.assert_code(command.run(words), 0)
    command.assert_has(result.out, "Usage: raftbench")
    lu.assertEquals(result.err, "")
    for _, line in ipairs(result.lines) do
      lu.assertTrue(#line <= 80, line)
    end
    if words[1] == "run" or words[1] == "menu" then
      command.assert_match(result.out, "%-%-mode M.*%(default: " .. (words[1] == "run" and "sim" or "tcp") .. "%)")
    end
  end
  lu.assertEquals(command.assert_code(command.run { "--version" }, 0).out, "raftbench " .. raft.version .. "\n")
end

add("FromAnotherFolderAndThroughALink", function(_, _, folder)
  local path = command.write(folder .. "/x.lua", script)
  os.execute(("ln -s \"$PWD/scripts/raftbench\" %s/linked"):format(folder))
  local pipe = io.popen(("cd %s && %s./linked run %s 2>&1; echo $?"):format(folder, command.interpreter(), path), "r")
  local text = pipe:read("*a")
  pipe:close()
  command.assert_match(text, "^sim\t42\t%d+\n0\n$")
end)

-- Ctrl-C in a script that computes, and in one that waits: it is told, and is no failure of a check.
for name, body in pairs { Waits = "c:sleep(1e6)", Computes = "while true do end" } do
  add("InterruptedWhileIt" .. name, function(_, path)
    lu.skipIf(name == "Computes" and rawget(_G, "jit"), command.NO_INTERRUPT)
    local head = 'local c = require("raft").cluster { mode = "tcp" }\nprint("begun") io.stdout:flush()\n'
    command.write(path, head .. body)
    local result = command.run_until({ "run", path }, "^begun", "INT")
    command.assert_code(result, 3)
    command.assert_has(result.err, "interrupted")
    assert_plain(result.err)
  end)
end

return tests
