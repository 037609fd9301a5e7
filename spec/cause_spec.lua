-- Cause: at which event a failure became likely.
local lu = require "luaunit"
local cause = require "raft.shrink.cause"
local plans = require "raft.shrink.plan"
local redraw = require "raft.shrink.redraw"
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

-- A failure whose chance is known event by event, on each of the curves.
local function find(kept, redrawn, ends_at)
  local moments, asked = {}, 0
  for place = 1, #kept do
    moments[place] = { step = place, time = place, text = "event " .. place, parts = { "event " .. place } }
  end
  local failure = { property = "p", key = "k" }
  local tried = {}
  local found = cause.find {
    plan = { seed = 1, ends_ns = 5 }, failure = failure, moments = moments, written = "",
    is_spent = function() return false end,
    run = function(_, _, branch)
      asked = asked + 1
      local name = tostring(branch.is_redrawn) .. branch.step .. " " .. branch.ends_ns
      tried[name] = (tried[name] or 0) + 1
      local chance = (branch.is_redrawn and redrawn or kept)[branch.step]
      local is_late = ends_at and branch.ends_ns < ends_at
      return tried[name] <= chance * 32 and not is_late and failure or nil, { "event 77", "node 3 came" }
    end,
  }
  return found, asked
end

function tests.test_AJumpIsNarrowedDownToOneEvent()
  local chances, never = {}, {}
  for place = 1, 200 do
    chances[place], never[place] = place <= 137 and 0.05 or 1, 0
  end
  local found, asked = find(chances, never)
  lu.assertEquals(#found.kept, 1)
  lu.assertEquals(found.kept[1].event.text, "event 137")
  lu.assertEquals(cause.words(found.kept[1]), "3 % before event 137 (137.000000 s); 100 % after")
  lu.assertEquals(found.redrawn[1].event.text, "event 200")
  lu.assertTrue(asked <= 64 * 32)
end

function tests.test_TwoJumpsAreFoundTheGreaterFirst()
  local found = find({ 0, 0, 0.4, 0.4, 1, 1 }, { 0, 0, 0, 0, 0, 1 })
  lu.assertEquals({ found.kept[1].event.text, found.kept[2].event.text }, { "event 4", "event 2" })
  lu.assertEquals(found.redrawn[1].event.text, "event 5")
end

function tests.test_WhereNothingRisesThereIsNoJump()
  local found = find({ 1, 1, 1 }, { 1, 1, 1 })
  lu.assertEquals({ found.kept, found.redrawn }, { {}, {} })
end

function tests.test_ACurveThatBeginsHighIsLookedAtWithLessTime()
  local found = find({ 1, 1, 1 }, { 0, 0, 1 }, 100000005)
  lu.assertEquals(found.longer_ns, { kept = 50000000, redrawn = 2000000000 })
  lu.assertEquals(found.kept[1].event.text, "event 3")
  lu.assertEquals(found.redrawn[1].event.text, "event 2")
end

function tests.test_WhereItRisesSlowlyMoreBranchesTellWhereItIsSteepest()
  local moments = {}
  for place = 1, 8 do
    moments[place] = { step = place, time = place, text = "event " .. place, parts = {} }
  end
  local chances = { 0.1, 0.2, 0.3, 0.55, 0.65, 0.75, 0.85, 0.95 }
  local tried, failure = {}, { property = "p", key = "k" }
  local found = cause.find {
    plan = { seed = 1, ends_ns = 5 }, failure = failure, moments = moments, written = "",
    is_spent = function() return false end,
    run = function(_, _, branch)
      local name = tostring(branch.is_redrawn) .. branch.step
      tried[name] = (tried[name] or 0) + 1
      local sum = tried[name] * chances[branch.step] + 1e-9
      return math.floor(sum) > math.floor(sum - chances[branch.step]) and failure or nil, {}
    end,
  }
  lu.assertEquals(found.kept[1].event.text, "event 3")
  lu.assertEquals(found.moments[3].kept.all, 128)
end

function tests.test_TheEventAtWhichNearlyAllBranchesFailIsNamed()
  local found = find({ 1, 1, 1 }, { 1, 1, 1 })
  lu.assertEquals(found.ending.text, "event 3")
  lu.assertEquals(found.ending.count, found.ending.all)
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

function tests.test_WhereEveryRunFailsLessTimeIsLeftAndTheLastEventIsNamed()
  local function step(at_ns, name, ...)
    return { name = name, count = select("#", ...), at_ns = at_ns, client = 0, ... }
  end
  local plan = plan_of {
    step(700000000, "propose", { "a" }), step(800000000, "compact", 1), step(900000000, "crash", 1),
    step(1000000000, "restart", 1), step(1300000000, "propose", { "b" }),
  }
  local raised, time = replay.run(plan, 1)
  lu.assertEquals(raised.property, "machines answer alike")
  local found = shrink.cause({
    plan = plans.with(plan, { ends_ns = math.floor(time * 1e9) }),
    failure = require("raft.failure").of(raised),
  }, 1)
  lu.assertTrue(#found.moments > 5)
  lu.assertTrue(found.longer_ns.kept < 2000000000) -- whoever leads, it fails within these
  lu.assertStrContains(found.ending.text, "append")
end

function tests.test_InputsThatAreLeftComeAtOtherTimesAndToOtherNodes()
  local steps = {}
  for place, name in ipairs { "crash", "restart", "crash", "restart" } do
    steps[place] = { name = name, count = 1, at_ns = place * 100000000, client = 0, place < 3 and 1 or 2 }
  end
  local plan = { options = { nodes = 5 }, steps = steps }
  local nodes, times, count = {}, {}, 0
  for key = 1, 40 do
    local drawn = redraw.steps(plan, 1, 150000000, key)
    lu.assertEquals(#drawn, 3)
    lu.assertEquals({ drawn[1].name, drawn[1][1] }, { "restart", 1 }) -- its crash is done
    lu.assertEquals(drawn[2][1], drawn[3][1])
    lu.assertTrue(150000000 <= drawn[1].at_ns and drawn[1].at_ns <= drawn[2].at_ns)
    nodes[drawn[2][1]] = true
    count = count + (times[drawn[3].at_ns] and 0 or 1)
    times[drawn[3].at_ns] = true
    lu.assertEquals(redraw.steps(plan, 1, 150000000, key), drawn)
  end
  lu.assertEquals({ #nodes, count }, { 5, 40 })
  lu.assertEquals({ #steps, steps[2].at_ns }, { 4, 200000000 })
end

return tests
