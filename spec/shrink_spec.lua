-- Shrinking: recorded inputs, what is taken away, and the script that fails every time.
local failing = require "spec.support.failing"
local lu = require "luaunit"
local chunks = require "raft.shrink.chunks"
local command = require "spec.support.command"
local failures = require "raft.failure"
local inputs = require "raft.inputs"
local one = require "raft.fuzz.one"
local plans = require "raft.shrink.plan"
local raft = require "raft"
local report = require "raft.report"
local shrink = require "raft.shrink"
local trial = require "raft.shrink.trial"

local faults, fail_with = failing.faults, failing.fail_with

local tests = {}

local load_text = loadstring or load -- luacheck: ignore 113

-- A counter that loses one where it is made from a snapshot: its answers then differ from those of other nodes.
local function forgetful()
  local count = 0
  return {
    apply = function()
      count = count + 1
      return count
    end,
    query = function()
      return count
    end,
    snapshot = function()
      return tostring(count)
    end,
    restore = function(next_chunk)
      count = math.max(0, tonumber(next_chunk()) - 1)
    end,
  }
end

local function propose_for(c, seconds)
  return function()
    local stop = c:now() + seconds
    while c:now() < stop do
      c:propose({ "add" }, { timeout = 0.5 })
      c:sleep(0.05)
    end
  end
end

