-- one vote in a term is violated at 0.110105 s (nodes 5, 2): node 5 votes in term 1 for node 2, but gave its vote
-- in that term to node 5
-- Shrunk by Raftbench: 0 faults, 0 operations, 2 elections, 6 nodes, 0.11 s. It passes once that is mended.
local raft = require "raft"

local c = assert(raft.cluster {
  election_timeout = math.huge,
  link = { duplicate = 0.3, reorder = 0.3 },
  nodes = 6,
  pre_vote = false,
  seed = 2,
})

local function at(time)
  c:sleep(math.max(0, time - c:now()))
end

c:campaign(5)
at(0.01)
c:campaign(2)
at(0.110105865)
c:shutdown()
