--- One replica, for an application.
--
--     local node = assert(raft.node { id = 1, listen = "127.0.0.1:7001", peers = {...}, machine = {...} })
--     assert(node:start())
--     node:propose(command, function(index, result) ... end)
--     raft.run()
--
-- Callbacks run from the call that drives the loop; an error in one reaches the application from there.
-- @module raft.node

local arguments = require "raft.arguments"
local core = require "raft.core"
local loop = require "raft.loop"
local options = require "raft.node.options"

local node = {}

local core_loop = core.loop()
local null = core.null

local Node = {}
local metatable = { __index = Node, __name = "raft.node" }

local TIMEOUT = 10 -- seconds

local open = setmetatable({}, { __mode = "v" }) -- by id; a node that was never started is collected when it is lost

local event_names = { leader = true, role = true, members = true, removed = true, error = true, notice = true }

-- ---- what nodes tell ------------------------------------------------------------------------------

local function emit(self, name, ...)
  if self.is_closing then
    return
  end
  for _, f in ipairs(self.listeners[name] or {}) do
    f(...)
  end
end

local handlers = {}

function handlers.done(self, ticket, ...)
  local answer = self.waiting[ticket]
  self.waiting[ticket] = nil
  if answer then
    answer(...)
  end
end

function handlers.leader(self, id, term)
  emit(self, "leader", id ~= 0 and id or nil, term)
end

function handlers.role(self, term, role)
  emit(self, "role", role, term)
end

function handlers.members(self, members)
  emit(self, "members", members)
end

function handlers.removed(self)
  emit(self, "removed")
  loop.changed()
end

-- `traceback`: of what apply raised. An application that does not listen learns of it from the call that drives the
-- loop.
function handlers.failed(self, message, traceback)
  if type(traceback) == "string" then
    message = message .. "\n" .. traceback
  end
  if self.listeners.error then
    emit(self, "error", message, traceback and "node_down" or "storage")
  elseif not self.is_closing then
    error(message, 0)
  end
  loop.changed()
end

function handlers.notice(self, peer, text)
  emit(self, "notice", text, peer ~= 0 and peer or nil)
end

function handlers.trace(self, event)
  self.reader(event)
end

function handlers.closed(self, problem)
  open[self.id], loop.running[self.id] = nil, nil
  self.is_closed = true
  self.problem = problem
  local waiting = self.close_waiting
  self.close_waiting = {}
  loop.changed()
  for _, f in ipairs(waiting) do
    if problem then
      f(nil, problem, "storage", {})
    else
      f(true)
    end
  end
end

core_loop:dispatch(function(id, what, ...)
  local self = open[id]
  if self then
    handlers[what](self, ...)
  end
end)

-- Raises an error at the user's line where a method was called with a dot.
local function check_self(self, name)
  if getmetatable(self) ~= metatable then
    arguments.raise("bad self in a call of '%s' (a raft.node expected, got %s): call it with a colon, as node:%s(...)",
      name, type(self), name)
  end
end

-- The same for those who wait and those who gave a function.
local function fail(f, message, code, detail)
  if f then
    f(nil, message, code, detail)
    return
  end
  return nil, message, code, detail
end

local function closed_text(self)
  return ("node %d was closed"):format(self.id)
end

-- ---- making and starting ---------------------------------------------------------------------------

--- Makes a node; it does nothing before `node:start()`.
-- @tparam raft.node_options given `id`, `listen`, `peers`, `join`, `cluster`, `forward`, `insecure`, `machine`, and
-- raft.cluster's options of trace, timing, limits and safety
-- @treturn ?raft.node the node; nil, message, code, detail where it cannot be made
function node.new(given)
  local made, message, code = options.node(given)
  if not made then
    return nil, message, code, {}
  end
  local handle, problem, problem_code, detail = core_loop:node(made)
  if not handle and problem_code == "already_member" then
    collectgarbage() -- one that was never started, and that is no longer referenced, is collected
    collectgarbage()
    handle, problem, problem_code, detail = core_loop:node(made)
  end
  if not handle then
    return nil, problem, problem_code, detail
  end
  local self = setmetatable({
    id = made.id, handle = handle, reader = made.reader, listeners = {}, waiting = {}, close_waiting = {},
  }, metatable)
  open[self.id] = self
  return self
