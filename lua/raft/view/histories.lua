--- The histories of clients that a diagram shows beside its events, each with the verdict of raft.linearizable.
--
-- It draws nothing, and changes no history.
-- @module raft.view.histories

local histories = {}

local TIMEOUT = 10 -- real seconds for one; what is not decided then has no verdict

-- {history, kind, verdict, explanation, name}
local function judged(history, model, kind, name)
  local one = { history = history, kind = kind, name = name }
  if model ~= nil and #history > 0 then
    local verdict, explanation = require("raft.linearizable").check(history, model, { timeout = TIMEOUT })
    one.verdict = verdict
    if verdict == false then
      one.explanation = explanation
    end
  end
  return one
end

--- Those of a cluster's workloads, as they are now.
-- @tparam raft.cluster cluster
-- @tparam ?integer run its number among the runs of a trace
-- @treturn table list of {history, kind, verdict, explanation, name, run}
function histories.of_cluster(cluster, run)
  local list = {}
  for number, history in ipairs(require("raft.workload").of(cluster)) do
    list[number] = judged(history, history.model, history.kind, "history " .. number)
    list[number].run = run
  end
  return list
end

--- Those that belong to one run of a trace.
-- @tparam ?table list each may name its run's number, from 1; one without belongs to the last
-- @tparam integer number the run's
-- @tparam boolean is_last whether it is the last
-- @treturn table list
function histories.of_run(list, number, is_last)
  local theirs = {}
  for _, one in ipairs(list or {}) do
    if one.run == number or is_last and not one.run then
      theirs[#theirs + 1] = one
    end
  end
  return theirs
end

--- Those in files.
-- @tparam table paths list
-- @tparam table models for each path its model; the last one also for those behind it; empty: no verdicts
-- @treturn ?table list of {history, kind, verdict, explanation, name}; nil and a message
function histories.read(paths, models)
  local list = {}
  for number, path in ipairs(paths) do
    local history, problem = require("raft.history.read").file(path)
    if not history then
      return nil, problem
    end
    local model = models[math.min(number, #models)]
    local fine, one = pcall(judged, history, model, type(model) == "string" and model or nil, path)
    if not fine then -- an operation that the model does not have, an error in a model of the user's own
      local words = require("raft.report").words(one)
      return nil, path .. ": " .. (words:match "bad argument 'history' %((.*)%)$" or words)
    end
    list[number] = one
  end
  return list
end

return histories
