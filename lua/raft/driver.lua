--- Waiting: lets the world of one cluster go on until what is waited for has happened, and runs the clients'
-- coroutines beside the main script.
--
-- A wait is a table { ticket, predicate, client, done, outcome, value }. The main script's wait drives the world; a
-- client's yields, and is resumed by the call that drives. A client that waits for a ticket and nothing else, as most
-- do, stands for its wait itself.
-- @module raft.driver

local arguments = require "raft.arguments"
local core = require "raft.core"
local askers = require "raft.driver.askers"
local before_script = require "raft.driver.before_script"
local deferred = require "raft.driver.deferred"
local ending = require "raft.driver.ending"
local violation = require "raft.violation"

local driver = {}

local Driver = {}
Driver.__index = Driver

--- Raised by a call that a replay ends half-way.
driver.STOPPED = setmetatable({}, { __tostring = function() return "ended half-way" end })

local TIME_IS_UP = { code = "timeout", message = "the time-out has passed" } -- an outcome
local WAITS = {} -- what a client yields that waits: nobody else has it

local running, resume_coroutine, yield = coroutine.running, coroutine.resume, coroutine.yield
local is_entered, never, SLOTS = core.is_entered, core.never, core.ticket_slots
local unpack = table.unpack or unpack -- luacheck: ignore 113 143
local is_yieldable = rawget(coroutine, "isyieldable") -- Lua 5.1's own had none

--- A driver of one cluster.
-- @param handle the cluster's userdata
-- @treturn table
function driver.new(handle)
  return setmetatable({ -- all that is asked often has a value: nil would be looked for among the methods, too
    core = handle,
    drive = handle.drive, take = handle.take, -- found at once: called for each answer
    waits = {}, -- by slot, whose numbers are small and used again; a client that waits for that ticket
    predicates = {}, -- waits that are asked after each event, in order
    clients = {}, -- by coroutine
    askers = {}, -- by handle, from 1: those of workloads, which go on in C and come back where they need the script
    current = false, -- the client that is running; false: the main script
    deferred = {}, -- what callbacks asked for, after the present step
    chained = 0, -- how many callbacks caused one another up to the one that runs
    busy = false, -- what is running that must not wait
    failure = false, -- of a client, to be raised by the next turn
    main_wait = false, -- the main script's latest
    after_count = 0, -- calls of `after` so far
    before = {}, -- functions that are called before the script goes on
    timer = false, -- the number of the one whose function is running
    stops_ns = false, -- a replay: whatever waits is ended at this time, with STOPPED
    stops_steps = false, -- a replay: the same after so many of its steps
    is_closed = false,
  }, Driver)
end

--- Raises the violation that the checker saw, if it saw one.
function Driver:raise_violation()
  local broken = self.core:violation()
  if broken then
    error(violation.new(broken, self.replay), 0)
  end
end

--- Whether a callback runs: of the world's step, or of another call (a node that is resumed reads what has arrived).
-- @treturn boolean
function Driver:is_inside()
  return is_entered(self.core)
end

--- Does something now, or after the present step where a callback asks for it.
-- @function Driver:control
-- @tparam function f
-- @return what f returns; true where it was put off
Driver.control = deferred.control

--- Raises an error where the world is in the middle of a step.
-- @tparam string what the call's name
function Driver:not_in_step(what)
  if is_entered(self.core) then
    arguments.raise(what .. " cannot be called from a callback; call it from the main script or a client")
  end
end

-- The client that asks; nil: the main script.
local function asking(self, what)
  local thread, is_main = running()
  local client = not is_main and self.clients[thread]
  if client and not self.busy and is_yieldable() then -- no callback is, so that none is under way
    return client
  elseif self.busy or is_entered(self.core) then
    arguments.raise("%s waits, which cannot be done from %s; call it from the main script or from a client made by "
      .. "c:client", what or "this call", self.busy or "a callback")
  elseif client then
    arguments.raise("%s waits, which cannot be done from a function that a C function called (a comparison of "
      .. "table.sort, say)", what or "this call")
  elseif thread and not is_main then
    arguments.raise("%s waits, which works in the main script and in clients made by c:client, not in another "
      .. "coroutine", what or "this call")
  end
  return nil
end

--- The client that is running, itself or a coroutine of its own; nil: the main script.
-- @treturn ?table
function Driver:client()
  return self.current or nil
end

local function remove(list, value)
  for position, one in ipairs(list) do
    if one == value then
      table.remove(list, position)
      return
    end
  end
end

local function slot_of(ticket)
  return ticket % SLOTS + 1
end

local function forget(self, wait)
  local slot = wait.ticket and slot_of(wait.ticket)
  if slot and self.waits[slot] == wait then -- else its ticket has come, and the slot may be another's by now
    self.waits[slot] = nil
    if not self.is_closed then
      self.core:forget(wait.ticket)
    end
  end
  if wait.predicate then
    remove(self.predicates, wait)
  end
end

local finish

