-- Each check of linearizability against an exhaustive search over all orders, in C (spec/fuzz/linear.c): random
-- histories of up to nine operations of six models, unknown ones among them. `make linear-twins N=100000` has as many
-- of each model.
local lu = require "luaunit"
local replays = require "spec.support.replays"

local MODELS, BYTES_A_HISTORY = 6, 42 -- at least as many, of random bytes
local wanted = tonumber(os.getenv "RAFTBENCH_LINEAR_TWINS") or 1000

local tests = {}

-- Bytes that are the same everywhere.
local function write_bytes(path, count, seed)
  local file, state = assert(io.open(path, "wb")), seed
  local piece = {}
  for number = 1, count do
    state = (state * 16807) % 2147483647
    piece[#piece + 1] = string.char(math.floor(state / 256) % 256)
    if #piece == 4096 or number == count then
      file:write(table.concat(piece))
      piece = {}
    end
  end
  file:close()
end

function tests.test_EachRungAgreesWithAllOrders()
  local path = os.tmpname()
  write_bytes(path, wanted * MODELS * BYTES_A_HISTORY, 20261130)
  local said = replays.run("linear", replays.quoted(path))
  os.remove(path)
  local count, yes = said[#said]:match "^(%d+) histories, (%d+) linearizable$"
  lu.assertTrue(tonumber(count) >= wanted * MODELS, count)
  lu.assertTrue(tonumber(yes) > count / 4 and tonumber(yes) < count * 0.9, yes)
end

return tests
