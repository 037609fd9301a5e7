--- Events back from the sentences that --verbose prints for them (src/trace/text.c, sentence.c), as far as the words
-- say it: numbers of messages, hashes and directories are not in them.
--
-- It reads one sentence after the other, and remembers none.
-- @module raft.view.sentences

local notation = require "raft.view.notation"

local sentences = {}

local function range(text)
  local first, last = text:match "^(%d+)%.%.(%d+)$"
  first = tonumber(first or text)
  return first, tonumber(last) or first
end

local function ids(text)
  local list = {}
  for id in (text or ""):gmatch "%d+" do
    list[#list + 1] = tonumber(id)
  end
  return list
end

-- The word for the client is its own.
local function peer_of(word)
  if word == "the client" then
    return true, nil
  end
  local id = word:match "^%d+$" and tonumber(word)
  return id ~= nil, id
end

-- ---- a node's life and its log ------------------------------------------------------------------------------

-- "1, 2, 3 together with the old 1, 2, learners 4, of whom are brought level to vote 4"
local function member_value(words)
  local value = { voters = ids(words:match "^[%d, ]*"), learners = ids(words:match ", learners ([%d, ]*)") }
  local old, coming = words:match "together with the old ([%d, ]*)", words:match "brought level to vote ([%d, ]*)"
  value.voters_old, value.coming = old and ids(old), coming and ids(coming)
  return value
end

local function start(term, rest)
  local event = { kind = "start", term = tonumber(term), vote = tonumber(rest:match ", its vote given to (%d+)") or 0,
    first = 1, last = 0 }
  local log, others = rest:match ", with log ([%d.]+)", rest:match ", members (.*)$"
  event.value = others and member_value(others)
  if log then
    event.first, event.last = range(log)
  elseif not rest:find(", with an empty log", 1, true) then
    return nil
  end
  return event
end

local function disk(kind, words)
  local event, what = { kind = kind, sequence = 0 }, {}
  local term, behind = words:match "^term (%d+)()"
  if term then
    what[1], event.term = "state", tonumber(term)
    event.vote = tonumber(words:match("^ with its vote for (%d+)", behind))
  end
  local entries = words:match "entry (%d+)" or words:match "entries ([%d.]+)"
  if entries then
    what[#what + 1] = "entries"
    event.first, event.last = range(entries)
  end
  if words:find("a snapshot", 1, true) then
    what[#what + 1] = "snapshot"
  end
  event.what = table.concat(what, "+")
  return #what > 0 and event or nil
end

local function log_range(kind)
  return function(text)
    local first, last = range(text)
    return { kind = kind, first = first, last = last, entries = kind == "append" and last - first + 1 or nil }
  end
end

local function indexed(kind)
  return function(index, term)
    return { kind = kind, index = tonumber(index), prev_term = tonumber(term) }
  end
end

local function flagged(event, flag)
  event.flag = flag or nil
  return event
end

local function role(name)
  return function(term)
    return { kind = "role", role = name, term = tonumber(term) }
  end
end

local function follows(name)
  return function(peer, term)
    return { kind = "role", role = name, peer = tonumber(peer), term = tonumber(term) }
  end
end

local function vote(peer, term, rest, node)
  local last, last_term = rest:match "its own log ending with (%d+) %(term (%d+)%)"
  return { kind = "vote", peer = peer == "itself" and node or tonumber(peer), term = tonumber(term),
    last = tonumber(last) or 0, prev_term = tonumber(last_term) or 0 }
end

local function members(words, index)
  return { kind = "members", index = tonumber(index), value = member_value(words) }
end

local function confirm(text, index, how)
  local first, last = range(text)
  return flagged({ kind = "confirm", first = first, last = last, index = tonumber(index) }, how == " by its lease")
end

local function link(kind)
  return function(peer, rest)
    return { kind = kind, peer = tonumber(peer), text = rest:match "^: (.*)$" }
  end
end

-- ---- what is around the nodes -------------------------------------------------------------------------------

-- The arguments as a trace has them: those of a call with a table at its end by their names.
local function fault_value(list)
  local last = list[list.n]
  local is_named = type(last) == "table" and last[1] == nil and next(last) ~= nil
  if list.n < 2 or not is_named and not (last == nil and list.n == 3) then
    return list
  end
  local value = {}
  for name, one in pairs(last or {}) do
    value[name] = one
  end
  if last == nil then
    value.default = true
  end
  if list.n == 3 then
    value.from, value.to = list[1], list[2]
  else
    value.node = list[1]
  end
  return value
end

local function fault(name, words)
  local list = notation.arguments(words)
  if not list then
    return nil
  end
  local value = fault_value(list)
  value.n = nil
  return { kind = "fault", text = name, value = value }
end

local function violation(words)
  local property, detail = words:match "^(.-): (.*)$"
  local fine, value = notation.value(detail or "")
  return { kind = "violation", text = property or words, value = fine and value or detail }
end

local function begins(name, words)
  local fine, value = notation.value(words)
  return fine and { kind = "run", text = name, value = value } or nil
end

local function verdict(is_passed)
  return function(name, rest)
    return { kind = "verdict", text = name, value = { passed = is_passed, message = rest:match "^: (.*)$" or "" } }
  end
end

-- ---- messages -----------------------------------------------------------------------------------------------

local function after(event, words)
  local index, term = words:match " after (%d+) %(term (%d+)%)"
  event.prev_index, event.prev_term = tonumber(index), tonumber(term)
  event.commit = tonumber(words:match ", commit (%d+)")
end

local function read_append(event, words)
  after(event, words)
  local entries = words:match "^entry (%d+)" or words:match "^entries ([%d.]+)"
  if entries then
    local first, last = range(entries)
    event.entries = last - first + 1
  end
end

local function read_contents(event, words)
  event.term = tonumber(words:match ", term (%d+)$")
  local index, term = words:match "ends with (%d+) %(term (%d+)%)"
  if not index then
    index, term = words:match "holding (%d+) %(term (%d+)%)"
  end
  event.prev_index, event.prev_term = tonumber(index), tonumber(term)
  event.sequence = tonumber(words:match "^round (%d+)")
  event.reject = words:find "^rejected" and true or nil
  event.index = tonumber(words:match "up to (%d+)" or words:match "match at (%d+)" or words:match "index (%d+)")
  if event.message == "append" then
    read_append(event, words)
  end
end

local function message(kind)
  return function(name, rest)
    local whom, words = rest:match "^([%w ]-): (.*)$"
    if not whom then
      whom, words = rest:match "^([%w ]-)(, term %d+)$"
    end
    local fine, peer = peer_of(whom or rest)
    if not fine then
      return nil
    end
    local event = { kind = kind, message = name, peer = peer }
    if words then
      read_contents(event, words)
    end
    return event
  end
end

local function lost(name, number, rest)
  local whom, why = rest:match "^([%w ]-) is lost: (.*)$"
  local fine, peer = peer_of(whom or rest:match "^([%w ]-) is lost$" or "")
  return fine and { kind = "drop", message = name ~= "message" and name or nil, lost_number = tonumber(number),
    peer = peer, text = why } or nil
end

-- ---- all ----------------------------------------------------------------------------------------------------

-- By their first word: a pattern and what it is. The node is given behind the captures.
local readers = {
  starts = { { "^starts in term (%d+)(.*)$", start } },
  crashes = { { "^crashes$", function() return { kind = "stop", text = "crash" } end } },
  shuts = { { "^shuts down$", function() return { kind = "stop", text = "shutdown" } end } },
  stops = { { "^stops:? ?(.*)$", function(why) return { kind = "stop", text = why } end } },
  becomes = {
    { "^becomes leader of term (%d+)$", role "leader" }, { "^becomes candidate of term (%d+)$", role "candidate" },
    { "^becomes ([%l_]+) in term (%d+), leader not known$", function(name, term) return role(name)(term) end },
  },
  asks = { { "^asks whether it could win an election after term (%d+)$", role "pre_candidate" } },
  follows = { { "^follows (%d+) in term (%d+)$", follows "follower" } },
  as = { { "^as a learner follows (%d+) in term (%d+)$", follows "learner" } },
  votes = { { "^votes for (%w+) in term (%d+), (.*)$", vote } },
  writes = { { "^writes (.*)$", function(words) return disk("write", words) end } },
  has = {
    { "^has on its disk (.*)$", function(words) return disk("sync", words) end },
    { "^has a notice about (%d+)(.*)$", link "notice" },
    { "^has a notice(.*)$", function(rest) return link "notice"(nil, rest) end },
  },
  appends = { { "^appends entry (%d+)$", log_range "append" }, { "^appends entries ([%d.]+)$", log_range "append" } },
  removes = {
    { "^removes entry (%d+) from its log$", log_range "truncate" },
    { "^removes entries ([%d.]+) from its log$", log_range "truncate" },
  },
  knows = { { "^knows that (%d+) has its log up to entry (%d+)$", function(peer, index)
    return { kind = "match", peer = tonumber(peer), index = tonumber(index) }
  end } },
  commits = {
    { "^commits up to entry (%d+) %(term (%d+)%)(.*)$", function(index, term, how)
      return flagged(indexed "commit"(index, term), how == " by counting")
    end },
  },
  applies = { { "^applies entry (%d+) %(term (%d+)%)$", indexed "apply" } },
  takes = {
    { "^takes a snapshot up to (%d+)$", indexed "snapshot" },
    { "^takes read (%d+)$", function(number) return { kind = "read", sequence = tonumber(number) } end },
  },
  may = { { "^may answer reads? ([%d.]+) as of entry (%d+)(.*)$", confirm } },
  installs = { { "^installs a snapshot up to (%d+)$", indexed "install" } },
  restores = { { "^restores its machine from the snapshot up to (%d+)$", indexed "restore" } },
  is = {
    { "^is connected to (%d+)(.*)$", link "connect" }, { "^is no longer connected to (%d+)(.*)$", link "disconnect" },
  },
  uses = { { "^uses the members (.*) %(entry (%d+)%)$", members } },
  fault = { { "^fault ([%w_]+ %(%l+%))%((.*)%)$", fault }, { "^fault ([%w_]+)%((.*)%)$", fault } },
  note = { { "^note:? ?(.*)$", function(text) return { kind = "note", text = text } end } },
  VIOLATION = { { "^VIOLATION of (.*)$", violation } },
  run = {
    { "^run of (.-) (%b{})$", begins }, { "^run (%b{})$", function(words) return begins("", words) end },
    { "^run of (.-) passed(.*)$", verdict(true) }, { "^run of (.-) failed(.*)$", verdict(false) },
  },
  sends = { { "^sends ([%l_]+) to (.*)$", message "send" } },
  receives = { { "^receives ([%l_]+) from (.*)$", message "receive" } },
}

local lost_pattern = "^([%l_]+) number (%d+) to (.*)$"

--- The event that a sentence tells.
-- @tparam string text
-- @tparam integer node who it is about, 0: no node
-- @treturn ?table the event, without time and node; nil where it is no such sentence
function sentences.read(text, node)
  for _, reader in ipairs(readers[text:match "^%a+" or ""] or {}) do
    local one, two, three = text:match(reader[1])
    if one then
      if three then
        return reader[2](one, two, three, node)
      end
      return reader[2](one, two)
    end
  end
  local name, number, rest = text:match(lost_pattern)
  return name and lost(name, number, rest) or nil
end

return sentences
