--- From a leader's crash to the next leader, over TCP with the default timing (election timeouts of 150 to 300 ms).
-- @module raft.bench.election

local clusters = require "raft.bench.clusters"
local core = require "raft.core"
local statistics = require "raft.bench.statistics"

return {
  name = "election",
  about = "3 nodes over TCP; from the leader's crash to the next leader that a quorum names",
  sizes = {
    quick = { crashes = 1 },
    full = { crashes = 10 },
  },
  rows = {
    { key = "p50", what = "next leader, median of the crashes", unit = "ms" },
    { key = "worst", what = "next leader, slowest of the crashes", unit = "ms" },
  },
  run = function(size, record, context)
    -- The seed draws the time-outs: another one each time.
    clusters.with({ mode = "tcp", nodes = 3, seed = context.repetition }, function(c)
      local took_ms = {}
      for i = 1, size.crashes do
        local leader, term = assert(c:wait_leader())
        local start_ns = core.clock_ns()
        assert(c:crash(leader))
        assert(c:wait_leader(60, term))
        took_ms[i] = (core.clock_ns() - start_ns) / 1e6
        assert(c:restart(leader))
        assert(c:propose("again"))
        clusters.wait_applied(c, c:status((c:leader())).last_index)
      end
      record("p50", statistics.median(took_ms))
      record("worst", statistics.quantile(took_ms, 1))
    end)
  end,
}
