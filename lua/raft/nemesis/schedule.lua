--- When faults begin and end. The entries of a list take turns, one after `every` seconds, each for as long as it
-- `lasts`; an entry with an `every` of its own keeps its own time beside the others.
-- @module raft.nemesis.schedule

local hand = require "raft.nemesis.hand"
local pick = require "raft.nemesis.pick"

local schedule = {}

local run

-- Those that this world can express, as far as is known.
local function possible(nemesis, list)
  local kept = {}
  for _, entry in ipairs(list) do
    kept[#kept + 1] = not nemesis.left_out[entry.fault or false] and entry or nil
  end
  return kept
end

-- One of a list, by their weights; nil: none is possible.
local function draw(nemesis, list)
  list = possible(nemesis, list)
  return #list > 0 and pick.weighted(nemesis, list) or nil
end

-- A fault from its beginning to its end; `waits`: until that end, else it ends in a client of its own.
local function run_fault(nemesis, entry, lane)
  local c = hand.new(nemesis, entry.fault or "function")
  nemesis:begin_fault(c)
  local undo
  if entry.call then
    undo = entry.call(c)
  else
    undo = entry.kind.start(c, entry.given)
  end
  if type(undo) == "function" then
    c.undo = undo
  end
  if not nemesis.is_over and (c.undo or #hand.left(c) > 0) then
    nemesis:sleep(pick.between(nemesis, entry.lasts or lane.lasts))
  end
  if not nemesis.is_over then
    nemesis:end_fault(c)
  end
end

local groups = {}

function groups.mix(nemesis, entry, lane)
  local one = draw(nemesis, entry.mix)
  if one then
    run(nemesis, one, lane)
  end
end

-- Begins one after the other, with time between them. Whether all were begun before the nemesis was over.
local function begin_each(nemesis, list, entry, lane, begin)
  for place, one in ipairs(list) do
    if place > 1 then
      nemesis:sleep(pick.between(nemesis, entry.every or lane.every))
    end
    if nemesis.is_over then
      return false
    end
    begin(one)
  end
  return true
end

-- Each when the one before has ended.
function groups.sequence(nemesis, entry, lane)
  begin_each(nemesis, entry.sequence, entry, lane, function(one)
    run(nemesis, one, lane)
  end)
end

-- Each so much after the one before, so that they overlap; it has ended when all have.
function groups.stagger(nemesis, entry, lane)
  local clients = {}
  local began_all = begin_each(nemesis, entry.stagger, entry, lane, function(one)
    clients[#clients + 1] = nemesis:spawn(function()
      run(nemesis, one, lane)
    end)
  end)
  for _, client in ipairs(began_all and clients or {}) do
    nemesis:join(client)
  end
end

-- From beginning to end.
function run(nemesis, entry, lane)
  local inner = {
    every = entry.group and entry.every or lane.every, lasts = entry.lasts or lane.lasts,
  }
  if entry.group then
    groups[entry.group](nemesis, entry, inner)
  else
    run_fault(nemesis, entry, inner)
  end
end

-- Begins one after the other; what waits or lasts holds up none of the others, but for a sequence that stands alone:
-- that begins anew when it has ended.
local function run_lane(nemesis, lane)
  local alone = #lane.list == 1 and lane.list[1].group and lane.list[1].group ~= "mix"
  local is_first = lane.at_once
  while not nemesis.is_over do
    nemesis:sleep(is_first and 0 or pick.between(nemesis, lane.every))
    is_first = false
    if nemesis.is_over then
      return
    elseif alone then
      run(nemesis, lane.list[1], lane)
    else
      local entry = draw(nemesis, lane.list)
      if not entry then
        return
      end
      nemesis:spawn(function()
        run(nemesis, entry, lane)
      end)
    end
  end
end

--- Starts all lanes of a nemesis.
-- @tparam table nemesis
-- @tparam table list its entries
-- @tparam number|table every
-- @tparam number|table lasts
-- @tparam ?boolean at_once the first comes at once: the first messages of a cluster are like no others
function schedule.start(nemesis, list, every, lasts, at_once)
  local lanes, main = {}, { list = {}, every = every, lasts = lasts, at_once = at_once }
  for _, entry in ipairs(list) do
    if entry.weight ~= 0 then
      if entry.every then
        lanes[#lanes + 1] = { list = { entry }, every = entry.every, lasts = entry.lasts or lasts, at_once = at_once }
      else
        main.list[#main.list + 1] = entry
      end
    end
  end
  if #main.list > 0 then
    table.insert(lanes, 1, main)
  end
  for _, lane in ipairs(lanes) do
    nemesis:spawn(function()
      run_lane(nemesis, lane)
    end)
  end
end

return schedule
