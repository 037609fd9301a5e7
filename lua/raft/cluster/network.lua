--- The network's faults, intercepted messages, calls between nodes.
-- @module raft.cluster.network

local arguments = require "raft.arguments"
local script = require "raft.script"

local network = {}

--- Cuts a node's links to all others.
-- @tparam integer id
-- @treturn ?boolean true; nil, message, "unknown_node", detail
function network:disconnect(id)
  return self:control(id, function()
    return self.core:set_disconnected(id, true)
  end)
end

--- Restores a node's links.
-- @tparam integer id
-- @treturn ?boolean true; nil, message, "unknown_node", detail
function network:reconnect(id)
  return self:control(id, function()
    return self.core:set_disconnected(id, false)
  end)
end

--- Parts the nodes into groups that cannot talk; nodes in no group form one more. Replaces the last partition.
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

--- Sets the faults of one direction of one link; replaces what it had.
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

--- Ends partition, disconnects and link faults; not pauses or crashes.
-- @treturn boolean true
function network:heal()
  return self.driver:control(function()
    return self.core:heal()
  end)
end

local Message = {}
Message.__index = Message

local function position_held(message)
  for position, one in ipairs(message.cluster.held_messages) do
    if one == message then
      return position
    end
  end
  return nil
end

-- Before something is done to a message: it is held no more.
local function take(message, call)
  local position = position_held(message)
  local returned = script.object_call(message.cluster.recording, message, (":%s()"):format(call),
    position and ("c:held()[%d]"):format(position))
  returned()
  if position then
    table.remove(message.cluster.held_messages, position)
  end
end

--- Lets a held message arrive now; again: a replay.
-- @treturn boolean true
function Message:deliver()
  local driver, handle, frame = self.cluster.driver, self.cluster.core, self.frame
  take(self, "deliver")
  return driver:control(function()
    handle:deliver(frame)
    return true
  end)
end

--- Loses a held message.
-- @treturn boolean true
function Message:drop()
  local driver, handle, frame = self.cluster.driver, self.cluster.core, self.frame
  take(self, "drop")
  return driver:control(function()
    handle:drop(frame)
    return true
  end)
end

--- Looks at each message before it leaves.
-- @tparam ?fun(message:raft.message):"drop"|"hold"|nil f f(message): nothing lets it pass, "drop", "hold"; nil ends it,
-- held ones stay
-- @treturn boolean true
function network:intercept(f)
  if f == nil then
    self.core:intercept(nil)
    return true
  end
  arguments.callable("f", f)
  self.held_messages = self.held_messages or {}
  self.core:intercept(function(message, frame)
    message.cluster, message.frame = self, frame
    setmetatable(message, Message)
    local verdict = f(message)
    if verdict ~= nil and verdict ~= "drop" and verdict ~= "hold" then
      error(('intercept: f must return nothing, "drop" or "hold", not %s'):format(tostring(verdict)), 0)
    elseif verdict == "hold" then
      self.held_messages[#self.held_messages + 1] = message
    end
    return verdict
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
-- @tparam ?fun(value:raft.value,from:integer):raft.value f f(value, from) → answer; nil: nothing any more
-- @treturn ?boolean true; nil, message, "unknown_node", detail
function network:serve(id, f)
  if f ~= nil then
    arguments.callable("f", f)
  end
  if not self:knows("id", id) then
    return self:unknown_node(id)
  end
  self.core:serve(id, f)
  return true
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
