--- The options of raft.cluster: their names, types and defaults, and what raft.core takes for them.
-- @module raft.options

local arguments = require "raft.arguments"
local core = require "raft.core"
local defaults = require "raft.defaults"
local processes = require "raft.processes"
local strict = require "raft.strict"

local options = {}

local NODES_MOST = 99
local NAME_BYTES_MOST = 1000

local function is_count(least)
  return function(value)
    return arguments.is_integer(value) and value >= least and value < 2 ^ 53
  end
end

local function is_chance(value)
  return type(value) == "number" and value >= 0 and value <= 1
end

local function is_kind(kind)
  return function(value)
    return type(value) == kind
  end
end

local NS = 1e-9 -- the shortest time there is

local function is_interval(value)
  return type(value) == "table" and #value == 2 and type(value[1]) == "number" and type(value[2]) == "number"
    and value[1] >= NS and value[2] >= value[1] and value[2] < math.huge
end

local function is_limit(value)
  return value == math.huge or is_count(1)(value)
end

-- Each option: what it should be, in words, and the test of it.
local known = {
  nodes = { "a number of nodes from 1 to 99 or a list of at most 99 ids", function(value)
    if type(value) == "table" then
      return #value <= NODES_MOST
    end
    return is_count(1)(value) and value <= NODES_MOST
  end },
  mode = { '"sim", "tcp" or "process"', function(value)
    return value == "sim" or value == "tcp" or value == "process"
  end },
  seed = { "an integer from 0 to 2^53 - 1", is_count(0) },
  name = { "a string of at most 1000 bytes", function(value)
    return type(value) == "string" and #value <= NAME_BYTES_MOST
  end },
  election_timeout = { "{min, max} seconds, a nanosecond or more, or math.huge", function(value)
    return value == math.huge or is_interval(value)
  end },
  heartbeat_interval = { "seconds, a nanosecond or more", function(value)
    return type(value) == "number" and value >= NS
  end },
  pre_vote = { "a boolean", is_kind "boolean" },
  check_quorum = { "a boolean", is_kind "boolean" },
  election_collisions = { "a chance from 0 to 1", is_chance },
  clock_drift = { "a relative difference of clock rates, from 0 to below 1,", function(value)
    return is_chance(value) and value < 1
  end },
  window = { "messages in flight, from 1 to 65536", function(value) return is_count(1)(value) and value <= 65536 end },
  max_entries = { "a number of entries from 1 to 2^32 - 1", function(value)
    return is_count(1)(value) and value < 2 ^ 32
  end },
  max_message = { "bytes from 1 to 256 KiB", function(value) return is_count(1)(value) and value <= 262144 end },
  max_inflight = { "bytes from 1", is_count(1) },
  max_uncommitted = { "bytes from 1", is_count(1) },
  snapshot_every = { "a number of entries from 1, or math.huge", is_limit },
  snapshot_bytes = { "bytes from 1, or math.huge", is_limit },
  link = { "a table of faults", is_kind "table" },
  state = { "a table of disks by node id", is_kind "table" },
  machine = { '"kv" or a function(id) that returns a machine', function(value)
    return value == "kv" or type(value) == "function" or type(value) == "string"
  end },
  speed = { "a number above 0", function(value)
    return type(value) == "number" and value > 0 and value < math.huge
  end },
  dir = { "a path of at most 800 bytes", function(value)
    return type(value) == "string" and value ~= "" and #value <= 800 and not value:find("%z")
  end },
  trace = { "a path or a function(event)", function(value)
    return type(value) == "string" or type(value) == "function"
  end },
  keep_events = { "a number of events from 0", is_count(0) },
  invariants = { "a boolean", is_kind "boolean" },
  strict = { "a boolean", is_kind "boolean" },
}

--- The options of raft.cluster: name -> {what it should be in words, the test of it}.
options.known = known

