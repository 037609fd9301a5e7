--- What `help` shows: the documentation in the sources, for a user at the prompt.
-- @module raft.shell.help

local reference = require "raft.reference"
local display = require "raft.view.display"
local source = require "raft.script.source"

local help = {}

local INDENT = "  "

-- What is no call, by the word that asks for it.
local topics = {
  filters = [[
A filter, for c:on, c:wait_event and c:events, is a function of an event, or a table of fields that must be equal:
  c:on({ kind = "role", role = "leader" }, print)
  c:wait_event({ kind = "commit", node = 2 }, 5)
  c:events(function(event) return event.term and event.term > 3 end)
`kind` may be a list of kinds. A field that no event has is an error. help "events" lists them.]],
  events = [[
Every event has time (seconds), node (0: none) and kind; a field that its kind does not use is nil:
  start stop             term, vote, first, last, members; reason
  role vote              role, term, peer (the leader); term, candidate
  send receive drop      peer, message, number, term, prev_index, prev_term, entries, commit, index, reject; reason
  append truncate        first, last
  write sync             what ("state", "entries"), first, last
  match commit apply     index, peer
  snapshot install restore  index, prev_term, answer_hash
  read confirm           sequence; first, last, index
  members                index, members
  connect disconnect     peer, text; reason
  notice note            peer, text; text
  fault client           call, arguments; entry
  violation run verdict  property, message; name, value
tostring(event) is the line that --verbose writes.]],
}
topics.event, topics.filter = topics.events, topics.filters

-- The methods that every cluster has.
local function methods()
  return require("raft.cluster").methods
end