-- A client has ended, with an error where `failure` is given: who waits for it goes on.
local function ended(self, client, failure)
  client.finished = true
  if failure then
    client.failure = failure
    self.failure = self.failure or failure
  end
  local waiters = client.waiters
  client.waiters = {}
  for _, wait in ipairs(waiters) do
    forget(self, wait)
    finish(self, wait, {})
  end
end

local function end_client(self, client, fine, ...)
  local thread = client.thread
  self.clients[thread] = nil
  if fine then
    client.results = { n = select("#", ...), ... }
    ended(self, client)
  else
    local raised = ...
    ended(self, client, { value = type(raised) == "string" and debug.traceback(thread, raised) or raised })
  end
end

-- A client has stopped running: to wait, for good, or for no reason that we know.
local function judge(self, client, fine, ...)
  if coroutine.status(client.thread) == "dead" then
    end_client(self, client, fine, ...)
  else
    end_client(self, client, false, "a client yielded by itself, and nothing would go on with it: it waits by calling "
      .. "the cluster")
  end
end

local function came_back(self, client, before, fine, first, ...)
  self.current = before
  if first ~= WAITS then
    judge(self, client, fine, first, ...)
  end
end

local function resume(self, client, value)
  if self.before[1] then
    before_script.run(self)
  end
  local before = self.current -- a client that starts this one
  self.current = client
  came_back(self, client, before, resume_coroutine(client.thread, value))
end

-- A timer's function, which must not wait: what it raises is raised by the call that drives the world.
local function run_timer(self, f, number)
  before_script.run(self)
  self.busy, self.timer = "a function that c:after calls", number
  local fine, problem = xpcall(f, function(raised)
    return type(raised) == "string" and debug.traceback(raised, 2) or raised
  end)
  self.busy, self.timer = false, false
  if not fine and not self.failure then
    self.failure = { value = problem }
  end
end

-- A wait has ended: its client goes on, or its function is called.
function finish(self, wait, outcome)
  wait.done, wait.outcome = true, outcome
  if wait.timer then
    run_timer(self, wait.timer, wait.number)
    return
  end
  if wait.predicate then
    remove(self.predicates, wait)
  end
  if wait.client then
    resume(self, wait.client)
  end
end

-- Asks each predicate once, in order.
local function ask_predicates(self)
  local list = { unpack(self.predicates) } -- clients that go on add others
  for _, wait in ipairs(list) do
    if not wait.done and not self.is_closed then
      self.busy = "a predicate"
      local fine, value = pcall(wait.predicate)
      self.busy = false
      if self.is_closed then -- by the predicate
        return
      elseif not fine then
        wait.raised = { value = value }
      end
      if value or not fine then
        wait.value = value
        forget(self, wait)
        finish(self, wait, {})
      end
    end
  end
end

-- Who waits for a ticket goes on: what it was for has come.
local function came(self, ticket, outcome)
  local slot = ticket % SLOTS + 1
  local wait = self.waits[slot]
  self.waits[slot] = nil
  if outcome == true then
    outcome = TIME_IS_UP
  end
  if wait and wait.thread then
    resume(self, wait, outcome)
  elseif wait then
    finish(self, wait, outcome)
  end
end

-- From a ticket or the handle of a client that was taken on.
local function wake(self, ticket, outcome)
  local handle, take = self.core, self.take
  while ticket do
    if ticket < 0 then
      self:serve(self.askers[-ticket])
    else
      came(self, ticket, outcome)
    end
    if self.is_closed then -- by the client that went on
      return
    end
    ticket, outcome = take(handle)
  end
end

local function raise_failure(self)
  local failure = self.failure
  self.failure = false
  error(failure.value, 0)
end

-- Why a turn ended without an answer, where that is to be raised.
local function raise_end(self, how, problem)
  if how == "failed" then
    error(problem, 0)
  elseif how == "stopped" then
    self:raise_violation()
  elseif how == "signal" then
    error("interrupted", 0)
  elseif how == "limit" and self.stops_steps then
    error(driver.STOPPED, 0)
  elseif how == "limit" then
    error(violation.hang(self.core:world_events(), self.core:now_ns() / 1e9), 0)
  end
end

--- Lets the world go on by one turn: until something is ready, an event if a wait asks after each, or `until_ns`.
-- @tparam integer until_ns
-- @tparam ?boolean each_event
-- @treturn string how it ended; "closed" where somebody shut the cluster down meanwhile
function Driver:turn(until_ns, each_event)
  if self.failure then
    raise_failure(self)
  end
  if self.deferred[1] then -- what callbacks of calls since the last turn asked for
    deferred.run(self)
  end
  self.busy = "a callback"
  local how, ticket, outcome = self.drive(self.core, until_ns, each_event or self.predicates[1] ~= nil)
  self.busy = false
  if self.deferred[1] then
    deferred.run(self)
  end
  if how ~= "ready" then
    raise_end(self, how, ticket)
    ticket = nil
  end
  if not self.is_closed then
    if not ticket then
      ticket, outcome = self.take(self.core)
    end
    wake(self, ticket, outcome)
  end
  before_script.run(self)
  if self.predicates[1] then
    ask_predicates(self)
  end
  if self.failure then
    raise_failure(self)
  end
  return self.is_closed and "closed" or how
