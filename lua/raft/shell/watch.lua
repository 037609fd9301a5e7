--- What happens in a cluster, as lines for somebody who watches it: elections, crashes, faults, commits.
-- @module raft.shell.watch

local faults = require "raft.view.faults"
local show = require "raft.shell.show"

local watch = {}

local Watch = {}
Watch.__index = Watch

local KINDS = { "role", "start", "stop", "commit", "members", "fault", "install", "notice", "note", "violation" }

local WIDTH = 10000 -- on one line

local function ids(list)
  return table.concat(list or {}, ", ")
end

-- A role's name, as a sentence about the node that takes it; nil: nothing worth a line.
local roles = {
  leader = function(event)
    return ("LEADS term %d"):format(event.term or 0)
  end,
  candidate = function(event)
    return ("stands for election in term %d"):format(event.term or 0)
  end,
  follower = function(event, self)
    return self.leads[event.node] and ("leads no more (term %d)"):format(event.term or 0) or nil
  end,
  learner = function()
    return "is a learner"
  end,
}

local sentences = {
  role = function(event, self)
    local sentence = roles[event.role] and roles[event.role](event, self)
    self.leads[event.node] = event.role == "leader" or nil
    return sentence
  end,
  start = function(event)
    return event.last and ("starts, its log up to %d"):format(event.last) or "starts"
  end,
  stop = function(event, self)
    self.leads[event.node] = nil
    return event.reason == "crash" and "CRASHES" or "stops: " .. tostring(event.reason)
  end,
  members = function(event)
    local members = event.members
    local learners = #(members.learners or {}) > 0 and ", learners " .. ids(members.learners) or ""
    local old = #(members.voters_old or {}) > 0 and " (and, while joint, " .. ids(members.voters_old) .. ")" or ""
    return "has members " .. ids(members.voters) .. old .. learners
  end,
  install = function(event)
    return ("installs a snapshot of %d"):format(event.index)
  end,
  notice = function(event)
    return "drops something odd: " .. tostring(event.text)
  end,
  note = function(event)
    return "note: " .. tostring(event.text)
  end,
  violation = function(event)
    return "VIOLATION of " .. tostring(event.property)
  end,
}

-- What a call of the script's does shows in other events, for these.
local shown_otherwise = { crash = true, restart = true }

local function show_one(value)
  return show.value(value, WIDTH)
end

function sentences.fault(event)
  if shown_otherwise[event.call] then
    return nil
  end
  local text = faults.arguments(event.call, event.arguments, show_one)
  if not text and event.arguments ~= nil then
    text = show_one(event.arguments):gsub("^{ (.*) }$", "%1"):gsub("^{}$", "")
  end
  return ("%s(%s)"):format(tostring(event.call), text or "")
end

local function write(self, time, node, sentence)
  local who = node and node ~= 0 and ("node %d "):format(node) or ""
  self.write(("[%.6f] %s%s\n"):format(time, who, sentence))
end

--- Writes what was held back: commits, which are told together.
function Watch:flush()
  local commits = self.commits
  if commits then
    self.commits = nil
    local range = commits.first == commits.last and ("%d"):format(commits.last)
      or ("%d to %d"):format(commits.first, commits.last)
    write(self, commits.time, nil, ("committed: %s (first seen by node %d)"):format(range, commits.node))
  end
end

local function commit(self, event)
  if event.index <= self.committed then
    return -- told when the first node saw it
  end
  local first = self.committed + 1
  self.committed = event.index
  if self.commits and self.commits.node == event.node then
    self.commits.last = event.index
  else
    self:flush()
    self.commits = { first = first, last = event.index, node = event.node, time = event.time }
  end
end

--- Tells of one event.
-- @tparam table event
function Watch:event(event)
  if event.kind == "commit" then
    commit(self, event)
    return
  end
  local sentence = sentences[event.kind](event, self)
  if sentence then
    self:flush()
    write(self, event.time, event.node, sentence)
  end
end

--- Ends it.
function Watch:close()
  self:flush()
  if not self.cluster:is_closed() then
    self.cluster.core:off(self.reader)
  end
end

--- Begins to watch a cluster.
-- @param cluster
-- @tparam function write_line where lines go
-- @treturn table with `flush` and `close`
function watch.open(cluster, write_line)
  local self = setmetatable({ cluster = cluster, write = write_line, leads = {}, committed = 0 }, Watch)
  for _, status in ipairs(cluster:status()) do
    self.leads[status.id] = status.role == "leader" or nil
    self.committed = math.max(self.committed, status.commit or 0)
  end
  self.reader = cluster.core:on(KINDS, function(event)
    self:event(event)
  end)
  return self
end

return watch
