--- A commit over TCP, one command at a time: from Lua to the leader, to a follower, back, applied, and the answer.
-- @module raft.bench.latency

local clusters = require "raft.bench.clusters"
local core = require "raft.core"
local statistics = require "raft.bench.statistics"

return {
  name = "commit-latency",
  about = "3 nodes over TCP in one process, in memory, invariants on; 64-byte commands, one at a time",
  sizes = {
    quick = { commands = 50 },
    full = { commands = 4000 },
  },
  rows = {
    { key = "p50", what = "commit, p50", unit = "us" },
    { key = "p99", what = "commit, p99", unit = "us" },
    { key = "ratio", what = "p50 in echo round trips", unit = "x" },
  },
  run = function(size, record, context)
    clusters.with({ mode = "tcp", nodes = 3 }, function(c)
      local command, clock_ns, took_ns = ("x"):rep(64), core.clock_ns, {}
      for i = 1, size.commands do
        local start_ns = clock_ns()
        assert(c:propose(command))
        took_ns[i] = clock_ns() - start_ns
      end
      local p50 = statistics.quantile(took_ns, 0.5) / 1e3
      record("p50", p50)
      record("p99", statistics.quantile(took_ns, 0.99) / 1e3)
      record("ratio", p50 / context.echo_us)
    end)
  end,
}
