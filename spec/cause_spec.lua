-- Cause: at which event a failure became likely.
local lu = require "luaunit"
local cause = require "raft.shrink.cause"
local plans = require "raft.shrink.plan"
local replay = require "raft.shrink.replay"
local shrink = require "raft.shrink"

local tests = {}

function tests.test_TheIntervalOfAChance()
  local low, high = cause.interval(0, 32)
  lu.assertEquals(low, 0)
  lu.assertAlmostEquals(high, 0.1072, 0.0001)
  low, high = cause.interval(16, 32)
  lu.assertAlmostEquals(low, 0.3363, 0.0001)
  lu.assertAlmostEquals(high, 0.6637, 0.0001)
  low, high = cause.interval(32, 32)
  lu.assertAlmostEquals(low, 0.8928, 0.0001)
  lu.assertEquals(high, 1)
end

-- A failure whose chance is known event by event.
local function find(chances)
  local moments, asked = {}, 0
  for place = 1, #chances do
    moments[place] = { step = place, time = place, text = "event " .. place }
  end
  local failure = { property = "p", key = "k" }
  local tried = {}
  local found = cause.find {
    plan = { seed = 1, ends_ns = 5 }, failure = failure, moments = moments,
    write = function() return "" end, is_spent = function() return false end,
    run = function(_, _, branch)
      asked = asked + 1
      tried[branch.step] = (tried[branch.step] or 0) + 1
      return tried[branch.step] <= chances[branch.step] * 32 and failure or nil
    end,
  }
  return found, asked
end

function tests.test_AJumpIsNarrowedDownToOneEvent()
  local chances = {}
  for place = 1, 200 do
    chances[place] = place <= 137 and 0.05 or 1
  end
  local found, asked = find(chances)
  lu.assertEquals(#found.jumps, 1)
  lu.assertEquals(found.jumps[1].event.text, "event 137")
  lu.assertEquals(cause.words(found.jumps[1]), "3 % before event 137 (137.000000 s); 100 % after")
  lu.assertTrue(asked <= 26 * 32)
end

function tests.test_TwoJumpsAreFoundTheGreaterFirst()
  local found = find { 0, 0, 0.4, 0.4, 1, 1 }
  lu.assertEquals({ found.jumps[1].event.text, found.jumps[2].event.text }, { "event 4", "event 2" })
end

function tests.test_WhereNothingRisesThereIsNoJump()
  lu.assertEquals(find({ 1, 1, 1 }).jumps, {})
end

-- A machine that answers otherwise once it was made from a snapshot.
local function broken()
  local made, answers = {}, 0
  return {
    apply = function(_, index)
      answers = answers + 1
      return (made.lost or 0) + index
    end,
    query = function() return answers end,
    snapshot = function() return tostring(answers) end,
    restore = function() made.lost = 1 end,
  }
end

local function plan_of(steps)
  return { options = { nodes = 3, machine = broken }, seed = 1, steps = steps, workloads = {}, tail = false,
    ends_ns = 1500000000 }
end

function tests.test_RunsThatDrawOtherNumbersFromAStepOnAreTheSameUpToIt()
  local function trace(step, key)
    local lines
    replay.run(plan_of {}, 1, function(c) lines = c.core:event_lines(true) end, { step = step, key = key })
    return lines
  end
  local a, b, c = trace(60, 1), trace(60, 2), trace(60, 2)
  lu.assertEquals(b, c)
  lu.assertNotEquals(a, b)
  for place = 1, 40 do
    lu.assertEquals(a[place], b[place])
  end
end

function tests.test_WhereTheScriptAloneIsTheCauseEveryBranchFails()
  local function step(at_ns, name, ...)
    return { name = name, count = select("#", ...), at_ns = at_ns, client = 0, ... }
  end
  local plan = plan_of {
    step(700000000, "propose", { "a" }), step(800000000, "compact", 1), step(900000000, "crash", 1),
    step(1000000000, "restart", 1), step(1300000000, "propose", { "b" }),
  }
  local raised, time = replay.run(plan, 1)
  lu.assertEquals(raised.property, "machines answer alike")
  local found = shrink.cause {
    plan = plans.with(plan, { ends_ns = math.floor(time * 1e9) }),
    failure = require("raft.failure").of(raised),
  }
  lu.assertTrue(#found.moments > 5)
  for _, moment in ipairs(found.moments) do
    lu.assertTrue(not moment.chance or moment.chance == 1) -- whoever leads, the script is the cause
  end
end

return tests
