--- Fuzz runs on one core: five nodes, 200 operations a virtual second, a swarm of faults and all checks, as a worker of
-- `raftbench fuzz` runs them. Runs differ much in what their seed draws: each seed is timed by itself, by the time of
-- the processor, which other programs disturb less than the wall clock.
-- @module raft.bench.fuzz

local core = require "raft.core"
local fuzz = require "raft.fuzz"
local one = require "raft.fuzz.one"
local statistics = require "raft.bench.statistics"
local workers = require "raft.workers"

local TIMEOUT = 600 -- seconds; a measurement that takes longer has gone wrong

local function busy(seconds)
  return {
    name = "bench", nodes = 5,
    run = function(c)
      c:workload { kind = "register", clients = 10, rate = 200, keys = 5 }
      c:nemesis { swarm = true }
      c:sleep(seconds)
    end,
  }
end

local empty = { name = "bench", nodes = 5, run = function() end }

-- In a worker: how fast each seed was, and all events a second.
local function run_seeds(size)
  local speeds, events, took = {}, 0, 0
  for seed = 1, size.seeds do
    local start = os.clock()
    local outcome = assert(one.run { file = busy(size.time), seed = seed, situations = true })
    local length = os.clock() - start
    assert(outcome.fine, outcome.failure and outcome.failure.text)
    speeds[seed] = outcome.time / length
    events, took = events + outcome.stats.events, took + length
  end
  return { speeds = speeds, events = events / took }
end

local function measure_runs(size, record)
  local answer = workers.call(function() return run_seeds(size) end, TIMEOUT)
  local measured = answer.value or error(("a worker %s: %s"):format(answer.died or "hangs", answer.text), 0)
  record("median", statistics.median(measured.speeds))
  record("slowest", statistics.quantile(measured.speeds, 0))
  record("fastest", statistics.quantile(measured.speeds, 1))
  record("events", measured.events)
end

local function measure_empty(size, record)
  local start_ns = core.clock_ns()
  assert(fuzz.run { scenario = empty, seeds = size.empty, jobs = 1 })
  record("seed", (core.clock_ns() - start_ns) / 1e6 / size.empty)
end

return {
  name = "fuzz",
  about = "fuzz runs on one core: 5 nodes, 200 operations a virtual second, a swarm of faults, all checks",
  sizes = {
    quick = { seeds = 2, time = 1, empty = 2 },
    full = { seeds = 12, time = 60, empty = 500 },
    long = { seeds = 100, time = 60, empty = 5000 },
  },
  rows = {
    { key = "median", what = "the seed in the middle", unit = "virtual s/s" },
    { key = "slowest", what = "the slowest seed", unit = "virtual s/s" },
    { key = "fastest", what = "the fastest seed", unit = "virtual s/s" },
    { key = "events", what = "deliveries and wake-ups, all seeds", unit = "events/s" },
    { key = "seed", what = "a worker's new seed with nothing to do but an election and the checks", unit = "ms" },
  },
  run = function(size, record)
    measure_runs(size, record)
    measure_empty(size, record)
  end,
}
