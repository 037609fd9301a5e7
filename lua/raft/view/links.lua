--- What came of what: for a receive or a drop of a message, the send that it belongs to.
--
-- It is shown the events in order and remembers the sends whose message may still arrive: a message that came is
-- remembered for a while, as the network may deliver it again. Of each link it keeps a bounded number.
-- @module raft.view.links

local links = {}

local DELIVERED_MOST = 256 -- later sends of a link after which a message that came is forgotten
local SWEEP_LEAST = 1024 -- sends of a link that are remembered before it is looked which can be forgotten
local UNDELIVERED_MOST = 16384 -- of a link; beyond, the oldest are forgotten

local Links = {}
Links.__index = Links

--- A fresh one.
-- @treturn table with `see`
function links.new()
  return setmetatable({ of_sender = {}, directories = {} }, Links)
end

local function link_of(self, from, to)
  local peers = self.of_sender[from]
  if not peers then
    peers = {}
    self.of_sender[from] = peers
  end
  local link = peers[to]
  if not link then
    link = { queue = {}, first = 1, last = 0, numbers = {}, sweep_at = SWEEP_LEAST }
    peers[to] = link
  end
  return link
end

local function forget(link, send)
  local before = link.numbers[send.number]
  if before == send then
    link.numbers[send.number] = send.older
    return
  end
  while before and before.older ~= send do
    before = before.older
  end
  if before then
    before.older = send.older
  end
end

-- Forgets what came long ago, and the oldest where too many never came.
local function sweep(link)
  local kept, count, waiting = {}, 0, 0
  local delivered_from = link.last - DELIVERED_MOST
  for place = link.last, link.first, -1 do -- the newest first
    local send = link.queue[place]
    local stays
    if send.came then
      stays = place > delivered_from
    else
      waiting = waiting + 1
      stays = waiting <= UNDELIVERED_MOST
    end
    if stays then
      count = count + 1
      kept[count] = send
    else
      forget(link, send)
    end
  end
  local queue = {}
  for place = 1, count do
    queue[place] = kept[count + 1 - place]
  end
  link.queue, link.first, link.last, link.sweep_at = queue, 1, count, math.max(SWEEP_LEAST, 2 * count)
end

local function remember(self, position, event)
  local link = link_of(self, event.node, event.peer or 0)
  local send = {
    position = position, number = event.number, message = event.message, term = event.term, index = event.index,
    prev_index = event.prev_index, entries = event.entries, directory = self.directories[event.node],
    older = link.numbers[event.number],
    came = (event.peer or 0) == 0, -- what a client receives is not told
  }
  link.numbers[event.number] = send
  link.last = link.last + 1
  link.queue[link.last] = send
  if link.last >= link.sweep_at then
    sweep(link)
  end
end

-- Whether what arrived can be that message: a node that begins again may use a number again.
local function fits(send, event)
  if event.kind == "drop" then
    return event.message == nil or event.message == send.message
  end
  return event.message == send.message and event.term == send.term and event.index == send.index
    and event.prev_index == send.prev_index and event.entries == send.entries
    and (event.directory == nil or send.directory == nil or event.directory == send.directory)
end

local function find(self, from, to, event)
  local peers = self.of_sender[from]
  local link = peers and peers[to]
  local send = link and link.numbers[event.number]
  local waiting, again
  while send do
    if fits(send, event) then
      if not send.came then
        waiting = send -- the oldest that has not come yet
      end
      again = again or send
    end
    send = send.older
  end
  return waiting or again
end

--- Shows it the next event.
-- @param position what a send is to be known by: its place, as the caller counts, or anything else
-- @tparam table event as raft.view.source gives it
-- @return of a receive or a drop the position of its send; nil where that was not seen
function Links:see(position, event)
  local kind = event.kind
  if kind == "run" then
    self.of_sender, self.directories = {}, {}
  elseif kind == "start" then
    self.directories[event.node] = event.directory
  elseif not event.number then
    return nil
  elseif kind == "send" then
    remember(self, position, event)
  elseif kind == "receive" or kind == "drop" then
    local from, to = event.peer or 0, event.node
    if kind == "drop" then
      from, to = to, from
    end
    local send = find(self, from, to, event)
    if send then
      send.came = true
      return send.position
    end
  end
  return nil
end

return links
