--- What makes the failure of something shrunk likely, and when: the plan that is branched, the limits of time, and
-- between which events each fault must come.
-- @module raft.shrink.causes

local branches = require "raft.shrink.branches"
local cause = require "raft.shrink.cause"
local core = require "raft.core"
local freeze = require "raft.shrink.freeze"
local moments = require "raft.shrink.moments"
local oracles = require "raft.shrink.oracle"
local plans = require "raft.shrink.plan"
local runs = require "raft.shrink.runs"
local servers = require "raft.shrink.server"
local text = require "raft.shrink.text"
local windows = require "raft.shrink.window"

local causes = {}

local SECONDS = 20 -- at most
local SHARE_OF_WINDOWS, SHARE_OF_KEPT = 0.25, 0.6 -- of these, one after the other; the rest is for the other curve
local SEEDS = 20 -- under which a plan that leaves more to chance may fail

-- A plan with a seed of the network that it fails under, and its end there; nil: there is none.
local function that_fails(plan, found, writer, server)
  local written = writer:plan(plan)
  for seed = 1, SEEDS do
    local failure, time = server:run(written, seed)
    if oracles.is_same(failure, found.failure) then
      return plans.with(plan, { seed = seed, ends_ns = time and math.floor(time * 1e9 + 0.5) or plan.ends_ns })
    end
  end
  return nil
end

-- The shrunk plan; one that is frozen leaves nothing to chance, so with timers and delays of its own where it fails so,
-- or at least with delays.
local function with_chance(found, writer, server)
  for _, change in ipairs { freeze.thawed, freeze.loosened } do
    local plan = change(found.plan)
    local failing = plan ~= found.plan and that_fails(plan, found, writer, server)
    if failing then
      return failing
    end
  end
  return found.plan
end

-- What a fault is moved past: events that mean something, and what its node was sent.
local function passed_by(plan, step)
  local all, received = moments.of(runs.of_plan(plan))
  local list, is_there = {}, {}
  for _, moment in ipairs(all) do
    list[#list + 1] = moment
    is_there[moment.step] = true
  end
  for _, message in ipairs(received) do
    if message.lose and message.lose.to == step[1] and not is_there[message.step] then
      list[#list + 1] = message
      is_there[message.step] = true
    end
  end
  table.sort(list, function(a, b) return a.step < b.step end)
  return list
end

-- Between which events each of the faults that are left must come, the last first.
local function windows_of(found, writer, server, is_spent)
  local plan, list = found.plan, {}
  local function fails(moved)
    return oracles.is_same((server:run(writer:plan(moved), moved.seed)), found.failure)
  end
  for place = #plan.steps, 1, -1 do
    local step = plan.steps[place]
    local between = plans.sort(step) == "fault" and not is_spent() and windows.find {
      plan = plan, step = step, moments = passed_by(windows.until_step(plan, step), step), fails = fails,
      is_spent = is_spent,
    }
    if between and (between.after or between.before) then
      list[#list + 1] = plans.with(between, { step = step })
    end
  end
  return list
end

-- How likely the failure of a run is, event by event.
local function find(run, until_ns, given)
  local list, received, origin = moments.of(run)
  for _, message in ipairs(received) do
    message.lose = not given.is_script and message.lose or nil -- its own intercept may be what it is about
  end
  return cause.find(plans.with(given, {
    moments = list, received = received, origin = origin,
    branches = function(asked) return branches.run(run, asked) end,
    until_ns = function(curve) return until_ns(curve == "kept" and not given.is_script and SHARE_OF_KEPT or 1) end,
  }))
end

local function of_plan(found, until_ns)
  local writer = text.writer()
  local server = servers.new(writer)
  local between = windows_of(found, writer, server, function()
    return core.clock_ns() >= until_ns(SHARE_OF_WINDOWS)
  end)
  local plan = with_chance(found, writer, server)
  server:close()
  local result = find(runs.of_plan(plan), until_ns, { plan = plan, failure = found.failure })
  result.windows, result.is_loosened = between, plan ~= found.plan
  return result
end

-- Of a script it is not known what it will do, so that its inputs stay as they are.
local function of_script(found, until_ns)
  local script = found.scripted
  local result = find(runs.of_script(found.run, script), until_ns, {
    plan = { seed = script.seed, ends_ns = script.ends_ns }, failure = found.failure, is_script = true,
  })
  result.windows = {}
  return result
end

--- Finds the events at which the failure of something shrunk became likely.
-- @tparam table found as shrink.run gives it
-- @tparam ?number seconds at most (20)
-- @treturn table as cause.find gives it, with `windows`: { step, after, before }, between which moments each fault must
-- come, the last fault first; `is_loosened`: its moments are those of the same run with its elections and delays left
-- to chance
function causes.of(found, seconds)
  local began_ns, seconds_most = core.clock_ns(), seconds or SECONDS
  local function until_ns(share)
    return began_ns + math.floor(seconds_most * share * 1e9)
  end
  return (found.scripted and of_script or of_plan)(found, until_ns)
end

return causes
