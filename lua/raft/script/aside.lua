--- What clients and callbacks do to a simulated cluster, kept beside the main script's own calls: so that a fork can do
-- it again without their functions, which stay behind.
--
-- It keeps calls and never makes them: raft.script.replay does.
-- @module raft.script.aside

local archive = require "raft.script.archive"
local source = require "raft.script.source"

local aside = {}

--- What is kept of a cluster.
-- @treturn table { clients = { [number] = { calls = archive, client } }, timers = { [number] = list of calls },
-- events = list of calls with their position in the trace, verdicts = { [n] = what an intercept said of the nth
-- message }, answers = { [n] = the nth answer of served calls }, why = why it cannot be done again }
function aside.new()
  return { clients = {}, timers = {}, events = {}, verdicts = {}, judged = 0, answers = {}, answered = 0, why = false }
end

local function list_of(map, number)
  local list = map[number]
  if not list then
    list = {}
    map[number] = list
  end
  return list
end

--- What one client did.
-- @tparam table kept
-- @tparam integer number of the client
-- @treturn table { calls = archive, client = it, where the script has it }
function aside.client(kept, number)
  local list = kept.clients[number]
  if not list then
    list = { calls = archive.new() }
    kept.clients[number] = list
  end
  return list
end

--- A client's call whose arguments are plain values: most are.
-- @tparam table recording
-- @tparam string name
-- @treturn boolean whether it is kept: nothing has to be noted at its end
function aside.add_plain(recording, name, ...)
  local driver = recording.driver
  local client = driver.current
  if not client or driver.busy or driver:is_inside() then
    return false
  end
  return aside.client(recording.aside, client.number).calls:add(name, ...)
end

-- Where a call of now belongs; nil: nowhere, and why is noted.
local function place_of(kept, driver)
  if driver.timer then
    return list_of(kept.timers, driver.timer)
  elseif driver.busy == "a predicate" then
    kept.why = kept.why or "a predicate did something to it"
    return nil
  elseif driver.busy or driver:is_inside() then
    return kept.events, driver.core:trace_count()
  elseif driver.current then
    return aside.client(kept, driver.current.number).calls
  end
  return nil
end

--- A call that is made by a client or a callback, or text that does the same.
-- @tparam table recording
-- @tparam table call { name, count, arguments… } or { text }
-- @treturn ?table the call, as it is kept; nil: it is not
function aside.add(recording, call)
  local kept = recording.aside
  if not kept then
    return nil
  end
  local list, position = place_of(kept, recording.driver)
  if not list then
    return nil
  end
  call.position = position
  if call.name == "client" then
    call.number = (recording.driver.started or 0) + 1
  end
  for place = 1, call.count or 0 do
    call[place] = source.copy(call[place])
  end
  if list.push then
    list:push(call)
  else
    list[#list + 1] = call
  end
  return call
end

--- An intercept has said what becomes of a message.
-- @tparam table recording
-- @param verdict nil: it passes
function aside.judged(recording, verdict)
  local kept = recording.aside
  if kept then
    kept.judged = kept.judged + 1
    kept.verdicts[kept.judged] = verdict
  end
end

--- A function that answers calls, whose answers are kept.
-- @tparam table recording
-- @tparam function f
-- @treturn function
function aside.serving(recording, f)
  local kept = recording.aside
  if not kept then
    return f
  end
  return function(value, from)
    local answer = f(value, from)
    kept.answered = kept.answered + 1
    kept.answers[kept.answered] = source.copy(answer)
    return answer
  end
end

return aside
