--- A service that goes on for long: one raft.node with files takes many commands of a state that does not grow. Its
-- resident size and its directory must not grow either. With BENCH_TRACE set a line is printed for each hundredth.
-- @module raft.bench.bounded

local clusters = require "raft.bench.clusters"
local core = require "raft.core"
local loop = require "raft.loop"
local machine = require "raft.bench.machine"
local node = require "raft.node"

local MIB = 2 ^ 20
local KEYS, VALUE, IN_FLIGHT = 1000, ("v"):rep(64), 2000

local function directory_bytes(directory)
  local pipe = assert(io.popen(("du -sb '%s'"):format(directory)))
  local bytes = tonumber(pipe:read("*a"):match "^%d+")
  pipe:close()
  return bytes
end

-- Keeps so many under way until all are applied; calls sample(done) after each hundredth.
local function propose_all(one, commands, sample)
  local sent, done, problem = 0, 0, nil
  local function send()
    sent = sent + 1
    one:propose({ op = "set", key = sent % KEYS, value = VALUE }, function(index, message)
      problem = problem or not index and message
      done = done + 1
      if sent < commands then
        send()
      end
    end)
  end
  for _ = 1, math.min(IN_FLIGHT, commands) do
    send()
  end
  local next_sample = commands / 100
  while done < commands do
    loop.run(0.01)
    if problem then
      error(problem, 0)
    end
    while done >= next_sample do
      sample(done)
      next_sample = next_sample + commands / 100
    end
  end
end

-- At a port that is free.
local function started(directory)
  for _ = 1, 100 do
    local port = 20000 + core.clock_ns() % 20000
    local one = assert(node.new { id = 1, listen = "127.0.0.1:" .. port, dir = directory })
    local fine, message, code = one:start()
    if fine then
      return one
    elseif code ~= "address" then
      error(message, 0)
    end
    one:close()
  end
  error("no port is free", 0)
end

local function measure(directory, commands, record)
  local one = started(directory)
  local start_ns, first, most, most_directory = core.clock_ns(), nil, 0, 0
  propose_all(one, commands, function(done)
    local resident, held = machine.resident_bytes() / MIB, directory_bytes(directory) / MIB
    if os.getenv "BENCH_TRACE" then
      io.stderr:write(("  %9d commands  %7.1f s  resident %7.1f MiB  directory %7.1f MiB\n"):format(done,
        (core.clock_ns() - start_ns) / 1e9, resident, held))
    end
    if done >= commands / 10 then
      first = first or resident
      most, most_directory = math.max(most, resident), math.max(most_directory, held)
    end
  end)
  record("rate", commands / ((core.clock_ns() - start_ns) / 1e9))
  record("first", first)
  record("most", most)
  record("directory", most_directory)
  assert(one:close())
end

return {
  name = "bounded",
  about = "one raft.node with files and its default options: commands that set one of 1,000 keys, 64-byte values",
  sizes = {
    quick = { commands = 2000 },
    full = { commands = 1000000 },
    long = { commands = 10000000 },
  },
  rows = {
    { key = "rate", what = "commands, 2,000 under way", unit = "1/s" },
    { key = "first", what = "resident size after a tenth of them", unit = "MiB" },
    { key = "most", what = "at most after that", unit = "MiB" },
    { key = "directory", what = "its directory, at most after that", unit = "MiB" },
  },
  run = function(size, record)
    clusters.with_directory(function(directory)
      measure(directory, size.commands, record)
    end)
  end,
}
