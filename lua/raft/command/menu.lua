--- `raftbench menu`: twelve numbered commands, one a line on standard input.
-- @module raft.command.menu

local common = require "raft.command.common"
local defaults = require "raft.defaults"
local menu = require "raft.menu"
local report = require "raft.report"

local command = {}

local CANNOT_RUN = 3

local function write(text)
  io.stdout:write(text)
  io.stdout:flush()
end

--- Adds this subcommand's options.
-- @param parser argparse's command
function command.describe(parser)
  parser:description "Try a cluster with twelve numbered commands, one a line on standard input."
  common.describe(parser, "tcp")
  parser:flag("--verbose", "Print each event as a readable line, to standard error.")
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
  local raft, core, prompt = require "raft", require "raft.core", require "raft.prompt"
  core.catch_signals()
  local interactive = core.is_terminal(0)
  return menu.run {
    make = raft.cluster, mode = arguments.mode, write = write, interactive = interactive,
    read_line = function(cluster)
      return prompt.read_line(cluster, interactive and "> " or nil)
    end,
  }
end

return command
