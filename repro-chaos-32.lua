-- the latest configuration is in force is violated at 0.205338 s (nodes 1): the latest configuration in the log of
-- node 1 is now that of index 0, but it still uses the one before; a configuration is in force as soon as it is
-- appended, and is rolled back when it is truncated
-- Shrunk by Raftbench: 2 faults, 0 operations, 2 elections, 3 nodes, 0.205 s. It passes once that is mended.
local raft = require "raft"

local c = assert(raft.cluster {
  election_timeout = math.huge,
  link = { delay = 0.001 },
  machine = "kv",
  nodes = 3,
  seed = 32,
})

local function at(time)
  c:sleep(math.max(0, time - c:now()))
end

c:campaign(1)
at(0.05)
c:partition({ 1 })
c:client(function() c:change_members({ learners = { 1 }, voters = { 4, 5 } }, { node = 1 }) end)
at(0.2)
c:campaign(2)
c:partition({})
at(0.205339)
c:shutdown()
