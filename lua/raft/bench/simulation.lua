--- The simulated world, invariants on: events (deliveries and wake-ups) and virtual seconds in a real one.
-- @module raft.bench.simulation

local clusters = require "raft.bench.clusters"
local core = require "raft.core"

local CLIENTS = 10

local rows = {}
for _, nodes in ipairs { 3, 5 } do
  for _, load in ipairs { "idle", "busy" } do
    local what = ("%d %s nodes"):format(nodes, load)
    local key = ("%d_%s"):format(nodes, load)
    rows[#rows + 1] = { key = key .. "_events", what = what, unit = "events/s" }
    rows[#rows + 1] = { key = key .. "_seconds", what = what, unit = "virtual s/s" }
    if load == "busy" then
      rows[#rows + 1] = { key = key .. "_commands", what = what, unit = "commands/s" }
    end
  end
end

-- Clients in closed loops, each with a key of its own.
local function start_clients(c)
  local state = { stopped = false, commands = 0 }
  for number = 1, CLIENTS do
    c:client(function()
      while not state.stopped do
        assert(c:set(number, number))
        state.commands = state.commands + 1
      end
    end)
  end
  return state
end

local function measure(nodes, load, seconds, record)
  clusters.with({ mode = "sim", nodes = nodes }, function(c)
    local clients = load == "busy" and start_clients(c)
    local key = ("%d_%s"):format(nodes, load)
    local events, start_ns = c.core:world_events(), core.clock_ns()
    c:sleep(seconds)
    local took_s = (core.clock_ns() - start_ns) / 1e9
    record(key .. "_events", (c.core:world_events() - events) / took_s)
    record(key .. "_seconds", seconds / took_s)
    if clients then
      record(key .. "_commands", clients.commands / took_s)
      clients.stopped = true
      c:sleep(1)
    end
  end)
end

return {
  name = "simulation",
  about = "the simulated world, invariants on; busy: 10 clients in closed loops, written in Lua",
  sizes = {
    quick = { idle = 2, busy = 0.2 },
    full = { idle = 10000, busy = 100 },
  },
  rows = rows,
  run = function(size, record)
    for _, nodes in ipairs { 3, 5 } do
      measure(nodes, "idle", size.idle, record)
      measure(nodes, "busy", size.busy, record)
    end
  end,
}
