--- Plans as text and back: what a child is sent, and what tells equal candidates.
-- @module raft.shrink.text

local core = require "raft.core"
local source = require "raft.script.source"

local text = {}

local load_text = loadstring or load -- luacheck: ignore 113

local Writer = {}
Writer.__index = Writer

--- A writer; functions (a machine, say) are kept by number, for a child that is made after the first plan was written.
-- @treturn table
function text.writer()
  local self = setmetatable({ kept = {}, numbers = {}, of_step = setmetatable({}, { __mode = "k" }) }, Writer)
  self.context = { write_function = function(f) return self:keep(f) end }
  return self
end

function Writer:keep(f)
  if not self.numbers[f] then
    self.kept[#self.kept + 1] = f
    self.numbers[f] = #self.kept
  end
  return ("kept[%d]"):format(self.numbers[f])
end

function Writer:value(value)
  return assert(source.write(value, self.context))
end

-- A step without what it undoes: that is found again where it is read.
function Writer:step(step)
  local known = self.of_step[step]
  if known then
    return known
  end
  local parts = {}
  for place = 1, step.count do
    parts[place] = ("[%d] = %s"):format(place, self:value(step[place]))
  end
  for _, name in ipairs { "name", "count", "at_ns", "client", "session", "is_direct", "is_symbolic" } do
    parts[#parts + 1] = ("%s = %s"):format(name, self:value(step[name]))
  end
  known = "{ " .. table.concat(parts, ", ") .. " }"
  self.of_step[step] = known
  return known
end

-- A workload; its operations are written once each.
function Writer:workload(workload)
  local parts, operations = {}, {}
  for _, name in ipairs(source.keys(workload)) do
    if name ~= "operations" then
      parts[#parts + 1] = ("%s = %s"):format(name, self:value(workload[name]))
    end
  end
  for place, operation in ipairs(workload.operations) do
    local known = self.of_step[operation]
    if not known then
      known = self:value(operation)
      self.of_step[operation] = known
    end
    operations[place] = known
  end
  return ("{ %s, operations = {\n%s } }"):format(table.concat(parts, ", "), table.concat(operations, ",\n"))
end

-- Which steps end which, by their places, where that cannot be found again by the nodes that they name.
local function undone(plan)
  local place_of, list = {}, {}
  for place, step in ipairs(plan.steps) do
    place_of[step] = place
    if step.is_symbolic and step.undoes and place_of[step.undoes] then
      list[#list + 1] = ("[%d] = %d"):format(place, place_of[step.undoes])
    end
  end
  return #list > 0 and ("{ %s }"):format(table.concat(list, ", ")) or "nil"
end

--- A plan as text.
-- @tparam table plan
-- @treturn string
function Writer:plan(plan)
  local steps = {}
  for place, step in ipairs(plan.steps) do
    steps[place] = self:step(step)
  end
  local workloads = {}
  for place, workload in ipairs(plan.workloads) do
    workloads[place] = self:workload(workload)
  end
  local form = "return { options = %s, ends_ns = %d, tail = %s, reason = %s, events_most = %s, undone = %s, "
    .. "workloads = { %s }, steps = {\n%s } }"
  return form:format(self:value(plan.options), plan.ends_ns, self:value(plan.tail), self:value(plan.reason),
    self:value(plan.events_most), undone(plan), table.concat(workloads, ",\n"), table.concat(steps, ",\n"))
end

--- The plan again.
-- @tparam string written
-- @treturn table
function Writer:read(written)
  local plan = assert(load_text(("local kept, raft = ... %s"):format(written)))(self.kept, { null = core.null })
  for place, before in pairs(plan.undone or {}) do -- each on its own
    plan.steps[place].undoes = plan.steps[before]
  end
  return plan
end

--- A step again.
-- @tparam string written as Writer:step writes it
-- @treturn table
function Writer:read_step(written)
  return assert(load_text(("local kept, raft = ... return %s"):format(written)))(self.kept, { null = core.null })
end

return text
