--- An event in a few words, as a cell of the timing diagram holds it.
--
-- A phrase is {before, peer or first/last, after}: phrases that differ only in their peer, or whose
-- ranges follow each other, become one. It lays nothing out and keeps nothing.
-- @module raft.view.describe

local display = require "raft.view.display"
local faults = require "raft.view.faults"

local describe = {}

local function text_of(value)
  return display.clean(tostring(value))
end

-- An integer without a float's ".0".
local function whole(value)
  if type(value) == "number" then
    local is_exact = math.type and math.type(value) == "integer" -- luacheck: ignore 143
    return is_exact and tostring(value) or string.format("%.0f", value)
  end
  return text_of(value == nil and "?" or value)
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then
      return a < b
    end
    return tostring(a) < tostring(b)
  end)
  return keys
end

local DEPTH_MOST = 6

--- A value in Lua's notation, on one line.
-- @param value as a trace holds it
-- @tparam ?integer depth how deep it is nested already
-- @treturn string
function describe.value(value, depth)
  depth = depth or 0
  if type(value) == "string" then
    return '"' .. text_of(value) .. '"'
  elseif type(value) == "number" then
    return value == math.floor(value) and math.abs(value) < 2 ^ 53 and whole(value) or tostring(value)
  elseif type(value) ~= "table" then
    return type(value) == "userdata" and "null" or tostring(value)
  elseif depth >= DEPTH_MOST then
    return "{...}"
  end
  local parts = {}
  for position = 1, #value do
    parts[position] = describe.value(value[position], depth + 1)
  end
  if #parts == 0 then
    local keys = sorted_keys(value)
    for position = 1, #keys do
      parts[position] = text_of(keys[position]) .. "=" .. describe.value(value[keys[position]], depth + 1)
    end
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

local function arguments(value)
  if type(value) ~= "table" then
    return value == nil and "" or describe.value(value)
  end
  if #value == 0 then
    local text = describe.value(value)
    return text == "{}" and "" or text
  end
  local parts = {}
  for position = 1, #value do
    parts[position] = describe.value(value[position])
  end
  return table.concat(parts, ", ")
end

local function range(first, last)
  return first == last and whole(first) or whole(first) .. ".." .. whole(last)
end

-- How many entries a message carries, whichever way the trace tells.
local function entry_count(event)
  local entries = event.entries or event.entry_count
  if type(entries) == "table" then
    return #entries
  end
  return tonumber(entries) or 0
end

--- Whether a message is a leader's append without entries.
-- @tparam table event of kind `send`
-- @treturn boolean
function describe.is_heartbeat(event)
  return event.message == "append" and entry_count(event) == 0
end

local function message_name(event)
  return text_of((tostring(event.message or "message"):gsub("_response$", " answer"):gsub("_", "-")))
end

