--- Which events of a trace are routine: heartbeats, their answers and their losses. They are counted
-- for each node until the sum is taken, so that a diagram shows one row for hundreds of them.
--
-- It decides by the events alone and draws nothing.
-- @module raft.view.fold

local describe = require "raft.view.describe"

local fold = {}

local NUMBERS_MOST = 10000 -- messages under way that are remembered for one sender

local Fold = {}
Fold.__index = Fold

--- A fresh one for each run.
-- @treturn table
function fold.new()
  return setmetatable({ numbers = {}, acknowledged = {}, count = 0, nodes = {}, last = nil }, Fold)
end

local function counts(self, node)
  local sums = self.nodes[node]
  if not sums then
    sums = { sent = 0, heard = 0, answered = 0, lost = 0 }
    self.nodes[node] = sums
  end
  return sums
end

-- An answer that tells the leader nothing new.
local function is_idle_answer(self, event)
  if event.message ~= "append_response" or event.reject then
    return false
  end
  local peers = self.acknowledged[event.node]
  if not peers then
    peers = {}
    self.acknowledged[event.node] = peers
  end
  local before = peers[event.peer]
  peers[event.peer] = event.index or 0
  return before == (event.index or 0)
end

local function remember(self, event, name)
  if not event.number then
    return
  end
  local sent = self.numbers[event.node]
  if not sent or sent.count >= NUMBERS_MOST then
    sent = { count = 0 }
    self.numbers[event.node] = sent
  end
  sent[event.number] = name
  sent.count = sent.count + 1
end

local function recall(self, sender, number)
  local sent = number and self.numbers[sender]
  return sent and sent[number]
end

-- "heartbeat", "answer", or nil for what deserves a row of its own.
local function routine(self, event)
  if event.kind == "send" then
    local name = describe.is_heartbeat(event) and "heartbeat" or is_idle_answer(self, event) and "answer" or nil
    if name then
      remember(self, event, name)
    end
    return name
  elseif event.kind == "receive" then
    return recall(self, event.peer, event.number) or describe.is_heartbeat(event) and "heartbeat" or nil
  elseif event.kind == "drop" then
    return recall(self, event.node, event.number)
  end
  return nil
end

--- Sees an event that is not shown, so that what comes of it is known as routine.
-- @tparam table event the next of the run
function Fold:pass(event)
  routine(self, event)
end

--- Counts an event if it is routine.
-- @tparam table event the next of the run
-- @treturn boolean whether it was
function Fold:take(event)
  local name = routine(self, event)
  if not name then
    return false
  end
  local sums = counts(self, event.node)
  if event.kind == "drop" then
    sums.lost = sums.lost + 1
  elseif name == "heartbeat" then
    local field = event.kind == "send" and "sent" or "heard"
    sums[field] = sums[field] + 1
  else
    sums.answered = sums.answered + 1
  end
  self.count = self.count + 1
  self.last = event.time
  return true
end

--- What has been counted, in words, and begins to count anew.
-- @treturn table node -> text
-- @treturn number the time of the last event
function Fold:flush()
  local cells = {}
  for node, sums in pairs(self.nodes) do
    local parts = {}
    if sums.sent > 0 then
      parts[#parts + 1] = sums.sent .. " sent"
    end
    if sums.heard > 0 then
      parts[#parts + 1] = sums.heard .. " heard"
    end
    if sums.lost > 0 then
      parts[#parts + 1] = sums.lost .. " lost"
    end
    if #parts > 0 then
      cells[node] = "♥ " .. table.concat(parts, ", ")
    end
  end
  local last = self.last
  self.count, self.nodes, self.last = 0, {}, nil
  return cells, last
end

return fold
