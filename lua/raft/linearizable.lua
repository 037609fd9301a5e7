--- Whether a history is linearizable: whether each operation can have taken effect at one moment between its call and
-- its return, in an order that the model allows. src/check does the work; here its "no" is put in words.
--
-- A history is a list of entries in recorded order, as c:workload makes it and raft.read_history reads it:
-- { process = 3, type = "invoke", f = "write", value = 7 }, then { process = 3, type = "ok", … }; "fail" certainly had
-- no effect, "info" may have had one, at any time since.
-- @module raft.linearizable

local arguments = require "raft.arguments"
local core = require "raft.core"

local linearizable = {}

local explanation_methods = {}
local explanation_metatable = { __index = explanation_methods }

local known_models = {}
for _, name in ipairs(core.linear_models()) do
  known_models[name] = true
end

local model_names = '"' .. table.concat(core.linear_models(), '", "') .. '"'

-- ---- arguments -------------------------------------------------------------------------------------

local function check_model(model)
  if type(model) == "table" then
    if type(model.step) ~= "function" then
      arguments.fail("model.step", "function(state, operation)", model.step)
    end
    for _, name in ipairs { "key", "pure" } do
      if model[name] ~= nil and type(model[name]) ~= "function" then
        arguments.fail("model." .. name, "function(operation)", model[name])
      end
    end
  elseif not known_models[model] then
    arguments.fail("model", model_names .. ", or a table { init = , step = }", model)
  end
end

local function positive(name, value)
  if value ~= nil and (type(value) ~= "number" or not (value > 0)) then
    arguments.fail("options." .. name, "a number above 0", value)
  end
  return value
end

-- ---- what a "no" shows -----------------------------------------------------------------------------

local ends = { ok = true, fail = true, info = true }

-- The operation that is called in this entry of the history.
local function operation_at(history, position)
  local call = history[position]
  local operation = { invoke = position, process = call.process, f = call.f, key = call.key, value = call.value,
    outcome = "info" }
  for at = position + 1, #history do
    local entry = history[at]
    if entry.process == call.process then
      if ends[entry.type] then
        operation.outcome, operation.complete = entry.type, at
        operation.error, operation.seen = entry.error, entry.seen
        if entry.type == "ok" then
          operation.result = entry.result
          if entry.result == nil then
            operation.result = entry.value
          end
        end
      end
      break
    end
  end
  return operation
end

local function show(value)
  if value == nil or value == core.null then
    return "nothing"
  end
  local text = core.value_words(value)
  return #text > 60 and text:sub(1, 57) .. "..." or text
end

local function is_cas(operation)
  return operation.f == "cas" and type(operation.value) == "table" and #operation.value == 2
end

-- What an operation did, as a clause: 'process 3 wrote 7'.
local function describe(operation)
  local key = operation.key ~= nil and " (key " .. show(operation.key) .. ")" or ""
  local said
  if operation.f == "read" and operation.outcome == "ok" then
    said = "read " .. show(operation.result)
  elseif is_cas(operation) then
    said = ("cas from %s to %s"):format(show(operation.value[1]), show(operation.value[2]))
  elseif operation.f == "delete" then
    said = "delete"
  else
    said = operation.f .. (operation.value ~= nil and " " .. show(operation.value) or "")
    if operation.outcome == "ok" and operation.result ~= nil and operation.result ~= operation.value then
      said = said .. " → " .. show(operation.result)
    end
  end
  if operation.outcome == "info" then
    said = said .. " (it is not known whether it happened)"
  elseif operation.outcome == "fail" then
    said = said .. (operation.seen ~= nil and " (refused: it saw " .. show(operation.seen) .. ")" or " (refused)")
  end
  return ("process %s: %s%s"):format(tostring(operation.process), said, key)
end

local function places(operation)
  return operation.complete and operation.outcome ~= "info" and
    ("entries %d to %d"):format(operation.invoke, operation.complete) or ("from entry %d on"):format(operation.invoke)
end

--- The operation that is called in an entry of a history, as an explanation speaks of operations.
-- @tparam table history
-- @tparam integer position
-- @treturn table { invoke, complete, process, f, key, value, outcome, result, seen, error, text }
function linearizable.operation(history, position)
  local operation = operation_at(history, position)
  operation.text = describe(operation)
  return operation
end

