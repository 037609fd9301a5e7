--- `raftbench fuzz FILE`: a scenario under many seeds.
-- @module raft.command.fuzz

local common = require "raft.command.common"
local files = require "raft.files"
local one = require "raft.fuzz.one"
local quote = require "raft.quote"
local report = require "raft.report"
local results = require "raft.fuzz.results"
local settings = require "raft.settings"
local shards = require "raft.fuzz.shards"
local tally = require "raft.fuzz.tally"
local terminal = require "raft.view.terminal"
local words = require "raft.fuzz.words"

local fuzz = {}

local OK, FAILED, USAGE, CANNOT_RUN = 0, 1, 2, 3
local SEEDS_DEFAULT = { 1, 1000 }
local LINE_S, PLAIN_LINE_S = 0.25, 10 -- between two lines of progress: on a terminal, elsewhere

-- "A..B", or "N" for 1..N.
local function seeds_of(text)
  local first, last = text:match "^(%d+)%.%.(%d+)$"
  if not first then
    first, last = "1", text:match "^%d+$"
  end
  first, last = tonumber(first), tonumber(last)
  if not last or last < first or last >= 2 ^ 53 then
    return nil, "'" .. text .. "' is not A..B with A not above B, nor a number of seeds"
  end
  return { first, last }
end

--- Adds this subcommand's options.
-- @param parser argparse's command
function fuzz.describe(parser)
  parser:summary "Run a scenario under many seeds, and make what fails small."
  parser:description("Run a scenario (a Lua file that returns a cluster's options with run = function(c)) under many "
    .. "seeds in the simulated world. At a failure it stops, makes that run small, tells what is left of it, and "
    .. "writes it as a script, repro-NAME-SEED.lua. raftbench new NAME makes a scenario to begin from.")
  parser:epilog("Exit codes: 0 no failure and every goal (c:sometimes) reached, 1 a failure or a goal that no seed "
    .. "reached, 2 wrong usage, 3 it could not run or was interrupted.")
  parser:argument("FILE", "The scenario; with --merge, files that --json wrote."):args("*"):argname("FILE")
    :target("files")
  parser:option("--seeds", "Which seeds: from A to B, or a number, how many from 1 on. (default: 1000)"):argname("A..B")
    :convert(seeds_of)
  parser:option("--jobs", "How many worker processes. (default: one for each processor)"):argname("N")
    :convert(common.positive)
  parser:option("--time", "Stop after so many seconds of real time."):argname("S"):convert(common.seconds)
  parser:flag("--keep-going", "Run all seeds and collect failures, each told once. Without it the lowest seed that "
    .. "fails ends the campaign.")
  parser:flag("--no-shrink", "Do not make the failure small.")
  parser:option("--set", "Set an option of the scenario, which the seed would draw otherwise. " .. common.set_words)
    :argname("NAME=VALUE"):count("*")
  parser:option("--shard", "Run part I of N only, to share the seeds among machines; with N alone, which part it is is "
    .. "taken from Slurm, Kubernetes or GNU parallel.")
    :argname("I/N")
  parser:option("--json", "Append the results to this file, as a JSON line."):argname("FILE")
  parser:flag("--merge", "Run nothing; sum up files that --json wrote.")
  parser:option("--patience", "How many seconds of real time one run may take, before it is a failure. (default: 120)")
    :argname("S"):convert(common.seconds)
end

