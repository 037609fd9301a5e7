--- Workloads; see raft.workload.
-- @module raft.cluster.workloads

local workload = require "raft.workload"

local workloads = {}

--- Starts clients that go on asking the cluster, and records what they ask and are told.
-- @tparam ?raft.workload_options options
-- @treturn raft.history the history, which grows while the world goes on
function workloads:workload(options)
  return workload.start(self, options)
end

return workloads
