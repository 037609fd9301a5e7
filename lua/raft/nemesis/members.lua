--- Members that come and go, ids that were removed and come back, some that only learn; and what may happen meanwhile.
-- @module raft.nemesis.members

local ambush = require "raft.nemesis.ambush"
local pick = require "raft.nemesis.pick"

local members = {}

local MEMBERS_MOST = 7

-- How many voters each configuration has at least: where a disk lies it must be a minority of each.
local function least(nemesis)
  return nemesis.cluster.has_lies and 3 or 1
end

-- Ids of this cluster, of its first nodes and a few more.
local function ids_of_all(nemesis)
  local list, highest = {}, 0
  for _, id in ipairs(nemesis.cluster.core:ids()) do
    list[#list + 1], highest = id, math.max(highest, id)
  end
  while #list < nemesis.first_count + 2 do
    highest = highest + 1
    list[#list + 1] = highest
  end
  return list
end

local function some_members(nemesis)
  local wanted, most = { voters = {}, learners = {} }, math.max(MEMBERS_MOST, nemesis.first_count)
  for _, id in ipairs(ids_of_all(nemesis)) do
    local luck = nemesis.stream:random(1, 10)
    if luck <= 5 and #wanted.voters < most then
      wanted.voters[#wanted.voters + 1] = id
    elseif luck == 6 then
      wanted.learners[#wanted.learners + 1] = id
    end
  end
  return #wanted.voters >= least(nemesis) and wanted or nil
end

local function without(list, id)
  local rest = {}
  for _, one in ipairs(list) do
    rest[#rest + 1] = one ~= id and one or nil
  end
  return rest
end

-- To exactly some voters and learners, whoever they were.
members.change_members = {
  options = {}, changes_members = true,
  start = function(c)
    local wanted = some_members(c.nemesis)
    if wanted then
      c:change_members(wanted, { timeout = 1.5 })
    end
  end,
}

-- Where voters must not get too few, by naming those that stay: another change may be under way.
local function remove_one(c, present, id)
  if least(c.nemesis) > 1 then
    c:change_members({ voters = without(present.voters, id), learners = present.learners }, { timeout = 1.5 })
  else
    c:remove_servers({ id }, { timeout = 1.5 })
  end
end

-- One alone is added or removed.
members.change_one = {
  options = {}, changes_members = true,
  start = function(c)
    local present = c:members()
    if not present or present.voters_old then
      return
    end
    if pick.chance(c.nemesis, 0.5) and #present.voters > least(c.nemesis) then
      remove_one(c, present, pick.one(c.nemesis, present.voters))
    elseif #present.voters < MEMBERS_MOST then
      c:add_servers({ pick.one(c.nemesis, ids_of_all(c.nemesis)) }, { timeout = 1.5 })
    end
  end,
}

-- Asked of a leader that only a few can hear: it takes the change into its log and cannot commit it.
members.change_cut_off = {
  options = {}, changes_members = true,
  start = function(c)
    local wanted, leader = some_members(c.nemesis), c:leader()
    if not wanted or not leader then
      return
    end
    local group = { leader }
    local other = pick.target(c, "any")
    if pick.chance(c.nemesis, 0.5) and other ~= leader then
      group[2] = other
    end
    c:partition(group)
    c:change_members(wanted, { node = leader, timeout = 0.3 + c.nemesis.stream:random() })
  end,
}

-- New members are crashed while they catch up, or the leader that they catch up from.
members.change_then_crash = {
  options = {}, changes_members = true,
  start = function(c)
    local nemesis, stream = c.nemesis, c.nemesis.stream
    local wanted = some_members(nemesis)
    if not wanted or not c:change_members(wanted, { wait = false, timeout = 1 }) then
      return
    end
    for _ = 1, stream:random(1, 3) do
      c:sleep(stream:random() * 0.1)
      local id = pick.chance(nemesis, 1 / 3) and c:leader() or pick.one(nemesis, wanted.voters)
      c:crash(id)
      c:sleep(stream:random() * 0.1)
      nemesis:bring_up(c, id)
    end
  end,
}

-- One is removed and comes back at once with an empty disk, while what its former life said is still under way.
members.come_back = {
  options = {}, changes_members = true,
  start = function(c)
    local leader, present = c:leader(), c:members()
    local id = present and pick.one(c.nemesis, present.voters)
    if not leader or not present or present.voters_old or id == leader
      or #present.voters <= least(c.nemesis) then
      return
    end
    c:link(id, "*", { delay = { 0, 0.2 + c.nemesis.stream:random() } })
    c:sleep(c.nemesis.stream:random() * 0.2)
    local rest = { voters = without(present.voters, id), learners = without(present.learners, id) }
    if c:change_members(rest, { timeout = 1 }) then
      c:change_members({ voters = present.voters, learners = present.learners }, { wait = false, timeout = 1 })
    end
  end,
}

-- Who only learns becomes a voter, or somebody comes to learn.
members.promote = {
  options = {}, changes_members = true,
  start = function(c)
    local present = c:members()
    if present and #present.learners > 0 and #present.voters < MEMBERS_MOST then
      c:promote({ pick.one(c.nemesis, present.learners) }, { timeout = 1 + c.nemesis.stream:random() * 4 })
    else
      c:add_learners({ pick.one(c.nemesis, ids_of_all(c.nemesis)) }, { timeout = 1 })
    end
  end,
}

-- One is added that is crashed or cut off before it is level; leadership may move meanwhile.
members.add_and_break = {
  options = {}, changes_members = true,
  start = function(c)
    local stream = c.nemesis.stream
    local id = pick.one(c.nemesis, ids_of_all(c.nemesis))
    ambush.set(c, {
      kind = "append", node = id, act = pick.one(c.nemesis, { "crash", "disconnect" }), skip = stream:random(0, 4),
      within = 5, back = stream:random() * 3,
    })
    if pick.chance(c.nemesis, 1 / 3) then
      c:after(stream:random() * 0.1, function()
        c:campaign(pick.target(c, "any"), { force = true })
      end)
    end
    c:add_servers({ id }, { timeout = 1 + stream:random() * 5 })
  end,
}

return members
