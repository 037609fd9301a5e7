--- Recorded actions, done again: each at its time, in a client of its own where it may wait.
-- @module raft.nemesis.replay

local ambush = require "raft.nemesis.ambush"
local arguments = require "raft.arguments"
local hand = require "raft.nemesis.hand"
local late = require "raft.nemesis.late"
local pick = require "raft.nemesis.pick"

local replay = {}

local unpack = hand.unpack

-- Verbs that are the nemesis' own.
local own = {
  ambush = ambush.set,
  late = late.set,
}

-- Verbs that wait for something.
local waits = {}
for name in ("restart transfer_leader compact change_members add_servers remove_servers add_learners promote propose "
  .. "set delete cas"):gmatch "[%a_]+" do
  waits[name] = true
end

--- Checks a list of actions.
-- @tparam table list
-- @treturn table a copy in order of time
function replay.check(list)
  if type(list) ~= "table" then
    arguments.fail("options.actions", "a list of actions", list)
  end
  local sorted = {}
  for place, action in ipairs(list) do
    local name = ("options.actions[%d]"):format(place)
    if type(action) ~= "table" or type(action.at) ~= "number" or not (action.at >= 0) then
      arguments.fail(name, "a table { at = seconds, VERB, arguments }", action)
    elseif not hand.has(action[1]) and not own[action[1]] then
      arguments.raise("bad argument '%s' (there is no action '%s')", name, tostring(action[1]))
    end
    sorted[place] = { action = action, place = place }
  end
  table.sort(sorted, function(a, b)
    if a.action.at ~= b.action.at then
      return a.action.at < b.action.at
    end
    return a.place < b.place
  end)
  for place, one in ipairs(sorted) do
    sorted[place] = one.action
  end
  return sorted
end

local function is_known(nemesis, id)
  return type(id) ~= "number" or nemesis.cluster.core:state(id) ~= nil
end

-- The last argument that is there: a list of actions has no room for nil.
local function count_of(action)
  local count = 0
  for place in pairs(action) do
    if type(place) == "number" and place > count then
      count = place
    end
  end
  return count
end

local takes_servers = { change_members = true, add_servers = true, add_learners = true }

-- Does it; what the present state refuses (a node that is not there) is passed over.
local function perform(nemesis, c, action)
  local verb, count = action[1], count_of(action)
  if own[verb] then
    own[verb](c, action[2])
    return
  end
  local first = action[2]
  if nemesis.symbolic and action.who and type(first) == "number" then
    first = pick.resolve(nemesis, action.who) or first
    c.chosen[first] = action.who
  end
  local is_list = type(first) == "table" and not takes_servers[verb] and verb ~= "partition"
  for _, id in ipairs(is_list and first or { first }) do
    if not is_known(nemesis, id) then
      return
    end
  end
  if verb == "restart" then
    nemesis:bring_up(c, first)
  elseif verb == "link" then
    if is_known(nemesis, action[3]) then
      c:link(first, action[3], action[4])
    end
  else
    c[verb](c, first, unpack(action, 3, count))
  end
end

--- Whether one of these actions is a change of members.
-- @tparam table list
-- @treturn boolean
function replay.changes_members(list)
  for _, action in ipairs(list) do
    if takes_servers[action[1]] or action[1] == "remove_servers" or action[1] == "promote" then
      return true
    end
  end
  return false
end

--- Starts to do actions again.
-- @tparam table nemesis
-- @tparam table list as `replay.check` gives it
function replay.start(nemesis, list)
  nemesis:spawn(function()
    for _, action in ipairs(list) do
      nemesis:sleep_until(action.at)
      if nemesis.is_over then
        return
      end
      local c = hand.new(nemesis, action.kind or action[1])
      c.chosen[action[2] or false] = action.who
      nemesis:begin_fault(c)
      if waits[action[1]] then
        nemesis:spawn(function()
          perform(nemesis, c, action)
        end)
      else
        perform(nemesis, c, action)
      end
    end
  end)
end

return replay
