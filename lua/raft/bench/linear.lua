--- Linearizability: how long the check takes, for histories that are linearizable, of many clients on one object. Each
-- operation takes effect between its call and its return, in an order that the stream draws.
-- @module raft.bench.linear

local core = require "raft.core"
local linearizable = require "raft.linearizable"

local null = core.null

-- Bytes that are the same everywhere.
local function stream(seed)
  local state = seed
  return function(bound)
    state = (state * 16807) % 2147483647
    return math.floor(state / 256) % bound
  end
end

-- What is called, by model: f(values, random, number of the operation, state) → f and value of the call.
local function write_or_read(values, random, number)
  if random(2) == 0 then
    return "read"
  end
  return "write", values and random(values) or number
end

local calls = {
  register = write_or_read,
  ["cas-register"] = function(values, random, number, state)
    if random(3) == 0 then
      local old = random(4) == 0 and random(values or number) or state.value
      return "cas", { old, values and random(values) or number }
    end
    return write_or_read(values, random, number)
  end,
  queue = function(_, random, number)
    if random(2) == 0 then
      return "enqueue", number
    end
    return "dequeue"
  end,
}
calls.kv = calls["cas-register"]

-- What it does, where it takes effect: f(state, value) → type and value of the answer, what a refused cas saw.
local effects = {
  read = function(state)
    return "ok", state.value
  end,
  write = function(state, value)
    state.value = value
    return "ok", value
  end,
  cas = function(state, value)
    if state.value ~= value[1] then
      return "fail", value, state.value
    end
    state.value = value[2]
    return "ok", value
  end,
  enqueue = function(state, value)
    state.last = state.last + 1
    state[state.last] = value
    return "ok", value
  end,
  dequeue = function(state)
    if state.first > state.last then
      return "ok", null
    end
    local value = state[state.first]
    state[state.first] = nil
    state.first = state.first + 1
    return "ok", value
  end,
}

-- `clients`, `operations`, `values` (nil: each is new), `keys`, `unknown` (one in so many answers is lost).
local function make(model, options)
  local random, states, clients, entries = stream(20261130), {}, {}, {}
  for key = 1, options.keys or 1 do
    states[key] = { value = null, first = 1, last = 0 }
  end
  local begun, process = 0, options.clients
  for client = 1, options.clients do
    clients[client] = { process = client }
  end
  local function step(client)
    local key = client.key
    if not client.call then
      begun = begun + 1
      key = random(options.keys or 1) + 1
      local f, value = calls[model](options.values, random, begun, states[key])
      client.key, client.done = key, nil
      client.call = { process = client.process, type = "invoke", f = f, value = value,
        key = options.keys and key or nil }
      entries[#entries + 1] = client.call
    elseif not client.done then
      local kind, value, seen = effects[client.call.f](states[key], client.call.value)
      client.done = { process = client.process, type = kind, f = client.call.f, value = value, seen = seen,
        error = kind == "fail" and "mismatch" or nil }
    else
      if options.unknown and random(options.unknown) == 0 then
        client.done = { process = client.process, type = "info", f = client.call.f }
        process = process + 1
        client.process = process
      end
      entries[#entries + 1] = client.done
      client.call = nil
    end
  end
  while begun < options.operations do
    step(clients[random(options.clients) + 1])
  end
  return entries
end

-- What is measured: a row's key, the model, how it is checked, the history.
local cases = {
  { "unique", "register", {}, { clients = 50 } },
  { "five", "register", {}, { clients = 50, values = 5 } },
  { "five_unknown", "register", {}, { clients = 20, values = 5, unknown = 50 } },
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
  local entries = make(model, given)
  local read_ms, history = timed(core.history, entries)
  local check_ms, verdict = timed(core.linearizable, history, model, how)
  assert(verdict == true, key)
  record(key, check_ms)
  if key == "unique" then
    record("read", read_ms)
    record("whole", (timed(linearizable.check, entries, model)))
  end
end

return {
  name = "linear",
  about = "linearizable histories on one core: 100,000 operations of many clients at random",
  sizes = {
    quick = { operations = 1000 },
    full = { operations = 100000 },
    long = { operations = 1000000 },
  },
  rows = {
    { key = "unique", what = "a register, 50 clients, each value new", unit = "ms" },
    { key = "five", what = "a register, 50 clients, five values", unit = "ms" },
    { key = "five_unknown", what = "a register, 20 clients, five values, 2 % unknown", unit = "ms" },
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
