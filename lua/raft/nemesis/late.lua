--- A few messages that come far too late, or once more. Plain data, so that it can be recorded and done again; it
-- outlives the fault that asked for it.
-- @module raft.nemesis.late

local arguments = require "raft.arguments"
local effects = require "raft.nemesis.effects"
local hand = require "raft.nemesis.hand"

local late = {}

local WITHIN_S = 2

-- It takes no more messages; those that it has taken still come.
local function finish(nemesis, kept)
  local number = kept.late
  if number and not nemesis.cluster.core:is_closed() then
    effects.late(nemesis, kept)
    kept.late = nil
    nemesis.cluster.core:end_late(number)
  end
end

--- Has some messages come late.
-- @tparam table c the fault's hand
-- @tparam table how `from`, `to` (an id, "*" or "client"), `kind` (of message; nil: all), `nth`: the first of those
-- that match (1), `count`: so many of them (1), `gap`: so many are let pass between two (0), `by`: seconds, `again`:
-- they come in time too, `within`: seconds after which no more are taken (2)
function late.set(c, how)
  local nemesis = c.nemesis
  if c.is_over then
    return
  elseif nemesis.cluster.options.mode == "process" then
    nemesis:leave_out(c.kind, "messages between processes do not pass the script")
    return
  end
  local kept = hand.record(c, "late", 1, how)
  kept.action.had_effect = false
  kept.late = nemesis.cluster.core:late(how.from or "*", how.to or "*", how.kind, {
    by_ns = arguments.ns(how.by or 1), count = how.count or 1, skip = (how.nth or 1) - 1, gap = how.gap or 0,
    again = how.again or false,
  })
  nemesis.lates[#nemesis.lates + 1] = kept
  nemesis.cluster:after(how.within or WITHIN_S, function()
    finish(nemesis, kept)
  end)
end

--- Ends all.
-- @tparam table nemesis
function late.stop(nemesis)
  for _, kept in ipairs(nemesis.lates) do
    finish(nemesis, kept)
  end
end

return late
