--- The network's faults, intercepted messages, calls between nodes.
-- @module raft.cluster.network

local arguments = require "raft.arguments"
local inputs = require "raft.inputs"
local aside = require "raft.script.aside"
local script = require "raft.script"

local network = {}

--- Cuts a node's links to all others.
-- @tparam raft.ids id a node's id, a list of ids or "all"; what follows is ignored
-- @treturn ?boolean true; nil, message, "unknown_node", detail
function network:disconnect(id)
  return self:control(id, function(one)
    return self.core:set_disconnected(one, true)
  end)
end

--- Restores a node's links.
-- @tparam raft.ids id as for disconnect
-- @treturn ?boolean true; nil, message, "unknown_node", detail
function network:reconnect(id)
  return self:control(id, function(one)
    return self.core:set_disconnected(one, false)
  end)
end

--- Parts the nodes into groups that cannot talk; nodes in no group form one more. Replaces the last partition: one
-- group of all nodes ends it.
-- @tparam integer[] ... groups: lists of ids
-- @treturn ?boolean true; nil, message, "unknown_node", detail
function network:partition(...)
  local groups, count, pairs_of = { ... }, select("#", ...), {}
  if count == 0 then
    arguments.fail("groups", "at least one list of ids", nil)
  end
  local seen = {}
  for group = 1, count do
    local ids = groups[group]
    arguments.ids(("group %d"):format(group), ids, true)
    for _, id in ipairs(ids) do
      if not self:knows("id", id) then
        return self:unknown_node(id)
      end
      if seen[id] then
        arguments.fail(("group %d"):format(group), "each node in one group", id)
      end
      seen[id] = true
      pairs_of[#pairs_of + 1] = { id, group }
    end
  end
  return self.driver:control(function()
    return self.core:partition(pairs_of)
  end)
end

local function is_end(self, name, value)
  return value == "*" or value == "client" or self:knows(name, value)
end

--- Sets the faults of one direction of one link; replaces what it had. `delay` keeps the order of messages; `reorder`
-- is the chance that a message waits for the next two on its link, at most 100 ms.
-- @tparam raft.endpoint from an id, "*" (every node) or "client"
-- @tparam raft.endpoint to the same
-- @tparam ?raft.faults faults `drop`, `duplicate`, `delay`, `reorder`, `bandwidth`, `cut`; nil: back to the default
-- @treturn ?boolean true; nil, message, "unknown_node", detail
function network:link(from, to, faults)
  local link = faults ~= nil and arguments.link("faults", faults) or nil
  if not is_end(self, "from", from) then
    return self:unknown_node(from)
  elseif not is_end(self, "to", to) then
    return self:unknown_node(to)
  end
  return self.driver:control(function()
    return self.core:link(from, to, link)
  end)
end

-- Brings back what nodes lack, but for those that do not run.
local function heal_nodes(self)
  for _, id in ipairs(self.core:ids()) do
    if self.changed_clocks[id] then
      self.core:clock(id, arguments.ns(1), 0)
    end
    if self.changed_disks[id] then
      self.core:disk(id, {})
    end
    if self.core:state(id) == "paused" then
      self.core:resume(id)
    end
  end
  self.changed_clocks, self.changed_disks = {}, {}
end

-- A node that has failed stays so: it found a contradiction, and a fresh start must not hide it.
local function crashed(self)
  local ids = {}
  for _, id in ipairs(self.core:ids()) do
    if self.core:state(id) == "crashed" then
      ids[#ids + 1] = id
    end
  end
  return ids
end

--- Ends partition, disconnects and link faults; not pauses or crashes. With "all" it ends every fault: the intercept,
-- what was done to clocks and disks, and paused and crashed nodes run again; failed ones do not.
-- @tparam ?"all" what
-- @treturn ?boolean true; nil, message, code, detail where a node does not start again
function network:heal(what)
  if what ~= nil and what ~= "all" then
    arguments.fail("what", '"all" or nil', what)
  end
  if what == "all" then
    self:intercept(nil)
  end
  self.driver:control(function()
    self.core:heal()
    if what == "all" then
      heal_nodes(self)
    end
  end)
  return what ~= "all" or self:restart(crashed(self))
end

local Message = {}

-- What is behind a message, kept apart so that printing one shows the message only; of which cluster it is stands in
-- its metatable.
local frames = setmetatable({}, { __mode = "k" })

local function words_of(message, name)
  local value = message[name]
  return value ~= nil and value ~= 0 and (", %s %s"):format(name, tostring(value)) or ""
end

local function message_text(message)
  local entries, first = message.entries or {}, message.prev_index + 1
  local text = ("%s from %d to %d, term %d"):format(message.kind, message.from, message.to, message.term)
  if #entries > 0 then
    text = text .. (#entries == 1 and ", entry %d" or ", entries %d..%d"):format(first, first + #entries - 1)
  end
  return text .. words_of(message, "index") .. words_of(message, "commit") .. (message.reject and ", rejected" or "")
end

local read_later = {}
for name in ("from_directory to_directory prev_index prev_term commit index hint_index hint_term sequence reject force "
  .. "quiet entries"):gmatch "[%a_]+" do
  read_later[name] = true
end

-- Most who look at a message ask for its head only; the rest is read when it is asked for.
local function message_metatable(self)
  return {
    __name = "raft.message",
    __tostring = message_text,
    __index = function(message, name)
      if not read_later[name] or not frames[message] then
        return Message[name]
      end
      self.core:fill(message, frames[message])
      return rawget(message, name)
    end,
    cluster = self,
    methods = Message,
  }
end

local function position_held(self, message)
  for position, one in ipairs(self.held_messages) do
    if one == message then
      return position
    end
  end
  return nil
end

-- Its frame, and its cluster.
local function inside_of(message, call)
  local frame = frames[message]
  if not frame then
    arguments.raise("%s was called without its message: call it as message:%s()", call, call)
  end
  return frame, getmetatable(message).cluster
end

-- Before something is done to a message: it is held no more.
local function take(message, call)
  local frame, self = inside_of(message, call)
  local position = position_held(self, message)
  local returned = script.object_call(self.recording, message, (":%s()"):format(call),
    position and ("c:held()[%d]"):format(position))
  returned()
  if position then
    table.remove(self.held_messages, position)
  end
  return self.driver, self.core, frame
end

--- Lets a held message arrive at its receiver now, whatever has become of its sender and of the links: it was on its
-- way. Again: a replay.
-- @treturn ?boolean true; where the receiver is down nil, message, "node_down", detail, and it stays held
function Message:deliver()
  local frame, cluster = inside_of(self, "deliver")
  local is_up, receiver = cluster.core:is_deliverable(frame)
  if not is_up then
    return nil, ("node %d is %s, and no message arrives there"):format(receiver,
      cluster.core:state(receiver)), "node_down", {}
  end
  local driver, handle = take(self, "deliver")
  if cluster.inputs then
    inputs.delivered(cluster.inputs, frame, handle:now_ns())
  end
  return driver:control(function()
    handle:deliver(frame)
    return true
  end)
end

--- Loses a held message.
-- @treturn boolean true
function Message:drop()
  local driver, handle, frame = take(self, "drop")
  return driver:control(function()
    handle:drop(frame)
    return true
  end)
end

-- What becomes of a message, by what the script's function returned: what raft.core takes for it.
local function judge(self, verdict, message, frame)
  if self.inputs and verdict ~= nil then
    inputs.judged(self.inputs, message, frame, verdict, self.core:now_ns())
  end
  if verdict == nil or verdict == "drop" then
    return verdict
  elseif verdict == "hold" then
    self.held_messages[#self.held_messages + 1] = message
    return "hold"
  elseif type(verdict) == "number" and verdict >= 0 then
    self.driver:after(self:deadline_ns(arguments.ns(verdict)), function()
      self.core:deliver(frame)
    end)
    return "hold"
  end
  error(('intercept: f must return nothing, "drop", "hold" or seconds, not %s'):format(tostring(verdict)), 0)
end

--- Looks at each message before it leaves. One function at a time: end the one in force before you set another.
-- @tparam ?fun(message:raft.message):"drop"|"hold"|number|nil f f(message): nothing lets it pass, "drop", "hold", or a
-- number: it arrives so many seconds later, whatever overtakes it; nil ends it, held ones stay
-- @treturn ?boolean true; nil, message, "unsupported", detail
function network:intercept(f)
  if f == nil then
    self.is_intercepting = nil
    self.core:intercept(nil)
    return true
  end
  arguments.callable("f", f)
  if self.options.mode == "process" then
    return nil, "messages between processes do not pass the script", "unsupported", {}
  end
  if self.is_intercepting then
    arguments.raise "an intercept is in force already: end it first, by c:intercept(nil)"
  end
  local metatable = message_metatable(self)
  self.is_intercepting = true
  self.held_messages = self.held_messages or {}
  self.core:intercept(function(message, frame)
    frames[message] = frame
    local verdict = f(setmetatable(message, metatable))
    aside.judged(self.recording, verdict)
    return judge(self, verdict, message, frame)
  end)
  return true
end

--- The messages that are held, in the order in which they were.
-- @treturn raft.message[]
function network:held()
  local list = {}
  for position, message in ipairs(self.held_messages or {}) do
    list[position] = message
  end
  return list
end

--- Says what a node answers to calls.
-- @tparam integer id
-- @tparam ?fun(value:raft.value,from:integer):raft.value f f(value, from) → answer; nil: it no longer answers
-- @treturn ?boolean true; nil, message, code, detail
function network:serve(id, f)
  if f ~= nil then
    arguments.callable("f", f)
  end
  if not self:knows("id", id) then
    return self:unknown_node(id)
  end
  return self.core:serve(id, f and aside.serving(self.recording, f))
end

--- A request from one node to another over the nodes' own transport.
-- @tparam integer from
-- @tparam integer to
-- @tparam raft.value value
-- @tparam[opt=10] ?number timeout seconds
-- @treturn ?raft.value the answer; nil, message, code, detail
function network:call(from, to, value, timeout)
  arguments.id("from", from)
  arguments.id("to", to)
  local length_ns = arguments.seconds("timeout", timeout, 10)
  self.driver:check_may_wait("call")
  local ticket, message, code, detail = self.core:call(from, to, value, self:deadline_ns(length_ns))
  if not ticket then
    return nil, message, code, detail
  end
  local outcome = self.driver:await(ticket)
  if outcome.code then
    return nil, outcome.message, outcome.code, { unknown = outcome.unknown or nil }
  end
  return outcome.result
end

return network
