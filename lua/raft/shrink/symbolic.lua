--- Symbolic targets: whom a fault hits is not node 3 but the leader then, or the second of the others. Where something
-- is taken away elections go otherwise, and a fault that names a node hits somebody else than it did; one that names a
-- role does not. Ids become places in a list of the nodes, the leader first and the others in order; what ends a fault
-- is about the nodes that the fault hit.
--
-- Only replays know places: before a plan is printed it names nodes again.
-- @module raft.shrink.symbolic

local nodes = require "raft.shrink.nodes"
local plans = require "raft.shrink.plan"

local symbolic = {}

local Roles = {}
Roles.__index = Roles

--- Who has which place, all along a run.
-- @tparam raft.cluster c
-- @treturn table
function symbolic.roles(c)
  return setmetatable({ c = c, leader = false, of_step = {} }, Roles)
end

-- The nodes now, the leader first: who leads, or led last.
function Roles:list()
  self.leader = self.c:leader() or self.leader
  local list = self.leader and { self.leader } or {}
  for _, id in ipairs(self.c:ids()) do
    if id ~= self.leader then
      list[#list + 1] = id
    end
  end
  return list
end

-- The list that a step goes by: that of now, or what it had that it ends.
function Roles:of(step)
  local list = step.undoes and self.of_step[step.undoes] or self:list()
  self.of_step[step] = list
  return list
end

local function has_ids(step)
  local sort = plans.sort(step)
  return (sort == "fault" or sort == "undo") and not step.session
end

--- A step that names nodes in place of one that has places.
-- @tparam table step
-- @treturn ?table nil: it names one that is not there
function Roles:fixed(step)
  if not step.is_symbolic then
    return step
  end
  local list = self:of(step)
  return nodes.renamed(step, function(place) return list[place] end)
end

-- A step that has places in place of one that names nodes; the step itself where it names one that is not there.
function Roles:placed(step)
  if not has_ids(step) then
    return step
  end
  local list, places = self:of(step), {}
  for place, id in ipairs(list) do
    places[id] = place
  end
  local other = nodes.renamed(step, function(id) return places[id] end)
  return other and plans.with(other, { is_symbolic = true }) or step
end

--- A plan with other steps in the places of its own, which end one another as those do.
-- @tparam table plan
-- @tparam table steps by their place; nil: as it is
-- @treturn table
function symbolic.with(plan, steps)
  local list, made = {}, {}
  for place, step in ipairs(plan.steps) do
    local other = steps[place] or step
    made[step] = plans.with(other, { undoes = step.undoes and made[step.undoes] })
    list[place] = made[step]
  end
  return plans.with(plan, { steps = list })
end

return symbolic
