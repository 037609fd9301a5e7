-- Chaos: clients of several kinds ask while faults of all kinds come and go; then all heals, the cluster must live, and
-- every history must be linearizable.
--
--   scripts/raftbench run scripts/chaos.lua --seed 7
--   scripts/raftbench fuzz scripts/chaos.lua --seeds 1..1000
--   scripts/raftbench run scripts/chaos.lua --mode tcp --set parameters.time=30 --set parameters.faults=partition
--
-- The seed draws the cluster's size and options, which faults there are, and how long it is; --set holds them fast.
local machine = dofile(debug.getinfo(1, "S").source:match "^@(.-)[^/]*$" .. "chaos/machine.lua")

return {
  keep_events = 2000,
  parameters = { time = "drawn", rate = "drawn", session = "drawn", faults = { swarm = true } },
  options = function(draw, mode, stock)
    local options = stock(draw, mode)
    options.machine = draw { "kv", "kv", mode ~= "process" and machine or "kv" }
    options.parameters.session = draw { true, false }
    return options
  end,
  run = function(c, given)
    local p, is_kv = given.parameters, given.machine == "kv"
    local kinds = { "register", "cas-register", is_kv and "kv", is_kv and "append", is_kv and "set", is_kv and "queue" }
    for _, keys in ipairs { c:random(3), c:random(3, 50) } do
      local kind = kinds[c:random(#kinds)] or "register"
      c:workload { kind = kind, rate = p.rate / 3, keys = keys, session = p.session }
    end
    c:workload { kind = "register", rate = p.rate / 3, read = given.clock_drift and "lease" or nil }
    c:nemesis(p.faults)
    c:sleep(p.time)
  end,
}
