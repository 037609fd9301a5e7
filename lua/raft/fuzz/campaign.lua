--- A campaign: many seeds of one scenario in worker processes. It hands out seeds, adds up what they come to, and makes
-- a finding of a run that ends its worker or does not end.
--
-- One that ends at a failure ends at the lowest seed that fails, however many workers there are and whichever is done
-- first: the seeds below one that has failed are finished, those above it are given up.
--
-- It prints nothing.
-- @module raft.fuzz.campaign

local core = require "raft.core"
local failure = require "raft.failure"
local runs = require "raft.fuzz.runs"
local tally = require "raft.fuzz.tally"
local workers = require "raft.workers"

local campaign = {}

local AHEAD = 2 -- seeds that a worker has been sent and not run: it never waits for us
local LOOK_S = 0.2 -- how often at least we look around
local ANSWER_NS = 2e9 -- so long has a run to say where it was when it was ended
local DEATHS_MOST = 100 -- of workers that had no seed to blame

local Campaign = {}
Campaign.__index = Campaign

-- ---- seeds ------------------------------------------------------------------------------------

-- Whether it is still to be run.
local function is_wanted(self, seed)
  return seed <= self.given.last and not (self.lowest and seed >= self.lowest.seed)
end

local function has_seeds(self)
  return not self.is_ending and (#self.again > 0 or is_wanted(self, self.next))
end

-- The next seed of this shard.
local function next_seed(self)
  local seed = table.remove(self.again)
  if not seed then
    seed = self.next
    self.next = seed + self.given.shard[2]
  end
  return seed
end

local function feed(self, slot)
  while #slot.queue < AHEAD and has_seeds(self) do
    local seed = next_seed(self)
    slot.queue[#slot.queue + 1] = seed
    slot.worker:send(seed)
  end
end

-- Another worker takes over what this one was sent and has not begun.
local function hand_back(self, slot, begun)
  for position = #slot.queue, 1, -1 do
    local seed = slot.queue[position]
    if seed ~= begun and is_wanted(self, seed) then
      self.again[#self.again + 1] = seed
    end
  end
  slot.worker, slot.queue, slot.running = nil, {}, nil
end

-- ---- workers ----------------------------------------------------------------------------------

local function start(self, slot)
  local problem
  slot.worker, problem = workers.start(runs.worker(self.given))
  if not slot.worker then
    error(problem, 0)
  end
  slot.queue, slot.running, slot.begun_ns = {}, nil, nil
  feed(self, slot)
end

local function add(self, outcome)
  self.tally:add(outcome)
  self.tally.twice = self.tally.twice + (outcome.twice and 1 or 0)
end

local function tell(self, outcome)
  add(self, outcome)
  local finding, is_new = self.tally:fail(outcome.failure, outcome.seed)
  if is_new and self.given.tell_finding then
    self.given.tell_finding(finding)
  end
end

-- Gives up what is above the lowest seed that has failed.
local function narrow(self)
  if not self.lowest then
    return
  end
  local again = {}
  for _, seed in ipairs(self.again) do
    again[#again + 1] = is_wanted(self, seed) and seed or nil
  end
  self.again = again
  for _, slot in ipairs(self.slots) do
    if slot.worker and slot.queue[1] and not is_wanted(self, slot.queue[1]) then
      slot.worker:kill()
      hand_back(self, slot, slot.queue[1])
    end
  end
end

-- A run that failed. Where it may be that a lower seed fails too it is not told yet.
local function found(self, outcome)
  if self.given.keep_going then
    tell(self, outcome)
  elseif is_wanted(self, outcome.seed) then
    self.lowest = outcome
    narrow(self)
  end
end

local function take_outcome(self, slot, outcome)
  table.remove(slot.queue, 1)
  slot.running = nil
  if outcome.cannot then
    self.problem, self.is_ending = self.problem or outcome.cannot, true
    return
  end
  self.problems[#self.problems + 1] = outcome.problem
  if outcome.failure then
    found(self, outcome)
  else
    add(self, outcome)
    narrow(self)
  end
  if slot.worker then
    feed(self, slot)
  end
end

-- The worker has gone, and its seed with it.
local function lose(self, slot, what)
  local seed = slot.running
  hand_back(self, slot, seed)
  if seed then
    found(self, { seed = seed, stats = {}, failure = what })
  else
    self.deaths = self.deaths + 1
    if self.deaths > DEATHS_MOST then
      error("workers end before they begin: " .. what.text, 0)
    end
  end
end

local function take_event(self, event)
  local slot = self.by_worker[event.worker]
  if event.record and event.record.begun then
    slot.running, slot.begun_ns = event.record.begun, core.clock_ns()
  elseif event.record then
    take_outcome(self, slot, event.record)
  else
    lose(self, slot, failure.died(workers.how(event.ended), event.ended.text))
  end
end

-- Ends runs that take longer than anybody should wait for them: asked to, a run says where it was; if it does not
-- answer, its worker goes.
local function watch(self)
  local now_ns, patience_ns = core.clock_ns(), self.given.patience * 1e9
  for _, slot in ipairs(self.slots) do
    local run_ns = slot.running and now_ns - slot.begun_ns or 0
    if run_ns > patience_ns and slot.asked ~= slot.running then
      slot.asked = slot.running
      slot.worker:interrupt()
    elseif run_ns > patience_ns + ANSWER_NS then
      slot.worker:kill()
      local text = slot.worker:text()
      lose(self, slot, failure.hung(("the run did not end within %g s of real time%s"):format(self.given.patience,
        text:find "%S" and "; its process printed:\n" .. text:gsub("%s+$", "") or "")))
    end
  end
end

-- ---- the whole --------------------------------------------------------------------------------

local function is_busy(slot)
  return slot.worker and #slot.queue > 0
end

-- One look around; false: there is nothing left to wait for.
local function turn(self)
  local list = {}
  self.by_worker = {}
  for _, slot in ipairs(self.slots) do
    if not slot.worker and has_seeds(self) then
      start(self, slot)
    end
    if is_busy(slot) then
      list[#list + 1] = slot.worker
      self.by_worker[slot.worker] = slot
    end
  end
  if #list == 0 then
    return false
  end
  for _, event in ipairs(workers.wait(list, LOOK_S)) do
    if self.by_worker[event.worker].worker then
      take_event(self, event)
    end
  end
  watch(self)
  local now_ns = core.clock_ns()
  self.real_s = (now_ns - self.started_ns) / 1e9
  if core.signal() then
    self.interrupted, self.is_ending = true, true
  elseif self.given.time and self.real_s >= self.given.time then
    self.is_ending = true
  end
  if self.given.progress then
    self.given.progress(self)
  end
  return not self.is_ending
end

local function finish(self)
  for _, slot in ipairs(self.slots) do
    if slot.worker then
      slot.worker:kill()
    end
  end
  self.real_s = (core.clock_ns() - self.started_ns) / 1e9
  if self.lowest then
    tell(self, self.lowest)
  end
end

--- Runs a campaign.
-- @tparam table given `file`: a path or a scenario; `first`, `last`: seeds; `shard`: { position, of how many }; `jobs`;
-- `time`: real seconds at most, nil: no limit; `set`, `settings`: the scenario's, as words and parsed; `keep_going`:
-- false ends it at the lowest seed that fails; `patience`: real seconds that a run may take;
-- `events_most` that it may have; `replay`: function(seed) → command; `progress`: function(campaign), called several
-- times a second; `tell_finding`: function(finding), called for each new one
-- @treturn table { tally, real_s, interrupted, problem (why the scenario cannot be run), problems (of second runs),
-- lowest: the outcome of the lowest seed that has failed, of one that ends at a failure }
function campaign.run(given)
  local self = setmetatable({
    given = given, tally = tally.new(), slots = {}, again = {}, problems = {}, deaths = 0, real_s = 0,
    next = given.first + given.shard[1] - 1, started_ns = core.clock_ns(), is_ending = false,
  }, Campaign)
  for position = 1, given.jobs do
    self.slots[position] = {}
  end
  local fine, problem = pcall(function()
    while turn(self) do end -- luacheck: ignore 542
  end)
  finish(self)
  if not fine then
    error(problem, 0)
  end
  return self
end

return campaign
