-- Faults of links: each alone shows its effect, in both worlds.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"

local tests = {}
local in_both = clusters.in_both

-- The events of messages on one link after a moment: sends at their sender, receives at theirs.
local function sent(c, from, to, since)
  return c:events(function(event)
    return event.kind == "send" and event.node == from and event.peer == to and event.time > since
  end)
end

local function received(c, from, to, since)
  return c:events(function(event)
    return event.kind == "receive" and event.node == to and event.peer == from and event.time > since
  end)
end

local function dropped(c, from, to, since)
  return c:events(function(event)
    return event.kind == "drop" and event.node == from and event.peer == to and event.time > since
  end)
end

local function leader_and_follower(c)
  local leader = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  clusters.wait_follows(c, follower, leader)
  return leader, follower
end

in_both(tests, "PartitionSeparatesGroups", { nodes = 5 }, function(c)
  local old, term = c:check_one_leader()
  local rest = clusters.others(c, old)
  c:partition({ old, rest[1] }, { rest[2], rest[3], rest[4] })
  local new = assert(c:wait_leader(nil, term))
  clusters.assert_one_of(new, { rest[2], rest[3], rest[4] })
  assert(c:propose("majority", { node = new }))
  lu.assertEquals(c:check_committed("majority", 3), 3)
  assert(c:wait_until(function()
    return c:status(old).role ~= "leader" -- check-quorum
  end))
  lu.assertTrue(c:is_connected(old)) -- a partition is not a disconnect
  c:heal()
  lu.assertEquals(c:check_committed("majority", 5), 5)
end)

in_both(tests, "APartitionReplacesTheLast", { nodes = 4 }, function(c)
  c:check_one_leader()
  c:partition({ 1 }, { 2 }) -- 3 and 4 form one more
  c:partition({ 1, 2, 3 })
  local leader = c:check_one_leader()
  assert(c:propose("again"))
  lu.assertTrue(leader <= 3)
  assert(c:wait_until(function()
    return c:check_committed("again") == 3
  end))
  c:heal()
  lu.assertEquals(c:check_committed("again", 4), 4)
end)

