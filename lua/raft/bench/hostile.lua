--- Commits while a process on the same machine that knows the cluster's name floods the ports of its nodes: three nodes
-- over TCP, eight closed loops. Each figure is a ratio to the commits just before it, in the same cluster.
--
-- The flood is a process of its own. `quiet` is one that does nothing: what the machine does by itself.
-- @module raft.bench.hostile

local clusters = require "raft.bench.clusters"
local core = require "raft.core"
local forged = require "raft.bench.forged"

local LOOPS, MANY = 8, 600 -- MANY is a multiple of the number of nodes

-- What each of many connections says, the nodes in turn.
local function each(what)
  local list = {}
  for i = 1, MANY do
    list[i] = what(i, (i - 1) % 3 + 1)
  end
  return list
end

local function requests(from)
  local list = {}
  for number = 1, 500 do
    list[number] = forged.request(from, number)
  end
  return table.concat(list)
end

-- Appends of a stranger in many terms, the present one among them.
local function appends(from, to)
  local list = { forged.hello(from, to) }
  for term = 1, 40 do
    list[#list + 1] = forged.message { kind = "append", from = from, to = to, term = term }
  end
  return table.concat(list)
end

local floods = {
  { key = "quiet", what = "no flood: how steady the machine is", per_second = 0, keep = 1,
    payloads = function()
      return { "" }
    end },
  { key = "strangers", what = "hellos of ever new ids, each with an address", per_second = 20000, keep = 64,
    payloads = function()
      return each(function(i, to)
        return forged.hello(1000 + i, to, { address = ("127.0.0.1:%d"):format(20000 + i) })
      end)
    end },
  { key = "nonsense", what = "a valid hello, then malformed frames", per_second = 15000, keep = 64,
    payloads = function()
      return each(function(i, to)
        return forged.hello(1000 + i, to) .. forged.nonsense(1000 + i):rep(3)
      end)
    end },
  { key = "others", what = "hellos of other clusters and versions", per_second = 7000, keep = 64,
    payloads = function()
      return each(function(i, to)
        return forged.hello(1000 + i, to, i % 2 == 0 and { cluster = "another" } or { version = 9 })
      end)
    end },
  { key = "forged", what = "a stranger's appends in every term", per_second = 3000, keep = 64,
    payloads = function()
      return each(function(i, to)
        return appends(1000 + i, to)
      end)
    end },
  { key = "never_reads", what = "a peer that asks and never reads", per_second = 12, keep = 6,
    payloads = function()
      return each(function(_, to)
        return forged.hello(1000 + to, to)
      end)
    end,
    again = requests(1001) },
  { key = "garbage", what = "connections that say garbage", per_second = 2000, keep = 64,
    payloads = function()
      return each(function(i)
        return ("%d garbage "):format(i):rep(50)
      end)
    end },
  { key = "slow", what = "slow, half-open, idle and huge ones", per_second = 1000, keep = 1000,
    payloads = function()
      return each(function(i, to)
        return i % 3 == 0 and "\255\255\0\0" or forged.hello(1000 + i, to):sub(1, i % 40 + 1)
      end)
    end },
}

local function ports_of(c)
  local ports = {}
  for position, id in ipairs(c:ids()) do
    ports[position] = tonumber(c:status(id, "address"):match ":(%d+)$")
  end
  return ports
end

-- Commits a second in the next stretch; `counts[1]` goes up by one at each.
local function rate(c, counts, seconds)
  local before, start_ns = counts[1], core.clock_ns()
  c:sleep(seconds)
  return (counts[1] - before) * 1e9 / (core.clock_ns() - start_ns)
end

local function start_loops(c, counts)
  local command = ("x"):rep(64)
  for _ = 1, LOOPS do
    c:client(function()
      while not counts.over do
        if c:propose(command, { timeout = 1 }) then
          counts[1] = counts[1] + 1
        end
      end
    end)
  end
end

-- Its process is made first: what is written while both have the memory is copied, which is not the flood's doing.
local function measure(size, record, key, flood)
  local process, descriptor = assert(core.bench.flood(flood.payloads(), flood.again, flood.per_second, flood.keep,
    size.seconds * 1.5))
  clusters.with({ mode = "tcp", nodes = 3 }, function(c)
    local counts = { 0 }
    start_loops(c, counts)
    c:sleep(size.seconds / 2)
    local before = rate(c, counts, size.seconds)
    core.bench.flood_start(process, descriptor, ports_of(c))
    c:sleep(size.seconds / 4)
    record(key, rate(c, counts, size.seconds) / before)
    c:sleep(size.seconds / 4)
    core.bench.flood_end(process, descriptor)
    c:sleep(size.settle)
    record(key .. "_after", rate(c, counts, size.seconds) / before)
    counts.over = true
    c:sleep(0.1)
  end)
end

local rows = {}
for _, flood in ipairs(floods) do
  rows[#rows + 1] = { key = flood.key, what = flood.what, unit = "x" }
  rows[#rows + 1] = { key = flood.key .. "_after", what = "  two seconds after its end", unit = "x" }
end

return {
  name = "hostile",
  about = "3 nodes over TCP in one process, eight closed loops; commits under each flood and after it, to those before",
  sizes = {
    quick = { seconds = 0.1, settle = 0.1 },
    full = { seconds = 1, settle = 2 },
  },
  rows = rows,
  run = function(size, record)
    for _, flood in ipairs(floods) do
      measure(size, record, flood.key, flood)
    end
  end,
}
