--- The shell: a Lua prompt with a live cluster `c` at hand, which over TCP keeps running while the user types.
--
-- Nothing that is typed ends it but :quit and the end of input.
-- @module raft.shell

local arguments = require "raft.arguments"
local commands = require "raft.shell.commands"
local complete = require "raft.shell.complete"
local core = require "raft.core"
local display = require "raft.view.display"
local evaluate = require "raft.shell.evaluate"
local functions = require "raft.script.functions"
local help = require "raft.shell.help"
local history = require "raft.shell.history"
local lines = require "raft.shell.lines"
local open = require "raft.open"
local script = require "raft.script"
local show = require "raft.shell.show"
local source = require "raft.script.source"
local terminal = require "raft.view.terminal"
local words = require "raft.shell.words"

local shell = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local PROMPT, PROMPT_MORE = "raft> ", "  ... "

local Session = {}
Session.__index = Session

-- Words of those who want to leave, which are no calls here.
local leaving = { quit = true, exit = true, ["quit()"] = true, ["exit()"] = true }

local function is_cluster(value)
  local metatable = getmetatable(value)
  return type(metatable) == "table" and metatable.__name == "raft.cluster"
end

--- The cluster that is spoken of: what `c` is, where that is an open one, else the one that was opened last.
-- @return nil where there is none
function Session:cluster()
  local c = self.environment.c
  if is_cluster(c) and not c:is_closed() then
    return c
  end
  return open.latest()
end

-- What names mean that are typed: the script's globals, and the shell's own on top of them.
local function make_environment(self, c, raft)
  local environment = {
    c = c, raft = raft,
    help = function(...)
      if select("#", ...) > 0 and (...) == nil then
        self:tell "help was given nil: there is nothing of that name"
        return
      end
      self:tell(help.about((...), self:width(), raft))
    end,
    print = function(...)
      local texts = {}
      for position = 1, select("#", ...) do
        texts[position] = tostring((select(position, ...)))
      end
      self:tell(table.concat(texts, "\t"))
    end,
  }
  return setmetatable(environment, { __index = _G })
end

local function new(c, raft)
  local self = setmetatable({ typed = {}, failures = 0 }, Session)
  self.environment = make_environment(self, c, raft)
  self.lines = lines.open {
    complete = function(before) return self:complete(before) end,
    problem = function(problem) self:complain(problem, {}) end,
    waiting = function() self:flush_watch() end,
  }
  if self.lines.editor then
    local editor = self.lines.editor
    self.history = history.open(function(line) editor:remember(line) end)
  end
  functions.set_lines(evaluate.CHUNK, self.typed)
  return self
end

--- The columns of the terminal, asked each time: it may have another size than before.
-- @treturn integer
function Session.width()
  return terminal.width()
end

--- Shows text.
-- @tparam string text
function Session:tell(text)
  self.lines:write(text .. "\n")
end

--- Shows what is sentences; on a terminal no line is wider than it.
-- @tparam string text
function Session:say(text)
  self:tell(self.lines.is_terminal and display.fit(text, self:width()) or text)
end

--- Tells of an error.
-- @param value what was raised
-- @tparam table frames where
function Session:complain(value, frames)
  self.failures = self.failures + 1
  self:flush_watch()
  self:say(evaluate.describe(value, frames, self.typed))
end

--- Tells what a watch holds back.
function Session:flush_watch()
  if self.watch then
    self.watch:flush()
  end
end

Session.is_cluster = is_cluster

--- What the user calls a cluster.
-- @param cluster
-- @treturn string
function Session:name_of(cluster)
  if self.environment.c == cluster then
    return "c"
  end
  for _, name in ipairs(source.keys(self.environment)) do
    if rawget(self.environment, name) == cluster then
      return name
    end
  end
  return "c"
end

local function result_of(first, ...)
  local message, code = ...
  if first == nil and type(message) == "string" and type(code) == "string" then
    return nil, ("%s (%s)"):format(message, code), code
  end
  return first, ...
end

