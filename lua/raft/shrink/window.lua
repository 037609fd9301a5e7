--- When a fault may come: of a shrunk run, between which two events a fault must come for the run to fail. A crash
-- that loses something does so after the event that left it unsafe and before the one that makes it safe; the first of
-- them is what a reader looks for.
--
-- The fault and all inputs after it are moved, earlier and later, event by event; the course up to the fault is that of
-- the run. It judges nothing but whether the moved plan fails.
-- @module raft.shrink.window

local plans = require "raft.shrink.plan"

local window = {}

local LATER_NS = 1000000000 -- so long after its time is looked at
local EVENTS_MOST = 40 -- on each side

--- What comes before a fault, and goes on without it: a run whose events it may be moved past.
-- @tparam table plan
-- @tparam table step
-- @treturn table plan
function window.until_step(plan, step)
  local workloads, is_before = {}, true
  for place, workload in ipairs(plan.workloads) do
    workloads[place] = plans.with(workload, {
      operations = plans.filter(workload.operations, function(operation) return operation.at * 1e9 < step.at_ns end),
    })
  end
  return plans.with(plan, {
    workloads = workloads, tail = false, ends_ns = step.at_ns + LATER_NS,
    steps = plans.filter(plan.steps, function(one)
      is_before = is_before and one ~= step
      return is_before
    end),
  })
end

local function ns_of(moment)
  return math.floor(moment.time * 1e9 + 0.5)
end

-- The plan with that fault and all inputs after it at another time.
local function moved(plan, step, to_ns)
  local is_before, steps, made, workloads = true, {}, {}, {}
  local by_ns = to_ns - step.at_ns
  for place, one in ipairs(plan.steps) do
    is_before = is_before and one ~= step
    made[one] = plans.with(one, {
      at_ns = is_before and one.at_ns or one.at_ns + by_ns, undoes = one.undoes and made[one.undoes],
    })
    steps[place] = made[one]
  end
  for place, workload in ipairs(plan.workloads) do
    local operations = {}
    for position, operation in ipairs(workload.operations) do
      local at_ns = math.floor(operation.at * 1e9 + 0.5)
      operations[position] = at_ns >= step.at_ns and plans.with(operation, { at = (at_ns + by_ns) / 1e9 }) or operation
    end
    workloads[place] = plans.with(workload, { operations = operations })
  end
  return plans.with(plan, { steps = steps, workloads = workloads, ends_ns = plan.ends_ns + by_ns })
end

-- When the input before it is.
local function earliest_ns(plan, step)
  local latest = 0
  for _, one in ipairs(plan.steps) do
    if one == step then
      break
    end
    latest = one.at_ns
  end
  for _, workload in ipairs(plan.workloads) do
    for _, operation in ipairs(workload.operations) do
      local at_ns = math.floor(operation.at * 1e9 + 0.5)
      latest = at_ns < step.at_ns and math.max(latest, at_ns) or latest
    end
  end
  return latest
end

-- The first of some moments past which the plan fails no more when the fault is moved past it.
local function first_that_matters(given, moments, past_ns)
  for place = 1, math.min(#moments, EVENTS_MOST) do
    if given.is_spent() then
      return nil
    elseif not given.fails(moved(given.plan, given.step, ns_of(moments[place]) + past_ns)) then
      return moments[place]
    end
  end
end

--- Between which events a fault must come.
-- @tparam table given
-- @tparam table given.plan that fails
-- @tparam table given.step of it
-- @tparam table given.moments of window.until_step's run: { { time, text } }
-- @tparam function given.fails fails(plan) → whether it fails so
-- @tparam function given.is_spent
-- @treturn table { after, before }: the moments; nil: not so far as was looked
function window.find(given)
  local first_ns, step = earliest_ns(given.plan, given.step), given.step
  local earlier, later = {}, {}
  for _, moment in ipairs(given.moments) do
    local at_ns = ns_of(moment)
    if at_ns > first_ns and at_ns <= step.at_ns then
      table.insert(earlier, 1, moment)
    elseif at_ns > step.at_ns then
      later[#later + 1] = moment
    end
  end
  return { after = first_that_matters(given, earlier, -1), before = first_that_matters(given, later, 1) }
end

return window