in_both(tests, "AOneWayCutIsOneWay", { nodes = 3 }, function(c)
  local leader, follower = leader_and_follower(c)
  local _, term = c:leader()
  c:link(leader, follower, { cut = true })
  local since = c:now()
  clusters.wait_tried(c, follower) -- it hears nothing ...
  c:sleep(0.3)
  lu.assertEquals(#received(c, leader, follower, since), 0)
  lu.assertTrue(#received(c, follower, leader, since) > 0) -- ... and is heard
  lu.assertTrue(#dropped(c, leader, follower, since) > 0)
  lu.assertEquals({ c:leader() }, { leader, term }) -- which deposes nobody
  c:link(leader, follower, nil)
  clusters.wait_follows(c, follower, leader)
end)

local function lead(c, id)
  local leader, term = c:check_one_leader()
  if leader ~= id then
    assert(c:campaign(id, { force = true }))
    assert(c:wait_leader(nil, term))
    lu.assertEquals((c:check_one_leader()), id)
  end
end

-- Over TCP a pair shares one connection, which ends when either direction is cut. The way that is not cut goes on, by
-- the next connection.
for _, leader in ipairs { 1, 3 } do
  local lower, higher, follower = 1, 3, 4 - leader
  tests[("test_BothDirectionsShareAConnectionAndNotItsCut_led_by_%d_tcp"):format(leader)] = function()
    clusters.with({ nodes = 3, mode = "tcp" }, function(c)
      lead(c, leader)
      local function ends_at(id, peer, since)
        return #c:events(function(event)
          return event.kind == "disconnect" and event.node == id and event.peer == peer and event.time >= since
        end)
      end
      local function cut(from, to)
        clusters.wait_follows(c, follower, leader)
        c:sleep(0.2) -- it is up, and not for a moment only
        local since = c:now()
        c:link(from, to, { cut = true })
        c:sleep(0.5)
        lu.assertEquals(#received(c, from, to, since), 0)
        lu.assertTrue(#received(c, to, from, since) > 0)
        lu.assertTrue(ends_at(from, to, since) > 0)
        lu.assertEquals(ends_at(to, from, since), 1)
        c:link(from, to, nil)
      end
      for _ = 1, 2 do -- the second time, what was shared is shared again
        cut(higher, lower)
        cut(lower, higher)
      end
    end)
  end
end

-- A frame that has left in part when its connection ends does not go on where the next one goes.
function tests.test_AConnectionThatEndsWithinAFrame_tcp()
  clusters.with({ nodes = 3, mode = "tcp", election_timeout = { 20, 21 } }, function(c)
    assert(c:campaign(3, { force = true }))
    assert(c:wait_leader())
    local large = ("x"):rep(8000000)
    for number = 1, 3 do
      c:sleep(0.05) -- the connection is up
      local since = c:now()
      assert(c:submit(3, large .. number))
      c:sleep(0) -- the sockets take some of it
      c:link(1, 3, { cut = true })
      lu.assertTrue(c:check_committed(large .. number, 2) >= 2)
      c:link(1, 3, nil)
      lu.assertEquals(c:check_committed(large .. number, 3), 3)
      local function notices(event)
        return event.kind == "notice" and event.time >= since
      end
      lu.assertEquals(c:events(notices), {})
    end
  end)
end

-- The two ways are cut and heal while the queue of one is full.
function tests.test_ACutOfTheWayBackWhileTheQueueIsFull_tcp()
  clusters.with({ nodes = 3, mode = "tcp", election_timeout = { 20, 21 } }, function(c)
    assert(c:campaign(1, { force = true }))
    assert(c:wait_leader())
    for number = 1, 3 do
      c:link(3, 1, { cut = true })
      c:sleep(0.05) -- dialled anew
      local large = ("x"):rep(8000000) .. number
      assert(c:submit(1, large))
      c:sleep(0) -- the sockets take some of it
      c:link(3, 1, nil)
      lu.assertEquals(c:check_committed(large, 3), 3)
    end
  end)
end

in_both(tests, "DropLosesAll", { nodes = 3 }, function(c)
  local leader, follower = leader_and_follower(c)
  c:link(leader, follower, { drop = 1 })
  c:sleep(0.02) -- what was under way arrives
  local since = c:now()
  c:sleep(0.2)
  lu.assertEquals(#received(c, leader, follower, since), 0)
  local drops = dropped(c, leader, follower, since)
  lu.assertTrue(#drops > 0)
  lu.assertIsString(drops[1].reason)
  lu.assertTrue(c:stats(leader).drops >= #drops)
end)

in_both(tests, "DropLosesSome", { nodes = 3 }, function(c)
  c:check_one_leader()
  c:link("*", "*", { drop = 0.3 })
  local since = c:now()
  for i = 1, 20 do
    assert(c:set("key", i))
  end
  local lost = c:events(function(event)
    return event.kind == "drop" and event.time > since
  end)
  lu.assertTrue(#lost > 0)
  c:heal()
  lu.assertEquals(assert(c:get("key")), 20)
end)

in_both(tests, "DelayHoldsBackAndKeepsTheOrder", { nodes = 3 }, function(c)
  local leader, follower = leader_and_follower(c)
  c:link(leader, follower, { delay = { 0.02, 0.06 } })
  local since = c:now()
  for i = 1, 20 do
    assert(c:submit(leader, i))
    c:sleep(0.005)
  end
  c:sleep(0.2)
  local sent_at = {}
  for _, event in ipairs(sent(c, leader, follower, since)) do
    sent_at[event.number] = event.time
  end
  local last, matched = 0, 0
  for _, event in ipairs(received(c, leader, follower, since)) do
    if sent_at[event.number] and event.entries then -- heartbeats may overtake
      matched = matched + 1
      lu.assertTrue(event.time - sent_at[event.number] >= 0.0199)
      lu.assertTrue(event.number > last)
      last = event.number
    end
  end
  lu.assertTrue(matched >= 5)
end)

in_both(tests, "DuplicateDeliversTwiceAndAppliesOnce", { nodes = 3 }, function(c)
  local leader, follower = leader_and_follower(c)
  c:link("*", "*", { duplicate = 1 })
  local since = c:now()
  local index = assert(c:propose("once"))
  c:sleep(0.2)
  local times = {}
  for _, event in ipairs(received(c, leader, follower, since)) do
    times[event.number] = (times[event.number] or 0) + 1
  end
  local twice = 0
  for _, n in pairs(times) do
    lu.assertTrue(n <= 2)
    twice = twice + (n == 2 and 1 or 0)
  end
  lu.assertTrue(twice >= 1)
  local applied = 0
  for _, commit in ipairs(c:commits(follower)) do
    if commit.command == "once" then
      applied = applied + 1
      lu.assertEquals(commit.index, index)
    end
  end
  lu.assertEquals(applied, 1)
end)

in_both(tests, "ReorderOvertakes", { nodes = 3 }, function(c)
  local leader, follower = leader_and_follower(c)
  c:link(leader, follower, { reorder = 0.5 })
  local since = c:now()
  for i = 1, 60 do
    assert(c:submit(leader, i))
    c:sleep(0.002)
  end
  c:sleep(0.3)
  local overtaken, last = 0, 0
  for _, event in ipairs(received(c, leader, follower, since)) do
    if event.number < last then
      overtaken = overtaken + 1
    end
    last = math.max(last, event.number)
  end
  lu.assertTrue(overtaken > 0)
  c:heal()
  lu.assertEquals(c:check_committed(60, 3), 3)
end)

in_both(tests, "BandwidthTakesItsTime", { nodes = 3 }, function(c)
  local leader, follower = leader_and_follower(c)
  c:link(leader, follower, { bandwidth = 50000 })
  local before = c:now()
  local index = assert(c:submit(leader, ("x"):rep(20000)))
  assert(c:wait_until(function()
    return c:status(follower).last_index >= index
  end))
  lu.assertTrue(c:now() - before >= 0.39) -- 20,000 bytes at 50,000 a second
  local other = clusters.others(c, leader, follower)[1]
  lu.assertTrue(c:status(other).last_index >= index) -- the other link has no limit
end)

clusters.add(tests, "WhatIsUnderWayWhenItsLinkIsCutIsLost", { nodes = 3, mode = "sim" }, function(c)
  local leader, follower = leader_and_follower(c)
  c:link(leader, follower, { delay = 0.05 })
  local since = c:now()
  local event = assert(c:wait_event({ kind = "send", node = leader, peer = follower }, 1))
  c:disconnect(follower)
  c:reconnect(follower)
  c:sleep(0.1)
  for _, arrived in ipairs(received(c, leader, follower, since)) do
    lu.assertNotEquals(arrived.number, event.number)
  end
end)

in_both(tests, "EveryLinkStartsWithTheOptionsFaults", { nodes = 3, link = { delay = 0.01 } }, function(c)
  local leader, follower = leader_and_follower(c)
  local since = c:now()
  c:sleep(0.3)
  local sent_at = {}
  for _, event in ipairs(sent(c, leader, follower, since)) do
    sent_at[event.number] = event.time
  end
  local matched = 0
  for _, event in ipairs(received(c, leader, follower, since)) do
    if sent_at[event.number] then
      matched = matched + 1
      lu.assertTrue(event.time - sent_at[event.number] >= 0.0099)
    end
  end
  lu.assertTrue(matched > 0)
end)

-- ---- links of clients ---------------------------------------------------------------------------

in_both(tests, "AnAnswerToAClientCanBeLost", { nodes = 3 }, function(c)
  c:check_one_leader()
  c:link("*", "client", { drop = 1 })
  local _, detail = clusters.assert_refused("timeout", c:set("key", "applied", { timeout = 0.5 }))
  lu.assertTrue(detail.unknown)
  c:link("*", "client", nil)
  lu.assertEquals(assert(c:get("key")), "applied") -- only its answer was lost
end)

in_both(tests, "ARequestOfAClientCanBeLost", { nodes = 3 }, function(c)
  c:check_one_leader()
  c:link("client", "*", { cut = true })
  clusters.assert_refused("timeout", c:set("key", "never", { timeout = 0.5 }))
  c:heal()
  assert(c:set("other", 1))
  lu.assertNil(c:get("key"))
end)

in_both(tests, "FaultsOfAllNodesSpareTheClients", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  c:link("*", "*", { cut = true })
  lu.assertEquals(c:get("absent", { read = "stale", node = leader }), nil)
  local before = c:now()
  local _, _, code = c:get("absent", { read = "stale", node = leader })
  lu.assertNil(code) -- it was answered
  lu.assertTrue(c:now() - before < 1)
end)

-- Its own notices, and what its peers say of it.
local function count_notices(c)
  return #c:events { kind = "notice" }
end

-- A server that waits to be added knows nobody whom it could dial: its peers have to find that it runs. `hold` and `go`
-- make the reading of its disk long.
local function a_long_recovery(hold, go)
  return function(c)
    c:check_one_leader()
    assert(c:propose("before"))
    local notices = count_notices(c)
    assert(c:add_learners({ 4 }, { wait = false }))
    hold(c)
    c:sleep(2.5)
    lu.assertEquals(#c:events { kind = "start", node = 4 }, 0)
    go(c)
    c:wait_until(function()
      return #c:events { kind = "connect", node = 4 } == 3
    end, 10, "its three peers to be connected")
    local connected = c:events { kind = "connect", node = 4 }
    local started = c:events { kind = "start", node = 4 }[1].time
    lu.assertTrue(connected[3].time - started < 0.2, "within a heartbeat")
    lu.assertEquals(count_notices(c), notices) -- nobody took it for a node that refuses others
  end
end

local WITH_HEARTBEAT = { nodes = 3, heartbeat_interval = 0.2, election_timeout = { 1, 2 } }

in_both(tests, "ANodeThatWasLongInStartingIsConnectedAtOnce", WITH_HEARTBEAT, a_long_recovery(function(c)
  assert(c:pause(4))
end, function(c)
  assert(c:resume(4))
end))

clusters.add(tests, "ANodeWhoseDiskIsSlowIsConnectedOnceItRuns", clusters.merge(WITH_HEARTBEAT, { mode = "sim" }),
  a_long_recovery(function(c)
    assert(c:disk(4, { stall = true }))
  end, function(c)
    assert(c:disk(4))
  end))

return tests
