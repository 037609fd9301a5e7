--- `raftbench view TRACE`: a trace as a timing diagram.
-- @module raft.command.view

local common = require "raft.command.common"
local forms = require "raft.view.forms"
local log_pattern = require "raft.view.log_pattern"
local log_roles = require "raft.view.log_roles"
local histories = require "raft.view.histories"
local models = require "raft.command.models"
local report = require "raft.report"
local source = require "raft.view.source"
local terminal = require "raft.view.terminal"

local view = {}

local OK, USAGE, CANNOT_RUN = 0, 2, 3
local NEITHER = ": it is neither JSON lines, as --trace writes them, nor a log of lines `time [id] message`; --lines "
  .. "names another form"

-- ---- options ------------------------------------------------------------------------------------------------

local function seconds(text)
  local number = tonumber(text)
  if not number or number ~= number or number == math.huge or number == -math.huge then
    return nil, "'" .. text .. "' is not a number of seconds"
  end
  return number
end

local function list_of(text, convert)
  local list = {}
  for word in (text .. ","):gmatch "%s*([^,]-)%s*," do
    local one, problem = convert(word)
    if one == nil then
      return nil, problem
    end
    list[#list + 1] = one
  end
  return list
end

local function words(text)
  return list_of(text, function(word) return word end)
end

--- Adds this subcommand's options.
-- @param parser argparse's command
function view.describe(parser)
  parser:summary "Draw a trace, or another program's log, as a timing diagram."
  parser:description("Draw a trace as a timing diagram: a table for the terminal, a page for a browser (html), a still "
    .. "picture (svg), or a file for ShiViz or Perfetto.")
  parser:epilog("Exit codes: 0 it is drawn, 2 wrong usage, 3 it cannot be read or written, or nothing in it was asked "
    .. "for.")
  parser:argument("TRACE", "What --trace FILE wrote, or a readable log of lines `time [id] message`, also of go test "
    .. "-v; - is standard input."):argname("TRACE"):target("trace")
  parser:option("--as", "The form: " .. table.concat(forms.names(), ", ") .. ". (default: by the ending of -o FILE, "
    .. "else table)"):choices(forms.names()):argname("FORM"):target("form")
  parser:option("-o --output", "Write to this file, not to standard output."):argname("FILE")
  parser:option("--from", "Leave out what was before S, in seconds of the trace's clock."):argname("S"):convert(seconds)
  parser:option("--to", "Leave out what came after S."):argname("S"):convert(seconds)
  parser:option("--nodes", "Show these nodes only, such as 1,2."):argname("N,N"):convert(words)
  parser:option("--kind", "Show these kinds of events only, such as role,commit."):argname("K,K"):convert(words)
    :target("kinds")
  parser:option("--history", "A history of clients to show beside it (html, perfetto)."):argname("FILE"):count("*")
    :target("histories")
  parser:option("--model", "The model by which that history is checked, as for raftbench check."):argname("M")
    :count("*"):target("models")
  parser:option("--lines", "The form of a log's lines, such as '{time} [{id}] {message}'; {} stands for what does not "
    .. "matter.")
    :argname("PATTERN")
  parser:option("--width", "The width of a table in columns. (default: the terminal's)"):argname("N")
    :convert(common.positive)
  parser:flag("--all", "Show every event; without it heartbeats are folded or left out.")
end

-- Those of a trace, and a line of a log that is nothing of the kind.
local function all_kinds(core)
  local list = core.event_kinds()
  list[#list + 1] = "log"
  return list
end

-- The first kind that there is not.
local function unknown_kind(core, names)
  local known = {}
  for _, name in ipairs(all_kinds(core)) do
    known[name] = true
  end
  for _, name in ipairs(names or {}) do
    if not known[name] then
      return name
    end
  end
  return nil
end

-- The log's form; nil, a message and the exit code.
local function log_of(arguments)
  if not arguments.lines then
    return nil
  end
  local match, problem = log_pattern.new(arguments.lines)
  if not match then
    return nil, "--lines '" .. arguments.lines .. "': " .. problem, USAGE
  end
  return { match = match, form = arguments.lines }
end

-- What the form is given; nil, a message and the exit code.
local function read_options(arguments, core)
  local form, is_unknown = arguments.form, false
  if not form then
    form, is_unknown = forms.of_path(arguments.output)
  end
  local unknown = unknown_kind(core, arguments.kinds)
  if is_unknown then
    return nil, ("%s: no form has this ending; there are %s, or --as names the form"):format(arguments.output,
      table.concat(forms.endings(), ", ")), USAGE
  elseif unknown then
    return nil, ("there is no kind of event '%s'; there are %s"):format(unknown,
      table.concat(all_kinds(core), ", ")), USAGE
  elseif arguments.from and arguments.to and arguments.from > arguments.to then
    return nil, "--from is later than --to", USAGE
  elseif #arguments.histories > 0 and not forms.shows_histories(form) then
    return nil, "--as " .. form .. " shows no history", USAGE
  elseif #arguments.models > #arguments.histories then
    return nil, "--model is the model of a --history", USAGE
  end
  local found = {}
  for position, name in ipairs(arguments.models) do
    local model, problem, code = models.find(name)
    if not model then
      return nil, problem, code
    end
    found[position] = model
  end
  local list, problem = histories.read(arguments.histories, found)
  if not list then
    return nil, problem, CANNOT_RUN
  end
  return {
    form = form, from = arguments.from, to = arguments.to, kinds = arguments.kinds,
    width = arguments.width or terminal.width(), all = arguments.all, histories = list, name = arguments.trace,
    colour = not arguments.output and terminal.wants_colour(),
  }
end

-- ---- writing ------------------------------------------------------------------------------------------------

-- Writes to the file, which is made at the first write, or to standard output; stops at the first write that fails (a
-- full disk, a closed pipe). Returns the writer and what ends it: true, or nil and a message.
local function output_to(path)
  local file = not path and io.stdout or nil
  local function write(text)
    local problem
    if not file then
      file, problem = io.open(path, "w")
      if not file then
        error(problem, 0)
      end
    end
    local fine
    fine, problem = file:write(text)
    if not fine then
      error("it cannot be written: " .. tostring(problem), 0)
    end
  end
  local function finish()
    if not file then
      return true
    end
    local fine, problem = file[path and "close" or "flush"](file)
    return fine, not fine and "it cannot be written: " .. tostring(problem) or nil
  end
  return write, finish
end

-- The numbers of the nodes that were asked for: a log may have names for them.
local function choose_nodes(arguments, options, trace)
  if not arguments.nodes then
    return true
  end
  options.nodes, options.node_names = {}, arguments.nodes
  for position, word in ipairs(arguments.nodes) do
    local id
    if trace.is_log then
      id = trace:number_of(word)
    else
      id = common.positive(word)
    end
    if not id then
      return false, trace.is_log and ("there is no node '%s' in it; there are %s"):format(word,
        table.concat(trace:node_names(), ", ")) or ("'%s' is not the number of a node"):format(word)
    end
    options.nodes[position] = id
  end
  return true
end

-- A table shows a log's own words; other forms draw roles, which the words tell.
local function events_of(trace, form)
  local function events()
    return trace:events()
  end
  return trace.is_log and form ~= "table" and log_roles.added(events) or events
end

--- Draws.
-- @tparam table arguments parsed
-- @treturn integer the exit code
function view.run(arguments)
  local core = require "raft.core"
  local function tell(message)
    report.problem(arguments.trace .. ": " .. message)
  end
  local options, problem, code = read_options(arguments, core)
  if not options then
    report.problem(problem)
    return code
  end
  local log
  log, problem, code = log_of(arguments)
  if problem then
    report.problem(problem)
    return code
  end
  local trace
  trace, problem = source.open(arguments.trace, core.json_decode, tell, log)
  if not trace then
    report.problem(problem)
    return CANNOT_RUN
  end
  local fine
  fine, problem = choose_nodes(arguments, options, trace)
  if not fine then
    trace:close()
    tell(problem)
    return USAGE
  end
  local write, finish = output_to(arguments.output)
  options.write, options.tell = write, tell
  local count, shown = forms.render(options.form, events_of(trace, options.form), options)
  trace:close()
  local written, write_problem = finish()
  if not written then
    report.problem(write_problem)
    return CANNOT_RUN
  elseif count == 0 then
    tell("there is no event in it" .. (trace.is_unknown and trace.problems > 0 and NEITHER or ""))
    return CANNOT_RUN
  elseif shown == 0 then
    tell(("none of its %d events is among those that were asked for"):format(count))
    return CANNOT_RUN
  end
  return OK
end

return view
