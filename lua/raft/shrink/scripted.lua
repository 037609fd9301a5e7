--- The second form of shrinking: the script itself runs, and makes only some of its faults. For failures that a plan of
-- the recorded calls does not show: an assertion of the script's own code, say.
--
-- A call is known by who makes it and its number ("3:17": the 17th of client 3); a nemesis by its place, and what it
-- does is a list of actions.
-- @module raft.shrink.scripted

local chunks = require "raft.shrink.chunks"
local inputs = require "raft.inputs"
local oracles = require "raft.shrink.oracle"
local plans = require "raft.shrink.plan"
local source = require "raft.script.source"
local workers = require "raft.workers"

local scripted = {}

local HUNG_S = 60

local function key_of(call)
  return ("%d:%d"):format(call.client, call.number)
end

-- The faults of a recorded run: calls, and actions of its nemeses.
local function items_of(recorded)
  local items = {}
  for _, call in ipairs(recorded.calls) do
    if plans.sort(call) == "fault" then
      local words = plans.call_words(call.name, call, 1, call.count)
      items[#items + 1] = { call = key_of(call), name = words, at = call.at_ns / 1e9 }
    end
  end
  for place, nemesis in ipairs(require("raft.nemesis").of(recorded.cluster)) do
    for _, action in ipairs(nemesis.actions) do
      local words = plans.call_words(action[1], action, 2, source.length(action))
      if action.kind ~= action[1] then
        words = ("%s, of %s"):format(words, tostring(action.kind))
      end
      items[#items + 1] = { nemesis = place, action = action, name = words, at = action.at }
    end
  end
  table.sort(items, function(a, b)
    if a.at ~= b.at then
      return a.at < b.at
    end
    return (a.call or "") < (b.call or "")
  end)
  return items
end

--- Which calls a run makes.
-- @tparam table calls a list of "client:number": the faults that the script itself makes
-- @tparam table actions a list of actions for each nemesis
-- @treturn table what inputs.begin takes
function scripted.filter(calls, actions)
  local kept = {}
  for _, key in ipairs(calls) do
    kept[key] = true
  end
  return {
    leaves_out = function(key, name)
      return plans.sort { name = name } == "fault" and not kept[key]
    end,
    actions = actions,
  }
end

local function filter_of(items, count)
  local calls, actions = {}, {}
  for place = 1, count do
    actions[place] = {}
  end
  for _, item in ipairs(items) do
    if item.call then
      calls[#calls + 1] = item.call
    else
      table.insert(actions[item.nemesis], plans.with(item.action, { undoes = false }))
    end
  end
  return calls, actions
end

--- Removes faults of a script as long as it fails in the same way.
-- @tparam table given `run`, `recorded`, `failure`, `replays` at most, `is_spent`, `told`: told(count, replays)
-- @treturn table { calls, actions, items, before, replays }
function scripted.shrink(given)
  local items = items_of(given.recorded)
  local nemeses = #require("raft.nemesis").of(given.recorded.cluster)
  local result = { before = #items, replays = 0 }
  local function test(rest)
    if given.is_spent() or result.replays >= given.replays then
      return false
    end
    result.replays = result.replays + 1
    given.told(#rest, result.replays)
    local calls, actions = filter_of(rest, nemeses)
    local answer = workers.call(function()
      inputs.begin(scripted.filter(calls, actions))
      local failure = given.run()
      inputs.stop()
      return { failure = failure }
    end, HUNG_S)
    return oracles.is_same(answer.value and answer.value.failure, given.failure)
  end
  items = chunks.remove(items, test, function() return given.is_spent() or result.replays >= given.replays end)
  result.items = items
  result.calls, result.actions = filter_of(items, nemeses)
  return result
end

--- The script that runs it so again.
-- @tparam table result as `scripted.shrink` gives it
-- @tparam table of { file, seed, set }
-- @tparam string about what it shows
-- @treturn string
function scripted.write(result, of, about)
  local parts = {}
  for _, name in ipairs { "file", "seed", "set", "calls", "actions" } do
    local value = of[name]
    if value == nil then
      value = result[name]
    end
    if value ~= nil then
      parts[#parts + 1] = ("  %s = %s,"):format(name, assert(source.write(value, {}, 1)))
    end
  end
  local head = ("-- %s\n-- %s with %d of its %d faults. It passes once that is mended.\n"):format(about,
    tostring(of.file), #result.items, result.before)
  return ('%srequire "raft.shrink.again" {\n%s\n}\n'):format(head, table.concat(parts, "\n"))
end

return scripted
