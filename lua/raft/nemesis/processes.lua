--- Crashes and pauses: of one node, of several, of all at once, one after the other, and at the very moment at which a
-- node does something.
-- @module raft.nemesis.processes

local ambush = require "raft.nemesis.ambush"
local pick = require "raft.nemesis.pick"

local processes = {}

-- So many ids: a number of them, "some" (each as likely as not), "minority", "majority" or "all"; the target first.
local function several(c, given, otherwise)
  local count = given.count or otherwise
  local ids = pick.shuffled(c.nemesis)
  if count == "some" then
    local list = {}
    for _, id in ipairs(ids) do
      list[#list + 1] = pick.chance(c.nemesis, 0.5) and id or nil
    end
    return #list > 0 and list or { pick.target(c, given.target) }
  end
  local wanted = count == "all" and #ids or count == "minority" and math.floor((#ids - 1) / 2)
    or count == "majority" and math.floor(#ids / 2) + 1 or count
  local list = { pick.target(c, given.target) }
  for _, id in ipairs(ids) do
    if #list < wanted and id ~= list[1] then
      list[#list + 1] = id
    end
  end
  return list
end

local counts = { some = true, minority = true, majority = true, all = true }

local function is_count(value)
  return counts[value] or type(value) == "number" and value >= 1 and value % 1 == 0
end

local count_option = { 'a number of nodes, "some", "minority", "majority" or "all"', is_count }

processes.crash = {
  options = { target = true, count = count_option },
  start = function(c, given)
    for _, id in ipairs(several(c, given, 1)) do
      c:crash(id)
    end
  end,
}

processes.pause = {
  options = { target = true, count = count_option },
  start = function(c, given)
    for _, id in ipairs(several(c, given, 1)) do
      c:pause(id)
    end
  end,
}

-- The power fails everywhere and is back at once, or nearly.
processes.power_cut = {
  options = { off = { "seconds or {min, max}", "interval" } },
  start = function(c, given)
    local ids = pick.ids(c.nemesis)
    for _, id in ipairs(ids) do
      c:crash(id)
    end
    local off = given.off and pick.between(c.nemesis, given.off)
      or pick.chance(c.nemesis, 0.5) and 0 or c.nemesis.stream:random() * 0.3
    c:sleep(off)
    for _, id in ipairs(ids) do
      c.nemesis:bring_up(c, id)
    end
  end,
}

-- Each node once, the next when the one before is back.
processes.rolling_restart = {
  options = { off = { "seconds or {min, max}", "interval" }, gap = { "seconds or {min, max}", "interval" } },
  start = function(c, given)
    for _, id in ipairs(pick.shuffled(c.nemesis)) do
      c:crash(id)
      c:sleep(pick.between(c.nemesis, given.off or { 0, 0.3 }))
      c.nemesis:bring_up(c, id)
      c:sleep(pick.between(c.nemesis, given.gap or { 0, 0.5 }))
      if c.is_over then
        return
      end
    end
  end,
}

-- Whatever is down comes back before its time.
processes.restart = {
  options = {},
  start = function(c)
    for _, id in ipairs(pick.ids(c.nemesis)) do
      local state = c.nemesis.cluster.core:state(id)
      if state == "paused" and c.nemesis.in_force["pause/" .. id] then
        c:resume(id)
      elseif state == "crashed" and c.nemesis.in_force["crash/" .. id] then
        c.nemesis:bring_up(c, id)
      end
    end
  end,
}

local moments = { "vote", "append", "truncate", "role", "sync", "match" }

-- The next node that votes, appends and so on is struck in the same instant, before its disk has it.
processes.ambush = {
  options = {
    at = { "a kind of event, or a list of them", function(value)
      return type(value) == "string" or type(value) == "table"
    end },
    act = { '"crash", "pause" or "disconnect"', function(value) return ambush.acts[value] ~= nil end },
    target = true,
  },
  start = function(c, given)
    local at = given.at or moments
    local stream = c.nemesis.stream
    ambush.set(c, {
      kind = type(at) == "table" and pick.one(c.nemesis, at) or at,
      act = given.act or "crash",
      node = given.target and pick.target(c, given.target) or nil,
      skip = pick.chance(c.nemesis, 0.7) and 0 or stream:random(1, 5),
      back = pick.chance(c.nemesis, 0.5) and stream:random() * 0.05 or stream:random() * 2,
    })
  end,
}

return processes
