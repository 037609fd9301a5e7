--- `raftbench check HISTORY --model M`: whether a recorded history is linearizable.
-- @module raft.command.check

local common = require "raft.command.common"
local models = require "raft.command.models"
local report = require "raft.report"
local terminal = require "raft.view.terminal"

local check = {}

local OK, FAILED, CANNOT_RUN = 0, 1, 3

--- Adds this subcommand's options.
-- @param parser argparse's command
function check.describe(parser)
  parser:description "Check whether a history of what clients asked and were told is linearizable."
  parser:epilog("Exit codes: 0 it is, 1 it is not, 2 wrong usage, 3 it cannot be read, or a limit came before it was "
    .. "decided.")
  parser:argument("HISTORY", "JSON lines, as history:write makes them, or Jepsen's EDN."):argname("HISTORY")
    :target("history")
  parser:option("--model -m", "What it is a history of: " .. table.concat(models.names, ", ")
    .. "; or a Lua file that returns { init =, step =, key = }."):argname("M"):count(1)
  parser:option("--html", "Where it is not, draw a picture of it in this file."):argname("FILE")
  parser:flag("--json", "Print the verdict as one line of JSON.")
  parser:option("--timeout", "Give up after so many seconds."):argname("S"):convert(common.seconds)
  parser:option("--memory", "Give up beyond so many MiB."):argname("MIB"):convert(common.positive)
end

-- ---- progress -----------------------------------------------------------------------------------------------

-- Progress on one line of a terminal, at most ten times a second; nothing where standard error is none.
local function progress_line(core)
  local is_terminal, last, shown = terminal.is_terminal(2), 0, false
  local function show(what)
    return function(done, all)
      local now = core.clock_ns()
      if is_terminal and now - last >= 100000000 and all > 0 then
        last, shown = now, true
        io.stderr:write(("\r\27[K%s: %d %%"):format(what, math.floor(done / all * 100)))
      end
    end
  end
  local function clear()
    if shown then
      io.stderr:write "\r\27[K"
    end
  end
  return show, clear
end

-- ---- the verdict --------------------------------------------------------------------------------------------

local function count_operations(history)
  local count = 0
  for _, entry in ipairs(history) do
    if entry.type == "invoke" and entry.process ~= "nemesis" then
      count = count + 1
    end
  end
  return count
end

local function tell_json(core, verdict, detail, operations)
  local line = { valid = verdict == nil and "unknown" or verdict, operations = operations }
  if verdict == false then
    line.why, line.key, line.entry, line.rung = tostring(detail), detail.key, detail.entry, detail.rung
  elseif verdict == nil then
    line.why = detail
  end
  print(core.json_encode(line))
end

local function tell(verdict, detail, operations, path)
  if verdict == nil then
    report.problem(("%s: not decided: %s"):format(path, detail))
    return
  end
  if verdict then
    print(("%s: linearizable (%d operation%s)"):format(path, operations, operations == 1 and "" or "s"))
  else
    print(("%s: %s"):format(path, tostring(detail)))
  end
end

local function draw(history, explanation, path, name)
  local fine, problem = require("raft.history.picture").write(history, explanation, path, name)
  report.problem(fine and "written: " .. path or problem)
  return fine
end

-- What is wrong with a history, without the words of a script's error.
local function words_of(raised)
  local words = report.words(raised)
  return words:match "bad argument 'history' %((.*)%)$" or words
end

--- Checks.
-- @tparam table arguments parsed
-- @treturn integer the exit code
function check.run(arguments)
  local raft = require "raft"
  local show, clear = progress_line(raft.core)
  local model, problem, code = models.find(arguments.model)
  if not model then
    report.problem(problem)
    return code
  end
  local history
  history, problem = raft.read_history(arguments.history, show "reading")
  if not history then
    clear()
    report.problem(problem)
    return CANNOT_RUN
  end
  local operations = count_operations(history)
  if operations == 0 then
    clear()
    report.problem(arguments.history .. ": it holds no operation, so nothing was checked")
    return CANNOT_RUN
  end
  local fine, verdict, detail = pcall(raft.linearizable, history, model, {
    timeout = arguments.timeout, memory = arguments.memory and arguments.memory * 2 ^ 20, progress = show "checking",
  })
  clear()
  if not fine then -- an operation that the model does not have, an error in a model of the user's own
    report.problem(arguments.history .. ": " .. words_of(verdict))
    return CANNOT_RUN
  end
  if arguments.json then
    tell_json(raft.core, verdict, detail, operations)
  else
    tell(verdict, detail, operations, arguments.history)
  end
  if verdict == false and arguments.html and not draw(history, detail, arguments.html, arguments.history) then
    return CANNOT_RUN
  end
  return verdict and OK or verdict == false and FAILED or CANNOT_RUN
end

return check
