--- Linearizability: how long the check takes, for histories of many clients on one object. All are linearizable but
-- one.
-- @module raft.bench.linear

local core = require "raft.core"
local histories = require "raft.bench.histories"
local linearizable = require "raft.linearizable"

-- A store of strings as somebody's own model, which does not say that its keys are apart from each other.
local one_map = {
  init = {},
  pure = function(operation)
    return operation.f == "read"
  end,
  step = function(state, operation)
    local name = "key " .. operation.key
    local old = state[name] or ""
    if operation.f == "read" then
      local read = operation.result == core.null and "" or operation.result
      return (not operation.known or read == old) and state or nil
    end
    local new = {}
    for key, value in pairs(state) do
      new[key] = value
    end
    new[name] = operation.f == "write" and operation.value or old .. operation.value
    return new
  end,
}

-- What is measured: a row's key, the model, how it is checked, the history.
local cases = {
  { "unique", "register", {}, { clients = 50 } },
  { "five", "register", {}, { clients = 50, values = 5 } },
  { "five_unknown", "register", {}, { clients = 20, values = 5, unknown = 50 } },
  { "stale", "register", {}, { clients = 50, values = 5, mostly_reads = true, stale = true } },
  { "cas", "cas-register", {}, { clients = 20, values = 5 } },
  { "kv", "kv", {}, { clients = 50, keys = 10, values = 5 } },
  { "strings", "kv", {}, { clients = 50, keys = 10, strings = true } },
  { "one_map", one_map, {}, { clients = 10, keys = 10, strings = true, operations = 200 } },
  { "queue", "queue", {}, { clients = 50 } },
  { "general", "register", { only = "general" }, { clients = 10, values = 5 } },
}

local function timed(f, ...)
  local start_ns = core.clock_ns()
  local result = f(...)
  return (core.clock_ns() - start_ns) / 1e6, result
end

local function measure(case, operations, record)
  local key, model, how, options = case[1], case[2], case[3], case[4]
  local given = { operations = operations }
  for name, value in pairs(options) do
    given[name] = value
  end
  given.operations = math.min(operations, given.operations)
  local entries = histories.make(model, given)
  local stale = options.stale and histories.plant_stale_read(entries, options.values)
  local read_ms, history = timed(core.history, entries)
  local check_ms, verdict = timed(core.linearizable, history, model, how)
  assert(verdict == not stale, key)
  record(key, check_ms)
  if key == "unique" then
    record("read", read_ms)
    record("whole", (timed(linearizable.check, entries, model)))
  end
end

return {
  name = "linear",
  about = "histories and whether they are linearizable, on one core: 100,000 operations of many clients at random",
  sizes = {
    quick = { operations = 1000 },
    full = { operations = 100000 },
    long = { operations = 1000000 },
  },
  rows = {
    { key = "unique", what = "a register, 50 clients, each value new", unit = "ms" },
    { key = "five", what = "a register, 50 clients, five values", unit = "ms" },
    { key = "five_unknown", what = "a register, 20 clients, five values, 2 % unknown", unit = "ms" },
    { key = "stale", what = "a register, 50 clients, five values, mostly reads, one of them stale", unit = "ms" },
    { key = "cas", what = "a cas-register, 20 clients, five values", unit = "ms" },
    { key = "kv", what = "kv, 10 keys, 50 clients, five values", unit = "ms" },
    { key = "strings", what = "kv of strings that grow, 10 keys, 50 clients", unit = "ms" },
    { key = "one_map", what = "such a kv as one map in a Lua model, 10 clients, 200 operations", unit = "ms" },
    { key = "queue", what = "a queue, 50 clients, each value new", unit = "ms" },
    { key = "general", what = "a register by the general search, 10 clients, five values", unit = "ms" },
    { key = "read", what = "the first of these: a table in Lua to a history", unit = "ms" },
    { key = "whole", what = "raft.linearizable of it, altogether", unit = "ms" },
  },
  run = function(size, record)
    for _, case in ipairs(cases) do
      measure(case, size.operations, record)
    end
  end,
}
