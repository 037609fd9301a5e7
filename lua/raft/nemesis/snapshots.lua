--- Snapshots at bad times: they leave nothing of a log, and crashes meet them half-way.
-- @module raft.nemesis.snapshots

local ambush = require "raft.nemesis.ambush"
local pick = require "raft.nemesis.pick"

local snapshots = {}

-- Of one node, the leader, or all; waited for or not.
snapshots.compact = {
  options = { target = true },
  start = function(c, given)
    local which = given.target and 3 or c.nemesis.stream:random(1, 4)
    if which == 1 then
      c:compact("all", { timeout = 0.5 })
    elseif which == 2 then
      c:compact(pick.target(c, "leader"), { timeout = 0.001 })
    else
      c:compact(pick.target(c, given.target or "any"), { timeout = 1 })
    end
  end,
}

-- A follower is cut off until the others have nothing of the log left that it lacks; then `before(away)` is called, and
-- it is back. `apart`: seconds at most between two snapshots.
local function leave_behind(c, apart, before)
  local away = pick.target(c, "follower")
  c:disconnect(away)
  c:sleep(0.1 + c.nemesis.stream:random() * 0.6)
  for _, id in ipairs(pick.shuffled(c.nemesis)) do
    if id ~= away then
      c:compact(id, { timeout = 0.2 })
      c:sleep(apart * c.nemesis.stream:random())
    end
  end
  before(away)
  c:reconnect(away)
end

snapshots.left_behind = {
  options = {},
  start = function(c)
    leave_behind(c, 0, function() end)
  end,
}

-- While it is sent a snapshot another leads, and sends its own, which is of another index.
snapshots.two_snapshots = {
  options = {},
  start = function(c)
    leave_behind(c, 0.1, function(away)
      local stream = c.nemesis.stream
      c:link("*", away, { drop = 0.1 + stream:random() * 0.5, delay = { 0, 0.05 } }) -- so that it takes its time
      ambush.set(c, {
        kind = "receive", message = "snapshot", node = away, act = "campaign", who = "other",
        skip = stream:random(0, 4),
      })
    end)
  end,
}

-- A crash in the middle of taking a snapshot, of sending one, or right after it was installed.
snapshots.ambush_snapshot = {
  options = {},
  start = function(c)
    ambush.set(c, {
      kind = pick.one(c.nemesis, { "snapshot", "install", "restore", "install" }), act = "crash",
      back = c.nemesis.stream:random(), who = pick.chance(c.nemesis, 0.5) and "leader" or nil,
    })
    c:compact(pick.target(c, "any"), { timeout = 0.5 })
  end,
}

return snapshots
