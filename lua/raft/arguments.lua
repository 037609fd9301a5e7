--- Argument checks: wrong arguments raise an error that names the argument and what it should be, at the innermost line
-- that is the user's own.
-- @module raft.arguments

local core = require "raft.core"

local arguments = {}

-- What the sources of lua/raft begin with: "@.../raft/".
core.own_files(debug.getinfo(1, "S").source:match("^(.*)arguments%.lua$"))

local SECONDS_MOST = 4e9 -- nearly 2^62 ns

local function show(value)
  if type(value) == "string" then
    return string.format("%q", #value > 40 and value:sub(1, 37) .. "..." or value)
  end
  local fine, text = pcall(tostring, value)
  return fine and text or "a " .. type(value)
end

--- Raises an error at the user's line.
-- @tparam string message
-- @param ... to be formatted into it
function arguments.raise(message, ...)
  core.user_error(select("#", ...) > 0 and message:format(...) or message)
end

--- Raises "bad argument 'NAME' (EXPECTED expected, got VALUE)" at the user's line.
-- @tparam string name
-- @tparam string expected
-- @param value what was given
function arguments.fail(name, expected, value)
  core.user_error(string.format("bad argument '%s' (%s expected, got %s)", name, expected, show(value)))
end

local function is_integer(value)
  return type(value) == "number" and value % 1 == 0 -- of an infinity or NaN that is NaN
end

--- Whether a value is a whole number.
-- @function is_integer
arguments.is_integer = is_integer

--- An id: an integer from 1.
-- @tparam string name
-- @param value
-- @treturn integer
function arguments.id(name, value)
  if not is_integer(value) or value < 1 or value > 2 ^ 53 then
    arguments.fail(name, "an id, an integer from 1,", value)
  end
  return value
end

--- A list of different ids, not empty unless `empty`.
-- @tparam string name
-- @param value
-- @tparam ?boolean empty may it be empty
-- @treturn table
function arguments.ids(name, value, empty)
  if type(value) ~= "table" then
    arguments.fail(name, "a list of ids", value)
  end
  local seen, count = {}, 0
  for position, id in ipairs(value) do
    count = position
    if not is_integer(id) or id < 1 or id > 2 ^ 53 then
      arguments.fail(name .. "[" .. position .. "]", "an id, an integer from 1,", id)
    elseif seen[id] then
      arguments.fail(name .. "[" .. position .. "]", "each id once", id)
    end
    seen[id] = true
  end
  for key in pairs(value) do
    if not is_integer(key) or key < 1 or key > count then
      arguments.fail(name, "a plain list of ids", "the key " .. show(key))
    end
  end
  if count == 0 and not empty then
    arguments.fail(name, "at least one id", "an empty list")
  end
  return value
end

--- Seconds, at least 0; math.huge is for ever.
-- @tparam string name
-- @param value
-- @param[opt] otherwise what nil stands for
-- @treturn integer nanoseconds
function arguments.seconds(name, value, otherwise)
  if value == nil then
    value = otherwise
  end
  if type(value) ~= "number" or not (value >= 0) then
    arguments.fail(name, "seconds, 0 or more,", value)
  end
  return arguments.ns(value)
end

--- Seconds as nanoseconds; what is too long becomes "never".
-- @tparam number value seconds
-- @treturn integer
function arguments.ns(value)
  if value >= SECONDS_MOST then
    return core.never
  end
  return math.floor(value * 1e9 + 0.5)
end

--- A function.
-- @tparam string name
-- @param value
function arguments.callable(name, value)
  if type(value) ~= "function" then
    arguments.fail(name, "a function", value)
  end
  return value
end

--- A string.
-- @tparam string name
-- @param value
function arguments.text(name, value)
  if type(value) ~= "string" then
    arguments.fail(name, "a string", value)
  end
  return value
end

-- A value that is more than a number, a string or a boolean: `whole` is what it will be part of.
local function check_value(name, value, whole)
  if value == nil then
    arguments.fail(name, "a value", value)
  end
  local problem = core.value_problem(whole)
  if problem then
    arguments.raise("bad argument '%s' (%s)", name, problem)
  end
  return value
end

--- A value as commands, keys and results are (not nil).
-- @tparam string name
-- @param value
function arguments.value(name, value)
  local kind = type(value)
  if kind == "number" and value % 1 == 0 or kind == "string" or kind == "boolean" then
    return value
  end
  return check_value(name, value, value)
end

--- The same for a part of a command, which has one table less to nest in.
-- @tparam string name
-- @param value
function arguments.part(name, value)
  local kind = type(value)
  if kind == "number" and value % 1 == 0 or kind == "string" or kind == "boolean" then
    return value
  end
  return check_value(name, value, { value })
end

--- A table of options with known names only; nil is an empty one.
-- @tparam string name
-- @param value
-- @tparam table known names as keys
-- @treturn table
function arguments.options(name, value, known)
  if value == nil then
    return {}
  elseif type(value) ~= "table" then
    arguments.fail(name, "a table of options", value)
  end
  for key in pairs(value) do
    if known[key] == nil then
      arguments.raise("bad argument '%s' (there is no option '%s')", name, tostring(key))
    end
  end
  return value
end

local function chance(name, value)
  if value ~= nil and not (type(value) == "number" and value >= 0 and value <= 1) then
    arguments.fail(name, "a chance from 0 to 1", value)
  end
  return value
end

--- Link faults: `drop` and `duplicate` and `reorder` 0..1, `delay` seconds or {min, max}, `bandwidth` bytes a
-- second, `cut` boolean.
-- @tparam string name
-- @param value a table
-- @treturn table as raft.core takes them
function arguments.link(name, value)
  if type(value) ~= "table" then
    arguments.fail(name, "a table of faults", value)
  end
  local known = { drop = true, duplicate = true, reorder = true, delay = true, bandwidth = true, cut = true }
  for key in pairs(value) do
    if not known[key] then
      arguments.raise("bad argument '%s' (there is no fault '%s')", name, tostring(key))
    end
  end
  local link = {}
  for _, fault in ipairs { "drop", "duplicate", "reorder" } do
    link[fault] = chance(name .. "." .. fault, value[fault])
  end
  local delay = value.delay
  if delay ~= nil then
    local low, high = delay, delay
    if type(delay) == "table" then
      low, high = delay[1], delay[2]
    end
    if type(low) ~= "number" or type(high) ~= "number" or low < 0 or not (low <= high)
      or high >= 1e6 then
      arguments.fail(name .. ".delay", "seconds or {min, max}", delay)
    end
    link.delay_min_ns, link.delay_max_ns = arguments.ns(low), arguments.ns(high)
  end
  if value.bandwidth ~= nil then
    if not is_integer(value.bandwidth) or value.bandwidth < 1 then
      arguments.fail(name .. ".bandwidth", "whole bytes a second, 1 or more,", value.bandwidth)
    end
    link.bandwidth = value.bandwidth
  end
  if value.cut ~= nil and type(value.cut) ~= "boolean" then
    arguments.fail(name .. ".cut", "a boolean", value.cut)
  end
  link.cut = value.cut
  return link
end

--- What a disk does wrong: `sync_delay` seconds; `stall`, `full`, `torn_write`, `flip` booleans; `write_error`,
-- `sync_error`, `corrupt`, `misdirect_read`, `misdirect_write` chances; `crash_after` a number of operations.
-- @tparam string name
-- @param value nil: none
-- @treturn table for the core
function arguments.disk(name, value)
  local known = { sync_delay = true, crash_after = true }
  local flags, chances = { "stall", "full", "torn_write", "flip" },
    { "write_error", "sync_error", "corrupt", "misdirect_read", "misdirect_write" }
  for _, list in ipairs { flags, chances } do
    for _, fault in ipairs(list) do
      known[fault] = true
    end
  end
  value = arguments.options(name, value, known)
  local disk = { sync_delay_ns = value.sync_delay and arguments.seconds(name .. ".sync_delay", value.sync_delay) or 0 }
  for _, fault in ipairs(flags) do
    if value[fault] ~= nil and type(value[fault]) ~= "boolean" then
      arguments.fail(name .. "." .. fault, "a boolean", value[fault])
    end
    disk[fault] = value[fault]
  end
  for _, fault in ipairs(chances) do
    disk[fault] = chance(name .. "." .. fault, value[fault])
  end
  local operations = value.crash_after
  if operations ~= nil and not (is_integer(operations) and operations >= 1 and operations <= 2 ^ 53) then
    arguments.fail(name .. ".crash_after", "a number of operations from 1", operations)
  end
  disk.crash_after = operations
  return disk
end

return arguments
