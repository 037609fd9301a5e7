--- The command line: which subcommands there are, and what all of them share.
--
-- Each subcommand is a module of its own below raft.command with `describe(parser)` and
-- `run(arguments)` → exit code. This one does nothing itself but choose.
-- @module raft.command

local report = require "raft.report"

local command = {}

local subcommands = { "run", "test", "fuzz", "shell", "menu", "node", "log", "view", "check", "bench", "new", "tour" }

--- The subcommands' names, in the order in which help lists them.
command.subcommands = subcommands

-- Exit codes, as API.md gives them.
command.OK, command.FAILED, command.USAGE, command.CANNOT_RUN = 0, 1, 2, 3

local HELP_WIDTH = 80 -- columns
local GROWTH = 400 -- % of what is in use, at which garbage is collected

-- Of two values of one option neither is dropped in silence; a flag may be repeated.
local function refuse_repeats(described)
  for _, option in ipairs(described._options) do
    if option._maxargs > 0 and option._maxcount == 1 then
      option:overwrite(false)
    end
  end
end

local function build_parser(argparse)
  local parser = argparse("raftbench", "A workbench for the Raft consensus algorithm: clusters, faults, commands and "
    .. "checks are Lua.")
    :epilog(table.concat({
      "First steps: raftbench tour shows what Raft does, raftbench new NAME makes a project with a test and a "
        .. "scenario, raftbench COMMAND --help tells about one command.",
      "",
      "Exit codes: 0 success, 1 a check failed, 2 wrong usage, 3 it could not run.",
    }, "\n"))
  parser:command_target("command")
  parser:help_max_width(HELP_WIDTH)
  parser:require_command(false)
  parser:flag("--version", "Print the version.")
  local modules = {}
  for _, name in ipairs(subcommands) do
    local module = require("raft.command." .. name)
    local described = parser:command(name)
    module.describe(described)
    refuse_repeats(described)
    modules[name] = module
  end
  return parser, modules
end

local function parse(parser, arguments)
  local list = {}
  for position = 1, #arguments do
    list[position] = arguments[position]
  end
  local fine, parsed = parser:pparse(list)
  if fine then
    return parsed
  end
  parsed = parsed:gsub("must be used at most 1 time$", "can be given once only")
  local known = list[1] and list[1]:match("^%a+$")
  for _, name in ipairs(subcommands) do
    if name == known then
      return nil, parsed, "raftbench " .. name .. " --help"
    end
  end
  return nil, parsed, "raftbench --help"
end

local function show_version()
  local found, raft = pcall(require, "raft")
  if not found then
    report.problem(report.missing_module(raft) or tostring(raft))
    return command.CANNOT_RUN
  end
  print("raftbench " .. tostring(raft.version))
  return command.OK
end

-- Runs leave much garbage and use little memory: collecting seldom saves a sixth of their time. Only here, where
-- the process is ours alone; its workers are copies of it.
local function collect_seldom()
  pcall(collectgarbage, "incremental") -- the stand-alone Lua 5.4 begins "generational"; others know neither
  collectgarbage("setpause", GROWTH)
end

--- Runs one command line.
-- @tparam table arguments the words after the command's name
-- @tparam table restart the words that start this command again
-- @treturn integer the exit code
function command.main(arguments, restart)
  local found, argparse = pcall(require, "argparse")
  if not found then
    report.problem("the Lua module argparse is missing (Debian: apt install lua-argparse)")
    return command.CANNOT_RUN
  end
  local parser, modules = build_parser(argparse)
  local parsed, problem, help = parse(parser, arguments)
  if not parsed then
    report.problem(tostring(problem) .. "\n(see " .. help .. ")")
    return command.USAGE
  elseif parsed.version then
    return show_version()
  elseif not parsed.command then
    io.stderr:write(parser:get_help(), "\n")
    return command.USAGE
  end
  parsed.restart = restart
  collect_seldom()
  local outcome = report.protect(modules[parsed.command].run, parsed)
  if outcome.fine then
    return outcome.value
  elseif outcome.interrupted then
    report.problem("interrupted")
    return command.CANNOT_RUN
  end
  report.problem(outcome.text)
  return command.CANNOT_RUN
end

return command
