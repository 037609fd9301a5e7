-- Runs that fail, for specs that make them small.
local one = require "raft.fuzz.one"

local failing = {}

local function any(c)
  return c:random(#c:ids())
end

-- What a script does to its cluster, a function each.
failing.faults = {
  function(c) c:crash(any(c)) end,
  function(c) c:restart "all" end,
  function(c) c:restart "all" end,
  function(c) c:disconnect(any(c)) end,
  function(c) c:heal() end,
  function(c) c:link(any(c), "*", { drop = 0.3, delay = { 0, 0.02 } }) end,
  function(c) c:compact(any(c), { timeout = 0.2 }) end,
  function(c) c:clock(any(c), { rate = 0.9 }) end,
}

-- A function that runs a scenario once and returns its failure, or nil.
function failing.fail_with(scenario, seed)
  return function()
    local outcome, problem = one.run { file = scenario, seed = seed }
    assert(outcome, problem)
    return outcome.failure
  end
end

return failing
