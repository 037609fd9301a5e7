--- Workloads: clients that go on asking a cluster while it runs, and the history of what they asked and were told.
--
-- This file starts and ends the clients; what they do is raft.workload.client's, what is asked raft.workload.kinds'.
-- @module raft.workload

local arguments = require "raft.arguments"
local client = require "raft.workload.client"
local core = require "raft.core"
local ending = require "raft.workload.ending"
local history = require "raft.history"
local kinds = require "raft.workload.kinds"
local options = require "raft.workload.options"

local workload = {}

local STOP_TIMEOUT = 10 -- s

local Run = {}
Run.__index = Run

function Run:check_operation(operation)
  options.check_operation("the generator's operation", self, operation)
end

function Run:note(entry)
  kinds.note(self.seen, entry)
end

-- ---- the clients --------------------------------------------------------------------------------------------

local function start_client(run, number, source)
  local stream = core.stream(run.cluster.options.seed, ("workload/%d/client/%d"):format(run.number, number))
  local self = { number = number, process = number, stream = stream, asked = 0, sleeps = false, pending = false,
    operation = false }
  self.asks = run.asks[(number - 1) % #run.asks + 1]
  self.given = run.given and run.given[number] or {}
  run.members[number] = self
  local thread = run.cluster:client(function(thread)
    self.thread, thread.performs = thread, run.perform ~= false
    client.run(run, self, source)
  end, run.session and { session = true } or nil)
  run.threads[number] = thread
end

local function start(run)
  local source = run.given and client.repeated or run.generator and client.generated or client.drawn
  local now_ns = run.cluster.core:now_ns()
  run.end_ns = run.length_ns >= core.never - now_ns and core.never or now_ns + run.length_ns
  for number = 1, run.clients do
    start_client(run, number, source)
  end
end

-- Waits for all clients; what raised an error in one is raised here.
local function wait_all(run, timeout)
  local cluster = run.cluster
  local deadline_ns = cluster:deadline_ns(arguments.seconds("timeout", timeout, STOP_TIMEOUT))
  for _, thread in ipairs(run.threads) do
    if not cluster.driver:await_client(thread, deadline_ns) then
      return false
    elseif thread.failure then
      cluster.driver:forget_raised(thread.failure)
      error(thread.failure.value, 0)
    end
  end
  return true
end

-- Where the logs hold a command of which nobody knows what became, its entry gets its place; and in a session, whose
-- commands may come twice, every command the first one.
local function locate(run)
  local invokes, placed = {}, {}
  for _, entry in ipairs(run.history) do
    if entry.type == "invoke" then
      invokes[entry.process] = entry
    elseif entry.type == "info" or run.session and entry.log_index then
      local kind, asked = run.operations[entry.f], invokes[entry.process]
      if kind and asked and not kind.is_read then
        local count, index = run.cluster.core:committed(client.body(run, kind, asked, asked))
        entry.log_index = count and count > 0 and index or entry.log_index
        placed[#placed + 1] = entry
      end
    end
  end
  if not run.session then
    return
  end
  -- A session's command that comes behind a later one of that session has no effect.
  local least = {}
  for position = #placed, 1, -1 do
    local entry = placed[position]
    local number, index = (entry.process - 1) % run.clients, entry.log_index
    if index and least[number] and index > least[number] then
      entry.log_index = nil
    elseif index then
      least[number] = index
    end
  end
end

-- No entry comes after this: what is open is unknown.
local function close(run)
  local list = run.history
  for _, self in ipairs(run.members) do
    local asked = self.pending
    if asked and not run.is_closed then
      list[#list + 1] = {
        index = #list + 1, process = asked.process, type = "info", f = asked.f, key = asked.key, value = asked.value,
        time = run.cluster.core:now_ns(), error = "stopped",
      }
    end
  end
  run.is_closed = true
  if run.locates then
    locate(run)
  end
end

local function end_clients(run, timeout)
  run.over = true
  for _, one in ipairs(run.members) do
    if one.sleeps then
      run.cluster.driver:cut_short(one.sleeps)
    end
  end
  wait_all(run, timeout)
end

--- As history:stop.
-- @tparam ?number timeout
-- @treturn boolean
function Run:stop(timeout)
  local cluster = self.cluster
  if self.is_closed or cluster.core:is_closed() then
    return true
  end
  cluster.driver:check_may_wait("history:stop")
  end_clients(self, timeout)
  close(self)
  return true
end

--- Its clients ask for nothing more: a server that catches up slowly never would while they wrote faster. Only for the
-- main script.
function Run:rest()
  if not (self.is_closed or self.cluster.core:is_closed()) then
    end_clients(self)
  end
end

--- Ends it as `stop` does, reads its keys once more, and sees that it is served. Only for the main script.
function Run:finish()
  if self.is_closed or self.cluster.core:is_closed() then
    return
  end
  end_clients(self)
  ending.ask(self)
  close(self)
end

--- As history:wait.
-- @tparam ?number timeout
-- @treturn ?boolean
function Run:wait(timeout)
  if self.is_closed or self.cluster.core:is_closed() then
    return true
  end
  self.cluster.driver:check_may_wait("history:wait")
  if not wait_all(self, timeout) then
    return nil, ("the workload did not end within %g s"):format(timeout or STOP_TIMEOUT), "timeout", {}
  end
  close(self)
  return true
end

-- ---- workloads of a cluster ---------------------------------------------------------------------------------

--- Starts one.
-- @tparam table cluster the inner object
-- @tparam ?table given the options
-- @treturn raft.history
function workload.start(cluster, given)
  cluster.driver:not_in_step("workload")
  local list = cluster.workloads or {}
  local run = setmetatable(options.of(given, #list + 1, core.never), Run)
  cluster.workloads = list
  run.cluster, run.number, run.members, run.threads = cluster, #list + 1, {}, {}
  run.tallies = {} -- by operation: how many were asked, the last entry, whether one has succeeded
  run.core, run.driver, run.over, run.is_closed = cluster.core, cluster.driver, false, false
  run.now_ns, run.request, run.wait_time = run.core.now_ns, run.core.request, run.core.wait_time
  run.history = history.new { kind = run.kind, model = run.model, clients = run.clients, run = run }
  list[run.number] = run.history
  local judges = cluster.judges -- a scenario's
  run.judge_at, run.judge = judges and judges.first(run) or math.huge, judges and judges.growing
  start(run)
  return run.history
end

--- The histories of all workloads of a cluster, in the order in which they were started.
-- @tparam raft.cluster cluster
-- @treturn table list
function workload.of(cluster)
  local inner = cluster.inner or cluster
  return inner.workloads or {}
end

return workload
