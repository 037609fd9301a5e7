--- Ambushes as plain calls: what an ambush did to a node, and what it took back, at the times when it did. A script
-- with plain calls is easier to read, and each of them can be moved or made milder.
-- @module raft.shrink.ambushes

local plans = require "raft.shrink.plan"
local replay = require "raft.shrink.replay"
local workers = require "raft.workers"

local ambushes = {}

local HUNG_S = 20
local undo_of = { crash = "restart", pause = "resume", disconnect = "reconnect" }

local function is_ambush(step)
  return step.name == "ambush"
end

-- The calls that a plan's ambushes make.
local function calls_of(plan)
  local calls = {}
  for _, step in ipairs(plan.steps) do
    if is_ambush(step) then
      local act = step[1].act
      calls[act] = true
      calls[undo_of[act] or act] = true
    end
  end
  return calls
end

-- Whether a step of the plan's own made that call.
local function is_asked(plan, name, at_ns)
  for _, step in ipairs(plan.steps) do
    if step.name == name and step.at_ns == at_ns then
      return true
    end
  end
  return false
end

-- The calls that a plan's run made and that are none of its steps: those of its ambushes.
local function made_by_ambushes(plan)
  local answer = workers.call(function()
    local list, calls = {}, calls_of(plan)
    replay.run(plan, plan.seed, nil, nil, function(c)
      c:on({ kind = "fault" }, function(event)
        local name, at_ns = event.call:match "^%a+", c.core:now_ns()
        if calls[name] and event.node ~= 0 and not is_asked(plan, name, at_ns) then
          list[#list + 1] = { name = name, id = event.node, at_ns = at_ns + 1,
            is_forced = event.call:find("force", 1, true) ~= nil }
        end
      end)
    end)
    return list
  end, HUNG_S)
  return answer.value or {}
end

--- Puts plain calls in the place of ambushes, where the plan still fails with them.
-- @tparam table work
function ambushes.plain(work)
  local plan = work.plan
  local steps = plans.filter(plan.steps, function(step) return not is_ambush(step) end)
  if #steps == #plan.steps then
    return
  end
  for _, one in ipairs(made_by_ambushes(plan)) do
    local step = { name = one.name, count = 1, one.id, at_ns = one.at_ns, client = 0 }
    if one.is_forced then
      step[2], step.count = { force = true }, 2
    end
    steps[#steps + 1] = step
  end
  plans.pair_up(plans.sort_steps(steps))
  work:try(plans.with(plan, { steps = steps }))
end

return ambushes
