--- Numbers for messages whose log has none: a receive gets that of the oldest send of equal words that has not come, or
-- of the last that has, as the network may repeat it; a loss that of the latest send on its link.
-- @module raft.view.numbers

local numbers = {}

local WAITING_MOST = 4096 -- sends of equal words on a link
local QUEUES_MOST = 4096 -- different words on a link; beyond, those before are forgotten

local Numbers = {}
Numbers.__index = Numbers

--- A fresh one.
-- @treturn table with `see`
function numbers.new()
  return setmetatable({ links = {}, latest = 0 }, Numbers)
end

local function words_of(event)
  return table.concat({ event.message or "", event.term or 0, event.index or 0, event.prev_index or 0,
    event.entries or 0, event.commit or 0, event.sequence or 0, event.reject and "no" or "yes" }, " ")
end

local function link_of(self, from, to)
  local key = ("%s>%s"):format(from, to or 0)
  local link = self.links[key]
  if not link then
    link = { queues = {}, count = 0 }
    self.links[key] = link
  end
  return link
end

local function send(self, event)
  self.latest = self.latest + 1
  event.number = self.latest
  local link = link_of(self, event.node, event.peer)
  local words = words_of(event)
  local queue = link.queues[words]
  if not queue or queue.last - queue.first >= WAITING_MOST then
    if link.count >= QUEUES_MOST then
      link.queues, link.count = {}, 0
    end
    queue = { first = 1, last = 0 }
    link.queues[words], link.count = queue, link.count + 1
  end
  queue.last = queue.last + 1
  queue[queue.last] = event.number
  link.latest, link.latest_queue = event.number, queue
end

local function receive(self, event)
  local queue = link_of(self, event.peer, event.node).queues[words_of(event)]
  if not queue then
    return
  elseif queue.first <= queue.last then
    queue.came = queue[queue.first]
    queue[queue.first] = nil
    queue.first = queue.first + 1
  end
  event.number = queue.came
end

local function drop(self, event)
  local link = link_of(self, event.node, event.peer)
  local queue = link.latest_queue
  event.number = link.latest
  if queue and queue.last >= queue.first and queue[queue.last] == link.latest then
    queue[queue.last] = nil
    queue.last = queue.last - 1
  end
end

--- Shows it the next event; it gets its number.
-- @tparam table event
function Numbers:see(event)
  if event.kind == "run" then
    self.links = {}
  elseif not event.peer then
    return
  elseif event.kind == "send" then
    send(self, event)
  elseif event.kind == "receive" then
    receive(self, event)
  elseif event.kind == "drop" then
    drop(self, event)
  end
end

return numbers
