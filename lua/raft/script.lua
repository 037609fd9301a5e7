--- What was done to a cluster, kept as calls, and written as a stand-alone script that does it again.
--
-- Kept is each call that a script, or somebody at the shell, makes itself and that can change the run. What clients and
-- callbacks do is kept apart, for forks (raft.script.aside): a script has their functions, which do it again. In the
-- simulated world the script gives the same trace.
-- @module raft.script

local archive = require "raft.script.archive"
local arguments = require "raft.arguments"
local aside = require "raft.script.aside"
local core = require "raft.core"
local files = require "raft.files"
local fold = require "raft.script.fold"
local source = require "raft.script.source"
local writer = require "raft.script.writer"

local script = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local now_at_rest = core.now_at_rest

-- Calls that change nothing, neither the trace nor what later calls find.
local looks = {}
for name in ("commits events held ids is_alive is_closed is_connected leader leaders log machine members mode now "
  .. "fork script seed shutdown stats status trace_hash view"):gmatch "[%a_]+" do
  looks[name] = true
end

-- Methods that are ours alone.
local private = { deadline_ns = true, knows = true, unknown_node = true, control = true, describe = true }

-- Calls whose first argument is often the leader of the moment.
local on_node = { crash = true, disconnect = true, pause = true, submit = true }

-- Calls that take an id and, behind it, at most a table: c:crash(c:leader()) hands over a term, too.
local takes_id = {}
for name in ("campaign crash disconnect pause reconnect restart resume transfer_leader compact"):gmatch "%a+" do
  takes_id[name] = true
end

-- The time at which a call that is ours begins; nil or false: it is not ours. A driver that is in a step is busy.
local function begins_ns(recording)
  local driver = recording.driver
  return not (driver.current or driver.busy) and now_at_rest(driver.core)
end

-- The call that was counted as one of a loop has raised an error: it stands alone.
local function end_repeating(recording)
  local call = recording.repeating
  if call then
    recording.repeating = false
    archive.keep(recording, { name = call.name, count = call.count, start_ns = recording.repeating_ns, raised = true,
      unpack(call, 1, call.count) })
  end
end

-- A call that is ours.
local function push(recording, call)
  if recording.repeating then
    end_repeating(recording)
  end
  archive.keep(recording, call)
  return call
end

-- A call is raised until it has returned.
local function add(recording, text)
  local start_ns = begins_ns(recording)
  return start_ns and push(recording, {
    text = text, start_ns = start_ns, start_steps = recording.driver.core:world_steps(), raised = true,
  }) or nil
end

-- A place in the script's table of what later lines speak of.
local function keep(recording, call)
  recording.kept_count = (recording.kept_count or 0) + 1
  call.place = recording.kept_count
  return ("kept[%d]"):format(call.place)
end

