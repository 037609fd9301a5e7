-- scripts/../lua/raft/driver.lua:118: attempt to perform arithmetic on a nil value (upvalue 'SLOTS')
-- Shrunk by Raftbench: 0 faults, 0 operations, 1 node, 0.000683 s. It passes once that is mended.
local raft = require "raft"

local c = assert(raft.cluster {
  election_timeout = math.huge,
  link = { delay = 0.001 },
  nodes = 1,
  seed = 1,
})

local function at(time)
  c:sleep(math.max(0, time - c:now()))
end

at(0.000683462)
c:shutdown()