local function message_text(event)
  local name = tostring(event.message or "message")
  local parts = { message_name(event) }
  if name == "append" then
    local count = entry_count(event)
    local after = tonumber(event.prev_index) or 0
    if count > 0 then
      parts[#parts + 1] = range(after + 1, after + count)
    else
      parts[#parts + 1] = "(heartbeat)"
    end
  elseif name == "append_response" and event.index then
    parts[#parts + 1] = (event.reject and "not at " or "up to ") .. whole(event.index)
  elseif name == "snapshot" and event.index then
    parts[#parts + 1] = "at " .. whole(event.index)
  end
  if event.reject and name ~= "append_response" then
    parts[#parts + 1] = "no"
  elseif name:find("vote_response", 1, true) then
    parts[#parts + 1] = "yes"
  end
  if event.term then
    parts[#parts + 1] = "t" .. whole(event.term)
  end
  return table.concat(parts, " ")
end

local function members_text(value)
  if type(value) ~= "table" then
    return ""
  end
  local function ids(list)
    local parts = {}
    for position = 1, #(list or {}) do
      local member = list[position]
      parts[position] = whole(type(member) == "table" and (member.id or member[1]) or member)
    end
    return table.concat(parts, ",")
  end
  local text = ids(value.voters)
  if value.voters_old and ids(value.voters_old) ~= "" then
    text = ids(value.voters_old) .. " to " .. text .. " (joint)"
  end
  if ids(value.learners) ~= "" then
    text = text .. " learners " .. ids(value.learners)
  end
  return text
end

local function term_suffix(event)
  return event.term and " t" .. whole(event.term) or ""
end

local function with_text(word, event)
  return event.text and event.text ~= "" and word .. ": " .. text_of(event.text) or word
end

-- Each kind's phrase. A string is a phrase that stands for itself.
local phrases = {
  start = function(event)
    local log = event.last and event.last > 0 and " log " .. range(event.first or 1, event.last) or ""
    return "starts" .. term_suffix(event) .. log
  end,
  stop = function(event)
    return with_text("stops", event)
  end,
  role = function(event)
    local role = text_of(event.role or "?"):gsub("_", "-")
    if role == "leader" then
      return "LEADER" .. term_suffix(event)
    end
    local leader = event.peer and event.peer ~= 0 and " of " .. whole(event.peer) or ""
    return role .. leader .. term_suffix(event)
  end,
  vote = function(event)
    local own = event.peer == event.node
    return "votes for " .. (own and "itself" or whole(event.peer)) .. term_suffix(event)
  end,
  send = function(event)
    return { before = "→ ", peer = event.peer or "client", after = " " .. message_text(event) }
  end,
  receive = function(event)
    return { before = "← ", peer = event.peer or "client", after = " " .. message_text(event) }
  end,
  drop = function(event)
    local what = event.message and message_name(event) .. " " or ""
    return { before = "✗ ", peer = event.peer or "client", after = " " .. what .. with_text("lost", event) }
  end,
  append = function(event)
    return { before = "appends ", first = event.first, last = event.last, after = term_suffix(event) }
  end,
  truncate = function(event)
    return { before = "removes ", first = event.first, last = event.last, after = "" }
  end,
  write = function(event)
    return "writes" .. (event.last and event.last > 0 and " " .. range(event.first, event.last) or " state")
  end,
  sync = function(event)
    return "synced" .. (event.last and event.last > 0 and " " .. range(event.first, event.last) or " state")
  end,
  match = function(event)
    return { before = "match ", peer = event.peer, after = " at " .. whole(event.index) }
  end,
  commit = function(event)
    return "COMMIT " .. whole(event.index)
  end,
  apply = function(event)
    return { before = "applies ", first = event.index, last = event.index, after = "" }
  end,
  snapshot = function(event)
    return "snapshot at " .. whole(event.index)
  end,
  install = function(event)
    return "installs snapshot at " .. whole(event.index)
  end,
  members = function(event)
    return "members " .. members_text(event.value)
  end,
  connect = function(event)
    return { before = "connected ", peer = event.peer, after = "" }
  end,
  disconnect = function(event)
    return { before = "connection ", peer = event.peer, after = " " .. with_text("lost", event) }
  end,
  notice = function(event)
    local from = event.peer and event.peer ~= 0 and " from " .. whole(event.peer) or ""
    return with_text("! odd" .. from, event)
  end,
}

--- What a cell says of an event.
-- @tparam table event one of a node
-- @treturn table a phrase {before, peer | first, last, after, kind}
function describe.phrase(event)
  local make = phrases[event.kind]
  local phrase = make and make(event) or with_text(text_of(event.kind), event)
  if type(phrase) == "string" then
    phrase = { before = phrase, after = "" }
  end
  phrase.kind = event.kind
  if phrase.peer then
    phrase.peers = { whole(phrase.peer) }
  end
  return phrase
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
  if event.kind == "fault" then
    local words = faults.arguments(event.text, event.value, describe.value) or arguments(event.value)
    return "▶ " .. text_of(event.text or "fault") .. "(" .. words .. ")"
  elseif event.kind == "note" then
    return "✎ " .. text_of(event.text or "")
  elseif event.kind == "violation" then
    local details = event.value ~= nil and ": " .. describe.value(event.value) or ""
    return "‼ VIOLATION of " .. text_of(event.text or "?") .. details
  elseif event.kind == "client" then
    local entry = type(event.value) == "table" and event.value or {}
    local parts = { "client " .. whole(entry.process) .. ":", text_of(entry.type or "?"), text_of(entry.f or "?") }
    for _, field in ipairs { "key", "value", "error" } do
      if entry[field] ~= nil then
        parts[#parts + 1] = describe.value(entry[field])
      end
    end
    return table.concat(parts, " ")
  end
  return describe.text(describe.phrase(event))
end

return describe
