--- `raftbench bench [NAME...]`: measurements.
-- @module raft.command.bench

local common = require "raft.command.common"
local quote = require "raft.quote"
local report = require "raft.report"

local command = {}

local OK, USAGE, CANNOT_RUN = 0, 2, 3
local REPETITIONS = 5

--- Adds this subcommand's options.
-- @param parser argparse's command
function command.describe(parser)
  parser:description "Measure the core, the codec, clusters over TCP and the simulated world."
  parser:argument("NAME",
    "core, codec, commit-latency, commit-throughput, durable, snapshot, bounded, election, simulation, fuzz, hostile, "
    .. "linear, memory; all of them by default.")
    :argname("NAME"):args("*"):target("names")
  parser:flag("--json", "Print JSON, every sample included.")
  parser:option("--repeat", "How often to take each (5)."):argname("N"):convert(common.positive):target("repetitions")
  parser:mutex(
    parser:flag("--quick", "Small sizes, to check that it works; the figures mean nothing."),
    parser:flag("--long", "Also logs of five million entries."))
  parser:flag("--here", "Measure memory in this process, which must have just started.")
end

local function size_of(arguments)
  return arguments.quick and "quick" or arguments.long and "long" or "full"
end

local function chosen(bench, names)
  if #names == 0 then
    return bench.all
  end
  local list = {}
  for position, name in ipairs(names) do
    list[position] = bench.find(name)
    if not list[position] then
      return nil, name
    end
  end
  return list
end

-- Has one repetition done by a process that does nothing else, and records what it measured.
local function in_another_process(arguments)
  local core = require "raft.core"
  return function(name, record)
    local words = {}
    for position, word in ipairs(arguments.restart) do
      words[position] = word
    end
    for _, word in ipairs { "bench", name, "--json", "--here", "--repeat", "1" } do
      words[#words + 1] = word
    end
    if size_of(arguments) ~= "full" then
      words[#words + 1] = "--" .. size_of(arguments)
    end
    local pipe = assert(io.popen(quote.command(words), "r"))
    local answer = core.json_decode(pipe:read("*a"))
    pipe:close()
    if type(answer) ~= "table" then
      error("the measuring process " .. name .. " failed", 0)
    end
    for _, row in ipairs(answer.measurements[1].rows) do
      if row.key ~= "echo" then
        record(row.key, row.median)
      end
    end
  end
end

--- Measures.
-- @tparam table arguments parsed
-- @treturn integer the exit code
function command.run(arguments)
  local bench, core = require "raft.bench", require "raft.core"
  local list, unknown = chosen(bench, arguments.names)
  if not list then
    report.problem("there is no measurement '" .. unknown .. "'\n(see raftbench bench --help)")
    return USAGE
  end
  local show, about = require "raft.bench.report", require("raft.bench.machine").describe()
  local options = { size = size_of(arguments), repetitions = arguments.repetitions or REPETITIONS }
  if not arguments.here then
    options.apart = in_another_process(arguments)
  end
  core.catch_signals()
  if not arguments.json then
    print(show.machine(about))
  end
  local results = {}
  for position, measurement in ipairs(list) do
    results[position] = bench.take(measurement, options)
    if not arguments.json then
      print("\n" .. show.table(results[position]))
      io.stdout:flush()
    end
  end
  if arguments.json then
    print(show.json(about, results))
  end
  return io.stdout:flush() and OK or CANNOT_RUN
end

return command
