--- What a nemesis does to its cluster: each call is recorded as a plain action, its reverse is known, and it is judged
-- whether it changed something.
--
-- A fault is given a `c` of its own. What it calls there is done to the cluster; calls that change it are recorded, all
-- others are passed on. Once the fault has ended, or the nemesis has stopped, nothing is done any more.
-- @module raft.nemesis.hand

local effects = require "raft.nemesis.effects"

local hand = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

-- The ids that a call names.
local function ids_of(cluster, what)
  if what == "all" then
    local list = {}
    for _, id in ipairs(cluster:ids()) do
      if cluster.core:state(id) ~= "removed" then
        list[#list + 1] = id
      end
    end
    return list
  end
  return type(what) == "table" and what or { what }
end

-- An end of a link, or an id, in a name.
local function word_of(id)
  return type(id) == "number" and ("%.0f"):format(id) or tostring(id)
end

-- What a call leaves in force, and what it ends: lists of names under which actions are kept until they are ended.
local function of_each(word)
  return function(cluster, what)
    local names = {}
    for place, id in ipairs(ids_of(cluster, what)) do
      names[place] = ("%s/%s"):format(word, word_of(id))
    end
    return names
  end
end

-- The same of those nodes that are in one of these states: the others it leaves as they are.
local function of_each_in(word, states)
  return function(cluster, what)
    local names = {}
    for _, id in ipairs(ids_of(cluster, what)) do
      names[#names + 1] = states[cluster.core:state(id)] and ("%s/%s"):format(word, word_of(id)) or nil
    end
    return names
  end
end

local function is_plain_clock(clock)
  return type(clock) == "table" and (clock.rate or 1) == 1 and (clock.offset or 0) == 0
end

-- What it does always in this run is no fault.
local function is_plain_disk(nemesis, _, faults)
  return faults == nil or faults == nemesis.base_disk or next(faults) == nil
end

local function is_plain_partition(_, ...)
  for place = 1, select("#", ...) do
    local group = select(place, ...)
    if type(group) == "table" and #group > 0 then
      return false
    end
  end
  return true
end

-- Verb → { names: of what it is about; begins: of what it puts in force, where that is less; is_end(nemesis, ...):
-- whether it takes back rather than does }.
local verbs = {
  crash = { names = of_each "crash", begins = of_each_in("crash", { running = true, starting = true, paused = true }) },
  restart = { names = of_each "crash", is_end = function() return true end },
  pause = { names = of_each "pause", begins = of_each_in("pause", { running = true, starting = true }) },
  resume = { names = of_each "pause", is_end = function() return true end },
  disconnect = { names = of_each "disconnect" },
  reconnect = { names = of_each "disconnect", is_end = function() return true end },
  clock = { names = of_each "clock", is_end = function(_, _, clock) return is_plain_clock(clock) end },
  disk = { names = of_each "disk", is_end = is_plain_disk },
  partition = { names = function() return { "partition" } end, is_end = is_plain_partition },
  link = {
    names = function(_, from, to) return { ("link/%s/%s"):format(word_of(from), word_of(to)) } end,
    is_end = function(_, _, _, faults) return faults == nil end,
  },
  heal = { names = function() return {} end },
}
for name in ("campaign transfer_leader compact change_members add_servers remove_servers add_learners promote submit "
  .. "propose set delete cas"):gmatch "[%a_]+" do
  verbs[name] = {}
end

local id_of = function(name)
  return tonumber(name:match "/(%d+)$")
end

-- How a fault in force is taken back, by what its name begins with.
local reverse = {}

function reverse.crash(c, name)
  c.nemesis:bring_up(c, id_of(name))
end

function reverse.pause(c, name)
  if c.nemesis.cluster.core:state(id_of(name)) == "paused" then
    c:resume(id_of(name))
  end
end

function reverse.disconnect(c, name)
  c:reconnect(id_of(name))
end

function reverse.clock(c, name)
  c:clock(id_of(name), { rate = 1, offset = 0 })
end

function reverse.disk(c, name)
  c:disk(id_of(name), c.nemesis.base_disk)
end

function reverse.partition(c)
  c:partition({})
end

function reverse.link(c, name)
  local from, to = name:match "^link/([^/]+)/([^/]+)$"
  c:link(tonumber(from) or from, tonumber(to) or to, nil)
end

local function copy(value)
  if type(value) ~= "table" then
    return value
  end
  local to = {}
  for key, one in pairs(value) do
    to[key] = copy(one)
  end
  return to
end

-- Functions have no place in a list of plain actions.
local function is_plain(value)
  if type(value) == "table" then
    for _, one in pairs(value) do
      if not is_plain(one) then
        return false
      end
    end
    return true
  end
  return type(value) ~= "function" and type(value) ~= "userdata" and type(value) ~= "thread"
end

-- What was in force under these names is so no longer; the position of the latest that was.
local function ended(nemesis, names)
  local position
  for _, name in ipairs(names) do
    local action = nemesis.in_force[name]
    if action then
      effects.settle(nemesis, action)
      nemesis.in_force[name] = nil
      position = math.max(position or 0, action.position)
      for place, one in ipairs(nemesis.names_in_force) do
        if one == name then
          table.remove(nemesis.names_in_force, place)
          break
        end
      end
    end
  end
  return position
end

-- From now on these are in force by that action.
local function begun(nemesis, names, action)
  for _, name in ipairs(names) do
    nemesis.in_force[name] = action
    nemesis.names_in_force[#nemesis.names_in_force + 1] = name
  end
end

hand.begun, hand.ended = begun, ended

local function all_links(nemesis)
  local names = {}
  for _, name in ipairs(nemesis.names_in_force) do
    if name:find "^link/" or name:find "^disconnect/" or name == "partition" then
      names[#names + 1] = name
    end
  end
  return names
end

--- Keeps an action in the list.
-- @tparam table c a fault's hand
-- @tparam string verb
-- @tparam integer count how many arguments follow
-- @treturn table the action
function hand.record(c, verb, count, ...)
  local nemesis = c.nemesis
  local action = { at = nemesis.cluster:now(), verb }
  for place = 1, count do
    action[place + 1] = copy((select(place, ...)))
  end
  action.who = c.chosen[action[2]] -- and not [(...)]: LuaJIT compiles that wrongly here
  action.kind = c.kind
  nemesis.actions[#nemesis.actions + 1] = action
  nemesis.kept[action] = { position = #nemesis.actions, occurrence = c, action = action }
  c.kept[#c.kept + 1] = nemesis.kept[action]
  return nemesis.kept[action]
end

-- What a call gave back, for whether it had an effect, and whether this world can do it at all.
local function done(nemesis, kept, before, ...)
  effects.after(nemesis, kept, before, ...)
  local result, message, code = ...
  if result == nil and kept.count then -- nothing came of it
    kept.count = nil
    ended(nemesis, kept.names)
  end
  if result == nil and code == "unsupported" then
    nemesis:leave_out(kept.occurrence.kind, message)
  end
  return ...
end

local REFUSED = "the nemesis has stopped, or this fault of it has ended"

local function call(c, verb, method, ...)
  local nemesis = c.nemesis
  if c.is_over then
    return nil, REFUSED, "closed", {}
  end
  local about, count = verbs[verb], select("#", ...)
  if not c.is_recorded or not is_plain { ... } then
    return method(nemesis.cluster, ...)
  end
  local kept = hand.record(c, verb, count, ...)
  local find = about.begins or about.names
  local names = find and find(nemesis.cluster, ...) or {}
  if verb == "heal" then
    names = all_links(nemesis)
  end
  kept.names = names
  local before = effects.before(nemesis, kept)
  kept.action.undoes = ended(nemesis, names)
  if about.names and verb ~= "heal" and not (about.is_end and about.is_end(nemesis, ...)) then
    kept.action.undoes = nil -- another of the same took its place
    begun(nemesis, names, kept)
  end
  return done(nemesis, kept, before, method(nemesis.cluster, ...))
end

local Hand = {}

-- Subscriptions end with the fault.
function Hand.on(c, filter, f)
  local stop = c.nemesis.cluster:on(filter, function(event)
    if not c.is_over then
      f(event)
    end
  end)
  c.stops[#c.stops + 1] = stop
  return stop
end

function Hand.after(c, s, f)
  return c.nemesis.cluster:after(s, function()
    if not c.is_over then
      f()
    end
  end)
end

local metatable = { __name = "raft.cluster" }

function metatable.__index(c, name)
  local own = Hand[name]
  if own then
    return own
  end
  local nemesis = rawget(c, "nemesis")
  local method = nemesis.cluster[name]
  if type(method) ~= "function" then
    return method
  elseif verbs[name] then
    return function(self, ...)
      return call(self, name, method, ...)
    end
  end
  return function(_, ...)
    return method(nemesis.cluster, ...)
  end
end

function metatable.__tostring(c)
  return tostring(c.nemesis.cluster.handle)
end

--- A fault's own `c`.
-- @tparam table nemesis
-- @tparam ?string kind the fault's name
-- @treturn table
function hand.new(nemesis, kind)
  return setmetatable({
    nemesis = nemesis, kind = kind, chosen = {}, kept = {}, stops = {}, is_over = false, is_recorded = true,
  }, metatable)
end

--- Whether there is such a call, to be recorded and done again.
-- @tparam string verb
-- @treturn boolean
function hand.has(verb)
  return verbs[verb] ~= nil
end

--- Takes back what of these names is still in force, the latest first.
-- @tparam table c the hand that does it
-- @tparam string[] names
function hand.take_back(c, names)
  for place = #names, 1, -1 do
    local name = names[place]
    if c.nemesis.in_force[name] then
      reverse[name:match "^%a+"](c, name)
      ended(c.nemesis, { name })
    end
  end
end

--- What a fault has done that is still in force.
-- @tparam table c its hand
-- @treturn string[] names
function hand.left(c)
  local names = {}
  for _, name in ipairs(c.nemesis.names_in_force) do
    if c.nemesis.in_force[name].occurrence == c then
      names[#names + 1] = name
    end
  end
  return names
end

--- No call of a fault does anything from now on.
-- @tparam table c its hand
function hand.close(c)
  c.is_over = true
  for _, stop in ipairs(c.stops) do
    stop()
  end
  c.stops = {}
end

hand.unpack = unpack

return hand
