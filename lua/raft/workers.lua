--- Workers: children of this process, made by fork(2), that run a Lua function in a copy of it and tell what they find.
--
-- What is done in a child changes nothing here; no child outlives its parent. It knows nothing of what workers do.
-- @module raft.workers

local core = require "raft.core"
local open = require "raft.open"

local workers = {}

local Worker = {}
Worker.__index = Worker

local signals = {
  [4] = "illegal instruction", [6] = "aborted", [7] = "bus error", [8] = "arithmetic error", [9] = "killed",
  [11] = "segmentation fault", [15] = "terminated", [24] = "CPU time limit", [31] = "bad system call",
}

local kept -- in a child: the clusters that were open when it was made; they are its parent's, and never collected here

--- Starts a worker.
-- @tparam function f f(tell, take) runs in the child: tell(record) hands a value (no function, no userdata) to the
-- parent, take() waits for one that the parent sends. What f returns is its exit status (nil: 0)
-- @treturn ?table the worker; nil and a message where there can't be one
function workers.start(f)
  local handle, problem = core.worker_start(function(tell, take)
    kept = open.all()
    return f(tell, take) or 0
  end)
  if not handle then
    return nil, problem
  end
  return setmetatable({ core = handle, pid = handle:pid(), is_told = false }, Worker)
end

--- Forks a worker where it is: its child goes on there too, with a copy of all it has, up to the same end. What the
-- child tells and takes is between the two.
-- @treturn ?table|boolean the child's handle, and in the child false; nil and a message where there can't be one
function workers.fork()
  local handle, problem = core.worker_fork()
  if not handle then
    return handle, problem
  end
  return setmetatable({ core = handle, pid = handle:pid(), is_told = false }, Worker)
end

--- Ends it at once. Twice is fine.
function Worker:kill()
  self.core:kill()
end

--- Ends what it runs as Ctrl-C would, where it lets itself be interrupted (core.begin_prompt).
function Worker:interrupt()
  self.core:interrupt()
end

--- Sends a record that the child takes.
-- @param record a value
-- @treturn boolean false where it has ended
function Worker:send(record)
  return self.core:send(record)
end

--- The end of what it has printed so far.
-- @treturn string
function Worker:text()
  return self.core:text()
end

-- What is known of it now, into the list.
local function collect(worker, events)
  local handle = worker.core
  local record = handle:take()
  while record ~= nil do
    events[#events + 1] = { worker = worker, record = record }
    record = handle:take()
  end
  local how, number = handle:ended()
  if how and not worker.is_told then
    worker.is_told = true
    events[#events + 1] = { worker = worker, ended = { [how == "exit" and "status" or "signal"] = number,
      text = handle:text() } }
  end
end

--- Waits until workers have something to tell. A signal ends the wait.
-- @tparam table list of workers
-- @tparam ?number timeout_s nil: no limit
-- @treturn table a list of { worker, record } and { worker, ended = { status or signal, text } }, text being the end of
-- what it printed; empty where the time is over
function workers.wait(list, timeout_s)
  local handles, events = {}, {}
  local deadline_ns = timeout_s and core.clock_ns() + timeout_s * 1e9
  for position, worker in ipairs(list) do
    handles[position] = worker.core
    collect(worker, events) -- what an earlier look left
  end
  local left_ns, quiet = 0, true
  while #events == 0 and left_ns >= 0 and quiet do -- part of a record is nothing to tell yet
    left_ns = deadline_ns and math.max(0, deadline_ns - core.clock_ns())
    quiet = core.workers_poll(handles, left_ns and math.ceil(left_ns / 1e6) or -1)
    for _, worker in ipairs(list) do
      collect(worker, events)
    end
    left_ns = left_ns and deadline_ns - core.clock_ns() or 0
  end
  return events
end

--- How a worker ended, in words.
-- @tparam table ended as `workers.wait` gives it
-- @treturn string
function workers.how(ended)
  if not ended.signal then
    return ("ended with status %d"):format(ended.status)
  end
  local name = signals[ended.signal]
  return ("was killed by signal %d%s"):format(ended.signal, name and " (" .. name .. ")" or "")
end

--- Calls f in a child of its own.
-- @tparam function f returns a value; what it raises is its death
-- @tparam number timeout_s real seconds
-- @treturn table { value }, { died = how, text = the end of what it printed }, or { hung = true, text }
function workers.call(f, timeout_s)
  local worker, problem = workers.start(function(tell)
    tell { value = f() }
  end)
  if not worker then
    return { died = problem, text = "" }
  end
  local deadline_ns = core.clock_ns() + timeout_s * 1e9
  local answer
  repeat
    for _, event in ipairs(workers.wait({ worker }, (deadline_ns - core.clock_ns()) / 1e9)) do
      if event.record then
        answer = event.record
      elseif not answer then
        return { died = workers.how(event.ended), text = event.ended.text }
      end
    end
  until answer or core.clock_ns() >= deadline_ns
  worker:kill()
  if answer then
    return { value = answer.value }
  end
  return { hung = true, text = worker:text() }
end

--- Whether this process is a worker.
-- @treturn boolean
function workers.is_child()
  return kept ~= nil
end

return workers
