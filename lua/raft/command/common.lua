--- Options that several subcommands share, and what they set.
--
-- It changes defaults and prepares the trace's file; it runs nothing.
-- @module raft.command.common

local defaults = require "raft.defaults"
local report = require "raft.report"

local common = {}

common.modes = { "sim", "tcp", "process" }

--- A seed or a count from the command line.
-- @tparam string text
-- @treturn integer|nil its value; nil and a message if it is not one
function common.natural(text)
  local number = text:match("^%d+$") and tonumber(text)
  if not number or number >= 2 ^ 53 then
    return nil, "'" .. text .. "' is not an integer from 0 to 2^53 - 1"
  end
  return number
end

--- As `natural`, from 1.
-- @tparam string text
-- @treturn integer|nil
function common.positive(text)
  local number, problem = common.natural(text)
  if number == 0 then
    return nil, "'0' is not an integer from 1"
  end
  return number, problem
end

--- Seconds from the command line.
-- @tparam string text
-- @treturn number|nil its value; nil and a message if it is none
function common.seconds(text)
  local number = tonumber(text)
  if not number or not (number > 0) or number == math.huge then
    return nil, "'" .. text .. "' is not a number of seconds above 0"
  end
  return number
end

--- Adds --mode, --seed and --trace.
-- @param parser argparse's command
-- @tparam ?string mode the default, "sim" if not given
function common.describe(parser, mode)
  parser:option("--mode", ("The world to run in: sim (simulated), tcp (real sockets on this machine), process (each "
    .. "node a process of its own). (default: %s)"):format(mode or "sim")):choices(common.modes):argname("M")
  parser:option("--seed", "The seed of every random choice; in sim the same seed gives the same run. (default: 1)")
    :argname("N"):convert(common.natural)
  parser:option("--trace", "Write each event to this file, as JSON lines for raftbench view."):argname("FILE")
end

common.set_words = "VALUE is in Lua's notation: nodes=5, 'link={drop=0.1}', parameters.faults=crash."

common.exit_codes = "Exit codes: 0 all passed, 1 a check failed, 2 wrong usage, 3 it could not run."

--- An empty file for the trace, so that it holds this run only.
-- @tparam string path
-- @treturn boolean|nil true; nil and a message where it cannot be written
function common.begin_trace(path)
  local file, problem = io.open(path, "w")
  if not file then
    return nil, "the trace cannot be written: " .. tostring(problem)
  end
  file:close()
  return true
end

--- Makes the parsed options the defaults of every cluster.
-- @tparam table arguments parsed by argparse
-- @treturn boolean|nil true; nil and a message where the trace cannot be written
function common.apply(arguments)
  if arguments.trace then
    local fine, problem = common.begin_trace(arguments.trace)
    if not fine then
      return nil, problem
    end
    defaults.set("trace", arguments.trace)
  end
  defaults.set("mode", arguments.mode)
  defaults.set("seed", arguments.seed)
  defaults.set("verbose", arguments.verbose)
  return true
end

--- Calls a function that SIGINT and SIGTERM end, whatever it waits for or computes: with the error "interrupted".
-- @tparam function f
-- @param ... its arguments
-- @return its value
function common.interruptible(f, ...)
  local found, core = pcall(require, "raft.core")
  if not found then
    return f(...) -- whatever it does, no cluster waits in it
  end
  require "raft.arguments" -- tells which files are ours: they are not ended half-way
  core.begin_prompt()
  local outcome = report.protect(f, ...)
  core.take_interrupt()
  core.end_prompt()
  if not outcome.fine then
    error(outcome.error, 0)
  end
  return outcome.value
end

--- The words that start this command again, for lines that tell how: with the interpreter where it is not the one
-- that the command starts by itself.
-- @tparam table arguments parsed
-- @treturn table list
function common.again(arguments)
  local restart = arguments.restart or { "raftbench" }
  local words = {}
  for position = _VERSION == "Lua 5.4" and #restart or 1, #restart do
    words[#words + 1] = restart[position]
  end
  return words
end

return common
