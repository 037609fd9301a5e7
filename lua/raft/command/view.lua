--- `raftbench view TRACE`: a trace as a timing diagram.
-- @module raft.command.view

local common = require "raft.command.common"
local report = require "raft.report"
local source = require "raft.view.source"
local table_view = require "raft.view.table"
local terminal = require "raft.view.terminal"

local view = {}

local OK, CANNOT_RUN = 0, 3

--- Adds this subcommand's options.
-- @param parser argparse's command
function view.describe(parser)
  parser:description "Draw a trace as a timing diagram."
  parser:argument("trace", "A file of JSON lines, as --trace writes it; - is standard input."):argname("TRACE")
  parser:option("--as", "The form: table."):choices({ "table" }):default("table"):target("form")
  parser:option("-o --output", "Write to this file, not to standard output."):argname("FILE")
  parser:option("--width", "Width in columns; by default the terminal's."):argname("N"):convert(common.positive)
  parser:flag("--all", "Show every event; heartbeats are not folded.")
end

local function open_output(path)
  if not path then
    return io.stdout
  end
  return io.open(path, "w")
end

-- A writer that stops at the first write that fails (a full disk, a closed pipe).
local function writer(file)
  return function(text)
    local fine, problem = file:write(text)
    if not fine then
      error("it cannot be written: " .. tostring(problem), 0)
    end
  end
end

--- Draws.
-- @tparam table arguments parsed
-- @treturn integer the exit code
function view.run(arguments)
  local core = require "raft.core"
  local trace, problem = source.open(arguments.trace, core.json_decode, function(message)
    report.problem(arguments.trace .. ": " .. message)
  end)
  if not trace then
    report.problem(problem)
    return CANNOT_RUN
  end
  local output, output_problem = open_output(arguments.output)
  if not output then
    trace:close()
    report.problem(output_problem)
    return CANNOT_RUN
  end
  local count = table_view.render(function() return trace:events() end, {
    write = writer(output), width = arguments.width or terminal.width(), all = arguments.all,
    colour = not arguments.output and terminal.wants_colour(), name = arguments.trace,
  })
  trace:close()
  local written, write_problem
  if arguments.output then
    written, write_problem = output:close()
  else
    written, write_problem = output:flush()
  end
  if not written then
    report.problem("it cannot be written: " .. tostring(write_problem))
    return CANNOT_RUN
  elseif count == 0 then
    report.problem(arguments.trace .. ": there is no event in it")
    return CANNOT_RUN
  end
  return OK
end

return view
