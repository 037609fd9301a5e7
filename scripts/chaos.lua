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
    -- Values of all sizes: writes of several sectors, files of the log that fill up, snapshots of many pieces.
    local function wide(client, n)
      local value = ("%d/%d "):format(client, n) .. ("x"):rep(c:random(3) == 1 and c:random(4000) or c:random(400))
      return n % 8 == 0 and { f = "read", key = "wide" } or { f = "write", key = "wide", value = value }
    end
    local p, is_kv = given.parameters, given.machine == "kv"
    local lease = given.clock_drift and "lease" or nil
    local quiet = c:random(2) == 1 -- little is written: logs stay equal where nodes are cut off
    local kinds = { "register", "cas-register", is_kv and "kv", is_kv and "append", is_kv and "set", is_kv and "queue" }
    for _, keys in ipairs { c:random(3), c:random(3, 50) } do
      local kind = kinds[c:random(#kinds)] or "register"
      local rate, read = p.rate / (quiet and 60 or 3), c:random(2) == 1 and lease or nil
      c:workload { kind = kind, rate = rate, keys = keys, session = p.session, read = read }
    end
    local mix = quiet and { read = 40, write = 1 } or nil
    c:workload { kind = "register", rate = quiet and p.rate or p.rate / 3, mix = mix, read = lease }
    if c:random(3) == 1 then
      c:workload { kind = "register", rate = p.rate / 4, clients = 2, generator = wide }
    end
    c:nemesis(p.faults)
    c:sleep(p.time)
  end,
}
