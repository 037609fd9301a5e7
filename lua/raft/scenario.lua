--- Scenarios: the options of a cluster with `run = function(c, options)`. Makes the cluster, runs the
-- scenario, then heals everything, checks that the cluster lives, and that the histories of its workloads are
-- linearizable.
--
-- It decides nothing about files; errors pass through to the caller once the cluster is closed.
-- @module raft.scenario

local defaults = require "raft.defaults"
local judge = require "raft.workload.judge"
local nemesis = require "raft.nemesis"
local draw = require "raft.scenario.draw"
local open = require "raft.open"
local report = require "raft.report"
local violation = require "raft.violation"
local workload = require "raft.workload"

local scenario = {}

--- Whether a value is a scenario.
-- @param value anything
-- @treturn boolean
function scenario.is(value)
  return type(value) == "table" and type(value.run) == "function"
end

local KEEP_EVENTS = 10000 -- c:events() of a scenario remembers: ten times as many take a twentieth of a run's time
local LIVE_S = 60 -- so long may it take until the cluster lives again

-- A node that has failed, and that the scenario did not start again itself, fails the run: none of its faults asked
-- for that, but for one whose disk was made to lie.
local function check_none_failed(c)
  for _, id in ipairs(c:ids()) do
    if c:status(id, "state") == "failed" and id ~= c.inner.liar then
      error(violation.no_start(id, "has failed and was not started again", c:status(id, "error"), c:now()), 0)
    end
  end
end

-- Undoes every fault, so that what does not work afterwards is the cluster's own fault.
local function settle(c)
  local nemeses = nemesis.of(c.inner)
  for _, one in ipairs(nemeses) do
    nemesis.undo(one)
  end
  check_none_failed(c)
  local fine, message = c:heal "all"
  if not fine then
    local id = tonumber(message:match "^node (%d+)") or 0
    error(violation.no_start(id, "does not start again after the scenario", message, c:now()), 0)
  end
  for _, history in ipairs(workload.of(c)) do
    history.run:rest()
  end
  for _, one in ipairs(nemeses) do
    fine, message = nemesis.settle(one)
    if not fine then
      c:check_live(LIVE_S) -- says what stands still, and why
      error(message, 0)
    end
  end
  c:check_live(LIVE_S)
  judge.all(c)
end

-- What fills in what a scenario leaves open: its own function's, the stock drawing, nothing.
local function draw_for(definition)
  if not definition.options then
    return {}
  end
  local pick = draw.of(definition.seed or defaults.get("seed") or 1)
  local mode = definition.mode or defaults.get("mode") or "sim"
  if definition.options == "drawn" then
    return draw.stock(pick, mode)
  end
  return definition.options(pick, mode, draw.stock)
end

-- The scenario's options and parameters. What is drawn fills in what it leaves open, and each parameter that is
-- "drawn".
local function options_of(definition, name)
  local options, parameters = {}, {}
  for key, value in pairs(definition) do
    if key ~= "run" and key ~= "parameters" and key ~= "options" then
      options[key] = value
    end
  end
  for key, value in pairs(definition.parameters or {}) do
    parameters[key] = value
  end
  local drawn = draw_for(definition)
  for key, value in pairs(drawn) do
    if options[key] == nil and key ~= "parameters" then
      options[key] = value
    end
  end
  for key, value in pairs(drawn.parameters or {}) do
    if parameters[key] == "drawn" then
      parameters[key] = value
    end
  end
  if options.check_quorum == false and definition.clock_drift == nil then
    options.clock_drift = nil -- a lease needs a quorum that is asked
  end
  options.name = options.name or name
  options.keep_events = options.keep_events or KEEP_EVENTS
  return options, parameters
end

--- Runs a scenario.
-- @tparam table definition the cluster's options with `run`, and if it likes `parameters`, a table of its own, and
-- `options = function(draw, mode, stock)`, a table of options and parameters of which draw(choices) picks by the seed;
-- stock(draw, mode) gives such a table for a cluster of any kind, as does `options = "drawn"`
-- @tparam function make raft.cluster
-- @tparam ?string name what the run is called where the scenario has no name
-- @tparam ?function look look(c, raised, options, where) is called at the end, before the cluster is closed; raised:
-- what went wrong, or nil; where: in which lines of the user's own
-- @treturn table {time, hash}; hash in "sim" only; nil and a message where there is no cluster to run it in.
-- Raises what the scenario raised
function scenario.run(definition, make, name, look)
  local options, parameters = options_of(definition, name)
  local c, problem = make(options)
  if not c then
    return nil, problem
  end
  c.inner.judges = judge -- of workloads, also while they run
  local raised, where
  local fine, summary = xpcall(function()
    options.parameters = parameters
    definition.run(c, options)
    settle(c)
    return { time = c:now(), hash = c:mode() == "sim" and c:trace_hash() or nil }
  end, function(value)
    raised, where = value, report.where()
    return value
  end)
  if look then
    look(c, not fine and (raised or "failed") or nil, options, where)
  end
  open.close(c, not fine and (raised or "failed") or nil)
  if not fine then
    error(summary, 0)
  end
  return summary
end

return scenario
