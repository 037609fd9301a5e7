--- Whether an action has changed something: a node that ran was crashed, a message was dropped or late, a disk was
-- slower or failed. An action that was only called counts for nothing.
-- @module raft.nemesis.effects

local effects = {}

local is_up = { running = true, starting = true, paused = true }

local function each(cluster, what)
  if what == "all" then
    return cluster:ids()
  end
  return type(what) == "table" and what or { what }
end

local function any_in(cluster, what, states)
  for _, id in ipairs(each(cluster, what)) do
    if states[cluster.core:state(id)] then
      return true
    end
  end
  return false
end

-- What a node is, for a call that may make something else of it.
local function stand(cluster, what)
  local words = {}
  for place, id in ipairs(each(cluster, what)) do
    local role, term = cluster.core:status(id, "role"), cluster.core:status(id, "term")
    words[place] = ("%s %s"):format(tostring(role), tostring(term))
  end
  return table.concat(words, ",")
end

-- ---- what is judged when the call returns -------------------------------------------------------------------------

-- verb → what is looked at before the call
local before = {
  crash = function(cluster, what) return any_in(cluster, what, is_up) end,
  pause = function(cluster, what) return any_in(cluster, what, { running = true, starting = true }) end,
  restart = function(cluster, what) return any_in(cluster, what, { crashed = true, failed = true }) end,
  resume = function(cluster, what) return any_in(cluster, what, { paused = true }) end,
  clock = function(cluster, what) return any_in(cluster, what, is_up) end,
  campaign = stand,
}

-- ---- what is judged when it ends ------------------------------------------------------------------------------------

local function drops(cluster)
  local sum = 0
  for _, id in ipairs(cluster.core:ids()) do
    sum = sum + cluster.core:stats(id).drops
  end
  return sum
end

-- How many messages of these links have been changed by faults of these kinds. Nodes that are processes count only
-- what they have dropped.
local function messages(cluster, kinds, from, to)
  if cluster.options.mode == "process" then
    return drops(cluster)
  end
  local counts, sum = cluster.core:fault_effects(from, to), 0
  for _, kind in ipairs(kinds) do
    sum = sum + counts[kind]
  end
  return sum
end

local function kinds_of(faults)
  local kinds = {}
  for _, name in ipairs { "cut", "drop", "duplicate", "reorder" } do
    kinds[#kinds + 1] = faults[name] and faults[name] ~= 0 and name or nil
  end
  if faults.delay or faults.bandwidth then
    kinds[#kinds + 1] = "delay"
  end
  return kinds
end

-- What its disks have done, and how many of the nodes have failed.
local function disk_work(cluster, what, faults)
  local sum = 0
  for _, id in ipairs(each(cluster, what)) do
    local syncs, bytes = cluster.core:disk_work(id)
    if faults.sync_delay then
      sum = sum + syncs
    elseif faults.stall then
      sum = sum + bytes
    end
    sum = sum + (cluster.core:state(id) == "failed" and 1 or 0)
  end
  return sum
end

-- verb → a number that rises while the action has an effect
local count = {
  partition = function(cluster) return messages(cluster, { "partition" }, "*", "*") end,
  disconnect = function(cluster, what)
    local sum = 0
    for _, id in ipairs(each(cluster, what)) do
      sum = sum + messages(cluster, { "disconnected" }, id, "*") + messages(cluster, { "disconnected" }, "*", id)
    end
    return sum
  end,
  link = function(cluster, from, to, faults)
    return faults and messages(cluster, kinds_of(faults), from, to) or 0
  end,
  disk = function(cluster, what, faults) return faults and disk_work(cluster, what, faults) or 0 end,
}

local function counted(nemesis, kept)
  local action = kept.action
  return count[action[1]](nemesis.cluster, action[2], action[3], action[4])
end

local function mark(kept)
  kept.action.had_effect = true
  kept.occurrence.had_effect = true
end

--- Looks before a call is made.
-- @tparam table nemesis
-- @tparam table kept what is kept of the action
-- @return what `after` wants to know
function effects.before(nemesis, kept)
  local action = kept.action
  if count[action[1]] then
    kept.count = counted(nemesis, kept)
  end
  if action[1] == "disk" and action[3] and action[3] ~= nemesis.base_disk then
    for _, id in ipairs(each(nemesis.cluster, action[2])) do
      nemesis.disk_hit[id], nemesis.last_disk[id] = true, kept
      nemesis.cluster.liar = (action[3].flip or action[3].misdirect_write) and id or nemesis.cluster.liar
    end
  end
  local look = before[action[1]]
  return look and look(nemesis.cluster, action[2])
end

--- Judges a call that has been made.
-- @tparam table nemesis
-- @tparam table kept
-- @param seen what `before` gave
-- @param result the first that the call gave back
function effects.after(nemesis, kept, seen, result)
  local action = kept.action
  action.had_effect = action.had_effect or false
  if count[action[1]] then
    return -- it is in force, and judged later
  elseif action[1] == "campaign" then
    seen = seen ~= stand(nemesis.cluster, action[2])
  elseif not before[action[1]] then
    seen = true
  end
  if seen and result ~= nil and result ~= false then
    mark(kept)
  end
end

--- Judges an action that has been in force: at its end, or so far.
-- @tparam table nemesis
-- @tparam table kept
function effects.settle(nemesis, kept)
  if kept.count and not kept.action.had_effect and counted(nemesis, kept) > kept.count then
    mark(kept)
  end
end

--- Judges messages that were to come late: by how many were taken.
-- @tparam table nemesis
-- @tparam table kept
function effects.late(nemesis, kept)
  if kept.late and nemesis.cluster.core:late_count(kept.late) > 0 then
    mark(kept)
  end
end

--- What happened to a node's disk by a fault of it is told by a notice.
-- @tparam table kept
function effects.seen(kept)
  mark(kept)
end

return effects
