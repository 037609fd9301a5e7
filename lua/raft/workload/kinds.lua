--- The kinds of workload: what is drawn, and how each operation is asked of the "kv" machine. One operation is one
-- command or one query, never two.
--
-- It draws and translates only; who asks when, and what is recorded, is raft.workload.client's.
-- @module raft.workload.kinds

local core = require "raft.core"

local json, null = core.json_encode, core.null

local kinds = {}

local RECENT = 16 -- elements of a set that removals and questions choose from
local WRITES_A_KEY = 50 -- additions to a list or a set, which are read whole: then it is another key's turn

-- ---- what is drawn ------------------------------------------------------------------------------------------

local function any_key(run, stream)
  local count = #run.keys
  return run.keys[count == 1 and 1 or stream:random(1, count)]
end

-- A value that nobody wrote before, or one of the few that the script wants.
local function new_value(run, stream)
  if run.values then
    return stream:random(0, run.values - 1)
  end
  run.written = run.written + 1
  return run.written
end

-- What "append" is to add to has to be text.
local function new_content(run, stream)
  local value = new_value(run, stream)
  return run.is_text and ("%d "):format(value) or value
end

-- Keys that are read whole change, so that what is read stays small.
local function growing_key(run, stream, grows)
  local count = #run.keys
  local slot = count == 1 and 1 or stream:random(1, count)
  local base, used = run.keys[slot], (run.additions[slot] or 0)
  if grows then
    run.additions[slot] = used + 1
  end
  return base .. "/" .. math.floor(used / WRITES_A_KEY) + 1
end

local draw = {}

function draw.read(run, stream)
  return any_key(run, stream), nil
end

function draw.write(run, stream)
  return any_key(run, stream), new_content(run, stream)
end

-- Mostly from the value that was seen last, so that some succeed.
function draw.cas(run, stream)
  local key = any_key(run, stream)
  local old = run.seen[key]
  if old == nil then
    old = null
  end
  return key, { old, new_content(run, stream) }
end

function draw.delete(run, stream)
  return any_key(run, stream), nil
end

function draw.grow(run, stream)
  return growing_key(run, stream, true), new_value(run, stream)
end

function draw.read_grown(run, stream)
  return growing_key(run, stream), nil
end

-- An element is new, or one of those that were used last.
local function element(run, stream, is_added)
  local count = run.written
  if is_added and (run.values or count == 0 or stream:random() < 0.5) then
    return new_value(run, stream)
  end
  if run.values then
    return stream:random(0, run.values - 1)
  end
  return stream:random(math.max(1, count - RECENT), math.max(1, count))
end

function draw.add(run, stream)
  return growing_key(run, stream, true), element(run, stream, true)
end

function draw.of_set(run, stream)
  return growing_key(run, stream), element(run, stream, false)
end

-- ---- what is asked, and what the answer says ----------------------------------------------------------------

-- Of an operation and the machine's answer to the entry that completes it.

local function took_effect(entry, operation)
  entry.value = operation.value
end

local function or_null(value)
  if value == nil then
    return null
  end
  return value
end

-- A machine of the script's own that answers otherwise would seem to have found nothing.
local function expect(fine, operation, form, answer)
  if not fine then
    error(("the machine answers %s by %s, where a workload expects %s, as the \"kv\" machine answers"):format(
      operation.f, answer == nil and "nil" or json(answer), form), 0)
  end
end

-- Of {value}, or {} where there is none.
local function was_read(entry, operation, answer)
  expect(type(answer) == "table", operation, "{ value }, or {} for none", answer)
  entry.value = or_null(answer[1])
end

local function was_read_whole(entry, operation, answer)
  expect(type(answer) == "table" and (answer[1] == nil or type(answer[1]) == "table"), operation,
    "{ list }, or {} for none", answer)
  entry.value = answer[1] or {}
end

local function was_compared(entry, operation, answer)
  expect(type(answer) == "table" and type(answer[1]) == "boolean", operation, "{ true } or { false, present }", answer)
  entry.value = operation.value
  if not answer[1] then
    entry.type, entry.error, entry.seen = "fail", "mismatch", or_null(answer[2])
  end
end

local function with_result(entry, operation, answer)
  expect(type(answer) == "boolean", operation, "true or false, whether that changed it", answer)
  entry.value, entry.result = operation.value, answer
end

local function was_contained(entry, operation, answer)
  was_read_whole(entry, operation, answer)
  entry.value, entry.result = operation.value, false
  for _, one in ipairs(answer[1] or {}) do
    if one == operation.value then
      entry.result = true
      break
    end
  end
end

-- Bodies are used again: each is encoded before the next is asked for.

local function command(name)
  local body = { op = name, key = false, value = false, id = nil }
  return function(operation)
    body.key, body.value = operation.key, operation.value
    return body
  end
end

local question = { op = "get", key = false }

local function get(operation)
  question.key = operation.key
  return question
end

local function compare_and_set(operation)
  local old, new = operation.value[1], operation.value[2]
  if old == null then
    old = nil
  end
  if new == null then
    new = nil
  end
  return { op = "cas", key = operation.key, old = old, new = new }
end

-- { draw, body, answered, is_read }
local read = { draw = draw.read, body = get, answered = was_read, is_read = true }
local write = { draw = draw.write, body = command "set", answered = took_effect }
local cas = { draw = draw.cas, body = compare_and_set, answered = was_compared }
local delete = { draw = draw.delete, body = command "delete", answered = took_effect }
local read_whole = { draw = draw.read_grown, body = get, answered = was_read_whole, is_read = true }

--- Notes what a completed operation says of its key, for cas.
-- @tparam table seen by key
-- @tparam table entry
function kinds.note(seen, entry)
  local value = entry.value
  if entry.seen ~= nil then
    value = entry.seen
  elseif entry.f == "cas" then
    value = value[2]
  elseif entry.f == "delete" then
    value = null
  end
  seen[entry.key] = value
end

--- By kind: `mix`, the weights by operation where the script gives none, and `operations` by name, each
-- { draw = function(run, stream) → key, value, body = function(operation) → command or question,
-- answered = function(entry, operation, answer), is_read }.
kinds.by_name = {
  register = { mix = { read = 1, write = 1 }, operations = { read = read, write = write } },
  ["cas-register"] = {
    mix = { read = 2, write = 1, cas = 1 }, operations = { read = read, write = write, cas = cas },
  },
  kv = {
    mix = { read = 2, write = 2, cas = 1 }, keys = 5, operations = {
      read = read, write = write, cas = cas, delete = delete,
      append = { draw = draw.write, body = command "append", answered = took_effect },
    },
  },
  append = {
    mix = { append = 1, read = 1 }, operations = {
      append = { draw = draw.grow, body = command "push", answered = took_effect }, read = read_whole,
    },
  },
  set = {
    mix = { add = 2, contains = 1, remove = 1, read = 1 }, operations = {
      add = { draw = draw.add, body = command "add", answered = with_result },
      remove = { draw = draw.of_set, body = command "remove", answered = with_result },
      contains = { draw = draw.of_set, body = get, answered = was_contained, is_read = true },
      read = read_whole,
    },
  },
  queue = {
    mix = { enqueue = 1, dequeue = 1 }, operations = {
      enqueue = { draw = draw.write, body = command "push", answered = took_effect },
      dequeue = { draw = draw.read, body = command "pop", answered = was_read },
    },
  },
}

return kinds
