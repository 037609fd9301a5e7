--- Pass 4: fewer nodes. A node goes with the steps that name it; those behind it move up.
-- @module raft.shrink.nodes

local plans = require "raft.shrink.plan"
local source = require "raft.script.source"

local nodes = {}

-- Which arguments of a call are ids: a number, a list, "all".
local ids_first = {}
for name in ("crash pause resume restart reconnect disconnect campaign transfer_leader compact clock disk add_servers "
  .. "remove_servers add_learners promote submit"):gmatch "[%a_]+" do
  ids_first[name] = true
end

-- An argument with other ids; nil: nothing is left of it.
local function renamed(value, rename)
  if type(value) == "number" then
    return rename(value)
  elseif type(value) ~= "table" then
    return value
  end
  local list = {}
  for _, id in ipairs(value) do
    list[#list + 1] = rename(id)
  end
  return #list > 0 and list or nil
end

-- The options at a call's end may name a node.
local function rename_node(step, rename)
  for place = 1, step.count do
    local value = step[place]
    if type(value) == "table" and type(value.node) == "number" then
      value.node = rename(value.node)
      if not value.node then
        return nil
      end
    end
  end
  return step
end

local function rename_members(step, rename)
  local wanted = step[1]
  if type(wanted) ~= "table" then
    return step
  end
  wanted.voters = renamed(wanted.voters, rename)
  wanted.learners = renamed(wanted.learners, rename)
  return wanted.voters and step or nil
end

local function rename_groups(step, rename)
  local count = 0
  for place = 1, step.count do
    local group = renamed(step[place], rename)
    step[place] = nil
    if group then
      count = count + 1
      step[count] = group
    end
  end
  step.count = count
  return count > 0 and step or nil
end

local function rename_places(step, rename, last)
  for place = 1, last do
    local value = step[place]
    step[place] = renamed(value, rename)
    if value ~= nil and step[place] == nil then
      return nil
    end
  end
  return step
end

local function rename_ends(step, rename)
  for _, name in ipairs { "from", "to", "node", "victim" } do
    local value = step[1][name]
    step[1][name] = renamed(value, rename)
    if value ~= nil and step[1][name] == nil then
      return nil
    end
  end
  return step
end

-- A step with other ids; nil: it named one that is gone.
local function rename_step(old, rename)
  local step = plans.shallow(old)
  for place = 1, step.count do
    step[place] = source.copy(step[place])
  end
  if step.name == "partition" then
    return rename_groups(step, rename)
  elseif step.name == "change_members" then
    return rename_members(step, rename) and rename_node(step, rename)
  elseif step.name == "link" or step.name == "call" then
    return rename_places(step, rename, 2)
  elseif ids_first[step.name] then
    return rename_places(step, rename, 1) and rename_node(step, rename)
  elseif type(step[1]) == "table" and plans.sort(step) == "fault" then
    return rename_ends(step, rename)
  end
  return rename_node(step, rename)
end

--- A step of other nodes.
-- @tparam table step
-- @tparam function rename rename(id) → id
-- @treturn ?table another step; nil: it named one that is gone
function nodes.renamed(step, rename)
  return rename_step(step, rename)
end

local function rename_operations(operations, rename)
  local list = {}
  for _, operation in ipairs(operations) do
    if type(operation.node) ~= "number" then
      list[#list + 1] = operation
    elseif rename(operation.node) then
      list[#list + 1] = plans.with(operation, { node = rename(operation.node) })
    end
  end
  return list
end

-- The plan with other ids, of so many nodes.
local function rename_plan(plan, rename, count)
  local steps, made = {}, {}
  for _, old in ipairs(plan.steps) do
    local step = rename_step(old, rename)
    made[old] = step
    if step then
      step.undoes = old.undoes and made[old.undoes] or nil
      steps[#steps + 1] = step
    end
  end
  local workloads = {}
  for place, workload in ipairs(plan.workloads) do
    workloads[place] = plans.with(workload, { operations = rename_operations(workload.operations, rename) })
  end
  return plans.with(plan, {
    steps = steps, workloads = workloads, options = plans.with(plan.options, { nodes = count }),
  })
end

local function is_named(plan, gone)
  local named = false
  rename_plan(plan, function(id)
    named = named or id == gone
    return id
  end, 0)
  return named
end

-- Without some nodes; the ids above them move down.
local function without(plan, gone, count)
  return rename_plan(plan, function(id)
    local lower = 0
    for _, one in ipairs(gone) do
      if one == id then
        return nil
      end
      lower = lower + (one < id and 1 or 0)
    end
    return id - lower
  end, count - #gone)
end

-- The nodes, those that no step names first.
local function in_order(plan, count)
  local free, named = {}, {}
  for id = count, 1, -1 do
    local list = is_named(plan, id) and named or free
    list[#list + 1] = id
  end
  for _, id in ipairs(named) do
    free[#free + 1] = id
  end
  return free
end

local function try_pairs(work, count)
  local ids = in_order(work.plan, count)
  for first = 1, #ids - 1 do
    for second = first + 1, #ids do
      if work.oracle:is_spent() then
        return false
      elseif work:try_nicer(without(work.plan, { ids[first], ids[second] }, count)) then
        return true
      end
    end
  end
  return false
end

local function try_singles(work, count)
  for _, id in ipairs(in_order(work.plan, count)) do
    if work.oracle:is_spent() then
      return false
    elseif work:try_nicer(without(work.plan, { id }, count)) then
      return true
    end
  end
  return false
end

--- Whether steps have places for nodes (raft.shrink.symbolic).
-- @tparam table plan
-- @treturn boolean
function nodes.has_places(plan)
  for _, step in ipairs(plan.steps) do
    if step.is_symbolic then
      return true
    end
  end
  return false
end

--- Two nodes less, or one, as often as the plan still fails.
-- @tparam table work
function nodes.fewer(work)
  if work.is_rare or nodes.has_places(work.plan) then
    return -- with fewer nodes all is drawn anew
  end
  while type(work.plan.options.nodes) == "number" and not work.plan.options.state do
    local count = work.plan.options.nodes
    if not (count > 2 and try_pairs(work, count) or count > 1 and try_singles(work, count)) then
      return
    end
  end
end

return nodes