--- Checks options by their names and types; raises an error at the user's line.
-- @tparam string what whose they are
-- @tparam table given
-- @tparam table allowed as `options.known`
function options.check(what, given, allowed)
  for name, value in pairs(given) do
    local option = allowed[name]
    if not option then
      arguments.raise("%s: there is no option '%s'", what, tostring(name))
    elseif not option[2](value) then
      arguments.fail(tostring(name), option[1], value)
    end
  end
end

local function ids_of(nodes)
  if type(nodes) == "table" then
    return arguments.ids("nodes", nodes)
  end
  local ids = {}
  for id = 1, nodes do
    ids[id] = id
  end
  return ids
end

-- A disk's log: a term for an entry without a command, or {term, command}.
local function log_of(id, log, last_term)
  local entries, before = {}, 1
  for index, entry in ipairs(log) do
    local term, command = entry, nil
    if type(entry) == "table" then
      term, command = entry[1], entry[2]
    end
    local name = string.format("state[%d].log[%d]", id, index)
    if not arguments.is_integer(term) or term < before then
      arguments.fail(name, "a term that does not fall, or {term, command},", entry)
    elseif type(entry) == "table" and command == nil then
      arguments.fail(name, "{term, command}", "{term}")
    elseif type(entry) == "table" then
      arguments.value(name .. "[2]", command)
    end
    entries[index], before = { term = term, command = command }, term
  end
  if #entries > 0 and before > last_term then
    arguments.fail(string.format("state[%d].term", id), "a term not below its log's", last_term)
  end
  return entries
end