local function wrapped(text, indent, width)
  local lines, line = {}, indent
  for word in text:gmatch "%S+" do
    if #line + #word > width and line ~= indent then
      lines[#lines + 1] = (line:gsub("%s+$", ""))
      line = indent
    end
    line = line .. word .. " "
  end
  lines[#lines + 1] = (line:gsub("%s+$", ""))
  return table.concat(lines, "\n")
end

-- What a function is called: "c:crash", "raft.cluster"; nil: it is nobody's that we know.
local function name_of(f, raft)
  for _, name in ipairs(source.keys(methods())) do
    if methods()[name] == f then
      return "c:" .. name
    end
  end
  for _, name in ipairs(source.keys(raft)) do
    if raft[name] == f then
      return "raft." .. name
    end
  end
  return nil
end

--- What there is to read about one function.
-- @tparam function f
-- @tparam integer width of the terminal
-- @tparam table raft the module
-- @treturn string
function help.of_function(f, width, raft)
  local entry = reference.of_function(f)
  if not entry then
    return "there is no documentation for this function"
  end
  local parts = { (name_of(f, raft) or "function") .. entry.signature, wrapped(entry.text, INDENT, width) }
  for _, one in ipairs(entry.parameters) do
    local notes = one.notes ~= "" and " (" .. one.notes .. ")" or ""
    local text = one.name .. notes .. (one.text ~= "" and ": " .. one.text or "")
    parts[#parts + 1] = wrapped(text, INDENT .. INDENT, width)
  end
  for position, text in ipairs(entry.results) do
    parts[#parts + 1] = wrapped((position == 1 and "→ " or "  ") .. text, INDENT .. INDENT, width)
  end
  return table.concat(parts, "\n")
end

-- The calls of a cluster by subject: each a file of raft.cluster.
local subjects = {
  { "time", "letting the world go on" }, { "leaders", "who leads" },
  { "commands", "commands, reads, what was committed" },
  { "nodes", "crashes, pauses, clocks, disks" }, { "network", "links, partitions, messages" },
  { "members", "who belongs to the cluster" }, { "looking", "status, logs, events, diagrams" },
  { "clients", "functions that run beside the script" }, { "workloads", "clients that ask on their own" },
  { "nemeses", "faults that come and go" }, { "goals", "what a campaign should reach" },
  { "cluster", "its end, its seed, its script, a second one", made_of = { "fork", "is_closed", "mode", "script", "seed",
    "shutdown" } },
}

-- The names of a subject's calls, sorted.
local function calls_of(subject)
  if not subject.made_of then
    return source.keys(require("raft.cluster." .. subject[1]))
  end
  local names = {}
  for _, name in ipairs(subject.made_of) do
    names[#names + 1] = methods()[name] and name
  end
  return names
end

local function public_calls(subject)
  local names = {}
  for _, name in ipairs(calls_of(subject)) do
    if methods()[name] and reference.of_function(methods()[name]) then
      names[#names + 1] = name
    end
  end
  return names
end

local function subject_of(name)
  for _, subject in ipairs(subjects) do
    if subject[1] == name then
      return subject
    end
  end
  return nil
end

-- As much as has room, in whole words.
local function clipped(text, width)
  if display.width(text) <= width then
    return text
  end
  return display.wrap(text, math.max(4, width - 4))[1] .. " ..."
end

-- Rows of a name and words, the words below each other.
local function rows_text(rows, width)
  local longest = 0
  for _, row in ipairs(rows) do
    longest = math.max(longest, #row[1])
  end
  longest = math.min(longest, math.floor(width / 2))
  local lines = {}
  for position, row in ipairs(rows) do
    local head = #row[1] <= longest and row[1] .. (" "):rep(longest - #row[1]) or row[1]
    lines[position] = INDENT .. head .. INDENT .. clipped(row[2], math.max(8, width - #head - 4))
    if display.width(lines[position]) > width then
      lines[position] = INDENT .. clipped(row[1], width - 2)
    end
  end
  return table.concat(lines, "\n")
end

--- The calls of one subject, each in a line.
-- @tparam table subject
-- @tparam integer width of the terminal
-- @treturn string
local function of_subject(subject, width)
  local rows = {}
  for position, name in ipairs(public_calls(subject)) do
    local entry = reference.of_function(methods()[name])
    rows[position] = { "c:" .. name .. entry.signature, reference.first_sentence(entry.text) }
  end
  return ("%s: %s\n"):format(subject[1], subject[2]) .. rows_text(rows, width)
    .. ("\nhelp(c.%s) tells more of a call."):format(public_calls(subject)[1])
end

--- The names of a cluster's calls, by subject.
-- @tparam integer width of the terminal
-- @treturn string
function help.of_cluster(width)
  local parts = { wrapped("What a cluster can do, by subject. "
    .. 'help "nodes" lists a subject\'s calls, help(c.crash) tells about one.', "", width), "" }
  for _, subject in ipairs(subjects) do
    local text = wrapped(table.concat(public_calls(subject), " "), (" "):rep(11), width)
    parts[#parts + 1] = subject[1] .. text:sub(#subject[1] + 1)
  end
  parts[#parts + 1] = ""
  parts[#parts + 1] = wrapped('Also help "events", help "filters", help(raft); :help lists the shell\'s commands.', "",
    width)
  return table.concat(parts, "\n")
end

local function of_table(value, width, raft)
  local rows = {}
  for _, name in ipairs(source.keys(value)) do
    local entry = type(value[name]) == "function" and reference.of_function(value[name])
    if entry then
      rows[#rows + 1] = { (value == raft and "raft." or "") .. tostring(name) .. entry.signature,
        reference.first_sentence(entry.text) }
    end
  end
  return #rows > 0 and rows_text(rows, width) or "there is no documentation for this table"
end

-- A page, whose lines go on below their second column where the terminal is narrow.
local function of_topic(text, width)
  local lines = {}
  for line in text:gmatch "[^\n]+" do
    local indent = line:match "^  %S.-  +()" or line:match "^()%S" or 3
    if #line <= width then
      lines[#lines + 1] = line
    else
      for position, part in ipairs(display.wrap(line:sub(indent), math.max(20, width - indent + 1))) do
        lines[#lines + 1] = (position == 1 and line:sub(1, indent - 1) or (" "):rep(indent - 1)) .. part
      end
    end
  end
  return table.concat(lines, "\n")
end

--- What there is to read about something.
-- @param what a function, a call's or a subject's name, a cluster, a table of functions; nil: a cluster's calls
-- @tparam integer width of the terminal
-- @tparam table raft the module
-- @treturn string
function help.about(what, width, raft)
  local metatable = getmetatable(what)
  local is_cluster = type(metatable) == "table" and metatable.__name == "raft.cluster"
  if what == nil or is_cluster then
    return help.of_cluster(width)
  elseif what == raft.event then
    return of_topic(topics.events, width)
  elseif topics[what] then
    return of_topic(topics[what], width)
  elseif subject_of(what) then
    return of_subject(subject_of(what), width)
  elseif type(what) == "string" then
    local name = what:match "([%a_][%w_]*)%s*%(?%)?$"
    local f = methods()[name] or raft[name]
    return type(f) == "function" and help.of_function(f, width, raft)
      or ("there is no call '%s' (help() lists all)"):format(what)
  elseif type(what) == "function" then
    return help.of_function(what, width, raft)
  elseif type(what) == "table" then
    return of_table(what, width, raft)
  end
  return "there is no documentation for a " .. type(what)
end

return help
