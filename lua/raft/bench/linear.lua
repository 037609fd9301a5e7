--- Linearizability: how long the check takes, for histories of many clients on one object. All are linearizable but
-- one.
-- @module raft.bench.linear

local core = require "raft.core"
local histories = require "raft.bench.histories"
local linearizable = require "raft.linearizable"

-- What is measured: a row's key, the model, how it is checked, the history.
local cases = {
  { "unique", "register", {}, { clients = 50 } },
  { "five", "register", {}, { clients = 50, values = 5 } },
  { "five_unknown", "register", {}, { clients = 20, values = 5, unknown = 50 } },
  { "stale", "register", {}, { clients = 50, values = 5, mostly_reads = true, stale = true } },
  { "cas", "cas-register", {}, { clients = 20, values = 5 } },
  { "kv", "kv", {}, { clients = 50, keys = 10, values = 5 } },
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
