--- What is done to nodes: crash, restart, pause, clocks.
-- @module raft.cluster.nodes

local arguments = require "raft.arguments"
local source = require "raft.script.source"

local nodes = {}

local RECOVERY_NS = 10000000000 -- how long a restart waits for the disk

-- Whether there is such a node. Raises an error that names the argument where it is no id.
function nodes:knows(name, id)
  return self.core:state(arguments.id(name, id)) ~= nil
end

-- What a call gives back that was asked about a node that is not there.
function nodes:unknown_node(id)
  local ids = table.concat(self.core:ids(), ", ")
  return nil, ("there is no node %d in this cluster (its nodes are %s)"):format(id, ids), "unknown_node", {}
end

-- The ids that are meant by one, a list of them, or "all" (that were not removed); nil, message, code, detail where
-- there is no such node.
local function targets(self, what)
  if what == "all" then
    local ids = {}
    for _, id in ipairs(self.core:ids()) do
      if self.core:state(id) ~= "removed" then
        ids[#ids + 1] = id
      end
    end
    return ids
  elseif type(what) ~= "table" then
    if not self:knows("id", what) then
      return self:unknown_node(what)
    end
    return { what }
  end
  local ids = {}
  for position, id in ipairs(arguments.ids("id", what, true)) do
    if not self:knows("id", id) then
      return self:unknown_node(id)
    end
    ids[position] = id
  end
  return ids
end

-- Does f(id) to one node after the other, whatever fails; gives the first failure.
local function do_to_each(ids, f)
  local failed
  for _, id in ipairs(ids) do
    local fine, message, code, detail = f(id)
    if not fine then
      failed = failed or { message, code, detail }
    end
  end
  if failed then
    return nil, failed[1], failed[2], failed[3]
  end
  return true
end

-- Does f(id) to a node, each of a list of nodes, or "all": now, or after the present step where a callback asks for it.
function nodes:control(what, f)
  local ids, message, code, detail = targets(self, what)
  if not ids then
    return nil, message, code, detail
  end
  return self.driver:control(function()
    return do_to_each(ids, f)
  end)
end

--- Stops a node at once: what was not synced is lost.
-- @tparam raft.ids id a node's id, a list of ids or "all"; what follows is ignored, so that `c:crash(c:leader())` works
-- @treturn ?boolean true; nil, message, code, detail
function nodes:crash(id)
  return self:control(id, function(one)
    return self.core:crash(one)
  end)
end

-- Waits until a node that was started has read its disk, or has ended.
local function await_recovery(self, id, deadline_ns)
  if self.driver:await(self.core:wait_recovery(id, deadline_ns)).code then
    return nil, ("node %d has not read its disk within %g s"):format(id, RECOVERY_NS / 1e9), "timeout", {}
  end
  local status = self.core:status(id)
  if status.state == "failed" then
    return nil, ("node %d did not start: %s"):format(id, status.error), "storage", status.damage or {}
  end
  return true
end

--- Starts a crashed node again from its disk, and waits until it has read that.
-- @tparam raft.ids id as for crash
-- @tparam ?raft.restart_options options `wipe = true`: from an empty disk: another server, which is turned away until
-- its id is removed and added again; `wait = false`: returns at once, its state being "starting" until its disk is read
-- @treturn ?boolean true; nil, message, code, detail
function nodes:restart(id, options)
  options = arguments.options("options", type(options) == "table" and options or nil, { wipe = true, wait = true })
  for name, value in pairs(options) do
    if type(value) ~= "boolean" then
      arguments.fail("options." .. name, "a boolean", value)
    end
  end
  local waits = options.wait ~= false and not (self.driver:is_inside() or self.driver.busy)
  if waits then
    self.driver:check_may_wait("a restart")
  end
  local started = {}
  local fine, message, code, detail = self:control(id, function(one)
    if options.wipe then
      local wiped, problem, problem_code, problem_detail = self.core:wipe(one)
      if not wiped then
        return nil, problem, problem_code, problem_detail
      end
    end
    started[#started + 1] = one
    return self.core:restart(one)
  end)
  if not waits then
    return fine, message, code, detail
  end
  local deadline_ns = self:deadline_ns(RECOVERY_NS)
  local recovered, problem, problem_code, problem_detail = do_to_each(started, function(one)
    return await_recovery(self, one, deadline_ns)
  end)
  if not fine then
    return nil, message, code, detail
  end
  return recovered, problem, problem_code, problem_detail
end

--- Freezes a node: what arrives waits.
-- @tparam raft.ids id as for crash
-- @treturn ?boolean true; nil, message, code, detail
function nodes:pause(id)
  return self:control(id, function(one)
    return self.core:pause(one)
  end)
end

--- Lets a frozen node go on.
-- @tparam raft.ids id as for crash
-- @treturn ?boolean true; nil, message, code, detail
function nodes:resume(id)
  return self:control(id, function(one)
    return self.core:resume(one)
  end)
end

--- Takes a snapshot of each node now, waits until it is on disk, and drops the log that it covers.
-- @tparam raft.ids id a node's id, a list of ids or "all"
-- @tparam ?raft.timeout_options options `timeout` seconds, 10 if not given
-- @treturn ?integer the index that the (first) snapshot covers; nil, message, code, detail ("unsupported": the machine
-- has no snapshots)
function nodes:compact(id, options)
  options = arguments.options("options", type(options) == "table" and options or nil, { timeout = true })
  local deadline_ns = self:deadline_ns(arguments.seconds("options.timeout", options.timeout, 10))
  self.driver:check_may_wait("compact")
  local ids, message, code, detail = targets(self, id)
  if not ids then
    return nil, message, code, detail
  end
  local first
  local fine, problem, problem_code, what = do_to_each(ids, function(one)
    local outcome = self.driver:await(self.core:compact(one, deadline_ns))
    if outcome.code then
      return nil, outcome.message, outcome.code, { unknown = outcome.unknown or nil }
    end
    first = first or outcome.index
    return true
  end)
  return fine and first, problem, problem_code, what
end

--- What a node's disk does wrong, this one or the next that the id has; replaces what it did.
-- @tparam raft.ids id a node's id, a list of ids or "all"
-- @tparam ?raft.disk_faults faults nil: none. `sync_delay`: seconds that each sync lasts longer; `stall`: nothing ends
-- until it is taken back; `full`: nothing takes new room; chances of `write_error`, `sync_error`, `corrupt` (a read
-- gives a wrong bit), `misdirect_read`, `misdirect_write`; of the next crash only: `torn_write` (of what was not
-- synced, some sectors are there), `flip` (a synced bit is another); `crash_after`: the node crashes when its disk has
-- done so many more operations. Over TCP in memory: `sync_delay`, `stall` and errors; with real files none
-- @treturn ?boolean true; nil, message, code, detail
function nodes:disk(id, faults)
  local disk = arguments.disk("faults", faults)
  return self:control(id, function(one)
    self.changed_disks[one] = faults ~= nil and source.copy(faults) or true
    return self.core:disk(one, disk)
  end)
end

--- Changes a node's own clock.
-- @tparam raft.ids id as for crash
-- @tparam raft.clock clock `rate`: beside the world's, from 0.001 to 1000 (1.0); `offset` seconds, less than 1e6 either
-- way: a jump forward, or for a negative one a stand-still
-- @treturn ?boolean true; nil, message, code, detail
function nodes:clock(id, clock)
  if type(clock) ~= "table" then
    arguments.fail("clock", "a table { rate, offset }", clock)
  end
  clock = arguments.options("clock", clock, { rate = true, offset = true })
  local rate, offset = clock.rate or 1.0, clock.offset or 0
  if type(rate) ~= "number" or not (rate >= 0.001 and rate <= 1000) then
    arguments.fail("clock.rate", "a number from 0.001 to 1000", rate)
  elseif type(offset) ~= "number" or not (offset > -1e6 and offset < 1e6) then
    arguments.fail("clock.offset", "seconds, less than 1e6 either way,", offset)
  end
  return self:control(id, function(one)
    self.changed_clocks[one] = { rate = rate ~= 1 and rate or nil }
    return self.core:clock(one, arguments.ns(rate), math.floor(offset * 1e9 + 0.5))
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