local function disks_of(state, ids)
  local is_node = {}
  for _, id in ipairs(ids) do
    is_node[id] = true
  end
  local disks = {}
  for id in pairs(state) do
    if not is_node[id] then
      arguments.fail("state", "ids of this cluster's nodes as keys", id)
    end
  end
  for _, id in ipairs(ids) do
    local disk = state[id]
    if disk ~= nil then
      if type(disk) ~= "table" then
        arguments.fail("state[" .. id .. "]", "a table { term, vote, log }", disk)
      end
      for name in pairs(disk) do
        if name ~= "term" and name ~= "vote" and name ~= "log" then
          arguments.raise("raft.cluster: state[%d] has no '%s'", id, tostring(name))
        end
      end
      local term, vote = disk.term or 0, disk.vote or 0
      if not is_count(0)(term) then
        arguments.fail("state[" .. id .. "].term", "a term from 0", term)
      elseif not is_count(0)(vote) then
        arguments.fail("state[" .. id .. "].vote", "an id or 0", vote)
      end
      disks[#disks + 1] = { id = id, term = term, vote = vote, entries = log_of(id, disk.log or {}, term) }
    end
  end
  return disks
end

--- Election and heartbeat times, in ns.
-- @tparam table given
-- @tparam table result
function options.timing(given, result)
  local election = given.election_timeout or { 0.150, 0.300 }
  if election == math.huge then
    result.election_min_ns, result.election_max_ns = core.never, core.never
  else
    result.election_min_ns = arguments.ns(election[1])
    result.election_max_ns = arguments.ns(election[2])
  end
  local shortest = election == math.huge and math.huge or election[1]
  local heartbeat = given.heartbeat_interval or math.min(0.050, shortest / 3)
  if heartbeat >= shortest then
    arguments.fail("heartbeat_interval", ("seconds below the shortest election time-out, %g,"):format(shortest),
      heartbeat)
  end
  result.heartbeat_ns = math.max(1, arguments.ns(heartbeat))
  result.election_max = election == math.huge and 0.300 or election[2]
end

--- What voters promise, and what a leader makes of it: pre-vote, check-quorum, lease reads.
-- @tparam table given
-- @tparam table result
function options.safety(given, result)
  result.pre_vote = given.pre_vote ~= false
  result.check_quorum = given.check_quorum ~= false
  if given.clock_drift ~= nil and not result.check_quorum then
    arguments.raise("bad argument 'clock_drift' (lease reads need check_quorum = true: a lease is the voters' promise "
      .. "to hold back while they hear their leader)")
  end
  result.lease_reads = given.clock_drift ~= nil
  result.clock_drift_ppb = math.ceil((given.clock_drift or 0) * 1e9)
end

local function machine_of(machine)
  if type(machine) == "string" and machine ~= "kv" then
    local found, made = pcall(require, machine)
    if not found then
      arguments.raise("bad argument 'machine' (the module '%s' cannot be loaded: %s)", machine,
        tostring(made):match "^[^\n]*")
    elseif type(made) ~= "function" then
      arguments.fail("machine", "a module that returns a function(id)", machine)
    end
    return made
  end
  return type(machine) == "function" and machine or nil
end

local function first_of(value, otherwise)
  if value == nil then
    return otherwise
  end
  return value
end

local function tracing(given, result)
  if type(given.trace) == "function" then
    result.reader = given.trace
  elseif given.trace ~= nil then
    result.trace = given.trace
  else
    result.trace, result.append = defaults.get("trace"), true
    result.trace_at_once = defaults.get "trace_at_once" or false
  end
  result.verbose = defaults.get("verbose") or false
  result.keep_events = given.keep_events or 100000
  result.keep_hash = true
  result.keep_situations = defaults.get("situations") or false
end

--- Limits of messages and logs.
-- @tparam table given
-- @tparam table result
function options.limits(given, result)
  result.window = given.window or 64
  result.max_entries = given.max_entries or 0
  result.max_message = given.max_message or 65536
  result.max_inflight = given.max_inflight or 524288
  result.max_uncommitted = given.max_uncommitted or 67108864
  result.election_collisions = given.election_collisions or 0
end

--- When snapshots are taken; 0: never because of that.
-- @tparam table given
-- @tparam table result
-- @tparam integer every where it is not given
-- @tparam integer bytes the same
function options.snapshots(given, result, every, bytes)
  for name, default in pairs { snapshot_every = every, snapshot_bytes = bytes } do
    local value = given[name] or default
    result[name] = value ~= math.huge and value or 0
  end
end

--- Checks the options of raft.cluster and fills in their defaults. Wrong ones raise an error at the user's line.
-- @tparam ?table given
-- @treturn ?table what raft.core.cluster takes; nil, message, code where this world cannot do what they ask for
function options.cluster(given)
  given = given == nil and {} or given
  if type(given) ~= "table" then
    arguments.fail("options", "a table", given)
  end
  options.check("raft.cluster", given, known)
  local mode = given.mode or defaults.get("mode") or "sim"
  if not known.mode[2](mode) then
    arguments.fail("mode", known.mode[1], mode)
  end
  local result = {
    real = mode ~= "sim",
    seed = given.seed or defaults.get("seed") or 1,
    name = given.name or defaults.get("name") or "",
    ids = ids_of(given.nodes or 3),
    speed = given.speed or defaults.get("speed") or 1,
    machine = mode ~= "process" and machine_of(given.machine) or nil,
    invariants = first_of(given.invariants, true),
  }
  if given.strict then
    result.machine = strict.maker(result.machine)
  end
  options.timing(given, result)
  options.safety(given, result)
  options.limits(given, result)
  options.snapshots(given, result, 0, 0)
  tracing(given, result)
  result.link = given.link and arguments.link("link", given.link)
    or (mode == "sim" and { delay_min_ns = 1000000, delay_max_ns = 5000000 } or {})
  result.disks = disks_of(given.state or {}, result.ids)
  result.mode = mode
  result.dir = mode == "tcp" and given.dir or nil
  if mode == "sim" and given.dir then
    return nil, 'in the simulated world disks are simulated: `dir` is for mode = "tcp" and "process"', "unsupported"
  elseif mode == "process" then
    local message, code
    result.processes, message, code = processes.of(given)
    if not result.processes then
      return nil, message, code
    end
  end
  return result
end

return options
