--- Readable logs as events: lines `time [id] message`, as --verbose prints them and as other people's programs do, and
-- what `go test -v` prints around them: a run for each test, with its verdict.
--
-- A sentence of ours becomes the event that it tells, any other message an event of kind "log" with its text, and with
-- role and term where the words tell them. The file is read once to know who is who, and again for each call of
-- `events`; what is kept of it are names and verdicts.
-- @module raft.view.logs

local display = require "raft.view.display"
local go_test = require "raft.view.go_test"
local log_pattern = require "raft.view.log_pattern"
local numbers = require "raft.view.numbers"
local roles = require "raft.view.log_roles"
local sentences = require "raft.view.sentences"

local logs = {}

local NAMES_MOST = 64 -- nodes; lines of others are told as notes
local SHOWN_MOST = 70 -- columns of a line that cannot be read
local LATE = log_pattern.DAY_NS / 2 -- a time of day that is so much earlier is of the next day

local Logs = {}
Logs.__index = Logs

local worlds = { ["-"] = true, TEST = true, test = true }

-- ---- who is who ---------------------------------------------------------------------------------------------

local function by_number(a, b)
  local x, y = tonumber(a), tonumber(b)
  if x and y and x ~= y then
    return x < y
  elseif (x == nil) ~= (y == nil) then
    return x ~= nil
  end
  return a < b
end

