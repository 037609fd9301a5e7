--- A campaign: many seeds of one scenario in worker processes. It hands out seeds, adds up what they come to, and makes
-- a finding of a run that ends its worker or does not end.
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

-- The next seed of this shard; nil: there is none.
local function next_seed(self)
  local again = table.remove(self.again)
  if again then
    return again
  end
  local seed = self.next
  if seed > self.given.last then
    return nil
  end
  self.next = seed + self.given.shard[2]
  return seed
end

local function feed(self, slot)
  while #slot.queue < AHEAD and not self.is_ending do
    local seed = next_seed(self)
    if not seed then
      return
    end
    slot.queue[#slot.queue + 1] = seed
    slot.worker:send(seed)
  end
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

local function found(self, what, seed)
  local finding, is_new = self.tally:fail(what, seed)
  self.first = self.first or finding
  self.is_ending = self.is_ending or not self.given.keep_going
  if is_new and self.given.tell_finding then
    self.given.tell_finding(finding)
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
  self.tally:add(outcome)
  self.tally.twice = self.tally.twice + (outcome.twice and 1 or 0)
  if outcome.failure then
    found(self, outcome.failure, outcome.seed)
  end
  feed(self, slot)
end

-- The worker has gone, and its seed with it; another takes over what it had not begun.
local function lose(self, slot, what)
  local seed = slot.running
  for position = #slot.queue, 1, -1 do
    if slot.queue[position] ~= seed then
      self.again[#self.again + 1] = slot.queue[position]
    end
  end
  slot.worker = nil
  if seed then
    self.tally:add { seed = seed, stats = {} }
    found(self, what, seed)
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
    if not slot.worker and not self.is_ending and (#self.again > 0 or self.next <= self.given.last) then
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
end

--- Runs a campaign.
-- @tparam table given `file`: a path or a scenario; `first`, `last`: seeds; `shard`: { position, of how many }; `jobs`;
-- `time`: real seconds at most, nil: no limit; `set`, `settings`: the scenario's, as words and parsed; `keep_going`:
-- false ends it at the first failure; `patience`: real seconds that a run may take; `events_most` that it may have;
-- `replay`: function(seed) → command; `progress`: function(campaign), called several times a second; `tell_finding`:
-- function(finding), called for each new one
-- @treturn table { tally, real_s, interrupted, problem (why the scenario cannot be run), problems (of second runs) }
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
