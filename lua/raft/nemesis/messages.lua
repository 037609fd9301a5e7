--- Few messages, far: links are fast and in order, and one to three messages are held for long, or come once more then.
-- @module raft.nemesis.messages

local late = require "raft.nemesis.late"
local pick = require "raft.nemesis.pick"

local messages = {}

local KINDS = { "vote", "vote_response", "pre_vote_response", "append", "append", "append_response", "append_response",
  "snapshot", "snapshot_response", "timeout_now", "read", "read_response", "client_request", "client_answer" }

local function is_kind(value)
  for _, kind in ipairs(KINDS) do
    if kind == value then
      return true
    end
  end
  return value == "pre_vote"
end

local options = {
  target = true, by = { "seconds or {min, max}", "interval" },
  kind = { "a kind of message", is_kind },
}

-- One to three messages of a kind on one link, or of one node, or a few of many.
local function some(c, given, again)
  local stream = c.nemesis.stream
  local kind = given.kind or stream:random() < 0.8 and pick.one(c.nemesis, KINDS) or nil
  local how = {
    from = "*", to = "*", kind = kind, nth = stream:random(1, 5), count = stream:random(1, 3), again = again or nil,
    by = pick.between(c.nemesis, given.by or { 0.05, pick.one(c.nemesis, { 0.5, 1, 2, 5 }) }),
  }
  if kind == "client_request" then
    how.from = "client"
  elseif kind == "client_answer" then
    how.to = "client"
  end
  local where = stream:random(1, 4)
  if where == 1 and how.from == "*" then
    how.from = pick.target(c, given.target)
  elseif where == 2 and how.to == "*" then
    how.to = pick.target(c, given.target)
  elseif where == 3 then -- many, from all over
    how.count, how.gap = stream:random(5, 20), stream:random(5, 50)
  end
  late.set(c, how)
end

-- What is repeated holds nothing up, so that there may be many.
local function fault(again)
  return {
    options = options,
    start = function(c, given)
      local count = again and c.nemesis.stream:random(1, 8) or pick.chance(c.nemesis, 0.3) and 3 or 1
      for _ = 1, count do
        some(c, given, again)
      end
    end,
  }
end

messages.late_messages = fault(false)
messages.repeated_messages = fault(true) -- they come in time, and once more much later

return messages
