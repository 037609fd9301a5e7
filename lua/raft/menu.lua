--- The menu: twelve numbered commands, one a line. It reads, answers and goes on, whatever the line
-- was, until command 10, the end of input, or a signal.
--
-- The commands themselves are in raft.menu.commands. The process is not ended here.
-- @module raft.menu

local commands = require "raft.menu.commands"
local open = require "raft.open"
local report = require "raft.report"
local words = require "raft.menu.words"

local menu = {}

local NODES_MOST = 99
local OK, FAILED = 0, 1

local Session = {}
Session.__index = Session

--- A session without a cluster.
-- @tparam table options `make` (raft.cluster), `mode` ("sim", "tcp" or "process")
-- @treturn table
function menu.new(options)
  return setmetatable({ make = options.make, mode = options.mode, nodes_most = NODES_MOST }, Session)
end

--- The list of commands, as shown before the first prompt.
-- @treturn string
function menu.help()
  local lines = {}
  for number, command in ipairs(commands) do
    local usage = command.usage ~= "" and " " .. command.usage or ""
    lines[number] = string.format("%3d%s  %s", number, usage .. string.rep(" ", 16 - #usage), command.name)
  end
  return table.concat(lines, "\n")
end

--- Whether there is a node of that id, also one that has crashed or was removed.
-- @tparam integer id
-- @treturn boolean
function Session:knows(id)
  for _, known in ipairs(self.cluster:ids()) do
    if known == id then
      return true
    end
  end
  return false
end

--- Whether a node of that id is there and was not removed.
-- @tparam integer id
-- @treturn boolean
function Session:is_member(id)
  if not self:knows(id) then
    return false
  end
  local status = self.cluster:status(id)
  return type(status) ~= "table" or status.state ~= "removed"
end

--- The error for an id that no node has.
-- @tparam integer id
-- @treturn string
function Session:unknown(id)
  local parts = {}
  for position, known in ipairs(self.cluster:ids()) do
    parts[position] = string.format("%.0f", known)
  end
  return string.format("there is no node %.0f (there are %s)", id, table.concat(parts, ", "))
end

--- Shuts the cluster down, if there is one.
-- @param problem what went wrong; nil: nothing
function Session:close(problem)
  local cluster = self.cluster
  if cluster then
    self.cluster = nil
    open.close(cluster, problem)
  end
end

local function usage_of(number)
  local command = commands[number]
  return command.usage ~= "" and number .. " " .. command.usage or tostring(number)
end

local function find_command(list)
  local number = words.id(list[1])
  local command = number and commands[number]
  if not command then
    return nil, "'" .. list[1].text .. "' is not a command: the commands are the numbers 1 to " .. #commands
  end
  local given = #list - 1
  if given < command.least then
    return nil, string.format("%s lacks an argument: %s", command.name, usage_of(number))
  elseif given > command.most then
    return nil, string.format("%s has too many arguments: %s", command.name, usage_of(number))
  end
  return command
end

-- Without the position in our own files, which means nothing to a user of the menu.
local function plain(value)
  local text = report.split_trace(report.words(value))
  return (text:gsub("^[^\n]-:%d+: ", ""):gsub("^%[C%]: ", ""))
end

local function is_violation(value)
  return type(value) == "table" and value.property ~= nil
end

local function is_interrupt(value)
  local text = report.words(value)
  return text == "interrupted" or text:find("interrupted!", 1, true) ~= nil
end

--- Runs one line.
-- @tparam string line as typed
-- @treturn string the answer
-- @treturn ?string nil: go on; "end", "violation" or "interrupt": why not
function Session:line(line)
  local list, problem = words.split(line)
  if not list then
    return problem
  elseif #list == 0 then
    return "an empty line: type a command's number and its arguments"
  end
  local command, wrong = find_command(list)
  if not command then
    return wrong
  elseif not command.free and not self.cluster then
    return command.name .. " needs a cluster: create one first (1 N)"
  end
  table.remove(list, 1)
  local fine, answer = pcall(command.run, self, list)
  if fine then
    return answer, command.ends and "end" or nil
  elseif is_violation(answer) then
    self:close(answer)
    return "the cluster violated an invariant and was shut down: " .. plain(answer), "violation"
  elseif is_interrupt(answer) then
    return "interrupted", "interrupt"
  end
  return plain(answer)
end

--- Reads lines until the end and shuts the cluster down.
-- @tparam table options `make`, `mode`; `read_line` function(cluster or nil) → a line; nil at the end of input;
-- nil and "interrupt"; `write` function(text); `interactive` whether it is a terminal
-- @treturn integer the exit code: 1 where an invariant broke
function menu.run(options)
  local session, code = menu.new(options), OK
  options.write("The commands, one a line:\n" .. menu.help() .. "\n")
  while true do
    local fine, line, why = pcall(options.read_line, session.cluster)
    if not fine and is_interrupt(line) then
      options.write("interrupted\n")
      break
    elseif not fine then
      -- What drives the world meanwhile can raise: a violation, or a machine's error.
      options.write(plain(line) .. "\n")
      session:close(line)
      code = FAILED
    elseif not line then
      options.write(why and "interrupted\n" or options.interactive and "\n" or "")
      break
    else
      local answer, reason = session:line(line)
      options.write(answer .. "\n")
      code = reason == "violation" and FAILED or code
      if reason == "end" or reason == "interrupt" then
        break
      end
    end
  end
  if session.cluster then
    session:close()
    options.write("the cluster is shut down\n")
  end
  return code
end

return menu
