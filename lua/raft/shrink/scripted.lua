--- The second form of shrinking: the script itself runs, and makes only some of its faults. For failures that a plan of
-- the recorded calls does not show: an assertion of the script's own code, say.
--
-- A call is known by who makes it and its number ("3:17": the 17th of client 3); a nemesis by its place, and what it
-- does is a list of actions.
-- @module raft.shrink.scripted

local chunks = require "raft.shrink.chunks"
local failures = require "raft.failure"
local inputs = require "raft.inputs"
local oracles = require "raft.shrink.oracle"
local plans = require "raft.shrink.plan"
local source = require "raft.script.source"
local workers = require "raft.workers"

local scripted = {}

local HUNG_S = 60
local TRIES, TRIES_MOST = 4, 12 -- seeds of the network for a candidate

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
-- @tparam ?integer network the seed of the network, where it is another than the run's
-- @treturn table what inputs.begin takes
function scripted.filter(calls, actions, network)
  local kept = {}
  for _, key in ipairs(calls) do
    kept[key] = true
  end
  return {
    leaves_out = function(key, name)
      return plans.sort { name = name } == "fault" and not kept[key]
    end,
    actions = actions, network = network,
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

-- The faults that a run of the script has made, in words: with few of them they may be others than before.
local function made_by(recorded)
  local made = {}
  for place, item in ipairs(recorded and items_of(recorded) or {}) do
    made[place] = { at = item.at, name = item.name }
  end
  return made
end

local Search = {}
Search.__index = Search

function Search:is_over()
  return self.given.is_spent() or self.replays >= self.given.replays
end

-- One run of the script with some of its faults, in a child.
function Search:fails(items, network)
  self.replays = self.replays + 1
  self.given.told(#items, self.replays)
  local calls, actions = filter_of(items, self.nemeses)
  local answer = workers.call(function()
    inputs.begin(scripted.filter(calls, actions, network))
    local failure = self.given.run()
    inputs.stop()
    local recorded = inputs.latest()
    return { failure = failure, made = made_by(recorded), ends_ns = recorded and inputs.end_ns(recorded) }
  end, HUNG_S)
  local failure = answer.value and answer.value.failure or answer.hung and failures.hung "it did not end" or nil
  local is_same = oracles.is_same(failure, self.given.failure)
  if is_same then
    self.text = failure.text
    if answer.value then
      self.made, self.ends_ns = answer.value.made, answer.value.ends_ns
    end
  end
  return is_same
end

-- Tried under a few seeds of the network, the one that failed last first: without some faults the run takes another
-- course. Where much has gone it is worth more of them.
function Search:try(items, share)
  local first = self.network
  local tries = math.max(TRIES, math.floor(share * TRIES_MOST))
  for attempt = 0, tries - 1 do
    local network = first
    if attempt > 0 then
      network = attempt
    end
    if self:is_over() then
      return false
    elseif (attempt == 0 or network ~= first) and self:fails(items, network) then
      self.network = network
      return true
    end
  end
  return false
end

--- Removes faults of a script as long as it fails in the same way.
-- @tparam table given `run`, `recorded`, `failure`, `replays` at most, `is_spent`, `told`: told(count, replays)
-- @treturn table { calls, actions, network, count, made, before, replays, text, place, seed, ends_ns } (count: how many
-- are left, of so many before; made: list of { at, name }, what it does now; text: what it says now, nil where nothing
-- could go; place: of the cluster that failed among those that it makes; seed: of the network)
function scripted.shrink(given)
  local items, went = items_of(given.recorded), true
  local search = setmetatable({
    given = given, nemeses = #require("raft.nemesis").of(given.recorded.cluster), replays = 0, network = nil,
    ends_ns = inputs.end_ns(given.recorded), made = made_by(given.recorded),
  }, Search)
  local before = #items
  while went and #items > 0 and not search:is_over() do
    items, went = chunks.remove(items, function(rest, share) return search:try(rest, share) end,
      function() return search:is_over() end)
  end
  local calls, actions = filter_of(items, search.nemeses)
  return {
    calls = calls, actions = actions, network = search.network, made = search.made, count = #items, before = before,
    replays = search.replays, text = search.text, place = given.recorded.place,
    seed = search.network or given.recorded.cluster.options.seed, ends_ns = search.ends_ns,
  }
end

--- The script that runs it so again.
-- @tparam table result as `scripted.shrink` gives it
-- @tparam table of { file, seed, set, events_most }
-- @tparam string about what it shows
-- @treturn string
function scripted.write(result, of, about)
  local parts = {}
  for _, name in ipairs { "file", "seed", "set", "network", "events_most", "calls", "actions" } do
    local value = of[name]
    if value == nil then
      value = result[name]
    end
    if value ~= nil then
      parts[#parts + 1] = ("  %s = %s,"):format(name, assert(source.write(value, {}, 1)))
    end
  end
  local part = result.before == 0 and "as it is" or ("with %d of its %d fault%s"):format(result.count, result.before,
    result.before == 1 and "" or "s")
  local head = source.remark(("%s\n%s %s. It passes once that is mended."):format(about, tostring(of.file), part))
  return ('%s\nrequire "raft.shrink.again" {\n%s\n}\n'):format(head, table.concat(parts, "\n"))
end

return scripted
