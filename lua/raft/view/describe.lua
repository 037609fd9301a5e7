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
-- @treturn table a phrase {before, peers | first, last, after, kind}
function describe.phrase(event)
  local before, after, peer, first, last = require("raft.core").event_phrase(event) -- here: --help works before a build
  if not before then -- a newer program's kind
    before, after = tostring(event.kind) .. (event.text and event.text ~= "" and ": " .. event.text or ""), ""
  end
  return {
    kind = event.kind, before = display.clean(before), after = display.clean(after), first = first, last = last,
    peers = peer and { peer == 0 and "client" or whole(peer) },
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

--- A phrase as text.
-- @tparam table phrase made by `describe.phrase`
-- @treturn string
function describe.text(phrase)
  local middle = ""
  if phrase.peers then
    middle = table.concat(phrase.peers, ",")
  elseif phrase.first then
    middle = range(phrase.first, phrase.last or phrase.first)
  end
  return phrase.before .. middle .. phrase.after
end

--- A line across all nodes: faults, clients, notes, violations and what else no node did.
-- @tparam table event any
-- @treturn string
function describe.banner(event)
  return describe.text(describe.phrase(event))
end

return describe
