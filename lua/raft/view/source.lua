--- Where a diagram's events come from: a trace's JSON lines or a readable log, in a file or on standard input, read as
-- often as the diagram needs them and never held in memory as a whole.
--
-- It tells once what cannot be read, and goes on behind it. It does not know what events mean.
-- @module raft.view.source

local logs = require "raft.view.logs"

local source = {}

local LOOKED_AT = 10000 -- lines, until one tells whether it is a trace or a log

local Source = {}
Source.__index = Source

-- Standard input and pipes can be read once only, so they are kept in a temporary file.
local function spool(from)
  local file, problem = io.tmpfile()
  if not file then
    return nil, "no temporary file for what cannot be read twice: " .. tostring(problem)
  end
  repeat
    local block = from:read(65536)
    if block then
      local written, write_problem = file:write(block)
      if not written then
        return nil, "no temporary file for what cannot be read twice: " .. tostring(write_problem)
      end
    end
  until not block
  return file
end

local function open_file(path)
  if path == "-" then
    return spool(io.stdin)
  end
  local file, problem = io.open(path, "rb")
  if not file then
    return nil, problem
  end
  local _, read_problem = file:read(0)
  if read_problem then
    file:close()
    return nil, path .. ": " .. read_problem
  elseif not file:seek "set" then
    local pipe = file
    file, problem = spool(pipe)
    pipe:close()
  end
  return file, problem
end

-- "trace" or "log" by the first line that is either; nil where none is.
local function kind_of(file)
  assert(file:seek "set")
  local count = 0
  for line in file:lines() do
    count = count + 1
    if line:find "^%s*{.*\"kind\"" then
      return "trace"
    elseif logs.is_line((line:gsub("\r$", ""))) then
      return "log"
    elseif count >= LOOKED_AT then
      return nil
    end
  end
  return nil
end

local function is_compressed(file)
  assert(file:seek "set")
  local first = file:read(2)
  return first == "\31\139"
end

--- Opens a trace or a log.
-- @tparam string path a file, or `-` for standard input
-- @tparam function decode from one line's text to a table (it may raise, or return nil and a message)
-- @tparam function report called with a message for what cannot be read
-- @tparam ?table log of a log whose lines have a form of their own: `match` and `form`, as raft.view.logs takes them
-- @return a source with `events` and `close`, `is_log`, `is_unknown` where no line told what it is; or nil and a
-- message
function source.open(path, decode, report, log)
  local file, problem = open_file(path)
  if not file then
    return nil, problem
  elseif is_compressed(file) then
    file:close()
    return nil, ("%s: it is compressed; gzip -dc %s | raftbench view - shows it"):format(path, path)
  end
  local kind = log and "log" or kind_of(file)
  if kind == "log" then
    log = log or {}
    return logs.new(file, { name = path, report = report, match = log.match, form = log.form })
  end
  return setmetatable({
    file = file, decode = decode, report = report, problems = 0, passes = 0, is_unknown = not kind,
  }, Source)
end

function Source:complain(number, problem)
  if self.passes > 1 then
    return
  end
  self.problems = self.problems + 1
  if self.problems == 1 then
    self.first_number, self.first_problem = number, problem
  end
end

-- What could not be read, once it is known how much.
function Source:tell_problems()
  if self.passes > 1 or self.problems == 0 then
    return
  elseif self.problems == 1 then
    self.report(("line %d cannot be read: %s"):format(self.first_number, self.first_problem))
  else
    self.report(("%d lines cannot be read; the first is line %d: %s"):format(self.problems, self.first_number,
      self.first_problem))
  end
end

-- Fields that drawing relies on. Beyond what an integer holds, they are strings of digits in a line.
local numbers = {
  "node", "peer", "term", "index", "first", "last", "number", "sequence", "prev_index", "prev_term", "commit",
  "vote", "entries",
}
local texts = { "message", "role", "text", "what" }

-- What is wrong with an event's fields; nil: nothing.
local function check_fields(event)
  for position = 1, #numbers do
    local name = numbers[position]
    local value = event[name]
    if value ~= nil then
      if type(value) == "string" and value:find("^%d+$") then
        value = tonumber(value)
        event[name] = value
      end
      if type(value) ~= "number" or value < 0 or value % 1 ~= 0 then
        return "its " .. name .. " is not a whole number"
      end
    end
  end
  for position = 1, #texts do
    local value = event[texts[position]]
    if value ~= nil and type(value) ~= "string" then
      return "its " .. texts[position] .. " is not a string"
    end
  end
  event.node = event.node or 0
  return nil
end

local function read_event(self, text)
  local fine, event, problem = pcall(self.decode, text)
  if not fine then
    return nil, (tostring(event):gsub("^[^\n:]+:%d+: ", ""))
  elseif type(event) ~= "table" then
    return nil, type(problem) == "string" and problem or "it is not an event"
  elseif type(event.kind) ~= "string" or type(event.time) ~= "number" then
    return nil, "it is not an event (an object with time, node and kind)"
  elseif event.time % 1 ~= 0 then
    return nil, "its time is not a whole number of nanoseconds"
  end
  local wrong = check_fields(event)
  if wrong then
    return nil, wrong
  end
  return event
end

--- Begins at the start again.
-- @treturn function an iterator that returns one event after the other
function Source:events()
  self.passes = self.passes + 1
  assert(self.file:seek("set"))
  local lines, number = self.file:lines(), 0
  return function()
    while true do
      local text = lines()
      if not text then
        self:tell_problems()
        return nil
      end
      number = number + 1
      if text:find("%S") then
        local event, problem = read_event(self, text)
        if event then
          return event
        end
        self:complain(number, problem)
      end
    end
  end
end

--- Closes the file.
function Source:close()
  if self.file then
    self.file:close()
    self.file = nil
  end
end

return source
