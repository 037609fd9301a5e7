--- A printed script tried: whether it fails as what was shrunk, in the simulated world, and how often over TCP.
--
-- It runs each in a child, and prints nothing.
-- @module raft.shrink.trial

local core = require "raft.core"
local defaults = require "raft.defaults"
local failures = require "raft.failure"
local inputs = require "raft.inputs"
local nemesis = require "raft.nemesis"
local oracles = require "raft.shrink.oracle"
local replay = require "raft.shrink.replay"
local report = require "raft.report"
local source = require "raft.script.source"
local workers = require "raft.workers"

local trial = {}

local load_text = loadstring or load -- luacheck: ignore 113

local RUNS, BEGUN_S = 5, 3 -- over TCP at most: runs, and seconds after which no other begins
local LONGEST_S = 35 -- a run that lasts longer in real time is not tried
local SLOWER, SLOWER_RUNS, SLOWER_S = 5, 3, 5 -- so many times, where it does not take longer than that
local SPARE_S = 3
local HUNG_S = 60

-- The calls and faults of a run that its world cannot do, by name.
local function unsupported_by(recorded)
  local names, seen = {}, {}
  local function add(name)
    if not seen[name] then
      seen[name] = true
      names[#names + 1] = name
    end
  end
  for _, call in ipairs(recorded and recorded.calls or {}) do
    if call.code == "unsupported" then
      add("c:" .. call.name)
    end
  end
  for _, one in ipairs(recorded and nemesis.of(recorded.cluster) or {}) do
    for _, kind in ipairs(source.keys(one.left_out)) do
      add(("the fault '%s'"):format(kind))
    end
  end
  return names
end

--- Runs a script.
-- @tparam string script
-- @tparam string mode
-- @tparam ?number seconds of real time at most (60)
-- @tparam ?number speed world seconds in a real one, over TCP
-- @treturn ?table its failure; nil: it passed
-- @treturn string[] what it asked for and this world cannot do
function trial.run(script, mode, seconds, speed)
  local answer = workers.call(function()
    defaults.set("mode", mode)
    defaults.set("speed", speed)
    inputs.begin()
    local outcome = report.protect(assert(load_text(script, "=repro.lua")))
    return {
      failure = not outcome.fine and failures.of(outcome.error, outcome.text) or nil,
      unsupported = unsupported_by(inputs.latest()),
    }
  end, seconds or HUNG_S)
  if answer.value then
    return answer.value.failure, answer.value.unsupported
  end
  return answer.died and failures.died(answer.died, answer.text) or failures.hung "it did not end in time", {}
end

--- Whether a script's failure is the one that was shrunk; a history that is not linearizable, or a node that does not
-- start, is an assertion there.
-- @tparam ?table failure
-- @tparam table found as shrink.run gives it
-- @treturn boolean
function trial.is_it(failure, found)
  return oracles.is_same(failure, found.failure)
    or failure ~= nil and found.failure.property == "linearizability" and failure.text:find "not linearizable" ~= nil
    or failure ~= nil and found.plan.reason ~= nil and failure.text:find(found.plan.reason, 1, true) ~= nil
end

-- So many runs at most: { failed, runs, other = another failure, unsupported }.
local function try(found, longest_s, runs_most, begun_s, speed)
  local sum, began_ns = { failed = 0, runs = 0, unsupported = {} }, core.clock_ns()
  while sum.runs < runs_most and core.clock_ns() - began_ns < begun_s * 1e9 do
    local failure, unsupported = trial.run(found.script, "tcp", 2 * longest_s / (speed or 1) + SPARE_S, speed)
    local is_it = trial.is_it(failure, found)
    sum.runs, sum.failed = sum.runs + 1, sum.failed + (is_it and 1 or 0)
    sum.other, sum.unsupported = not is_it and failure or sum.other, unsupported
  end
  return sum
end

local function many(sum)
  return ("%d of %d run%s"):format(sum.failed, sum.runs, sum.runs == 1 and "" or "s")
end

--- How often a script fails over TCP, and why it may not, in words.
-- @tparam table found as shrink.run gives it
-- @treturn string
function trial.over_tcp(found)
  local plan = found.plan
  local longest_s = plan.ends_ns / 1e9 + (plan.tail == "live" and replay.LIVE_S or replay.SLACK_NS / 1e9)
  if longest_s > LONGEST_S then
    return ("over TCP it was not tried: it lasts %.0f s"):format(longest_s)
  end
  local sum = try(found, longest_s, RUNS, BEGUN_S)
  local words = { "over TCP it fails so in " .. many(sum) }
  if sum.failed == 0 and #sum.unsupported > 0 then
    words[#words + 1] = ("%s cannot be done there"):format(table.concat(sum.unsupported, ", "))
  elseif sum.failed == 0 and longest_s * SLOWER < SLOWER_S then
    local slower = try(found, longest_s, SLOWER_RUNS, SLOWER_S, 1 / SLOWER)
    words[#words + 1] = ("with a world %d times slower (RAFTBENCH_SPEED=%.3g) in %s"):format(SLOWER, 1 / SLOWER,
      many(slower))
    sum.other = sum.other or slower.other
  end
  words[#words + 1] = sum.other and "otherwise: " .. failures.headline(sum.other.text) or nil
  return table.concat(words, "; ")
end

return trial
