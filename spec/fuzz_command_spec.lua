-- `raftbench fuzz`: what it prints, its exit codes, its parts on several machines and their sum.
local lu = require "luaunit"
local command = require "spec.support.command"
local shards = require "raft.fuzz.shards"

local tests = {}
local unpack = table.unpack or unpack -- luacheck: ignore 113 143

-- Adds a test of `raftbench fuzz FILE ...`: f(fuzz, folder), fuzz(...) runs it on a file with this text.
local function add(name, text, f)
  command.add(tests, name, function(folder)
    local path = command.write(folder .. "/bank.lua", text)
    f(function(...)
      return command.run { "fuzz", path, "--jobs", "1", ... }
    end, folder, path)
  end)
end

local fine = [[
return { nodes = 3, run = function(c)
  c:sometimes("somebody leads", { kind = "role", role = "leader" })
  c:wait_leader()
end }
]]

-- One seed in five loses something.
local loses = [[
return { nodes = 3, parameters = { coins = 3 }, run = function(c, options)
  c:wait_leader()
  if c:random(1, 5) == 1 then
    error(options.parameters.coins .. " of " .. c:random(10, 1000) .. " coins are lost")
  end
end }
]]

add("AllSeedsAreFine", fine, function(fuzz)
  local result = command.assert_code(fuzz("--seeds", "5..24"), 0)
  command.assert_match(result.lines[1],
    "bank%.lua: 20 seeds, %d+%.?%d* virtual s in .*%(.* seeds/s, .* virtual s/s%)$")
  command.assert_has(result.out, "elections", "distinct situations", "goal reached: somebody leads (20 seeds)",
    "no failure")
  lu.assertEquals(result.err, "")
end)

add("TheFirstFailureEndsIt", loses, function(fuzz)
  local result = command.assert_code(fuzz("--seeds", "1..1000", "--no-shrink", "--set", "parameters.coins=7"), 1)
  command.assert_has(result.out, "FOUND: check (seed ", "7 of ", "stopped at the first failure")
  local seed = result.out:match "%(seed (%d+), after"
  local again = result.out:match "again: ([^\n]*)"
  command.assert_match(again, "raftbench run .*bank%.lua %-%-mode sim %-%-seed " .. seed
    .. " %-%-set parameters%.coins=7 %-%-set options=drawn$")
  local replayed = command.run { "run", again:match "%S*bank%.lua", "--seed", seed, "--set", "parameters.coins=7",
    "--set", "options=drawn" }
  command.assert_code(replayed, 1)
  command.assert_has(replayed.err, result.out:match "bank%.lua:%d+: ([^\n]*)")
end)

add("FailuresAreCollectedEachOnce", loses, function(fuzz)
  local result = command.assert_code(fuzz("--seeds", "60", "--keep-going", "--no-shrink"), 1)
  local _, told = result.out:gsub("FOUND:", "")
  lu.assertEquals(told, 1)
  local count = tonumber(result.out:match "failure 1: check, in (%d+) of 60 seeds, soonest in seed %d+")
  lu.assertTrue(count >= 4 and count <= 25, count)
  command.assert_lacks(result.out, "failure 2:")
end)

add("AFailureIsMadeSmall", [[
return { nodes = 3, run = function(c)
  c:client(function() c:sleep(0.1) c:set("other", 1) end)
  c:crash(c:wait_leader())
  c:set("coin", 1)
  c:sleep(5)
  local status = c:status(2)
  c:propose({ op = "no such", status = status.term })
end, machine = function()
  return { apply = function(command, index)
    if command.key == "coin" then error("a coin is lost at " .. index) end
  end }
end }
]], function(fuzz, folder)
  local result = command.assert_code(fuzz("--seeds", "3"), 1)
  command.assert_has(result.out, "FOUND:", "a coin is lost", "Shrunk:", "written to repro-bank-1.lua")
  os.remove "repro-bank-1.lua"
  lu.assertNotNil(folder)
end)

