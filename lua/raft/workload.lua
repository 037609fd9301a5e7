--- Workloads: clients that go on asking a cluster while it runs, and the history of what they asked and were told.
--
-- The clients go on in C (src/workload), and come back here where they need the script; those that call functions of
-- the script's, which may wait, do so in coroutines. This file starts and ends them.
-- @module raft.workload

local arguments = require "raft.arguments"
local client = require "raft.workload.client"
local core = require "raft.core"
local ending = require "raft.workload.ending"
local history = require "raft.history"
local options = require "raft.workload.options"

local workload = {}

local STOP_TIMEOUT = 10 -- s
local never = core.never

local Run = {}
Run.__index = Run

function Run:check_operation(operation)
  options.check_operation("the generator's operation", self, operation)
end

-- ---- the clients --------------------------------------------------------------------------------------------

local function leave(self)
  self.run.handle:leave()
end

local function go_on(run, self, need)
  need = client.serve(run, self.place, need)
  if need == "ended" then
    run.driver:end_asker(self)
  elseif need == "failed" then
    run.driver:end_asker(self, run.handle:failure())
  end
end

-- One that goes on in C, and needs no coroutine.
local function serve(self)
  local run = self.run
  local fine, problem = pcall(go_on, run, self, run.handle:need(self.place))
  if not fine then
    run.driver:end_asker(self, problem)
  end
end

local function start_asker(run, number)
  local self = { run = run, place = number, serve = serve, leave = leave }
  run.threads[number] = self
  local session = run.session and run.core:new_session() or 0
  run.driver:add_asker(self)
  local fine, problem = pcall(run.core.workload_start, run.core, run.handle, number, session, self.handle)
  if fine then
    serve(self)
  else
    run.driver:end_asker(self, problem)
  end
end

-- One that calls functions of the script's.
local function live(run, self, thread)
  thread.run, thread.leave = run, leave
  run.driver:give_handle(thread)
  local need = run.core:workload_start(run.handle, self.place, thread.session or 0, thread.handle)
  while true do
    need = client.serve(run, self.place, need)
    if need == "failed" then
      error(run.handle:failure(), 0)
    elseif need ~= "nothing" then
      return
    end
    run.driver.await_resume()
    need = run.handle:need(self.place)
  end
end

local function start_calling(run, number)
  local self = { place = number, asked = 0, operation = false }
  run.members[number] = self
  run.threads[number] = run.cluster:client(function(thread)
    thread.performs = run.perform ~= false
    live(run, self, thread)
  end, run.session and { session = true } or nil)
end

local function start(run)
  local start_one = (run.perform or run.generator) and start_calling or start_asker
  for number = 1, run.clients do
    start_one(run, number)
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

-- No entry comes after this: what is open is unknown.
local function close(run)
  run.is_closed = true
  run.core:workload_close(run.handle)
  history.close(run.history)
end

local function end_clients(run, timeout)
  run.core:workload_stop(run.handle)
  for number, one in ipairs(run.threads) do
    if not one.finished and run.handle:need(number) == "ended" then
      run.driver:serve(one)
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

-- As src/workload takes them.
local function make_handle(run)
  local handle = run.core:workload {
    seed = run.cluster.options.seed, number = run.number, kind = run.kind,
    source = run.given and "given" or run.generator and "generated" or "drawn", performs = run.perform ~= false,
    locates = run.locates, session = run.session, is_text = run.is_text, notes = run.notes, clients = run.clients,
    weights = run.weights, targets = run.asks, values = run.values or nil, count = run.count, gap_ns = run.gap_ns,
    length_ns = run.length_ns, timeout = run.timeout, timeout_ns = run.timeout_ns, read = run.read, keys = run.keys,
    judge_at = run.judge_at < never and run.judge_at or nil,
  }
  for number, own in pairs(run.given or {}) do -- each for itself, in any order
    for _, operation in ipairs(own) do
      handle:give(number, arguments.ns(operation.at), operation)
    end
  end
  return handle
end

--- Starts one.
-- @tparam table cluster the inner object
-- @tparam ?table given the options
-- @treturn raft.history
function workload.start(cluster, given)
  cluster.driver:not_in_step("workload")
  local list = cluster.workloads or {}
  local run = setmetatable(options.of(given, #list + 1, never), Run)
  cluster.workloads = list
  run.cluster, run.number, run.members, run.threads = cluster, #list + 1, {}, {}
  run.core, run.driver, run.is_closed = cluster.core, cluster.driver, false
  local judges = cluster.judges -- a scenario's
  run.judge_at, run.judge = judges and judges.first(run) or math.huge, judges and judges.growing
  run.handle = make_handle(run)
  run.history = history.of_run(run)
  list[run.number] = run.history
  start(run)
  history.fill(run.history)
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
