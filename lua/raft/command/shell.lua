--- `raftbench shell`: a Lua prompt with a live cluster.
-- @module raft.command.shell

local common = require "raft.command.common"
local defaults = require "raft.defaults"
local report = require "raft.report"

local command = {}

local OK, FAILED, CANNOT_RUN = 0, 1, 3

--- Adds this subcommand's options.
-- @param parser argparse's command
function command.describe(parser)
  parser:description "A Lua prompt with a live cluster c, which keeps running over TCP while you type."
  parser:option("--nodes", "How many nodes the cluster has."):argname("N"):convert(common.positive):default "3"
  common.describe(parser, "tcp")
end

--- Runs the shell until its end.
-- @tparam table arguments parsed
-- @treturn integer the exit code; 1 where a line that did not come from a terminal raised an error
function command.run(arguments)
  arguments.mode = arguments.mode or defaults.get "mode" or "tcp"
  local fine, problem = common.apply(arguments)
  if not fine then
    report.problem(problem)
    return CANNOT_RUN
  end
  local raft, core, open = require "raft", require "raft.core", require "raft.open"
  local made, c, message = pcall(raft.cluster, { nodes = arguments.nodes })
  if not made or not c then
    report.problem((tostring(made and message or c):gsub("^[^\n]-:%d+: ", "")))
    return CANNOT_RUN
  end
  local failures = require("raft.shell").run(c, raft)
  local leftover = open.close_all()
  if leftover then
    report.problem(leftover)
    return FAILED
  end
  return failures > 0 and not core.is_terminal(0) and FAILED or OK
end

return command
