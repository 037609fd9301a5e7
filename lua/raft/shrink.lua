--- Shrinking: a run that fails is made as small as it can be, and still fails in the same way.
--
-- What is shrunk are the recorded inputs (raft.inputs), as a plan (raft.shrink.plan); the passes are in
-- raft.shrink.*. Candidates run in children of this process, in the simulated world: an abort is a failure like any
-- other.
-- @module raft.shrink

local ambushes = require "raft.shrink.ambushes"
local core = require "raft.core"
local deaths = require "raft.shrink.deaths"
local failures = require "raft.failure"
local freeze = require "raft.shrink.freeze"
local inputs = require "raft.inputs"
local kinds = require "raft.shrink.kinds"
local milder = require "raft.shrink.milder"
local nodes = require "raft.shrink.nodes"
local oracles = require "raft.shrink.oracle"
local past = require "raft.shrink.past"
local plans = require "raft.shrink.plan"
local printed = require "raft.shrink.printed"
local replay = require "raft.shrink.replay"
local scripted = require "raft.shrink.scripted"
local servers = require "raft.shrink.server"
local targets = require "raft.shrink.targets"
local text = require "raft.shrink.text"
local times = require "raft.shrink.times"
local workers = require "raft.workers"
local works = require "raft.shrink.work"

local shrink = {}

local REPLAYS, SECONDS = 400, 60 -- at most
local ROUNDS_MOST = 5
local SHARE_OF_ROUNDS = 0.85 -- of the limits; the rest is for what makes the result easy to read
local TRIES_AT_FIRST, TRIES = 2, 4 -- network seeds for a candidate
local SEEDS = 20 -- that the result is tried under
local HANG_EVENTS = 300000 -- of the world, after which a run that hangs is taken to do so
local SURELY = 10 -- times as many, for what is left of it
local LIVELOCK_PER_S = 20000 -- events in a virtual second: the world itself is what does not end
local FIRST_TRIES = 20 -- network seeds until the recorded inputs fail as the run did
local HUNG_S = 20 -- a replay that takes so long hangs

local function clock()
  return core.clock_ns() / 1e9
end

-- ---- passes ---------------------------------------------------------------------------------------------------

-- In rounds, until nothing changes; then once.
local in_rounds = {
  { "the end away", times.ending }, { "the beginning away", times.beginning },
  { "the network frozen", freeze.all }, { "roles for nodes", targets.roles },
  { "kinds of input off", kinds.off }, { "faults and operations away", kinds.most }, { "fewer nodes", nodes.fewer },
}
local at_last = {
  { "nodes for roles", targets.nodes },
  { "ambushes as plain calls", ambushes.plain }, { "time between inputs away", times.gaps },
  { "milder faults", milder.all }, { "faults and operations away", kinds.chunks },
  { "times that are easy to read", times.round }, { "calls in the main script", milder.direct },
}

--- Makes a plan that fails smaller.
-- @tparam table plan
-- @tparam table oracle
-- @tparam ?function told told(what) before each pass
-- @treturn table the smallest that was found
-- @tparam ?function replayed replayed(work) after each replay
function shrink.plan(plan, oracle, told, replayed)
  local work = works.new(plan, oracle)
  oracle.progress = replayed and function() replayed(work) end
  local function pass(one)
    work.pass = one[1]
    if told then
      told(work)
    end
    one[2](work)
  end
  for round = 1, ROUNDS_MOST do
    work.changed, work.tries = false, round == 1 and TRIES_AT_FIRST or TRIES
    oracle:allow(SHARE_OF_ROUNDS)
    work:measure()
    for _, one in ipairs(in_rounds) do
      pass(one)
    end
    if not work.changed or oracle:is_spent() then
      break
    end
  end
  oracle:allow(1)
  work.is_quick, work.is_rare = false, false
  pass { "faults and operations away", kinds.chunks }
  work.is_quick = true
  for _, one in ipairs(at_last) do
    pass(one)
  end
  return work.plan
end

-- ---- in children ----------------------------------------------------------------------------------------------

