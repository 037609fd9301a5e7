--- `raftbench test [FILE...]`: LuaUnit specs, under one seed or many, in this process or in several.
-- @module raft.command.test

local common = require "raft.command.common"
local children = require "raft.test.children"
local defaults = require "raft.defaults"
local groups = require "raft.test.groups"
local jobs = require "raft.test.jobs"
local kept = require "raft.test.kept"
local order = require "raft.test.order"
local records = require "raft.test.records"
local quote = require "raft.quote"
local report = require "raft.report"
local runner = require "raft.test.runner"
local settings = require "raft.settings"
local spec = require "raft.test.spec"
local terminal = require "raft.view.terminal"

local test = {}

local OK, FAILED, USAGE, CANNOT_RUN = 0, 1, 2, 3
local STRETCH_MOST = 100 -- seeds in one child process
local STRETCH_LEAST, PARTS = 10, 10 -- of many seeds in this process: so often it tells how far it is
local KEEP = "failed" -- the folder where what is kept of failed tests goes

local reporters = { text = "raft.test.text", tap = "raft.test.tap", junit = "raft.test.junit" }

--- Adds this subcommand's options.
-- @param parser argparse's command
function test.describe(parser)
  parser:summary "Run tests."
  parser:description("Run tests: Lua files that return a table of functions test_NAME, as LuaUnit has them. The trace "
    .. "and a page of each kind of failure are kept in failed/.")
  parser:epilog(common.exit_codes)
  parser:argument("FILE", "Files and folders, of which *_spec.lua are taken. (default: spec)"):args("*")
    :argname("FILE"):target("files")
  common.describe(parser)
  parser:option("--seeds", "Run each test under so many seeds, from --seed on."):argname("N")
    :convert(common.positive):default("1")
  parser:option("--shuffle", "Run the tests in another order, which this seed draws."):argname("SEED")
    :convert(common.natural)
  parser:option("--jobs", "How many processes run tests at a time; above 1 each file has one of its own."):argname("N")
    :convert(common.positive):default("1")
  parser:option("--pattern", "Only tests whose name, FILE.test_NAME, matches this Lua pattern; !P: those that do not.")
    :argname("P"):count("*")
  parser:option("--output", "The form of the results: text, tap or junit (XML). (default: by the ending of -o FILE, "
    .. ".tap or .xml, else text)"):argname("FORM")
    :choices({ "text", "tap", "junit" })
  parser:option("-o --report", "Write the results in that form to this file, and readable ones to standard output.")
    :argname("FILE")
  parser:option("--keep", "The folder for the traces and pages of failed tests; the next run removes them.")
    :argname("DIR"):default(KEEP)
  parser:option("--set", "Set raft.parameters.NAME for the tests. VALUE is in Lua's notation.")
    :argname("parameters.NAME=VALUE"):count("*")
  parser:flag("--shrink", "Make the first failure in sim as small as it can be, and write it as a script, "
    .. "repro-NAME-SEED.lua.")
  parser:option("--records", "Write records there (for a parent process)."):hidden(true)
  parser:flag("--trace-at-once", "Write each event at once (for a parent process)."):hidden(true)
end

-- The form that the ending of a file's name tells.
local function form_of(path)
  local ending = path and path:match "[^/.]%.(%w+)$"
  return ending == "xml" and "junit" or ending == "tap" and "tap" or "text"
end

local function readable(path)
  local file, problem = io.open(path, "r")
  if not file then
    return nil, problem
  end
  local _, read_problem = file:read(0)
  file:close()
  return read_problem == nil, read_problem
end

