--- The options of raft.node: their names, types and defaults, and what raft.core takes for them. Those of timing,
-- limits and safety are raft.cluster's.
-- @module raft.node.options

local arguments = require "raft.arguments"
local cluster_options = require "raft.options"
local strict = require "raft.strict"
local defaults = require "raft.defaults"

local options = {}

local NAME_BYTES_MOST = 63
local SNAPSHOT_EVERY = 100000 -- so that memory and disk stay bounded
local SNAPSHOT_BYTES = 67108864

local function port_of(value)
  local port = type(value) == "string" and tonumber(value:match(":(%d+)$"))
  return port and port <= 65535 and port or nil
end

local function is_address(value)
  if not port_of(value) then
    return false
  end
  local numbers = { value:match("^(%d+)%.(%d+)%.(%d+)%.(%d+):%d+$") }
  for _, number in ipairs(numbers) do
    if tonumber(number) > 255 then
      return false
    end
  end
  return #numbers == 4 or value:find("^%[[%x:%.]+%]:%d+$") ~= nil
end

local function is_boolean(value)
  return type(value) == "boolean"
end

local ADDRESS = 'an IP address and a port, as "127.0.0.1:7001",'

local function is_machine(value)
  return value == "kv" or type(value) == "table" and type(value.apply) == "function"
end

-- Each option of its own: what it should be, in words, and the test of it.
local known = {
  id = { "an id, an integer from 1,", function(value) return arguments.is_integer(value) and value >= 1 end },
  listen = { ADDRESS, is_address },
  peers = { "a table of addresses by node id", function(value) return type(value) == "table" end },
  join = { "a boolean", is_boolean },
  cluster = { "a name of at most " .. NAME_BYTES_MOST .. " bytes", function(value)
    return type(value) == "string" and #value <= NAME_BYTES_MOST and not value:find("%z")
  end },
  forward = { "a boolean", is_boolean },
  session = { "a boolean", is_boolean },
  insecure = { "a boolean", is_boolean },
  dir = { "a path", function(value) return type(value) == "string" and value ~= "" and not value:find("%z") end },
  machine = { '"kv" or a table { apply = function(command, index), query = function(request) }', is_machine },
}

-- The options that are raft.cluster's.
local shared = { "election_timeout", "heartbeat_interval", "pre_vote", "check_quorum", "clock_drift",
  "election_collisions", "window",
  "max_entries", "max_message", "max_inflight", "max_uncommitted",
  "snapshot_every", "snapshot_bytes", "trace", "strict" }

for _, name in ipairs(shared) do
  known[name] = assert(cluster_options.known[name], name)
end

--- The options of raft.node, as `known` of raft.options has raft.cluster's.
options.known = known

local function is_everywhere(address) -- which can be listened on, but not dialled
  return address:find("^0%.0%.0%.0:") or address:find("^%[::%]:")
end

-- Each member is at a place of its own, and this one where it listens.
local function check_places(given, result)
  local addresses, id_at = result.addresses, {}
  local own = addresses[given.id]
  if port_of(own) == 0 or is_everywhere(own) then
    arguments.raise("bad argument 'listen' (others cannot dial %s: give its address in peers[%d])", own, given.id)
  elseif own ~= given.listen and port_of(given.listen) ~= 0 and not is_everywhere(given.listen) then
    arguments.raise("bad argument 'peers[%d]' (this is node %d, which listens on %s, not on %s: peers are by node id)",
      given.id, given.id, given.listen, own)
  end
  for _, id in ipairs(result.voters) do
    local other = id_at[addresses[id]]
    if other then
      arguments.raise("bad argument 'peers[%d]' (%s is the address of node %d: give each node its own)", id,
        addresses[id], other)
    end
    id_at[addresses[id]] = id
  end
end

-- The first members: {voters, addresses}; empty for one that joins.
local function first_members(given, result)
  result.voters, result.addresses = {}, {}
  if given.join then
    if given.peers and next(given.peers) ~= nil then
      arguments.raise("bad argument 'peers' (a node with join = true learns its peers from the cluster that adds it)")
    end
    return
  end
  local addresses = { [given.id] = given.listen }
  for id, address in pairs(given.peers or {}) do
    arguments.id("an id in peers", id)
    if not is_address(address) or port_of(address) == 0 then
      arguments.fail("peers[" .. id .. "]", ADDRESS, address)
    end
    addresses[id] = address
  end
  for id in pairs(addresses) do
    result.voters[#result.voters + 1] = id
  end
  table.sort(result.voters)
  result.addresses = addresses
  check_places(given, result)
end

local function tracing(given, result)
  if type(given.trace) == "function" then
    result.reader, result.reads_trace = given.trace, true
  else
    result.trace = given.trace
  end
  result.verbose = defaults.get("verbose") or false
end

local function is_loopback(address)
  return address:find("^127%.") or address:find("^%[::1%]:")
end

-- What cannot be had here: nil, message, code.
local function check_possible(given)
  if not given.insecure and not is_loopback(given.listen) then
    return nil, ("bad option 'listen': node %d would listen on %s, beyond this machine and without encryption: whoever "
      .. "reaches that port can change its data. Listen on 127.0.0.1, or say insecure = true on a network that you "
      .. "trust"):format(given.id, given.listen), "address"
  end
  return true
end

local function check_peers(given, voters, addresses)
  for _, id in ipairs(voters) do
    if not given.insecure and not is_loopback(addresses[id]) then
      return nil, ("bad option 'peers[%d]': node %d would talk to node %d at %s, beyond this machine and without "
        .. "encryption, and could not be dialled from there. Say insecure = true on a network that you trust"):format(
        id, given.id, id, addresses[id]), "address"
    end
  end
  return true
end

--- Checks the options of raft.node and fills in their defaults. Wrong ones raise an error at the user's line.
-- @tparam table given
-- @treturn table what raft.core takes; nil, message, code where it cannot be had
function options.node(given)
  if type(given) ~= "table" then
    arguments.fail("options", "a table", given)
  end
  cluster_options.check("raft.node", given, known)
  for _, name in ipairs { "id", "listen" } do
    if given[name] == nil then
      arguments.fail(name, known[name][1], nil)
    end
  end
  local possible, message, code = check_possible(given)
  if not possible then
    return nil, message, code
  end
  local result = {
    id = given.id,
    listen = given.listen,
    dir = given.dir,
    cluster = given.cluster or "default",
    forward = given.forward ~= false,
    session = given.session == true,
    machine = type(given.machine) == "table" and given.machine or nil,
  }
  if given.strict then
    strict.machine(result.machine)
  end
  cluster_options.timing(given, result)
  cluster_options.safety(given, result)
  cluster_options.limits(given, result)
  cluster_options.snapshots(given, result, SNAPSHOT_EVERY, SNAPSHOT_BYTES)
  tracing(given, result)
  first_members(given, result)
  possible, message, code = check_peers(given, result.voters, result.addresses)
  if not possible then
    return nil, message, code
  end
  return result
end

--- Whether a value is an address: an IP address and a port.
-- @function is_address
-- @param value
-- @treturn boolean
options.is_address = is_address

return options
