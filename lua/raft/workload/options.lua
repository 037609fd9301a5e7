--- The options of c:workload, checked, with their defaults.
-- @module raft.workload.options

local arguments = require "raft.arguments"
local core = require "raft.core"
local source = require "raft.script.source"

local options = {}

local TIMEOUT = 1 -- s, of one operation
local WEIGHT_MOST = 1000000
local CLIENTS_MOST, KEYS_MOST = 100000, 1000000

local kinds = core.workload_kinds()

local known = {
  kind = true, clients = true, rate = true, keys = true, mix = true, time = true, session = true, generator = true,
  perform = true, operations = true, count = true, values = true, timeout = true, read = true, ask = true,
  model = true, prefix = true, may_fail = true,
}

local ASK = { leader = 2, known = 1, any = 1 }

local function names_of(map)
  return table.concat(source.keys(map), ", ")
end

-- A number above 0; nil where it is not given.
local function positive(name, value, is_whole)
  if value ~= nil and not (type(value) == "number" and value > 0 and value < math.huge
    and (not is_whole or arguments.is_integer(value))) then
    arguments.fail("options." .. name, is_whole and "an integer from 1" or "a number above 0", value)
  end
  return value
end

-- The same up to `most`, a whole number.
local function up_to(most, name, value)
  if positive(name, value, true) ~= nil and value > most then
    arguments.fail("options." .. name, ("an integer, 1 to %d,"):format(most), value)
  end
  return value
end

local function read_of(name, read)
  if read ~= nil and read ~= "lease" and read ~= "stale" then
    arguments.fail(name, '"lease", "stale" or nil', read)
  end
  return read
end

-- The weights above 0 of a table of names and whole weights.
local function weights_of(name, given, allowed)
  local weights = {}
  if type(given) ~= "table" then
    arguments.fail("options." .. name, "a table of weights", given)
  end
  for _, one in ipairs(source.keys(given)) do
    local weight = given[one]
    if allowed[one] == nil then
      arguments.raise("bad argument 'options.%s' (there is no '%s': it has %s)", name, tostring(one),
        names_of(allowed))
    elseif not arguments.is_integer(weight) or weight < 0 or weight > WEIGHT_MOST then
      arguments.fail(("options.%s.%s"):format(name, one), "a whole weight, 0 to 1000000,", weight)
    elseif weight > 0 then
      weights[one] = weight
    end
  end
  if next(weights) == nil then
    arguments.fail("options." .. name, "at least one weight above 0", given)
  end
  return weights
end

-- The mix of a kind where the script gives none.
local function mix_of(kind)
  local weights = {}
  for name, operation in pairs(kind.operations) do -- each for itself, in any order
    weights[name] = operation.weight > 0 and operation.weight or nil
  end
  return weights
end

local function kind_of(given)
  local name = given.kind
  if name == nil and not given.perform then
    name = "register"
  end
  if name ~= nil and kinds[name] == nil then
    arguments.fail("options.kind", "one of " .. names_of(kinds), name)
  end
  if given.perform ~= nil and given.generator == nil and given.operations == nil and name == nil then
    arguments.raise("bad argument 'options.perform' (what it performs comes from a `kind`, a `generator` or a list of "
      .. "`operations`)")
  end
  return name, kinds[name or "none"]
end

-- Names, or so many of them, which no other workload of the cluster has.
local function keys_of(given, kind, prefix)
  local keys = given.keys
  if keys == nil then
    keys = kind and kind.keys or 1
  end
  if type(keys) == "table" then
    if #keys == 0 then
      arguments.fail("options.keys", "at least one key", keys)
    end
    for position, key in ipairs(keys) do
      local name = ("options.keys[%d]"):format(position)
      arguments.part(name, key)
      if kind and kind.changes_keys and type(key) ~= "string" and type(key) ~= "number" then
        arguments.fail(name, "a string or a number (names of further keys are made of it)", key)
      end
    end
    return keys
  end
  local list = {}
  for number = 1, up_to(KEYS_MOST, "keys", keys) do
    list[number] = prefix .. "k" .. number
  end
  return list
end

