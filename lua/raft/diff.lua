--- Where two clusters differ: a fork and its origin, say. It looks at them and changes nothing.
-- @module raft.diff

local display = require "raft.view.display"
local faults = require "raft.faults"
local source = require "raft.script.source"

local diff = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local FIELDS = { "state", "term", "vote", "first_index", "last_index" }
local OF_RUNNING = { "role", "leader", "commit", "applied" } -- what a stopped node has not, as its state says
local ENTRIES_MOST = 5 -- of one log are told, and how many more there are

local function text_of(value)
  if value == nil then
    return "-"
  elseif type(value) == "string" then
    return value
  end
  return source.write(value, {}) or tostring(value)
end

local List = {}
List.__index = List

local function rows_of(list)
  local rows, widths = { { "node", "field", unpack(list.names) } }, {}
  for _, one in ipairs(list) do
    rows[#rows + 1] = { one.node == 0 and "-" or ("%d"):format(one.node), one.field, text_of(one[1]), text_of(one[2]) }
  end
  for _, cells in ipairs(rows) do
    for position, cell in ipairs(cells) do
      cells[position] = display.clean(cell)
      widths[position] = math.max(widths[position] or 0, display.width(cells[position]))
    end
  end
  return rows, widths
end

List.__tostring = function(self)
  if #self == 0 then
    return "no difference"
  end
  local rows, widths = rows_of(self)
  local lines = {}
  for place, cells in ipairs(rows) do
    local parts = {}
    for position, cell in ipairs(cells) do
      parts[position] = position < #cells and display.pad(cell, widths[position]) or cell
    end
    lines[place] = table.concat(parts, "  ")
  end
  return table.concat(lines, "\n")
end

local function add(list, node, field, a, b)
  if text_of(a) ~= text_of(b) then
    list[#list + 1] = { node = node, field = field, a, b }
  end
end

-- An entry in words; nil: the log does not hold it.
local function entry_words(entry)
  if not entry then
    return nil
  end
  local what = entry.command ~= nil and source.write(entry.command, {}) or entry.kind
  return ("term %d: %s"):format(entry.term, what)
end

local function by_index(log)
  local entries, last = {}, 0
  for _, entry in ipairs(log or {}) do
    entries[entry.index], last = entry, math.max(last, entry.index)
  end
  return entries, last
end

local function add_log(list, node, a, b)
  local of_a, last_a = by_index(a)
  local of_b, last_b = by_index(b)
  local first = math.min(a and a[1] and a[1].index or math.huge, b and b[1] and b[1].index or math.huge)
  local told, more = 0, 0
  for index = first, math.max(last_a, last_b) do
    local one, other = entry_words(of_a[index]), entry_words(of_b[index])
    if one ~= other and told < ENTRIES_MOST then
      told = told + 1
      list[#list + 1] = { node = node, field = ("log[%d]"):format(index), one, other }
    elseif one ~= other then
      more = more + 1
    end
  end
  if more > 0 then
    list[#list + 1] = { node = node, field = "log", ("%d more entries"):format(more), "differ" }
  end
end

-- A status, and what the disk of a stopped node holds; a log.
local function look(cluster, node)
  local status = cluster:status(node)
  if not status then
    return {}, nil
  end
  if not status.role then
    for name, value in pairs(cluster.core:stored(node) or {}) do
      status[name] = value
    end
  end
  return status, (cluster:log(node))
end

local function all_ids(c, d)
  local ids = {}
  for _, id in ipairs(c:ids()) do
    ids[id] = true
  end
  for _, id in ipairs(d:ids()) do
    ids[id] = true
  end
  return source.keys(ids)
end

local function members_of(status)
  return status.members and source.write(status.members, {}) or nil
end

--- Where two clusters differ.
-- @tparam raft.cluster c
-- @tparam raft.cluster d
-- @treturn table list of { node (0: the world), field, c's value, d's value }, with __tostring
function diff.of(c, d)
  local list = setmetatable({ names = { "first", "second" } }, List)
  add(list, 0, "time", c:now(), d:now())
  add(list, 0, "leader", (c:leader()), (d:leader()))
  add(list, 0, "faults", table.concat(faults.words(c), "; "), table.concat(faults.words(d), "; "))
  for _, node in ipairs(all_ids(c, d)) do
    local a, log_a = look(c, node)
    local b, log_b = look(d, node)
    for _, field in ipairs(FIELDS) do
      add(list, node, field, a[field], b[field])
    end
    if a.role and b.role then
      for _, field in ipairs(OF_RUNNING) do
        add(list, node, field, a[field], b[field])
      end
      add(list, node, "members", members_of(a), members_of(b))
      add(list, node, "connected", c:is_connected(node), d:is_connected(node))
    end
    add_log(list, node, log_a, log_b)
  end
  return list
end

return diff
