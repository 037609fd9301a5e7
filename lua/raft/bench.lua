--- Measurements: which there are, and taking them. Each is repeated, and beside each a bare libuv echo over loopback
-- TCP is timed in the same run: on a shared machine only figures of one run compare.
--
-- It judges no figure; what they should be is written elsewhere.
-- @module raft.bench

local core = require "raft.core"
local statistics = require "raft.bench.statistics"

local bench = {}

local ECHO_ROUNDS, ECHO_BYTES = 2000, 64

local echo_row = { key = "echo", what = "(bare libuv TCP echo, 64 B, round trip)", unit = "us" }

--- The measurements in the order in which they are taken.
bench.all = {
  require "raft.bench.core",
  require "raft.bench.codec",
  require "raft.bench.latency",
  require "raft.bench.throughput",
  require "raft.bench.durable",
  require "raft.bench.snapshot",
  require "raft.bench.bounded",
  require "raft.bench.election",
  require "raft.bench.simulation",
  require "raft.bench.fuzz",
  require "raft.bench.hostile",
  require "raft.bench.linear",
  (require "raft.bench.memory"), -- one value, not what else require gives
}

--- The measurement of a name.
-- @tparam string name
-- @treturn ?table
function bench.find(name)
  for _, measurement in ipairs(bench.all) do
    if measurement.name == name then
      return measurement
    end
  end
  return nil
end

local function echo_us(rounds)
  return statistics.quantile(assert(core.bench.echo(rounds, ECHO_BYTES)), 0.5) / 1e3
end

-- The rows that this size has, with what was recorded for them.
local function summarise(measurement, samples)
  local rows = {}
  local function add(row)
    if samples[row.key] then
      local summary = statistics.summary(samples[row.key])
      summary.key, summary.what, summary.unit = row.key, row.what, row.unit
      rows[#rows + 1] = summary
    end
  end
  for _, row in ipairs(measurement.rows) do
    add(row)
  end
  add(echo_row)
  return rows
end

--- Takes one measurement.
-- @tparam table measurement
-- @tparam table options `size` "quick", "full" or "long"; `repetitions`; `apart`: function(name, record) that has a
-- repetition done by another process
-- @treturn table {name, about, size, repetitions, rows = list of {key, what, unit, median, low, high, samples}}
function bench.take(measurement, options)
  local size = measurement.sizes[options.size] or measurement.sizes.full
  local samples, known = {}, { echo = true }
  for _, row in ipairs(measurement.rows) do
    known[row.key] = true
  end
  local function record(key, value)
    assert(known[key], key)
    samples[key] = samples[key] or {}
    table.insert(samples[key], value)
  end
  for repetition = 1, options.repetitions do
    local context = { apart = options.apart, repetition = repetition,
      echo_us = echo_us(options.size == "quick" and 50 or ECHO_ROUNDS) }
    record("echo", context.echo_us)
    measurement.run(size, record, context)
    collectgarbage()
  end
  return { name = measurement.name, about = measurement.about, size = options.size,
    repetitions = options.repetitions, rows = summarise(measurement, samples) }
end

return bench