local forgetful_scenario = {
  nodes = 5, window = 8, machine = forgetful, keep_events = 100,
  run = function(c)
    for _ = 1, 3 do
      c:client(propose_for(c, 20))
    end
    for _ = 1, 100 do
      c:sleep(0.2)
      faults[c:random(#faults)](c)
    end
  end,
}

-- ---- inputs ----------------------------------------------------------------------------------------------------

local function record(f)
  inputs.begin()
  local c = assert(raft.cluster { nodes = 3, mode = "sim", seed = 1 })
  inputs.stop()
  f(c)
  c:shutdown()
  return inputs.latest()
end

local function names(list)
  local words = {}
  for position, call in ipairs(list) do
    words[position] = ("%d:%d %s"):format(call.client, call.number, call.name)
  end
  return table.concat(words, ", ")
end

function tests.test_CallsOfTheScriptOfClientsAndOfCallbacksAreRecorded()
  local recorded = record(function(c)
    c:wait_leader()
    c:after(0.5, function() c:disconnect(3) end)
    local client = c:client(function()
      c:set("k", 1)
      c:sleep(1)
      c:crash(2)
    end)
    c:pause(1)
    c:resume(1)
    client:wait()
  end)
  lu.assertEquals(names(recorded.calls), "1:1 set, 0:1 pause, 0:2 resume, -1:1 disconnect, 1:2 crash")
  lu.assertEquals(recorded.calls[5][1], 2)
  lu.assertTrue(recorded.calls[5].at_ns > recorded.calls[4].at_ns)
end

function tests.test_WhatAnInterceptDoesToAMessageIsRecorded()
  local recorded = record(function(c)
    c:intercept(function(message)
      return message.kind == "pre_vote" and message.to == 2 and "hold" or nil
    end)
    c:wait_leader()
    c:held()[1]:deliver()
  end)
  local fate = recorded.fates[1]
  lu.assertEquals({ fate.kind, fate.to, #fate.arrives_ns }, { "pre_vote", 2, 1 })
  lu.assertTrue(fate.arrives_ns[1] > fate.at_ns)
end

function tests.test_CallsThatAreLeftOutChangeNothing()
  inputs.begin { leaves_out = function(key) return key == "0:1" or key == "1:1" end }
  local c = assert(raft.cluster { nodes = 3, mode = "sim", seed = 1 })
  inputs.stop()
  c:wait_leader()
  c:crash(1)
  local client = c:client(function() return c:set("k", 1) end)
  local _, index, _, code = client:wait()
  lu.assertEquals({ c:is_alive(1), index, code }, { true, nil, "timeout" })
  lu.assertEquals(#inputs.latest().calls, 0)
  lu.assertNil(c:get "k")
  c:shutdown()
end

function tests.test_AClusterThatIsNotRecordedHasTheSameTrace()
  local hashes = {}
  for place, wanted in ipairs { true, false } do
    if wanted then
      inputs.begin()
    end
    local c = assert(raft.cluster { nodes = 3, mode = "sim", seed = 4 })
    inputs.stop()
    c:wait_leader()
    c:crash(c:leader())
    c:set("k", 1)
    hashes[place] = c:trace_hash()
    lu.assertEquals(c.inputs ~= nil, wanted)
    c:shutdown()
  end
  lu.assertEquals(hashes[1], hashes[2])
end

-- ---- taking away -----------------------------------------------------------------------------------------------

function tests.test_ChunksFindTheFewItemsThatMatter()
  local items, matters, tried = {}, { [17] = true, [18] = true, [90] = true, [150] = true, [199] = true }, 0
  for number = 1, 200 do
    items[number] = number
  end
  local left = chunks.remove(items, function(rest)
    local count = 0
    tried = tried + 1
    for _, number in ipairs(rest) do
      count = count + (matters[number] and 1 or 0)
    end
    return count == 5
  end, function() return false end)
  lu.assertEquals(left, { 17, 18, 90, 150, 199 })
  lu.assertTrue(tried <= 100)
end

-- ---- the whole ---------------------------------------------------------------------------------------------------

function tests.test_AFailureOfManyFaultsIsShrunkToFewAndItsScriptFailsEveryTime()
  local found, why = shrink.run { run = fail_with(forgetful_scenario, 3) }
  assert(found, why)
  local before, after = plans.count(found.before), plans.count(found.plan)
  lu.assertTrue(before.steps > 50)
  lu.assertTrue(after.faults <= 3)
  lu.assertTrue(after.operations <= 3)
  lu.assertTrue(found.replays <= 400)
  lu.assertEquals(found.refused, {})
  lu.assertTrue(#found.events > 0 and #found.events <= 12)
  lu.assertStrContains(found.diagram, "VIOLATION")
  for _ = 1, 20 do
    local outcome = report.protect(assert(load_text(found.script)))
    lu.assertFalse(outcome.fine)
    lu.assertEquals(outcome.error.property, found.failure.property)
    require("raft.open").close_all()
  end
end

local stale_reads = {
  nodes = 5, keep_events = 100,
  run = function(c)
    c:workload { kind = "register", clients = 5, rate = 50, read = "stale", ask = "any" }
    c:nemesis { every = { 0.1, 0.5 }, lasts = { 0.2, 1 }, "crash", "pause", "partition", "flaky_links", "clock" }
    c:sleep(10)
  end,
}

function tests.test_AHistoryThatIsNotLinearizableIsShrunkToAFewOperations()
  local found, why = shrink.run { run = fail_with(stale_reads, 2) }
  assert(found, why)
  lu.assertEquals(found.failure.property, "linearizability")
  local before, after = plans.count(found.before), plans.count(found.plan)
  lu.assertTrue(before.faults > 30)
  lu.assertTrue(before.operations > 300)
  lu.assertTrue(after.faults <= 2)
  lu.assertTrue(after.operations <= 4)
  local outcome = report.protect(assert(load_text(found.script)))
  require("raft.open").close_all()
  lu.assertTrue(trial.is_it(not outcome.fine and failures.of(outcome.error, outcome.text) or nil, found))
end

-- A machine that ends its process where it is made from a snapshot.
local function deadly()
  local count = 0
  return {
    apply = function()
      count = count + 1
    end,
    query = function()
      return count
    end,
    snapshot = function()
      return tostring(count)
    end,
    restore = function()
      io.stderr:write "assertion failed: restored\n  at machine.c:7 in restore\n"
      os.execute "kill -ABRT $PPID"
    end,
  }
end

function tests.test_ARunThatEndsItsProcessIsShrunkToo()
  local scenario = {}
  for name, value in pairs(forgetful_scenario) do
    scenario[name] = value
  end
  scenario.machine = deadly
  local function run(events_most)
    local outcome, problem = one.run { file = scenario, seed = 3, events_most = events_most }
    assert(outcome, problem)
    return outcome.failure
  end
  local found, why = shrink.run { run = run }
  assert(found, why)
  lu.assertEquals({ found.failure.property, found.failure.key },
    { "abort", "restored (machine.c in restore)" })
  local before, after = plans.count(found.before), plans.count(found.plan)
  lu.assertTrue(before.faults > 5)
  lu.assertTrue(after.faults <= 3)
  lu.assertTrue(after.seconds < before.seconds)
  lu.assertStrContains(found.script, "c:restart")
end

-- A disk that the script damages, and nobody is told of it.
local damaged = {
  nodes = 3,
  run = function(c)
    c:client(propose_for(c, 10))
    c:nemesis { every = 0.2, lasts = 0.1, "pause", "slow_link", "crash" }
    c:sleep(2)
    for _ = 1, 20 do
      c:disk("all", { flip = true })
      c:sleep(0.5)
    end
  end,
}

function tests.test_ANodeThatDoesNotStartAgainIsAFailureOfItsOwn()
  local found, why = shrink.run { run = fail_with(damaged, 1) }
  assert(found, why)
  lu.assertEquals({ found.failure.property, found.plan.tail }, { "a node starts again", "start" })
  lu.assertTrue(plans.count(found.before).faults > 5)
  lu.assertTrue(plans.count(found.plan).faults <= 3)
  lu.assertStrContains(found.script, "must_start(c:restart(")
  local outcome = report.protect(assert(load_text(found.script)))
  require("raft.open").close_all()
  lu.assertTrue(trial.is_it(not outcome.fine and failures.of(outcome.error, outcome.text) or nil, found))
end

function tests.test_ANemesisDoesOnlyWhatIsLeftOfItsActions()
  inputs.begin { actions = { { { at = 0.5, "crash", 2 } } } }
  local c = assert(raft.cluster { nodes = 3, mode = "sim", seed = 1 })
  inputs.stop()
  local n = c:nemesis { every = 0.1, lasts = 0.1, "pause" }
  c:sleep(2)
  lu.assertEquals({ #n.actions, n.actions[1][1], c:is_alive(2) }, { 1, "crash", false })
  c:shutdown()
end

function tests.test_WhatDoesNotFailCannotBeShrunk()
  local found, why = shrink.run { run = fail_with({ nodes = 3, run = function(c) c:wait_leader() end }, 1) }
  lu.assertNil(found)
  lu.assertStrContains(why, "did not fail")
end

-- ---- the command -------------------------------------------------------------------------------------------------

local small_spec = [[
local raft = require "raft"
return {
  test_Small = function()
    local c = raft.cluster {
      nodes = 3,
      machine = function()
        local count = 0
        return {
          apply = function() count = count + 1 return count end,
          query = function() return count end,
          snapshot = function() return tostring(count) end,
          restore = function() count = 100 end,
        }
      end,
    }
    c:wait_leader()
    c:pause(3)
    c:propose "a"
    c:resume(3)
    c:compact(2)
    c:crash(2)
    c:restart(2)
    c:propose "b"
    c:sleep(1)
  end,
}
]]

command.add(tests, "TestShrinksItsFirstFailure", function(folder)
  local path, repro = command.write(folder .. "/small_spec.lua", small_spec), "repro-small-test_Small-1.lua"
  local outcome = command.run { "test", path, "--mode", "sim", "--seed", "1", "--seeds", "2", "--shrink" }
  local script = command.read(repro)
  local again = command.run { "run", repro }
  os.remove(repro)
  lu.assertEquals({ outcome.code, again.code }, { 1, 1 })
  for _, words in ipairs { "Shrunk:", "machines answer alike", "What led to it:", "written to " .. repro,
    "over TCP it fails so in " } do
    lu.assertStrContains(outcome.out, words)
  end
  lu.assertStrContains(script, "c:compact(")
  lu.assertNotStrContains(script, "c:pause(")
  lu.assertStrContains(script, "\n    local count = 0\n")
  lu.assertStrContains(script, "\n  end,\n")
  lu.assertNotStrContains(outcome.err, "shrinking, replay")
  lu.assertStrContains(outcome.out, "FAILED what led to it")
  lu.assertStrContains(again.err, "machines answer alike is violated")
end)

local checking_spec = [[
local lu = require "luaunit"
local raft = require "raft"
return {
  test_Own = function()
    local c = raft.cluster { nodes = 3 }
    local leader = c:check_one_leader()
    c:pause(leader % 3 + 1)
    assert(c:set("k", 1))
    c:disconnect(leader)
    lu.assertEquals(#c:leaders(), 0)
    c:shutdown()
  end,
}
]]

command.add(tests, "AnAssertionOfATestIsShrunkByItsFaults", function(folder)
  local path = command.write(folder .. "/own_spec.lua", checking_spec)
  local outcome = command.run { "test", path, "--mode", "sim", "--seed", "1", "--shrink" }
  lu.assertEquals(outcome.code, 1)
  lu.assertStrContains(outcome.out, "from 2 faults to 0")
  lu.assertStrContains(outcome.out, "expected: 0")
end)

-- The first by its file and seed, whichever job ends first.
command.add(tests, "OfTestsInManyJobsTheFirstIsShrunk", function(folder)
  local path = command.write(folder .. "/own_spec.lua", ([[
    local raft = require "raft"
    return { test_it = function()
      local c, mark = raft.cluster { nodes = 1 }, %q
      if c:seed() == 1 and not io.open(mark) then
        io.open(mark, "w"):close()
        os.execute "sleep 0.5"
      end
      error("seed " .. c:seed() .. " fails")
    end }]]):format(folder .. "/mark"))
  local outcome = command.run { "test", path, "--jobs", "4", "--seeds", "4", "--shrink" }
  lu.assertEquals(outcome.code, 1)
  lu.assertStrContains(outcome.out:match "Shrunk.*", "seed 1 fails")
end)

command.add(tests, "OfAScriptWithoutFaultsThereIsNothingToLeaveOut", function(folder)
  local path = command.write(folder .. "/quiet.lua", 'return { run = function() error "boom" end }')
  local words = ("root=$PWD; cd %s && %s$root/scripts/raftbench run %s --shrink 2>&1"):format(folder,
    command.interpreter(), path)
  local pipe = io.popen(words, "r")
  local out = pipe:read "*a"
  pipe:close()
  lu.assertStrContains(out, "Shrunk no further: the script itself fails so, and it makes no faults (")
  lu.assertStrContains(out, "quiet.lua as it is. It passes once that is mended.")
  lu.assertNotStrContains(out, "0 faults")
end)

return tests
