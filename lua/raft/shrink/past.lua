--- The causal past of a violation: from the nodes that it names back over what each did before, and over each message
-- to its sender. Of that the few events that matter, and a diagram.
-- @module raft.shrink.past

local core = require "raft.core"
local describe = require "raft.view.describe"

local past = {}

local MOST = 12
local DRAWN_MOST = 120 -- events of the diagram, the latest

-- What matters, and how much; what is not here does not.
local weights = {
  fault = 4, role = 3, vote = 3, truncate = 3, install = 3, start = 2, stop = 2, snapshot = 2, members = 2, commit = 1,
  restore = 1, append = 1,
}

-- Who follows, or asks in a pre-vote, matters little.
local function weight_of(event)
  if event.kind == "role" and event.role ~= "leader" and event.role ~= "candidate" then
    return 1
  end
  return weights[event.kind]
end

local BEGINNING_NS = 10000000 -- until all have started

local function is_start_of_run(event)
  return (event.kind == "start" or event.kind == "members") and event.time < BEGINNING_NS
end

local function name_of(from, event)
  return ("%s/%s"):format(tostring(from), tostring(event.number))
end

-- The place of each message's sending, by sender and number.
local function sendings(events)
  local places = {}
  for place, event in ipairs(events) do
    if event.kind == "send" then
      places[name_of(event.node, event)] = place
    end
  end
  return places
end

-- Which events are in the past of the last one of these nodes.
local function cone(events, nodes, last)
  local sent, until_place, is_in = sendings(events), {}, {}
  for _, id in ipairs(nodes) do
    until_place[id] = last
  end
  for place = last, 1, -1 do
    local event = events[place]
    if event.kind == "fault" then
      is_in[place] = true
    elseif event.node and event.node ~= 0 and place <= (until_place[event.node] or 0) then
      is_in[place] = true
      local from = event.kind == "receive" and sent[name_of(event.peer, event)]
      if from and from > (until_place[event.peer] or 0) then
        until_place[event.peer] = from
      end
    end
  end
  return is_in
end

-- The places of those that matter most, the latest of equals.
local function chosen(events, is_in)
  local places = {}
  for weight = 4, 1, -1 do
    for place = #events, 1, -1 do
      local event = events[place]
      if #places < MOST and is_in[place] and weight_of(event) == weight and not is_start_of_run(event) then
        places[#places + 1] = place
      end
    end
  end
  table.sort(places)
  return places
end

-- All nodes, where a failure names none.
local function all_nodes(events)
  local nodes, seen = {}, {}
  for _, event in ipairs(events) do
    if event.node and event.node ~= 0 and not seen[event.node] then
      seen[event.node] = true
      nodes[#nodes + 1] = event.node
    end
  end
  return nodes
end

local function read(lines)
  local events, last = {}, nil
  for place, line in ipairs(lines) do
    events[place] = core.json_decode(line)
    last = events[place].kind == "violation" and place or last
  end
  return events, last or #events
end

local function words(events, is_in)
  local lines = {}
  for _, place in ipairs(chosen(events, is_in)) do
    local event = events[place]
    local who = event.kind == "fault" and "" or ("node %d: "):format(event.node)
    lines[#lines + 1] = ("%9.6f s  %s%s"):format(event.time / 1e9, who, describe.banner(event))
  end
  return lines
end

-- Not drawn: heartbeats, the disk's work and the leader's bookkeeping.
local quiet = { write = true, sync = true, match = true, connect = true, disconnect = true, apply = true, drop = true,
  receive = true, start = true }

local function is_drawn(event)
  return not quiet[event.kind] and not (event.kind == "send" and describe.is_heartbeat(event))
    and not (event.kind == "send" and (event.message or ""):find "response")
end

local function diagram(events, is_in, last)
  local list = {}
  for place = last, 1, -1 do
    local event = events[place]
    if (is_in[place] and is_drawn(event) or event.kind == "violation") and #list < DRAWN_MOST then
      table.insert(list, 1, event)
    end
  end
  list[#list + 1] = { kind = "verdict", time = events[last].time, value = { passed = false } }
  local head, parts = events[1].kind == "run" and events[1], {}
  if head and list[1] ~= head then
    table.insert(list, 1, head)
  end
  require("raft.view.table").render(function()
    local place = 0
    return function()
      place = place + 1
      return list[place]
    end
  end, {
    write = function(text) parts[#parts + 1] = text end,
    width = require("raft.view.terminal").width(),
    all = true, name = "what led to it", is_part = true,
  })
  return table.concat(parts)
end

--- What led to a violation.
-- @tparam string[] lines all events of a run as JSON lines, oldest first
-- @tparam table nodes ids that the violation names; empty: all
-- @treturn string[] the few events that matter, in words, oldest first
-- @treturn string a diagram of what lies in its past
function past.of(lines, nodes)
  local events, last = read(lines)
  local is_in = cone(events, #nodes > 0 and nodes or all_nodes(events), last)
  return words(events, is_in), diagram(events, is_in, last)
end

return past
