--- What happens in a run, as moments: the events of a step of the world that mean something, in words. Where
-- branches begin, and what a cause is named by.
-- @module raft.shrink.moments

local origins = require "raft.shrink.origins"
local unsynced = require "raft.shrink.unsynced"
local workers = require "raft.workers"

local moments = {}

local HUNG_S = 20

local meaningful = { role = true, vote = true, truncate = true, commit = true, snapshot = true, install = true,
  restore = true, stop = true, start = true, members = true, append = true, sync = true, confirm = true }
local BEGINNING_S = 0.01 -- until all have started
local leads = { leader = true, candidate = true, pre_candidate = true }

-- What means nothing by itself: who follows and followed before, what followers commit, what every run begins with.
local function is_meaningful(event, role)
  return meaningful[event.kind] and (event.kind ~= "commit" or event.flag)
    and (event.kind ~= "role" or leads[event.role] and event.role ~= "pre_candidate" or leads[role])
    and (event.time > BEGINNING_S or event.kind ~= "start" and event.kind ~= "members")
end

-- What a sync makes durable is what the node did last; that tells more than the sync.
local function words_of(event, latest, disk)
  local text = require("raft.view.describe").banner(event)
  if event.kind == "fault" then
    return (text:gsub("^[^%w]+", ""))
  end
  text = ("node %d %s"):format(event.node, text)
  if event.kind == "send" then
    return ("node %d %s"):format(event.node, disk:unsafe(event))
  elseif event.kind == "sync" then
    return latest[event.node] and ("%s (%s)"):format(text, latest[event.node]) or text
  elseif event.kind ~= "receive" then
    latest[event.node] = text
  end
  return text
end

-- The step of the world that an event is of.
local function step_of(c)
  local is_inside = c.driver:is_inside() and c.driver.busy == "a callback" -- of the world's step
  return c.core:world_events() - (is_inside and 1 or 0)
end

-- What means something only as the last of a run.
local minor = { commit = true, apply = true, notice = true }

-- Tells of each event that means something, of messages that come, and of what is minor: told(step, event, text,
-- is_minor). Gives what ends it.
local function watch(c, told)
  local latest, roles, disk, is_minor = {}, {}, unsynced.new(), nil
  return c:on(function(event)
    local role = roles[event.node]
    if event.kind == "role" then
      roles[event.node] = event.role
    end
    disk:note(event)
    local means = event.kind == "fault" or event.kind == "receive" or is_meaningful(event, role)
      or disk:unsafe(event) ~= nil
    is_minor = not means and minor[event.kind]
    return means or is_minor
  end, function(event)
    if is_minor then
      told(step_of(c), event, ("node %d %s"):format(event.node, require("raft.view.describe").banner(event)), true)
    else
      told(step_of(c), event, words_of(event, latest, disk))
    end
  end)
end

local PARTS_MOST = 3 -- of a moment, in words

