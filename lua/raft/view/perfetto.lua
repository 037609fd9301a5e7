--- `raftbench view --as perfetto`: a trace as Chrome's trace events, which Perfetto and chrome://tracing open. A
-- process for each node, in it a thread of its roles and terms, one of its messages with arrows between them, one of
-- what else it did, and its commit index as a counter; what no node did, and clients' operations, stand in processes of
-- their own.
--
-- It goes through the events once. Slices of a thread follow each other or lie within each other.
-- @module raft.view.perfetto

local choose = require "raft.view.choose"
local describe = require "raft.view.describe"
local display = require "raft.view.display"
local histories = require "raft.view.histories"
local links = require "raft.view.links"
local operations = require "raft.view.operations"
local runs = require "raft.view.runs"

local perfetto = {}

local ROLES, MESSAGES, OTHER = 0, 1, 2 -- threads
local RANKS = 10000 -- for the order of processes: so far are those of two runs apart
local SHORT_NS = 500 -- how long a message's slice is; those of one instant follow each other

local Writing = {}
Writing.__index = Writing

-- ---- writing ------------------------------------------------------------------------------------------------

local function micros(ns)
  return ("%.3f"):format(math.max(0, ns) / 1000) -- a process may tell of what was just before the beginning
end

local function quoted(text)
  return require("raft.core").json_encode(display.clean(tostring(text)))
end

function Writing:put(phase, pid, tid, ns, rest, ...)
  self.write(("%s{\"ph\":\"%s\",\"pid\":%.0f,\"tid\":%d,\"ts\":%s,%s}"):format(self.separator, phase, pid, tid,
    micros(ns), select("#", ...) > 0 and rest:format(...) or rest))
  self.separator = ",\n"
end

function Writing:slice(pid, tid, from, to, name, rest)
  self:put("X", pid, tid, from, '"dur":%s,"name":%s,"cat":"raft"%s', micros(to - from), quoted(name), rest or "")
end

function Writing:instant(pid, tid, ns, scope, name)
  self:put("i", pid, tid, ns, '"s":"%s","name":%s,"cat":"raft"', scope, quoted(name))
end

local function name_thread(self, pid, tid, name)
  self:put("M", pid, tid, 0, '"name":"thread_name","args":{"name":%s}', quoted(name))
end

-- `rank`: its place among those of its run.
local function new_process(self, name, rank)
  self.pids = self.pids + 1
  self:put("M", self.pids, 0, 0, '"name":"process_name","args":{"name":%s}', quoted(name))
  self:put("M", self.pids, 0, 0, '"name":"process_sort_index","args":{"sort_index":%.0f}',
    self.number * RANKS + math.min(rank, RANKS - 1))
  return self.pids
end

-- The process of a node (0: of what none did), which begins with its first event.
local function process_of(self, node)
  local pid = self.process[node]
  if not pid then
    pid = new_process(self, node == 0 and self.run_name or "node " .. runs.node_name(self.run, node), node)
    self.process[node] = pid
    if node ~= 0 then
      name_thread(self, pid, ROLES, "role and term")
      name_thread(self, pid, MESSAGES, "messages")
      name_thread(self, pid, OTHER, "log, disk and votes")
    end
  end
  return pid
end

-- ---- roles, terms, pauses -----------------------------------------------------------------------------------

-- What of a long slice lies within the stretch that is shown.
local function long_slice(self, pid, from, to, name)
  from = math.max(from, self.choice.from or from)
  to = math.min(to, self.choice.to or to)
  if to > from then
    self:slice(pid, ROLES, from, to, name)
  end
end

local function close_pause(self, node, pid, time)
  if node.paused then
    long_slice(self, pid, node.paused, time, "paused")
    node.paused = nil
  end
end

local function close_role(self, node, pid, time)
  close_pause(self, node, pid, time)
  if node.since then
    long_slice(self, pid, node.since, time, node.name)
    node.since = nil
  end
end

local function begin_role(self, node, pid, time, name)
  if node.name == name and node.since then
    return
  end
  close_role(self, node, pid, time)
  node.name, node.since = name, time
end

local function down_words(why)
  return why == "crash" and "crashed" or "down" .. (why and why ~= "" and ": " .. why or "")
end

local function life(self, event, pid)
  local node = self.nodes[event.node]
  if event.kind == "start" then
    begin_role(self, node, pid, event.time, "follower t" .. describe.whole(event.term or 0))
  elseif event.kind == "role" then
    begin_role(self, node, pid, event.time, (event.role or "?"):gsub("_", "-")
      .. (event.term and " t" .. describe.whole(event.term) or ""))
  elseif event.kind == "stop" then
    begin_role(self, node, pid, event.time, down_words(event.text))
  elseif event.kind == "fault" and event.text == "pause" and node.since and not node.paused then
    node.paused = event.time
  elseif event.kind == "fault" and event.text == "resume" then
    close_pause(self, node, pid, event.time)
  end
end

-- ---- messages -----------------------------------------------------------------------------------------------

-- A slice behind the one before it on that thread, and not before `least`; when it begins.
local function short_slice(self, event, pid, least, name)
  local free = self.free[pid] or 0
  local from = math.max(event.time, free, least)
  self:slice(pid, MESSAGES, from, from + SHORT_NS, name)
  self.free[pid] = from + SHORT_NS
  return from
end

local function words_of(event)
  return describe.text(describe.phrase(event))
end

