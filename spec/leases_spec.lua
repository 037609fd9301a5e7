-- Lease reads: linearizable without asking a quorum, as long as clocks keep to clock_drift.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"

local tests = {}
local in_both = clusters.in_both

local DRIFT = 0.1
local LEASE = { read = "lease" }

local function lease_at(node, timeout)
  return { read = "lease", node = node, timeout = timeout }
end

local function assert_no_answer(value, message, code)
  lu.assertNil(value, tostring(message))
  clusters.assert_one_of(code, { "not_leader", "no_leader", "timeout" })
end

-- A leader whose heartbeats have been answered: it has a lease.
local function leased(c)
  local leader, term = c:check_one_leader()
  assert(c:set("key", "old"))
  repeat
    assert(c:get("key", LEASE) == "old")
    local confirmed = c:events { kind = "confirm", node = leader }
  until confirmed[#confirmed].flag
  return leader, term
end

in_both(tests, "CostNoMessages", { nodes = 3, clock_drift = DRIFT }, function(c)
  local leader = leased(c)
  local before = c:stats(leader).messages.read
  for i = 1, 50 do
    assert(c:set("key", i))
    lu.assertEquals(assert(c:get("key", LEASE)), i)
  end
  lu.assertTrue(c:stats(leader).messages.read - before <= 20) -- the machine may have been slow now and then
end)

clusters.add(tests, "CostNoMessagesAtAll", { nodes = 3, clock_drift = DRIFT, mode = "sim" }, function(c)
  local leader = leased(c)
  local before = c:stats(leader).messages.read
  for _ = 1, 100 do
    lu.assertEquals(assert(c:get("key", LEASE)), "old")
    c:sleep(0.01)
  end
  lu.assertEquals(c:stats(leader).messages.read, before)
end)

-- Heartbeats that take longer than a lease to come back give none.
in_both(tests, "FallBackToARound", { nodes = 3, clock_drift = DRIFT, election_timeout = { 0.5, 1 } }, function(c)
  local leader = leased(c)
  c:link("*", leader, { delay = 0.25 })
  c:link(leader, "*", { delay = 0.25 })
  c:sleep(0.7)
  local before = c:stats(leader).messages.read
  lu.assertEquals(assert(c:get("key", lease_at(leader))), "old")
  lu.assertTrue(c:stats(leader).messages.read > before)
end)

in_both(tests, "ADeposedLeaderDoesNotAnswer", { nodes = 5, clock_drift = DRIFT }, function(c)
  local old, term = leased(c)
  c:partition { old, clusters.next_id(c, old) }
  local new = assert(c:wait_leader(nil, term))
  assert(c:set("key", "new", { node = new }))
  assert_no_answer(c:get("key", lease_at(old, 0.5)))
  c:heal()
  lu.assertEquals(assert(c:get("key", LEASE)), "new")
end)

-- The time is looked at when it answers, and not when it was stopped.
in_both(tests, "ALeaderThatWasPausedDoesNotAnswerFromBefore", { nodes = 3, clock_drift = DRIFT }, function(c)
  local old, term = leased(c)
  c:pause(old)
  local readers = {}
  local function read_there()
    readers[#readers + 1] = c:client(function()
      return c:get("key", lease_at(old, 3))
    end)
  end
  read_there()
  local new = assert(c:wait_leader(nil, term))
  assert(c:set("key", "new", { node = new }))
  read_there()
  c:resume(old)
  read_there()
  for _, reader in ipairs(readers) do
    local value, message, code = clusters.result(reader)
    if value ~= nil then
      lu.assertEquals(value, "new")
    else
      assert_no_answer(value, message, code)
    end
  end
end)

-- Who is handed leadership over is elected within the promise, so the old leader gives its lease up first.
in_both(tests, "LeadershipIsHandedOver", { nodes = 3, clock_drift = DRIFT }, function(c)
  local old = leased(c)
  local new = clusters.next_id(c, old)
  local seen = 0
  local reader = c:client(function()
    while seen < 100 do
      local value = c:get("key", lease_at(old, 0.2))
      lu.assertTrue(value == nil or value == "old")
      seen = seen + 1
      c:sleep(0.002)
    end
  end)
  lu.assertEquals(assert(c:transfer_leader(new)), new)
  seen = 100
  assert(reader:wait())
  assert(c:set("key", "new"))
  lu.assertEquals(assert(c:get("key", LEASE)), "new")
  assert_no_answer(c:get("key", lease_at(old, 0.2)))
end)

in_both(tests, "NobodyIsMadeToBreakItsPromise", { nodes = 3, clock_drift = DRIFT }, function(c)
  local leader = leased(c)
  local other = clusters.next_id(c, leader)
  clusters.wait_follows(c, other, leader)
  for _, force in ipairs { true, false } do
    local message = clusters.assert_refused("busy", c:campaign(other, { force = force }))
    lu.assertStrContains(message, "transfer_leader")
  end
  lu.assertEquals((c:check_one_leader()), leader)
  c:crash(leader)
  lu.assertTrue(c:wait_leader() ~= leader)
end)

-- ---- where there are none ----------------------------------------------------------------------------

in_both(tests, "OffUnlessAskedFor", { nodes = 3 }, function(c)
  c:check_one_leader()
  local message = clusters.assert_refused("unsupported", c:get("key", LEASE))
  lu.assertStrContains(message, "clock_drift")
end)

function tests.test_NeedCheckQuorum()
  clusters.assert_raises(function()
    require("raft").cluster { clock_drift = 0.1, check_quorum = false }
  end, "check_quorum")
  for _, wrong in ipairs { -0.1, 1, 0 / 0, "0.1" } do
    clusters.assert_raises(function()
      require("raft").cluster { clock_drift = wrong }
    end, "clock_drift")
  end
end

-- ---- clocks --------------------------------------------------------------------------------------------

-- The old leader is cut off with its clock at this rate, and the others elect another; what does it answer?
local function read_from_cut_off(c, clock)
  local old, term = leased(c)
  c:clock(old, { rate = clock.rate })
  c:sleep(0.3) -- at least one heartbeat of a slow clock
  lu.assertEquals(select(2, c:check_one_leader()), term)
  c:disconnect(old)
  if clock.offset then
    c:clock(old, { rate = 1, offset = clock.offset })
  end
  local new = assert(c:wait_leader(nil, term))
  assert(c:set("key", "new", { node = new }))
  return c:get("key", lease_at(old, 0.5))
end

local short = { nodes = 3, clock_drift = DRIFT, heartbeat_interval = 0.02 }
local short_unchecked = { nodes = 3, clock_drift = DRIFT, heartbeat_interval = 0.02, invariants = false }

-- A clock five times slower than the others, beyond what was promised: this is what the bound is for.
in_both(tests, "AreStaleWhereAClockIsTooSlow", short_unchecked, function(c)
  lu.assertEquals(read_from_cut_off(c, { rate = 0.2 }), "old")
end)

in_both(tests, "AreStaleWhereAClockStandsStill", short_unchecked, function(c)
  lu.assertEquals(read_from_cut_off(c, { rate = 1, offset = -1 }), "old")
end)

-- And it is told at once.
in_both(tests, "WhatIsStaleIsAViolation", short, function(c)
  local ok, raised = pcall(read_from_cut_off, c, { rate = 0.2 })
  lu.assertFalse(ok)
  lu.assertEquals(raised.property, "a leader with a lease leads alone", tostring(raised))
end)

in_both(tests, "AClockAtTheBoundDoesNoHarm", short, function(c)
  assert_no_answer(read_from_cut_off(c, { rate = 1 - DRIFT }))
end)

return tests