local function joined(parts)
  local first = table.concat(parts, ", ", 1, math.min(#parts, PARTS_MOST))
  return #parts > PARTS_MOST and ("%s and %d more"):format(first, #parts - PARTS_MOST) or first
end

-- Adds an event to a list of moments; those of one step are one, and of syncs in a row the last one tells all.
local function add(list, step, event, text)
  local last = list[#list]
  if not last or last.step ~= step then
    last = { step = step, time = event.time, parts = {} }
    list[#list + 1] = last
  end
  local synced = event.kind == "sync" and event.node or nil
  local place = synced and last.synced == synced and #last.parts or #last.parts + 1
  last.parts[place], last.synced = text, synced
  last.text = joined(last.parts)
end

-- Which message of its link and kind each is, by sender and number.
local function count_sent(c)
  local sent, counts = {}, {}
  c:on({ kind = "send" }, function(event)
    local link = ("%s/%s/%s"):format(event.node, tostring(event.peer), event.message)
    counts[link] = (counts[link] or 0) + 1
    sent[("%s/%s"):format(event.node, tostring(event.number))] = counts[link]
  end)
  return function(event)
    local nth = sent[("%s/%s"):format(tostring(event.peer), tostring(event.number))]
    return nth and { from = event.peer, to = event.node, kind = event.message, nth = nth } or nil
  end
end

-- Tells of each event as a plain table: tell { step, time, kind, node, text, lose }; and, as `origin`, of those that
-- say where a node's state comes from.
local function tell_all(run, tell)
  run {
    reached = function() end,
    ended = function(failure)
      tell { failure = failure or {} }
    end,
    begin = function(c)
      local which = count_sent(c)
      watch(c, function(step, event, text, is_minor)
        tell {
          is_minor = is_minor, step = step, time = event.time, kind = event.kind, node = event.node, text = text,
          lose = event.kind == "receive" and which(event) or nil,
        }
      end)
      c:on(origins.tells, function(event)
        tell {
          origin = true, step = step_of(c), time = event.time, kind = event.kind, node = event.node,
          index = event.index, peer = event.peer, what = event.what,
          text = ("node %d %s"):format(event.node, require("raft.view.describe").banner(event)),
        }
      end)
    end,
  }
end

-- What a child tells of a run until it ends, by itself or with an abort.
local function told_by_child(run, take)
  local worker, problem = workers.start(function(tell) tell_all(run, tell) end)
  if not worker then
    error(problem, 0)
  end
  while true do
    local events = workers.wait({ worker }, HUNG_S)
    for _, event in ipairs(events) do
      if event.record then
        take(event.record)
      end
    end
    if #events == 0 or events[#events].ended then
      worker:kill()
      return
    end
  end
end

-- Whether an event came after a moment, or with it. What the script calls has the number of the step before it.
local function is_after(event, moment, or_with)
  local is_with = event.step == moment.step and event.time == moment.time
  return event.step > moment.step or event.time > moment.time or or_with and is_with or false
end

--- The moments of a run, which a child does: before each event that means something, after how many steps of the world;
-- the last one may be a message that came, or what is else of no account.
-- @tparam function run as raft.shrink.runs gives it
-- @treturn table moments: list of { step, time, text, parts = the events of this step in words }, in order, one for
-- each step
-- @treturn table received: the same of each message that came, with `lose`: what a branch loses so that it does not
-- @treturn ?table where what failed came from, as raft.shrink.origins gives it
function moments.of(run)
  local list, received = { { step = 0, time = 0, text = "the run begins", parts = { "the run begins" } } }, {}
  local telling, failure, minors = {}, {}, {}
  told_by_child(run, function(event)
    if event.failure then
      failure = event.failure
    elseif event.origin then
      telling[#telling + 1] = event
    elseif event.is_minor then
      if minors[1] and minors[1].step ~= event.step then
        minors = {}
      end
      minors[#minors + 1] = event
    elseif event.kind == "receive" then
      received[#received + 1] = {
        step = event.step, time = event.time, text = event.text, parts = { event.text }, lose = event.lose,
      }
    else
      add(list, event.step, event, event.text)
    end
  end)
  local last = received[#received]
  for _, event in ipairs(minors) do
    if is_after(event, list[#list], true) and (not last or is_after(event, last, true)) then
      if is_after(event, list[#list]) then
        list[#list + 1] = { step = event.step, time = event.time, parts = {} }
      end
      add(list, event.step, event, event.text)
    end
  end
  if last and is_after(last, list[#list]) then
    list[#list + 1] = last
  end
  return list, received, origins.of(telling, failure)
end

--- Watches a run for the events of its last step that means something.
-- @tparam raft.cluster c that begins
-- @treturn function gives these events so far, in words
-- @treturn function ends it
function moments.latest(c)
  local list = {}
  local stop = watch(c, function(step, event, text)
    if list[1] and list[1].step ~= step then
      list[1] = nil
    end
    add(list, step, event, text)
  end)
  return function() return list[1] and list[1].parts or {} end, stop
end

return moments
