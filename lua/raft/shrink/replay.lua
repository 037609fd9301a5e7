--- Runs a plan: each step at its time, steps that wait in clients of their own, workloads beside them. The printed
-- script (raft.shrink.printed) does the same calls in the same order, so that its run is the same to the last event.
--
-- It judges nothing: what the run raised is the caller's to compare.
-- @module raft.shrink.replay

local judge = require "raft.workload.judge"
local open = require "raft.open"
local plans = require "raft.shrink.plan"
local redraw = require "raft.shrink.redraw"
local symbolic = require "raft.shrink.symbolic"
local violation = require "raft.violation"

local replay = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

replay.SLACK_NS = 300000000 -- so much later than before may it fail
local EVENTS_MOST = 5000000 -- of one run
replay.LIVE_S = 30 -- how long the healed cluster has to live

-- A step that is refused (of a node that is not there any more) does nothing; a violation goes on up.
local function attempt(f, ...)
  local fine, problem = pcall(f, ...)
  if not fine and type(problem) == "table" then
    error(problem, 0)
  end
end

-- Where a node does not start, for the reason that the plan's failure had, that is the failure.
local function check_start(c, reason, fine, message)
  if reason and fine == nil and tostring(message):find(reason, 1, true) then
    local id = tonumber(message:match "^node (%d+)") or 0
    error(violation.no_start(id, "does not start again", message, c:now()), 0)
  end
end

local starts = { restart = true, heal = true }

-- A check of the script's. Where the failure is another one, a cluster that does not live in time is no matter.
local function check(c, f, step, plan)
  local fine, problem = pcall(f, c, unpack(step, 1, step.count))
  if not fine and (plan.tail == "live" or type(problem) ~= "table" or problem.property ~= "liveness") then
    error(problem, 0)
  end
end

local function call(c, step, plan)
  local f = c[step.name]
  if plans.sort(step) == "check" then
    check(c, f, step, plan)
  elseif plan.reason and starts[step.name] then
    attempt(function(...) check_start(c, plan.reason, f(c, ...)) end, unpack(step, 1, step.count))
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
local function run_session(c, steps, plan)
  c:client(function()
    for _, step in ipairs(steps) do
      sleep_until(c, step.at_ns)
      call(c, step, plan)
    end
  end, { session = true })
end

local function perform(c, step, fates, session, plan)
  if step.name == "delay" or step.name == "lose" then
    fates:add(step[1])
  elseif step.name == "ambush" or step.name == "late" then
    c:nemesis { actions = { { at = c:now(), step.name, step[1] } } }
  elseif session then
    if session[1] == step then
      run_session(c, session, plan)
    end
  elseif plans.waits(step.name) and not step.is_direct then
    c:client(function()
      call(c, step, plan)
    end)
  else
    call(c, step, plan)
  end
end

-- Messages that an intercept is to delay or lose: each the first of its link and kind that is sent from then on.
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

-- Whether this is the one message that a branch loses, as the n-th of its link and kind; counts those before it.
local function is_lost(lose, message)
  if lose.from ~= message.from or lose.to ~= message.to or lose.kind ~= message.kind then
    return false
  end
  lose.seen = (lose.seen or 0) + 1
  return lose.seen == lose.nth
end