end

--- Listens, dials its peers, takes part. Once.
-- @treturn ?boolean true; nil, message, code, detail where that does not work
function Node:start()
  check_self(self, "start")
  if self.is_closing then
    return fail(nil, closed_text(self), "closed", {})
  end
  loop.running[self.id] = self
  local started, message, code, detail = self.handle:start()
  if not started then
    if self.handle:status().state == "stopped" then
      loop.running[self.id] = nil
    end
    return nil, message, code, detail
  end
  loop.changed()
  return true
end

-- ---- asking ----------------------------------------------------------------------------------------

local known = { timeout = true }
local known_of_reads = { timeout = true, read = true }

-- (options, f), (f) or (options): the time-out in ns, f, and the options.
local function split(given, f, allowed)
  if type(given) == "function" and f == nil then
    given, f = nil, given
  end
  if f ~= nil then
    arguments.callable("f", f)
  end
  given = arguments.options("options", given, allowed or known)
  return arguments.seconds("options.timeout", given.timeout, TIMEOUT), f, given
end

-- options.read, which is one of these.
local function read_mode(given, ...)
  for _, mode in ipairs { ... } do
    if given.read == mode then
      return mode
    end
  end
  if given.read ~= nil then
    arguments.fail("options.read", ('"%s" or nil'):format(table.concat({ ... }, '", "')), given.read)
  end
end

-- begin() asks and returns a ticket; finish(...) makes of the outcome what the caller is given. Without f: waits.
local function ask(self, what, f, begin, finish)
  if not f then
    loop.check_may_wait(what)
  end
  if self.is_closing then
    return fail(f, closed_text(self), "closed", {})
  end
  local function start(answer)
    self.waiting[begin()] = function(index, ...)
      if index == nil then
        answer(nil, ...)
      else
        answer(finish(index, ...))
      end
    end
  end
  if f then
    start(f)
    return
  end
  return loop.await(what, start)
end

local function without_null(value)
  if value == null then -- the machine had nothing to say
    return nil
  end
  return value
end

--- Has a command replicated and applied, on this node too. A follower passes it on to the leader and waits for one,
-- unless the node was made with `forward = false`.
-- @tparam raft.value command
-- @tparam ?raft.timeout_options|raft.callback given `timeout` seconds, 10 if not given; may be left out
-- @tparam ?raft.callback f f(index, result), or f(nil, message, code, detail); without it the call waits and returns
-- that
-- @treturn ?integer the command's index; nil, message, code, detail
-- @treturn raft.value the machine's result
function Node:propose(command, given, f)
  check_self(self, "propose")
  local timeout_ns
  timeout_ns, f = split(given, f)
  return ask(self, "node:propose", f, function()
    return self.handle:propose(command, timeout_ns)
  end, function(index, _, result)
    return index, without_null(result)
  end)
end

--- Waits until this node's own state is as fresh as the cluster's: what was answered before the call is in it.
-- @tparam ?raft.node_read_options|raft.callback given `timeout` seconds, 10 if not given; `read`: "lease" for the
-- leader's lease (needs `clock_drift`); may be left out
-- @tparam ?raft.callback f f(true), or f(nil, message, code, detail); without it the call waits and returns that
-- @treturn ?boolean true; nil, message, code, detail
function Node:read(given, f)
  check_self(self, "read")
  local timeout_ns
  timeout_ns, f, given = split(given, f, known_of_reads)
  local mode = read_mode(given, "lease")
  return ask(self, "node:read", f, function()
    return self.handle:read(nil, timeout_ns, mode)
  end, function()
    return true
  end)
end

