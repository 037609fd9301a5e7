--- Pass 6: the network frozen. All messages take as long, election timers do not fire by themselves, and each election
-- of the run is a call, `c:campaign(id)` at its time. What is taken away then changes little of the rest, and other
-- seeds change nothing.
-- @module raft.shrink.freeze

local plans = require "raft.shrink.plan"
local replay = require "raft.shrink.replay"
local workers = require "raft.workers"

local freeze = {}

local HUNG_S = 20
local DELAY_S = 0.001
local LEAD_NS = 300000000

-- Whether a step of the plan's own makes that node stand just then.
local function is_asked(plan, at_ns, id)
  for _, step in ipairs(plan.steps) do
    if step.name == "campaign" and step[1] == id and math.abs(step.at_ns - at_ns) <= 1 then
      return true
    end
  end
  return false
end

-- The elections of a plan's run that timers began: who stood, and when.
local function elections(plan)
  local answer = workers.call(function()
    local list = {}
    replay.run(plan, plan.seed, nil, nil, function(c)
      local before = {}
      c:on({ kind = "role" }, function(event)
        local stands = event.role == "candidate" and before[event.node] ~= "pre_candidate"
        if event.role == "pre_candidate" or stands and plan.options.pre_vote == false then
          list[#list + 1] = { at_ns = c.core:now_ns(), id = event.node }
        end
        before[event.node] = event.role
      end)
    end)
    return list
  end, HUNG_S)
  return answer.value or {}
end

local function with_elections(plan)
  local steps = plans.shallow(plan.steps)
  for _, one in ipairs(elections(plan)) do
    if not is_asked(plan, one.at_ns, one.id) then
      steps[#steps + 1] = { name = "campaign", count = 1, one.id, at_ns = one.at_ns, client = 0, is_timer = true }
    end
  end
  return plans.with(plan, {
    steps = plans.sort_steps(steps), options = plans.with(plan.options, { election_timeout = math.huge }),
  })
end

local function with_delay(plan)
  return plans.with(plan, { options = plans.with(plan.options, { link = { delay = DELAY_S } }) })
end

--- Freezes the network as far as the plan still fails.
-- @tparam table work
function freeze.all(work)
  local plan = work.plan
  if plan.options.election_timeout == math.huge or plan.tail == "live" then
    return
  end
  local frozen = with_elections(plan)
  if not work:try(with_delay(frozen)) and not work:try(frozen) then
    work:try(with_delay(plan))
  end
end

--- A frozen plan whose elections stay calls, with delays of its own again.
-- @tparam table plan
-- @treturn table the plan itself where its delays are not fixed
function freeze.loosened(plan)
  if plan.options.election_timeout ~= math.huge or not plan.options.link then
    return plan
  end
  local options = plans.shallow(plan.options)
  options.link = nil
  return plans.with(plan, { options = options })
end

--- A frozen plan with timers and delays of its own again: what chance has in it.
-- @tparam table plan
-- @treturn table the plan itself where it is not frozen
function freeze.thawed(plan)
  if plan.options.election_timeout ~= math.huge then
    return plan
  end
  local options = plans.shallow(plan.options)
  options.election_timeout, options.link = nil, nil
  local steps = plans.filter(plan.steps, function(step) return not step.is_timer end)
  local late_ns = LEAD_NS -- until timers have made a leader
  return plans.retime(plans.with(plan, { options = options, steps = steps }), function(at_ns)
    return at_ns + late_ns
  end)
end

return freeze
