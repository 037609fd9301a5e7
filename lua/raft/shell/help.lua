--- What `help` shows: the documentation in the sources, for a user at the prompt.
-- @module raft.shell.help

local reference = require "raft.reference"
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

-- The calls by the file in which they stand, in the order of `raft.cluster`'s subjects.
local function by_subject()
  local groups, order = {}, {}
  for _, name in ipairs(source.keys(methods())) do
    local f = methods()[name]
    local entry = reference.of_function(f)
    if entry then
      local title = reference.of_file(f)
      if not groups[title] then
        groups[title] = {}
        order[#order + 1] = title
      end
      table.insert(groups[title], { "c:" .. name .. entry.signature, reference.first_sentence(entry.text) })
    end
  end
  table.sort(order)
  return groups, order
end

local function clipped(text, width)
  return #text <= width and text or text:sub(1, math.max(1, width - 3)) .. "..."
end

--- The list of a cluster's calls.
-- @tparam integer width of the terminal
-- @treturn string
function help.of_cluster(width)
  local groups, order = by_subject()
  local parts = {}
  for _, title in ipairs(order) do
    parts[#parts + 1] = wrapped(reference.first_sentence(title), "", width)
    for _, row in ipairs(groups[title]) do
      parts[#parts + 1] = clipped(("%s%-38s %s"):format(INDENT, row[1], row[2]), width)
    end
  end
  return table.concat(parts, "\n")
end

local function of_table(value, width)
  local parts = {}
  for _, name in ipairs(source.keys(value)) do
    local entry = type(value[name]) == "function" and reference.of_function(value[name])
    if entry then
      parts[#parts + 1] = clipped(("%s%-30s %s"):format(INDENT, tostring(name) .. entry.signature,
        reference.first_sentence(entry.text)), width)
    end
  end
  return #parts > 0 and table.concat(parts, "\n") or "there is no documentation for this table"
end

--- What there is to read about something.
-- @param what a function, a call's name, a cluster, a table of functions; nil: the list of a cluster's calls
-- @tparam integer width of the terminal
-- @tparam table raft the module
-- @treturn string
function help.about(what, width, raft)
  local metatable = getmetatable(what)
  local is_cluster = type(metatable) == "table" and metatable.__name == "raft.cluster"
  if what == nil or is_cluster then
    return help.of_cluster(width) .. "\n\nhelp(c.crash) describes one call, help \"events\" and help \"filters\" of "
      .. "those, :help of the shell."
  elseif topics[what] then
    return topics[what]
  elseif type(what) == "string" then
    local name = what:match "([%a_][%w_]*)%s*%(?%)?$"
    local f = methods()[name] or raft[name]
    return type(f) == "function" and help.of_function(f, width, raft) or ("there is no call '%s'"):format(what)
  elseif type(what) == "function" then
    return help.of_function(what, width, raft)
  elseif type(what) == "table" then
    return of_table(what, width)
  end
  return "there is no documentation for a " .. type(what)
end

return help
