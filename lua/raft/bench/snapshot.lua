--- A follower that missed everything catches up by a snapshot, each node being a process with files of its own, while
-- the cluster goes on committing: how fast, and what that costs the leader in memory. With BENCH_TRACE set each sample
-- is printed.
-- @module raft.bench.snapshot

local clusters = require "raft.bench.clusters"
local core = require "raft.core"
local machine = require "raft.bench.machine"

local MIB = 2 ^ 20
local VALUE_BYTES, IN_FLIGHT = 65000, 32
local TIMEOUT = 600
local REMOVAL_S = 3 -- in which the files of the log that is gone are removed

local function elapsed_s(start_ns)
  return (core.clock_ns() - start_ns) / 1e9
end

-- The state, written by the two that run; values differ, so that no file system makes them smaller.
local function fill(c, leader, mib)
  local random = c:random(2 ^ 40)
  for key = 1, math.floor(mib * MIB / VALUE_BYTES) do
    local value = ("%x-%x;"):format(random, key):rep(math.floor(VALUE_BYTES / 24))
    local command = { op = "set", key = key, value = (value .. ("."):rep(VALUE_BYTES)):sub(1, VALUE_BYTES) }
    local index, _, code = c:submit(leader, command)
    while not index do
      assert(code == "busy", code)
      c:sleep(0.01)
      index, _, code = c:submit(leader, command)
    end
    if key % IN_FLIGHT == 0 then
      assert(c:wait_until(function() return c:status(leader, "applied") >= index end, TIMEOUT))
    end
  end
end

local function show(...)
  if os.getenv "BENCH_TRACE" then
    io.stderr:write(("  %8.2f s  leader %7.1f MiB  follower %7.1f MiB  received %7.1f MiB  %6d commits\n"):format(...))
  end
end

-- In new processes, which hold the state and nothing that the filling has left. Gives who leads.
local function start_again(c, follower)
  for _, id in ipairs(c:ids()) do
    if id ~= follower then
      assert(c:compact(id, { timeout = TIMEOUT }))
      c:sleep(REMOVAL_S)
      c:crash(id)
      assert(c:restart(id))
      assert(c:wait_until(function() return not c:status(id).restoring end, TIMEOUT))
    end
  end
  return (assert(c:wait_leader(TIMEOUT)))
end

-- Until the follower has all; samples on the way.
local function catch_up(c, leader, follower, record)
  local before = machine.resident_bytes("raftbench-node-" .. leader)
  local most, commits, done = before, 0, false
  local start_ns = core.clock_ns()
  local writer = c:client(function()
    while not done do
      commits = commits + (c:set("busy" .. commits % 100, commits, { timeout = 10 }) and 1 or 0)
    end
  end)
  assert(c:restart(follower))
  local longest_ns, last_ns, last_commits = 0, core.clock_ns(), 0
  while not done do
    c:sleep(0.1)
    local now_ns = core.clock_ns()
    if commits > last_commits then
      last_ns, last_commits = now_ns, commits
    end
    longest_ns = math.max(longest_ns, now_ns - last_ns)
    local resident = machine.resident_bytes("raftbench-node-" .. leader)
    most = math.max(most, resident)
    local peer = c:status(leader).peers[follower]
    show(elapsed_s(start_ns), resident / MIB, (machine.resident_bytes("raftbench-node-" .. follower) or 0) / MIB,
      (peer.offset or 0) / MIB, commits)
    done = c:status(follower, "applied") >= c:status(leader, "commit") - 100 and c:stats(follower).installs > 0
    assert(elapsed_s(start_ns) < TIMEOUT, "the follower did not catch up")
  end
  local seconds = elapsed_s(start_ns)
  assert(writer:wait(TIMEOUT))
  record("seconds", seconds)
  record("growth", (most - before) / MIB)
  record("commits", commits / seconds)
  record("stall", longest_ns / 1e9)
end

return {
  name = "snapshot",
  about = "a follower that missed all of a kv state catches up by snapshot; three processes with files",
  sizes = {
    quick = { mib = 4 },
    full = { mib = 1024 },
  },
  rows = {
    { key = "state", what = "the state", unit = "MiB" },
    { key = "take", what = "taking its snapshot", unit = "s" },
    { key = "seconds", what = "until the follower has caught up", unit = "s" },
    { key = "own", what = "the leader's resident size over the state, before", unit = "MiB" },
    { key = "growth", what = "and at most what it grew by meanwhile", unit = "MiB" },
    { key = "commits", what = "commits meanwhile, one client", unit = "1/s" },
    { key = "stall", what = "the longest time without one (sampled at 0.1 s)", unit = "s" },
  },
  run = function(size, record)
    local options = { mode = "process", nodes = 3, invariants = false, keep_events = 0, snapshot_bytes = 256 * MIB }
    clusters.with(options, function(c, leader)
      local follower = leader % 3 + 1
      c:crash(follower)
      fill(c, leader, size.mib)
      record("state", size.mib)
      local start_ns = core.clock_ns()
      assert(c:compact(leader, { timeout = TIMEOUT }))
      record("take", elapsed_s(start_ns))
      leader = start_again(c, follower)
      record("own", machine.resident_bytes("raftbench-node-" .. leader) / MIB - size.mib)
      catch_up(c, leader, follower, record)
    end)
  end,
}
