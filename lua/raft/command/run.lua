--- `raftbench run FILE...`: plain scripts, scenarios and specs.
-- @module raft.command.run

local common = require "raft.command.common"
local defaults = require "raft.defaults"
local files = require "raft.files"
local open = require "raft.open"
local quote = require "raft.quote"
local report = require "raft.report"
local scenario = require "raft.scenario"
local settings = require "raft.settings"

local run = {}

local OK, FAILED, USAGE, CANNOT_RUN = 0, 1, 2, 3

--- Adds this subcommand's options.
-- @param parser argparse's command
function run.describe(parser)
  parser:summary "Run scripts, scenarios and specs."
  parser:description("Run Lua files: plain scripts, scenarios (a file that returns a cluster's options with run = "
    .. "function(c)) and specs (a table of tests).")
  parser:epilog(common.exit_codes)
  parser:argument("FILE", "Lua files, run one after the other."):args("+"):argname("FILE")
    :target("files")
  common.describe(parser)
  parser:option("--set", "Set an option of a scenario; parameters.NAME=VALUE is raft.parameters.NAME in scripts and "
    .. "specs, too. " .. common.set_words):argname("NAME=VALUE"):count("*")
  parser:flag("--verbose", "Print each event as a readable line, to standard error.")
  parser:option("--history", "Where what clients saw is not linearizable, write their history to this file.")
    :argname("FILE")
  parser:option("--html", "Write a page for a browser, with the diagram of the run and its histories.")
    :argname("FILE")
  parser:flag("--shrink", "Make a run that fails in sim as small as it can be, tell what is left of it, and write it "
    .. "as a script, repro-NAME-SEED.lua.")
  parser:flag("--cause", "As --shrink, and tell event by event how likely the failure was.")
end

local function base_name(path)
  return (path:gsub("^.*/", ""):gsub("%.lua$", ""))
end

