-- Snapshots and compaction, in both worlds: logs stay short, followers that are behind a log catch up, and nothing that
-- was acknowledged is lost on the way.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local compaction = require "spec.support.compaction"

local tests = {}
local in_both = clusters.in_both
local followers, set_many, caught_up = compaction.followers, compaction.set_many, compaction.caught_up

-- ---- compaction -----------------------------------------------------------------------------------

in_both(tests, "CompactDropsTheLogBehindIt", { nodes = 3 }, function(c)
  local leader = c:wait_leader()
  set_many(c, 20)
  local applied = c:status(leader).applied
  lu.assertEquals(c:compact(leader), applied)
  local status = c:status(leader)
  lu.assertEquals({ status.first_index, status.snapshot_index }, { applied + 1, applied })
  lu.assertEquals(#c:log(leader), 0)
  assert(c:set("after", 1))
  lu.assertEquals(assert(c:get("k3")), "v13")
  lu.assertEquals(c:log(leader)[1].index, applied + 1)
end)

in_both(tests, "CompactAllAndAgainWhereNothingIsNew", { nodes = 3 }, function(c)
  c:wait_leader()
  set_many(c, 5)
  c:check_committed({ op = "set", key = "k5", value = "v5" }, 3)
  local index = assert(c:compact "all")
  lu.assertEquals(assert(c:compact "all"), index)
  for _, id in ipairs(c:ids()) do
    lu.assertEquals(c:stats(id).snapshots, 1)
    lu.assertEquals(c:status(id).first_index, index + 1)
  end
end)

in_both(tests, "CompactOfANodeThatDoesNotRunIsRefused", { nodes = 3 }, function(c)
  local leader = c:wait_leader()
  local follower = followers(c, leader)
  c:crash(follower)
  lu.assertEquals(select(3, c:compact(follower)), "node_down")
  lu.assertEquals(select(3, c:compact(9)), "unknown_node")
end)

in_both(tests, "SnapshotEveryKeepsLogsShort", { nodes = 3, snapshot_every = 20 }, function(c)
  local leader = c:wait_leader()
  set_many(c, 200)
  c:wait_until(function()
    return c:stats(leader).snapshots >= 8
  end, 5)
  local status = c:status(leader)
  lu.assertTrue(status.last_index - status.first_index < 40, status.first_index .. ".." .. status.last_index)
  lu.assertTrue(status.first_index <= status.snapshot_index) -- a tail is kept
  lu.assertEquals(assert(c:get("k7")), "v197")
end)

in_both(tests, "SnapshotBytesKeepsLogsSmall", { nodes = 1, snapshot_bytes = 10000 }, function(c)
  local leader = c:wait_leader()
  for i = 1, 40 do
    assert(c:set("k", ("x"):rep(1000) .. i))
  end
  c:wait_until(function()
    return c:stats(leader).snapshots >= 3
  end, 5)
  lu.assertTrue(c:status(leader).first_index > 20)
end)

in_both(tests, "ACompactedNodeStartsFromItsSnapshot", { nodes = 1 }, function(c)
  c:wait_leader()
  set_many(c, 30)
  local index = assert(c:compact(1))
  assert(c:set("after", 1))
  c:crash(1)
  assert(c:restart(1))
  c:wait_leader()
  lu.assertEquals(assert(c:get("k9")), "v29")
  lu.assertEquals(assert(c:get("after")), 1)
  local commits = c:commits(1)
  lu.assertEquals({ commits[1].index, commits[1].snapshot, commits[1].command }, { index, true })
  lu.assertEquals(commits[2].command, { op = "set", key = "after", value = 1 })
end)

in_both(tests, "CheckCommittedSeesThroughSnapshots", { nodes = 3 }, function(c)
  c:wait_leader()
  local index = assert(c:propose("a command of its own"))
  c:check_committed("a command of its own", 3)
  assert(c:compact "all")
  lu.assertEquals({ c:check_committed("a command of its own", 3) }, { 3, index })
  lu.assertErrorMsgContains("not to be committed", c.check_not_committed, c, "a command of its own")
  c:check_not_committed("another")
end)

-- ---- a follower behind the log --------------------------------------------------------------------

-- What a follower missed is gone from every log.
local function leave_behind(c, leader, follower)
  c:crash(follower)
  set_many(c, 30, "missed")
  for _, id in ipairs(c:ids()) do
    if id ~= follower then
      assert(c:compact(id))
    end
  end
  return c:status(leader).snapshot_index
end

in_both(tests, "AFollowerBehindTheLogIsSentTheSnapshot", { nodes = 3 }, function(c)
  local leader = c:wait_leader()
  set_many(c, 10)
  local follower = followers(c, leader)
  local index = leave_behind(c, leader, follower)
  assert(c:restart(follower))
  caught_up(c, follower)
  lu.assertEquals(c:stats(follower).installs, 1)
  lu.assertEquals(c:commits(follower)[1], { index = index, term = c:commits(follower)[1].term, snapshot = true })
  lu.assertEquals(assert(c:get("k3", { node = follower, read = "stale" })), "missed23")
  lu.assertEquals(c:events({ kind = "install" })[1].node, follower)
  -- It goes on from its own disk.
  c:crash(follower)
  assert(c:restart(follower))
  caught_up(c, follower)
  lu.assertEquals(assert(c:get("k3", { node = follower, read = "stale" })), "missed23")
  lu.assertEquals(c:stats(follower).installs, 1)
end)

in_both(tests, "TheClusterGoesOnWhileOneInstalls", { nodes = 3, max_message = 512 }, function(c)
  local leader = c:wait_leader()
  for i = 1, 60 do
    assert(c:set("k" .. i, ("x"):rep(500)))
  end
  local follower = followers(c, leader)
  local index = leave_behind(c, leader, follower)
  c:link(leader, follower, { delay = 0.02 })
  assert(c:restart(follower, { wait = false }))
  local during = 0
  c:wait_until(function() return c:status(leader).peers[follower].snapshot end, 5, "a snapshot under way")
  while c:status(leader).peers[follower].snapshot do
    assert(c:set("during" .. during, during))
    during = during + 1
  end
  lu.assertTrue(during >= 3, "commands while it was sent: " .. during)
  c:link(leader, follower, nil)
  caught_up(c, follower)
  lu.assertEquals(c:commits(follower)[1].index, index)
  lu.assertEquals(assert(c:get("during2", { node = follower, read = "stale" })), 2)
  lu.assertEquals(c:status(leader).term, 1) -- nobody lost patience
end)

in_both(tests, "PiecesAreLostRepeatedAndOvertaken", { nodes = 3, max_message = 256 }, function(c)
  local leader = c:wait_leader()
  for i = 1, 40 do
    assert(c:set("k" .. i, ("x"):rep(300) .. i))
  end
  local follower = followers(c, leader)
  leave_behind(c, leader, follower)
  c:link("*", "*", { drop = 0.2, duplicate = 0.2, reorder = 0.3, delay = { 0, 0.01 } })
  assert(c:restart(follower))
  caught_up(c, follower, 60)
  lu.assertTrue(c:stats(follower).installs >= 1)
  c:heal()
  lu.assertEquals(assert(c:get("k40", { node = follower, read = "stale" })), ("x"):rep(300) .. 40)
end)

in_both(tests, "ALearnerBehindAPurgedLog", { nodes = 3 }, function(c)
  c:wait_leader()
  set_many(c, 40)
  c:check_committed({ op = "set", key = "k0", value = "v40" }, 3)
  assert(c:compact "all")
  assert(c:add_learners { 4 })
  caught_up(c, 4)
  lu.assertEquals(c:stats(4).installs, 1)
  lu.assertEquals(c:members(4), { voters = { 1, 2, 3 }, learners = { 4 }, directories = c:members(4).directories })
  lu.assertEquals(assert(c:get("k0", { node = 4, read = "stale" })), "v40")
end)

in_both(tests, "AWipedMemberComesBackThroughASnapshot", { nodes = 3 }, function(c)
  local leader = c:wait_leader()
  local follower = followers(c, leader)
  leave_behind(c, leader, follower)
  assert(c:restart(follower, { wipe = true }))
  assert(c:remove_servers { follower })
  assert(c:add_servers { follower })
  caught_up(c, follower)
  lu.assertTrue(c:stats(follower).installs >= 1)
  lu.assertEquals(assert(c:get("k3", { node = follower, read = "stale" })), "missed23")
end)

in_both(tests, "MembersComeWithTheSnapshot", { nodes = 3 }, function(c)
  local leader = c:wait_leader()
  local follower = followers(c, leader)
  c:crash(follower)
  assert(c:add_servers { 4, 5 })
  set_many(c, 10)
  for _, id in ipairs { 1, 2, 3, 4, 5 } do
    if id ~= follower then
      assert(c:compact(id))
    end
  end
  assert(c:restart(follower))
  caught_up(c, follower)
  lu.assertEquals(c:members(follower).voters, { 1, 2, 3, 4, 5 })
  c:crash(c:leader())
  c:wait_leader()
  assert(c:set("after", 1))
end)

-- The snapshot covers the joint configuration, and not yet the one that ends it.
in_both(tests, "ASnapshotWhileJoint", { nodes = 3, check_quorum = false }, function(c)
  local leader = c:wait_leader()
  local away, other = followers(c, leader)
  c:crash(away)
  set_many(c, 10)
  local joint
  local stop = c:on({ kind = "apply", node = leader }, function(event)
    if not joint and c:log(leader)[event.index].kind == "configuration" then
      joint = event.index
      c:crash(other)
      c:crash(4)
    end
  end)
  assert(c:change_members({ voters = { leader, other, 4 } }, { wait = false }))
  assert(c:wait_until(function() return joint end, 10, "the joint configuration, applied"))
  stop()
  lu.assertEquals(c:compact(leader), joint)
  assert(c:restart(away))
  assert(c:wait_until(function()
    return c:stats(away).installs == 1 and c:events({ kind = "restore", node = away })[1]
  end, 10, "the install"))
  local seen
  for _, event in ipairs(c:events { kind = "members", node = away }) do
    seen = seen or event.index == joint and event.members.voters_old
  end
  lu.assertEquals(seen, { 1, 2, 3 })
  c:restart { other, 4 }
  c:check_live(30)
  lu.assertEquals(assert(c:get("k3")), "v3")
end)

-- Faster writing than installing: the log behind the snapshot that is being sent is kept for it.
in_both(tests, "WritingFasterThanInstallingIsNoLivelock", {
  nodes = 3, max_message = 256, snapshot_every = 10,
}, function(c)
  local leader = c:wait_leader()
  for i = 1, 30 do
    assert(c:set("k" .. i, ("x"):rep(200)))
  end
  local follower = followers(c, leader)
  leave_behind(c, leader, follower)
  c:link(leader, follower, { delay = 0.005 })
  assert(c:restart(follower, { wait = false }))
  local written = 0
  local writer = c:client(function()
    while c:stats(follower).installs == 0 do
      assert(c:set("busy" .. written % 10, written))
      written = written + 1
    end
    for i = 1, 100 do
      assert(c:set("busy" .. i % 10, written + i))
    end
  end)
  assert(writer:wait(60))
  caught_up(c, follower)
  lu.assertEquals(c:stats(follower).installs, 1)
end)

-- ---- sessions and waiting requests ----------------------------------------------------------------

-- A command whose answer is lost is sent again to a node that knows of it by a snapshot alone: it is not applied twice.
in_both(tests, "SessionsSurviveAnInstall", { nodes = 3 }, function(c)
  local leader = c:wait_leader()
  local follower = followers(c, leader)
  local opened, outcome
  local add = c:client(function()
    opened = assert(c:set("counter", 20))
    assert(c:wait_until(function() return c:status(follower, "state") == "crashed" end))
    outcome = { c:cas("counter", 20, 21, { timeout = 60 }) }
  end, { session = true, repeat_every = 0.2 })
  assert(c:wait_until(function() return opened end))
  c:link("*", "client", { cut = true })
  c:crash(follower)
  assert(c:wait_until(function() return c:status(leader, "applied") > opened end, 10, "the command, applied"))
  lu.assertEquals(c:log(leader)[opened + 1].command.op, "cas")
  for _, id in ipairs(c:ids()) do
    if id ~= follower then
      assert(c:compact(id))
    end
  end
  assert(c:restart(follower))
  caught_up(c, follower)
  lu.assertEquals(c:stats(follower).installs, 1)
  assert(c:transfer_leader(follower))
  c:link("*", "client", nil)
  assert(add:wait(20))
  lu.assertEquals(outcome, { true }) -- a second time it would have been { false, 21 }
  lu.assertEquals(assert(c:get("counter")), 21)
end)

in_both(tests, "WhatWaitsUnderASnapshotIsATimeoutAtOnce", { nodes = 3 }, function(c)
  local leader = c:wait_leader()
  local others = { followers(c, leader) }
  c:partition({ leader }, others)
  local outcome
  local lost = c:client(function()
    outcome = { c:propose("lost", { node = leader, timeout = 60 }) }
  end)
  c:wait_until(function()
    return c:status(leader).last_index > c:status(leader).commit
  end, 5)
  c:wait_leader(10, 1)
  set_many(c, 20)
  for _, id in ipairs(others) do
    assert(c:compact(id))
  end
  local before = c:now()
  c:heal()
  assert(lost:wait(20))
  lu.assertEquals(outcome[3], "timeout")
  lu.assertStrContains(outcome[2], "snapshot")
  lu.assertTrue(outcome[4].unknown)
  lu.assertTrue(c:now() - before < 15)
  caught_up(c, leader)
  c:check_not_committed("lost")
end)

-- The machine is not asked while it is made from the snapshot: what is read meanwhile waits.
function tests.test_AStaleReadWaitsForTheRestore()
  clusters.with({ mode = "sim", nodes = 1, seed = 2 }, function(c)
    c:wait_leader()
    for i = 1, 30 do
      assert(c:set("k" .. i, ("x"):rep(10000) .. i))
    end
    assert(c:compact(1))
    c:crash(1)
    assert(c:restart(1, { wait = false }))
    assert(c:wait_until(function() return c:status(1).restoring end, 5, "a restore under way"))
    lu.assertEquals(c:status(1).applied, 0)
    lu.assertEquals(assert(c:get("k30", { read = "stale", node = 1 })), ("x"):rep(10000) .. 30)
    lu.assertNil(c:status(1).restoring)
  end)
end

-- ---- crashes and pauses at any moment -------------------------------------------------------------

-- A crash after each event of taking, sending and installing, one after the other.
function tests.test_ACrashAtEachStepOfAnInstall()
  local function run(steps, victim_of)
    return clusters.with({ mode = "sim", nodes = 3, max_message = 256, seed = 5 }, function(c)
      local leader = c:wait_leader()
      for i = 1, 10 do
        assert(c:set("k" .. i, ("x"):rep(100) .. i))
      end
      local follower = followers(c, leader)
      leave_behind(c, leader, follower)
      assert(c:restart(follower, { wait = false }))
      local left = #c:step(steps)
      local victim = victim_of(leader, follower)
      c:crash(victim)
      assert(c:restart(victim))
      c:check_live(30)
      lu.assertEquals(assert(c:get("k3", { node = follower, read = "stale" })), "missed23")
      return c:stats(follower).installs, left
    end)
  end
  local installs = {}
  for steps = 1, 150, 3 do
    for name, victim_of in pairs {
      leader = function(leader) return leader end,
      follower = function(_, follower) return follower end,
    } do
      installs[name] = math.max(installs[name] or 0, (run(steps, victim_of)))
    end
  end
  lu.assertTrue(installs.leader >= 1 and installs.follower >= 1)
end

function tests.test_ACrashAtEachStepOfASnapshot()
  for steps = 1, 40 do
    clusters.with({ mode = "sim", nodes = 1, seed = steps + 1 }, function(c)
      c:wait_leader()
      for i = 1, 20 do
        assert(c:set("k" .. i, ("x"):rep(10000) .. i))
      end
      local taking = c:client(function() c:compact(1) end)
      c:step(steps)
      c:crash(1)
      assert(c:restart(1))
      assert(taking:wait(20))
      c:wait_leader()
      lu.assertEquals(assert(c:get("k20")), ("x"):rep(10000) .. 20)
      lu.assertEquals(assert(c:get("k1")), ("x"):rep(10000) .. 1)
    end)
  end
end

in_both(tests, "APausedNodeGoesOnWithItsSnapshot", { nodes = 3, max_message = 256 }, function(c)
  local leader = c:wait_leader()
  for i = 1, 30 do
    assert(c:set("k" .. i, ("x"):rep(300)))
  end
  local follower = followers(c, leader)
  leave_behind(c, leader, follower)
  assert(c:restart(follower, { wait = false }))
  for _ = 1, 20 do
    c:sleep(0.002)
    c:pause(follower)
    c:sleep(0.001)
    c:resume(follower)
  end
  caught_up(c, follower)
  lu.assertTrue(c:stats(follower).installs >= 1)
end)

-- Small snapshots all the time, crashes and bad links: every invariant holds, and all come to the same.
function tests.test_ManyCompactionsUnderFaults()
  clusters.over_seeds({ nodes = 5, snapshot_every = 5, max_message = 300 }, function(c)
    c:wait_leader()
    local n = c:random(1, 5)
    for round = 1, 8 do
      local id = c:random(1, 5)
      if round % 2 == 0 then
        c:link("*", "*", { drop = c:random() * 0.2, duplicate = 0.1, reorder = 0.2, delay = { 0, 0.02 } })
      end
      c:crash(id)
      for i = 1, 10 do
        c:propose({ op = "set", key = "k" .. i, value = ("y"):rep(c:random(1, 400)) .. round }, { timeout = 2 })
      end
      assert(c:restart(id))
      if round == n then
        c:compact(id, { timeout = 2 })
      end
    end
    c:heal()
    c:check_live(30)
    assert(c:set("last", 1))
    for _, id in ipairs(c:ids()) do
      caught_up(c, id)
      lu.assertEquals(assert(c:get("last", { node = id, read = "stale" })), 1)
    end
  end)
end

return tests
