--- What there is to see in a stretch of one run: for each node its life in pieces (role, term, down, paused, cut off),
-- messages with what became of them, marks at moments, and faults with how long they lasted.
--
-- It reads the run's events once, in order, and knows nothing of pictures. What is routine (heartbeats and their
-- answers) is left out unless it was asked for, but for the first that is lost on a link.
-- @module raft.view.scene

local describe = require "raft.view.describe"
local fold = require "raft.view.fold"
local links = require "raft.view.links"

local scene = {}

local Scene = {}
Scene.__index = Scene

local marks_of_kind = { vote = true, commit = true, truncate = true, snapshot = true, install = true, members = true,
  log = true }

local function new_node()
  return { pieces = {}, role = nil, term = nil, up = nil, why = nil, paused = false, cut = nil, since = nil }
end

--- A scene.
-- @tparam table stretch {nodes = list of ids, from, to (times of events), all = routine messages, too, choice}
-- @treturn table with `take` and `finish`
function scene.new(stretch)
  local self = setmetatable({
    from = stretch.from, to = stretch.to, all = stretch.all, choice = stretch.choice, ids = stretch.nodes,
    nodes = {}, messages = {}, marks = {}, faults = {}, open_faults = {}, sent = {}, lossy = {}, position = 0,
    left_out = 0, links = links.new(), fold = fold.new(),
  }, Scene)
  for _, id in ipairs(self.ids) do
    self.nodes[id] = new_node()
  end
  return self
end

-- ---- a node's life ------------------------------------------------------------------------------------------

-- Ends the piece of a node's life that goes on, if there is anything to tell of it.
local function close_piece(self, node, time)
  if node.up ~= nil and node.since and time > self.from and node.since < self.to and time > node.since then
    node.pieces[#node.pieces + 1] = {
      from = math.max(node.since, self.from), to = math.min(time, self.to), up = node.up, why = node.why,
      role = node.role, term = node.term, paused = node.paused, cut = node.cut,
    }
  end
  node.since = time
end

local function change(self, id, time, fields)
  local node = self.nodes[id]
  if not node then
    return
  end
  local differs = false
  for name, value in pairs(fields) do
    differs = differs or node[name] ~= value
  end
  if differs then
    close_piece(self, node, time)
    for name, value in pairs(fields) do
      node[name] = value
    end
  end
end

local function life(self, event)
  if event.kind == "start" then
    change(self, event.node, event.time, { up = true, role = "follower", term = event.term or 0, paused = false })
  elseif event.kind == "stop" then
    change(self, event.node, event.time, { up = false, why = event.text or "", paused = false })
  elseif event.kind == "role" then
    change(self, event.node, event.time, { up = true, role = event.role, term = event.term })
  elseif event.kind ~= "fault" and self.nodes[event.node] and self.nodes[event.node].up == nil then
    change(self, event.node, event.time, { up = true }) -- the trace begins later than the node did
  end
end

-- ---- faults that last ---------------------------------------------------------------------------------------

local function set_cut(self, id, time, why)
  change(self, id, time, { cut = why or false })
end

-- Who is in a group of a partition that is not the largest: each with the group's number; nodes in none are one more.
local function minority_of(self, groups)
  local group_of, sizes, largest = {}, { [0] = 0 }, 0
  for number, group in ipairs(groups) do
    for _, id in ipairs(type(group) == "table" and group or {}) do
      group_of[id] = number
    end
  end
  for _, id in ipairs(self.ids) do
    local number = group_of[id] or 0
    sizes[number] = (sizes[number] or 0) + 1
  end
  for number = 0, #groups do
    if (sizes[number] or 0) > sizes[largest] then
      largest = number
    end
  end
  return function(id)
    return (group_of[id] or 0) ~= largest
  end
end

local function end_faults(self, time, matches)
  for position = #self.open_faults, 1, -1 do
    local one = self.open_faults[position]
    if matches(one) then
      one.to = time
      table.remove(self.open_faults, position)
    end
  end
end

local lasting = { partition = true, disconnect = true, link = true, pause = true, disk = true, clock = true }

local ended_by = {
  heal = function(one) return one.call == "partition" or one.call == "disconnect" or one.call == "link" end,
  partition = function(one) return one.call == "partition" end,
}

-- What a call is about: a later one about the same replaces it.
local function subject_of(event, node)
  local value = type(event.value) == "table" and event.value or {}
  if event.text == "link" then
    return ("%s > %s"):format(tostring(value.from), tostring(value.to))
  end
  return ("%s %s"):format(event.text, tostring(node))
end

local replaced = { link = true, disk = true, clock = true }

local no_faults = { node = true, from = true, to = true, default = true }

local function has_faults(value)
  for name in pairs(value) do
    if not no_faults[name] then
      return true
    end
  end
  return false
end

local function ends(event, node)
  if replaced[event.text] then
    local subject = subject_of(event, node)
    return function(one)
      return one.call == event.text and (one.subject == subject or subject == "* > *")
    end
  elseif ended_by[event.text] then
    return ended_by[event.text]
  elseif event.text == "reconnect" then
    return function(one) return one.call == "disconnect" and one.node == node end
  elseif event.text == "resume" or event.text == "crash" then
    return function(one) return one.call == "pause" and one.node == node end
  end
  return nil
end

