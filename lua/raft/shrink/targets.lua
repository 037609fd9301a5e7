--- A pass: faults that name roles where the plan fails under its own seed of the network alone, so that it fails under
-- others too; and back to nodes once nothing more is taken away.
-- @module raft.shrink.targets

local nodes = require "raft.shrink.nodes"
local plans = require "raft.shrink.plan"
local replay = require "raft.shrink.replay"
local symbolic = require "raft.shrink.symbolic"
local text = require "raft.shrink.text"
local workers = require "raft.workers"

local targets = {}

local HUNG_S = 20

-- A step with the arguments of another.
local function with_arguments(step, other)
  local new = plans.shallow(step)
  for place = 1, math.max(step.count, other.count) do
    new[place] = other[place]
  end
  new.count, new.is_symbolic = other.count, other.is_symbolic
  return new
end

-- The plan with its steps as change(roles, step) has them in its run.
local function changed(plan, change)
  local answer = workers.call(function()
    local writer, written = text.writer(), {}
    for place in ipairs(plan.steps) do
      written[place] = ""
    end
    replay.run(plan, plan.seed, nil, nil, nil, nil, function(roles, place, step)
      local other = change(roles, step)
      written[place] = other and other ~= step and writer:step(other) or ""
    end)
    return written
  end, HUNG_S)
  local steps = {}
  for place, words in ipairs(answer.value or {}) do
    steps[place] = words ~= "" and with_arguments(plan.steps[place], text.writer():read_step(words)) or nil
  end
  return symbolic.with(plan, steps)
end

--- Roles for nodes, where only that makes the plan fail under other seeds of the network too.
-- @tparam table work
function targets.roles(work)
  if not work.is_rare or nodes.has_places(work.plan) then
    return
  end
  local before, was_changed = work.plan, work.changed
  local plan = changed(before, function(roles, step) return roles:placed(step) end)
  if work:try(plan) then
    work:measure()
    if work.is_rare then
      work.plan, work.changed = before, was_changed
    end
  end
end

--- Nodes for roles again: whom the faults hit in the run as it is.
-- @tparam table work
function targets.nodes(work)
  if nodes.has_places(work.plan) then
    work:try(changed(work.plan, function(roles, step)
      local fixed = roles:fixed(step)
      return fixed and plans.with(fixed, { is_symbolic = false })
    end))
  end
end

return targets
