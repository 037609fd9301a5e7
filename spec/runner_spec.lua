-- `raftbench test`: what it runs, in which order, under which seeds and in how many processes, and what it
-- says of it.
local lu = require "luaunit"
local command = require "spec.support.command"
local raft = require "raft"
local runs = require "spec.support.runs"

local tests = {}
local unpack = table.unpack or unpack -- luacheck: ignore 113 143

-- Adds a test of `raftbench test FILE ...`: f(run, path, folder), run(text, ...) writes the spec and runs it.
local function add(name, f)
  command.add(tests, name, function(folder)
    local path = folder .. "/some_spec.lua"
    f(function(text, ...)
      return command.run { "test", command.write(path, text), ... }
    end, path, folder)
  end)
end

local function last_line(result)
  return result.lines[#result.lines]
end

local function assert_sums(result, passed, failed, skipped)
  lu.assertEquals(last_line(result), ("%d passed, %d failed, %d skipped"):format(passed, failed, skipped))
  return command.assert_code(result, failed > 0 and 1 or 0)
end

-- What the tests of a spec printed after "RAN ", in order.
local function ran(result)
  local list = {}
  for line in result.out:gmatch("[^\n]+") do
    list[#list + 1] = line:match("^RAN (.*)$")
  end
  return list
end

-- ---- sums and exit codes ------------------------------------------------------------------------

add("OneOfEachKind", function(run, path)
  local result = assert_sums(run(runs.of_each_kind), 2, 2, 1)
  command.assert_has(result.out, "ok      some.test_passes", "skipped some.test_is_skipped: not today",
    "FAILED  some.test_fails", path .. ':5: expected: "two"', 'actual: "one"', path .. ":8: boom")
  command.assert_lacks(result.out, "[C]", "stack traceback", "luaunit.lua", "lua/raft", "LuaUnit test FAILURE")
  lu.assertEquals(result.err, "")
end)

add("AllPass", function(run)
  assert_sums(run(runs.many), 12, 0, 0)
end)

-- The number of failures is no exit code: 256 of them would be 0.
add("TwoHundredAndFiftySixFailures", function(run)
  local text = [[
local tests = {}
for i = 1, 256 do tests["test_" .. i] = function() error(i) end end
return tests]]
  assert_sums(run(text), 0, 256, 0)
  assert_sums(run(text, "--jobs", "2"), 0, 256, 0)
end)

-- Long ones too, in no time.
add("WhatTestsRaise", function(run, path)
  local result = assert_sums(run([==[
local lu = require "luaunit"
local long = (("x"):rep(80) .. "\n"):rep(4000)
return {
  test_1 = function() lu.fail(long) end,
  test_2 = function() error(long) end,
  test_3 = function() error({ message = "of a table" }) end,
  test_4 = function() error({ 1, 2 }) end,
  test_5 = function() error(nil) end,
  test_6 = function() local ok, problem = pcall(lu.assertEquals, 1, 2) error(problem) end,
  test_7 = function() lu.skipIf(true, "not here") end,
  test_8 = function() lu.successIf(true) end,
  test_9 = function() return (function() local function f() return f() + 1 end return f() end)() end,
  TestWithSetUp = { setUp = function() error("in setUp") end, test_it = function() end },
}]==]), 1, 8, 1)
  command.assert_has(result.out, path .. ":4: xxx", path .. ":5: xxx", "of a table", "{1, 2}",
    "stack overflow", "skipped some.test_7: not here", "in setUp", "expected: 2, actual: 1")
  command.assert_lacks(result.out, "[C]", "luaunit.lua", "LuaUnit test FAILURE", "lua/raft")
end)

add("NothingToRun", function(run, _, folder)
  local result = command.assert_code(run(runs.many, "--pattern", "no_such_test"), 3)
  command.assert_has(result.err, "no test matches")
  lu.assertEquals(last_line(result), "0 passed, 0 failed, 0 skipped")
  command.assert_has(command.assert_code(command.run { "test", folder .. "/none.lua" }, 3).err, "No such file")
  os.execute("mkdir " .. folder .. "/empty")
  command.assert_has(command.assert_code(command.run { "test", folder .. "/empty" }, 3).err, "there is no spec in it")
end)

add("FilesThatAreNoSpecsFail", function(run, path)
  local result = assert_sums(run("local x = = 1"), 0, 1, 0)
  command.assert_has(result.out, path .. ":1: unexpected symbol near '='")
  assert_sums(run("return {}"), 0, 1, 0)
  assert_sums(run("error('while loading')"), 0, 1, 0)
  local jobs = assert_sums(run("error('while loading')", "--jobs", "2"), 0, 1, 0)
  command.assert_has(jobs.out, "some.(loading)", ":1: while loading")
end)

add("WrongUsage", function(run)
  command.assert_has(command.assert_code(run(runs.many, "--pattern", "["), 2).err, "malformed pattern")
  for _, words in ipairs { { "--jobs", "0" }, { "--seeds", "-1" }, { "--shuffle", "x" }, { "--output", "song" },
    { "--nonsense" } } do
    command.assert_has(command.assert_code(run(runs.many, unpack(words)), 2).err, "raftbench test --help")
  end
end)

-- ---- what is a test -----------------------------------------------------------------------------

add("GlobalsClassesAndTables", function(run)
  local result = assert_sums(run([[
TestOne = {}
function TestOne:setUp() self.ready = true end
function TestOne:test_a() assert(self.ready) end
function TestOne:tearDown() print("RAN teardown") end
function TestOne:helper() error("no test") end
function test_alone() end
function testNothing() end
return { TestTwo = { test_b = function() end }, test_c = function() end }]]), 5, 0, 0)
  command.assert_has(result.out, "TestOne.test_a", "test_alone", "testNothing", "TestTwo.test_b", "some.test_c")
  lu.assertEquals(ran(result), { "teardown" })
end)

add("AFolderIsReadWithThoseInIt_ATrailingSlashChangesNothing", function(run, _, folder)
  os.execute("mkdir -p " .. folder .. "/specs/inner")
  command.write(folder .. "/specs/one_spec.lua", "return { test_one = function() end }")
  command.write(folder .. "/specs/inner/two_spec.lua", "return { test_two = function() end }")
  local out = command.assert_code(command.run { "test", folder .. "/specs/" }, 0).out
  command.assert_has(out, "one.test_one")
  command.assert_has(out, "two.test_two")
  lu.assertNotStrContains(out, "//")
  command.assert_has(run("return { test_it = function() end }").out, "1 passed")
end)

add("GlobalsOfOneFileAreNotRunForTheNext", function(_, _, folder)
  local one = command.write(folder .. "/one_spec.lua", "function test_one() end")
  local two = command.write(folder .. "/two_spec.lua", "return { test_two = function() assert(not test_one) end }")
  assert_sums(command.run { "test", one, two }, 2, 0, 0)
end)

add("AFolderIsItsSpecs", function(_, _, folder)
  command.write(folder .. "/b_spec.lua", "return { test_b = function() end }")
  command.write(folder .. "/a_spec.lua", "return { test_a = function() end }")
  command.write(folder .. "/helper.lua", "error('no spec')")
  local result = assert_sums(command.run { "test", folder }, 2, 0, 0)
  command.assert_match(result.out, "a%.test_a.*b%.test_b")
end)

add("WhatATestLeavesOpenIsShutDown", function(run, _, folder)
  local trace = folder .. "/trace"
  assert_sums(run([[
local raft = require "raft"
local kept
return {
  test_1_leaves = function() kept = raft.cluster() kept:check_one_leader() end,
  test_2_finds_it_closed = function() assert(kept:is_closed()) end,
}]], "--trace", trace), 2, 0, 0)
  command.assert_match(command.read(trace), '"kind":"verdict","text":"some.test_1_leaves","value":{"passed":true')
end)

-- ---- seeds and order ----------------------------------------------------------------------------

add("TheSeedReachesEachTest", function(run)
  local one, same, two = ran(run(runs.many, "--seed", "5")), ran(run(runs.many, "--seed", "5")),
    ran(run(runs.many, "--seed", "6"))
  lu.assertEquals(one, same)
  lu.assertNotEquals(one, two)
  for _, line in ipairs(one) do
    lu.assertEquals(line:match(" (%d+ %d+)$"), one[1]:match(" (%d+ %d+)$")) -- each test alone draws the same
  end
  lu.assertEquals(one[1]:match("%d+$"), "5")
end)

add("ManySeeds", function(run)
  for _, jobs in ipairs { "1", "2" } do
    local result = assert_sums(run(runs.many, "--seed", "3", "--seeds", "5", "--jobs", jobs), 60, 0, 0)
    command.assert_has(result.out, jobs == "1" and "seeds 3..7" or "seeds 3..4")
  end
  local seeds = {}
  for _, line in ipairs(ran(run(runs.many, "--seed", "3", "--seeds", "5", "--pattern", "test_7$"))) do
    seeds[#seeds + 1] = line:match("%d+$")
  end
  lu.assertEquals(seeds, { "3", "4", "5", "6", "7" })
end)

add("AFailureNamesItsSeed", function(run, path)
  local text = 'return { test_odd = function() assert(require("raft.defaults").get("seed") ~= 6, "it is 6") end }'
  for _, jobs in ipairs { "1", "3" } do
    local result = assert_sums(run(text, "--seed", "4", "--seeds", "6", "--jobs", jobs), 5, 1, 0)
    command.assert_has(result.out, "FAILED  some.test_odd (seed 6", path .. " --mode sim --seed 6 --pattern")
  end
end)

add("SeedsThatFailAlikeAreOneFailure", function(run)
  local result = assert_sums(run([[
local seed = require("raft.defaults").get "seed"
return {
  test_a = function() assert(seed % 2 == 1, "seed " .. seed .. " is even") assert(seed ~= 5, "it is five") end,
  test_b = function() error "always" end,
}]], "--seeds", "6"), 2, 10, 0)
  local _, told = result.out:gsub("again: ", "")
  lu.assertEquals(told, 3)
  local _, lines = result.out:gsub("FAILED  some%.test_b ", "")
  lu.assertEquals(lines, 4)
  command.assert_has(result.out, "FAILED  some.test_a (seed 4): as under seed 2\n",
    "FAILED  some.test_b (seed 4): as under seed 1; more of these are only counted\n", "\nFailed:\n",
    "  some.test_a (3 seeds, as seed 2)\n", "  some.test_a (seed 5)\n", "  some.test_b (6 seeds, as seed 1)\n")
end)

-- Of each line that ran, only which test it was.
local function order_of(result)
  local list = {}
  for _, line in ipairs(ran(result)) do
    list[#list + 1] = line:match("^%d+")
  end
  return table.concat(list, " ")
end

add("ShuffleIsReproducible", function(run)
  local first, same, other = run(runs.many, "--shuffle", "3"), run(runs.many, "--shuffle", "3"), run(runs.many,
    "--shuffle", "4")
  assert_sums(first, 12, 0, 0)
  lu.assertEquals(order_of(first), order_of(same))
  lu.assertNotEquals(order_of(first), order_of(other))
  lu.assertNotEquals(order_of(first), order_of(run(runs.many)))
  -- Every machine and every Lua gives this order.
  lu.assertEquals(order_of(first), "8 1 3 5 11 7 12 6 4 2 9 10")
  lu.assertNotEquals(order_of(run(runs.many, "--shuffle", "0")), order_of(run(runs.many, "--shuffle", "1")))
end)

add("Patterns", function(run)
  local function chosen(...)
    local words = {}
    for position, pattern in ipairs { ... } do
      words[2 * position - 1], words[2 * position] = "--pattern", pattern
    end
    local numbers = {}
    for number in order_of(run(runs.many, unpack(words))):gmatch("%d+") do
      numbers[#numbers + 1] = tonumber(number)
    end
    table.sort(numbers)
    return numbers
  end
  lu.assertEquals(chosen("test_1"), { 1, 10, 11, 12 })
  lu.assertEquals(chosen("test_1$"), { 1 })
  lu.assertEquals(chosen("_2$", "_3$"), { 2, 3 })
  lu.assertEquals(chosen("!test_1"), { 2, 3, 4, 5, 6, 7, 8, 9 })
  lu.assertEquals(chosen("test_1", "!2$"), { 1, 10, 11 })
  lu.assertEquals(chosen("^some%.test_5$"), { 5 })
end)

add("ModeReachesTheTests", function(run)
  local text = 'return { test_it = function() print("RAN " .. require("raft").cluster { nodes = 1 }:mode()) end }'
  lu.assertEquals(ran(run(text)), { "sim" })
  lu.assertEquals(ran(run(text, "--mode", "tcp")), { "tcp" })
end)

-- ---- processes ----------------------------------------------------------------------------------

add("JobsRunEachFileInAProcessOfItsOwn", function(_, _, folder)
  local paths = {}
  for number = 1, 5 do
    paths[number] = command.write(("%s/n%d_spec.lua"):format(folder, number), [[
return {
  test_mark = function() assert(not marked) marked = true end,
  test_fails = function() error("of %d") end,
}]])
  end
  local result = assert_sums(command.run { "test", "--jobs", "3", unpack(paths) }, 5, 5, 0)
  for number = 1, 5 do
    command.assert_has(result.out, ("FAILED  n%d.test_fails"):format(number))
  end
  command.assert_has(result.out, "[5/5]")
end)

add("WhatAChildPrintsIsShownWhereItFailed", function(run)
  local text = 'return { test_it = function() print("printed words") %s end }'
  command.assert_has(run(text:format('error("x")'), "--jobs", "2").out, "| printed words")
  command.assert_lacks(run(text:format(""), "--jobs", "2").out, "printed words")
end)

-- A child that dies takes only what it had not begun with it; the test that ran has failed.
add("ACrashingChildIsBlamed", function(_, _, folder)
  local dying = command.write(folder .. "/dying_spec.lua", [[
return {
  test_1_before = function() end,
  test_2_dies = function() io.stderr:write("last words\n") os.execute("kill -%s $PPID") end,
  test_3_never = function() end,
}]])
  local well = command.write(folder .. "/well_spec.lua", "return { test_it = function() end }")
  -- AddressSanitizer makes an exit of its own of a SEGV.
  for signal, number in pairs { KILL = 9, ABRT = 6, SEGV = not os.getenv "ASAN_OPTIONS" and 11 or nil } do
    local text = command.read(dying)
    command.write(dying, text:gsub("kill %-%S+", "kill -" .. signal))
    local result = assert_sums(command.run { "test", "--jobs", "2", dying, well }, 2, 1, 0)
    command.assert_has(result.out, "FAILED  dying.test_2_dies", "the process was killed by signal " .. number,
      "last words", dying .. " --mode sim --seed 1 --pattern '^dying%.test_2_dies$'")
  end
end)

-- By os.exit of Lua, which is caught; by the exit of C, which nothing can catch: there the others are not run.
local exiting = [[
local lu = require "luaunit"
return {
  test_1 = function() end,
  test_2 = function() lu.unregisterCurrentSuite() %s end,
  test_3 = function() end,
}]]

add("ATestThatExitsHasFailed", function(run, path)
  for _, words in ipairs { {}, { "--jobs", "2" }, { "-o", path .. ".tap", "--output", "tap" } } do
    local result = assert_sums(run(exiting:format "os.exit(0)", unpack(words)), 2, 1, 0)
    command.assert_has(result.out, "FAILED  some.test_2", path .. ":4: os.exit(0) was called")
  end
end)

add("AChildThatExitsIsBlamed", function(run)
  local text = exiting:format "io.write 'last words' lu.oldOsExit(%s)"
  for status, shown in pairs { ["0"] = "0", ["3"] = "3", ["true"] = "0", ["-1"] = "255" } do
    local result = assert_sums(run(text:format(status), "--jobs", "2"), 1, 1, 0)
    command.assert_has(result.out, "FAILED  some.test_2", "the process ended with status " .. shown, "| last words")
  end
end)

-- Before its first test, too: what was not run has not passed.
add("AChildThatExitsWhileItLoadsIsBlamed", function(_, _, folder)
  local text = "local lu = require 'luaunit' lu.oldOsExit(0) return { test_1 = function() end }"
  local first = command.write(folder .. "/first_spec.lua", text)
  local well = command.write(folder .. "/well_spec.lua", "return { test_it = function() end }")
  local result = assert_sums(command.run { "test", "--jobs", "2", first, well }, 1, 1, 0)
  command.assert_has(result.out, "FAILED  (process)", "the process ended with status 0")
end)

-- As files that LuaUnit runs by itself end.
add("AFileThatRunsLuaUnitItself", function(run)
  local text = [[
local lu = require "luaunit"
TestIt = {}
function TestIt:test_one() print "RAN one" end
function test_two() error "boom" end
%s]]
  for _, last in ipairs { "os.exit(lu.LuaUnit.run())", "lu.LuaUnit.new():runSuite()",
    "local r = lu.LuaUnit.new() r:setOutputType 'tap' os.exit(r:runSuite())" } do
    local result = assert_sums(run(text:format(last)), 1, 1, 0)
    lu.assertEquals(ran(result), { "one" })
  end
  command.assert_has(assert_sums(run "os.exit(0)", 0, 1, 0).out, "there is no test in it")
  command.assert_has(assert_sums(run "return { run = function() end }", 0, 1, 0).out, "raftbench run or fuzz runs it")
end)

-- ---- again --------------------------------------------------------------------------------------

local function again_lines(result)
  local list = {}
  for line in result.out:gmatch("again: ([^\n]+)") do
    list[#list + 1] = line
  end
  return list
end

add("ThePrintedCommandRunsTheFailureAgain", function(_, _, folder)
  -- Names that the shell and patterns could trip over.
  local path = command.write(folder .. "/it's odd_spec.lua", [[
local tests = {}
tests["test_a-b%c $HOME (1)"] = function() error("drawn " .. math.random(1000000)) end
tests["test_a-b%c $HOME (1) and more"] = function() error("not this one") end
return tests]])
  for _, jobs in ipairs { "1", "2" } do
    local result = assert_sums(command.run { "test", path, "--seed", "42", "--jobs", jobs }, 0, 2, 0)
    local drawn = result.out:match("drawn %d+")
    local pipe = io.popen(("%s --keep %s 2>&1; echo $?"):format(again_lines(result)[1], folder), "r")
    local text = pipe:read("*a")
    pipe:close()
    command.assert_has(text, drawn)
    command.assert_match(text, "\n0 passed, 1 failed, 0 skipped\n1\n$")
  end
end)

add("AnInvariantsReplayIsThatOfTheTest", function(run, path)
  local result = assert_sums(run([[
return { test_differs = function()
  local c = require("raft").cluster { machine = function(id) return { apply = function() return id end } end }
  c:propose(1)
  c:sleep(1)
end }]], "--seed", "8"), 0, 1, 0)
  local again = path .. " --mode sim --seed 8 --pattern '^some%.test_differs$'"
  command.assert_has(result.out, "machines answer alike is violated", "again: ", again)
  lu.assertEquals(select(2, result.out:gsub(again:gsub("%p", "%%%0"), "")), 1) -- once
end)

add("Interrupted", function(_, path)
  local bodies = { 'require("raft").cluster { mode = "tcp" }:sleep(1e6)', "while true do end" }
  if rawget(_G, "jit") then
    bodies[2] = nil -- command.NO_INTERRUPT
  end
  for _, signal in ipairs { "INT", "TERM" } do
    for _, body in ipairs(bodies) do
      command.write(path, ('return { test_1 = function() end, test_2 = function() %s end }'):format(body))
      local result = command.run_until({ "test", path }, "^ok", signal)
      command.assert_code(result, 3)
      command.assert_has(result.err, "interrupted")
      lu.assertEquals(last_line(result), "1 passed, 0 failed, 0 skipped")
    end
  end
end)

-- The processes of the files end with it, though the signal came to the command alone; what had run is told.
add("InterruptedWithChildren", function(_, path, folder)
  local mark = folder .. "/runs"
  command.write(path, ([[return {
  test_1 = function() end,
  test_2 = function()
    local file = io.open("%s", "w")
    file:write(require("raft").core.process_id())
    file:close()
    require("raft").cluster { mode = "tcp" }:sleep(1e6)
  end,
}]]):format(mark))
  for _, signal in ipairs { "INT", "TERM" } do
    os.remove(mark) -- until the test is there nothing is interrupted
    command.write(folder .. "/script", ([[
env --default-signal=INT %sscripts/raftbench test %s --jobs 2 --keep %s/failed >%s/out 2>&1 & parent=$!
until [ -s %s ]; do sleep 0.01; done
kill -%s $parent
wait $parent
echo $?]]):format(command.interpreter(), path, folder, folder, mark, signal))
    local pipe = io.popen("timeout 60 sh " .. folder .. "/script", "r")
    lu.assertEquals(pipe:read "*a", "3\n")
    pipe:close()
    command.assert_has(command.read(folder .. "/out"), "interrupted", "ok      some.test_1", "1 passed, 0 failed")
    lu.assertNil(io.open("/proc/" .. command.read(mark) .. "/stat"))
    os.remove(mark)
  end
end)

-- ---- traces -------------------------------------------------------------------------------------

add("OneTraceOfAllTests", function(_, _, folder)
  local paths = {}
  for number = 1, 3 do
    paths[number] = command.write(("%s/n%d_spec.lua"):format(folder, number),
      'return { test_it = function() require("raft").cluster { nodes = 1 }:check_one_leader() end }')
  end
  local trace = folder .. "/trace"
  for _, jobs in ipairs { "1", "2" } do
    assert_sums(command.run { "test", "--trace", trace, "--jobs", jobs, paths[1], paths[2], paths[3] }, 3, 0, 0)
    local names = {}
    for line in io.lines(trace) do
      local event = raft.core.json_decode(line)
      names[#names + 1] = event.kind == "run" and event.text or nil
    end
    lu.assertEquals(names, { "n1.test_it", "n2.test_it", "n3.test_it" })
    local pipe = io.popen("ls " .. folder .. "/trace*", "r")
    lu.assertEquals(pipe:read("*a"), trace .. "\n") -- nothing is left over
    pipe:close()
  end
end)

return tests