local function start_fates(c, steps, lose)
  local fates = setmetatable({}, Fates)
  local is_needed = lose ~= nil
  for _, step in ipairs(steps) do
    is_needed = is_needed or step.name == "delay" or step.name == "lose"
  end
  if is_needed then
    c:intercept(function(message)
      if lose and is_lost(lose, message) then
        return "drop"
      end
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

-- Where somebody says so other random numbers are drawn from then on. He is asked after each step of the world.
local function branch_at(c, branch, go_on)
  c:client(function()
    local chosen
    c:wait_until(function()
      chosen = branch.reached(c.core:world_events())
      return chosen ~= nil
    end, math.huge)
    c.core:rekey(chosen.key)
    if branch.is_redrawn then
      go_on(chosen.key)
    end
  end)
end

local function told_of(told, at_ns)
  if told then
    told(at_ns)
  end
end

-- The plan's steps, each at its time; from the moment of a branch that draws them anew on, those it drew.
local function perform_all(c, plan, branch, told, seen)
  local fates, sessions = start_fates(c, plan.steps, branch and branch.lose), plans.sessions(plan)
  local roles = symbolic.roles(c)
  local done, is_redrawn = 0, false
  if branch then
    branch_at(c, branch, function(key)
      is_redrawn = true
      for _, step in ipairs(redraw.steps(plan, done, c.core:now_ns(), key)) do
        sleep_until(c, step.at_ns)
        told_of(told, step.at_ns)
        perform(c, step, fates, sessions[step.session], plan)
      end
    end)
  end
  return function()
    for place, step in ipairs(plan.steps) do
      sleep_until(c, step.at_ns)
      if is_redrawn then
        return
      end
      told_of(told, step.at_ns)
      done = place
      if seen then
        seen(roles, place, step)
      end
      local fixed = roles:fixed(step)
      if fixed then
        perform(c, fixed, fates, sessions[step.session], plan)
      end
    end
  end
end

-- Whatever has stopped starts again.
local function check_all_start(c, reason)
  for _, id in ipairs(c:ids()) do
    if c:status(id, "state") == "failed" then
      check_start(c, reason, nil, ("node %d did not start: %s"):format(id, tostring(c:status(id, "error"))))
    end
  end
  check_start(c, reason, c:heal "all")
end

--- Does a plan to a cluster, in the main script.
-- @tparam raft.cluster c
-- @tparam table plan
-- @tparam ?table branch { reached, is_redrawn, ends_ns, lose }: reached(steps) is asked after each step of the world,
-- how many there were so far, until it gives { key }: from then on all that is drawn is as of another seed, and the
-- inputs that are left too where `is_redrawn`; it may end at another time, and lose a message, { from, to, kind, nth },
-- all along
-- @tparam ?function told told(ns) when a step is done
-- @tparam ?function seen seen(roles, place, step) before a step is done: who has which role (raft.shrink.symbolic)
function replay.follow(c, plan, branch, told, seen)
  local go = perform_all(c, plan, branch, told, seen)
  local histories = {}
  for position, workload in ipairs(plan.workloads) do
    histories[position] = c:workload(workload)
  end
  go()
  sleep_until(c, branch and branch.ends_ns or plan.ends_ns + (plan.tail and 0 or replay.SLACK_NS))
  if plan.tail == "live" then
    assert(c:heal "all")
    c:check_live(replay.LIVE_S)
  elseif plan.tail == "start" then
    check_all_start(c, plan.reason)
  elseif plan.tail == "check" then
    for _, history in ipairs(histories) do
      history:wait()
      if history.model ~= nil and #history > 0 then
        judge.one(history)
      end
    end
  end
end

--- Runs a plan.
-- @tparam table plan
-- @tparam integer seed of the network, the disks and the timers
-- @tparam ?function look look(c, raised) before the cluster is closed
-- @tparam ?table branch as replay.follow takes it; `ended`: ended(raised, time) before the cluster is closed
-- @tparam ?function begin begin(c) before anything is done
-- @tparam ?function told told(ns) when a step is done
-- @tparam ?function seen as replay.follow takes it
-- @treturn ?any what the run raised; nil: nothing
-- @treturn number when it ended, in its own seconds
function replay.run(plan, seed, look, branch, begin, told, seen)
  local options = plans.shallow(plan.options)
  options.seed, options.mode = seed, "sim"
  options.keep_events = look and 1000000 or 0
  local raft = require "raft"
  local raised, c, time
  local fine, problem = xpcall(function()
    local made = assert(raft.cluster(options))
    c = made
    if begin then
      begin(c)
    end
    c.core:limit_events(plan.events_most or EVENTS_MOST)
    replay.follow(c, plan, branch, told, seen)
  end, function(value)
    raised = value
    return value
  end)
  if c then
    time = c:now()
    if branch and branch.ended then
      branch.ended(not fine and (raised or problem) or nil, time)
    end
    if look then
      look(c, raised or problem)
    end
    open.close(c, not fine and (raised or problem) or nil)
  end
  return not fine and (raised or problem) or nil, time or 0
end

return replay
