-- Cause: at which event a failure became likely.
local lu = require "luaunit"
local raft = require "raft"
local cause = require "raft.shrink.cause"
local causes = require "raft.shrink.causes"
local branches = require "raft.shrink.branches"
local failures = require "raft.failure"
local looks = require "raft.shrink.moments"
local origins = require "raft.shrink.origins"
local plans = require "raft.shrink.plan"
local redraw = require "raft.shrink.redraw"
local replay = require "raft.shrink.replay"
local runs = require "raft.shrink.runs"
local unsynced = require "raft.shrink.unsynced"
local window = require "raft.shrink.window"

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

local FAILURE = { property = "p", key = "k" }

local function never()
  return math.huge
end

-- Passes whose branches fail where is_failed(step, key, asked) says so.
local function passes(is_failed)
  return function(asked)
    local results = {}
    for place, stop in ipairs(asked.stops) do
      lu.assertTrue(place == 1 or asked.stops[place - 1].step < stop.step) -- what comes before is run once
      results[place] = {}
      for number, key in ipairs(stop.keys) do
        local fails, time = is_failed(stop.step, key, asked)
        results[place][number] = {
          is_failed = fails, time = time, last = fails and number <= asked.watched and { "event 77", "node 3 came" },
        }
      end
    end
    return results
  end
end

local function moments_of(count)
  local moments = {}
  for place = 1, count do
    moments[place] = { step = place, time = place, text = "event " .. place, parts = { "event " .. place } }
  end
  return moments
end

-- Whether the n-th of many fails, evenly.
local function is_one_of(n, chance)
  local sum = n * chance + 1e-9
  return math.floor(sum) > math.floor(sum - chance)
end

