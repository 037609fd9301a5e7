--- What the passes work on: the smallest plan so far, and the oracle that judges candidates.
-- @module raft.shrink.work

local chunks = require "raft.shrink.chunks"
local plans = require "raft.shrink.plan"

local work = {}

local Work = {}
Work.__index = Work

local FEW = 10 -- steps
local TRIES_MOST = 8 -- network seeds for a candidate that has next to nothing
local LUCK = 6 -- other network seeds that tell whether others are any use
local TRIES_OF_LITTLE = 2 -- network seeds for a candidate that only makes the plan nicer

--- Begins.
-- @tparam table plan one that fails
-- @tparam table oracle
-- @treturn table
function work.new(plan, oracle)
  return setmetatable({ plan = plan, oracle = oracle, changed = false, tries = TRIES_OF_LITTLE, is_quick = true,
    is_rare = false }, Work)
end

-- Where timers and delays are fixed another seed changes next to nothing.
local function is_frozen(plan)
  return plan.options.election_timeout == math.huge and plan.options.link ~= nil
end

local function try(self, candidate, tries)
  local kept = self.oracle:try(candidate, self.is_quick and is_frozen(candidate) and 1 or tries)
  if kept then
    self.plan, self.changed = kept, true
  end
  return kept ~= nil
end

--- Takes a candidate over where it still fails.
-- @tparam table candidate
-- @tparam ?number share of the run that has gone: where that is much it is worth more tries, for the rest is quick
-- @treturn boolean
function Work:try(candidate, share)
  return try(self, candidate, self.is_rare and 1 or math.max(self.tries, math.floor((share or 0) * TRIES_MOST)))
end

--- Looks whether the plan fails under its own seed of the network alone: then others are no use for candidates either.
function Work:measure()
  self.is_rare = not is_frozen(self.plan) and not self.oracle:try(self.plan, LUCK, 1)
end

--- The same for one that has not less in it, but is milder or easier to read.
-- @tparam table candidate
-- @treturn boolean
function Work:try_nicer(candidate)
  return try(self, candidate, self.is_rare and 1 or TRIES_OF_LITTLE)
end

-- The plan without some steps, and without what ended those.
local function without(plan, is_gone)
  return plans.with(plan, {
    steps = plans.filter(plan.steps, function(step)
      return not is_gone(step) and not (step.undoes and is_gone(step.undoes))
    end),
  })
end

--- The plan without some steps, where it still fails; ends of what goes go along.
-- @tparam function is_gone is_gone(step)
-- @treturn boolean
function Work:try_without(is_gone)
  local candidate = without(self.plan, is_gone)
  return #candidate.steps < #self.plan.steps and self:try(candidate)
end

--- Removes steps of one kind in chunks.
-- @tparam function is_meant is_meant(step)
function Work:remove_steps(is_meant)
  local mine = plans.filter(self.plan.steps, is_meant)
  chunks.remove(mine, function(rest, share)
    local stays = {}
    for _, step in ipairs(rest) do
      stays[step] = true
    end
    local candidate = without(self.plan, function(step)
      return is_meant(step) and not stays[step]
    end)
    return #candidate.steps == #self.plan.steps or self:try(candidate, #mine > FEW and share / 2 or 0)
  end, function() return self.oracle:is_spent() end)
end

--- Removes operations of one workload in chunks.
-- @tparam integer place the workload's
-- @tparam ?integer replays at most: many operations go at once, and the last few are not worth what faults need
function Work:remove_operations(place, replays)
  local all, first = self.plan.workloads[place].operations, self.oracle.replays
  chunks.remove(all, function(rest)
    local stays = {}
    for _, operation in ipairs(rest) do
      stays[operation] = true
    end
    local workload = self.plan.workloads[place]
    local left = plans.filter(workload.operations, function(operation) return stays[operation] end)
    return #left == #workload.operations or self:try(plans.with_operations(self.plan, place, left))
  end, function() return self.oracle:is_spent() or replays ~= nil and self.oracle.replays - first >= replays end)
end

--- Puts another step in the place of one, where the plan still fails with it.
-- @tparam table old
-- @tparam table new
-- @treturn boolean
function Work:try_instead(old, new)
  local steps = {}
  for position, step in ipairs(self.plan.steps) do
    local one = step == old and new or step
    if one.undoes == old then
      one = plans.with(one, { undoes = new })
    end
    steps[position] = one
  end
  return self:try_nicer(plans.with(self.plan, { steps = steps }))
end

return work
