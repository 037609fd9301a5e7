--- Where a diagram's events come from: JSON lines in a file or on standard input, read as often as
-- the diagram needs them and never held in memory as a whole.
--
-- It reports lines that cannot be read, once, and goes on behind them. It does not know what events mean.
-- @module raft.view.source

local source = {}

local PROBLEMS_SHOWN = 10

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

--- Opens a trace.
-- @tparam string path a file, or `-` for standard input
-- @tparam function decode from one line's text to a table (it may raise, or return nil and a message)
-- @tparam function report called with a message for what cannot be read
-- @return a source; or nil and a message
function source.open(path, decode, report)
  local file, problem
  if path == "-" then
    file, problem = spool(io.stdin)
  else
    file, problem = io.open(path, "rb")
    if file then
      local _, read_problem = file:read(0)
      if read_problem then
        file:close()
        return nil, path .. ": " .. read_problem
      elseif not file:seek("set") then
        local pipe = file
        file, problem = spool(pipe)
        pipe:close()
      end
    end
  end
  if not file then
    return nil, problem
  end
  return setmetatable({ file = file, decode = decode, report = report, problems = 0, passes = 0 }, Source)
end

function Source:complain(number, problem)
  if self.passes > 1 then
    return
  end
  self.problems = self.problems + 1
  if self.problems <= PROBLEMS_SHOWN then
    self.report(string.format("line %d cannot be read: %s", number, problem))
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
    if type(value) == "string" and value:find("^%d+$") then
      value = tonumber(value)
      event[name] = value
    end
    if value ~= nil and (type(value) ~= "number" or value < 0 or value ~= math.floor(value)) then
      return "its " .. name .. " is not a whole number"
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
        if self.passes == 1 and self.problems > PROBLEMS_SHOWN then
          self.report(string.format("%d more lines cannot be read", self.problems - PROBLEMS_SHOWN))
        end
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
