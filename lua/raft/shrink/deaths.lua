--- Runs that end their process (an assertion of the core's, a crash): what they had done until then. The run is done
-- again in children, each of which stops it after so many events of the world, until one is found that stops it just
-- before.
-- @module raft.shrink.deaths

local failures = require "raft.failure"
local plans = require "raft.shrink.plan"
local workers = require "raft.workers"

local deaths = {}

local HUNG_S = 60
local FIRST, FACTOR = 1000, 4
local NEAR = 10 -- events before its end

-- The run in a child, with so many events at most: what it has told, or how it died.
local function attempt(record, writer, events_most)
  return workers.call(function()
    local failure, recorded = record(events_most)
    if not failure or not recorded then
      return {}
    end
    local plan = plans.new(recorded, failure)
    plan.options = {} -- the parent has them, functions too
    return { plan = writer:plan(plan), stopped = failure.property == "hang" }
  end, HUNG_S)
end

--- What a run did until it ended its process.
-- @tparam function record record(events_most) → failure, recorded, as shrink.record gives them
-- @tparam table writer of raft.shrink.text
-- @treturn ?table failure; nil: it does not end its process
-- @treturn ?table plan
function deaths.find(record, writer)
  local whole = attempt(record, writer, math.huge)
  if not whole.died then
    return nil
  end
  local failure = failures.died(whole.died, whole.text)
  local _, recorded = record(1) -- here: its options
  local lives, dies, plan = 1, FIRST, nil
  while true do
    local answer = attempt(record, writer, dies)
    if not (answer.value and answer.value.stopped) then
      break
    end
    lives, dies, plan = dies, dies * FACTOR, answer.value.plan
  end
  while dies - lives > NEAR do
    local middle = math.floor((lives + dies) / 2)
    local answer = attempt(record, writer, middle)
    if answer.value and answer.value.stopped then
      lives, plan = middle, answer.value.plan
    else
      dies = middle
    end
  end
  if not plan or not recorded then
    return failure
  end
  plan = writer:read(plan)
  plans.pair_up(plan.steps)
  return failure, plans.with(plan, {
    options = plans.options_of(recorded), seed = recorded.cluster.options.seed, tail = false,
  })
end

return deaths
