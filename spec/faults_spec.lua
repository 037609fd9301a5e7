-- Faults of nodes and clocks: each alone shows its effect. Those of links: links_spec.lua.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"

local tests = {}
local in_all, in_both = clusters.in_all, clusters.in_both

local function count(events)
  return #events
end

in_all(tests, "DisconnectReallyClosesConnections", { nodes = 3 }, function(c)
  local leader, term = c:check_one_leader()
  c:disconnect(leader)
  lu.assertFalse(c:is_connected(leader))
  lu.assertTrue(c:is_alive(leader))
  for _, id in ipairs(clusters.others(c, leader)) do
    assert(c:wait_until(function()
      return count(c:events { kind = "disconnect", node = leader, peer = id }) >= 1
        and count(c:events { kind = "disconnect", node = id, peer = leader }) >= 1
    end, 0.05))
    lu.assertTrue(c:is_connected(id))
  end
  local new = assert(c:wait_leader(nil, term))
  lu.assertNotEquals(new, leader)

  local before = c:now()
  c:reconnect(leader)
  lu.assertTrue(c:is_connected(leader))
  local function came_back(event)
    return event.kind == "connect" and event.node == leader and event.time >= before
  end
  if count(c:events(came_back)) == 0 then
    assert(c:wait_event(came_back, 1))
  end
  clusters.wait_follows(c, leader, new)
end)

in_all(tests, "DisconnectingTwiceIsNothingMore", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  c:disconnect(follower)
  c:disconnect(follower)
  c:reconnect(follower)
  lu.assertTrue(c:is_connected(follower))
  c:reconnect(follower)
  clusters.wait_follows(c, follower, leader)
end)

