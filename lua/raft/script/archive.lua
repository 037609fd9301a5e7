--- Calls in the order in which they were made: the latest as tables, those before as bytes, so that a record of a
-- million calls takes the room that their arguments need.
--
-- What has no bytes (functions, loops, what later calls speak of) stays a table.
-- @module raft.script.archive

local core = require "raft.core"

local archive = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local LATEST_MOST = 64 -- calls that are tables still: those that may become part of a loop
local POOL_MOST = 64

local AS_TABLE = "" -- the name of a call that is in `tables`

local Archive = {}
Archive.__index = Archive

--- An empty one.
-- @treturn table
function archive.new()
  return setmetatable({ bytes = core.record(), tables = {} }, Archive)
end

--- Adds a call that is a table, and may be changed no more.
-- @tparam table call
-- @treturn boolean whether it is kept as bytes: then nobody needs the table
function Archive:push(call)
  local is_plain = call.name and not (call.place or call.raised or call.interrupted or call.remark or call.number
    or call.end_steps or call.position)
  if is_plain and self.bytes:add(call.name, call.start_ns or 0, call.start_steps or 0, call.end_ns or 0,
    unpack(call, 1, call.count)) then
    return true
  end
  self.tables[#self.tables + 1] = call
  self.bytes:add(AS_TABLE, 0, 0, 0)
  return false
end

--- Adds a call of which nothing but its name and arguments matter, without a table.
-- @tparam string name
-- @treturn boolean false: it has to be a table
function Archive:add(name, ...)
  return self.bytes:add(name, 0, 0, 0, ...)
end

local function call_of(place, name, start_ns, start_steps, end_ns, count, ...)
  if place == nil then
    return nil
  elseif name == AS_TABLE then
    return place, nil
  end
  return place, { name = name, start_ns = start_ns, start_steps = start_steps, end_ns = end_ns, count = count, ... }
end

--- An iterator of the calls, the oldest first.
-- @treturn function
function Archive:each()
  local place, position = 0, 0
  return function()
    local next_place, call = call_of(self.bytes:read(place))
    if next_place == nil then
      return nil
    end
    place = next_place
    if call == nil then
      position = position + 1
      call = self.tables[position]
    end
    return call
  end
end

-- The older half of the latest calls become bytes; their tables are used again.
local function compact(recording)
  local calls, past, pool = recording.calls, recording.past, recording.pool
  local half = LATEST_MOST / 2
  for position = 1, half do
    local call = calls[position]
    if past:push(call) and #pool < POOL_MOST then
      for place = call.count, 1, -1 do
        call[place] = nil
      end
      pool[#pool + 1] = call
    end
  end
  local count = #calls
  for position = 1, count do
    calls[position] = calls[position + half]
  end
end

--- Keeps one more call.
-- @tparam table recording { calls = the latest, past = an archive, pool = tables to be used again }
-- @tparam table call
function archive.keep(recording, call)
  local calls = recording.calls
  calls[#calls + 1] = call
  if #calls > LATEST_MOST then
    compact(recording)
  end
end

--- All calls of a recording, the oldest first.
-- @tparam table recording
-- @treturn function an iterator
function archive.all(recording)
  local past, position = recording.past:each(), 0
  return function()
    local call = past and past()
    if call then
      return call
    end
    past, position = nil, position + 1
    return recording.calls[position]
  end
end

return archive