end

local function drive_until_done(self, wait)
  if self.main_wait and not self.main_wait.done then
    forget(self, self.main_wait) -- an error ended the call that waited for it
  end
  self.main_wait = wait
  while not wait.done do
    local how = self:turn(self.stops_ns or never)
    if how == "time" and not wait.done and self.stops_ns then
      error(driver.STOPPED, 0)
    elseif how == "time" and not wait.done then
      forget(self, wait)
      error("nothing is left to happen in this world that could end this wait", 0)
    elseif how == "closed" and not wait.done then
      arguments.raise("the cluster was shut down while this call waited")
    end
  end
end

local function await(self, wait)
  if wait.ticket then
    self.waits[slot_of(wait.ticket)] = wait
  end
  if wait.predicate then
    self.predicates[#self.predicates + 1] = wait
  end
  if wait.client then
    yield(WAITS)
  else
    drive_until_done(self, wait)
  end
  if wait.raised then
    error(wait.raised.value, 0)
  end
  return wait.outcome
end

--- Raises an error at the caller's line where a wait cannot be made here. Call it before a ticket is made.
-- @tparam string what the call's name
-- @treturn ?table the client that asks; nil: the main script
function Driver:check_may_wait(what)
  return asking(self, what)
end

--- Calls a function at a time of the world's clock. It must not wait.
-- @tparam integer deadline_ns
-- @tparam function f
-- @treturn function ends it
function Driver:after(deadline_ns, f)
  self.after_count = self.after_count + 1
  local wait = { ticket = self.core:wait_time(deadline_ns), timer = f, number = self.after_count, done = false }
  local slot = slot_of(wait.ticket)
  self.waits[slot] = wait
  return function()
    if not wait.done and self.waits[slot] == wait then
      forget(self, wait)
    end
  end
end

--- Waits for a ticket where check_may_wait has just said who asks.
-- @tparam ?table client
-- @tparam integer ticket
-- @treturn table its outcome
function Driver:await_for(client, ticket)
  if client then
    self.waits[slot_of(ticket)] = client
    return yield(WAITS)
  end
  return await(self, { ticket = ticket, done = false })
end

--- Waits for a ticket.
-- @tparam integer ticket
-- @treturn table its outcome
function Driver:await(ticket)
  return self:await_for(asking(self), ticket)
end

--- Waits until a predicate is true; it is asked at once and after each event.
-- @tparam function predicate
-- @tparam integer deadline_ns
-- @return its value; nil: the deadline came first
function Driver:await_predicate(predicate, deadline_ns)
  local client = asking(self)
  self.busy = "a predicate"
  local fine, value = pcall(predicate)
  self.busy = false
  if not fine then
    error(value, 0)
  elseif value then
    return value
  elseif self.is_closed then
    arguments.raise("the cluster was shut down by the predicate")
  end
  local ticket = self.core:wait_time(deadline_ns)
  local wait = { client = client, ticket = ticket, predicate = predicate, done = false }
  await(self, wait)
  return wait.value
end

--- Another client begins.
-- @tparam table client
function Driver:begin_client(client)
  if self.is_closed then
    arguments.raise("attempt to use a closed cluster")
  elseif self.busy then
    arguments.raise("a client cannot be started from %s; start it from the main script or from another client",
      self.busy)
  end
  self.started = (self.started or 0) + 1
  client.waiters, client.number = {}, self.started
end

--- Asks after each event, until it gives true; nobody waits for it.
-- @tparam function predicate
function Driver:ask_each_event(predicate)
  self.predicates[#self.predicates + 1] = { predicate = predicate, done = false }
end

--- Starts a client: f(client) runs at once, up to its first wait.
-- @tparam function f
-- @tparam table client
function Driver:start_client(f, client)
  self:begin_client(client)
  local thread = coroutine.create(f)
  client.thread = thread
  self.clients[thread] = client
  resume(self, client, client)
end

--- Waits until a function is called.
-- @tparam function register register(f): where f is what will be called
function Driver:await_call(register)
  local wait = { client = asking(self), done = false }
  register(function() finish(self, wait, {}) end)
  await(self, wait)
end

--- Waits within a client's coroutine until it is resumed by Driver:resume.
function Driver.await_resume()
  yield(WAITS)
end

Driver.before_script = before_script.add
Driver.resume, Driver.ended = resume, ended -- resume(client), ended(client, failure or nil)

--- Waits until a client has ended.
-- @tparam table client
-- @tparam integer deadline_ns
-- @treturn boolean false: the deadline came first
function Driver:await_client(client, deadline_ns)
  local asker = asking(self)
  if not client.finished then
    local wait = { client = asker, ticket = self.core:wait_time(deadline_ns), done = false }
    client.waiters[#client.waiters + 1] = wait
    await(self, wait)
    remove(client.waiters, wait)
  end
  return client.finished or false
end

for _, methods in ipairs { askers, ending } do
  for name, method in pairs(methods) do
    Driver[name] = method
  end
end

return driver
