--- `raftbench tour`: a guided tour of Raft and of this workbench.
-- @module raft.command.tour

local common = require "raft.command.common"
local report = require "raft.report"
local terminal = require "raft.view.terminal"

local tour = {}

local OK, USAGE, CANNOT_RUN = 0, 2, 3

--- Adds this subcommand's options.
-- @param parser argparse's command
function tour.describe(parser)
  parser:description "A guided tour in ten steps: what Raft does, drawn, with the calls that do it. Enter goes on."
  parser:argument("STEP", "The step to begin with; without a terminal the only one.")
    :argname("STEP"):args("?"):target("step")
    :convert(common.positive)
  parser:option("--width", "Width in columns; by default the terminal's."):argname("N"):convert(common.positive)
end

-- Lines as they are typed; nil at the end of input, and at Ctrl-C.
local function reader(core)
  core.catch_signals()
  return function()
    io.stdout:flush()
    return (core.read_line())
  end
end

--- Shows it.
-- @tparam table arguments parsed
-- @treturn integer the exit code
function tour.run(arguments)
  local found, core = pcall(require, "raft.core")
  if not found then
    report.problem(report.missing_module(core) or tostring(core))
    return CANNOT_RUN
  end
  local guide = require "raft.tour"
  local first = arguments.step or 1
  if first > guide.count() then
    report.problem(("the tour has %d steps"):format(guide.count()))
    return USAGE
  end
  local is_read = core.is_terminal(0) and core.is_terminal(1)
  local problem
  local screen = require("raft.tour.screen").new {
    write = function(text)
      local fine, why = io.stdout:write(text)
      problem = problem or not fine and why or nil
    end,
    width = arguments.width or terminal.width(), colour = terminal.wants_colour(),
    height = is_read and terminal.height() or nil, count = guide.count(),
    read = is_read and reader(core) or nil,
  }
  common.interruptible(guide.run, screen, first, (is_read or not arguments.step) and guide.count() or first)
  if problem or not io.stdout:flush() then
    report.problem("the tour cannot be written: " .. tostring(problem or "standard output"))
    return CANNOT_RUN
  end
  return OK
end

return tour