local function replay_of(path, arguments)
  return function(seed)
    local list = common.again(arguments)
    for _, word in ipairs { "run", path, "--mode", "sim", "--seed", ("%.0f"):format(seed) } do
      list[#list + 1] = word
    end
    for _, text in ipairs(arguments.set or {}) do
      list[#list + 1], list[#list + 2] = "--set", text
    end
    return quote.command(list)
  end
end

-- ---- while it runs ------------------------------------------------------------------------------

-- A line that is overwritten on a terminal, and now and then a new one elsewhere.
local function make_screen()
  local is_terminal = terminal.is_terminal(1)
  local screen = { shown = 0 }
  local width = is_terminal and terminal.width() - 1
  local every = is_terminal and LINE_S or PLAIN_LINE_S
  function screen.progress(campaign)
    if campaign.real_s - screen.shown >= every then
      screen.shown = campaign.real_s
      local line = words.line(campaign)
      io.stdout:write(is_terminal and "\r\27[K" .. line:sub(1, width) or line .. "\n")
      io.stdout:flush()
    end
  end
  function screen.clear()
    io.stdout:write(is_terminal and "\r\27[K" or "")
    io.stdout:flush()
  end
  function screen.print(text)
    screen.clear()
    io.stdout:write(text, "\n")
    io.stdout:flush()
  end
  return screen
end

-- ---- the end --------------------------------------------------------------------------------------

local function code_of(campaign)
  local _, missed = campaign.tally:goals_reached()
  if #campaign.tally.findings > 0 then
    return FAILED
  elseif campaign.interrupted then
    return CANNOT_RUN
  end
  return #missed > 0 and FAILED or OK
end

local function finish(campaign, arguments, replay, screen)
  screen.print(words.summary(campaign, replay))
  if arguments.json then
    local written, problem = results.write(arguments.json, campaign)
    if not written then
      report.problem(problem)
      return CANNOT_RUN
    end
  end
  return code_of(campaign)
end

local function shrink(campaign, arguments, replay)
  local finding = campaign.tally:sorted_findings()[1]
  if not finding or arguments.no_shrink or campaign.interrupted
    or finding.property == "not deterministic" then
    return
  end
  require("raft.shrink.story").tell {
    path = ("repro-%s-%.0f.lua"):format(campaign.title:gsub("^.*/", ""):gsub("%.lua$", ""), finding.seed),
    command = quote.command(common.again(arguments)), is_scenario = true,
    is_hang = finding.property == "hang",
    again = { file = campaign.title, seed = finding.seed, set = arguments.set or {} },
    run = function(events_most)
      local outcome = one.run { file = campaign.title, seed = finding.seed, replay = replay(finding.seed),
        settings = settings.parse_all(arguments.set), events_most = events_most }
      return outcome and outcome.failure
    end,
  }
end

local function merge(arguments)
  local campaign = { tally = tally.new(), problems = {} }
  for _, path in ipairs(arguments.files) do
    local fine, problem = results.read(path, campaign)
    if not fine then
      report.problem(problem)
      return CANNOT_RUN
    end
  end
  arguments.set = campaign.set
  return finish(campaign, arguments, replay_of(campaign.title, arguments), make_screen())
end

local function run(arguments, shard)
  local core, fuzzing = require "raft.core", require "raft.fuzz"
  local path, screen = arguments.files[1], make_screen()
  local is_set = #arguments.set > 0
  arguments.set = fuzzing.settings_of(path, arguments.set)
  local replay = replay_of(path, arguments)
  core.catch_signals()
  core.tell_signals()
  if shard[2] > 1 then
    screen.print(("part %d of %d%s"):format(shard[1], shard[2], shard.name and ", as " .. shard.name .. " says" or ""))
  end
  local campaign, problem = fuzzing.campaign {
    scenario = path, seeds = arguments.seeds or SEEDS_DEFAULT, jobs = arguments.jobs, time = arguments.time,
    keep_going = arguments.keep_going or false, set = arguments.set, shard = { shard[1], shard[2] },
    patience = arguments.patience, replay = replay, progress = screen.progress, tell_finding = function(finding)
      screen.print(words.finding(finding, replay))
    end,
  }
  if not campaign then
    screen.clear()
    report.problem(problem)
    return is_set and USAGE or CANNOT_RUN
  end
  campaign.title, campaign.set, campaign.shard = path, arguments.set, shard
  campaign.stopped = not arguments.keep_going and #campaign.tally.findings > 0
  campaign.range = arguments.seeds or SEEDS_DEFAULT
  local code = finish(campaign, arguments, replay, screen)
  shrink(campaign, arguments, replay)
  return code
end

--- Runs a campaign, or sums up several.
-- @tparam table arguments parsed
-- @treturn integer the exit code
function fuzz.run(arguments)
  local function wrong(problem)
    report.problem(problem .. "\n(see raftbench fuzz --help)")
    return USAGE
  end
  if #arguments.files == 0 then
    return wrong(arguments.merge and "--merge needs files that --json wrote" or "a scenario is needed")
  elseif arguments.merge then
    return merge(arguments)
  elseif #arguments.files > 1 then
    return wrong "one scenario at a time"
  end
  arguments.set = arguments.set or {}
  local parsed, problem = settings.parse_all(arguments.set)
  if not parsed then
    return wrong(problem)
  end
  local shard
  shard, problem = shards.of(arguments.shard)
  if not shard then
    return wrong(problem)
  end
  local fine = true
  if arguments.json then -- before the work, not behind it
    fine, problem = files.check(arguments.json)
  end
  if not fine then
    report.problem("the results cannot be written: " .. problem)
    return CANNOT_RUN
  end
  return run(arguments, shard)
end

return fuzz
