--- Clocks that run at other rates, and that jump.
-- @module raft.nemesis.clocks

local pick = require "raft.nemesis.pick"

local clocks = {}

-- As wrong as can be; or, where there are lease reads, as wrong as may be: their bound is on the rates of two nodes.
clocks.clock = {
  options = {
    target = true, rate = { "a number or {min, max}", "interval" },
    offset = { "seconds or {min, max}", function(value)
      return type(value) == "number" or type(value) == "table" and type(value[1]) == "number"
        and type(value[2]) == "number"
    end },
  },
  start = function(c, given)
    local nemesis, id = c.nemesis, pick.target(c, given.target or "any")
    local options = nemesis.cluster.options
    if options.lease_reads and not given.rate and not given.offset then
      c:clock(id, { rate = 1 - options.clock_drift_ppb / 1e9 * nemesis.stream:random() })
      return
    end
    c:clock(id, {
      rate = pick.between(nemesis, given.rate or { 0.5, 2 }), offset = pick.between(nemesis, given.offset or { -1, 1 }),
    })
  end,
}

local FAST, SLOW = 1.1, 0.9

-- Each clock has a rate of its own, the greatest and the least among them; where there are lease reads, as far apart as
-- may be.
clocks.drift = {
  options = {},
  start = function(c)
    local nemesis = c.nemesis
    local options, stream = nemesis.cluster.options, nemesis.stream
    local least, most = SLOW, FAST
    if options.lease_reads then
      least, most = 1 - options.clock_drift_ppb / 1e9, 1
    end
    for _, id in ipairs(pick.ids(nemesis)) do
      local luck = stream:random(1, 3)
      c:clock(id, { rate = luck == 1 and least or luck == 2 and most or least + (most - least) * stream:random() })
    end
  end,
}

return clocks
