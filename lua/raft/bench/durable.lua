--- Commits that are on disks: three nodes in one process, each with its log in files on one real disk; beside them, in
-- turn, three bare writes of a sector that are synced at once. The directory is below $TMPDIR, else /var/tmp: in a file
-- system in memory the figures say nothing.
-- @module raft.bench.durable

local clusters = require "raft.bench.clusters"
local core = require "raft.core"
local statistics = require "raft.bench.statistics"

local SECTOR_BYTES, STRETCH, CLIENTS, ECHOES = 512, 100, 64, 4
local TIMEOUT = 600

-- One client's commits, and the bare syncs, in turn in short stretches: a disk's speed changes from second to second.
local function measure_one_client(c, directory, size, record, context)
  local command, commits_ns, syncs_ns = ("x"):rep(64), {}, {}
  for _ = 1, size.stretches do
    for _, second_ns in ipairs(assert(core.bench.syncs(directory, STRETCH, SECTOR_BYTES))) do
      syncs_ns[#syncs_ns + 1] = second_ns
    end
    for _ = 1, STRETCH do
      local start_ns = core.clock_ns()
      assert(c:propose(command))
      commits_ns[#commits_ns + 1] = core.clock_ns() - start_ns
    end
  end
  local commit_us, sync_us = statistics.quantile(commits_ns, 0.5) / 1e3, statistics.quantile(syncs_ns, 0.5) / 1e3
  record("p50", commit_us)
  record("p99", statistics.quantile(commits_ns, 0.99) / 1e3)
  record("sync", sync_us)
  record("ratio", math.max(0, commit_us - ECHOES * context.echo_us) / sync_us)
end

local function measure_many_clients(c, leader, size, record)
  local command = ("x"):rep(64)
  local before, start_ns = c:stats(leader), core.clock_ns()
  for _ = 1, CLIENTS do
    c:client(function()
      for _ = 1, size.commands do
        assert(c:propose(command))
      end
    end)
  end
  assert(c:wait_clients(TIMEOUT))
  local after, seconds = c:stats(leader), (core.clock_ns() - start_ns) / 1e9
  record("clients", CLIENTS * size.commands / seconds)
  record("group", (after.commits - before.commits) / math.max(1, after.syncs - before.syncs))
end

local function measure_restart(size, record)
  clusters.with_directory(function(directory)
    local options = { mode = "tcp", nodes = 1, dir = directory, invariants = false, keep_events = 0,
      snapshot_every = math.huge, snapshot_bytes = math.huge, max_uncommitted = 2 ^ 40 }
    clusters.with(options, function(c, leader)
      local command, index = ("x"):rep(64), nil
      for i = 1, size.entries do
        index = assert(c:submit(leader, command))
        if i % 10000 == 0 then
          clusters.wait_applied(c, index)
        end
      end
      clusters.wait_applied(c, index)
      c:crash(leader)
      local start_ns = core.clock_ns()
      assert(c:restart(leader))
      record("restart", (core.clock_ns() - start_ns) / 1e6)
    end)
  end)
end

return {
  name = "durable",
  about = "3 nodes over TCP in one process, their logs in files; 64-byte commands, one at a time and from 64 clients",
  sizes = {
    quick = { stretches = 1, commands = 4, entries = 1000 },
    full = { stretches = 10, commands = 200, entries = 1000000 },
  },
  rows = {
    { key = "p50", what = "one client's commit, p50", unit = "us" },
    { key = "p99", what = "one client's commit, p99", unit = "us" },
    { key = "sync", what = "(second of three bare syncs, p50)", unit = "us" },
    { key = "ratio", what = "commit less 4 echoes, in bare syncs", unit = "x" },
    { key = "clients", what = "64 clients", unit = "commands/s" },
    { key = "group", what = "64 clients, commits a sync", unit = "commits" },
    { key = "restart", what = "restart with a million entries in its log", unit = "ms" },
  },
  run = function(size, record, context)
    clusters.with_directory(function(directory)
      clusters.with({ mode = "tcp", nodes = 3, dir = directory }, function(c, leader)
        measure_one_client(c, directory, size, record, context)
        measure_many_clients(c, leader, size, record)
      end)
    end)
    measure_restart(size, record)
  end,
}
