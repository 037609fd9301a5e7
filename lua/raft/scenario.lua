--- Scenarios: the options of a cluster with `run = function(c, options)`. Makes the cluster, runs the
-- scenario, then heals everything and checks that the cluster lives.
--
-- It decides nothing about files or seeds; errors pass through to the caller once the cluster is closed.
-- @module raft.scenario

local open = require "raft.open"

local scenario = {}

--- Whether a value is a scenario.
-- @param value anything
-- @treturn boolean
function scenario.is(value)
  return type(value) == "table" and type(value.run) == "function"
end

-- Undoes every fault, so that what does not work afterwards is the cluster's own fault.
local function settle(c)
  local fine, message = c:heal "all"
  if not fine then
    error("a node does not start again after the scenario: " .. tostring(message), 0)
  end
  c:check_live()
end

--- Runs a scenario.
-- @tparam table definition the cluster's options with `run`
-- @tparam function make raft.cluster
-- @tparam ?string name what the run is called where the scenario has no name
-- @treturn table {time, hash}; hash in "sim" only; nil and a message where there is no cluster to run it in.
-- Raises what the scenario raised
function scenario.run(definition, make, name)
  local options = {}
  for key, value in pairs(definition) do
    if key ~= "run" and key ~= "parameters" then
      options[key] = value
    end
  end
  options.name = options.name or name
  local c, problem = make(options)
  if not c then
    return nil, problem
  end
  local raised
  local fine, summary = xpcall(function()
    options.parameters = definition.parameters
    definition.run(c, options)
    settle(c)
    return { time = c:now(), hash = c:mode() == "sim" and c:trace_hash() or nil }
  end, function(value)
    raised = value
    return value
  end)
  open.close(c, not fine and (raised or "failed") or nil)
  if not fine then
    error(summary, 0)
  end
  return summary
end

return scenario