local function replay_hint(path, arguments)
  local words = common.again(arguments)
  local function add(...)
    for _, word in ipairs { ... } do
      words[#words + 1] = word
    end
  end
  add("run", path, "--mode", defaults.get("mode") or "sim")
  add("--seed", string.format("%.0f", defaults.get("seed") or 1))
  for _, text in ipairs(arguments.set or {}) do
    add("--set", text)
  end
  return quote.command(words)
end

-- Runs a file once more, whatever it is: what came of it, as raft.failure has it; nil: nothing.
local function fail_again(path, arguments, events_most)
  local failures = require "raft.failure"
  local seed = defaults.get("seed") or 1
  local outcome = require("raft.fuzz.one").run {
    file = path, seed = seed, settings = arguments.settings, replay = defaults.get "replay",
    events_most = events_most,
  }
  if outcome then
    return outcome.failure
  end
  local protected = report.protect(assert(loadfile(path)), path) -- a plain script
  open.close_all(protected.error)
  return not protected.fine and failures.of(protected.error, protected.text) or nil
end

local function shrink_failure(path, arguments, is_scenario)
  if (defaults.get("mode") or "sim") ~= "sim" then
    report.problem "--shrink needs the simulated world: what happens in real time cannot be done again"
    return
  end
  require("raft.shrink.story").tell {
    path = ("repro-%s-%.0f.lua"):format(base_name(path), defaults.get("seed") or 1),
    run = function(events_most) return fail_again(path, arguments, events_most) end, is_scenario = is_scenario,
    curve = arguments.cause, command = quote.command(common.again(arguments)),
    again = is_scenario and { file = path, seed = defaults.get("seed") or 1, set = arguments.set or {} } or nil,
  }
end

-- The history that was judged, in files.
local function keep_history(broken, arguments)
  if arguments.history then
    local file, problem = broken.history:write(arguments.history)
    report.problem(file and "written: " .. file or problem)
  end
  if not arguments.html then
    io.stderr:write "  a picture of it: the same with --html FILE\n"
  end
end

local function tell_failure(outcome, path, arguments, is_scenario)
  local leftover = open.close_all(outcome.error)
  report.problem(report.without_replay(outcome.text, replay_hint(path, arguments)))
  if leftover then
    report.problem("and shutting down: " .. leftover)
  end
  if outcome.missing then
    return CANNOT_RUN
  end
  io.stderr:write("  again: ", replay_hint(path, arguments), "\n")
  if type(outcome.error) == "table" and outcome.error.explanation then
    keep_history(outcome.error, arguments)
  end
  if arguments.shrink or arguments.cause then
    shrink_failure(path, arguments, is_scenario)
  end
  return FAILED
end

local function run_scenario(path, definition, arguments)
  local raft = require "raft"
  local problem = settings.problem(definition, arguments.settings)
  if problem then
    report.problem(path .. ": " .. problem)
    return USAGE
  end
  local options = settings.apply(definition, arguments.settings)
  local made = false
  local function make(given)
    local c, why = raft.cluster(given)
    made = true
    return c, why
  end
  local outcome = report.protect(function()
    local summary, why = scenario.run(options, make, base_name(path))
    return { summary = summary, problem = why }
  end)
  if not made and not outcome.interrupted then
    report.problem(path .. ": " .. outcome.text) -- its options are wrong, or what --set made of them
    return #arguments.settings > 0 and USAGE or CANNOT_RUN
  elseif outcome.fine and not outcome.value.summary then
    report.problem(path .. ": " .. tostring(outcome.value.problem))
    return CANNOT_RUN
  elseif not outcome.fine then
    if outcome.interrupted then
      error(outcome.error, 0)
    end
    return tell_failure(outcome, path, arguments, true)
  end
  local summary = outcome.value.summary
  local hash = summary.hash and ", trace " .. summary.hash or ""
  print(string.format("%s: passed (%.3f s%s)", path, summary.time, hash))
  return OK
end

local function run_spec(path, arguments)
  local test = require "raft.command.test"
  return test.run {
    files = { path }, mode = arguments.mode, seed = arguments.seed, jobs = 1, seeds = 1, output = "text",
    restart = arguments.restart, keep_trace = true, set = arguments.set,
    shrink = arguments.shrink or arguments.cause,
  }
end

-- What a spec or a plain script finds in raft.parameters.
local function set_parameters(arguments)
  local found, raft = pcall(require, "raft")
  if found then
    raft.parameters = settings.apply({}, arguments.settings).parameters or {}
  end
end

-- Whether something else than parameters is set.
local function has_options(arguments)
  for _, setting in ipairs(arguments.settings) do
    if setting.path[1] ~= "parameters" then
      return true
    end
  end
  return false
end

-- What violations and a death of this process name.
local function tell_replay(command)
  defaults.set("replay", command)
  local found, core = pcall(require, "raft.core")
  if found then
    core.tell_signals()
    core.set_replay(command)
  end
end

local function run_file(path, arguments)
  local spec = require "raft.test.spec"
  local chunk, problem = loadfile(path)
  if not chunk then
    report.problem((problem:gsub("^cannot open (.*)$", "cannot read %1")))
    return CANNOT_RUN
  end
  tell_replay(replay_hint(path, arguments))
  math.randomseed(defaults.get "seed" or 1) -- what a script draws there is the seed's, too
  set_parameters(arguments)
  local kept = arg
  arg = { [0] = path }
  local before, clusters = spec.global_names(), open.count()
  local outcome = report.protect(chunk, path)
  arg = kept
  if not outcome.fine then
    if outcome.interrupted then
      open.close_all("interrupted")
      error(outcome.error, 0)
    end
    return tell_failure(outcome, path, arguments)
  elseif scenario.is(outcome.value) then
    return run_scenario(path, outcome.value, arguments)
  elseif #spec.collect(outcome.value, before, path) > 0 then
    open.close_all()
    return run_spec(path, arguments)
  end
  local kind = type(outcome.value)
  if (kind == "table" or kind == "function") and open.count() == clusters then
    report.problem(("%s: nothing ran: it returns a %s%s"):format(path, kind, kind == "table"
      and " that is no scenario (there is no function `run` in it) and has no tests" or ""))
    return CANNOT_RUN
  end
  if has_options(arguments) then
    report.problem(path .. " is not a scenario: --set had no effect")
  end
  local leftover = open.close_all()
  if leftover then
    report.problem(path .. ": " .. leftover)
    return FAILED
  end
  return OK
end

local function run_files(arguments)
  local code = OK
  for _, path in ipairs(arguments.files) do
    code = math.max(code, run_file(path, arguments))
  end
  return code
end

-- ---- the page of what ran -----------------------------------------------------------------------------------

-- From the trace's file, with the histories of the clusters that were closed.
local function write_page(arguments, closed)
  local core = require "raft.core"
  local trace, problem = require("raft.view.source").open(arguments.trace, core.json_decode, report.problem)
  if not trace then
    return nil, problem
  end
  local histories = {}
  for _, cluster in ipairs(closed) do
    for _, one in ipairs(require("raft.view.histories").of_cluster(cluster, cluster.run_number)) do
      histories[#histories + 1] = one
    end
  end
  local count
  count, problem = require("raft.view.forms").to_file("html", function() return trace:events() end,
    { name = base_name(arguments.files[1]), histories = histories }, arguments.html)
  trace:close()
  if count == 0 then
    return nil, "no cluster ran: there is nothing to draw"
  end
  return count, problem
end

-- Runs the files, and then writes the page, whatever came of it. Without --trace the trace is in a temporary file.
local function run_with_page(arguments)
  local fine, problem = files.check(arguments.html)
  if not fine then
    return nil, problem
  end
  local temporary = not arguments.trace and os.tmpname() or nil
  arguments.trace = arguments.trace or temporary
  fine, problem = common.apply(arguments)
  if not fine then
    return nil, problem
  end
  local closed = {}
  open.on_closing(function(cluster)
    if cluster.run_number and #require("raft.workload").of(cluster) > 0 then
      closed[#closed + 1] = cluster
    end
  end)
  local outcome = report.protect(common.interruptible, run_files, arguments)
  open.on_closing(nil)
  local count, why = write_page(arguments, closed)
  if temporary then
    os.remove(temporary)
  end
  report.problem(count and "written: " .. arguments.html or why)
  if not outcome.fine then
    error(outcome.error, 0)
  end
  return count and outcome.value or math.max(outcome.value, CANNOT_RUN)
end

--- Runs the files one after the other.
-- @tparam table arguments parsed
-- @treturn integer the exit code: the worst of all files'
function run.run(arguments)
  local fine, problem
  arguments.settings, problem = settings.parse_all(arguments.set or {})
  if not arguments.settings then
    report.problem(problem)
    return USAGE
  end
  if arguments.html then
    local code
    code, problem = run_with_page(arguments)
    if not code then
      report.problem(problem)
    end
    return code or CANNOT_RUN
  end
  fine, problem = common.apply(arguments)
  if not fine then
    report.problem(problem)
    return CANNOT_RUN
  end
  return common.interruptible(run_files, arguments)
end

return run
