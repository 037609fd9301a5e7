--- The options of c:workload, checked, with their defaults.
-- @module raft.workload.options

local arguments = require "raft.arguments"
local kinds = require "raft.workload.kinds"
local source = require "raft.script.source"

local options = {}

local TIMEOUT = 1 -- s, of one operation

local known = {
  kind = true, clients = true, rate = true, keys = true, mix = true, time = true, session = true, generator = true,
  perform = true, operations = true, count = true, values = true, timeout = true, read = true, ask = true,
  model = true, prefix = true, may_fail = true,
}

local ASK = { leader = 2, known = 1, any = 1 }

-- What is asked of a workload at each operation: false, for nil would be looked for among its methods, too.
local ASKED_OFTEN = { "perform", "given", "notes", "gap_ns", "locates", "read", "values", "is_text" }

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

-- A table of names and whole weights as two lists, in an order of their own, and their sum.
local function weights_of(name, given, allowed)
  local names, weights, sum = {}, {}, 0
  if type(given) ~= "table" then
    arguments.fail("options." .. name, "a table of weights", given)
  end
  for _, one in ipairs(source.keys(given)) do
    local weight = given[one]
    if allowed[one] == nil then
      arguments.raise("bad argument 'options.%s' (there is no '%s': it has %s)", name, tostring(one),
        names_of(allowed))
    elseif not arguments.is_integer(weight) or weight < 0 then
      arguments.fail(("options.%s.%s"):format(name, one), "a whole weight, 0 or more,", weight)
    elseif weight > 0 then
      names[#names + 1], weights[#weights + 1], sum = one, weight, sum + weight
    end
  end
  if sum == 0 then
    arguments.fail("options." .. name, "at least one weight above 0", given)
  end
  return names, weights, sum
end

local function has(list, wanted)
  for _, one in ipairs(list) do
    if one == wanted then
      return true
    end
  end
  return false
end

local function kind_of(given)
  local name = given.kind
  if name == nil and not given.perform then
    name = "register"
  end
  if name ~= nil and kinds.by_name[name] == nil then
    arguments.fail("options.kind", "one of " .. names_of(kinds.by_name), name)
  end
  if given.perform ~= nil and given.generator == nil and given.operations == nil and name == nil then
    arguments.raise("bad argument 'options.perform' (what it performs comes from a `kind`, a `generator` or a list of "
      .. "`operations`)")
  end
  return name, kinds.by_name[name or "none"]
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
      arguments.part(("options.keys[%d]"):format(position), key)
    end
    return keys
  end
  local list = {}
  for number = 1, positive("keys", keys, true) do
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
  local names, weights = weights_of("ask", ask or ASK, ASK)
  local left, dealt = {}, {}
  for position, name in ipairs(names) do
    left[name] = weights[position]
  end
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
  if operation.node ~= nil then
    arguments.id(name .. ".node", operation.node)
  end
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
    if type(operation.at) ~= "number" or not (operation.at >= 0) then
      arguments.fail(name .. ".at", "seconds, 0 or more,", operation.at)
    end
    local number = arguments.id(name .. ".client", operation.client or 1)
    by_client[number] = by_client[number] or {}
    table.insert(by_client[number], operation)
    run.clients = math.max(run.clients, number)
  end
  for _, own in pairs(by_client) do
    table.sort(own, function(a, b) return a.at < b.at end)
  end
  run.given = by_client
end

local function read_of(read)
  if read ~= nil and read ~= "lease" and read ~= "stale" then
    arguments.fail("options.read", '"lease", "stale" or nil', read)
  end
  return read
end

-- What is drawn and how it is timed.
local function timing(given, run, never)
  run.timeout = positive("timeout", given.timeout) or TIMEOUT
  run.timeout_ns = arguments.seconds("options.timeout", run.timeout)
  local rate = positive("rate", given.rate)
  run.gap_ns = rate and math.floor(run.clients / rate * 1e9 + 0.5) or nil
  run.length_ns = arguments.seconds("options.time", given.time, math.huge)
  run.left = positive("count", given.count, true) or never
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
    kind = name, clients = positive("clients", given.clients, true) or given.operations and 1 or 5,
    operations = kind and kind.operations, generator = given.generator, perform = given.perform,
    read = read_of(given.read), session = given.session, model = given.model,
    may_fail = given.may_fail,
    seen = {}, additions = {}, written = 0,
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
    run.names, run.weights, run.weight = weights_of("mix", given.mix or kind.mix, kind.operations)
    run.is_text = name == "kv" and has(run.names, "append")
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
  for _, field in ipairs(ASKED_OFTEN) do
    run[field] = run[field] or false
  end
  return run
end

return options
