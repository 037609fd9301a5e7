--- Frames of a hostile sender that knows the protocol and the cluster's name: for measuring what they cost,
-- and for specs. Kinds and layouts are those of src/world/world.h and src/node/identity.c.
-- @module raft.bench.forged

local core = require "raft.core"

local forged = {}

local HELLO, RAFT, REQUEST, FORWARD = 1, 2, 3, 7
local PROPOSE, READ_STALE, AGAIN = 1, 3, 128
local CLUSTER = "cluster" -- the name of a script's cluster

-- The number in so many bytes, the lowest first; also where Lua has no 64-bit integers.
local function little_endian(number, size)
  local bytes = {}
  for i = 1, size do
    bytes[i] = string.char(number % 256)
    number = (number - number % 256) / 256
  end
  return table.concat(bytes)
end

forged.little_endian = little_endian

--- A hello.
-- @tparam integer from
-- @tparam integer to
-- @tparam[opt] table options `directory`, `life`, `cluster`, `address`, `version`, `number`
-- @treturn string a frame
function forged.hello(from, to, options)
  options = options or {}
  local directory = options.directory or from + 1000000
  local cluster, address = options.cluster or CLUSTER, options.address or ""
  return core.frame(HELLO, options.number or 1, table.concat {
    "raftbnch", little_endian(options.version or 1, 4), little_endian(options.version or 1, 4),
    little_endian(from, 8), little_endian(to, 8), little_endian(directory, 8), little_endian(options.life or 1, 8),
    string.char(#cluster), cluster, string.char(#address), address,
  }, directory)
end

--- A message of Raft's.
-- @tparam table message as core.message_encode takes it
-- @tparam[opt] integer directory of the sender
-- @treturn string a frame
function forged.message(message, directory)
  return core.frame(RAFT, 2, core.message_encode(message), directory or message.from + 1000000)
end

--- A valid frame around a malformed message.
-- @tparam integer from
-- @treturn string a frame
function forged.nonsense(from)
  return core.frame(RAFT, 2, ("nonsense"):rep(8), from + 1000000)
end

--- A node's request to another, as `node:call` sends it.
-- @tparam integer from
-- @tparam integer number
-- @treturn string a frame
function forged.request(from, number)
  return core.frame(REQUEST, number, little_endian(number, 8) .. core.value_encode "what is the time?", from + 1000000)
end

--- A question to the receiver's machine, passed on as a node passes on its application's.
-- @tparam integer from
-- @tparam integer number
-- @tparam raft.value question
-- @treturn string a frame
function forged.question(from, number, question)
  return core.frame(FORWARD, number, little_endian(number, 8) .. string.char(READ_STALE) .. core.value_encode(question),
    from + 1000000)
end

--- A command that is passed on again, on a connection after the one that broke.
-- @tparam integer from
-- @tparam integer number
-- @tparam raft.value command
-- @treturn string a frame
function forged.again(from, number, command)
  return core.frame(FORWARD, number,
    little_endian(number, 8) .. string.char(PROPOSE + AGAIN, 0) .. core.value_encode(command), from + 1000000)
end

return forged
