--- The operations of a history as columns, for a page: who called what, when, and how it ended.
--
-- It judges nothing and changes no history.
-- @module raft.view.operations

local picture = require "raft.history.picture"

local operations = {}

local KINDS = { read = 0, write = 1, cas = 2 }
local OUTCOMES = { ok = 0, fail = 1, info = 2 }

local function by_process(a, b)
  if type(a) ~= type(b) then
    return type(a) == "number"
  end
  return a < b
end

-- A lane for each client: the processes that one client used one after the other share it.
local function lanes_of(history)
  local processes, seen = {}, {}
  for _, entry in ipairs(history) do
    if entry.process ~= "nemesis" and entry.process ~= nil and not seen[entry.process] then
      seen[entry.process] = true
      processes[#processes + 1] = entry.process
    end
  end
  table.sort(processes, by_process)
  local names, places, of_process = {}, {}, {}
  for _, process in ipairs(processes) do
    local name = picture.lane(history, process):gsub(", process %-?%d+$", "")
    if not places[name] then
      names[#names + 1] = name
      places[name] = #names - 1
    end
    of_process[process] = places[name]
  end
  return names, of_process
end

-- The entry that ends each call.
local function ends_of(history)
  local ends, open = {}, {}
  for position, entry in ipairs(history) do
    if entry.type == "invoke" then
      open[entry.process] = position
    elseif open[entry.process] then
      ends[open[entry.process]] = position
      open[entry.process] = nil
    end
  end
  return ends
end

local function describe(invoke, ended)
  local result = ended and ended.result
  if result == nil and ended then
    result = ended.value
  end
  return {
    f = invoke.f, value = invoke.value, process = invoke.process, outcome = ended and ended.type or "info",
    result = result, seen = ended and ended.seen,
  }
end

local function has_keys(history)
  local first
  for _, entry in ipairs(history) do
    first = first == nil and entry.key or first
    if entry.key ~= nil and entry.key ~= first then
      return true
    end
  end
  return false
end

--- Columns of a history.
-- @tparam table one { history, kind, verdict, explanation, name }
-- @treturn table { name, verdict = "yes", "no" or "unknown", lanes (names), texts, and for each operation lane, begin,
-- end (ns; -1: not known), outcome, kind and label (a place among the texts), failing (place of the operation; -1)}
function operations.columns(one)
  local history = one.history
  local lanes, of_process = lanes_of(history)
  local ends = ends_of(history)
  local texts, places = {}, {}
  local columns = {
    name = one.kind and ("%s, %s"):format(one.name, one.kind) or one.name, failing = -1, lanes = lanes, texts = texts,
    verdict = one.verdict == true and "yes" or one.verdict == false and "no" or "unknown",
    lane = {}, begin = {}, ["end"] = {}, outcome = {}, kind = {}, label = {},
  }
  local failing = one.explanation and one.explanation.operation.invoke
  local several = has_keys(history)
  for position, entry in ipairs(history) do
    if entry.type == "invoke" and of_process[entry.process] and entry.time then
      local ended = ends[position] and history[ends[position]]
      local operation = describe(entry, ended)
      local text = (several and entry.key ~= nil and tostring(entry.key) .. ": " or "") .. picture.label(operation)
      if not places[text] then
        texts[#texts + 1] = text
        places[text] = #texts - 1
      end
      local number = #columns.lane + 1
      columns.lane[number], columns.begin[number] = of_process[entry.process], entry.time
      columns["end"][number] = ended and ended.type ~= "info" and ended.time or -1
      columns.outcome[number], columns.kind[number] = OUTCOMES[operation.outcome], KINDS[picture.kind(operation)]
      columns.label[number] = places[text]
      if position == failing then
        columns.failing = number - 1
      end
    end
  end
  return columns
end

return operations
