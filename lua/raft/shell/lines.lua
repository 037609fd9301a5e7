--- Lines from a terminal, or from standard input if there is no terminal. All open clusters in real time keep running
-- while a line is waited for.
-- @module raft.shell.lines

local core = require "raft.core"
local open = require "raft.open"

local lines = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local Lines = {}
Lines.__index = Lines

local function open_editor()
  local found, line = pcall(require, "raft.line")
  if not found or os.getenv "TERM" == "dumb" or not core.is_terminal(1) then
    return nil
  end
  return line.open()
end

--- Opens standard input.
-- @tparam table options `complete` complete(before) → what to insert, what to show; `problem` problem(error): something
-- went wrong in a cluster while a line was waited for; `waiting` is called each time before anything is waited for
-- @treturn table
function lines.open(options)
  local is_terminal = core.is_terminal(0)
  local self = setmetatable({
    options = options, is_terminal = is_terminal, editor = is_terminal and open_editor() or nil,
  }, Lines)
  self.wait = function()
    return self:wait_for_input()
  end
  return self
end

local function living()
  local list = {}
  for _, cluster in ipairs(open.all()) do
    if not cluster:is_closed() and cluster:mode() ~= "sim" then
      list[#list + 1] = cluster
    end
  end
  return list
end

local function set_free_running(free)
  for _, cluster in ipairs(living()) do
    core.set_free_running(cluster.core, free)
  end
end

-- Lets each cluster do what it has to do now.
local function turn(self, clusters)
  for _, cluster in ipairs(clusters) do
    local fine, problem = pcall(cluster.driver.turn, cluster.driver, cluster.core:now_ns())
    if not fine and type(problem) == "string" and problem:find "^interrupted" then
      self.is_halted = true -- a callback computed without end, and would do so again
    elseif not fine then
      self.options.problem(problem)
    end
  end
end

-- Lets a simulated cluster's clock go on, where it follows the real one.
local function tick(self)
  local pace = self.pace
  local fine, problem = pcall(pace.tick, pace)
  if fine then
    return
  elseif type(problem) == "string" and problem:find "^interrupted" then
    pace:interrupted()
    self.is_halted = true
  else
    self.pace = nil
    self.options.problem(problem)
    self:write "its clock no longer follows the real one: :speed lets it go on\n"
  end
end

--- A simulated cluster whose clock follows the real one while a line is waited for.
-- @param pace of raft.shell.pace; nil: none
function Lines:set_pace(pace)
  self.pace = pace
end

--- Waits for input or for anything else to happen.
-- @treturn ?boolean whether there is input; nil: a signal came
-- @treturn ?string "signal"
function Lines:wait_for_input()
  self.options.waiting()
  local clusters, handles = self.is_halted and {} or living(), {}
  for position, cluster in ipairs(clusters) do
    handles[position] = cluster.core
  end
  local pace = not self.is_halted and self.pace or nil
  local has_input, has_work = core.wait_input(pace and pace:left_ns() or nil, unpack(handles))
  if has_work then
    turn(self, clusters)
  end
  if has_input == nil then
    return nil, "signal"
  elseif pace and pace:left_ns() == 0 then
    tick(self)
  end
  return has_input
end

local function read_plain(self, prompt)
  if self.is_terminal then
    io.stdout:write(prompt)
  end
  io.stdout:flush()
  while true do
    local line, why = core.read_line(0)
    if line then
      return line
    elseif why == "end" then
      return nil
    elseif why ~= "timeout" or self.wait() == nil then
      return nil, "signal"
    end
  end
end

--- Reads one line.
-- @tparam string prompt shown at a terminal
-- @treturn ?string the line without its end; nil: the end of input
-- @treturn ?string "interrupt" or "terminate" where that signal came instead
function Lines:read(prompt)
  set_free_running(not self.is_halted)
  local fine, line, why
  if self.editor then
    fine, line, why = pcall(self.editor.read, self.editor, prompt, self.wait, self.options.complete)
  else
    fine, line, why = pcall(read_plain, self, prompt)
  end
  set_free_running(false)
  if not fine then
    error(line, 0)
  elseif why then
    return nil, core.take_interrupt() or "interrupt"
  end
  self.is_halted = false
  return line
end

--- Writes text: above the line that is being typed, where there is one.
-- @tparam string text whole lines
function Lines:write(text)
  if not (self.editor and self.editor:print(text)) then
    io.stdout:write(text)
    io.stdout:flush()
  end
end

--- Ends reading; the terminal is as it was before.
function Lines:close()
  if self.editor then
    self.editor:close()
    self.editor = nil
  end
end

return lines
