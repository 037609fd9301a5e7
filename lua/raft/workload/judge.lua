--- What a scenario asks of its workloads when it is over: that their histories are linearizable.
--
-- It starts nothing and repairs nothing; a history that is not raises a violation.
-- @module raft.workload.judge

local linearizable = require "raft.linearizable"
local violation = require "raft.violation"
local workload = require "raft.workload"

local judge = {}

local TIMEOUT = 10 -- real seconds for one history; what is not decided then is noted and counted, and no failure
local FIRST = 10000 -- entries after which a history is judged for the first time while it grows
local LATER = 4 -- times as many, for the next time

-- Models whose histories are judged in little time, whatever is unknown, where each value was written once.
local quick = { register = true, ["cas-register"] = true, kv = true, append = true }

-- The failure's name, whatever the values were.
local function key_of(model, explanation)
  return ("%s, %s"):format(type(model) == "string" and model or "a model of the script's", explanation.rung)
end

local function raise(history, explanation)
  local ended = history[explanation.entry]
  if ended and ended.type == "invoke" then
    ended = history[explanation.operation.complete]
  end
  error(violation.new({
    property = "linearizability", message = tostring(explanation), key = key_of(history.model, explanation),
    time = (ended or history[#history]).time / 1e9, nodes = {}, history = history, explanation = explanation,
  }, history.run.cluster.driver.replay), 0)
end

--- Judges a history while it grows, now and then, so that a run that has failed already ends.
-- @tparam table run the workload
function judge.growing(run)
  run.judge_at = run.handle:count() * LATER
  local fine, explanation = linearizable.check(run.history, run.model, { timeout = TIMEOUT })
  if fine == false then
    raise(run.history, explanation)
  end
end

--- Whether a workload's history is judged while it grows, and from how many entries on.
-- @tparam table run
-- @treturn integer
function judge.first(run)
  return quick[run.model] and not run.values and not run.is_text and FIRST or math.huge
end

--- Judges one: it has ended, its keys were read once more.
-- @tparam raft.history history
-- @treturn boolean|nil true; nil where it was not decided in time. A violation is raised
function judge.one(history)
  local fine, explanation = linearizable.check(history, history.model, { timeout = TIMEOUT })
  if fine == false then
    raise(history, explanation)
  end
  return fine
end

--- Ends all workloads of a cluster and judges their histories.
-- @tparam raft.cluster c
function judge.all(c)
  for number, history in ipairs(workload.of(c)) do
    history.run:finish()
    if history.model ~= nil and #history > 0 and judge.one(history) == nil then
      c.inner.undecided = (c.inner.undecided or 0) + 1
      c:note(("history %d (%s) could not be decided in %d s"):format(number, tostring(history.model), TIMEOUT))
    end
  end
end

return judge
