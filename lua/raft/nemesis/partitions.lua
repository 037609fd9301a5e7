--- Partitions of every known shape. Each is undone with its fault.
-- @module raft.nemesis.partitions

local pick = require "raft.nemesis.pick"

local partitions = {}

local function cut_both(c, a, b)
  c:link(a, b, { cut = true })
  c:link(b, a, { cut = true })
end

local shapes = {}

-- One node, whoever it is.
function shapes.one(c, given)
  c:partition { pick.target(c, given.target) }
end

function shapes.halves(c)
  local ids, first = pick.shuffled(c.nemesis), {}
  for place = 1, math.ceil(#ids / 2) do
    first[place] = ids[place]
  end
  c:partition(first)
end

function shapes.leader_alone(c)
  c:partition { pick.target(c, "leader") }
end

-- A leader that keeps fewer than half, one of them at least where there are enough.
function shapes.leader_minority(c)
  local leader, ids = pick.target(c, "leader"), pick.shuffled(c.nemesis)
  local group = { leader }
  local wanted = math.max(2, math.floor((#ids - 1) / 2))
  for _, id in ipairs(ids) do
    if id ~= leader and #group < wanted and #group + 1 < #ids then
      group[#group + 1] = id
    end
  end
  c:partition(group)
end

-- The follower or candidate with the longest log is alone, or away from the leader with all the others.
function shapes.longest_log(c)
  local longest = pick.target(c, "longest_log")
  if pick.chance(c.nemesis, 0.5) then
    c:partition { longest }
  else
    local leader = pick.target(c, "leader")
    c:partition { leader }
  end
end

-- Two halves that only one node reaches.
function shapes.bridge(c)
  local ids = pick.shuffled(c.nemesis)
  local middle = math.ceil(#ids / 2)
  for left = 1, middle - 1 do
    for right = middle + 1, #ids do
      cut_both(c, ids[left], ids[right])
    end
  end
end

-- Who stand further apart than that in a row, or around a ring, do not reach each other.
local function neighbours(c, reach, is_closed)
  local ids = pick.shuffled(c.nemesis)
  for left = 1, #ids do
    for right = left + 1, #ids do
      local apart = right - left
      if is_closed then
        apart = math.min(apart, #ids - apart)
      end
      if apart > reach then
        cut_both(c, ids[left], ids[right])
      end
    end
  end
end

-- Each reaches a majority, and no two the same one.
function shapes.majorities_ring(c)
  local count = #pick.ids(c.nemesis)
  neighbours(c, math.max(1, math.ceil(math.floor(count / 2) / 2)), count > 3)
end

-- Each reaches its two neighbours alone.
function shapes.ring(c)
  neighbours(c, 1, true)
end

function shapes.chain(c)
  neighbours(c, 1, false)
end

-- One node hears nobody, or is heard by nobody.
function shapes.one_way(c, given)
  local id = pick.target(c, given.target)
  if pick.chance(c.nemesis, 0.5) then
    c:link(id, "*", { cut = true })
  else
    c:link("*", id, { cut = true })
  end
end

-- Any direction of any link.
function shapes.sieve(c)
  local ids, chance = pick.ids(c.nemesis), c.nemesis.stream:random() * 0.6
  for _, from in ipairs(ids) do
    for _, to in ipairs(ids) do
      if from ~= to and pick.chance(c.nemesis, chance) then
        c:link(from, to, { cut = true })
      end
    end
  end
end

-- The link between the leader and one follower alone, both ways or one.
function shapes.leader_link(c)
  local leader, follower = pick.target(c, "leader"), pick.target(c, "follower")
  if leader == follower then
    return
  end
  local which = c.nemesis.stream:random(1, 3)
  if which ~= 1 then
    c:link(leader, follower, { cut = true })
  end
  if which ~= 2 then
    c:link(follower, leader, { cut = true })
  end
end

local names = { "one", "halves", "leader_alone", "leader_minority", "longest_log", "bridge", "majorities_ring", "ring",
  "chain", "one_way", "sieve", "leader_link" }

local is_shape = {}
for _, name in ipairs(names) do
  is_shape[name] = { name }
end

partitions.partition = {
  options = { shape = { "a shape", is_shape }, target = true },
  start = function(c, given)
    local shape = given.shape or pick.one(c.nemesis, names)
    c.kind = "partition " .. shape
    shapes[shape](c, given)
  end,
}

return partitions