add("AnAbortAndAHangAreFindings", [[
return { nodes = 3, run = function(c)
  if c:seed() == 2 then os.execute "kill -ABRT $PPID" end
  if c:seed() == 3 then while true do end end
  if c:seed() == 4 then c.core:limit_events(500) c:sleep(1e6) end
end }
]], function(fuzz)
  local result = command.assert_code(fuzz("--seeds", "6", "--keep-going", "--patience", "2"), 1)
  command.assert_has(result.out, ": 6 seeds", "FOUND: abort (seed 2)", "signal 6 (aborted)", "FOUND: hang (seed 3)",
    "did not end within 2 s of real time", "failure 1: hang, in 2 of 6 seeds, soonest in seed 4", "after 500 events",
    "written to repro-bank-4.lua")
  os.remove "repro-bank-4.lua"
  if not rawget(_G, "jit") then -- what LuaJIT has compiled looks at no signal
    command.assert_has(result.out, "; it was at ", "bank.lua:3 in run")
  end
end)

add("AGoalThatNoSeedReachedFails", [[
return { run = function(c)
  c:sometimes("the moon", false)
  c:sometimes("a leader", function(event) return event.kind == "role" and event.role == "leader" end)
end }
]], function(fuzz)
  local result = command.assert_code(fuzz("--seeds", "3"), 1)
  command.assert_has(result.out, "GOAL NEVER REACHED: the moon", "goal reached: a leader (3 seeds)", "no failure")
end)

add("ARunThatDependsOnMoreThanItsSeedIsTold", [[
return { run = function(c) c:note("now: " .. require("raft").core.clock_ns()) end }
]], function(fuzz)
  local result = command.assert_code(fuzz("--seeds", "100..100"), 1)
  command.assert_has(result.out, "FOUND: not deterministic (seed 100", "from event ", "one: ", "other: ", "now: ")
end)

add("SoIsAFailureThatDoesNotComeAgain", [[
local workers = require "raft.workers"
return { run = function() assert(not workers.is_child(), "nobody else sees this") end }
]], function(fuzz)
  local result = command.assert_code(fuzz("--seeds", "1", "--no-shrink"), 1)
  command.assert_has(result.out, "nobody else sees this", "note: it does not fail again in a process of its own")
end)

