--- Passes 2 and 3: whole kinds of input off, then faults and operations in chunks.
-- @module raft.shrink.kinds

local plans = require "raft.shrink.plan"

local kinds = {}

local REPLAYS_FOR_OPERATIONS = 40

local function names_in(plan)
  local seen, list = {}, {}
  for _, step in ipairs(plan.steps) do
    if not seen[step.name] and plans.sort(step) ~= "undo" then
      seen[step.name] = true
      list[#list + 1] = step.name
    end
  end
  return list
end

local function workloads_off(work)
  for place = #work.plan.workloads, 1, -1 do
    local rest = {}
    for other, workload in ipairs(work.plan.workloads) do
      rest[#rest + 1] = other ~= place and workload or nil
    end
    if work.plan.tail ~= "check" or #rest > 0 then
      work:try(plans.with(work.plan, { workloads = rest }))
    end
  end
end

-- Names in a fixed order.
local function option_names(options)
  local names = {}
  for name in pairs(options) do
    local is_frozen = options.election_timeout == math.huge and (name == "election_timeout" or name == "link")
    if name ~= "nodes" and name ~= "machine" and name ~= "invariants" and not is_frozen then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

local function options_off(work)
  local all = plans.shallow(work.plan.options)
  local names = option_names(all)
  for _, name in ipairs(names) do
    all[name] = nil
  end
  if #names == 0 or work:try(plans.with(work.plan, { options = all })) then
    return
  end
  for _, name in ipairs(names) do
    local options = plans.shallow(work.plan.options)
    options[name] = nil
    if work:try(plans.with(work.plan, { options = options })) and next(options) == nil then
      return
    end
  end
end

--- Whole kinds of input off: faults that changed nothing, each kind of call, each workload, each option back to its
-- default.
-- @tparam table work
function kinds.off(work)
  work:try_without(function(step) return step.is_idle end)
  for _, name in ipairs(names_in(work.plan)) do
    work:try_without(function(step) return step.name == name end)
  end
  workloads_off(work)
  options_off(work)
end

--- Faults in chunks, each with what ends it; then ends alone, then operations.
-- @tparam table work
-- @tparam ?integer replays at most for the operations
function kinds.chunks(work, replays)
  local function is(sort)
    return function(step) return plans.sort(step) == sort end
  end
  work:remove_steps(is "fault")
  work:remove_steps(is "election")
  work:remove_steps(is "operation")
  work:remove_steps(is "undo")
  work:remove_steps(is "check")
  for place = #work.plan.workloads, 1, -1 do
    work:remove_operations(place, replays and math.ceil(replays / #work.plan.workloads))
  end
end

--- The same in a round, after which others come.
-- @tparam table work
function kinds.most(work)
  kinds.chunks(work, REPLAYS_FOR_OPERATIONS)
end

return kinds
