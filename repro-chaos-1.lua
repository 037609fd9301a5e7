-- one vote in a term is violated at 0.013217 s (nodes 1, 2): node 1 votes in term 1 for node 2, but gave its vote
-- in that term to node 1
-- Shrunk by Raftbench: 0 faults, 0 operations, 2 elections, 2 nodes, 0.0132 s. It passes once that is mended.
local raft = require "raft"

local c = assert(raft.cluster {
  election_timeout = math.huge,
  link = { delay = 0.001 },
  machine = "kv",
  nodes = 2,
  seed = 1,
})

local function at(time)
  c:sleep(math.max(0, time - c:now()))
end

at(0.01)
c:campaign(2)
c:campaign(1)
at(0.013218024)
c:shutdown()
