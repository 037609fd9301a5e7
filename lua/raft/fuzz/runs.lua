--- What a worker of a campaign does: one run after the other, each told before it begins and when it has ended.
-- @module raft.fuzz.runs

local core = require "raft.core"
local one = require "raft.fuzz.one"
local witness = require "raft.fuzz.witness"

local runs = {}

-- One seed in so many runs twice.
runs.TWICE_EVERY = 100
local TOLD_MOST = 65536

-- Whether a second run in another process is the same; a failure where it is not.
local function judge_again(given, outcome)
  local other, problem = witness.ask(given)
  if not other then
    return nil, "a second run in a process of its own came to nothing: " .. problem
  elseif other.hash == outcome.hash then
    return nil
  end
  return { property = "not deterministic", key = "", time = outcome.time,
    text = witness.explain(given, outcome.marks, other.marks or "") }
end

-- What a failing run's finding should say besides; nil: in a process of its own it fails alike.
local function note_on(given, failure)
  local other = witness.ask(given)
  local again = other and other.failure
  if not again then
    return "it does not fail again in a process of its own: the run depends on something else than its seed. "
      .. "With --set strict=true a machine in Lua that asks for the time or a random number is told so"
  elseif again.property ~= failure.property or again.key ~= failure.key then
    return "in a process of its own it fails otherwise (" .. again.property .. ": " .. again.text:match "^[^\n]*"
      .. "): the run depends on something else than its seed"
  end
end

-- Only situations that this worker has not told yet, as far as it remembers.
local function only_new(told, situations)
  local new = {}
  for position = 1, #situations, 8 do
    local situation = situations:sub(position, position + 7)
    if not told.set[situation] then
      told.set[situation], told.count = true, told.count + 1
      new[#new + 1] = situation
    end
  end
  if told.count > TOLD_MOST then
    told.set, told.count = {}, 0
  end
  return table.concat(new)
end

local function run(given, seed, told)
  local asked = { file = given.file, seed = seed, set = given.set, settings = given.settings, situations = true,
    events_most = given.events_most, replay = given.replay(seed), patience = given.patience }
  local outcome, problem = one.run(asked)
  if not outcome then
    return { seed = seed, cannot = problem }
  end
  local has_file = type(given.file) == "string"
  local is_twice = has_file and seed % runs.TWICE_EVERY == 0
  if outcome.failure and outcome.failure.property == "hang" then
    is_twice = false -- it would not end
  elseif outcome.failure and has_file then
    outcome.failure.note = note_on(asked, outcome.failure)
  elseif is_twice then
    outcome.failure, outcome.problem = judge_again(asked, outcome)
  end
  return {
    seed = seed, time = outcome.time, stats = outcome.stats, goals = outcome.goals, failure = outcome.failure,
    situations = only_new(told, outcome.situations or ""), twice = is_twice, problem = outcome.problem,
  }
end

--- A worker's function: runs the seeds that it is sent.
-- @tparam table given `file`, `set` and `settings`, `events_most`, `replay`: function(seed) → command
-- @treturn function for raft.workers
function runs.worker(given)
  return function(tell, take)
    local told = { set = {}, count = 0 }
    core.begin_prompt() -- whoever waits for us may interrupt a run
    for seed in take do
      tell { begun = seed }
      tell(run(given, seed, told))
    end
  end
end

return runs
