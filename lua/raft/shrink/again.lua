--- Runs a scenario that makes only some of its faults: what a script is that raft.shrink.scripted has made.
-- @module raft.shrink.again

local inputs = require "raft.inputs"
local one = require "raft.fuzz.one"
local scripted = require "raft.shrink.scripted"
local settings = require "raft.settings"

--- @tparam table given `file`, `seed`, `set` (a list of NAME=VALUE), `calls`, `actions` and `network` as
-- raft.shrink.scripted has them; `events_most`: a run that has more does not end. What the run raises is raised
return function(given)
  inputs.begin(scripted.filter(given.calls, given.actions, given.network))
  local outcome, problem = one.run {
    file = given.file, seed = given.seed, settings = settings.parse_all(given.set), events_most = given.events_most,
  }
  inputs.stop()
  if not outcome then
    error(problem, 0)
  elseif outcome.failure then
    error(outcome.failure.text, 0)
  end
end