local function explain(history, raw)
  local known = {}
  local function operation(position)
    if not known[position] then
      known[position] = linearizable.operation(history, position)
    end
    return known[position]
  end
  local function operations(positions)
    local list = {}
    for number, position in ipairs(positions or {}) do
      list[number] = operation(position)
    end
    return list
  end
  local explanation = { rung = raw.rung, key = raw.key, operation = operation(raw.entry), entry = raw.entry,
    reason = raw.reason, certificate = raw.certificate and operations(raw.certificate), kept = operations(raw.kept),
    configurations = {}, longest = {} }
  for number, configuration in ipairs(raw.configurations) do
    local pending = {}
    for place, candidate in ipairs(configuration.pending) do
      local one = operation(candidate.entry)
      pending[place] = { operation = one, legal = candidate.legal,
        why = candidate.legal and "it can come next, but what follows cannot be explained" or
          "it does not agree with this state" }
    end
    explanation.configurations[number] = { state = configuration.state, pending = pending }
  end
  for position, steps in pairs(raw.longest) do
    local list = {}
    for number, step in ipairs(steps) do
      list[number] = { operation = operation(step.entry), state = step.state }
    end
    explanation.longest[position] = list
  end
  return setmetatable(explanation, explanation_metatable)
end

-- ---- in words --------------------------------------------------------------------------------------

local CONFIGURATIONS_SHOWN, KEPT_SHOWN = 4, 30

local function add_certificate(lines, explanation)
  local reason = explanation.reason:gsub("%%(%d)", "(%1)")
  lines[#lines + 1] = "Why not: " .. reason
  for number, operation in ipairs(explanation.certificate) do
    lines[#lines + 1] = ("  (%d) %s, %s"):format(number, operation.text, places(operation))
  end
end

local function add_configurations(lines, explanation)
  for number, configuration in ipairs(explanation.configurations) do
    if number > CONFIGURATIONS_SHOWN then
      lines[#lines + 1] = ("  ... and %d more"):format(#explanation.configurations - CONFIGURATIONS_SHOWN)
      return
    end
    lines[#lines + 1] = ("Before that the state could be %s, with these still to come:"):format(
      show(configuration.state))
    for _, candidate in ipairs(configuration.pending) do
      lines[#lines + 1] = ("  %s: %s"):format(candidate.operation.text, candidate.why)
    end
  end
end

local function add_kept(lines, explanation)
  if #explanation.kept > KEPT_SHOWN then
    lines[#lines + 1] = ("%d operations are enough to see it."):format(#explanation.kept)
    return
  end
  lines[#lines + 1] = "These operations are enough to see it:"
  for _, operation in ipairs(explanation.kept) do
    lines[#lines + 1] = ("  %s, %s"):format(operation.text, places(operation))
  end
end

--- The explanation in words.
-- @treturn string
function explanation_metatable.__tostring(explanation)
  local lines = {
    ("The history is not linearizable%s: all can be explained until just before entry %d, where this returned:"):format(
      explanation.key ~= nil and " at key " .. show(explanation.key) or "", explanation.operation.complete),
    "  " .. explanation.operation.text .. ", " .. places(explanation.operation),
  }
  if explanation.certificate then
    add_certificate(lines, explanation)
  else
    add_configurations(lines, explanation)
  end
  add_kept(lines, explanation)
  return table.concat(lines, "\n")
end

-- ---- the check -------------------------------------------------------------------------------------

-- A history as the core takes it: a workload's is there already.
local function checked(history)
  local metatable = getmetatable(history)
  local own = type(metatable) == "table" and rawget(metatable, "checked")
  return own and own(history) or core.history(history)
end

--- Whether a history is linearizable.
-- @tparam table history of c:workload or raft.read_history, or a list of entries { process, type, f, key, value }
-- @tparam string|table model "register", "cas-register", "kv", "set", "queue", "append", or
-- `{ init = state, step = function(state, operation) → the next state, or nil where it cannot come next,
-- key = function(operation) → what to split by, pure = function(operation) → whether it never changes a state }`
-- (the last two optional), operation being {f, key, value, result, known}
-- @tparam ?table options `timeout` in real seconds, `memory` in bytes, `progress` function(done, all)
-- @treturn ?boolean true; false where it is not; nil where a limit was reached before it was decided
-- @treturn ?raft.explanation why not, with __tostring; or the message
-- @treturn ?string "timeout"
function linearizable.check(history, model, options)
  if type(history) ~= "table" then
    arguments.fail("history", "a list of entries", history)
  end
  check_model(model)
  if options ~= nil and type(options) ~= "table" then
    arguments.fail("options", "a table", options)
  end
  options = options or {}
  local timeout = positive("timeout", options.timeout)
  local verdict, detail, code = core.linearizable(checked(history), model, {
    timeout_ns = timeout and timeout < 1e9 and math.floor(timeout * 1e9) or nil,
    memory = positive("memory", options.memory), progress = options.progress })
  if verdict == false then
    return false, explain(history, detail)
  end
  return verdict, detail, code
end

return linearizable
