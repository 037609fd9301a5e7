--- `raftbench menu`: twelve numbered commands, one a line on standard input.
-- @module raft.command.menu

local common = require "raft.command.common"
local defaults = require "raft.defaults"
local menu = require "raft.menu"
local report = require "raft.command.report"
local terminal = require "raft.view.terminal"

local command = {}

local CANNOT_RUN = 3

--- Adds this subcommand's options.
-- @param parser argparse's command
function command.describe(parser)
  parser:description "Try a cluster by twelve numbered commands, one a line on standard input."
  common.describe(parser)
  parser:flag("--verbose", "Print the trace as readable lines.")
end

--- Runs the menu until its end.
-- @tparam table arguments parsed
-- @treturn integer the exit code
function command.run(arguments)
  arguments.mode = arguments.mode or defaults.get("mode") or "tcp"
  local fine, problem = common.apply(arguments)
  if not fine then
    report.problem(problem)
    return CANNOT_RUN
  end
  local raft, core = require "raft", require "raft.core"
  core.catch_signals()
  return menu.run {
    make = raft.cluster, null = raft.null, read_line = core.read_line, interactive = terminal.is_terminal(0),
    mode = arguments.mode,
    write = function(text)
      io.stdout:write(text)
      io.stdout:flush()
    end,
  }
end

return command
