--- Whom a fault strikes, and by how much: all drawn from the nemesis' own stream.
-- @module raft.nemesis.pick

local pick = {}

--- A number from an interval.
-- @tparam table nemesis
-- @tparam number|table interval a number, or {min, max}
-- @treturn number
function pick.between(nemesis, interval)
  if type(interval) == "table" then
    return interval[1] + (interval[2] - interval[1]) * nemesis.stream:random()
  end
  return interval
end

--- One of a list.
-- @tparam table nemesis
-- @tparam table list
-- @return one
function pick.one(nemesis, list)
  return list[nemesis.stream:random(1, #list)]
end

--- One of a list whose items have weights.
-- @tparam table nemesis
-- @tparam table list
-- @treturn table one
function pick.weighted(nemesis, list)
  local sum = 0
  for _, one in ipairs(list) do
    sum = sum + (one.weight or 1)
  end
  local left = nemesis.stream:random() * sum
  for _, one in ipairs(list) do
    left = left - (one.weight or 1)
    if left < 0 then
      return one
    end
  end
  return list[#list]
end

--- Whether something of that chance happens.
-- @tparam table nemesis
-- @tparam number chance
-- @treturn boolean
function pick.chance(nemesis, chance)
  return nemesis.stream:random() < chance
end

--- The nodes that were not removed.
-- @tparam table nemesis
-- @treturn integer[]
function pick.ids(nemesis)
  local list = {}
  for _, id in ipairs(nemesis.cluster.core:ids()) do
    if nemesis.cluster.core:state(id) ~= "removed" then
      list[#list + 1] = id
    end
  end
  return list
end

--- They in a random order.
-- @tparam table nemesis
-- @treturn integer[]
function pick.shuffled(nemesis)
  local ids = pick.ids(nemesis)
  for place = #ids, 2, -1 do
    local other = nemesis.stream:random(1, place)
    ids[place], ids[other] = ids[other], ids[place]
  end
  return ids
end

-- Whether a's log is the longer one, as voters compare them.
local function is_longer(a, b)
  if a.term ~= b.term then
    return a.term > b.term
  elseif a.last ~= b.last then
    return a.last > b.last
  end
  return a.id < b.id
end

-- Of those that do not lead, by their logs: the longest or the shortest.
local function by_log(nemesis, wants_longest)
  local core, best = nemesis.cluster.core, nil
  for _, id in ipairs(pick.ids(nemesis)) do
    local last = core:status(id, "last_index")
    if last and core:status(id, "role") ~= "leader" then
      local log = { id = id, last = last, term = core:last_term(id) }
      if not best or is_longer(log, best) == wants_longest then
        best = log
      end
    end
  end
  return best and best.id
end

local function by_role(nemesis, wanted)
  local core, list = nemesis.cluster.core, {}
  for _, id in ipairs(pick.ids(nemesis)) do
    if wanted[core:status(id, "role")] then
      list[#list + 1] = id
    end
  end
  return #list > 0 and pick.one(nemesis, list) or nil
end

local policies = {}

function policies.any(nemesis)
  return pick.one(nemesis, pick.ids(nemesis))
end

-- The agreed one, or one that believes it leads.
function policies.leader(nemesis)
  local agreed = nemesis.cluster.core:leader()
  return agreed or by_role(nemesis, { leader = true })
end

-- One that leads and is not agreed on: cut off, or of an older term.
function policies.old_leader(nemesis)
  local list, agreed = {}, nemesis.cluster.core:leader()
  for _, one in ipairs(nemesis.cluster.core:leaders()) do
    list[#list + 1] = one.id ~= agreed and one.id or nil
  end
  return #list > 0 and pick.one(nemesis, list) or nil
end

function policies.follower(nemesis)
  return by_role(nemesis, { follower = true })
end

function policies.candidate(nemesis)
  return by_role(nemesis, { candidate = true, pre_candidate = true })
end

function policies.longest_log(nemesis)
  return by_log(nemesis, true)
end

function policies.shortest_log(nemesis)
  return by_log(nemesis, false)
end

-- The leader, or as likely anybody.
function policies.leader_or_any(nemesis)
  if pick.chance(nemesis, 0.5) then
    return policies.leader(nemesis)
  end
end

--- The names of what a target can be.
pick.policies = { "any", "leader", "old_leader", "follower", "candidate", "longest_log", "shortest_log",
  "leader_or_any" }

--- A node by a policy; where there is none of that kind, any. Kept with the fault, so that the action tells how its
-- target was chosen.
-- @tparam table c the fault's hand
-- @tparam ?string|integer|function target one of `pick.policies`, an id, or a function(c) that returns an id; nil: the
-- leader or any
-- @treturn integer
function pick.target(c, target)
  local nemesis = c.nemesis
  target = target or "leader_or_any"
  if type(target) == "number" then
    return target
  elseif type(target) == "function" then
    return target(c)
  end
  local id = policies[target](nemesis) or policies.any(nemesis)
  local core = nemesis.cluster.core
  local is_leader = core:leader() == id
  c.chosen[id] = is_leader and "leader" or target ~= "any" and target ~= "leader_or_any" and target ~= "leader"
    and target or core:status(id, "role") or "any"
  return id
end

--- The node that a role names now; nil: none.
-- @tparam table nemesis
-- @tparam string who as `action.who` has it
-- @treturn ?integer
function pick.resolve(nemesis, who)
  if policies[who] then
    return policies[who](nemesis)
  end
  return by_role(nemesis, { [who] = true })
end

return pick
