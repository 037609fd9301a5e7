-- one change of members at a time is violated at 1.550000 s (nodes 2): node 2, leader of term 1, appends a
-- configuration at index 5, but the one before, at index 4, is not committed (its commit index is 3)
-- Shrunk by Raftbench: 2 faults, 0 operations, 3 nodes, 1.55 s. It passes once that is mended.
local raft = require "raft"

local c = assert(raft.cluster {
  election_timeout = { 0.3, 0.9 },
  max_entries = 3,
  nodes = 3,
  seed = 2,
  window = 1,
})

local function at(time)
  c:sleep(math.max(0, time - c:now()))
end

at(1.5)
c:client(function() c:add_servers({ 4 }) end)
at(1.55)
c:remove_servers({ 3, 1 })
at(1.550001)
c:shutdown()
