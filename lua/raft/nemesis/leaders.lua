--- Leadership: elections that nobody needed, leaders that alternate, and leadership handed over, also where something
-- breaks meanwhile.
-- @module raft.nemesis.leaders

local pick = require "raft.nemesis.pick"

local leaders = {}

local function some_force(c)
  return pick.chance(c.nemesis, 0.5) and { force = true } or nil
end

leaders.campaign = {
  options = { target = true },
  start = function(c, given)
    c:campaign(pick.target(c, given.target or "any"), some_force(c))
  end,
}

-- Leaders that alternate faster than they can finish anything.
leaders.alternate = {
  options = {},
  start = function(c)
    local stream = c.nemesis.stream
    for _ = 1, stream:random(3, 12) do
      c:campaign(pick.target(c, "any"), { force = true })
      c:sleep(stream:random() * 0.06)
    end
  end,
}

-- To anybody, also to one that cannot lead or be reached; sometimes to several, one after the other.
leaders.transfer = {
  options = { target = true },
  start = function(c, given)
    local stream = c.nemesis.stream
    for _ = 1, pick.chance(c.nemesis, 1 / 3) and stream:random(2, 5) or 1 do
      c:transfer_leader(pick.target(c, given.target or "any"), { timeout = 0.1 + stream:random() * 0.8 })
    end
  end,
}

-- Something happens to the leader or to the target while leadership is handed over; or a second one is told to
-- campaign.
leaders.transfer_broken = {
  options = {},
  start = function(c)
    local stream = c.nemesis.stream
    local target = pick.target(c, "any")
    local victim = pick.chance(c.nemesis, 0.5) and target or pick.target(c, "leader")
    local act = pick.one(c.nemesis, { "crash", "pause", "disconnect", "campaign" })
    local other = pick.target(c, "any")
    c:after(stream:random() * 0.03, function()
      if act == "campaign" then
        c:campaign(other, { force = true })
      else
        c[act](c, victim)
      end
    end)
    c:transfer_leader(target, { timeout = 0.1 + stream:random() * 0.8 })
    c:sleep(0.03) -- it has happened by then
  end,
}

return leaders
