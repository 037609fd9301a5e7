-- what is committed is on a majority of disks is violated at 0.202534 s (nodes 5): node 5, leader of term 1,
-- commits index 2 by counting, but that entry is on the disks of 3 of 6: 1, 4, 5 (by the configuration of index 0,
-- the latest in its log)
-- Shrunk by Raftbench: 0 faults, 1 operation, 1 election, 6 nodes, 0.203 s. It passes once that is mended.
local raft = require "raft"

local c = assert(raft.cluster {
  election_timeout = math.huge,
  link = { duplicate = 0.3, reorder = 0.3 },
  nodes = 6,
  seed = 2,
  window = 1,
})

local function at(time)
  c:sleep(math.max(0, time - c:now()))
end

at(0.001447174)
c:campaign(5)
c:set("key1", 1)
at(0.202535366)
c:shutdown()
