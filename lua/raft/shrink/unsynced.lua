--- What a node tells others before it is on its disk: a vote, its own candidacy, entries. It goes by the trace alone,
-- and judges nothing.
-- @module raft.shrink.unsynced

local unsynced = {}

local Disk = {}
Disk.__index = Disk

--- What is not synced in a run, so far as its events tell.
-- @treturn table
function unsynced.new()
  return setmetatable({ votes = {}, durable = {} }, Disk)
end

local notes = {}

function notes.start(disk, event)
  disk.votes[event.node], disk.durable[event.node] = nil, event.last or 0
end

function notes.vote(disk, event)
  disk.votes[event.node] = event.flag and true or nil
end

function notes.sync(disk, event)
  if event.what:find("state", 1, true) then
    disk.votes[event.node] = nil
  end
  if event.what:find("entries", 1, true) then
    disk.durable[event.node] = event.last
  end
end

function notes.truncate(disk, event)
  disk.durable[event.node] = math.min(disk.durable[event.node] or 0, event.first - 1)
end

function notes.install(disk, event)
  disk.durable[event.node] = math.max(disk.durable[event.node] or 0, event.index)
end

--- Takes notice of an event.
-- @tparam table event any
function Disk:note(event)
  local note = notes[event.kind]
  if note then
    note(self, event)
  end
end

--- What a message promises that is not synced, in words; nil: nothing.
-- @tparam table event
-- @treturn ?string
function Disk:unsafe(event)
  if event.kind ~= "send" or event.reject then
    return nil
  elseif event.message == "vote_response" and self.votes[event.node] then
    return ("answers %d with its vote, not synced"):format(event.peer)
  elseif event.message == "vote" and self.votes[event.node] then
    return "asks for votes, its own not synced"
  elseif event.message == "append_response" and (event.index or 0) > (self.durable[event.node] or 0) then
    return ("acknowledges %d, not synced"):format(event.index)
  end
  return nil
end

return unsynced
