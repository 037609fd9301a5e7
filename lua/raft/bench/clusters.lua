--- What the measurements of whole clusters share: a cluster that leads, and waiting until all have applied.
-- @module raft.bench.clusters

local core = require "raft.core"
local raft_cluster = require "raft.cluster"

local clusters = {}

local TIMEOUT = 600 -- seconds; a measurement that takes longer has gone wrong

--- Calls f(c, leader) with a cluster that has a leader, and shuts it down whatever happens.
-- @tparam table options of raft.cluster
-- @tparam function f
function clusters.with(options, f)
  local c = assert(raft_cluster.new(options))
  local fine, problem = xpcall(function()
    local leader = assert(c:wait_leader(TIMEOUT))
    assert(c:propose("warm", { timeout = TIMEOUT }))
    clusters.wait_applied(c, c:status(leader).last_index)
    f(c, leader)
  end, debug.traceback)
  c:shutdown()
  if not fine then
    error(problem, 0)
  end
end

--- Calls f(directory) with the name of a new one, and removes it whatever happens. It is below $TMPDIR, else /var/tmp,
-- where a real disk is more likely than in /tmp.
-- @tparam function f
function clusters.with_directory(f)
  local directory = ("%s/raftbench-bench-%d"):format(os.getenv "TMPDIR" or "/var/tmp", core.clock_ns())
  local fine, problem = xpcall(f, debug.traceback, directory)
  os.execute(("rm -rf '%s'"):format(directory:gsub("'", "'\\''")))
  if not fine then
    error(problem, 0)
  end
end

--- Runs until every node has applied so far.
-- @tparam table c
-- @tparam integer index
function clusters.wait_applied(c, index)
  local ids = c:ids()
  local slowest = 1 -- all before it have; a node never goes back
  assert(c:wait_until(function()
    while slowest <= #ids and c.core:status(ids[slowest]).applied >= index do
      slowest = slowest + 1
    end
    return slowest > #ids
  end, TIMEOUT, "the last command, applied everywhere,"))
end

return clusters
