--- What a log costs: the growth of the resident size for many 64-byte commands over TCP, less their bytes in the three
-- logs. Each repetition runs in a process of its own, so that nothing was there before.
-- @module raft.bench.memory

local clusters = require "raft.bench.clusters"
local machine = require "raft.bench.machine"

local BYTES, NODES, ROUND = 64, 3, 10000

-- Without the checker and the ring of events, which keep something for each entry and event of their own.
local function measure(commands)
  local cost
  clusters.with({ mode = "tcp", nodes = NODES, invariants = false, keep_events = 0 }, function(c, leader)
    local command, index = ("x"):rep(BYTES), nil -- "kv" ignores what is no operation of its
    collectgarbage()
    local before = machine.resident_bytes() or error("this system does not tell a process's resident size", 0)
    local left = commands
    while left > 0 do
      for _ = 1, math.min(left, ROUND) do
        index = assert(c:submit(leader, command))
      end
      left = left - ROUND
      clusters.wait_applied(c, index)
    end
    collectgarbage()
    cost = (machine.resident_bytes() - before) / commands - NODES * BYTES
  end)
  return cost
end

return {
  name = "memory",
  about = "resident bytes that an entry costs in three replicas over TCP, beyond its 3 x 64 bytes; checker off",
  sizes = {
    quick = { commands = 2000 },
    full = { commands = 1000000 },
  },
  rows = {
    { key = "entry", what = "an entry of 64 bytes, all three logs together", unit = "bytes" },
  },
  run = function(size, record, context)
    if context.apart then
      context.apart("memory", record)
    else
      record("entry", measure(size.commands))
    end
  end,
}