local function message(self, event, pid)
  if event.kind == "send" then
    local sent = { pid = pid, from = 0 }
    self.links:see(sent, event)
    sent.from = short_slice(self, event, pid, 0, words_of(event))
    return
  end
  local sent = self.links:see(nil, event)
  local from = short_slice(self, event, pid, sent and sent.from + SHORT_NS or 0, words_of(event))
  if sent and event.kind == "receive" then
    self.flows = self.flows + 1
    self:put("s", sent.pid, MESSAGES, sent.from, '"id":%d,"name":"message","cat":"net"', self.flows)
    self:put("f", pid, MESSAGES, from, '"bp":"e","id":%d,"name":"message","cat":"net"', self.flows)
  end
end

-- ---- all that happens ---------------------------------------------------------------------------------------

local function shown(self, event, pid)
  local kind = event.kind
  if kind == "send" or kind == "receive" or kind == "drop" then
    message(self, event, pid)
  elseif kind == "violation" then
    self:instant(pid, OTHER, event.time, "g", words_of(event))
  elseif kind == "fault" or kind == "note" or kind == "client" then
    self:instant(pid, OTHER, event.time, event.node == 0 and "g" or "p", words_of(event))
  elseif kind == "commit" then
    self:put("C", pid, OTHER, event.time, '"name":"commit index","args":{"index":%.0f}', event.index or 0)
  elseif kind ~= "role" and kind ~= "start" and kind ~= "stop" then
    self:instant(pid, OTHER, event.time, "t", words_of(event))
  end
end

local function verdict(self, event)
  local value = type(event.value) == "table" and event.value or {}
  local why = type(value.message) == "string" and value.message ~= "" and ": " .. value.message or ""
  self:instant(process_of(self, 0), OTHER, event.time, "g", (value.passed == true and "passed" or "failed") .. why)
end

-- A node's life is followed from before the stretch that is shown, so that it is known as what it begins.
local function take(self, event)
  if event.kind == "run" then
    return
  elseif event.kind == "verdict" then
    verdict(self, event)
    return
  end
  local is_shown = self.choice:takes(event)
  if event.node ~= 0 and self.choice:has_node(event.node) then
    self.nodes[event.node] = self.nodes[event.node] or {}
    life(self, event, process_of(self, event.node))
  end
  if event.kind == "start" then
    self.links:see(nil, event)
  end
  if is_shown then
    shown(self, event, process_of(self, event.node))
  end
end

local function close_roles(self)
  local ids = {}
  for id in pairs(self.nodes) do
    ids[#ids + 1] = id
  end
  table.sort(ids)
  for _, id in ipairs(ids) do
    close_role(self, self.nodes[id], process_of(self, id), self.last)
  end
end

local function begin_run(self, event)
  self.run = runs.new(event, self.name)
  runs.take(self.run, event)
  self.run_name = self.run.name
  self.links, self.nodes, self.free, self.process, self.last = links.new(), {}, {}, {}, event.time
  self.number = self.number + 1
  process_of(self, 0)
end

-- ---- operations of clients ----------------------------------------------------------------------------------

local outcomes = { [0] = "ok", [1] = "fail", [2] = "info" }

local function operation(self, pid, id, columns, place, to)
  local name = quoted(columns.texts[columns.label[place] + 1])
  self:put("b", pid, 0, columns.begin[place], '"id":"%s","cat":"operation","name":%s,"args":{"outcome":"%s"}', id, name,
    outcomes[columns.outcome[place]])
  self:put("e", pid, 0, to, '"id":"%s","cat":"operation","name":%s', id, name)
end

-- One whose end is not known lasts until its client's next one begins.
local function history(self, number, one)
  local columns, latest = operations.columns(one), {}
  local pid = new_process(self, "clients: " .. columns.name
    .. (columns.verdict == "no" and ", not linearizable" or ""), RANKS)
  local count, last = #columns.begin, self.last
  for place = 1, count do
    last = math.max(last, columns.begin[place], columns["end"][place])
  end
  for place = count, 1, -1 do
    local lane, to = columns.lane[place], columns["end"][place]
    if to < 0 then
      to = latest[lane] or last
    end
    latest[lane] = columns.begin[place]
    if self.choice:is_within(columns.begin[place]) then
      operation(self, pid, ("%d.%d"):format(number, lane), columns, place, to)
    end
  end
end

local function finish_run(self, is_last)
  close_roles(self)
  for _, one in ipairs(histories.of_run(self.histories, self.number, is_last)) do
    self.history_count = self.history_count + 1
    history(self, self.history_count, one)
  end
end

--- Writes all runs, and beside each the histories of its clients.
-- @tparam function events as raft.view.forms has them
-- @tparam table options as raft.view.forms has them
-- @treturn integer how many events there are; 0: nothing was written
-- @treturn ?integer how many were asked for; nil: all
function perfetto.render(events, options)
  local choice = choose.new(options)
  local self = setmetatable({
    write = options.write, choice = choice, flows = 0, pids = 0, number = 0,
    histories = options.histories, history_count = 0, separator = '{"traceEvents":[\n',
    name = options.name and options.name ~= "" and options.name or "run",
  }, Writing)
  local total = 0
  for event in events() do
    if runs.begins(self.process, event) then
      if self.process then
        finish_run(self, false)
      end
      begin_run(self, event)
    end
    total, self.last = total + 1, event.time
    take(self, event)
  end
  if total > 0 then
    finish_run(self, true)
    self.write(self.separator == ",\n" and "\n]}\n" or '{"traceEvents":[]}\n')
  end
  return total, choice:total()
end

return perfetto
