--- What is done to nodes: crash, restart, pause, clocks.
-- @module raft.cluster.nodes

local arguments = require "raft.arguments"

local nodes = {}

-- Whether there is such a node. Raises an error that names the argument where it is no id.
function nodes:knows(name, id)
  return self.core:state(arguments.id(name, id)) ~= nil
end

-- What a call gives back that was asked about a node that is not there.
function nodes:unknown_node(id)
  local ids = table.concat(self.core:ids(), ", ")
  return nil, ("there is no node %d in this cluster (its nodes are %s)"):format(id, ids), "unknown_node", {}
end

-- Does something to a node: now, or after the present step where a callback asks for it.
function nodes:control(id, f)
  if not self:knows("id", id) then
    return self:unknown_node(id)
  end
  return self.driver:control(f)
end

--- Stops a node at once: what was not synced is lost.
-- @tparam integer id
-- @treturn ?boolean true; nil, message, code, detail
function nodes:crash(id)
  return self:control(id, function()
    return self.core:crash(id)
  end)
end

--- Starts a crashed node again from its disk.
-- @tparam integer id
-- @tparam ?raft.restart_options options `wipe = true`: from an empty disk, refused by the others until it is removed
-- and added again; `wait = false`: returns at once (recovery from memory takes no time)
-- @treturn ?boolean true; nil, message, code, detail
function nodes:restart(id, options)
  options = arguments.options("options", type(options) == "table" and options or nil, { wipe = true, wait = true })
  for name, value in pairs(options) do
    if type(value) ~= "boolean" then
      arguments.fail("options." .. name, "a boolean", value)
    end
  end
  return self:control(id, function()
    if options.wipe then
      local fine, message, code, detail = self.core:wipe(id)
      if not fine then
        return nil, message, code, detail
      end
    end
    return self.core:restart(id)
  end)
end

--- Freezes a node: what arrives waits.
-- @tparam integer id
-- @treturn ?boolean true; nil, message, code, detail
function nodes:pause(id)
  return self:control(id, function()
    return self.core:pause(id)
  end)
end

--- Lets a frozen node go on.
-- @tparam integer id
-- @treturn ?boolean true; nil, message, code, detail
function nodes:resume(id)
  return self:control(id, function()
    return self.core:resume(id)
  end)
end

--- Changes a node's own clock.
-- @tparam integer id
-- @tparam raft.clock clock `rate`: beside the world's (1.0); `offset` seconds: a jump forward, or for a negative one a
-- stand-still
-- @treturn ?boolean true; nil, message, code, detail
function nodes:clock(id, clock)
  arguments.id("id", id)
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
  return self:control(id, function()
    return self.core:clock(id, arguments.ns(rate), math.floor(offset * 1e9 + 0.5))
  end)
end

--- Whether a node is running.
-- @tparam integer id
-- @treturn boolean
function nodes:is_alive(id)
  return self.core:state(arguments.id("id", id)) == "running"
end

--- Whether a node is running and not disconnected.
-- @tparam integer id
-- @treturn boolean
function nodes:is_connected(id)
  return self.core:is_connected(arguments.id("id", id))
end

return nodes