add("ItEndsInTime", fine, function(fuzz)
  local result = command.assert_code(fuzz("--seeds", "1..1000000000", "--time", "0.5"), 0)
  command.assert_match(result.lines[#result.lines], "no failure")
end)

add("ItCanBeInterrupted", [[return { run = function(c) c:sleep(30000) end }]], function(_, _, path)
  local result = command.run_until({ "fuzz", path, "--jobs", "2", "--seeds", "100000", "--shard", "1/2" },
    "part 1 of 2", "INT")
  command.assert_code(result, 3)
  command.assert_has(result.out, "interrupted")
end)

add("WhatCannotRunIsSaid", "return { nodes = 3 }", function(fuzz, folder)
  command.assert_has(command.assert_code(fuzz(), 3).err, "is not a scenario")
  command.assert_has(command.assert_code(fuzz("--set", "x"), 2).err, "--set needs NAME=VALUE")
  command.assert_has(command.assert_code(fuzz("--seeds", "9..1"), 2).err, "is not A..B")
  command.assert_has(command.assert_code(fuzz("--shard", "3/2"), 2).err, "'3/2' is not I/N")
  command.assert_has(command.assert_code(fuzz("--shard", "2"), 2).err, "give --shard I/2")
  command.assert_has(command.assert_code(command.run { "fuzz" }, 2).err, "a scenario is needed")
  command.assert_has(command.assert_code(command.run { "fuzz", folder .. "/none.lua" }, 3).err, "cannot read")
  local path = command.write(folder .. "/ok.lua", fine)
  command.assert_has(command.assert_code(command.run { "fuzz", path, "--set", "nodez=3" }, 2).err,
    "no option 'nodez'")
  local early = command.assert_code(command.run { "fuzz", path, "--json", folder .. "/none/x" }, 3)
  command.assert_has(early.err, "the results cannot be written", "No such file")
  lu.assertEquals(early.out, "") -- nothing has run
end)

-- ---- parts --------------------------------------------------------------------------------------

-- What the findings of a summary come to: a table of how often, by their words without numbers.
local function findings_of(text)
  local count, of = text:match "in (%d+) of (%d+) seeds"
  return tonumber(count), tonumber(of), text:match "soonest in seed (%d+)"
end

add("PartsAddUpToTheWhole", loses, function(fuzz, folder)
  local paths = {}
  for part = 1, 3 do
    paths[part] = folder .. "/" .. part .. ".json"
    fuzz("--seeds", "1..31", "--keep-going", "--no-shrink", "--shard", part .. "/3", "--json", paths[part])
  end
  local whole = fuzz("--seeds", "1..31", "--keep-going", "--no-shrink")
  local merged = command.assert_code(command.run { "fuzz", "--merge", unpack(paths) }, 1)
  lu.assertEquals({ findings_of(merged.out) }, { findings_of(whole.out) })
  lu.assertEquals(merged.out:match "(%d+) distinct situations", whole.out:match "(%d+) distinct situations")
  command.assert_has(command.assert_code(command.run { "fuzz", "--merge", folder .. "/bank.lua" }, 3).err,
    "this is no result")
end)

local function is_installed(program)
  local pipe = assert(io.popen("command -v " .. program, "r"))
  local path = pipe:read "*l"
  pipe:close()
  return path ~= nil
end

add("GnuParallelRunsTheParts", loses, function(fuzz, folder, path)
  lu.skipIf(not is_installed "parallel", "GNU parallel is not installed")
  local whole = fuzz("--seeds", "1..31", "--keep-going", "--no-shrink")
  os.execute(("seq 3 | PARALLEL_HOME=%s parallel -j 2 %s --jobs 1 --seeds 1..31 --keep-going --no-shrink --shard 3 "
    .. "--json %s/{}.json >%s/out 2>&1"):format(folder, command.quote(command.interpreter() .. "scripts/raftbench fuzz "
    .. path), folder, folder))
  command.assert_has(command.read(folder .. "/out"), "part 1 of 3, as GNU parallel says", "part 3 of 3")
  local merged = command.assert_code(command.run { "fuzz", "--merge", folder .. "/1.json", folder .. "/2.json",
    folder .. "/3.json" }, 1)
  lu.assertEquals({ findings_of(merged.out) }, { findings_of(whole.out) })
end)

function tests.test_WhichPartEnginesSay()
  local function part(text, environment)
    local found, problem = shards.of(text, function(name) return environment[name] end)
    return found and ("%d/%d"):format(found[1], found[2]) or problem
  end
  lu.assertEquals(part(nil, {}), "1/1")
  lu.assertEquals(part("2/5", { SLURM_PROCID = "0", SLURM_NTASKS = "9" }), "2/5")
  lu.assertEquals(part(nil, { SLURM_PROCID = "3", SLURM_NTASKS = "8" }), "4/8")
  lu.assertEquals(part(nil, { SLURM_ARRAY_TASK_ID = "7", SLURM_ARRAY_TASK_MIN = "1", SLURM_ARRAY_TASK_COUNT = "4",
    SLURM_ARRAY_TASK_STEP = "2", SLURM_PROCID = "0", SLURM_NTASKS = "1" }), "4/4")
  lu.assertEquals(part("8", { JOB_COMPLETION_INDEX = "0" }), "1/8")
  lu.assertEquals(part(nil, { JOB_COMPLETION_INDEX = "0" }), "1/1") -- of how many, nobody says
  lu.assertEquals(part("8", { PARALLEL_SEQ = "8" }), "8/8")
  lu.assertStrContains(part("8", { PARALLEL_SEQ = "9" }), "number 9 of 8")
  lu.assertStrContains(part("0/3", {}), "is not I/N")
end

return tests
