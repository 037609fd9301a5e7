--- Fuzzing: a scenario under many seeds, in worker processes, until something fails or all have run.
-- @module raft.fuzz

local arguments = require "raft.arguments"
local campaign = require "raft.fuzz.campaign"
local core = require "raft.core"
local one = require "raft.fuzz.one"
local quote = require "raft.quote"
local scenario = require "raft.scenario"
local settings = require "raft.settings"

local fuzz = {}

local PATIENCE_S = 120 -- of real time for one run
local EVENTS_MOST = 10000000 -- of one run: a hundred times what a long one has

local SEED_MOST = 2 ^ 53 - 1

local function is_seed(value)
  return arguments.is_integer(value) and value >= 0 and value <= SEED_MOST
end

local function is_seconds(value)
  return type(value) == "number" and value > 0 and value < math.huge
end

local function is_flag(value)
  return type(value) == "boolean"
end

local function is_function(value)
  return type(value) == "function"
end

local known = {
  scenario = { "a scenario's path, or the scenario itself,", function(value)
    return type(value) == "string" or scenario.is(value)
  end },
  seeds = { "a number of seeds, or {first, last},", function(value)
    if type(value) == "table" then
      return #value == 2 and is_seed(value[1]) and is_seed(value[2]) and value[1] <= value[2]
    end
    return is_seed(value) and value > 0
  end },
  jobs = { "a number of processes from 1 to 1000", function(value)
    return is_seed(value) and value >= 1 and value <= 1000
  end },
  time = { "seconds", is_seconds },
  patience = { "seconds", is_seconds },
  events_most = { "a number of events from 1", function(value) return is_seed(value) and value >= 1 end },
  shard = { "{I, N} with I from 1 to N", function(value)
    return type(value) == "table" and is_seed(value[1]) and is_seed(value[2]) and value[1] >= 1 and value[1] <= value[2]
  end },
  set = { 'a list of "NAME=VALUE"', function(value)
    return type(value) == "table" and settings.parse_all(value) ~= nil
  end },
  keep_going = { "a boolean", is_flag },
  replay = { "a function(seed)", is_function },
  progress = { "a function(campaign)", is_function },
  tell_finding = { "a function(finding)", is_function },
}

local function replay_of(given, set)
  return given.replay or function(seed)
    if type(given.scenario) ~= "string" then
      return ("seed %.0f"):format(seed)
    end
    local words = { "raftbench", "run", given.scenario, "--seed", ("%.0f"):format(seed) }
    for _, text in ipairs(set) do
      words[#words + 1], words[#words + 2] = "--set", text
    end
    return quote.command(words)
  end
end

--- What is set for a campaign: a scenario that says nothing of its options has them drawn.
-- @tparam string|table file the scenario
-- @tparam ?table set a list of "NAME=VALUE"
-- @treturn table list
function fuzz.settings_of(file, set)
  local list, is_open = {}, true
  for place, text in ipairs(set or {}) do
    list[place] = text
    is_open = is_open and not text:find "^options="
  end
  one.with_definition(file, function(definition)
    is_open = is_open and definition.options == nil
    return true
  end)
  list[#list + 1] = is_open and "options=drawn" or nil
  return list
end

--- Runs a campaign; see the README for the options.
-- @tparam table given `scenario`: a path, or the scenario; `seeds`: how many, or {first, last} (1000); `jobs` (as many
-- as there are processors); `time`: real seconds at most; `keep_going`: true collects failures, false ends at the
-- lowest seed that fails; `set`: a list of "NAME=VALUE"; `shard`: {I, N}; `patience`: real seconds that one run may
-- take (120); `events_most`: deliveries and wake-ups that it may have (10 million)
-- @treturn table { passed, seeds, time, real_time, interrupted, stats, goals, missed (goals that no seed reached),
-- situations (their number), new_situations, findings = list of { property, key, text, time, nodes, seed, count, seeds,
-- note } }; nil and a message where the scenario cannot be run
function fuzz.run(given)
  local raw, problem = fuzz.campaign(given)
  if not raw then
    return nil, problem
  end
  local sums = raw.tally
  local _, missed = sums:goals_reached()
  local findings = sums:sorted_findings()
  return {
    passed = #findings == 0 and #missed == 0, seeds = sums.seeds, time = sums.time, real_time = raw.real_s,
    interrupted = raw.interrupted or false, stats = sums.stats, goals = sums.goals, missed = missed,
    situations = (sums:situation_count()), new_situations = sums:new_situations(), findings = findings,
  }
end

--- The same, as raft.fuzz.campaign gives it.
-- @tparam table given the options
-- @treturn ?table nil and a message where the scenario cannot be run
function fuzz.campaign(given)
  if type(given) ~= "table" then
    arguments.fail("options", "a table", given)
  end
  for name, value in pairs(given) do
    local option = known[name]
    if not option then
      arguments.raise("raft.fuzz: there is no option '%s'", tostring(name))
    elseif not option[2](value) then
      arguments.fail(tostring(name), option[1], value)
    end
  end
  if given.scenario == nil then
    arguments.fail("scenario", known.scenario[1], nil)
  end
  local seeds, set = given.seeds or 1000, fuzz.settings_of(given.scenario, given.set)
  local range = type(seeds) == "table" and seeds or { 1, seeds }
  local raw = campaign.run {
    file = given.scenario, first = range[1], last = range[2], jobs = given.jobs or core.processors(), time = given.time,
    shard = given.shard or { 1, 1 }, set = set, settings = settings.parse_all(set),
    keep_going = given.keep_going or false, patience = given.patience or PATIENCE_S,
    events_most = given.events_most or EVENTS_MOST, replay = replay_of(given, set), progress = given.progress,
    tell_finding = given.tell_finding,
  }
  if raw.problem and #raw.tally.findings == 0 then
    return nil, raw.problem
  end
  return raw
end

return fuzz
