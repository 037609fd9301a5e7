-- log matching is violated at 0.388818 s (nodes 2, 3): in the log of node 2 term 3 begins at index 3 behind an
-- entry of term 1, in the one of node 3 at index 3 behind one of term 2; logs that share an entry must be the same
-- before it
-- Shrunk by Raftbench: 1 fault, 1 operation, 3 elections, 3 nodes, 0.389 s. It passes once that is mended.
local raft = require "raft"

local c = assert(raft.cluster {
  election_timeout = math.huge,
  nodes = 3,
  pre_vote = false,
  seed = 6,
})

local function at(time)
  c:sleep(math.max(0, time - c:now()))
end

c:campaign(2)
at(0.04)
c:disconnect(2)
at(0.23)
c:submit(2, { key = "diverging1", op = "set", value = 6 })
c:campaign(3)
at(0.34)
c:reconnect(2)
at(0.38)
c:campaign(1)
at(0.388819428)
c:shutdown()
