--- Looking at a cluster.
-- @module raft.cluster.looking

local arguments = require "raft.arguments"
local core = require "raft.core"
local files = require "raft.files"
local filters = require "raft.filters"
local forms = require "raft.view.forms"

local looking = {}

local NOTE_BYTES_MOST = 65536

--- The ids of all nodes, removed ones included.
-- @treturn integer[] list, rising
function looking:ids()
  return self.core:ids()
end

local status_fields = {}
for _, name in ipairs { "id", "role", "state", "error", "damage", "term", "vote", "leader", "commit", "applied",
  "first_index", "last_index", "members", "member", "turned_away_by", "address", "peers", "refused", "pid" } do
  status_fields[name] = true
end

--- What a node says of itself.
-- @tparam ?integer id nil: all
-- @tparam ?string field one of them alone, which costs far less in a predicate
-- @treturn ?raft.status|raft.status[]|any id, role, state, error, damage ({file, offset}: of its disk), term, vote,
-- leader, commit, applied, first_index, last_index, members, member (they list this very server), turned_away_by (a
-- member that told it that its id has another disk), address, on a leader peers, refused (by, what, term, time,
-- reason: what another refused it last), and pid (of a node that is a process); without id a list of them; nil,
-- message, "unknown_node", detail
function looking:status(id, field)
  if field ~= nil and not status_fields[field] then
    arguments.fail("field", "a field of a status", field)
  end
  if id ~= nil then
    if not self:knows("id", id) then
      return self:unknown_node(id)
    end
    return self.core:status(id, field)
  end
  local list = {}
  for position, one in ipairs(self.core:ids()) do
    list[position] = self.core:status(one, field)
  end
  return list
end

--- A node's log; of a crashed node what its disk holds.
-- @tparam integer id
-- @treturn ?raft.entry[] list of {index, term, kind, command}; nil, message, code, detail
function looking:log(id)
  if not self:knows("id", id) then
    return self:unknown_node(id)
  end
  return self.core:log(id)
end

--- The machine that the cluster's function made for a node at its last start.
-- @tparam integer id
-- @treturn ?raft.machine nil where it is not a Lua machine; nil, message, code, detail
function looking:machine(id)
  if not self:knows("id", id) then
    return self:unknown_node(id)
  end
  if self.options.mode == "process" then
    return nil, "the machine of a node in a process of its own is out of reach: query it", "unsupported", {}
  end
  return self.core:machine(id)
end

--- What was counted since the cluster began. `messages` and `bytes` (frames included) as sent, by kind and in "total";
-- `requests` are the messages that are no answers, `deliveries` those that arrived, `payload` the bytes of entries in
-- what was sent, `disk_bytes` what was handed to the disk.
-- @tparam ?integer id nil: all nodes together
-- @treturn ?raft.stats {messages, bytes, requests, deliveries, payload, elections, commits, syncs, disk_bytes, drops};
-- nil, message, "unknown_node", detail
function looking:stats(id)
  if id ~= nil then
    if not self:knows("id", id) then
      return self:unknown_node(id)
    end
    return self.core:stats(id)
  end
  local sum = { messages = {}, bytes = {} }
  for _, one in ipairs(self.core:ids()) do
    for name, value in pairs(self.core:stats(one)) do
      if type(value) == "table" then
        for kind, count in pairs(value) do
          sum[name][kind] = (sum[name][kind] or 0) + count
        end
      else
        sum[name] = (sum[name] or 0) + value
      end
    end
  end
  return sum
end

--- The latest events, oldest first.
-- @tparam ?raft.filter filter a function, or a table of fields that must be equal
-- @treturn raft.event[] list
function looking:events(filter)
  local kinds, matches = filters.compile("filter", filter)
  local list = {}
  for _, event in ipairs(self.core:events(kinds)) do
    if matches(event) then
      list[#list + 1] = event
    end
  end
  return list
end

--- What two equal runs in "sim" share, over all events.
-- @treturn string 16 hex digits
function looking:trace_hash()
  return self.core:trace_hash()
end

--- A line of yours in the trace.
-- @tparam string text
function looking:note(text)
  if #arguments.text("text", text) > NOTE_BYTES_MOST then
    arguments.raise("bad argument 'text' (a note is at most %d bytes)", NOTE_BYTES_MOST)
  end
  return self.core:note(text)
end

--- A number from the seed, in a stream of its own, as math.random gives it.
-- @tparam ?integer m
-- @tparam ?integer n
-- @treturn number
function looking:random(m, n)
  if m == nil then
    return self.core:random()
  end
  local low, high = 1, m
  if n ~= nil then
    low, high = m, n
  end
  if not arguments.is_integer(low) or not arguments.is_integer(high) or low > high then
    arguments.fail(n ~= nil and "n" or "m", "an interval of integers that is not empty", high)
  end
  return self.core:random(low, high)
end

local view_options = { from = true, to = true, nodes = true, kinds = true, width = true, all = true }

local function check_kinds(kinds)
  local known = {}
  for _, name in ipairs(core.event_kinds()) do
    known[name] = true
  end
  for _, name in ipairs(type(kinds) == "table" and kinds or { kinds }) do
    if type(kinds) ~= "table" or not known[name] then
      arguments.fail("options.kinds", "a list of kinds of events", name)
    end
  end
end

-- What a diagram is to show, as raft.view.forms takes it.
local function check_view_options(given)
  local checked = arguments.options("options", given, view_options)
  for _, name in ipairs { "from", "to" } do
    if checked[name] ~= nil then
      arguments.seconds("options." .. name, checked[name])
    end
  end
  if checked.nodes ~= nil then
    arguments.ids("options.nodes", checked.nodes)
  end
  if checked.kinds ~= nil then
    check_kinds(checked.kinds)
  end
  local width = checked.width
  if width ~= nil and not (arguments.is_integer(width) and width >= 1) then
    arguments.fail("options.width", "a number of columns", width)
  end
  return checked
end

--- A diagram of the run so far, from the events that are remembered. A form that shows histories shows those of the
-- workloads.
-- @tparam[opt="table"] ?string as the form, one of those of `raftbench view --as`: "table", "html", "svg", "shiviz",
-- "perfetto"
-- @tparam ?string path a file to write it to; nil: it is returned
-- @tparam ?raft.view_options given `from` and `to` (seconds), `nodes` (list of ids), `kinds` (of events, list of
-- names), and of a table `width` (columns) and `all` (every event, heartbeats too)
-- @treturn ?string the diagram, or the path; nil, message, "storage", detail where the file cannot be written
function looking:view(as, path, given)
  as = as == nil and "table" or as
  if not forms.has(as) then
    arguments.fail("as", ('one of "%s", or nil'):format(table.concat(forms.names(), '", "')), as)
  elseif path ~= nil then
    arguments.text("path", path)
  end
  local chosen = check_view_options(given)
  local lines, parts = self.core:event_lines(false), {}
  forms.render(as, function()
    local position = 0
    return function()
      position = position + 1
      return lines[position] and core.json_decode(lines[position])
    end
  end, {
    write = function(text) parts[#parts + 1] = text end, tell = function() end,
    width = chosen.width or require("raft.view.terminal").width(), all = chosen.all,
    name = self.options.name, from = chosen.from, to = chosen.to, nodes = chosen.nodes, kinds = chosen.kinds,
    histories = forms.shows_histories(as) and require("raft.view.histories").of_cluster(self) or {},
  })
  local text = table.concat(parts)
  if not path then
    return text
  end
  local written, problem = files.write(path, text)
  if not written then
    return nil, ("the diagram cannot be written: %s"):format(problem), "storage", {}
  end
  return path
end

return looking
