--- `raftbench view --as shiviz`: a trace as a log with vector clocks, which ShiViz draws. A host for each node, and one
-- for what no node did; a clock holds its host's own count and, of what was received, the sender's. Runs stand behind a
-- delimiter with their names.
--
-- It goes through the events once, and leaves out what the table leaves out, unless all is asked for.
-- @module raft.view.shiviz

local choose = require "raft.view.choose"
local describe = require "raft.view.describe"
local display = require "raft.view.display"
local fold = require "raft.view.fold"
local links = require "raft.view.links"
local runs = require "raft.view.runs"

local shiviz = {}

local WORLD = "world" -- the host of what no node did
-- Two lines for an event. The second begins with a digit, as no event's words do, so that none is taken for it.
local PATTERN = [[(?<event>.*)\n(?<time>\d+\.\d+) (?<host>\S+) (?<clock>\{.*\})]]
local DELIMITER = "=== (?<trace>.*) ==="

local quiet = { write = true, sync = true, match = true }

local Writing = {}
Writing.__index = Writing

-- One line, in which the delimiter is not.
local function line_of(text)
  return (display.clean(text):gsub("===+", "=="))
end

local function host_of(self, id)
  return id == 0 and WORLD or "n" .. (runs.node_name(self.run, id):gsub("[^%w_.:@-]", "_"))
end

-- The name of the run that begins, which differs from those before it.
local function begin_run(self, event)
  self.run = runs.new(event, self.name)
  runs.take(self.run, event)
  local name = line_of(self.run.name)
  local count = (self.names[name] or 0) + 1
  self.names[name] = count
  self.head = ("=== %s ===\n"):format(count > 1 and ("%s (%d)"):format(name, count) or name)
  self.clocks, self.links, self.fold = {}, links.new(), fold.new()
end

local function words_of(event)
  if event.kind == "verdict" then
    local value = type(event.value) == "table" and event.value or {}
    local message = type(value.message) == "string" and value.message or ""
    return (value.passed == true and "passed" or "failed") .. (message ~= "" and ": " .. message or "")
  end
  return describe.banner(event)
end

function Writing:write_event(event, sender, sender_clock)
  if self.head then -- a run of which nothing is shown is not there: ShiViz takes none without events
    self.write(self.head)
    self.head = nil
  end
  local host = host_of(self, event.node)
  local clock = (self.clocks[host] or 0) + 1
  self.clocks[host] = clock
  local other = sender_clock and (',"%s":%d'):format(host_of(self, sender), sender_clock) or ""
  self.write(('%s\n%.6f %s {"%s":%d%s}\n'):format(line_of(words_of(event)), math.max(0, event.time) / self.scale, host,
    host, clock, other))
  return clock
end

function Writing:is_left_out(event)
  if self.all then
    return false
  elseif quiet[event.kind] and not self.choice:names_kind(event.kind) or self.fold:take(event) then
    self.left_out = self.left_out + 1
    return true
  end
  return false
end

function Writing:take(event)
  if event.kind == "run" then
    return
  elseif not self.choice:takes(event) then
    self.fold:pass(event)
    return
  elseif self:is_left_out(event) then
    return
  end
  -- What a send is known by is its place on the sender's clock, which is the next.
  local cause = self.links:see((self.clocks[host_of(self, event.node)] or 0) + 1, event)
  local is_arrow = cause and event.kind == "receive" and event.peer ~= event.node
  self:write_event(event, event.peer, is_arrow and cause or nil)
end

--- Writes a log of all runs.
-- @tparam function events as raft.view.forms has them
-- @tparam table options as raft.view.forms has them
-- @treturn integer how many events there are; 0: nothing was written
-- @treturn ?integer how many were asked for; nil: all
function shiviz.render(events, options)
  local choice = choose.new(options)
  local self = setmetatable({
    write = options.write, scale = options.scale or 1e9, all = options.all, choice = choice, names = {}, left_out = 0,
    name = options.name and options.name ~= "" and options.name or "run",
  }, Writing)
  local total, run = 0, nil
  for event in events() do
    if total == 0 then
      self.write(PATTERN .. "\n" .. DELIMITER .. "\n")
    end
    if runs.begins(run, event) then
      run = true
      begin_run(self, event)
    end
    total = total + 1
    self:take(event)
  end
  if self.left_out > 0 and options.tell then
    options.tell(("%d heartbeats, their answers, writes, syncs and matches are left out; --all writes each"):format(
      self.left_out))
  end
  return total, choice:total()
end

return shiviz