-- The diagram of a plan's run, and the events that led to its failure.
local function look_at(plan)
  local answer = workers.call(function()
    local found = {}
    local raised = replay.run(plan, plan.seed, function(c, value)
      local broken = c.core:violation() or type(value) == "table" and value or {}
      found.events, found.diagram = past.of(c.core:event_lines(false), broken.nodes or {})
    end)
    found.text = raised ~= nil and failures.of(raised).text or nil
    return found
  end, HUNG_S)
  return answer.value or {}
end

-- ---- the whole ------------------------------------------------------------------------------------------------

--- Runs something that fails, with its inputs recorded.
-- @tparam function run run(events_most) → what came of it: a failure as raft.failure has it; nil: none
-- @tparam ?integer events_most
-- @treturn ?table failure
-- @treturn ?table recorded, as raft.inputs keeps it; nil: there was no cluster
function shrink.record(run, events_most)
  inputs.begin()
  local fine, failure = pcall(run, events_most)
  inputs.stop()
  if not fine then
    error(failure, 0)
  end
  return failure, inputs.latest()
end

-- Why what was recorded cannot be shrunk; nil: it can.
local function obstacle(failure, recorded)
  if not failure then
    return "it did not fail when its inputs were recorded"
  elseif not recorded then
    return "it made no cluster"
  elseif recorded.is_full then
    return "it made too many calls to be recorded"
  elseif recorded.cluster.options.mode ~= "sim" then
    return "only runs in the simulated world can be done again"
  end
  return nil
end

-- What a run did, as a plan; nil and why there is none; false where it hangs and no plan would show it.
local function plan_of(run, writer, hang_events)
  local died, plan = deaths.find(function(events_most)
    return shrink.record(run, events_most < math.huge and events_most or nil)
  end, writer)
  if died then
    return plan, plan and died or "it ends its process before anything is known of it"
  end
  local failure, recorded = shrink.record(run)
  local why = obstacle(failure, recorded)
  if why then
    return nil, why
  end
  plan = plans.new(recorded, failure)
  if hang_events then -- where time goes on it is the script that does not end, and no plan of its calls shows that
    local is_livelock = hang_events / math.max(failure.time, 0.001) > LIVELOCK_PER_S
    plan = is_livelock and plans.with(plan, { events_most = math.floor(hang_events / 2) }) or false
  end
  return plan, failure, recorded
end

-- What is known of a run that hangs once it has had so many events; nil and why it cannot be shrunk.
local function hanging(given)
  local events_most = given.hang_events or HANG_EVENTS
  local answer = workers.call(function() return { failure = given.run(events_most) } end, given.hung_s or HUNG_S)
  if answer.hung then
    return nil, "it computes without an end, and nothing happens in its world meanwhile"
  end
  return plans.with(given, { events_most = events_most, run = function() return given.run(events_most) end })
end

-- Whether what is left of a run that hangs does so for long.
local function hangs_surely(given, result)
  local limit, network = SURELY * given.events_most, result.scripted and result.scripted.network
  local answer = workers.call(function()
    if not result.scripted then
      local raised = replay.run(plans.with(result.plan, { events_most = limit }), result.plan.seed)
      return { failure = raised ~= nil and failures.of(raised) or nil }
    end
    inputs.begin(scripted.filter(result.scripted.calls, result.scripted.actions, network))
    return { failure = given.hangs(limit) }
  end, HUNG_S)
  return answer.hung or answer.value and oracles.is_same(answer.value.failure, result.failure) or false
end

-- The script with few of its faults, where its recorded calls alone do not fail as it did.
local function run_scripted(given, failure, recorded, oracle)
  local result = scripted.shrink {
    run = given.run, recorded = recorded, failure = failure, replays = oracle.replays_most - oracle.replays,
    is_spent = function() return oracle:is_spent() end,
    told = function(count, replays)
      if given.told_scripted then
        given.told_scripted(count, oracle.replays + replays)
      end
    end,
  }
  return {
    failure = failure, scripted = result, text = result.text, run = given.run, others = oracle.others,
    replays = oracle.replays + result.replays,
    script = given.again and scripted.write(result, plans.with(given.again, { events_most = given.events_most }),
      failures.headline(result.text or failure.text)),
  }
end

