--- Says of a candidate plan whether it still fails in the same way, within limits of time and of replays.
--
-- A candidate is tried under a few seeds: what was taken away lets the rest of the run take another course, and where
-- the fault is still there one of a few courses shows it.
-- @module raft.shrink.oracle

local failures = require "raft.failure"
local plans = require "raft.shrink.plan"

local oracle = {}

local Oracle = {}
Oracle.__index = Oracle

local LATER_NS = 1000 -- the run ends so much after the failure was seen

--- An oracle.
-- @tparam table options `failure` { property, key }, `write` function(plan) → text, `run` function(text, seed) →
-- failure or nil, time; `replays` and `seconds` at most; `clock` function() → real seconds
-- @treturn table
function oracle.new(options)
  return setmetatable({
    failure = options.failure, write = options.write, run = options.run, replays = 0, replays_most = options.replays,
    clock = options.clock, began = options.clock(), seconds = options.seconds, share = 1, progress = nil, others = {},
    known = {}, -- what was tried and did not fail so, by text and seed
  }, Oracle)
end

--- Sets the share of the limits that may be used so far.
-- @tparam number share from 0 to 1
function Oracle:allow(share)
  self.share = share
end

--- Whether the limits are reached.
-- @treturn boolean
function Oracle:is_spent()
  return self.replays >= self.replays_most * self.share or self.clock() - self.began >= self.seconds * self.share
end

-- The words of these hold what clients have said, and may show in other ways once there is less of it.
local wordy = { linearizability = true, ["machines answer alike"] = true }

--- Whether two runs failed alike.
-- @tparam ?table a failure
-- @tparam table b failure
-- @treturn boolean
function oracle.is_same(a, b)
  return failures.is_same(a, b) or a ~= nil and wordy[a.property] and a.property == b.property or false
end

-- Another failure is a find of its own: kept, not followed.
local function keep_other(self, failure, plan)
  local name = tostring(failure.property) .. ": " .. tostring(failure.key)
  if not self.others[name] then
    self.others[name] = { failure = failure, plan = plan }
    self.others[#self.others + 1] = self.others[name]
  end
end

-- What came after the failure had no part in it.
local function cut(plan, time)
  local ends_ns = time and math.floor(time * 1e9 + 0.5) + LATER_NS
  if not time or plan.tail and (plan.tail ~= "start" or ends_ns >= plan.ends_ns) then
    return plan
  end
  local workloads = {}
  for position, workload in ipairs(plan.workloads) do
    workloads[position] = plans.with(workload, {
      operations = plans.filter(workload.operations, function(operation)
        return operation.at * 1e9 <= ends_ns
      end),
    })
  end
  return plans.with(plan, {
    ends_ns = ends_ns, workloads = workloads,
    steps = plans.filter(plan.steps, function(step) return step.at_ns <= ends_ns end),
  })
end

-- One replay; the plan with this seed where it fails as it should.
local function replay(self, plan, written, seed)
  local name = seed .. " " .. written
  if self.known[name] or self:is_spent() then
    return nil
  end
  self.replays = self.replays + 1
  local failure, time = self.run(written, seed)
  if self.progress then
    self.progress()
  end
  if oracle.is_same(failure, self.failure) then
    return cut(plans.with(plan, { seed = seed, text = failure.text }), time)
  elseif failure then
    keep_other(self, failure, plan)
  end
  self.known[name] = true
  return nil
end

--- Tries a plan under its own seed and then others.
-- @tparam table plan
-- @tparam integer tries how many seeds
-- @tparam ?integer first 1: not under its own
-- @treturn ?table the plan with the seed that it fails under, and its end there; nil: it does not fail so
function Oracle:try(plan, tries, first)
  local written = self.write(plan)
  for attempt = first or 0, tries - 1 do
    local seed = attempt == 0 and plan.seed or attempt < plan.seed and attempt or attempt + 1
    local kept = replay(self, plan, written, seed)
    if kept then
      return kept
    end
  end
  return nil
end

return oracle
