--- Runs a plan: each step at its time, steps that wait in clients of their own, workloads beside them. The printed
-- script (raft.shrink.printed) does the same calls in the same order, so that its run is the same to the last event.
--
-- It judges nothing: what the run raised is the caller's to compare.
-- @module raft.shrink.replay

local open = require "raft.open"
local plans = require "raft.shrink.plan"

local replay = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local SLACK_NS = 300000000 -- so much later than before may it fail
local LIVE_S = 10 -- how long the healed cluster has to live

-- A step that is refused (of a node that is not there any more) does nothing; a violation goes on up.
local function attempt(f, ...)
  local fine, problem = pcall(f, ...)
  if not fine and type(problem) == "table" then
    error(problem, 0)
  end
end

local function call(c, step)
  local f = c[step.name]
  if plans.sort(step) == "check" then
    f(c, unpack(step, 1, step.count))
  else
    attempt(f, c, unpack(step, 1, step.count))
  end
end

local function sleep_until(c, at_ns)
  local left_ns = at_ns - c.core:now_ns()
  if left_ns > 0 then
    c:sleep(left_ns / 1e9)
  end
end

-- The calls of one session, one after the other, each at its time or as soon as the one before it is answered.
local function run_session(c, steps)
  c:client(function()
    for _, step in ipairs(steps) do
      sleep_until(c, step.at_ns)
      call(c, step)
    end
  end, { session = true })
end

local function perform(c, step, fates, session)
  if step.name == "late" or step.name == "lose" then
    fates:add(step[1])
  elseif step.name == "ambush" then
    c:nemesis { actions = { { at = c:now(), "ambush", step[1] } } }
  elseif session then
    if session[1] == step then
      run_session(c, session)
    end
  elseif plans.waits(step.name) and not step.is_direct then
    c:client(function()
      call(c, step)
    end)
  else
    call(c, step)
  end
end

-- Messages that are to be late or lost: each the first of its link and kind that is sent from then on.
local Fates = {}
Fates.__index = Fates

function Fates:add(which)
  self[#self + 1] = which
end

-- Later, or never; and once more.
local function decide(c, which, message)
  if which.again then
    c:after(which.by + which.again, function() message:deliver() end)
  end
  return which.by or "drop"
end

local function start_fates(c, steps)
  local fates = setmetatable({}, Fates)
  local is_needed = false
  for _, step in ipairs(steps) do
    is_needed = is_needed or step.name == "late" or step.name == "lose"
  end
  if is_needed then
    c:intercept(function(message)
      for position, which in ipairs(fates) do
        if which.from == message.from and which.to == message.to and which.kind == message.kind then
          table.remove(fates, position)
          return decide(c, which, message)
        end
      end
    end)
  end
  return fates
end

--- Does a plan to a cluster, in the main script.
-- @tparam raft.cluster c
-- @tparam table plan
-- @tparam ?boolean strict nothing happens after the plan's end
function replay.follow(c, plan, strict)
  local fates = start_fates(c, plan.steps)
  local histories = {}
  for position, workload in ipairs(plan.workloads) do
    histories[position] = c:workload(workload)
  end
  local sessions = plans.sessions(plan)
  for _, step in ipairs(plan.steps) do
    sleep_until(c, step.at_ns)
    perform(c, step, fates, sessions[step.session])
  end
  sleep_until(c, plan.ends_ns + (strict and 0 or SLACK_NS))
  if plan.tail == "live" then
    assert(c:heal "all")
    c:check_live(LIVE_S)
  elseif plan.tail == "check" then
    for _, history in ipairs(histories) do
      assert(history:check())
    end
  end
end

--- Runs a plan.
-- @tparam table plan
-- @tparam integer seed of the network, the disks and the timers
-- @tparam ?function look look(c) before the cluster is closed
-- @treturn ?any what the run raised; nil: nothing
-- @treturn number when it ended, in its own seconds
function replay.run(plan, seed, look)
  local options = plans.shallow(plan.options)
  options.seed, options.mode = seed, "sim"
  options.keep_events = look and 1000000 or 0
  local raft = require "raft"
  local raised, c, time
  local fine, problem = xpcall(function()
    local made = assert(raft.cluster(options))
    c = made
    replay.follow(c, plan)
  end, function(value)
    raised = value
    return value
  end)
  if c then
    time = c:now()
    if look then
      look(c)
    end
    open.close(c, not fine and (raised or problem) or nil)
  end
  return not fine and (raised or problem) or nil, time or 0
end

return replay