-- Whom clients ask, dealt out in turn: with few clients each is there, and the first looks for the leader, so that
-- something goes on.
local function deal_ask(ask)
  if type(ask) == "string" then
    ask = { [ask] = 1 }
  end
  local left, dealt = weights_of("ask", ask or ASK, ASK), {}
  repeat
    local before = #dealt
    for _, name in ipairs { "leader", "known", "any" } do
      if (left[name] or 0) > 0 then
        left[name], dealt[#dealt + 1] = left[name] - 1, name
      end
    end
  until #dealt == before
  return dealt
end

local function check_callables(given)
  for _, name in ipairs { "generator", "perform" } do
    if given[name] ~= nil then
      arguments.callable("options." .. name, given[name])
    end
  end
  if given.generator ~= nil and given.operations ~= nil then
    arguments.raise "bad argument 'options.operations' (there is a generator already)"
  end
end

--- An operation of the script's own: a generator's, or one of a list.
-- @tparam string name what it is called in an error
-- @tparam table run
-- @param operation
function options.check_operation(name, run, operation)
  if type(operation) ~= "table" or type(operation.f) ~= "string" then
    arguments.fail(name, "a table { f = string, key, value }", operation)
  elseif run.operations and not run.perform and not run.operations[operation.f] then
    arguments.raise("bad argument '%s' (%s has no operation '%s': it has %s)", name, run.kind, operation.f,
      names_of(run.operations))
  end
  for _, field in ipairs { "key", "value" } do
    if operation[field] ~= nil then
      arguments.part(name .. "." .. field, operation[field])
    end
  end
  local value = operation.value
  if operation.f == "cas" and not run.perform and not (type(value) == "table" and #value == 2) then
    arguments.fail(name .. ".value", "a list { old, new } (raft.null: none)", value)
  end
  if operation.node ~= nil then
    arguments.id(name .. ".node", operation.node)
  end
  if operation.timeout ~= nil and not (type(operation.timeout) == "number" and operation.timeout > 0) then
    arguments.fail(name .. ".timeout", "a number above 0", operation.timeout)
  end
  read_of(name .. ".read", operation.read)
end

-- Each client's own part of a list, in order of time.
local function given_operations(list, run)
  if type(list) ~= "table" then
    arguments.fail("options.operations", "a list of operations", list)
  end
  local by_client = {}
  for position, operation in ipairs(list) do
    local name = ("options.operations[%d]"):format(position)
    options.check_operation(name, run, operation)
    arguments.seconds(name .. ".at", operation.at)
    local number = arguments.id(name .. ".client", operation.client or 1)
    if number > CLIENTS_MOST then
      arguments.fail(name .. ".client", ("an integer, 1 to %d,"):format(CLIENTS_MOST), number)
    end
    by_client[number] = by_client[number] or {}
    table.insert(by_client[number], operation)
    run.clients = math.max(run.clients, number)
  end
  for _, own in pairs(by_client) do
    table.sort(own, function(a, b) return a.at < b.at end)
  end
  run.given = by_client
end

-- What is drawn and how it is timed.
local function timing(given, run, never)
  run.timeout = positive("timeout", given.timeout) or TIMEOUT
  run.timeout_ns = arguments.seconds("options.timeout", run.timeout)
  local rate = positive("rate", given.rate)
  run.gap_ns = rate and arguments.ns(run.clients / rate) or nil
  run.length_ns = arguments.seconds("options.time", given.time, math.huge)
  run.count = positive("count", given.count, true) or never
  run.values = positive("values", given.values, true)
end

--- Checks the options and fills in what they leave open.
-- @tparam ?table given
-- @tparam integer number how many workloads that cluster has, with this one
-- @tparam integer never what stands for no end
-- @treturn table a workload's fields
function options.of(given, number, never)
  given = arguments.options("options", given, known)
  check_callables(given)
  local name, kind = kind_of(given)
  local run = {
    kind = name, clients = up_to(CLIENTS_MOST, "clients", given.clients) or given.operations and 1 or 5,
    operations = kind and kind.operations, changes_keys = kind and kind.changes_keys,
    generator = given.generator, perform = given.perform,
    read = read_of("options.read", given.read), session = given.session, model = given.model,
    may_fail = given.may_fail,
  }
  for _, field in ipairs { "session", "may_fail" } do
    if given[field] ~= nil and type(given[field]) ~= "boolean" then
      arguments.fail("options." .. field, "a boolean", given[field])
    end
  end
  if run.model == nil and (kind and not given.generator or kind and not given.perform) then
    run.model = name
  end
  timing(given, run, never)
  if kind then
    run.weights = given.mix and weights_of("mix", given.mix, kind.operations) or mix_of(kind)
    run.is_text = name == "kv" and run.weights.append ~= nil
    run.notes = run.operations.cas ~= nil and not given.generator and not given.operations
  end
  -- Where values do not tell the order, the log does: unknown commands are looked for there.
  run.locates = not run.perform and (run.values ~= nil or name == "queue" or name == "set" or run.is_text
    or type(run.model) == "table")
  run.asks = deal_ask(given.ask)
  run.keys = keys_of(given, kind, given.prefix and arguments.text("options.prefix", given.prefix)
    or number > 1 and ("w%d/"):format(number) or "")
  if given.operations ~= nil then
    given_operations(given.operations, run)
  end
  run.perform = run.perform or false
  return run
end

return options
