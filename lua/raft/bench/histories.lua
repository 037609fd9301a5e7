--- Histories of many clients on one object, for measurements and specs. Each operation takes effect between its call
-- and its return, in an order that a stream of its own draws.
-- @module raft.bench.histories

local core = require "raft.core"

local histories = {}

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

local function mostly_read(values, random)
  if random(10) > 0 then
    return "read"
  end
  return "write", random(values)
end

-- In the proportions of the test data that Porcupine has for this: each string grows some ten times.
local function grow_or_read(_, random, number)
  local which = random(20)
  if which > 10 then
    return "read"
  end
  return which == 0 and "write" or "append", ("x %d y"):format(number)
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
  append = function(state, value)
    state.value = (state.value == null and "" or state.value) .. value
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

--- A history that is linearizable.
-- @tparam string model "register", "cas-register", "kv" or "queue"
-- @tparam table options `clients`, `operations`, `values` (nil: each is new), `keys`, `unknown` (one in so many answers
-- is lost), `mostly_reads`, `strings` (which grow), `seed`
-- @treturn table its entries
function histories.make(model, options)
  local random, states, clients, entries = stream(options.seed or 20261130), {}, {}, {}
  local call = options.mostly_reads and mostly_read or options.strings and grow_or_read or calls[model]
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
      local f, value = call(options.values, random, begun, states[key])
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

--- One answer of a read becomes a value that was certainly replaced before the read began: all writes of it had
-- returned before another write began, which had returned by then. It is the first such read after nine tenths of the
-- history.
-- @tparam table entries those of a register that 0 .. values - 1 were written to, all answers known
-- @tparam integer values
-- @treturn integer which entry
function histories.plant_stale_read(entries, values)
  local open, latest, pending, last = {}, 0, {}, {}
  for value = 0, values - 1 do
    pending[value], last[value] = 0, 0
  end
  for place, entry in ipairs(entries) do
    local call = open[entry.process]
    if entry.type == "invoke" then
      open[entry.process] = { place = place, latest = latest }
      if entry.f == "write" then
        pending[entry.value] = pending[entry.value] + 1
      end
    elseif entry.f == "write" then
      pending[entry.value], last[entry.value] = pending[entry.value] - 1, place
      latest = math.max(latest, call.place)
    elseif place > #entries * 0.9 then
      for value = 0, values - 1 do
        if pending[value] == 0 and last[value] < call.latest then
          entry.value = value
          return place
        end
      end
    end
  end
  error "no read of this history could be made stale"
end

return histories
