-- Measurements: that each can be taken, at a tiny size, and what its result looks like. Never how fast anything is.
local lu = require "luaunit"
local bench = require "raft.bench"
local report = require "raft.bench.report"
local statistics = require "raft.bench.statistics"
local core = require("raft").core

local tests = {}

local names = { "core", "codec", "commit-latency", "commit-throughput", "durable", "snapshot", "bounded", "election",
  "simulation", "fuzz", "hostile", "linear", "memory" }

-- What must have been measured under each name at the small size.
local wanted = {
  core = { "single", "batched", "single_warm", "batched_warm" },
  codec = { "encode_1", "decode_1", "encode_64", "decode_64" },
  ["commit-latency"] = { "p50", "p99", "ratio" },
  ["commit-throughput"] = { "64_on", "64_off", "1024_on", "1024_off" },
  durable = { "p50", "p99", "sync", "ratio", "clients", "group", "restart" },
  snapshot = { "state", "take", "seconds", "own", "growth", "commits", "stall" },
  bounded = { "rate", "first", "most", "directory" },
  election = { "p50", "worst" },
  simulation = { "3_idle_events", "3_idle_seconds", "3_busy_events", "3_busy_seconds", "3_busy_commands",
    "5_idle_events", "5_idle_seconds", "5_busy_events", "5_busy_seconds", "5_busy_commands" },
  fuzz = { "median", "slowest", "fastest", "events", "seed" },
  linear = { "unique", "five", "five_unknown", "stale", "cas", "kv", "strings", "one_map", "queue", "general", "read",
    "whole" },
  hostile = { "quiet", "quiet_after", "strangers", "strangers_after", "nonsense", "nonsense_after", "others",
    "others_after", "forged", "forged_after", "never_reads", "never_reads_after", "garbage", "garbage_after", "slow",
    "slow_after" },
  memory = { "entry" },
}

local function check_row(row, repetitions)
  lu.assertIsString(row.what)
  lu.assertIsString(row.unit)
  lu.assertEquals(#row.samples, repetitions)
  for _, sample in ipairs(row.samples) do
    lu.assertIsNumber(sample)
    lu.assertTrue(sample == sample and math.abs(sample) < math.huge)
  end
  lu.assertTrue(row.low <= row.median and row.median <= row.high)
end

for _, name in ipairs(names) do
  tests["test_" .. name:gsub("-", "_")] = function()
    local result = bench.take(bench.find(name), { size = "quick", repetitions = 2 })
    lu.assertEquals(result.name, name)
    lu.assertEquals(result.repetitions, 2)
    local keys = {}
    for position, row in ipairs(result.rows) do
      keys[position] = row.key
      check_row(row, 2)
      if row.key ~= "entry" and row.key ~= "growth" and row.key ~= "stall" and name ~= "hostile" then
        lu.assertTrue(row.low > 0, row.what)
      end
    end
    local expected = { (table.unpack or unpack)(wanted[name]) } -- luacheck: ignore
    expected[#expected + 1] = "echo"
    lu.assertEquals(keys, expected)
  end
end

function tests.test_ThereAreTheseMeasurementsAndNoOthers()
  local all = {}
  for position, measurement in ipairs(bench.all) do
    all[position] = measurement.name
  end
  lu.assertEquals(all, names)
  lu.assertNil(bench.find("nothing"))
end

function tests.test_MedianAndSpread()
  lu.assertEquals(statistics.median { 3, 1, 2 }, 2)
  lu.assertEquals(statistics.median { 4, 1, 2, 3 }, 2.5)
  lu.assertEquals(statistics.median { 7 }, 7)
  local hundred = {}
  for i = 1, 100 do
    hundred[i] = 101 - i
  end
  lu.assertEquals(statistics.quantile(hundred, 0.5), 50)
  lu.assertEquals(statistics.quantile(hundred, 0.99), 99)
  lu.assertEquals(statistics.quantile(hundred, 1), 100)
  lu.assertEquals(statistics.quantile({ 5 }, 0.01), 5)
  lu.assertEquals(statistics.summary { 3, 1, 2 }, { median = 2, low = 1, high = 3, samples = { 3, 1, 2 } })
end

local function made_up()
  local row = statistics.summary { 1500000, 20.25, 12345 }
  row.key, row.what, row.unit = "speed", "how fast", "things/s"
  return { name = "made-up", about = "a test", size = "quick", repetitions = 3, rows = { row } }
end

function tests.test_ATableOfIt()
  local text = report.table(made_up())
  lu.assertStrContains(text, "made-up: a test")
  lu.assertStrMatches(text:match("how fast[^\n]*"), "how fast +12%.3 k +20%.[23] +1%.50 M +things/s")
  lu.assertStrContains(text, "(3 repetitions)")
end

function tests.test_JsonOfIt()
  local text = report.json({ cpu = "a cpu", cores = 2, load = 0.5 }, { made_up() })
  local read = core.json_decode(text)
  lu.assertEquals(read.machine, { cpu = "a cpu", cores = 2, load = 0.5 })
  lu.assertEquals(read.version, core.version)
  lu.assertEquals(read.measurements[1].name, "made-up")
  lu.assertEquals(read.measurements[1].rows[1].median, 12345)
  lu.assertEquals(read.measurements[1].rows[1].samples, { 1500000, 20.25, 12345 })
end

function tests.test_WrongArgumentsOfTheCoreAreNamed()
  for _, arguments in ipairs { { 0, 1, 1, 1 }, { 1, 65, 65, 1 }, { 1, 2, 1, 1 }, { 1, 1, 1, 0 } } do
    lu.assertFalse(pcall(core.bench.core, (table.unpack or unpack)(arguments))) -- luacheck: ignore
  end
  lu.assertFalse(pcall(core.bench.echo, 0, 64))
  lu.assertFalse(pcall(core.bench.codec, 1, 0, 64))
end

return tests
