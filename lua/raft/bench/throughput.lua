--- Many commands in flight over TCP: submitted as fast as a Lua loop can, from the first submission to the last apply
-- anywhere. The long form shows that a command costs the same however long the log is.
-- @module raft.bench.throughput

local clusters = require "raft.bench.clusters"
local core = require "raft.core"

local kinds = {
  { key = "64_on", bytes = 64, invariants = true },
  { key = "64_off", bytes = 64, invariants = false },
  { key = "1024_on", bytes = 1024, invariants = true },
  { key = "1024_off", bytes = 1024, invariants = false },
}

local STRETCHES = 5

local function submit_and_wait(c, leader, command, count)
  local start_ns, index = core.clock_ns(), nil
  for _ = 1, count do
    local given, message = c:submit(leader, command)
    index = given or error(message, 0)
  end
  clusters.wait_applied(c, index)
  return count * 1e9 / (core.clock_ns() - start_ns)
end

local function options_of(kind)
  return { mode = "tcp", nodes = 3, invariants = kind.invariants, max_uncommitted = 2 ^ 40 }
end

local rows = {}
for _, kind in ipairs(kinds) do
  local bytes = kind.bytes == 1024 and "1 KiB" or kind.bytes .. " B"
  rows[#rows + 1] = { key = kind.key, unit = "commands/s",
    what = ("%s, invariants %s"):format(bytes, kind.invariants and "on" or "off") }
end
for stretch = 1, STRETCHES do
  rows[#rows + 1] = { key = "stretch_" .. stretch, unit = "commands/s", only = "long",
    what = ("64 B, part %d of %d of one long log"):format(stretch, STRETCHES) }
end

-- One log that grows all the while, in equal stretches.
local function measure_growth(size, record)
  clusters.with(options_of(kinds[1]), function(c, leader)
    local command = ("x"):rep(64)
    for stretch = 1, STRETCHES do
      local start_ns = core.clock_ns()
      for _ = 1, size.rounds do
        submit_and_wait(c, leader, command, size.commands)
      end
      record("stretch_" .. stretch, size.rounds * size.commands * 1e9 / (core.clock_ns() - start_ns))
    end
  end)
end

return {
  name = "commit-throughput",
  about = "3 nodes over TCP in one process, in memory; submitted by a Lua loop, until applied everywhere",
  sizes = {
    quick = { commands = 200 },
    full = { commands = 100000 },
    long = { commands = 100000, rounds = 10 }, -- 5 stretches of a million
  },
  rows = rows,
  run = function(size, record)
    for _, kind in ipairs(kinds) do
      clusters.with(options_of(kind), function(c, leader)
        record(kind.key, submit_and_wait(c, leader, ("x"):rep(kind.bytes), size.commands))
      end)
    end
    if size.rounds then
      measure_growth(size, record)
    end
  end,
}