-- A failure whose chance is known event by event, on each of the curves, and how much later it comes.
local function find(kept, redrawn, later_ns)
  local asked_for, tried = 0, {}
  local found = cause.find {
    plan = { seed = 1, ends_ns = 5 }, failure = FAILURE, moments = moments_of(#kept), until_ns = never,
    branches = passes(function(step, _, asked)
      local name = ("%s%s %d"):format(tostring(asked.is_redrawn), step, asked.ends_ns)
      tried[name], asked_for = (tried[name] or 0) + 1, asked_for + 1
      local fails_ns = 5 + (later_ns or 0)
      local fails = is_one_of(tried[name], (asked.is_redrawn and redrawn or kept)[step])
      return fails and fails_ns <= asked.ends_ns, fails_ns / 1e9
    end),
  }
  return found, asked_for
end

function tests.test_AJumpIsNarrowedDownToOneEvent()
  local chances, none = {}, {}
  for place = 1, 200 do
    chances[place], none[place] = place <= 137 and 0.05 or 1, 0
  end
  local found, asked = find(chances, none)
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
  local found = find({ 1, 1, 1 }, { 0, 0, 1 }, 100000000)
  lu.assertEquals(found.longer_ns, { kept = 50000000, redrawn = 500000000 })
  lu.assertEquals(found.kept[1].event.text, "event 3")
  lu.assertEquals(found.redrawn[1].event.text, "event 2")
end

function tests.test_WhereItRisesSlowlyMoreBranchesTellWhereItIsSteepest()
  local chances, tried = { 0.1, 0.2, 0.3, 0.55, 0.65, 0.75, 0.85, 0.95 }, {}
  local found = cause.find {
    plan = { seed = 1, ends_ns = 5 }, failure = FAILURE, moments = moments_of(8), until_ns = never,
    branches = passes(function(step, _, asked)
      local name = tostring(asked.is_redrawn) .. step
      tried[name] = (tried[name] or 0) + 1
      return is_one_of(tried[name], chances[step]), 5e-9
    end),
  }
  lu.assertEquals(found.kept[1].event.text, "event 3")
  lu.assertEquals(found.moments[3].kept.all, 96)
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

-- From a step on other numbers are drawn.
local function from(step, key)
  return { reached = function(steps) return steps >= step and { key = key } or nil end }
end

function tests.test_RunsThatDrawOtherNumbersFromAStepOnAreTheSameUpToIt()
  local function trace(step, key)
    local lines
    replay.run(plan_of {}, 1, function(c) lines = c.core:event_lines(true) end, from(step, key))
    return lines
  end
  local a, b, c = trace(60, 1), trace(60, 2), trace(60, 2)
  lu.assertEquals(b, c)
  lu.assertNotEquals(a, b)
  for place = 1, 40 do
    lu.assertEquals(a[place], b[place])
  end
end

-- All branches of a plan, in one pass.
local function branches_of(plan, failure, stops)
  return branches.run(runs.of_plan(plan), {
    stops = stops, failure = failure, ends_ns = plan.ends_ns, watched = 1, until_ns = raft.core.clock_ns() + 60e9,
  })
end

function tests.test_BranchesOfOnePassAreEachTheRunThatDrawsOtherNumbersFromThere()
  local plan = plan_of {
    { name = "propose", count = 1, { "a" }, at_ns = 300000000, client = 0 },
    { name = "compact", count = 1, 1, at_ns = 320000000, client = 0 },
    { name = "crash", count = 1, 1, at_ns = 330000000, client = 0 },
    { name = "restart", count = 1, 1, at_ns = 340000000, client = 0 },
    { name = "propose", count = 1, { "b" }, at_ns = 500000000, client = 0 },
  }
  plan.ends_ns = 509000000
  local failure = failures.of((replay.run(plan, 1)))
  lu.assertEquals(failure.property, "machines answer alike")
  local stops = {}
  for place, step in ipairs { 0, 40, 41, 100 } do
    stops[place] = { step = step, keys = { 7, 8, 9 } }
  end
  local failed, results = 0, branches_of(plan, failure, stops)
  for place, stop in ipairs(stops) do
    for number, key in ipairs(stop.keys) do
      local branch = from(stop.step, key)
      branch.ends_ns = plan.ends_ns
      local raised, time = replay.run(plan, 1, nil, branch)
      lu.assertEquals(results[place][number].is_failed, raised ~= nil)
      lu.assertEquals(results[place][number].time, time)
      failed = failed + (raised and 1 or 0)
    end
  end
  lu.assertTrue(0 < failed and failed < 12)
  lu.assertStrContains(table.concat(results[2][1].last, " "), "node")
end

function tests.test_ABranchThatEndsItsProcessFailsSoAndTheOthersGoOn()
  local function deadly()
    return {
      apply = function() os.execute "kill -ABRT $PPID" end,
      query = function() end,
    }
  end
  local plan = plan_of { { name = "propose", count = 1, { "a" }, at_ns = 700000000, client = 0 } }
  plan.options = plans.with(plan.options, { machine = deadly })
  local results = branches_of(plan, failures.died("was killed by signal 6 (aborted)", ""), {
    { step = 10, keys = { 1, 2 } }, { step = 20, keys = { 3 } },
  })
  lu.assertEquals(results, { { { is_failed = true }, { is_failed = true } }, { { is_failed = true } } })
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
  local found = causes.of({
    plan = plans.with(plan, { ends_ns = math.floor(time * 1e9) }),
    failure = failures.of(raised),
  })
  lu.assertTrue(#found.moments > 5)
  lu.assertTrue(found.longer_ns.kept < 2000000000) -- whoever leads, it fails within these
  lu.assertEquals(found.origin.events[1].kind, "snapshot") -- it is what the machine loses something by
  lu.assertStrContains(found.ending.text, "append")
  local last = found.moments[#found.moments - 1]
  lu.assertStrContains(table.concat(last.parts, ", "), "applies") -- told of the failing step alone
  for place = 1, #found.moments - 2 do
    lu.assertNotStrContains(table.concat(found.moments[place].parts, ", "), "applies")
  end
end

function tests.test_AMessageBetweenTwoEventsIsNamedWhereItRisesThere()
  local moments, received = {}, {}
  for _, step in ipairs { 1, 5, 12 } do
    moments[#moments + 1] = { step = step, time = step, text = "event " .. step, parts = { "event " .. step } }
  end
  for _, step in ipairs { 6, 7, 9, 11 } do
    received[#received + 1] = { step = step, time = step, text = "message " .. step, parts = { "message " .. step } }
  end
  local found = cause.find {
    plan = { seed = 1, ends_ns = 12 }, failure = FAILURE, moments = moments, received = received, until_ns = never,
    branches = passes(function(step) return step > 7, 12e-9 end),
  }
  lu.assertEquals({ found.kept[1].event.text, found.kept[1].next.text }, { "message 7", "message 9" })
end

local function crash_plan(crash_at_ns)
  local crash = { name = "crash", count = 1, 2, at_ns = crash_at_ns, client = 0 }
  local steps = {
    { name = "campaign", count = 1, 1, at_ns = 100, client = 0 }, crash,
    { name = "restart", count = 1, 2, at_ns = crash_at_ns + 1000, client = 0, undoes = crash, is_undo = true },
  }
  return { options = { nodes = 3 }, seed = 1, steps = steps, ends_ns = crash_at_ns + 2000, tail = false,
    workloads = { { operations = { { at = 50e-9 }, { at = (crash_at_ns + 500) / 1e9 } } } } }, crash
end

function tests.test_BetweenWhichEventsAFaultMustCome()
  local plan, crash = crash_plan(5000)
  local moments, tried = {}, 0
  for place = 1, 9 do
    moments[place] = { time = place * 1000 / 1e9, text = "event " .. place }
  end
  local found = window.find {
    plan = plan, step = crash, moments = moments, is_spent = function() return false end,
    fails = function(moved)
      tried = tried + 1
      local at_ns = moved.steps[2].at_ns
      lu.assertEquals(moved.steps[1].at_ns, 100)
      lu.assertEquals(moved.steps[3].at_ns - at_ns, 1000)
      lu.assertEquals(moved.steps[3].undoes, moved.steps[2])
      lu.assertAlmostEquals(moved.workloads[1].operations[2].at * 1e9, at_ns + 500, 0.1)
      lu.assertEquals(moved.ends_ns - at_ns, 2000)
      return at_ns > 3500 and at_ns < 7500
    end,
  }
  lu.assertEquals({ found.after.text, found.before.text }, { "event 3", "event 8" })
  lu.assertEquals({ tried, crash.at_ns }, { 6, 5000 })
end

function tests.test_AFaultIsNotMovedPastTheInputBeforeIt()
  local plan, crash = crash_plan(5000)
  local found = window.find {
    plan = plan, step = crash, moments = { { time = 40e-9, text = "before it" }, { time = 6e-6, text = "later" } },
    is_spent = function() return false end, fails = function() return true end,
  }
  lu.assertEquals(found, {})
end

function tests.test_WhatComesBeforeAFaultGoesOnWithoutIt()
  local plan, crash = crash_plan(5000)
  local without = window.until_step(plan, crash)
  lu.assertEquals({ #without.steps, #without.workloads[1].operations }, { 1, 1 })
  lu.assertTrue(without.ends_ns > plan.ends_ns)
end

function tests.test_WhatANodePromisesBeforeItIsSyncedIsTold()
  local disk = unsynced.new()
  local function unsafe(event)
    disk:note(event)
    return disk:unsafe(event)
  end
  local function answer(index)
    return { kind = "send", message = "append_response", node = 2, peer = 1, index = index }
  end
  lu.assertNil(unsafe { kind = "vote", node = 2, flag = true })
  lu.assertEquals(unsafe { kind = "send", message = "vote_response", node = 2, peer = 1 },
    "answers 1 with its vote, not synced")
  lu.assertNil(unsafe { kind = "send", message = "vote_response", node = 2, peer = 1, reject = true })
  lu.assertNil(unsafe { kind = "sync", node = 2, what = "state" })
  lu.assertNil(unsafe { kind = "send", message = "vote_response", node = 2, peer = 1 })
  lu.assertEquals(unsafe(answer(3)), "acknowledges 3, not synced")
  unsafe { kind = "sync", node = 2, what = "entries", first = 1, last = 3 }
  lu.assertNil(unsafe(answer(3)))
  unsafe { kind = "truncate", node = 2, first = 3, last = 3 }
  lu.assertEquals(unsafe(answer(3)), "acknowledges 3, not synced")
  unsafe { kind = "install", node = 2, index = 7 }
  lu.assertNil(unsafe(answer(7)))
  lu.assertNil(unsafe { kind = "start", node = 2, last = 2 })
  lu.assertEquals(unsafe(answer(3)), "acknowledges 3, not synced")
end

-- Events as a list, each with its place as time.
local function events_of(list)
  for place, event in ipairs(list) do
    event.time, event.text = place, ("%s of node %d"):format(event.kind, event.node)
  end
  return list
end

local function texts_of(origin)
  local texts = {}
  for place, event in ipairs(origin.events) do
    texts[place] = ("%d: %s"):format(event.time, event.text)
  end
  return texts
end

function tests.test_ASnapshotThatTheFailingNodeGoesOnFromIsFollowedBackToWhoTookIt()
  local events = events_of {
    { kind = "snapshot", node = 1, index = 5 }, { kind = "snapshot", node = 3, index = 7 },
    { kind = "receive", node = 2, peer = 3 }, { kind = "snapshot", node = 1, index = 7 },
    { kind = "install", node = 2, index = 7 }, { kind = "restore", node = 2, index = 7 },
    { kind = "receive", node = 4, peer = 2 }, { kind = "install", node = 4, index = 7 },
    { kind = "restore", node = 4, index = 7 }, { kind = "snapshot", node = 4, index = 9 },
  }
  local origin = origins.of(events, { nodes = { 4, 1 }, time = 11, property = "machines answer alike" })
  lu.assertEquals({ origin.node, origin.from, origin.message.time }, { 4, "a snapshot", 7 })
  lu.assertEquals(texts_of(origin), {
    "2: snapshot of node 3", "5: install of node 2", "8: install of node 4", "9: restore of node 4",
  })
  lu.assertNil(origins.of(events, { nodes = { 1 }, time = 11, property = "machines answer alike" }))
  lu.assertNil(origins.of(events, { nodes = {}, time = 11, property = "liveness" }))
end

function tests.test_WhatANodeThatDoesNotStartWroteLastIsTold()
  local events = events_of {
    { kind = "sync", node = 1, what = "snapshot" }, { kind = "stop", node = 1 }, { kind = "start", node = 1 },
    { kind = "write", node = 1, what = "entries" }, { kind = "sync", node = 1, what = "entries" },
    { kind = "sync", node = 2, what = "entries" }, { kind = "write", node = 1, what = "state" },
    { kind = "stop", node = 1 },
  }
  local texts = { "5: sync of node 1", "7: write of node 1", "8: stop of node 1" }
  lu.assertEquals(texts_of(origins.of(events, { nodes = { 1 }, time = 9, property = "a node starts again" })), texts)
  events[9] = { kind = "start", node = 1, time = 9, text = "start of node 1" }
  lu.assertEquals(texts_of(origins.of(events, { nodes = { 1 }, time = 9, property = "one vote in a term" })), texts)
  lu.assertNil(origins.of(events, { nodes = { 1 }, time = 10, property = "one vote in a term" })) -- it started long ago
end

function tests.test_TheMomentsOfARunThatEndsItsProcessAreKnownToo()
  local function deadly()
    return {
      apply = function() os.execute "kill -ABRT $PPID" end,
      query = function() end,
    }
  end
  local list, received = looks.of(runs.of_plan {
    options = { nodes = 3, machine = deadly }, seed = 1, workloads = {}, tail = false, ends_ns = 1500000000,
    steps = { { name = "propose", count = 1, { "a" }, at_ns = 700000000, client = 0 } },
  })
  lu.assertTrue(#list > 5)
  lu.assertTrue(#received > 5)
  lu.assertAlmostEquals(list[#list].time, 0.7, 0.05)
end

function tests.test_ARunOfOursPromisesNothingThatIsNotSynced()
  local list = looks.of(runs.of_plan(plan_of {
    { name = "propose", count = 1, { "a" }, at_ns = 700000000, client = 0 },
  }))
  lu.assertTrue(#list > 5)
  for _, moment in ipairs(list) do
    lu.assertNil(moment.text:find "not synced")
  end
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