local function cuts(self, event, node)
  if event.text == "partition" and type(event.value) == "table" then
    local is_minority = minority_of(self, event.value)
    for _, id in ipairs(self.ids) do
      set_cut(self, id, event.time, is_minority(id) and "partition")
    end
  elseif event.text == "heal" then
    for _, id in ipairs(self.ids) do
      set_cut(self, id, event.time)
    end
  elseif event.text == "disconnect" or event.text == "reconnect" then
    set_cut(self, node, event.time, event.text == "disconnect" and "disconnect")
  elseif event.text == "pause" or event.text == "resume" then
    change(self, node, event.time, { paused = event.text == "pause" })
  end
end

local function first_id(value)
  return type(value) == "table" and type(value[1]) == "number" and value[1] or nil
end

local function fault(self, event)
  local value = type(event.value) == "table" and event.value or {}
  local node = event.node ~= 0 and event.node or first_id(event.value) or value.node
  local matches = ends(event, node)
  if matches then
    end_faults(self, event.time, matches)
  end
  cuts(self, event, node)
  local one = {
    call = event.text, node = node, from = event.time, subject = subject_of(event, node),
    text = describe.text(describe.phrase(event)):gsub("^▶ ", ""),
    lasts = lasting[event.text] and (not replaced[event.text] or has_faults(value)),
  }
  if one.lasts then
    self.open_faults[#self.open_faults + 1] = one
  end
  if self.choice:has_node(event.node) and (self.choice.kinds == nil or self.choice:names_kind "fault") then
    self.faults[#self.faults + 1] = one
  end
end

-- ---- messages -----------------------------------------------------------------------------------------------

-- A routine message is drawn where it is the first that its link loses since one came through.
local function is_drawn(self, message)
  if self.all or not message.routine then
    return true
  end
  return message.lost and message.first_lost
end

local function note_fate(self, message, event)
  local link = message.from .. ">" .. message.to
  if event.kind == "drop" then
    message.lost, message.lost_at, message.why = true, event.time, event.text
    message.first_lost = message.first_lost or not self.lossy[link]
    self.lossy[link] = true
  else
    message.came[#message.came + 1] = event.time
    self.lossy[link] = nil
  end
end

local function see_message(self, event)
  local routine = self.fold:take(event)
  local cause = self.links:see(self.position, event)
  if event.kind == "send" then
    local to = event.peer or 0
    if self.choice:is_within(event.time) and event.time >= self.from and event.time <= self.to
      and self.nodes[event.node] and self.nodes[to] and event.node ~= to
      and (self.choice.kinds == nil or self.choice:names_kind "send") then
      local message = { from = event.node, to = to, sent_at = event.time, event = event, routine = routine, came = {} }
      self.sent[self.position] = message
      self.messages[#self.messages + 1] = message
    end
  elseif cause and self.sent[cause] then
    note_fate(self, self.sent[cause], event)
  end
end

-- ---- marks --------------------------------------------------------------------------------------------------

local function mark(self, event)
  if event.time < self.from or event.time > self.to or not self.choice:has(event) then
    return
  elseif event.kind == "violation" or event.kind == "note" or marks_of_kind[event.kind] and self.nodes[event.node] then
    if self.nodes[event.node] then
      self.nodes[event.node].is_marked = true
    end
    self.marks[#self.marks + 1] = {
      kind = event.kind, node = event.node, time = event.time, event = event,
      text = describe.text(describe.phrase(event)), brief = describe.text(describe.phrase(event, true)),
    }
  end
end

--- Shows it the run's next event.
-- @tparam table event
function Scene:take(event)
  self.position = self.position + 1
  life(self, event)
  if event.kind == "fault" then
    fault(self, event)
  elseif event.kind == "send" or event.kind == "receive" or event.kind == "drop" then
    see_message(self, event)
  else
    self.links:see(self.position, event)
    mark(self, event)
  end
end

--- When each thing that is drawn happens or begins.
-- @treturn table list of times, in no order
function Scene:times()
  local times = {}
  for _, list in ipairs { self.messages, self.marks, self.faults } do
    for _, one in ipairs(list) do
      times[#times + 1] = one.sent_at or one.time or one.from
    end
  end
  for _, id in ipairs(self.ids) do
    for _, piece in ipairs(self.nodes[id].pieces) do
      times[#times + 1] = piece.from
    end
  end
  return times
end

-- Faults that the stretch has something of.
local function within(self, list)
  local kept = {}
  for _, one in ipairs(list) do
    local last = one.to or one.lasts and self.to or one.from
    if one.from <= self.to and last >= self.from then
      one.began, one.from, one.to = one.from >= self.from, math.max(one.from, self.from), math.min(last, self.to)
      kept[#kept + 1] = one
    end
  end
  return kept
end

--- All was shown.
-- @treturn table itself, with `nodes` (by id: {pieces}), `messages`, `marks`, `faults`, `left_out` routine messages
function Scene:finish()
  for _, id in ipairs(self.ids) do
    close_piece(self, self.nodes[id], math.max(self.to, self.nodes[id].since or self.to))
  end
  local kept = {}
  for _, message in ipairs(self.messages) do
    if is_drawn(self, message) then
      kept[#kept + 1] = message
    else
      self.left_out = self.left_out + 1
    end
  end
  self.messages, self.faults = kept, within(self, self.faults)
  return self
end

return scene