-- All spec files: folders are opened.
local function expand(paths)
  local files = {}
  for _, path in ipairs(#paths > 0 and paths or { "spec" }) do
    local fine, problem = readable(path)
    if fine then
      files[#files + 1] = path
    else
      local inside = spec.files(path, quote.word)
      if #inside == 0 then
        local is_folder = problem and problem:find("Is a directory", 1, true)
        if #paths == 0 and not is_folder then
          return nil, "there is no folder spec here: name the files with tests (raftbench test FILE)"
        end
        return nil, is_folder and path .. ": there is no spec in it" or problem
      end
      for _, name in ipairs(inside) do
        files[#files + 1] = name
      end
    end
  end
  return files
end

local function check_patterns(patterns)
  for _, pattern in ipairs(patterns or {}) do
    local fine, problem = pcall(order.matches, "name", { pattern })
    if not fine then
      return nil, "--pattern '" .. pattern .. "': " .. tostring(problem):gsub("^[^\n]-:%d+: ", "")
    end
  end
  return true
end

-- One job for each file and stretch of seeds; as many stretches as keep all processes busy, and tell soon enough how
-- far it is.
local function make_jobs(files, arguments)
  local first = arguments.seed or defaults.get("seed") or 1
  local stretch = math.max(STRETCH_LEAST, math.ceil(arguments.seeds / PARTS))
  if arguments.jobs > 1 then
    stretch = math.min(STRETCH_MOST, math.max(1, math.ceil(arguments.seeds / (2 * arguments.jobs))))
  end
  local list, last = {}, first + arguments.seeds - 1
  for _, file in ipairs(files) do
    for seed = first, last, stretch do
      list[#list + 1] = { file = file, seed = seed, seeds = math.min(stretch, last - seed + 1) }
    end
  end
  return list
end

local function replay_command(arguments)
  return function(record)
    local words = common.again(arguments)
    for _, word in ipairs { "test", record.file, "--mode", defaults.get("mode") or "sim", "--seed",
      string.format("%.0f", record.seed) } do
      words[#words + 1] = word
    end
    for _, text in ipairs(arguments.set or {}) do
      words[#words + 1], words[#words + 2] = "--set", text
    end
    if not record.loading and record.name ~= "(process)" then
      words[#words + 1] = "--pattern"
      words[#words + 1] = order.exactly(record.name)
    end
    return quote.command(words)
  end
end

-- Each child has written a trace of its own; in the jobs' order they become one.
local function join_traces(path, count)
  local whole = assert(io.open(path, "wb"))
  for number = 1, count do
    local part = io.open(path .. "." .. number, "rb")
    if part then
      repeat
        local block = part:read(65536)
        if block then
          assert(whole:write(block))
        end
      until not block
      part:close()
      os.remove(path .. "." .. number)
    end
  end
  whole:close()
end

-- Runs a job here; sink as for jobs.run, with `begin` and `kept` besides.
local function run_here(job, arguments, core, sink)
  for seed = job.seed, job.seed + job.seeds - 1 do
    local went_on = runner.run_file({
      file = job.file, seed = seed, patterns = arguments.pattern, shuffle = arguments.shuffle,
      clock_ns = core.clock_ns, set_replay = core.set_replay, take_interrupt = core.take_interrupt,
      replay = replay_command(arguments), kept = sink.kept,
    }, { begin = sink.begin, finish = sink.record })
    if not went_on then
      return false
    end
  end
  sink.job(job)
  return true
end

local function run_jobs_here(list, arguments, core, sink)
  for _, job in ipairs(list) do
    if not run_here(job, arguments, core, sink) then
      return false
    end
  end
  return true
end

local function run_all_here(list, arguments, core, sink)
  return common.interruptible(run_jobs_here, list, arguments, core, sink)
end

-- How much a child has printed: its standard output and error are one file. A test may have closed either.
local function printed_bytes()
  pcall(io.stdout.flush, io.stdout)
  for _, stream in ipairs { io.stderr, io.stdout } do
    local fine, at = pcall(stream.seek, stream, "end")
    if fine and at then
      return at
    end
  end
  return nil
end

-- The child's side: records into a file, nothing printed.
local function run_as_child(list, arguments, core)
  local file, problem = io.open(arguments.records, "w")
  if not file then
    report.problem(problem)
    return CANNOT_RUN
  end
  file:setvbuf("line")
  local code = OK
  local ended = run_all_here(list, arguments, core, {
    begin = function(record)
      file:write(records.encode("begin", record), "\n")
    end,
    record = function(record)
      code = record.status == "failed" and FAILED or code
      record.at = printed_bytes()
      file:write(records.encode("finish", record), "\n")
    end,
    job = function() end,
    kept = arguments.keep and kept.new(arguments.keep, report.problem) or nil,
  })
  file:write(records.encode(ended and "done" or "interrupted", {}), "\n")
  file:close()
  return ended and code or CANNOT_RUN
end

-- A reporter that writes to a file; the first write that fails is kept in `output.problem`.
local function make_reporter(form, output, list, arguments, failures)
  local file = output.file
  return require(reporters[form]).new {
    write = function(words)
      local fine, problem = file:write(words)
      if fine then
        fine, problem = file:flush()
      end
      output.problem = output.problem or not fine and tostring(problem) or nil
    end,
    write_error = function(words)
      if file == io.stdout then
        io.stderr:write(words)
      end
    end,
    many = arguments.seeds > 1, jobs = #list, groups = failures,
    terminal = form == "text" and file == io.stdout and terminal.is_terminal(1), replay = replay_command(arguments),
  }
end

-- Who is told of the results: one on standard output, and one that writes to the file of -o. nil and a message where
-- that cannot be written. `outputs` are what they write to.
local function make_reporters(list, arguments, failures)
  local out = { file = io.stdout, name = "standard output" }
  if not arguments.report then
    return { make_reporter(arguments.output, out, list, arguments, failures), outputs = { out } }
  end
  local file, problem = io.open(arguments.report, "w")
  if not file then
    return nil, problem
  end
  local into = { file = file, name = arguments.report }
  return {
    make_reporter("text", out, list, arguments, failures),
    make_reporter(arguments.output, into, list, arguments, failures),
    outputs = { out, into },
  }
end

-- What could not be written, where something could not.
local function close_outputs(all)
  for _, output in ipairs(all.outputs) do
    if output.file ~= io.stdout then
      local fine, problem = output.file:close()
      output.problem = output.problem or not fine and tostring(problem) or nil
    end
    if output.problem then
      return ("the results cannot be written to %s: %s"):format(output.name, output.problem)
    end
  end
  return nil
end

-- Runs one test once more: what came of it, as raft.failure has it; nil: it passed. `ended` is told so at once.
local function fail_again(record, arguments, core, ended)
  local protect = require "raft.test.protect"
  local failure
  runner.run_file({
    file = record.file, seed = record.seed, patterns = { order.exactly(record.name) }, clock_ns = core.clock_ns,
    set_replay = core.set_replay, take_interrupt = core.take_interrupt, replay = replay_command(arguments),
  }, {
    begin = function() end,
    finish = function(again)
      failure = again.status == "failed" and require("raft.failure").of(protect.latest, again.message) or nil
      if ended then
        ended(failure)
      end
    end,
  })
  return failure
end

local function shrink_first(failed, arguments, core)
  if (defaults.get "mode" or "sim") ~= "sim" then
    report.problem "--shrink needs the simulated world: what happens in real time cannot be done again"
    return
  end
  require("raft.shrink.story").tell {
    path = ("repro-%s-%.0f.lua"):format(failed.name:gsub("[^%w_-]", "-"), failed.seed),
    command = quote.command(common.again(arguments)),
    run = function(_, ended) return fail_again(failed, arguments, core, ended) end,
  }
end

-- Where each test's results and what it printed are kept apart, a test that ends the process ends not all.
local function needs_children(arguments)
  return arguments.jobs > 1 or arguments.report ~= nil or arguments.output ~= "text"
end

-- What is told of each test and job: the sums, the first that failed, the kinds of failures, the reporters.
local function make_sink(all, keeper, failures, arguments, list)
  local place = {}
  for position, job in ipairs(list) do
    place[job.file] = place[job.file] or position
  end
  -- Of jobs that run at a time any may end first.
  local function is_before(record, other)
    local here, there = place[record.file], place[other.file]
    return here < there or here == there and record.seed < other.seed
  end
  local sink = { sums = { passed = 0, failed = 0, skipped = 0 }, kept = keeper, begin = function() end }
  function sink.record(record)
    sink.sums[record.status] = sink.sums[record.status] + 1
    if record.status == "failed" then
      sink.failed = sink.failed and not is_before(record, sink.failed) and sink.failed or record
      failures:add(record)
      if keeper and record.died then
        keeper:keep_dead(record, children.again(record, arguments))
      end
      if keeper then
        keeper:settle(record)
      end
    end
    for _, reporter in ipairs(all) do
      reporter:record(record)
    end
  end
  function sink.job(job)
    for _, reporter in ipairs(all) do
      reporter:job(job)
    end
  end
  return sink
end

local function run_list(list, arguments, core, sink)
  if not needs_children(arguments) then
    return run_all_here(list, arguments, core, sink)
  end
  local ended = common.interruptible(jobs.run, list, arguments.jobs, children.command_line(arguments), sink,
    core.take_interrupt)
  if arguments.trace then
    join_traces(arguments.trace, #list)
  end
  return ended
end

local function run_as_parent(list, arguments, core)
  local failures = groups.new()
  local all, problem = make_reporters(list, arguments, failures)
  if not all then
    report.problem(problem)
    return CANNOT_RUN
  end
  local keeper
  if arguments.keep then
    kept.clear(arguments.keep)
    keeper = kept.new(arguments.keep, report.problem)
  end
  local sink, started_ns = make_sink(all, keeper, failures, arguments, list), core.clock_ns()
  local ended = run_list(list, arguments, core, sink)
  local sums = sink.sums
  local count = sums.passed + sums.failed + sums.skipped
  if not ended then
    report.problem("interrupted")
  elseif count == 0 then
    report.problem("no test matches")
  end
  for _, reporter in ipairs(all) do
    reporter:finish(sums, core.clock_ns() - started_ns)
  end
  problem = close_outputs(all)
  if problem then
    report.problem(problem)
  end
  if problem or not ended or count == 0 then
    return CANNOT_RUN
  end
  if sink.failed and arguments.shrink then
    shrink_first(sink.failed, arguments, core)
  end
  return sums.failed > 0 and FAILED or OK
end

local function load_core()
  local found, core = pcall(require, "raft.core")
  if not found then
    return nil, report.missing_module(core) or tostring(core)
  elseif not pcall(require, "luaunit") then
    return nil, "the Lua module luaunit is missing (Debian: apt install lua-unit)"
  end
  core.tell_signals()
  return core
end

--- Runs specs.
-- @tparam table arguments parsed
-- @treturn integer the exit code
function test.run(arguments)
  arguments.output = arguments.output or form_of(arguments.report)
  local fine, pattern_problem = check_patterns(arguments.pattern)
  if not fine then
    report.problem(pattern_problem)
    return USAGE
  end
  local parameters, parameters_problem = settings.parameters(arguments.set)
  if not parameters then
    report.problem(parameters_problem)
    return USAGE
  end
  local files, problem = expand(arguments.files)
  local core, core_problem = load_core()
  local applied, trace_problem = true, nil
  if not arguments.keep_trace then
    applied, trace_problem = common.apply(arguments)
  end
  problem = problem or core_problem or trace_problem
  if not files or not core or not applied then
    report.problem(problem)
    return CANNOT_RUN
  end
  require("raft").parameters = parameters
  defaults.set("trace_at_once", arguments.trace_at_once)
  local list = make_jobs(files, arguments)
  if arguments.shuffle then
    order.shuffle(list, arguments.shuffle)
  end
  if arguments.records then
    return run_as_child(list, arguments, core)
  end
  return run_as_parent(list, arguments, core)
end

return test