-- The call that was kept last has ended: it may be one of a loop.
local function fold_last(recording, call)
  local calls = recording.calls
  if calls[#calls] == call then
    fold.last(calls, writer.GAP_LEAST_NS)
  end
end

local function ended(recording, call)
  call.raised = nil
  local now_ns = now_at_rest(recording.driver.core)
  if now_ns then -- else it waited while somebody shut the cluster down
    call.end_ns = now_ns
    fold_last(recording, call)
  end
end

-- Calls that end when a function of the script says so: a fork, which has not the function, ends them after as many
-- steps of the world.
local asks_function = { wait_until = true, wait_event = true }

local function note_end(recording, call, first)
  call.end_steps, call.gave = recording.driver.core:world_steps(), first and true or false
end

-- Calls that give something back that can be used later.
local gives_more = { on = true, after = true, client = true, nemesis = true, workload = true }
local objects = { client = true, nemesis = true, workload = true }

-- What is given back and can be used later: the end of `on` or `after`, a client, a nemesis, a workload's history.
local function followed(recording, call, result)
  if (call.name == "on" or call.name == "after") and type(result) == "function" then
    local name = keep(recording, call)
    return function()
      local end_call = not recording.is_off and add(recording, name .. "()")
      if not end_call and not recording.is_off then
        aside.add(recording, { text = name .. "()" })
      end
      result()
      if end_call then
        ended(recording, end_call)
      end
    end
  elseif objects[call.name] and type(result) == "table" then
    recording.kept[result] = keep(recording, call)
    if call.name == "client" and recording.aside then
      aside.client(recording.aside, call.number).client = result
    end
  end
  return result
end

local function finish(recording, call, ...)
  local now_ns = now_at_rest(recording.driver.core)
  if not now_ns then
    return ...
  end
  call.raised, call.end_ns = nil, now_ns
  local name = call.name
  if asks_function[name] and type(call[1]) == "function" then
    note_end(recording, call, (...))
  end
  if gives_more[name] then
    return followed(recording, call, ...)
  end
  fold_last(recording, call)
  return ...
end

-- A call's table, which may be one of those that are needed no more. It is raised until it has returned.
local function new_call(recording, name, count, ...)
  local pool = recording.pool
  local call = pool[#pool]
  if not call or count > 3 then -- all fields, so that it has its size at once
    return { name = name, count = count, start_ns = 0, start_steps = 0, end_ns = nil, raised = true, remark = nil, ... }
  end
  pool[#pool] = nil
  call.name, call.count, call.end_ns, call.raised = name, count, nil, true
  call[1], call[2], call[3] = ...
  return call
end

local function begin(recording, name, start_ns, ...)
  local count = select("#", ...)
  if takes_id[name] and type((select(2, ...))) ~= "table" then
    count = math.min(count, 1)
  end
  local call = new_call(recording, name, count, ...)
  call.start_ns, call.start_steps = start_ns, recording.driver.core:world_steps()
  if name == "client" then
    call.number = (recording.driver.started or 0) + 1
  end
  for position = 1, count do
    if type(call[position]) == "table" then
      call[position] = source.copy(call[position])
    end
  end
  if on_node[name] and count > 0 and recording.driver.core:leader() == call[1] then
    call.remark = "the leader"
  end
  return push(recording, call)
end

-- The loop that this call goes on with: its body is that call alone, with the same one or two plain values. Most of a
-- script that asks again and again takes this way, which makes nothing.
local function repeats(recording, name, now_ns, count, a, b)
  local calls = recording.calls
  local loop = calls[#calls]
  local body = loop and loop.loop
  if not body or body[2] ~= nil or recording.repeating then
    return nil
  end
  local call = body[1]
  if call.name ~= name or call.count ~= count or count > 2 or call[1] ~= a or call[2] ~= b then
    return nil
  end
  local kind_a, kind_b = type(a), type(b)
  if kind_a == "table" or kind_a == "function" or kind_b == "table" or kind_b == "function"
    or now_ns - loop.end_ns >= writer.GAP_LEAST_NS then
    return nil
  end
  recording.repeating, recording.repeating_ns = call, now_ns
  return loop
end

local function finish_repeating(recording, loop, ...)
  recording.repeating = false
  local now_ns = now_at_rest(recording.driver.core)
  if now_ns then
    loop.count, loop.end_ns = loop.count + 1, now_ns
  end
  return ...
end

local clusters = setmetatable({}, { __mode = "k" }) -- what scripts hold

-- Raised where a method is called with a dot, or with something else in the cluster's place.
local function no_cluster(name)
  arguments.raise("%s was called without its cluster: call it as c:%s()", name, name)
end

local function finish_aside(recording, call, ...)
  call.raised = nil
  if asks_function[call.name] and type(call[1]) == "function" and not recording.driver.is_closed then
    note_end(recording, call, (...))
  elseif call.name == "client" then
    aside.client(recording.aside, call.number).client = (...)
  end
  return ...
end

-- A call that is no call of the main script, or is not kept.
local function call_aside(recording, name, method, inner, ...)
  if recording.is_locked then
    arguments.raise("c:%s was called on a cluster that is being forked, by a function that was given to another call "
      .. "of it: such a run cannot be done again", name)
  elseif recording.is_off or not recording.aside then
    return method(inner, ...)
  end
  if aside.add_plain(recording, name, ...) then
    return method(inner, ...)
  end
  local call = aside.add(recording, { name = name, count = select("#", ...), raised = true, ... })
  if not call then
    return method(inner, ...)
  end
  return finish_aside(recording, call, method(inner, ...))
end

local function wrap(name, method)
  if looks[name] then
    return function(self, ...)
      if not clusters[self] then
        no_cluster(name)
      end
      return method(self.inner, ...)
    end
  end
  local is_plain = not gives_more[name]
  return function(self, ...)
    if not clusters[self] then
      no_cluster(name)
    end
    local recording, inner = self.recording, self.inner
    -- First of all whether it is the main script's: clients call much.
    local driver = recording.driver
    if driver.current or driver.busy or recording.is_off then
      return call_aside(recording, name, method, inner, ...)
    end
    local start_ns = now_at_rest(driver.core)
    if not start_ns then
      return call_aside(recording, name, method, inner, ...)
    end
    local loop = is_plain and repeats(recording, name, start_ns, select("#", ...), ...)
    if loop then
      return finish_repeating(recording, loop, method(inner, ...))
    end
    local call = begin(recording, name, start_ns, ...)
    if not call then
      return method(inner, ...)
    end
    return finish(recording, call, method(inner, ...))
  end
end

local raw_methods = {} -- the function that a script sees → the one that does it

--- Takes what a script is to hold for a cluster: only such have the methods.
-- @tparam table handle
function script.own(handle)
  clusters[handle] = true
end

--- What scripts call: each method hands on to `self.inner`, and is kept in `self.recording` where it matters.
-- @tparam table methods by name
-- @treturn table by name
function script.wrap(methods)
  local wrapped = {}
  for name, method in pairs(methods) do
    if not private[name] then
      wrapped[name] = wrap(name, method)
      raw_methods[wrapped[name]] = method
    end
  end
  return wrapped
end

--- The function that stands in the sources, for its documentation.
-- @tparam function f as a script sees it
-- @treturn function
function script.unwrap(f)
  return raw_methods[f] or f
end

--- Begins to keep a cluster's calls.
-- @tparam ?table given the options as the script gave them
-- @tparam table made the same with their defaults
-- @tparam table driver the cluster's
-- @treturn table the recording
function script.begin(given, made, driver)
  local options = source.copy(given or {})
  options.mode, options.seed, options.nodes = made.mode, made.seed, options.nodes or 3
  options.name = made.name ~= "" and made.name or nil
  options.speed = made.mode == "tcp" and made.speed ~= 1 and made.speed or nil
  return {
    options = options, driver = driver,
    calls = {}, past = archive.new(), pool = {}, -- raft.script.archive's
    repeating = false, begin_ns = driver.core:now_ns(),
    is_off = false, -- nothing is kept
    is_locked = false, -- it is being forked
    aside = made.mode == "sim" and aside.new() or nil, -- what clients and callbacks do
    kept = setmetatable({}, { __mode = "k" }), -- objects that were given out → where the script keeps them
  }
end

--- A call of an object that the cluster gave out: a client's, a held message's.
-- @tparam table recording
-- @param object
-- @tparam string call as source, from the colon on
-- @tparam ?string where an expression that finds the object where no earlier line kept it
-- @treturn function to be called when it has returned
function script.object_call(recording, object, call, where)
  local name = recording and not recording.is_off and (recording.kept[object] or where)
  local entry = name and add(recording, name .. call)
  if not entry then
    if name and not begins_ns(recording) then
      aside.add(recording, { text = name .. call })
    end
    return function() end
  end
  if not recording.kept[object] then
    recording.kept[object] = keep(recording, entry)
    entry.text = where
    entry = add(recording, recording.kept[object] .. call) or entry
  end
  return function()
    ended(recording, entry)
  end
end

--- Seconds as an argument in source; "" for nil.
-- @tparam ?number value
-- @treturn string
function script.seconds(value)
  if value == nil then
    return ""
  end
  return value < math.huge and ("%.17g"):format(value) or "math.huge"
end

--- The last call was ended half-way by somebody at a prompt.
-- @param cluster
function script.interrupted(cluster)
  end_repeating(cluster.recording)
  local calls = cluster.recording.calls
  local last = calls[#calls]
  if last and last.raised and not last.end_ns and not cluster:is_closed() then
    last.interrupted, last.end_ns = true, cluster.core:now_ns()
  end
end

--- Whatever raised an error has ended by now. A call that was refused for its arguments did nothing.
-- @param cluster
-- @param problem what was raised, if anything was
function script.settled(cluster, problem)
  end_repeating(cluster.recording)
  local calls = cluster.recording.calls
  local last = calls[#calls]
  if last and last.raised and type(problem) == "string" and problem:find("bad argument '", 1, true) then
    calls[#calls] = nil
  elseif last and not last.end_ns and not cluster:is_closed() then
    last.end_ns = cluster.core:now_ns()
  end
end

local methods = {}
script.methods = methods

--- The calls made so far as a stand-alone script; in the simulated world one that gives the same trace.
-- @tparam ?string path a file to write it to; nil: it is returned
-- @treturn ?string the script, or the path; nil, message, code, detail
-- @treturn string[] what could not be written, and why: a list of sentences
function methods:script(path)
  local recording = self.recording
  if path ~= nil then
    arguments.text("path", path)
  end
  end_repeating(recording)
  local text, refused = writer.write(self, recording)
  if not path then
    return text, refused
  end
  local written, problem = files.write(path, text)
  if not written then
    return nil, ("the script cannot be written: %s"):format(problem), "storage", {}
  end
  return path, refused
end

return script
