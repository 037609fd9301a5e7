--- Time: letting the world of a cluster go on.
-- @module raft.cluster.time

local arguments = require "raft.arguments"
local filters = require "raft.filters"
local never = require("raft.core").never

local time = {}

--- The world's clock.
-- @treturn number seconds
function time:now()
  return self.core:now_ns() / 1e9
end

--- Lets the world run.
-- @tparam number s seconds
function time:sleep(s)
  local length_ns = arguments.seconds("s", s)
  self.driver:check_may_wait("sleep")
  self.driver:await(self.core:wait_time(self:deadline_ns(length_ns)))
end

-- The world's time when something that lasts so long ends.
function time:deadline_ns(length_ns)
  local now_ns = self.core:now_ns()
  return length_ns >= never - now_ns and never or now_ns + length_ns
end

--- Runs until a predicate is true. It is asked at once and after each event ("sim") or turn of the loop (TCP), and
-- must not wait.
-- @tparam fun():any predicate
-- @tparam[opt=10] ?number timeout seconds
-- @tparam ?string what is waited for, in words, for the message
-- @return the predicate's value; nil, message, "timeout", detail
function time:wait_until(predicate, timeout, what)
  arguments.callable("predicate", predicate)
  local length_ns = arguments.seconds("timeout", timeout, 10)
  if what ~= nil then
    arguments.text("what", what)
  end
  self.driver:check_may_wait("wait_until")
  local value = self.driver:await_predicate(predicate, self:deadline_ns(length_ns))
  if value then
    return value
  end
  return nil, ("%s did not come within %g s"):format(what or "what was waited for", length_ns / 1e9), "timeout", {}
end

--- Runs until the next event that matches.
-- @tparam raft.filter filter a function, or a table of fields that must be equal
-- @tparam[opt=10] ?number timeout seconds
-- @treturn ?raft.event the event; nil, message, "timeout", detail
function time:wait_event(filter, timeout)
  local kinds, matches, node, message = filters.compile("filter", filter)
  local length_ns = arguments.seconds("timeout", timeout, 10)
  self.driver:check_may_wait("wait_event")
  local found
  local reader = self.core:on(kinds, function(event)
    if not found and matches(event) then
      found = event
      self.core:interrupt()
    end
  end, node, message)
  local fine, problem = pcall(self.driver.await_predicate, self.driver, function()
    return found
  end, self:deadline_ns(length_ns))
  if not self.core:is_closed() then
    self.core:off(reader)
  end
  if not fine then
    error(problem, 0)
  elseif found then
    return found
  end
  return nil, ("no such event came within %g s"):format(length_ns / 1e9), "timeout", {}
end

--- The next events of a simulated world, one after the other.
-- @tparam[opt=1] ?integer n how many
-- @treturn ?raft.event[] what the trace tells of them, in order; nil, message, "unsupported", detail
function time:step(n)
  n = n == nil and 1 or n
  if not arguments.is_integer(n) or n < 1 then
    arguments.fail("n", "a number of events from 1", n)
  end
  if self.options.mode ~= "sim" then
    return nil, "step needs the simulated world: real time cannot be taken apart", "unsupported", {}
  end
  self.driver:check_may_wait("step")
  if self.driver:client() then
    arguments.raise("step cannot be called from a client: it would step the client itself")
  end
  local events = {}
  local reader = self.core:on(nil, function(event)
    events[#events + 1] = event
  end)
  local fine, problem = pcall(function()
    for _ = 1, n do
      local turn = self.driver:turn(self.driver.stops_ns or never, true)
      if turn == "time" or turn == "closed" then
        break
      end
    end
  end)
  if not self.core:is_closed() then
    self.core:off(reader)
  end
  if not fine then
    error(problem, 0)
  end
  return events
end

--- Calls a function so much later on the world's clock. As one that `on` calls it may call faults, and must not wait.
-- @tparam number s seconds
-- @tparam fun() f
-- @treturn fun() ends the subscription: f is not called again
function time:after(s, f)
  local length_ns = arguments.seconds("s", s)
  arguments.callable("f", f)
  return self.driver:after(self:deadline_ns(length_ns), f)
end

--- Calls a function at each event that matches. It may call faults, which take effect after the present step.
-- @tparam raft.filter filter a function, or a table of fields that must be equal
-- @tparam fun(event:raft.event) f f(event)
-- @treturn fun() ends it
function time:on(filter, f)
  local kinds, matches, node, message = filters.compile("filter", filter)
  arguments.callable("f", f)
  local reader = self.core:on(kinds, function(event)
    if matches(event) then
      f(event)
    end
  end, node, message)
  return function()
    if reader and not self.core:is_closed() then
      self.core:off(reader)
    end
    reader = nil
  end
end

return time
