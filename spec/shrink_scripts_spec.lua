-- Shrinking what no plan of recorded calls shows: failures of a script's own code, hangs; and faults that name roles.
local failing = require "spec.support.failing"
local lu = require "luaunit"
local cause = require "raft.shrink.cause"
local causes = require "raft.shrink.causes"
local failures = require "raft.failure"
local one = require "raft.fuzz.one"
local plans = require "raft.shrink.plan"
local replay = require "raft.shrink.replay"
local scripted = require "raft.shrink.scripted"
local shrink = require "raft.shrink"
local targets = require "raft.shrink.targets"
local text = require "raft.shrink.text"
local trial = require "raft.shrink.trial"

local faults, fail_with = failing.faults, failing.fail_with

local tests = {}

local load_text = loadstring or load -- luacheck: ignore 113

-- What fails is the script's own code, which no plan of its calls has.
local lost_leaders = {
  nodes = 3,
  run = function(c)
    local lost = 0
    c:client(function()
      while true do
        local leader = c:leader()
        c:sleep(0.05)
        if leader and not c:is_alive(leader) then
          lost = lost + 1
          assert(lost < 3, ("three leaders were lost after %.9f s"):format(c:now()))
          c:sleep(1)
        end
      end
    end)
    for _ = 1, 60 do
      c:sleep(0.3)
      faults[c:random(#faults)](c)
    end
  end,
}

function tests.test_AFailureOfTheScriptsOwnCodeIsShrunkByLeavingOutItsFaults()
  local again = { file = lost_leaders, seed = 1, set = {} }
  local found, why = shrink.run { run = fail_with(lost_leaders, 1), replays = 100 }
  assert(found, why)
  lu.assertStrContains(found.failure.text, "three leaders were lost")
  local result = found.scripted
  lu.assertTrue(result.before > 20)
  lu.assertTrue(result.count <= 5)
  again.calls, again.actions, again.network = result.calls, result.actions, result.network
  local fine, raised = pcall(require "raft.shrink.again", again)
  lu.assertFalse(fine)
  lu.assertStrContains(raised, "three leaders were lost")
  lu.assertEquals(raised:match "after [%d.]+", found.text:match "after [%d.]+") -- what is told is what the script shows
  local script = scripted.write(result, { file = "own.lua", seed = 1, set = { "nodes=3" } }, "three leaders were lost")
  lu.assertNotNil(load_text(script))
  lu.assertStrContains(script, 'set = { "nodes=3" },')
end

-- It cares who leads after the first, and says so later.
local particular = {
  nodes = 3,
  run = function(c)
    c:client(function() c:sleep(0.01) end) -- what looks at the run takes no number of its clients'
    local first, term = c:wait_leader()
    c:sleep(0.3)
    c:crash(first)
    local second = c:wait_leader(10, term)
    c:sleep(0.5)
    assert(second ~= 2, "node 2 led next")
  end,
}

function tests.test_WhenAFailureOfTheScriptsOwnCodeBecameLikely()
  local found = assert(shrink.run { run = fail_with(particular, 9) })
  lu.assertEquals(found.scripted.made[1].name, "crash(3)")
  local result = causes.of(found, 5)
  local jump = result.kept[1]
  lu.assertTrue(jump.before < 0.5)
  lu.assertTrue(jump.event.time < found.scripted.made[1].at) -- its time-outs are drawn when it votes
  lu.assertStrContains(jump.event.text, "votes for 3")
  lu.assertNil(jump.without)
  lu.assertNil(result.redrawn)
  lu.assertNil(result.ending) -- the assertion comes at no event
  lu.assertNil(table.concat(cause.curve(result), "\n"):find "redrawn")
end

function tests.test_HowOftenAScriptFailsOverTcpIsToldAndWhatCannotBeDoneThere()
  local form = 'local raft = require "raft"\nlocal c = assert(raft.cluster { nodes = 1 })\n%s\nc:shutdown()\n'
  local function told(middle)
    return trial.over_tcp {
      script = form:format(middle), plan = { ends_ns = 1000000, tail = false },
      failure = failures.of "repro.lua:3: mine",
    }
  end
  lu.assertEquals(told 'error "mine"', "over TCP it fails so in 5 of 5 runs")
  lu.assertEquals(told 'c:disk(1, { torn_write = true })\nc:disk(1, { flip = true })',
    "over TCP it fails so in 0 of 5 runs; c:disk cannot be done there")
  lu.assertEquals(told 'assert(c.options.speed == 1, "mine")',
    "over TCP it fails so in 0 of 5 runs; with a world 5 times slower (RAFTBENCH_SPEED=0.2) in 3 of 3 runs")
end

-- It waits for ever once a leader was lost.
local stands_still = {
  nodes = 3,
  run = function(c)
    local lost = 0
    for _ = 1, 40 do
      c:sleep(0.3)
      local leader = c:leader()
      faults[c:random(#faults)](c)
      lost = lost + (leader and not c:is_alive(leader) and 1 or 0)
    end
    while lost >= 1 do
      c:sleep(1)
    end
  end,
}

function tests.test_AScenarioThatStandsStillIsShrunkWithALimitOfEvents()
  local function run(events_most)
    local outcome, problem = one.run { file = stands_still, seed = 7, events_most = events_most }
    assert(outcome, problem)
    return outcome.failure
  end
  local found, why = shrink.run {
    run = run, is_hang = true, hang_events = 10000, replays = 60,
    again = { file = "still.lua", seed = 3, set = {} },
  }
  assert(found, why)
  lu.assertEquals(found.failure.property, "hang")
  lu.assertTrue(found.scripted.before > 20)
  lu.assertTrue(found.scripted.count <= 5)
  lu.assertStrContains(found.script, "events_most = 10000,")
end

function tests.test_MessagesThatANemesisDelaysAreDelayedInAPlanToo()
  local which = { from = "*", to = "*", kind = "pre_vote", by = 10, count = 1000, within = 10 }
  local late = { name = "late", count = 1, which, at_ns = 0, client = -2 }
  local leaders = {}
  for place, steps in ipairs { {}, { late } } do
    local plan = { options = { nodes = 3 }, seed = 1, steps = steps, workloads = {}, tail = false, ends_ns = 2e9 }
    replay.run(plan, 1, function(c) leaders[place] = c:leader() or "none" end)
  end
  lu.assertIsNumber(leaders[1])
  lu.assertEquals(leaders[2], "none")
end

-- ---- roles for nodes ------------------------------------------------------------------------------------------

-- The leader is crashed twice, and each time comes back before the next.
local function leader_plan(first, second)
  local steps = {
    { name = "crash", count = 1, first, at_ns = 600000000, client = 0 },
    { name = "crash", count = 1, second, at_ns = 1500000000, client = 0 },
    { name = "restart", count = 1, first, at_ns = 1600000000, client = 0 },
    { name = "restart", count = 1, second, at_ns = 1700000000, client = 0 },
  }
  plans.pair_up(steps)
  return { options = { nodes = 5 }, seed = 1, steps = steps, workloads = {}, tail = false, ends_ns = 2000000000 }
end

-- Who led when a crash came, and who was crashed and restarted, in a plan's run.
local function hits(plan, seed)
  local led, hit, leader = {}, {}, nil
  replay.run(plan, seed, nil, nil, function(c)
    c:on({ kind = "role" }, function(event) leader = event.role == "leader" and event.node or leader end)
    c:on({ kind = "fault" }, function(event)
      led[#led + 1] = event.call == "crash" and leader or nil
      hit[#hit + 1] = event.call .. event.node
    end)
  end)
  return led, hit
end

-- A work whose candidates all fail, under its own seed of the network alone until they name roles.
local function work_of(plan)
  local work = { plan = plan, changed = false, is_rare = true }
  function work:try(candidate)
    self.plan = candidate
    return true
  end
  function work:measure()
    self.is_rare = false
  end
  return work
end

function tests.test_FaultsThatNameRolesHitTheLeaderWhoeverLeads()
  local plan = leader_plan(1, 2)
  local led = hits(plan, 1)
  local work = work_of(leader_plan(led[1], led[2]))
  led = hits(work.plan, 1)
  work = work_of(leader_plan(led[1], led[2])) -- the second leader as of that course
  local before = work.plan
  local _, hit_before = hits(before, 1)
  targets.roles(work)
  local writer = text.writer()
  local again = writer:read(writer:plan(work.plan))
  local _, hit = hits(again, 1)
  lu.assertEquals(hit, hit_before)
  lu.assertEquals(again.steps[3].undoes, again.steps[1])
  lu.assertEquals(again.steps[4].undoes, again.steps[2])
  local leaders = {}
  for seed = 2, 9 do
    led, hit = hits(again, seed)
    lu.assertEquals(hit[1], "crash" .. led[1])
    lu.assertEquals(hit[3], "restart" .. led[1])
    leaders[led[1]] = true
  end
  lu.assertTrue(next(leaders, next(leaders)) ~= nil)
  targets.nodes(work)
  for place, step in ipairs(before.steps) do
    lu.assertEquals({ work.plan.steps[place].name, work.plan.steps[place][1] }, { step.name, step[1] })
    lu.assertFalse(work.plan.steps[place].is_symbolic)
  end
end

function tests.test_APlanWhoseWorldDoesNotEndIsAHang()
  local plan = { options = { nodes = 3 }, seed = 1, steps = {}, workloads = {}, tail = false, ends_ns = 5000000000 }
  local raised = replay.run(plan, 1)
  lu.assertNil(raised)
  local writer = text.writer()
  local limited = writer:read(writer:plan(plans.with(plan, { events_most = 100 })))
  raised = replay.run(limited, 1)
  lu.assertEquals(raised.property, "hang")
end

function tests.test_WhatComputesWithoutAnEndIsTold()
  local found, why = shrink.run { run = function() while true do end end, is_hang = true, hung_s = 0.1 }
  lu.assertNil(found)
  lu.assertStrContains(why, "computes without an end")
end

return tests
