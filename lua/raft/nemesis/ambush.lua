--- An ambush: at the next event of a kind something is done to the node that it is of, in the same instant, and taken
-- back later. Plain data, so that it can be recorded and done again; it outlives the fault that laid it.
-- @module raft.nemesis.ambush

local effects = require "raft.nemesis.effects"
local hand = require "raft.nemesis.hand"

local ambush = {}

local WITHIN_S = 1

--- What can be done to the node.
ambush.acts = { crash = true, pause = true, disconnect = true, campaign = true }

-- By a hand of its own, which records nothing: the ambush is in the list, and will do it again.
local function take_back(nemesis, name)
  if nemesis.in_force[name] and not nemesis.is_over then
    local c = hand.new(nemesis, "ambush")
    c.is_recorded = false
    hand.take_back(c, { name })
  end
end

-- Whom it strikes: by an event of node `id`; nil: nobody.
local function victim(nemesis, who, id)
  local core = nemesis.cluster.core
  local leader = core:leader()
  if who ~= "other" then
    return who == "leader" and leader or id
  end
  for _, one in ipairs(core:ids()) do
    if one ~= id and one ~= leader and core:state(one) == "running" then
      return one
    end
  end
end

local function strike(nemesis, kept, how, id)
  if nemesis.cluster.core:state(id) == "running" then
    effects.seen(kept)
  end
  if how.act == "campaign" then
    nemesis.cluster:campaign(id, { force = true })
    return
  end
  local name = ("%s/%.0f"):format(how.act, id)
  hand.ended(nemesis, { name })
  hand.begun(nemesis, { name }, kept)
  nemesis.cluster[how.act](nemesis.cluster, id)
  nemesis.cluster:after(how.back, function()
    take_back(nemesis, name)
  end)
end

--- Lays an ambush.
-- @tparam table c the fault's hand
-- @tparam table how `kind` of event, `message`: its kind of message; `act`: "crash", "pause", "disconnect" or (without
-- pre-vote) "campaign"; `node` (nil: whichever it is); `who`: not that node is struck but "leader", the one that leads
-- then, or "other", one that is neither; `skip`: so many events are let pass; `within`: seconds after which it is given
-- up, 1 if not given; `back`: seconds after which the node is back
function ambush.set(c, how)
  local nemesis = c.nemesis
  if c.is_over then
    return
  end
  local kept = hand.record(c, "ambush", 1, how)
  kept.action.had_effect = false
  local skip, is_over, stop = how.skip or 0, false, nil
  stop = nemesis.cluster:on({ kind = how.kind, message = how.message, node = how.node }, function(event)
    local id = event.node
    if is_over or nemesis.is_over or id == 0 then
      return
    elseif skip > 0 then
      skip = skip - 1
      return
    end
    is_over = true
    stop()
    local struck = victim(nemesis, how.who, id)
    if struck then
      strike(nemesis, kept, how, struck)
    end
  end)
  nemesis.cluster:after(how.within or WITHIN_S, stop)
end

return ambush
