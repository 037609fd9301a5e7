-- A node's life between its states: starting, running, paused, crashed, stopping, removed.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"

local tests = {}
local in_both = clusters.in_both

local function starts_of(c, id)
  return #c:events { kind = "start", node = id }
end

-- A follower that has crashed, and who leads.
local function crash_a_follower(c)
  local leader = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  assert(c:propose("before"))
  c:check_committed("before", 3)
  c:crash(follower)
  return follower, leader
end

in_both(tests, "ARestartWaitsUntilTheDiskIsRead", { nodes = 3 }, function(c)
  local id, leader = crash_a_follower(c)
  lu.assertEquals(c:restart(id), true)
  lu.assertEquals(c:status(id).state, "running")
  clusters.wait_follows(c, id, leader)
end)

in_both(tests, "OneThatStartsTakesNothing", { nodes = 3 }, function(c)
  local id, leader = crash_a_follower(c)
  lu.assertEquals(c:restart(id, { wait = false }), true)
  local status = c:status(id)
  lu.assertEquals({ status.state, status.role, status.leader }, { "starting", "follower", 0 })
  lu.assertFalse(c:is_alive(id))
  clusters.assert_refused("node_down", c:members(id))
  lu.assertStrContains(clusters.assert_refused("node_down", c:submit(id, 1)), "starting")
  local _, detail = clusters.assert_refused("node_down", c:propose(2, { node = id }))
  lu.assertNil(detail.unknown)
  clusters.assert_refused("node_down", c:get("k", { node = id }))
  clusters.assert_refused("node_down", c:campaign(id))
  assert(c:wait_until(function() return c:is_alive(id) end))
  clusters.wait_follows(c, id, leader)
end)

in_both(tests, "StartingTwiceIsNothingMore", { nodes = 3 }, function(c)
  local id = crash_a_follower(c)
  local before = starts_of(c, id)
  lu.assertEquals(c:restart(id, { wait = false }), true)
  lu.assertEquals(c:restart(id, { wait = false }), true)
  lu.assertEquals(c:restart(id), true)
  lu.assertEquals(c:status(id).state, "running")
  lu.assertEquals(starts_of(c, id), before + 1)
end)

in_both(tests, "ACrashWhileItStarts", { nodes = 3 }, function(c)
  local id, leader = crash_a_follower(c)
  local before = starts_of(c, id)
  c:restart(id, { wait = false })
  c:crash(id)
  lu.assertEquals(c:status(id).state, "crashed")
  c:sleep(0.05)
  lu.assertEquals({ c:status(id).state, starts_of(c, id) }, { "crashed", before })
  assert(c:restart(id))
  lu.assertEquals(starts_of(c, id), before + 1)
  clusters.wait_follows(c, id, leader)
  c:check_committed("before", 3)
end)

in_both(tests, "APauseWhileItStarts", { nodes = 3 }, function(c)
  local id, leader = crash_a_follower(c)
  local before = starts_of(c, id)
  c:restart(id, { wait = false })
  c:pause(id)
  lu.assertEquals(c:status(id).state, "paused")
  local waiting = c:client(function() return c:restart(id) end)
  c:sleep(0.05)
  lu.assertEquals({ c:status(id).state, c:status(id).role, starts_of(c, id) }, { "paused", nil, before })
  c:resume(id)
  lu.assertEquals(clusters.result(waiting), true)
  lu.assertEquals({ c:status(id).state, starts_of(c, id) }, { "running", before + 1 })
  clusters.wait_follows(c, id, leader)
end)

in_both(tests, "ARequestToOneThatIsPausedWhileItStartsWaits", { nodes = 1 }, function(c)
  assert(c:wait_leader())
  c:crash(1)
  c:restart(1, { wait = false })
  c:pause(1)
  local asked = c:client(function() return c:get("k", { node = 1, read = "stale" }) end)
  c:sleep(0.05)
  c:resume(1)
  assert(c:wait_until(function() return c:is_alive(1) end))
  lu.assertEquals({ assert(asked:wait()) }, { true, nil })
end)

in_both(tests, "AllAtOnce", { nodes = 3 }, function(c)
  c:check_one_leader()
  assert(c:propose("kept"))
  c:crash "all"
  lu.assertEquals(c:restart "all", true)
  for id = 1, 3 do
    lu.assertEquals(c:status(id).state, "running")
  end
  c:check_live()
  c:check_committed("kept", 3)
end)

in_both(tests, "ARestartFromACallbackDoesNotWait", { nodes = 3 }, function(c)
  local id = clusters.next_id(c, c:check_one_leader())
  local answer
  c:on({ kind = "stop", node = id }, function()
    answer = c:restart(id)
  end)
  c:crash(id)
  assert(c:wait_until(function() return answer ~= nil and c:is_alive(id) end))
  lu.assertEquals(answer, true)
end)

in_both(tests, "ARestartFromAPredicateDoesNotWait", { nodes = 3 }, function(c)
  local id = crash_a_follower(c)
  assert(c:wait_until(function() return c:restart(id) and c:is_alive(id) end))
end)

-- A follower that is removed has so slow a disk that it learns of that after the call has stopped it, and what it was
-- sent is not synced when it stops.
local function remove_one_with_a_slow_disk(c)
  local id = clusters.next_id(c, c:check_one_leader())
  assert(c:propose("before"))
  c:check_committed("before", 3)
  c:disk(id, { sync_delay = 0.7 })
  assert(c:remove_servers { id })
  lu.assertEquals(c:status(id).state, "stopping")
  return id
end

in_both(tests, "AnOrderlyEndSyncsWhatWasWritten", { nodes = 3 }, function(c)
  local id = remove_one_with_a_slow_disk(c)
  clusters.assert_refused("node_down", c:submit(id, 1))
  lu.assertEquals(#c:events { kind = "stop", node = id }, 0)
  local stop = assert(c:wait_event { kind = "stop", node = id })
  lu.assertEquals(c:status(id).state, "removed")
  local writes, syncs = c:events { kind = "write", node = id }, c:events { kind = "sync", node = id }
  lu.assertEquals(#syncs, #writes)
  lu.assertTrue(syncs[#syncs].time <= stop.time)
  local log = c:log(id)
  lu.assertEquals(log[#log].index, writes[#writes].last)
end)

in_both(tests, "ACrashWhileItStops", { nodes = 3 }, function(c)
  local id = remove_one_with_a_slow_disk(c)
  c:crash(id)
  lu.assertEquals(c:status(id).state, "crashed")
  lu.assertTrue(#c:events { kind = "sync", node = id } < #c:events { kind = "write", node = id })
  c:sleep(0.8)
  lu.assertEquals(c:status(id).state, "crashed")
end)

in_both(tests, "OneIsAddedAgainWhileItStops", { nodes = 3 }, function(c)
  local id = remove_one_with_a_slow_disk(c)
  c:disk(id, nil)
  assert(c:add_servers { id })
  lu.assertEquals(c:status(id).state, "running")
  c:check_live()
  lu.assertEquals(#c:members().voters, 3)
end)

in_both(tests, "RemovingWaitsUntilItHasEnded", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local id = clusters.next_id(c, leader)
  assert(c:remove_servers { id })
  lu.assertEquals(c:status(id).state, "removed")
end)

return tests
