--- Branches of a plan's run: what comes of it where it goes on with other random numbers from a step of the world on.
--
-- A worker runs the plan up to each step that is asked for, in order. There its children, made by fork(2), go on
-- otherwise; it goes on to the next step itself. So what comes before is run once for all of them.
-- @module raft.shrink.branches

local core = require "raft.core"
local failures = require "raft.failure"
local moments = require "raft.shrink.moments"
local oracles = require "raft.shrink.oracle"
local replay = require "raft.shrink.replay"
local workers = require "raft.workers"

local branches = {}

local HUNG_S = 20 -- a branch that takes so long hangs
local DONE = {} -- raised where there is nothing more to do

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

-- Forks: in the child true, with what it is to do; else what the child came to.
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
  local outcomes, watched = {}, 0
  for place, key in ipairs(stop.keys) do
    if core.clock_ns() >= self.asked.until_ns then
      error(DONE, 0)
    end
    local is_child, outcome = self:fork(key, false)
    if not is_child and watched < self.asked.watched and oracles.is_same(outcome.failure, self.asked.failure) then
      watched = watched + 1
      is_child, outcome = self:fork(key, true)
    end
    if is_child then
      return true
    end
    outcomes[place] = {
      is_failed = oracles.is_same(outcome.failure, self.asked.failure), last = outcome.last, time = outcome.time,
    }
  end
  self.tell { stop = self.place, outcomes = outcomes }
  return false
end

-- After so many steps of the world: what a branch goes on with.
function Pass:reached(steps)
  local stop = self.asked.stops[self.place]
  while stop and steps >= stop.step do
    if self:fork_all(stop) then
      return self.branch
    end
    self.place = self.place + 1
    stop = self.asked.stops[self.place]
  end
  if not stop then
    error(DONE, 0)
  end
end

-- A branch has ended: it tells what it came to, and waits for its parent to end its process. To close its cluster would
-- take longer: all memory that it would free is still shared.
function Pass:ended(raised, time)
  if self.branch then
    local failure = raised ~= nil and failures.of(raised) or nil
    self.tell { failure = failure, time = time, last = self.last and self.last() }
    self.take()
  end
end

--- Runs a plan and branches of it, in a worker.
-- @tparam table plan
-- @tparam integer seed
-- @tparam table asked `stops`: list of { step, keys }, in order: after so many steps of the world a branch for each
-- key, which all that is drawn there depends on; `failure` that a branch may fail with; `ends_ns` of each branch;
-- `is_redrawn`, `lose`: as raft.shrink.replay takes them; `watched`: of so many branches of each step that fail it is
-- told what they did last; `until_ns`: of the real clock, when no other begins
-- @tparam function tell the worker's: of each step in order whose branches are all done it is told { stop = its place,
-- outcomes = list of { is_failed, time, last } }
-- @tparam function take the worker's
-- @treturn boolean false; true in a branch, whose process is to end
function branches.run(plan, seed, asked, tell, take)
  local pass = setmetatable({ asked = asked, tell = tell, take = take, place = 1 }, Pass)
  replay.run(plan, seed, nil, {
    reached = function(steps) return pass:reached(steps) end,
    ended = function(raised, time) pass:ended(raised, time) end,
    is_redrawn = asked.is_redrawn, ends_ns = asked.ends_ns, lose = asked.lose,
  }, function(c)
    if asked.watched > 0 then
      pass.last, pass.stop_watching = moments.latest(c)
    end
  end)
  return pass.branch ~= nil
end

return branches
