--- The event loop that all nodes of an application share, and waiting in it.
--
-- Calls that wait yield in a coroutine, which the loop resumes, and drive the loop in the main script.
-- @module raft.loop

local arguments = require "raft.arguments"
local core = require "raft.core"

local loop = {}

local core_loop = core.loop()

--- The nodes that were started and have not ended, by id: they need no other holder.
loop.running = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local is_yieldable = rawget(coroutine, "isyieldable") -- Lua 5.1's own had none

local is_stopped = false -- raft.stop was called
local driving -- the coroutine that drives the loop; nil: the main script
local is_pinned = false -- raft.pollfd was called
local watchers = {} -- functions that are told when a node starts or ends

-- The coroutine that is running; nil: the main script.
local function running()
  local thread, is_main = coroutine.running()
  if is_main then
    return nil
  end
  return thread
end

local function not_inside(what)
  if core_loop:is_inside() then
    arguments.raise("%s drives the loop, which is driving this callback already: call it from outside", what)
  end
end

-- One turn of the loop.
local function turn(wait_ns)
  driving = running()
  return core_loop:step(wait_ns)
end

-- f(...) with SIGTERM caught, where nobody else catches it; with SIGINT caught whoever does where `interrupts`.
local function catching_terminate(interrupts, f, ...)
  if not core_loop:catch_terminate(interrupts) then
    return f(...)
  end
  local fine, result = pcall(f, ...)
  core_loop:release_terminate()
  if not fine then
    error(result, 0)
  end
  return result
end

local function close_all()
  local list = {}
  for _, node in pairs(loop.running) do
    list[#list + 1] = not node.is_closing and node or nil
  end
  table.sort(list, function(a, b) return a.id < b.id end)
  for _, node in ipairs(list) do
    loop.begin_close(node) -- all of them at once; the loop goes on until they are closed
  end
end

local function run(length_ns)
  local started_ns = core.clock_ns()
  while core_loop:is_alive() do
    local left_ns = core.never
    if length_ns < core.never then
      left_ns = length_ns - (core.clock_ns() - started_ns)
    end
    if is_stopped or left_ns <= 0 then
      return true
    end
    turn(left_ns)
    if core_loop:was_terminated() then
      close_all()
    end
  end
  return false
end

--- Drives the loop, where the application has none. A SIGTERM that nobody else catches closes all nodes in order, so
-- that this returns.
-- @tparam ?number seconds for so long at most; nil: until nothing is alive or raft.stop is called
-- @treturn boolean false once nothing is alive: no node runs and no call waits
function loop.run(seconds)
  local length_ns = arguments.seconds("seconds", seconds, math.huge)
  not_inside("raft.run")
  is_stopped = false
  return catching_terminate(false, run, length_ns)
end

--- Drives the loop until all nodes have ended; SIGTERM and SIGINT close them in order; a second SIGINT ends the
-- process.
function loop.run_until_signal()
  is_stopped = false
  catching_terminate(true, run, core.never)
end

--- Makes raft.run return after the present turn; also from a callback.
function loop.stop()
  is_stopped = true
end

--- One turn of the loop, without waiting.
-- @treturn boolean false once nothing is alive
function loop.step()
  not_inside("raft.step")
  return turn(0)
end

--- The descriptor to poll, for a loop that is not ours. It stays the same from then on, and becomes readable also when
-- something is asked of a node meanwhile.
-- @treturn ?integer the descriptor; nil, message, code where the loop cannot be made
function loop.pollfd()
  local descriptor, message, code = core_loop:pollfd(true)
  if not descriptor then
    return nil, message, code
  end
  if is_pinned then
    core_loop:unpin()
  end
  is_pinned = true
  return descriptor
end

--- What to poll the descriptor for.
-- @treturn string "r", "w" or "rw"
function loop.events()
  return "r"
end

--- How long one may wait for the descriptor before raft.step is due.
-- @treturn ?number seconds; nil: for ever
function loop.timeout()
  local wait_ns = core_loop:timeout_ns()
  return wait_ns and wait_ns / 1e9
end

--- Whether something can still happen.
-- @treturn boolean
function loop.is_alive()
  return core_loop:is_alive()
end

--- Calls f whenever a node has started or ended.
-- @tparam function f
function loop.watch(f)
  watchers[f] = true
end

--- Calls f no longer.
-- @tparam function f
function loop.unwatch(f)
  watchers[f] = nil
end

--- A node has started or ended.
function loop.changed()
  for f in pairs(watchers) do
    f()
  end
end

local INSTEAD = "give it a function, and let that wake the coroutine"

--- Raises an error at the user's line where a wait cannot be made here.
-- @tparam string what the call's name
function loop.check_may_wait(what)
  local cqueues = package.loaded.cqueues -- what its coroutines yield ends its loop
  if type(cqueues) == "table" and cqueues.running and cqueues.running() then
    arguments.raise("%s waits, which cannot be done in a coroutine of cqueues: " .. INSTEAD, what)
  elseif running() and is_yieldable and not is_yieldable() then
    arguments.raise("%s waits, which cannot be done from a function that a C function called: give it a function",
      what)
  end
  if core_loop:is_inside() and running() == driving then
    arguments.raise("%s waits, which cannot be done from a callback: give it a function, or call it from a coroutine",
      what)
  end
end

--- Whether a wait can be made here.
-- @treturn boolean
function loop.may_wait()
  return (pcall(loop.check_may_wait, ""))
end

local function resume(thread)
  local fine, problem = coroutine.resume(thread)
  if not fine then
    error(type(problem) == "string" and debug.traceback(thread, problem) or problem, 0)
  end
end

--- Waits for an answer: yields in a coroutine, drives the loop in the main script.
-- @tparam string what the call's name
-- @tparam function begin begin(answer) asks; answer(...) is called later, from the loop
-- @return what the answer was called with
function loop.await(what, begin)
  local wait = { thread = running() }
  begin(function(...)
    wait.count, wait.results = select("#", ...), { ... }
    if wait.is_yielding then
      resume(wait.thread)
    end
  end)
  if wait.thread and not wait.results then
    wait.is_yielding = true
    coroutine.yield()
    wait.is_yielding = false
    if not wait.results then
      arguments.raise("the coroutine was resumed by other code while it waited for %s: in a coroutine of another "
        .. "scheduler, " .. INSTEAD, what)
    end
  end
  while not wait.results do
    if not turn(core.never) and not wait.results then
      error("nothing is left that could end this wait", 0)
    end
  end
  return unpack(wait.results, 1, wait.count)
end

return loop