-- Ids that are whole numbers from 1 are the nodes' numbers. Others are names, and their places are the numbers.
local function settle_names(self, seen)
  local list, are_numbers = {}, true
  for id in pairs(seen) do
    list[#list + 1] = id
    are_numbers = are_numbers and id:find "^[1-9]%d*$" ~= nil and #id < 16
  end
  table.sort(list, by_number)
  self.nodes = {}
  for place, id in ipairs(list) do
    self.nodes[id] = are_numbers and tonumber(id) or place
  end
  self.names = not are_numbers and list or nil
end

local function take_apart(self, line)
  local text, id, message = self.match(line)
  if not text then
    return nil
  end
  local at, kind, day = log_pattern.time(text)
  return at and { at = at, kind = kind, day = day, text = text, id = id, message = message } or nil
end

-- ---- the first pass -----------------------------------------------------------------------------------------

local function complain(self, count, number, line)
  local text = display.clean(line)
  if display.width(text) > SHOWN_MOST then
    text = display.wrap(text, SHOWN_MOST)[1] .. "..."
  end
  if count == 1 then
    self.report(("line %d cannot be read, it is not of the form %s: %s"):format(number, self.form, text))
  else
    self.report(("%d lines cannot be read, they are not of the form %s; the first is line %d: %s"):format(count,
      self.form, number, text))
  end
end

local function scan(self)
  assert(self.file:seek "set")
  local tests, seen, count, number = go_test.new(), {}, 0, 0
  local wrong, wrong_at, wrong_line = 0, nil, nil
  for line in self.file:lines() do
    number = number + 1
    line = line:gsub("\r$", "")
    if not tests:take(line) and line:find "%S" then
      local found = take_apart(self, line)
      if not found then
        wrong, wrong_at, wrong_line = wrong + 1, wrong_at or number, wrong_line or line
      elseif not worlds[found.id] and not seen[found.id] and count < NAMES_MOST then
        seen[found.id], count = true, count + 1
      end
    end
  end
  settle_names(self, seen)
  self.verdicts = tests.runs
  if wrong > 0 then
    complain(self, wrong, wrong_at, wrong_line)
  end
end

-- ---- events -------------------------------------------------------------------------------------------------

local Reading = {}
Reading.__index = Reading

-- The time on the run's own clock: from its first line on, but seconds are taken as they are.
function Reading:clock(found)
  local at = found.at
  if found.kind == "seconds" then
    return at
  end
  self.first_day = self.first_day or found.day or 0
  if found.kind == "date" then
    at = at + (found.day - self.first_day) * log_pattern.DAY_NS
  elseif self.latest and at + self.days < self.latest - LATE then
    self.days = self.days + log_pattern.DAY_NS
  end
  at = at + self.days
  self.latest = at
  if not self.began then
    self.began, self.began_text = at, found.text
  end
  self.now = math.max(self.now or 0, at - self.began)
  return self.now
end

function Reading:put(event)
  self.queue[#self.queue + 1] = event
end

function Reading:end_run()
  if not self.run then
    return
  elseif self.run.result then
    self:put {
      kind = "verdict", node = 0, time = self.time or 0, text = self.run.name,
      value = { passed = self.run.result ~= "FAIL", message = self.run.message or "" },
    }
  end
  self.run = nil
end

-- A run that the log itself does not name as one of ours.
function Reading:begin_run(run, time)
  self:end_run()
  self.run, self.time = run, time
  self:put {
    kind = "run", node = 0, time = time, text = run.name,
    value = { is_log = true, names = self.logs.names, began = self.began_text },
  }
end

local function event_of(self, at, id, message)
  local node = worlds[id] and 0 or self.logs.nodes[id]
  local event
  if not node then
    return { kind = "note", node = 0, time = at, text = ("[%s] %s"):format(id, message) }
  elseif not self.logs.names then
    event = sentences.read(message, node)
  end
  if not event then
    event = { kind = node == 0 and "note" or "log", text = message }
    if node ~= 0 then
      event.role, event.term = roles.read(message)
    end
  end
  event.node, event.time = node, at
  return event
end

function Reading:log_line(found)
  local at = self:clock(found)
  local event = event_of(self, at, found.id, found.message)
  if self.pending then
    self:begin_run(self.pending, at)
    self.pending = nil
  elseif event.kind == "run" then
    self:end_run()
    self.run = { name = event.text } -- one of ours, whose verdict is a line of its own
  elseif not self.run then
    self:begin_run({ name = self.logs.name }, at)
  end
  self.numbers:see(event)
  self.time = at
  self:put(event)
end

function Reading:line(line)
  local what, run = self.tests:take(line)
  if what == "run" then
    if self.pending then -- a test without a line
      self:begin_run(self.pending, 0)
    end
    self:end_run()
    self.pending = self.logs.verdicts[run]
    self.began, self.began_text, self.now, self.latest, self.days, self.first_day = nil, nil, nil, nil, 0, nil
  elseif not what then
    local found = take_apart(self.logs, line)
    if found then
      self:log_line(found)
    end
  end
end

function Reading:finish()
  if self.pending then
    self:begin_run(self.pending, 0)
  end
  self:end_run()
end

--- Begins at the start again.
-- @treturn function an iterator that returns one event after the other
function Logs:events()
  if not self.nodes then
    scan(self)
  end
  assert(self.file:seek "set")
  local lines, place, is_over = self.file:lines(), 0, false
  local reading = setmetatable({ logs = self, tests = go_test.new(), numbers = numbers.new(), queue = {}, days = 0 },
    Reading)
  return function()
    while true do
      place = place + 1
      local event = reading.queue[place]
      if event then
        return event
      end
      reading.queue, place = {}, 0
      local line = not is_over and lines()
      if line then
        reading:line((line:gsub("\r$", "")))
      elseif is_over then
        return nil
      else
        is_over = true
        reading:finish()
      end
    end
  end
end

--- The number that a node's events have.
-- @tparam string id as the log has it
-- @treturn ?integer nil: there is no such node in it
function Logs:number_of(id)
  if not self.nodes then
    scan(self)
  end
  return self.nodes[id]
end

--- What the log calls its nodes.
-- @treturn table list of strings
function Logs:node_names()
  local list = {}
  for id in pairs(self.nodes) do
    list[#list + 1] = id
  end
  table.sort(list, by_number)
  return list
end

--- Closes the file.
function Logs:close()
  if self.file then
    self.file:close()
    self.file = nil
  end
end

--- A log.
-- @tparam file file that can be read again
-- @tparam table options `name` of a run that has none, `match` function of a line to time, id, message, as in
-- raft.view.log_pattern; `form` of a line, in words; `report` called with a message for what cannot be read
-- @treturn table with `events` and `close`
function logs.new(file, options)
  return setmetatable({
    file = file, name = options.name, match = options.match or log_pattern.plain, report = options.report,
    form = options.form or "time [id] message", is_log = true,
  }, Logs)
end

--- Whether a line is one of a readable log.
-- @tparam string line
-- @treturn boolean
function logs.is_line(line)
  local text = log_pattern.plain(line)
  return text ~= nil and log_pattern.time(text) ~= nil or line:find "^=== RUN%s+%S" ~= nil
end

return logs