--- Another cluster is in the place of one, which is shut down.
-- @param cluster
-- @param other
function Session:replace(cluster, other)
  local is_watching = self.watch ~= nil
  self:stop_watching()
  for name, value in pairs(self.environment) do
    if value == cluster then
      self.environment[name] = other
    end
  end
  open.close(cluster)
  local pace = self.lines.pace
  if pace and pace.cluster == cluster then
    pace.cluster = other
  end
  if is_watching then
    commands.run(self, ":watch on")
  end
end

--- Makes a call for a command, and shows it as it would be typed.
-- @param cluster
-- @tparam string name
-- @tparam table given its arguments, with their number in `n`
-- @tparam ?table texts what is shown in place of arguments, by position
-- @tparam ?string before what stands before the call
-- @return what the call gives; where it fails nil, what went wrong in words, code
function Session:call(cluster, name, given, texts, before)
  self:tell("  " .. (before or "") .. words.call(self:name_of(cluster), name, given, texts))
  return result_of(cluster[name](cluster, unpack(given, 1, given.n)))
end

--- What there is to read about the commands.
-- @tparam string what a command's name, a group's, or "": all
-- @treturn ?string nil: there is no such command
function Session:help(what)
  return commands.help(what, self:width())
end

--- Completes a line.
-- @tparam string before what is before the cursor
-- @treturn ?string what to insert
-- @treturn ?string what to show above the line
function Session:complete(before)
  if before:find "^%s*:" then
    local list, prefix = commands.complete(before, self:cluster())
    return complete.words(list, prefix, before, self:width())
  end
  return complete.line(before, self.environment, self:width())
end

--- Ends :watch.
function Session:stop_watching()
  if self.watch then
    self.watch:close()
    self.watch = nil
  end
end

-- A signal that came while something ran has ended it.
local function take_interrupt(self)
  local why = core.take_interrupt()
  self.ended = self.ended or why == "terminate"
  for _, cluster in ipairs(why and open.all() or {}) do
    cluster.driver:forget_failure()
  end
  return why
end

local function show_results(self, results)
  if results.n > 0 then
    self.environment._ = results[1]
    self:tell(show.results(results, terminal.width()))
  end
end

-- Runs what was compiled, and shows its results or what became of it.
local function run(self, chunk)
  local cluster = self:cluster()
  local results, problem, frames = evaluate.run(chunk)
  local why = take_interrupt(self)
  if cluster and not cluster:is_closed() then
    local settle = why and script.interrupted or script.settled
    settle(cluster, problem)
  end
  self:flush_watch()
  if results then
    local fine, raised = pcall(show_results, self, results)
    if not fine then
      self:complain(raised, {})
    end
  elseif why then
    self:tell "interrupted"
  else
    self:complain(problem, frames)
  end
end

-- A line that begins with a colon, run as what is typed in Lua: it may be interrupted, and may raise an error.
local function command(self, line)
  local answer
  run(self, function()
    local fine, result = pcall(commands.run, self, line)
    if fine then
      answer = result
    elseif type(result) == "string" and not result:find "^shell:%d" then
      result = result:gsub("^[^\n]-:%d+: ", "")
      error(result, 0) -- the place is where the shell was called: of no use
    else
      error(result, 0)
    end
  end)
  if answer then
    self:say(answer)
  end
end

-- What was meant by a line that is no Lua, or only a name that there is not: a command without its colon, a method
-- without its brackets.
local function hint(self, text)
  local word = text:match "^%s*([%a_]+)%s*$" or text:match "^%s*([%a_]+)%s+[^%s=]"
  if word and commands.get(word) and self.environment[word] == nil then
    return ("a command begins with a colon: :%s"):format(text:match "^%s*(.-)%s*$")
  end
  local of, method = text:match "^%s*([%w_%.]+):([%a_][%w_]*)%s*$"
  return of and ("a call has brackets: %s:%s(); help(%s.%s) tells about it"):format(of, method, of, method) or nil
end

