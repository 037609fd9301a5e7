--- Branches of a run: what comes of it where it goes on with other random numbers from a step of the world on.
--
-- A worker runs it up to each step that is asked for, in order. There its children, made by fork(2), go on otherwise;
-- it goes on to the next step itself. So what comes before is run once for all of them.
-- @module raft.shrink.branches

local core = require "raft.core"
local failures = require "raft.failure"
local moments = require "raft.shrink.moments"
local oracles = require "raft.shrink.oracle"
local workers = require "raft.workers"

local branches = {}

local HUNG_S = 20 -- a branch that takes so long hangs

-- ---- in the worker ----------------------------------------------------------------------------------------------

-- What a branch came to: { failure, time, last }.
local function outcome_of(child)
  local events = workers.wait({ child }, HUNG_S)
  local first = events[1]
  child:kill()
  if not first then
    return { failure = failures.hung(("no end within %d s of real time"):format(HUNG_S)) }
  end
  return first.record or { failure = failures.died(workers.how(first.ended), first.ended.text) }
end

local Pass = {}
Pass.__index = Pass

-- Nothing more is to be told: the parent ends this process. To unwind what runs here would take longer, and a script
-- might not let itself be.
function Pass:wait_for_end()
  self.take()
  os.exit(1) -- nobody is left
end

-- Forks: true in the child, which knows what it is to do then; else what the child came to.
function Pass:fork(key, is_watched)
  local child, problem = workers.fork()
  if child == false then
    self.branch = { key = key }
    if not is_watched and self.stop_watching then
      self.stop_watching()
      self.last = nil
    end
    return true
  elseif not child then
    error(problem, 0)
  end
  return false, outcome_of(child)
end

-- All branches of one step; true in one of them.
function Pass:fork_all(stop)
  local asked, outcomes, watched = self.asked, {}, 0
  for place, key in ipairs(stop.keys) do
    if core.clock_ns() >= asked.until_ns then
      self.tell { is_done = true }
      self:wait_for_end()
    end
    local is_child, outcome = self:fork(key, false)
    if not is_child and watched < asked.watched and oracles.is_same(outcome.failure, asked.failure) then
      watched = watched + 1
      is_child, outcome = self:fork(key, true)
    end
    if is_child then
      return true
    end
    outcomes[place] = {
      is_failed = oracles.is_same(outcome.failure, asked.failure), last = outcome.last, time = outcome.time,
    }
  end
  self.tell { stop = self.place, outcomes = outcomes }
  return false
end

-- After so many steps of the world: what a branch goes on with.
function Pass:reached(steps)
  local stop = self.asked.stops[self.place]
  while steps >= stop.step do
    if self:fork_all(stop) then
      return self.branch
    end
    self.place = self.place + 1
    stop = self.asked.stops[self.place]
    if not stop then
      self.tell { is_done = true }
      self:wait_for_end()
    end
  end
end

-- It has ended; one that is no branch before all its steps had come.
function Pass:ended(failure, time)
  if self.branch then
    self.tell { failure = failure, time = time, last = self.last and self.last() }
    self:wait_for_end()
  end
end

local function run_all(run, asked, tell, take)
  local pass = setmetatable({ asked = asked, tell = tell, take = take, place = 1 }, Pass)
  run {
    is_redrawn = asked.is_redrawn, ends_ns = asked.ends_ns, lose = asked.lose,
    begin = function(c)
      if asked.watched > 0 then
        pass.last, pass.stop_watching = moments.latest(c)
      end
    end,
    reached = function(steps) return pass:reached(steps) end,
    ended = function(failure, time) pass:ended(failure, time) end,
  }
end

-- ---- in the parent ----------------------------------------------------------------------------------------------

--- Runs branches of a run.
-- @tparam function run as raft.shrink.runs gives it
-- @tparam table asked `stops`: list of { step, keys }, in order: after so many steps of the world a branch for each
-- key, which all that is drawn there depends on; `failure` that a branch may fail with; `ends_ns` of each branch;
-- `is_redrawn`, `lose`: as `run` takes them; `watched`: of so many branches of each step that fail it is told what they
-- did last; `until_ns`: of the real clock, when no other begins
-- @treturn table for each stop in order: list of { is_failed, time, last }, `time` nil where its process ended; as many
-- as there was time for
function branches.run(run, asked)
  local worker, problem = workers.start(function(tell, take) run_all(run, asked, tell, take) end)
  if not worker then
    error(problem, 0)
  end
  local list, is_over = {}, false
  while not is_over do
    local events = workers.wait({ worker }, math.max(0, asked.until_ns - core.clock_ns()) / 1e9 + HUNG_S)
    is_over = #events == 0
    for _, event in ipairs(events) do
      if event.ended or event.record.is_done then
        is_over = true
      else
        list[event.record.stop] = event.record.outcomes
      end
    end
  end
  worker:kill()
  return list
end

return branches
