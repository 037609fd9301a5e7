--- One run of a scenario under one seed, and what came of it, as a plain table.
--
-- A run leaves nothing behind: globals that the file made and modules that it loaded are forgotten, so that the next is
-- what it would be in a fresh process. It prints nothing and starts no process.
-- @module raft.fuzz.one

local cluster = require "raft.cluster"
local core = require "raft.core"
local defaults = require "raft.defaults"
local failure = require "raft.failure"
local nemesis = require "raft.nemesis"
local open = require "raft.open"
local report = require "raft.report"
local scenario = require "raft.scenario"
local settings = require "raft.settings"

local one = {}

-- ---- the file ---------------------------------------------------------------------------------

local chunks = {} -- by path: read once

local function names_of(t)
  local names = {}
  for name in pairs(t) do
    names[name] = true
  end
  return names
end

-- Forgets what is in a table now and was not before; modules of ours stay.
local function restore(t, before)
  for name in pairs(names_of(t)) do
    if not before[name] and not tostring(name):find "^raft%f[.%z]" then
      t[name] = nil
    end
  end
end

--- Calls f(definition) with what a scenario's file returns; what the file changed in this process is undone after it.
-- @tparam string|table file its path, or the scenario itself
-- @tparam function f
-- @return what f returns; nil and a message if the file is not a scenario's
function one.with_definition(file, f)
  if type(file) == "table" then
    return f(file)
  end
  local problem
  if not chunks[file] then
    chunks[file], problem = loadfile(file)
    if not chunks[file] then
      return nil, (problem:gsub("^cannot open (.*)$", "cannot read %1"))
    end
  end
  local globals, loaded, kept = names_of(_G), names_of(package.loaded), arg
  arg = { [0] = file }
  local outcome = report.protect(chunks[file], file)
  arg = kept
  local results
  if not outcome.fine then
    local told = defaults.get "replay"
    results = { nil, ("%s fails while it is loaded, before it has returned a scenario: %s"):format(file,
      told and report.without_replay(outcome.text, told) or outcome.text) }
  elseif not scenario.is(outcome.value) then
    results = { nil, file .. " is not a scenario: it does not return a table with `run`" }
  else
    results = { f(outcome.value) }
  end
  restore(_G, globals)
  restore(package.loaded, loaded)
  return results[1], results[2]
end

-- ---- the run ----------------------------------------------------------------------------------

local function base_name(path)
  return (path:gsub("^.*/", ""):gsub("%.lua$", ""))
end

-- Actions of nemeses that changed something.
local function count_faults(c)
  local count = 0
  for _, one_of_them in ipairs(nemesis.of(c.inner)) do
    for _, action in ipairs(one_of_them.actions) do
      count = count + (action.had_effect and not action.undoes and 1 or 0)
    end
  end
  return count
end

local function sums_of(c)
  local stats = c:stats()
  return {
    faults = count_faults(c),
    elections = stats.elections, commits = stats.commits, messages = stats.messages.total, drops = stats.drops,
    events = c.core:world_events(), undecided = c.inner.undecided or 0,
  }
end

local function plain(options)
  local list = {}
  for name, value in pairs(options) do
    if type(value) ~= "function" and type(value) ~= "userdata" then
      list[name] = value
    end
  end
  return list
end

-- What is known of the cluster at the end, before it is closed.
local function look_at(outcome)
  return function(c, _, options, where)
    outcome.where = where
    if not c:is_closed() then
      outcome.time = c:now()
      outcome.hash = c:mode() == "sim" and c:trace_hash() or nil
      outcome.stats = sums_of(c)
      outcome.situations = c.core:situations()
      outcome.marks = c.core:trace_marks()
    end
    outcome.goals = c.inner.goals or {}
    outcome.options = plain(options)
  end
end

local function run(definition, given)
  local problem = settings.problem(definition, given.settings or {})
  if problem then
    return nil, problem
  end
  local outcome = { seed = given.seed, time = 0, stats = {}, goals = {}, options = {} }
  local made, refused = false, nil
  local protected = report.protect(scenario.run, settings.apply(definition, given.settings or {}), function(options)
    local c, why = cluster.new(options)
    made, refused = c ~= nil, why
    if c and given.events_most then
      c.core:limit_events(given.events_most)
    end
    return c, why
  end, type(given.file) == "string" and base_name(given.file) or nil, look_at(outcome))
  outcome.fine = protected.fine
  if given.patience and core.take_interrupt() then
    open.close_all("interrupted")
    outcome.fine = false
    outcome.failure = failure.hung(("the run did not end within %g s of real time%s"):format(given.patience,
      outcome.where and "; it was at " .. outcome.where or ""))
    outcome.where = nil
  elseif protected.interrupted then
    error(protected.error, 0)
  elseif not made or protected.missing then
    return nil, protected.text or refused
  elseif not protected.fine then
    open.close_all(protected.error)
    -- What raft.cluster says where nobody else does.
    local told = given.replay or ("seed %.0f, mode %s"):format(given.seed, given.mode or "sim")
    local shown = report.without_replay(protected.text, told)
    outcome.failure = failure.of(protected.error, shown)
    outcome.failure.time = outcome.failure.time or outcome.time
  end
  return outcome
end

--- Runs a scenario once.
-- @tparam table given `file`: its path, or the scenario itself; `seed`; `settings`: list of parsed --set; `mode`
-- ("sim"); `replay`: the command that runs it again, which violations and assertions name; `situations`: true keeps
-- them; `events_most`: a run with more does not end; `patience`: somebody interrupts a run that takes so many seconds
-- of real time, which is a failure then; `trace`: a path for JSON lines
-- @treturn ?table { fine, time (virtual seconds), hash, stats = { elections, commits, messages, drops, events,
-- undecided (histories) }, goals, options, seed, failure, situations (8 bytes each), marks (the hash after each
-- thousand events, 8 bytes each) }; failure as raft.failure has it; nil and a message where it could not be run. An
-- interrupt is raised
function one.run(given)
  local before = {}
  for name, value in pairs { seed = given.seed, mode = given.mode or "sim", replay = given.replay or "",
    situations = given.situations or false, trace = given.trace or "" } do
    before[name] = defaults.get(name) or false
    defaults.set(name, value ~= "" and value or nil)
  end
  math.randomseed(given.seed)
  core.set_replay(given.replay)
  local outcome, problem = one.with_definition(given.file, function(definition)
    for _, name in ipairs { "seed", "mode" } do
      if definition[name] ~= nil then
        return nil, ("the scenario fixes its %s (%s = %s): leave that to the command line"):format(name, name,
          tostring(definition[name]))
      end
    end
    return run(definition, given)
  end)
  for name, value in pairs(before) do
    defaults.set(name, value or nil)
  end
  return outcome, problem
end

return one