-- Whether the lines since `from` are whole now; they are run where they are.
local function take(self, from)
  local text = table.concat(self.typed, "\n", from)
  local chunk, problem, is_partial = evaluate.compile(text, from, self.environment)
  local meant = (not chunk or text:find "^%s*[%a_]+%s*$") and hint(self, text)
  if meant then
    self.failures = self.failures + (chunk and 0 or 1)
    self:say(meant)
  elseif chunk then
    run(self, chunk)
  elseif is_partial then
    return false
  else
    self:complain(problem, {})
  end
  return true
end

local function add(self, line)
  self.typed[#self.typed + 1] = line
  if self.history then
    self.history:add(line)
  end
end

-- Reads and runs until the end.
function Session:run()
  local from -- the first line of what is not whole yet
  while not self.ended do
    local line, why = self.lines:read(from and PROMPT_MORE or PROMPT)
    if line then
      add(self, line)
      local word = line:match "^%s*(.-)[%s;]*$"
      if not from and leaving[word] and rawget(_G, (word:gsub("%p", ""))) == nil
        and rawget(self.environment, (word:gsub("%p", ""))) == nil then
        self:tell "Ctrl-D ends the shell, as :quit does"
      elseif not from and line:find "^%s*:%a" then
        command(self, line)
      elseif from or line:find "%S" then
        from = from or #self.typed
        from = not take(self, from) and from or nil
      end
    elseif why == "interrupt" and self.lines.is_terminal then
      from = nil
      self:tell(self.lines.is_halted and "interrupted; the clusters are stopped until the next line" or "^C")
    else
      self.ended = true
      if from then
        local _, problem = evaluate.compile(table.concat(self.typed, "\n", from), from, self.environment)
        self:complain(problem, {})
      elseif self.lines.is_terminal then
        self:tell ""
      end
    end
  end
end

local function welcome(c)
  local text = ("Raftbench %s on %s. "):format(core.version, rawget(_G, "jit") and "LuaJIT" or _VERSION)
  if c then
    local count = #c:ids()
    text = text .. ("c is a cluster of %d node%s %s."):format(count, count == 1 and "" or "s", c:mode() == "sim"
      and "in the simulated world, whose time passes in calls, or by :speed"
      or "over TCP, which keeps running while you type")
  end
  local width = terminal.width()
  return table.concat(display.wrap(text, width), "\n") .. "\n" .. table.concat(display.wrap("Try :leader, :status, "
    .. ":crash leader, :view. :help lists all commands, help() the calls; Tab completes; Ctrl-D ends the shell.",
    width), "\n")
end

-- Coroutines that were there before are interrupted, too.
local function watch_clients(c)
  for thread in pairs(c and c.driver.clients or {}) do
    core.watch_thread(thread)
  end
end

--- Runs a prompt until its end. The cluster stays open.
-- @param c a cluster, or nil: none yet
-- @tparam table raft the module, which uses this one and so cannot be required here
-- @treturn integer how many lines raised an error
function shell.run(c, raft)
  local jit = rawget(_G, "jit")
  if jit then
    jit.off() -- its compiled code could not be interrupted
  end
  local session = new(c, raft)
  core.begin_prompt(true)
  watch_clients(c)
  if session.lines.is_terminal then
    session:tell(welcome(c))
  end
  local fine, problem = pcall(session.run, session)
  session:stop_watching()
  session.lines:close()
  core.end_prompt(true)
  if jit then
    jit.on()
  end
  if not fine then
    error(problem, 0)
  end
  return session.failures
end

--- A prompt in the middle of a script, with the cluster at hand as `c`. The script goes on when it ends.
-- @param c a cluster; nil: the one opened last, or a new one of three nodes, which is shut down at the end
-- @tparam table raft the module
function shell.open(c, raft)
  if c ~= nil and not is_cluster(c) then
    arguments.fail("c", "a cluster", c)
  end
  local thread, is_main = coroutine.running()
  if thread and not is_main then
    arguments.raise "raft.shell works in the main script, not in a client or another coroutine"
  end
  c = c or open.latest()
  if c then
    c.driver:not_in_step "raft.shell"
    shell.run(c, raft)
    return
  end
  local own = assert(require("raft.cluster").new { mode = require("raft.defaults").get "mode" or "tcp" })
  shell.run(own, raft)
  open.close(own)
end

return shell
