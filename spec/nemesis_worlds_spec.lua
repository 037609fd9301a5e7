-- Nemeses over TCP and over nodes that are processes: what such a world can express is done, what it cannot is left out
-- and said; then all heals. `make chaos` goes on for longer.
local lu = require "luaunit"
local raft = require "raft"
local clusters = require "spec.support.clusters"

local tests = {}

local faults = { { "clock" }, { "lying_disk" }, { "partition", shape = "halves" }, { "crash", count = "minority" },
  { "pause" }, { "lost_answers" }, { "compact" }, { "late_messages" }, { "transfer" } }

-- Each of these once, one after the other; then the cluster lives, and has what was acknowledged.
local function each_once(mode)
  return clusters.with({ nodes = 3, mode = mode }, function(c)
    assert(c:wait_leader())
    local h = c:workload { kind = "register", clients = 3, rate = 100 }
    local n = c:nemesis { every = 0.05, lasts = 0.1, { sequence = faults } }
    assert(c:wait_until(function()
      return n:effects().crash and n:effects().compact and n:effects().transfer
    end, 20))
    assert(n:stop())
    c:check_live()
    h:stop()
    lu.assertTrue((raft.linearizable(h, "register")))
    return n
  end)
end

function tests.test_OverTcpOnlyDisksDoNotLie()
  local n = each_once "tcp"
  lu.assertStrContains(n.left_out.lying_disk, "only simulated disks lie")
  lu.assertNil(n.left_out.clock)
  lu.assertNil(n.left_out.late_messages)
end

function tests.test_WithNodesAsProcessesClocksAndDisksAreTheSystems()
  local n = each_once "process"
  lu.assertStrContains(n.left_out.clock, "clocks cannot be changed")
  lu.assertStrContains(n.left_out.late_messages, "do not pass the script")
  lu.assertStrContains(n.left_out.lying_disk, "only simulated disks lie")
  lu.assertNil(n.left_out.partition)
end

-- What is left out is no longer drawn.
function tests.test_WhatIsLeftOutIsSaidOnce()
  clusters.with({ nodes = 3, mode = "tcp" }, function(c)
    local n = c:nemesis { every = 0.01, lasts = 0.01, "lying_disk" }
    assert(c:wait_until(function() return n.left_out.lying_disk end, 5))
    c:sleep(0.2)
    lu.assertEquals(#c:events { kind = "note" }, 1)
    lu.assertEquals(n.actions, {})
    n:stop()
  end)
end

return tests
