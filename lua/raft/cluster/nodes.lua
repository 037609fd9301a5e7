--- What is done to nodes: crash, restart, pause, clocks.
-- @module raft.cluster.nodes

local arguments = require "raft.arguments"

local nodes = {}

-- Raises an error that names the argument where it is no node of this cluster.
function nodes:check_node(name, id, level)
  if not arguments.is_integer(id) or id < 1 then
    arguments.fail(name, "a node's id", id, 1 + (level or 0))
  elseif not self.core:state(id) then
    error(("bad argument '%s' (there is no node %d in this cluster; its nodes are %s)"):format(name, id,
      table.concat(self.core:ids(), ", ")), 3 + (level or 0))
  end
end

--- Stops a node at once: what was not synced is lost.
-- @tparam integer id
function nodes:crash(id)
  self:check_node("id", id)
  return self.driver:control(function()
    return self.core:crash(id)
  end)
end

--- Starts a crashed node again from its disk.
-- @tparam integer id
-- @treturn boolean true; nil, message, code
function nodes:restart(id)
  self:check_node("id", id)
  return self.driver:control(function()
    return self.core:restart(id)
  end)
end

--- Freezes a node: what arrives waits.
-- @tparam integer id
function nodes:pause(id)
  self:check_node("id", id)
  return self.driver:control(function()
    return self.core:pause(id)
  end)
end

--- Lets a frozen node go on.
-- @tparam integer id
function nodes:resume(id)
  self:check_node("id", id)
  return self.driver:control(function()
    return self.core:resume(id)
  end)
end

--- Changes a node's own clock.
-- @tparam integer id
-- @tparam table clock `rate`: beside the world's (1.0); `offset` seconds: a jump forward, or for a negative one a
-- stand-still
function nodes:clock(id, clock)
  self:check_node("id", id)
  if type(clock) ~= "table" then
    arguments.fail("clock", "a table { rate, offset }", clock)
  end
  clock = arguments.options("clock", clock, { rate = true, offset = true })
  local rate, offset = clock.rate or 1.0, clock.offset or 0
  if type(rate) ~= "number" or not (rate >= 0.001 and rate <= 1000) then
    arguments.fail("clock.rate", "a number from 0.001 to 1000", rate)
  elseif type(offset) ~= "number" or not (offset > -1e6 and offset < 1e6) then
    arguments.fail("clock.offset", "seconds", offset)
  end
  return self.driver:control(function()
    return self.core:clock(id, arguments.ns(rate), math.floor(offset * 1e9 + 0.5))
  end)
end

--- Whether a node is running.
-- @tparam integer id
-- @treturn boolean
function nodes:is_alive(id)
  self:check_node("id", id)
  return self.core:state(id) == "running"
end

--- Whether a node is running and not disconnected.
-- @tparam integer id
-- @treturn boolean
function nodes:is_connected(id)
  self:check_node("id", id)
  return self.core:is_connected(id)
end

return nodes