in_both(tests, "CrashAndRestartKeepWhatWasSynced", { nodes = 3 }, function(c)
  local leader, term = c:check_one_leader()
  local index = assert(c:propose("kept"))
  c:crash(leader)
  lu.assertFalse(c:is_alive(leader))
  lu.assertEquals(c:status(leader).state, "crashed")
  clusters.assert_refused("node_down", c:submit(leader, 1))
  local on_disk = c:log(leader)
  lu.assertEquals(on_disk[#on_disk].command, "kept")

  assert(c:wait_leader(nil, term))
  assert(c:propose("meanwhile"))
  assert(c:restart(leader))
  lu.assertEquals(c:status(leader).state, "running")
  lu.assertTrue(c:status(leader).term >= term)
  lu.assertEquals({ c:check_committed("kept", 3) }, { 3, index })
  lu.assertEquals(c:check_committed("meanwhile", 3), 3)
end)

-- No time has passed since it was handed to the disk, so it was not synced.
clusters.add(tests, "CrashLosesUnsyncedWrites", { nodes = 3, mode = "sim" }, function(c)
  local leader, term = c:check_one_leader()
  assert(c:propose("synced"))
  local index = assert(c:submit(leader, "unsynced"))
  lu.assertEquals(c:status(leader).last_index, index)
  c:crash(leader)
  local on_disk = c:log(leader)
  lu.assertEquals(on_disk[#on_disk].command, "synced")
  assert(c:wait_leader(nil, term))
  assert(c:restart(leader))
  assert(c:propose("later"))
  lu.assertEquals(c:check_committed("later", 3), 3)
  c:check_not_committed("unsynced")
end)

in_all(tests, "CrashOfAllLosesNothingCommitted", { nodes = 3 }, function(c)
  for i = 1, 20 do
    assert(c:set("key", i))
  end
  for id = 1, 3 do
    c:crash(id)
  end
  for id = 1, 3 do
    assert(c:restart(id))
  end
  lu.assertEquals(assert(c:get("key")), 20)
end)

in_all(tests, "CrashingTwiceAndRestartingTwiceAreNothingMore", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  c:crash(follower)
  c:crash(follower)
  assert(c:restart(follower))
  assert(c:restart(follower))
  clusters.wait_follows(c, follower, leader)
end)

in_all(tests, "PauseFreezesAndResumeGoesOn", { nodes = 3 }, function(c)
  local old, term = c:check_one_leader()
  c:pause(old)
  lu.assertEquals(c:status(old).state, "paused")
  local new = assert(c:wait_leader(nil, term))
  lu.assertNotEquals(new, old)
  lu.assertEquals(c:status(old).role, "leader") -- frozen in its belief
  lu.assertEquals(c:status(old).term, term)
  assert(c:propose("meanwhile"))
  c:resume(old)
  lu.assertEquals(c:status(old).state, "running")
  clusters.wait_follows(c, old, new)
  lu.assertEquals(c:check_committed("meanwhile", 3), 3)
end)

in_all(tests, "WhatGoesToAPausedNodeWaits", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  assert(c:propose("before"))
  clusters.wait_level(c)
  c:pause(follower)
  local index = assert(c:propose("waiting"))
  c:sleep(0.02)
  lu.assertTrue(c:status(follower).applied < index)
  -- The leader says nothing new after the resume, and what it said before is there.
  c:intercept(function(message)
    return message.to == follower and "drop" or nil
  end)
  c:resume(follower)
  assert(c:wait_until(function()
    return c:status(follower).last_index >= index
  end, 1))
  c:intercept(nil)
end)

in_both(tests, "AFastClockTimesOutEarly", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  clusters.wait_follows(c, follower, leader)
  c:clock(follower, { rate = 20 }) -- 300 ms are 15 ms now, less than a heartbeat's interval
  clusters.wait_tried(c, follower)
  c:clock(follower, { rate = 1 })
  clusters.wait_follows(c, follower, c:check_one_leader())
end)

in_both(tests, "ASlowClockWaitsLong", { nodes = 3 }, function(c)
  local old, term = c:check_one_leader()
  local slow = clusters.next_id(c, old)
  c:clock(slow, { rate = 0.05 })
  c:disconnect(slow)
  c:sleep(0.8)
  lu.assertEquals(c:status(slow).role, "follower") -- 300 ms of its own take six seconds
  lu.assertEquals({ c:check_one_leader() }, { old, term })
end)

in_both(tests, "AClockThatJumpsForwardTimesOut", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  clusters.wait_follows(c, follower, leader)
  local before = c:now()
  c:clock(follower, { rate = 1, offset = 0.5 })
  clusters.wait_tried(c, follower)
  lu.assertTrue(c:now() - before < 0.045)
end)

in_both(tests, "AClockThatJumpsBackStandsStill", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  c:clock(follower, { rate = 1, offset = -0.6 })
  c:disconnect(follower)
  c:sleep(0.55)
  lu.assertEquals(c:status(follower).role, "follower")
  clusters.wait_tried(c, follower)
end)

in_all(tests, "HealEndsNeitherPausesNorCrashes", { nodes = 5 }, function(c)
  local leader = c:check_one_leader()
  local rest = clusters.others(c, leader)
  c:pause(rest[1])
  c:crash(rest[2])
  c:disconnect(rest[3])
  c:partition({ rest[4] }, { leader })
  c:link(leader, rest[4], { drop = 1 })
  c:heal()
  lu.assertEquals(c:status(rest[1]).state, "paused")
  lu.assertEquals(c:status(rest[2]).state, "crashed")
  lu.assertTrue(c:is_connected(rest[3]))
  c:resume(rest[1])
  assert(c:restart(rest[2]))
  assert(c:propose("healed"))
  lu.assertEquals(c:check_committed("healed", 5), 5)
end)

in_all(tests, "CampaignFiresTheElectionTimer", { nodes = 3, election_timeout = math.huge }, function(c)
  c:sleep(1)
  lu.assertNil(c:leader())
  assert(c:campaign(2))
  lu.assertEquals(assert(c:wait_leader()), 2)
  assert(c:campaign(3)) -- the voters hear a live leader, and hold back
  c:sleep(0.2)
  lu.assertEquals(c:leader(), 2)
  local _, term = c:leader()
  assert(c:campaign(3, { force = true }))
  lu.assertEquals(assert(c:wait_leader(nil, term)), 3)
end)

in_all(tests, "CheckLiveSaysWhatStandsStill", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  c:check_live()
  c:partition({ 1 }, { 2 }, { 3 })
  clusters.assert_raises(function()
    c:check_live(1)
  end, "leader")
  c:heal()
  c:crash(leader)
  c:check_live()
end)

-- A node that is resumed reads at once what has arrived meanwhile; whoever is told of it may do something to that very
-- node, which must wait until it has done so.
clusters.add(tests, "ACrashWhileItResumesComesAfterwards", { nodes = 3 }, function(c)
  assert(c:propose("settled"))
  clusters.wait_level(c)
  local follower = clusters.next_id(c, (c:check_one_leader()))
  c:pause(follower)
  assert(c:propose("meanwhile"))
  c:sleep(0.02) -- it waits there
  local stop = c:on({ kind = "append", node = follower }, function()
    c:crash(follower)
  end)
  c:resume(follower)
  lu.assertEquals(c:status(follower).state, "crashed")
  stop()
  assert(c:restart(follower))
  lu.assertEquals(c:check_committed("meanwhile", 3), 3)
end)

clusters.add(tests, "ACrashWhileItTakesACommandComesAfterwards", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local stop = c:on({ kind = "append", node = leader }, function()
    c:crash(leader)
  end)
  assert(c:submit(leader, "its last"))
  c:sleep(0)
  lu.assertEquals(c:status(leader).state, "crashed")
  stop()
  assert(c:restart(leader))
  c:check_live()
end)

-- ---- slow disks -----------------------------------------------------------------------------------

clusters.in_both(tests, "SlowDisks", { nodes = 3, election_timeout = { 1, 2 } }, function(c)
  local leader = c:check_one_leader()
  assert(c:set("key", 1))
  clusters.wait_level(c)
  local before = c:now()
  assert(c:disk("all", { sync_delay = 0.05 }))
  assert(c:set("key", 2))
  lu.assertTrue(c:now() - before >= 0.05)
  assert(c:disk("all"))
  c:sleep(0.2) -- what is under way ends
  before = c:now()
  for number = 3, 5 do
    assert(c:set("key", number))
  end
  lu.assertTrue(c:now() - before < 0.15)
  lu.assertEquals(c:check_one_leader(), leader)
end)

clusters.in_both(tests, "WhatASlowDiskHasNotWrittenIsLostByACrash", { nodes = 1 }, function(c)
  c:check_one_leader()
  assert(c:set("key", 1))
  assert(c:disk(1, { sync_delay = 0.2 }))
  local before = c:log(1)
  assert(c:submit(1, "lost"))
  c:sleep(0.05)
  c:crash(1)
  lu.assertEquals(c:log(1), before)
  assert(c:restart(1))
  c:check_one_leader()
  before = c:now()
  assert(c:set("key", 2)) -- the next life has the same disk
  lu.assertTrue(c:now() - before >= 0.2)
  c:check_not_committed("lost")
end)

clusters.add(tests, "WrongFaultsOfADisk", { nodes = 1, mode = "sim" }, function(c)
  clusters.assert_raises(function() c:disk(1, { slow = true }) end, "bad argument 'faults'", "slow")
  clusters.assert_raises(function() c:disk(1, { sync_delay = -1 }) end, "bad argument 'faults.sync_delay'")
  lu.assertEquals(select(3, c:disk(7, { sync_delay = 1 })), "unknown_node")
end)

return tests
