--- Phrases: events in a few words, as a cell of the timing diagram holds them. The words are src/trace's (raft.core).
--
-- A phrase is {before, peers or first/last, after}: phrases that differ only in their peer, or whose
-- ranges follow each other, become one. It lays nothing out and keeps nothing.
-- @module raft.view.describe

local display = require "raft.view.display"

local describe = {}

-- An integer without a float's ".0".
local function whole(value)
  local is_exact = math.type and math.type(value) == "integer" -- luacheck: ignore 143
  return is_exact and tostring(value) or string.format("%.0f", value)
end

describe.whole = whole

local function range(first, last)
  return first == last and whole(first) or whole(first) .. ".." .. whole(last)
end

--- Whether a message is a leader's append without entries.
-- @tparam table event of kind `send`
-- @treturn boolean
function describe.is_heartbeat(event)
  return event.message == "append" and (event.entries or 0) == 0
end

--- What a cell says of an event.
-- @tparam table event
-- @tparam ?boolean is_brief in shorter words
-- @treturn table a phrase {before, peers | first, last, after, kind, event}
function describe.phrase(event, is_brief)
  local words = require("raft.core").event_phrase -- here, so that --help works before a build
  local before, after, peer, first, last = words(event, is_brief)
  if event.kind == "log" then -- somebody else's words
    before, after = tostring(event.text or ""), ""
  elseif not before then -- a newer program's kind
    before, after = tostring(event.kind) .. (event.text and event.text ~= "" and ": " .. event.text or ""), ""
  end
  return {
    event = event, kind = event.kind, before = display.clean(before), after = display.clean(after),
    first = first, last = last, peers = peer and { peer == 0 and "client" or whole(peer) },
  }
end

--- Adds a phrase to a cell's, as part of the last one where that can be.
-- @tparam table list the cell's phrases so far
-- @tparam table phrase the next
function describe.add(list, phrase)
  local before = list[#list]
  if before and before.kind == phrase.kind and before.before == phrase.before and before.after == phrase.after then
    if phrase.peers and before.peers then
      before.peers[#before.peers + 1] = phrase.peers[1]
      return
    elseif phrase.first and before.last and phrase.first == before.last + 1 then
      before.last = phrase.last
      return
    end
  end
  list[#list + 1] = phrase
end

-- The peers' ids, rising; `is_brief`: "1,3..7" for 1,3,4,5,6,7.
local function peer_list(peers, is_brief)
  if #peers == 1 then
    return peers[1]
  end
  local ids, parts, position = {}, {}, 1
  for place, peer in ipairs(peers) do
    ids[place] = tonumber(peer) or 0 -- the client is no number
  end
  table.sort(ids)
  while position <= #ids do
    local last = position
    while is_brief and ids[last + 1] == ids[last] + 1 do
      last = last + 1
    end
    if last - position < 2 then
      last = position
    end
    local first = ids[position] == 0 and "client" or whole(ids[position])
    parts[#parts + 1] = last > position and first .. ".." .. whole(ids[last]) or first
    position = last + 1
  end
  return table.concat(parts, ",")
end

--- A phrase as text.
-- @tparam table phrase made by `describe.phrase`
-- @tparam ?boolean is_brief it was made so
-- @treturn string
function describe.text(phrase, is_brief)
  local middle = ""
  if phrase.peers then
    middle = peer_list(phrase.peers, is_brief)
  elseif phrase.first then
    middle = range(phrase.first, phrase.last or phrase.first)
  end
  return phrase.before .. middle .. phrase.after
end

--- A phrase as text for a column: in shorter words where that saves a line or keeps a word whole.
-- @tparam table phrase made by `describe.phrase`, others added to it or not
-- @tparam integer width columns
-- @treturn string which may still be wider
function describe.fit(phrase, width)
  local text = describe.text(phrase)
  if #text <= width or display.width(text) <= width then
    return text
  end
  local lines, longest = #display.wrap(text, width), 0
  for word in text:gmatch "%S+" do
    longest = math.max(longest, display.width(word))
  end
  local phrase_in_brief = describe.phrase(phrase.event, true)
  phrase_in_brief.peers, phrase_in_brief.last = phrase.peers, phrase.last
  local brief = describe.text(phrase_in_brief, true)
  return (longest > width or #display.wrap(brief, width) < lines) and brief or text
end

--- A line across all nodes: faults, clients, notes, violations and what else no node did.
-- @tparam table event any
-- @treturn string
function describe.banner(event)
  return describe.text(describe.phrase(event))
end

return describe