--- As `node:read`, and asks the machine's `query` then.
-- @tparam raft.value request as the machine takes it
-- @tparam ?raft.node_read_options|raft.callback given `timeout` seconds, 10 if not given; `read`: "lease" for the
-- leader's lease (needs `clock_drift`), "stale" for what this node has just now; may be left out
-- @tparam ?raft.callback f f(answer), or f(nil, message, code, detail); without it the call waits and returns that
-- @treturn ?raft.value the answer; nil, message, code, detail
function Node:query(request, given, f)
  check_self(self, "query")
  local timeout_ns
  timeout_ns, f, given = split(given, f, known_of_reads)
  local mode = read_mode(given, "lease", "stale")
  if request == nil then
    arguments.fail("request", "a value", request)
  end
  return ask(self, "node:query", f, function()
    return self.handle:read(request, timeout_ns, mode)
  end, function(_, _, answer)
    return without_null(answer)
  end)
end

-- ---- members ---------------------------------------------------------------------------------------

-- One of the wanted groups, { [id] = true or address }: its ids in order. Fills `addresses`.
local function group_of(name, wanted, addresses)
  if wanted ~= nil and type(wanted) ~= "table" then
    arguments.fail(name, "a table { [id] = true or its address }", wanted)
  end
  local ids = {}
  for id, address in pairs(wanted or {}) do
    arguments.id("an id in " .. name, id)
    if address ~= true and not options.is_address(address) then
      arguments.fail(("%s[%d]"):format(name, id), 'true (a member already) or its address, as "127.0.0.1:7004",',
        address)
    end
    ids[#ids + 1], addresses[id] = id, address ~= true and address or nil
  end
  table.sort(ids)
  return ids
end

-- As raft.core takes them; nil, message, code, detail.
local function wanted_members(self, wanted)
  if type(wanted) ~= "table" then
    arguments.fail("wanted", "a table { voters, learners }", wanted)
  end
  for name in pairs(wanted) do
    if name ~= "voters" and name ~= "learners" then
      arguments.raise("bad argument 'wanted' (there is no '%s')", tostring(name))
    end
  end
  if self.is_closing then
    return nil, closed_text(self), "closed", {}
  end
  local made = { addresses = {} }
  for _, name in ipairs { "voters", "learners" } do
    made[name] = group_of("wanted." .. name, wanted[name], made.addresses)
  end
  for _, id in ipairs(made.learners) do
    if wanted.voters and wanted.voters[id] then
      arguments.fail("wanted.learners", "ids that are not voters", id)
    end
  end
  if #made.voters == 0 then
    arguments.fail("wanted.voters", "at least one", "none")
  end
  return made
end

--- Changes the members to exactly these, any number at once, through joint consensus. Only the leader takes it; others
-- answer "not_leader", with the leader's address in `detail.address`. New ones have to run, with `join = true`.
-- @tparam raft.wanted_addresses wanted { voters = { [id] = true, or the address of a new one }, learners = {...} }
-- @tparam ?raft.timeout_options|raft.callback given `timeout` seconds, 10 if not given; may be left out
-- @tparam ?raft.callback f f(index, term), or f(nil, message, code, detail); without it the call waits and returns that
-- @treturn ?integer the index of the change; nil, message, code, detail
-- @treturn integer its term
function Node:change_members(wanted, given, f)
  check_self(self, "change_members")
  local timeout_ns
  timeout_ns, f = split(given, f)
  local members, message, code, detail = wanted_members(self, wanted)
  if not members then
    return fail(f, message, code, detail)
  end
  return ask(self, "node:change_members", f, function()
    return self.handle:change(members, timeout_ns)
  end, function(index, term)
    return index, term
  end)
end

--- Hands leadership over to another voter: it is brought level first, and no command is taken meanwhile ("busy"). Only
-- the leader can; others answer "not_leader". What has not come about within one election time-out is given up
-- ("timeout"), and this node leads on.
-- @tparam integer id
-- @tparam ?raft.timeout_options|raft.callback given `timeout` seconds, 10 if not given; may be left out
-- @tparam ?raft.callback f f(id, term), or f(nil, message, code, detail); without it the call waits and returns that
-- @treturn ?integer that node's id, once it leads; nil, message, code, detail
-- @treturn integer the term in which it leads
function Node:transfer_leader(id, given, f)
  check_self(self, "transfer_leader")
  arguments.id("id", id)
  local timeout_ns
  timeout_ns, f = split(given, f)
  return ask(self, "node:transfer_leader", f, function()
    return self.handle:transfer(id, timeout_ns)
  end, function(leader, term)
    return leader, term
  end)
end

--- Takes a snapshot of this node's machine now, and drops the log that it covers.
-- @tparam ?raft.timeout_options|raft.callback given `timeout` seconds, 10 if not given; may be left out
-- @tparam ?raft.callback f f(index), or f(nil, message, code, detail); without it the call waits and returns that
-- @treturn ?integer the index that it covers, once it is on disk; nil, message, code, detail ("unsupported": the
-- machine has no snapshots)
function Node:compact(given, f)
  check_self(self, "compact")
  local timeout_ns
  timeout_ns, f = split(given, f)
  return ask(self, "node:compact", f, function()
    return self.handle:compact(timeout_ns)
  end, function(index)
    return index
  end)
end

-- ---- looking, ending -------------------------------------------------------------------------------

--- Calls f when something happens: "leader"(id or nil, term), "role"(role, term), "members"(members), "removed"(),
-- "error"(message, code) when the node has failed, "notice"(text, peer or nil) when something from outside was
-- turned away. Without a listener of "error" the call that drives the loop raises it.
-- @tparam "leader"|"role"|"members"|"removed"|"error"|"notice" name
-- @tparam fun(...) f
function Node:on(name, f)
  check_self(self, "on")
  if not event_names[name] then
    arguments.fail("name", '"leader", "role", "members", "removed", "error" or "notice"', name)
  end
  arguments.callable("f", f)
  local list = self.listeners[name] or {}
  self.listeners[name] = list
  list[#list + 1] = f
end

--- What it is now.
-- @treturn raft.node_status id, state ("stopped" "running" "failed" "removed" "closed"), error, role, term, vote,
-- leader, commit, applied, first_index, last_index, address, members ({voters, learners, addresses}); on a leader
-- peers[id] = {match, next, inflight}
function Node:status()
  check_self(self, "status")
  return self.handle:status()
end

-- Begins to end it, and does not wait.
local function begin_close(self, f)
  self.close_waiting[#self.close_waiting + 1] = f
  self.is_closing = true
  self.handle:close()
end

loop.begin_close = begin_close

--- Ends it: waiting calls get "closed", no callback comes later. A leader hands leadership over first, to the voter
-- whose log is furthest; that takes two of the longest election time-outs at most, and a second call ends it at once.
-- Without f it waits for that; from one of its callbacks it ends later.
-- @tparam ?raft.callback f f(true) once it is closed, or f(nil, message, "storage") where the trace could not be
-- written whole
-- @treturn ?boolean true; nil, message, code, detail where the trace could not be written whole
function Node:close(f)
  check_self(self, "close")
  if f ~= nil then
    arguments.callable("f", f)
  end
  if self.is_closed then
    if f then
      f(true)
    end
    return true
  end
  begin_close(self, f)
  if not f and not self.is_closed and loop.may_wait() then
    loop.await("node:close", function(answer)
      self.close_waiting[#self.close_waiting + 1] = answer
    end)
  end
  if self.problem then
    return nil, self.problem, "storage", {}
  end
  return true
end

metatable.__close = function(self)
  self:close()
end

metatable.__tostring = function(self)
  local status = self.handle:status()
  if status.role then
    return ("raft.node %d (%s, term %d)"):format(self.id, status.role, status.term)
  end
  return ("raft.node %d (%s)"):format(self.id, status.state)
end

return node
