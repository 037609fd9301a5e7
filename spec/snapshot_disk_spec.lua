-- Snapshots that meet on one disk: an own one and a received one, one that is read and one that is written, one that is
-- given up while it is written. The disk is slow, so that they do.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local compaction = require "spec.support.compaction"

local tests = {}
local followers, set_many, caught_up = compaction.followers, compaction.set_many, compaction.caught_up

-- A follower's own snapshot and a received one are on their way to the disk at once, while another leader brings what
-- the received one covers: whichever is done last, the later one is kept.
function tests.test_TheLaterOfTwoSnapshotsAtOnceIsKept()
  local function run(late)
    return clusters.with({ mode = "sim", nodes = 5, seed = 5 }, function(c)
      local leader, term = c:wait_leader()
      set_many(c, 10)
      local behind = followers(c, leader)
      caught_up(c, behind)
      local own = c:status(behind).applied
      c:disconnect(behind)
      set_many(c, 20, "more")
      local received = assert(c:compact(leader))
      c:disk(behind, { sync_delay = 2 })
      local is_sent = false
      c:intercept(function(message)
        is_sent = is_sent or (message.kind == "snapshot" and message.to == behind)
      end)
      local taking = c:client(function()
        c:wait_until(function() return is_sent end, 5)
        c:sleep(late)
        c:compact(behind, { timeout = 20 })
      end)
      c:reconnect(behind)
      assert(c:wait_until(function() return is_sent end, 5))
      c:sleep(0.01)
      c:crash(leader)
      assert(c:wait_leader(nil, term))
      assert(taking:wait(30))
      c:disk(behind, {})
      caught_up(c, behind)
      -- New files of the log: what was removed stays so.
      for _ = 1, 40 do
        assert(c:set("wide", ("x"):rep(10000)))
      end
      caught_up(c, behind)
      c:crash(behind)
      assert(c:restart(behind))
      lu.assertEquals(c:status(behind).snapshot_index, received)
      return #c:events { kind = "snapshot", node = behind, index = own }
    end)
  end
  -- Begun early enough its own one is done first, begun later it gives way; between the two it is close.
  local taken, runs = 0, 100
  for step = 1, runs do
    taken = taken + run(0.0022 + step * 0.000005)
  end
  lu.assertTrue(taken > 0 and taken < runs, taken)
end

-- While a node reads its snapshot back after a restart, a newer one arrives that its log need not give way to: the one
-- that is read stays until it was read.
function tests.test_ANewerSnapshotWhileTheLastOneIsRestored()
  clusters.with({ mode = "sim", nodes = 5, seed = 5 }, function(c)
    local leader, term = c:wait_leader()
    for i = 1, 100 do
      assert(c:set("wide" .. i, ("x"):rep(20000)))
    end
    local behind = followers(c, leader)
    caught_up(c, behind)
    assert(c:compact(behind))
    c:crash(behind)
    for i = 1, 100 do
      assert(c:set("wide" .. i, 1))
    end
    local received = assert(c:compact(leader))
    local is_sent = false
    c:intercept(function(message)
      is_sent = is_sent or (message.kind == "snapshot" and message.to == behind)
    end)
    assert(c:restart(behind))
    c:disk(behind, { sync_delay = 2 })
    assert(c:wait_until(function() return is_sent end, 5))
    c:sleep(0.01)
    c:crash(leader)
    assert(c:wait_leader(nil, term))
    caught_up(c, behind, 60)
    lu.assertEquals(c:status(behind).state, "running")
    lu.assertEquals({ c:status(behind).snapshot_index, c:stats(behind).installs }, { received, 0 })
    lu.assertEquals(assert(c:get("wide7", { node = behind, read = "stale" })), 1)
  end)
end

-- The leader's disk gives its snapshot otherwise than it was written: the receiver refuses it, and nobody is to blame
-- but the disk. Once it reads well the snapshot arrives.
function tests.test_ASnapshotIsReadBadlyWhereItIsSent()
  clusters.with({ mode = "sim", nodes = 3, seed = 5 }, function(c)
    local leader = c:wait_leader()
    local behind = followers(c, leader)
    c:disconnect(behind)
    set_many(c, 100)
    assert(c:compact(leader))
    c:disk(leader, { corrupt = 1 })
    c:reconnect(behind)
    assert(c:wait_event({ kind = "notice", node = behind, flag = true }, 20))
    lu.assertEquals(c:stats(behind).installs, 0)
    c:disk(leader, {})
    caught_up(c, behind)
    lu.assertEquals(c:stats(behind).installs, 1)
  end)
end

-- A piece that waits for the disk is written when the snapshot that it is of has been given up: another leader has
-- brought all that it covers. What the piece came with is long gone; where its bytes are not the store's own, this
-- fails under check-asan.
function tests.test_ASnapshotIsGivenUpWhileAPieceWaitsForTheDisk()
  clusters.with({ mode = "sim", nodes = 5, seed = 5, max_message = 100000 }, function(c)
    local leader, term = c:wait_leader()
    for i = 1, 60 do
      assert(c:set("wide" .. i, ("x"):rep(20000)))
    end
    local behind = followers(c, leader)
    caught_up(c, behind)
    c:disconnect(behind)
    set_many(c, 5)
    local received = assert(c:compact(leader))
    c:disk(behind, { sync_delay = 2 })
    c:link(leader, behind, { delay = 0.02 })
    local pieces = 0
    c:intercept(function(message)
      pieces = pieces + ((message.kind == "snapshot" and message.to == behind) and 1 or 0)
    end)
    c:reconnect(behind)
    assert(c:wait_until(function() return pieces > 4 end, 5)) -- some are written
    local taking = c:client(function() c:compact(behind, { timeout = 20 }) end)
    c:sleep(0.1) -- its own one is being synced
    c:crash(leader)
    assert(c:wait_leader(nil, term))
    assert(taking:wait(30))
    c:disk(behind, {})
    caught_up(c, behind)
    lu.assertEquals(c:stats(behind).installs, 0)
    lu.assertTrue(c:status(behind).snapshot_index < received)
    c:check_live()
  end)
end

return tests
