--- One client of a workload, where it needs the script: a generator's next operation, the script's own `perform`, a
-- look at the history that has grown. All else src/workload does.
-- @module raft.workload.client

local arguments = require "raft.arguments"
local history = require "raft.history"

local client = {}

-- What the script's function gave, as an outcome of core:workload_performed.
local function judge_performed(operation, index, result, code, detail)
  if index == nil and code then
    arguments.part("the third result of options.perform", code)
  elseif index ~= nil and result ~= nil then
    arguments.part("the second result of options.perform", result)
  end
  if index == nil then
    local unknown = type(detail) ~= "table" or detail.unknown
    return {
      type = unknown and operation.f ~= "read" and "info" or "fail", error = code or tostring(result),
      value = operation.value,
    }
  elseif index == false then
    return { type = "fail", error = "mismatch", seen = result, value = operation.value }
  end
  local log_index = arguments.is_integer(index) and index >= 0 and index or nil
  if operation.value ~= nil then
    return { type = "ok", log_index = log_index, value = operation.value, result = result }
  end
  return { type = "ok", log_index = log_index, value = result }
end

--- Does what a client was asked to do by the script's own function.
-- @tparam table run the workload
-- @tparam integer number the client's
-- @treturn string what it needs next
function client.perform(run, number)
  local self = run.members[number] -- nil: client 0
  if self and run.given then
    self.asked = self.asked + 1
    self.operation = run.given[number][self.asked]
  end
  -- The script's own table, which may have fields of its own.
  local operation = self and self.operation or run.handle:asked(number)
  history.fill(run.history)
  local outcome = judge_performed(operation, run.perform(number, operation, run.cluster.handle))
  return run.core:workload_performed(run.handle, number, outcome)
end

local needs = {}

needs.perform = client.perform

function needs.operation(run, number)
  local self = run.members[number]
  self.asked = self.asked + 1
  history.fill(run.history)
  local operation = run.generator(number, self.asked)
  if operation ~= nil then
    run:check_operation(operation)
  end
  self.operation = operation
  return run.core:workload_take(run.handle, number, operation)
end

function needs.judge(run, number)
  run.judge(run)
  return run.core:workload_judged(run.handle, number, run.judge_at)
end

--- Does what a client needs of the script until it needs nothing more.
-- @tparam table run the workload
-- @tparam integer number the client's
-- @tparam string need what it needs
-- @treturn string "nothing": it waits; "ended", "failed", "answered"
function client.serve(run, number, need)
  while needs[need] do
    need = needs[need](run, number)
  end
  return need
end

return client
