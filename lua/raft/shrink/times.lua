--- Passes 1 and 5: the time before the first input, the gaps between inputs, and times that are easy to read.
-- @module raft.shrink.times

local plans = require "raft.shrink.plan"

local times = {}

local HALVINGS = 3 -- of one gap, in one round
local GAP_LEAST_NS = 1000000
local LEAD_NS = 500000000 -- until there is a leader

local function add(list, seen, at_ns)
  if not seen[at_ns] then
    seen[at_ns] = true
    list[#list + 1] = at_ns
  end
end

-- When something is done, and the end.
local function moments(plan)
  local list, seen = {}, {}
  for _, step in ipairs(plan.steps) do
    add(list, seen, step.at_ns)
  end
  for _, workload in ipairs(plan.workloads) do
    for _, operation in ipairs(workload.operations) do
      add(list, seen, math.floor(operation.at * 1e9 + 0.5))
    end
  end
  table.sort(list)
  return list
end

-- What lies between two moments takes so much less time.
local function closer(plan, from_ns, to_ns, less_ns)
  return plans.retime(plan, function(at_ns)
    if at_ns >= to_ns then
      return at_ns - less_ns
    elseif at_ns > from_ns then
      return math.min(at_ns, to_ns - less_ns)
    end
    return at_ns
  end)
end

-- Halves one gap as often as the plan still fails; first of all it tries to do without.
local function close_gap(work, from_ns, to_ns)
  if to_ns - from_ns < GAP_LEAST_NS then
    return
  elseif work:try_nicer(closer(work.plan, from_ns, to_ns, to_ns - from_ns)) then
    return
  end
  for _ = 1, HALVINGS do
    local less_ns = math.floor((to_ns - from_ns) / 2)
    if less_ns < GAP_LEAST_NS or not work:try_nicer(closer(work.plan, from_ns, to_ns, less_ns)) then
      return
    end
    to_ns = to_ns - less_ns
  end
end

-- What happens from a moment on, as if the run began a little before.
local function from(plan, first_ns)
  local less_ns = math.max(0, first_ns - LEAD_NS)
  local function stays(at_ns)
    return at_ns >= first_ns
  end
  local workloads = {}
  for place, workload in ipairs(plan.workloads) do
    workloads[place] = plans.with(workload, {
      operations = plans.filter(workload.operations, function(operation) return stays(operation.at * 1e9) end),
    })
  end
  local rest = plans.with(plan, {
    workloads = workloads, steps = plans.filter(plan.steps, function(step) return stays(step.at_ns) end),
  })
  return plans.retime(rest, function(at_ns) return math.max(0, at_ns - less_ns) end)
end

--- What came first, without which most failures come too: of a long run nearly all, or half, or a quarter.
-- @tparam table work
function times.beginning(work)
  for _, share in ipairs { 0.95, 0.85, 0.7, 0.5, 0.25 } do
    local last = work.plan.ends_ns
    while last > 2 * LEAD_NS and not work.oracle:is_spent()
      and work:try(from(work.plan, math.floor(last * share)), share) do
      if work.plan.ends_ns >= last then
        break
      end
      last = work.plan.ends_ns
    end
  end
end

-- What happens up to a moment, which is the end.
local function up_to(plan, last_ns)
  local workloads = {}
  for place, workload in ipairs(plan.workloads) do
    workloads[place] = plans.with(workload, {
      operations = plans.filter(workload.operations, function(operation) return operation.at * 1e9 <= last_ns end),
    })
  end
  return plans.with(plan, {
    ends_ns = last_ns, workloads = workloads,
    steps = plans.filter(plan.steps, function(step) return step.at_ns <= last_ns end),
  })
end

local function last_fault(plan)
  local last
  for _, step in ipairs(plan.steps) do
    if plans.sort(step) == "fault" then
      last = step.at_ns
    end
  end
  return last
end

--- The end of a run that is judged after it: nothing happens after the last fault, or the last input; or it ends
-- sooner.
-- @tparam table work
function times.ending(work)
  if work.plan.tail == "live" then
    local fault = last_fault(work.plan)
    if fault and fault < work.plan.ends_ns then
      work:try(up_to(work.plan, fault))
    end
    for _, share in ipairs { 0.3, 0.5, 0.75 } do
      while not work.oracle:is_spent() and work.plan.ends_ns > 2 * LEAD_NS
        and work:try(up_to(work.plan, math.floor(work.plan.ends_ns * share))) do
        work.changed = true
      end
    end
  end
  local list = moments(work.plan)
  local last = list[#list] or 0
  if work.plan.tail and last < work.plan.ends_ns then
    work:try(plans.with(work.plan, { ends_ns = last }))
  end
end

--- The time before the first input.
-- @tparam table work
function times.head(work)
  local first = moments(work.plan)[1]
  if first then
    close_gap(work, 0, first)
  end
end

--- All gaps at once, then each, the longest first.
-- @tparam table work
function times.gaps(work)
  local half = plans.retime(work.plan, function(at_ns) return math.floor(at_ns / 2) end)
  while #moments(work.plan) > 1 and work.plan.ends_ns > 100 * GAP_LEAST_NS and work:try(half) do
    half = plans.retime(work.plan, function(at_ns) return math.floor(at_ns / 2) end)
  end
  local count = #moments(work.plan)
  for place = count, 2, -1 do
    local list = moments(work.plan)
    if list[place] and not work.oracle:is_spent() then
      close_gap(work, list[place - 1], list[place])
    end
  end
  times.head(work)
end

-- To whole hundredths of a second, or thousandths.
function times.round(work)
  for _, unit_ns in ipairs { 50000000, 10000000, 1000000 } do
    local rounded = plans.retime(work.plan, function(at_ns)
      return math.floor(at_ns / unit_ns + 0.5) * unit_ns
    end)
    if work:try(rounded) then
      return
    end
  end
end

return times