-- The recorded calls as they are; each a moment later (one that an answer or an event has caused comes after it); or
-- those of the main script one after the other.
local function begin(oracle, plan)
  local function changed(change)
    local steps, made = {}, {}
    for place, step in ipairs(plan.steps) do
      made[step] = change(step) or step
      steps[place] = made[step]
    end
    for place, step in ipairs(steps) do
      if step.undoes and made[step.undoes] ~= step.undoes then
        steps[place] = plans.with(step, { undoes = made[step.undoes] })
        made[plan.steps[place]] = steps[place]
      end
    end
    return plans.with(plan, { steps = steps })
  end
  local few = FIRST_TRIES / 5
  return oracle:try(plan, few)
    or oracle:try(changed(function(step)
      return step.client >= 0 and plans.with(step, { at_ns = step.at_ns + 1 })
    end), few)
    or oracle:try(changed(function(step)
      return step.client == 0 and plans.waits(step.name) and plans.with(step, { is_direct = true })
    end), few)
    or oracle:try(plan, FIRST_TRIES)
end

-- Under how many of 20 seeds a plan fails so.
local function under_seeds(plan, failure, writer, server)
  local count, written = 0, writer:plan(plan)
  for seed = 1, SEEDS do
    count = count + (oracles.is_same(server:run(written, seed), failure) and 1 or 0)
  end
  return count
end

local function run(given)
  local began = clock()
  local writer = text.writer()
  local recorded_plan, failure, recorded = plan_of(given.run, writer, given.events_most)
  if recorded_plan == nil then
    return nil, failure
  end
  local server = servers.new(writer)
  local oracle = oracles.new {
    failure = failure, replays = given.replays or REPLAYS, seconds = given.seconds or SECONDS, clock = clock,
    write = function(plan) return writer:plan(plan) end,
    run = function(written, seed) return server:run(written, seed) end,
  }
  local first = recorded_plan and begin(oracle, recorded_plan)
  local plan = first and shrink.plan(first, oracle, given.told, given.replayed)
  local replays, sure = oracle.replays, first and under_seeds(plan, failure, writer, server)
  server:close()
  if not first and recorded then
    local result = run_scripted(given, failure, recorded, oracle)
    result.seconds = clock() - began
    return result
  elseif not first then
    return nil, "what was recorded does not fail in the same way when it is done again"
  end
  local found = look_at(plan)
  local about = ("%s\nShrunk by Raftbench: %s. It passes once that is mended."):format(
    failures.headline(found.text or failure.text), plans.words(plan))
  local script, refused = printed.write(plan, about, given.is_scenario)
  return {
    failure = failure, before = recorded_plan, plan = plan, replays = replays, sure = sure, seconds = clock() - began,
    script = script, refused = refused, events = found.events, diagram = found.diagram, text = found.text,
    others = oracle.others,
  }
end

--- Shrinks a run that fails.
-- @tparam table given `run`: run(events_most, ended) → a failure, or nil: one that takes more events of the world
-- raises an error; it may tell ended(failure) before it tidies up, which takes longer; `is_hang`: that it does not end
-- is its failure, which is taken for so after `hang_events` (300000) events of its world, or after `hung_s` (20) real
-- seconds without so many, and then it cannot be shrunk; `replays` (400) and `seconds` (60) at most; `is_scenario`:
-- its file runs nothing when it is loaded; `again`: { file, seed, set } of a scenario; and what tells how far it is:
-- `told`: told(work) before each pass, `replayed`: replayed(work) after each replay, `told_scripted`:
-- told_scripted(faults, replays)
-- @treturn ?table { failure, before, plan, replays, seconds, script, refused, events, diagram, others, sure: under how
-- many of 20 seeds of the network it fails }; { failure, scripted, run, text, replays, seconds, script } where only the
-- script itself fails so, with few of its faults (raft.shrink.scripted); nil and why it cannot be shrunk
function shrink.run(given)
  if not given.is_hang then
    return run(given)
  end
  local limited, why = hanging(given)
  if not limited then
    return nil, why
  end
  local result, problem = run(limited)
  if result and not hangs_surely(plans.with(limited, { hangs = given.run }), result) then
    return nil, "what is left of it only takes long"
  end
  return result, problem
end

return shrink
