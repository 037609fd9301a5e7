--- Cause: at which event did a failure become likely? A shrunk run is done again up to the moment before each event
-- that means something (a fault, a vote, a new role, a truncation, a commit, a snapshot) and goes on with other random
-- numbers, the inputs as they are, many times: in how many of these branches does it fail in the same way? Where the
-- chance jumps from one event to the next is the cause.
--
-- It judges chances and prints nothing. The runs are a server's (raft.shrink.server).
-- @module raft.shrink.cause

local oracles = require "raft.shrink.oracle"
local plans = require "raft.shrink.plan"

local cause = {}

local BRANCHES = 32
local COARSE = 20 -- moments that are looked at first
local LONGER_NS = 2000000000 -- so much longer than the failing run may a branch last
local Z = 1.96 -- 95 %

--- The Wilson interval of a chance, 95 %.
-- @tparam integer count how often it came
-- @tparam integer all
-- @treturn number low
-- @treturn number high
function cause.interval(count, all)
  local p, z2 = count / all, Z * Z
  local middle = (p + z2 / (2 * all)) / (1 + z2 / all)
  local half = Z / (1 + z2 / all) * math.sqrt(p * (1 - p) / all + z2 / (4 * all * all))
  return math.max(0, middle - half), math.min(1, middle + half)
end

-- Whether two chances differ for sure.
local function differ(a, b)
  return a.high < b.low or b.high < a.low
end

-- Up to `most` places from first to last, evenly.
local function spread(first, last, most)
  local list, count = {}, last - first + 1
  if count <= most then
    for place = first, last do
      list[#list + 1] = place
    end
    return list
  end
  for number = 0, most - 1 do
    list[#list + 1] = first + math.floor(number * (count - 1) / (most - 1) + 0.5)
  end
  return list
end

local Search = {}
Search.__index = Search

-- The chance just before an event, from that many branches.
function Search:look(place)
  local moment = self.moments[place]
  if moment.chance then
    return moment
  end
  local count = 0
  for branch = 1, BRANCHES do
    local key = self.plan.seed + 1000003 * branch
    local failure = self.run(self.written, self.plan.seed, { step = moment.step, key = key })
    self.runs = self.runs + 1
    count = count + (oracles.is_same(failure, self.failure) and 1 or 0)
  end
  moment.count, moment.chance = count, count / BRANCHES
  moment.low, moment.high = cause.interval(count, BRANCHES)
  return moment
end

-- Halves the way between two moments whose chances differ until one event is left.
function Search:narrow(first, last)
  if last - first <= 1 or self.is_spent() or not differ(self:look(first), self:look(last)) then
    return
  end
  local middle = math.floor((first + last) / 2)
  self:look(middle)
  self:narrow(first, middle)
  self:narrow(middle, last)
end

-- Where the chance rises for sure between an event and the next that was looked at.
local function jumps_of(moments)
  local seen, jumps = {}, {}
  for _, moment in ipairs(moments) do
    if moment.chance then
      seen[#seen + 1] = moment
    end
  end
  for place = 1, #seen - 1 do
    local before, after = seen[place], seen[place + 1]
    if before.high < after.low then
      jumps[#jumps + 1] = { event = before, before = before.chance, after = after.chance, next = after }
    end
  end
  table.sort(jumps, function(a, b)
    local rise_a, rise_b = a.after - a.before, b.after - b.before
    if rise_a ~= rise_b then
      return rise_a > rise_b
    end
    return a.event.step < b.event.step
  end)
  return jumps
end

--- Finds the events at which a failure became likely.
-- @tparam table given `plan`: that fails, under its own seed; `failure`; `moments`: list of { step, time, text }, as
-- raft.shrink.replay gives them; `write`: function(plan) → text; `run`: function(text, seed, branch) → failure or nil;
-- `is_spent`: function() → whether the time is over
-- @treturn table { moments, jumps, runs }: moments that were looked at have { count, chance, low, high }, the last one
-- is the failure itself; jumps are { event, before, after, next }, the greatest first
function cause.find(given)
  local plan = plans.with(given.plan, { ends_ns = given.plan.ends_ns + LONGER_NS })
  local search = setmetatable({
    plan = plan, failure = given.failure, moments = {}, run = given.run, runs = 0, written = given.write(plan),
    is_spent = given.is_spent,
  }, Search)
  for place, moment in ipairs(given.moments) do
    search.moments[place] = { step = moment.step, time = moment.time, text = moment.text }
  end
  search.moments[#search.moments + 1] = {
    step = math.huge, time = given.plan.ends_ns / 1e9, text = "the failure", chance = 1,
    count = BRANCHES, low = (cause.interval(BRANCHES, BRANCHES)), high = 1,
  }
  local places = spread(1, #search.moments, COARSE)
  for _, place in ipairs(places) do
    if not search.is_spent() then
      search:look(place)
    end
  end
  for number = 1, #places - 1 do
    if search.moments[places[number + 1]].chance and search.moments[places[number]].chance then
      search:narrow(places[number], places[number + 1])
    end
  end
  return { moments = search.moments, jumps = jumps_of(search.moments), runs = search.runs }
end

local function percent(chance)
  return ("%.0f %%"):format(chance * 100)
end

--- A jump in words: "4 % before node 3 votes for 2; 97 % after".
-- @tparam table jump
-- @treturn string
function cause.words(jump)
  return ("%s before %s (%.6f s); %s after"):format(percent(jump.before), jump.event.text, jump.event.time,
    percent(jump.after))
end

--- The curve: a line for each moment that was looked at.
-- @tparam table found as cause.find gives it
-- @treturn string[] lines
function cause.curve(found)
  local lines = {}
  for _, moment in ipairs(found.moments) do
    if moment.chance then
      local bar = ("#"):rep(math.floor(moment.chance * 20 + 0.5))
      lines[#lines + 1] = ("%9.6f s  %5s  %-20s  %s"):format(moment.time, percent(moment.chance), bar, moment.text)
    end
  end
  return lines
end

return cause
