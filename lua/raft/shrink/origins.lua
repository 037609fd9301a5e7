--- Where the state of the node that failed came from. What a line of code did wrong with a snapshot or a disk shows
-- later, on whoever goes on from it: so the snapshot that it was made from is named, and who took it; or what it wrote
-- last before it stopped.
--
-- It goes by the trace alone, and judges nothing.
-- @module raft.shrink.origins

local origins = {}

-- What is looked at.
local kinds = { snapshot = true, install = true, restore = true, start = true, stop = true, sync = true, write = true }

--- Whether an event tells of it.
-- @tparam table event
-- @treturn boolean
function origins.tells(event)
  return kinds[event.kind] or event.kind == "receive" and event.message == "snapshot"
end

-- The place of the last event before a place that a predicate wants; nil: there is none.
local function last_before(events, place, wants)
  for at = place - 1, 1, -1 do
    if wants(events[at]) then
      return at
    end
  end
  return nil
end

-- A snapshot of that index, of whoever took it: a node that was itself sent it is asked for who sent it.
local function add_snapshot(list, events, place, node, index, depth)
  local taken = last_before(events, place, function(event)
    return event.node == node and event.index == index and (event.kind == "snapshot" or event.kind == "install")
  end)
  if not taken then
    return nil
  end
  table.insert(list, 1, events[taken])
  local message
  if events[taken].kind == "install" and depth > 0 then
    local received = last_before(events, taken, function(event)
      return event.kind == "receive" and event.node == node
    end)
    message = received and events[received]
    if message then
      add_snapshot(list, events, received, message.peer, index, depth - 1)
    end
  end
  return message
end

local CHAIN_MOST = 3 -- nodes that a snapshot went through

local kept_on_disk = { write = true, sync = true, snapshot = true, install = true }

-- A node that starts goes on from its disk: the last that it wrote of each sort before it stopped.
local function of_disk(events, place, node)
  local stopped = last_before(events, place, function(event) return event.kind == "stop" and event.node == node end)
  local list, seen = {}, {}
  for at = (stopped or 1) - 1, 1, -1 do
    local event = events[at]
    if event.node == node and event.kind == "start" then -- before that it was another life
      break
    end
    local sort = event.kind .. " " .. tostring(event.what)
    if event.node == node and kept_on_disk[event.kind] and not seen[sort] then
      seen[sort] = true
      -- What was written and then synced as well is told once.
      seen["write " .. tostring(event.what)] = true
      table.insert(list, 1, event)
    end
  end
  if #list == 0 then
    return nil
  end
  list[#list + 1] = events[stopped]
  return { node = node, from = "its disk", events = list }
end

--- Where the state of a node that failed came from.
-- @tparam table events of a run up to its failure, those that tell of it: { time, kind, node, text, index,
-- peer, what }
-- @tparam table failure { time, nodes = whose it is first, property }
-- @treturn ?table { node, from = "a snapshot" or "its disk", events = oldest first, message = the snapshot's, where it
-- came from another node }; nil: from its own beginning, or it is not known whose
function origins.of(events, failure)
  local node, is_refused = failure.nodes and failure.nodes[1], failure.property == "a node starts again"
  if not node or not failure.time then
    return nil
  end
  local last = #events + 1
  local born = last_before(events, last, function(event)
    return event.node == node and (event.kind == "restore" or event.kind == "install" or event.kind == "start")
  end)
  if is_refused or born and events[born].kind == "start" and events[born].time == failure.time then
    return of_disk(events, is_refused and last or born, node)
  elseif not born or events[born].kind == "start" then
    return nil
  end
  local list = { events[born] }
  local is_install = events[born].kind == "install"
  local message = add_snapshot(list, events, is_install and born + 1 or born, node, events[born].index, CHAIN_MOST)
  if is_install then
    table.remove(list) -- it is there by now
  end
  return { node = node, from = "a snapshot", events = list, message = message }
end

return origins
