--- Cause: at which event did a failure become likely? A shrunk run is done again up to the moment before each event
-- that means something (a fault, a vote, a new role, an append, a sync, a truncation, a commit, a snapshot) and goes on
-- with other random numbers, many times: in how many of these branches does it fail in the same way? Where the chance
-- jumps from one event to the next is the cause.
--
-- There are two curves. Inputs kept: what the script does later it does in each branch too; what is seen is what chance
-- decided. Inputs redrawn: later inputs come at other times and to other nodes; what is seen is when the failure was
-- bound to come whatever came next.
--
-- It judges chances and prints nothing. The runs are a server's (raft.shrink.server).
-- @module raft.shrink.cause

local oracles = require "raft.shrink.oracle"

local cause = {}

local FEW, BRANCHES = 12, 32 -- at first, and where chances are compared
local WITHOUT = 16 -- branches that lose a message
local MORE = 96 -- where so few tell nothing for sure
local COARSE = 12 -- moments that are looked at first
local RISE = 0.25 -- between two moments is worth more branches
-- So much later may a branch fail.
local LONGER_NS = { 500000000, 200000000, 100000000, 50000000, 20000000, 10000000, 5000000 }
local HIGH = 0.3 -- a curve that begins higher is looked at again with less time
local CERTAIN = 0.9 -- a curve that begins so high has no rise worth a look
local MANY = 0.75 -- of the branches that fail do so at one kind of event
local Z = 1.96 -- 95 %
local BAR = 10 -- characters

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

local function kind_of(text)
  return (text:gsub(" %(.*", ""):gsub("%d[%d.,]*", "#"))
end

-- At what kinds of event a branch failed: their words without numbers.
function Search:remember(parts)
  local seen = {}
  for _, part in ipairs(parts or {}) do
    local kind = kind_of(part)
    self.ends[kind] = (self.ends[kind] or 0) + (seen[kind] and 0 or 1)
    seen[kind] = true
  end
  self.failed = self.failed + 1
end

-- One branch: whether it fails as the run did, and the last events that mean something.
function Search:fails(curve, step, branch, lose)
  local failure, last = self.run(self.written, self.plan.seed, {
    step = step, key = self.plan.seed + 1000003 * branch, is_redrawn = curve == "redrawn", lose = lose,
    ends_ns = self.plan.ends_ns + (self.plan.tail and 0 or self.longer_ns[curve]),
  })
  self.runs = self.runs + 1
  return oracles.is_same(failure, self.failure), last
end

-- The chance just before an event, from that many branches, on one of the curves.
function Search:look(curve, moment, branches)
  local known = moment[curve] or { count = 0, all = 0 }
  local count = known.count
  branches = math.max(known.all, branches or FEW)
  if known.all == branches then
    return known
  end
  for branch = known.all + 1, branches do
    local is_failed, last = self:fails(curve, moment.step, branch)
    if is_failed then
      count = count + 1
      self:remember(last)
    end
  end
  moment[curve] = cause.chance(count, branches)
  return moment[curve]
end

-- Whether the chances just before two moments differ, with more branches where few cannot tell.
function Search:differ(curve, first, last)
  local a, b = self.moments[first], self.moments[last]
  local before, after = self:look(curve, a), self:look(curve, b)
  local is_near = last - first <= 1
  if (is_near or not differ(before, after)) and math.abs(after.chance - before.chance) >= RISE then
    before, after = self:look(curve, a, BRANCHES), self:look(curve, b, BRANCHES)
  end
  return differ(before, after)
end

-- Halves the way between two moments whose chances differ until one event is left.
function Search:narrow(curve, first, last)
  if self.is_spent(curve) or not self:differ(curve, first, last) or last - first <= 1 then
    return
  end
  local middle = math.floor((first + last) / 2)
  self:look(curve, self.moments[middle])
  self:narrow(curve, first, middle)
  self:narrow(curve, middle, last)
end

-- So little time for a branch that not most fail from the beginning on: else only its end would be seen.
function Search:choose_time(curve)
  for _, longer_ns in ipairs(LONGER_NS) do
    self.longer_ns[curve] = longer_ns
    self.moments[1][curve] = nil
    if self:look(curve, self.moments[1]).chance <= HIGH or self.plan.tail or self.is_spent(curve) then
      return
    end
  end
end

-- Looks at moments all along, the ends first, and closer where the chance changes.
function Search:follow(curve)
  local all = #self.moments
  self:choose_time(curve)
  self:narrow(curve, 1, all)
  local places = spread(1, all, COARSE)
  for number, place in ipairs(places) do
    if not self.is_spent(curve) then
      self:look(curve, self.moments[place])
    elseif not self.moments[place][curve] then
      places[number] = false
    end
  end
  local before
  for _, place in ipairs(places) do
    if place and before then
      self:narrow(curve, before, place)
    end
    before = place or before
  end
end

-- The moments of a curve that were looked at.
local function seen_of(moments, curve)
  local seen = {}
  for place, moment in ipairs(moments) do
    if moment[curve] then
      seen[#seen + 1] = { place = place, moment = moment, chance = moment[curve] }
    end
  end
  return seen
end

local function is_greater(a, b)
  local rise_a, rise_b = a.after - a.before, b.after - b.before
  if rise_a ~= rise_b then
    return rise_a > rise_b
  end
  return a.event.step < b.event.step
end

-- Where the chance rises for sure between an event and the next that was looked at.
local function jumps_of(moments, curve)
  local seen, jumps = seen_of(moments, curve), {}
  for place = 1, #seen - 1 do
    local before, after = seen[place], seen[place + 1]
    if before.chance.high < after.chance.low then
      jumps[#jumps + 1] = {
        event = before.moment, before = before.chance.chance, after = after.chance.chance, next = after.moment,
        curve = curve, is_one_event = after.place == before.place + 1,
      }
    end
  end
  table.sort(jumps, is_greater)
  return jumps
end

-- Between an event and the next that means something messages came as well: the one at which it rises, where the rise
-- is not at the event itself.
function Search:pin(curve, jump)
  local low, high, between = jump.event, jump.next, {}
  for _, one in ipairs(self.received) do
    if one.step > low.step and one.step < high.step then
      between[#between + 1] = { step = one.step, time = one.time, text = one.text, parts = one.parts }
    end
  end
  local first, last = 0, #between + 1
  while last - first > 1 and not self.is_spent(curve) do
    local middle = math.floor((first + last) / 2)
    local chance = self:look(curve, between[middle], BRANCHES)
    if chance.chance - jump.before < jump.after - chance.chance then
      first, jump.event, jump.before = middle, between[middle], chance.chance
    else
      last, jump.next, jump.after = middle, between[middle], chance.chance
    end
  end
end

-- Where nothing rises for sure: more branches on both sides of the steepest rise, and closer there.
function Search:sharpen(curve)
  local seen, steepest = seen_of(self.moments, curve), nil
  if seen[1].chance.chance >= CERTAIN then
    return
  end
  for place = 1, #seen - 1 do
    local rise = seen[place + 1].chance.chance - seen[place].chance.chance
    if rise > 0 and (not steepest or rise > steepest.rise) then
      steepest = { rise = rise, first = seen[place].place, last = seen[place + 1].place }
    end
  end
  if steepest and not self.is_spent(curve) then
    self:look(curve, self.moments[steepest.first], MORE)
    self:look(curve, self.moments[steepest.last], MORE)
    self:narrow(curve, steepest.first, steepest.last)
  end
end

-- The jumps of one curve, the greatest first.
function Search:jumps(curve)
  self:follow(curve)
  if #jumps_of(self.moments, curve) == 0 then
    self:sharpen(curve)
  end
  local jumps = jumps_of(self.moments, curve)
  if jumps[1] and jumps[1].is_one_event then
    self:pin(curve, jumps[1])
    jumps[1].without = self:without(curve, jumps[1].event.step)
  end
  return jumps
end

--- A chance, from that many branches.
-- @tparam integer count
-- @tparam integer all
-- @treturn table { count, all, chance, low, high }
function cause.chance(count, all)
  local low, high = cause.interval(count, all)
  return { count = count, all = all, chance = count / all, low = low, high = high }
end

-- The message that came at a step; nil: none.
function Search:message_at(step)
  for _, one in ipairs(self.received) do
    if one.step == step then
      return one
    end
  end
end

-- The chance where the message that came at a step is lost, once; nil: none came, or it was a client's.
function Search:without(curve, step)
  local message = self:message_at(step)
  if not message or not message.lose or self.is_spent(curve) then
    return nil
  end
  local count = 0
  for branch = 1, WITHOUT do
    count = count + (self:fails(curve, step, branch, message.lose) and 1 or 0)
  end
  return cause.chance(count, WITHOUT)
end

-- What nearly all branches that failed had in their last step, as the run itself had: the message that came, and what
-- the node did with it.
function Search:ending()
  local last, words, least = self.moments[#self.moments - 1], {}, self.failed
  local message = self:message_at(last.step)
  local function add(text)
    -- Of a branch that ended its process it is not known; but it did so by the same assertion.
    local count = self.failure.property == "abort" and self.failed or self.ends[kind_of(text)] or 0
    if count >= MANY * self.failed then
      words[#words + 1] = text
      least = math.min(least, count)
    end
  end
  if self.failed == 0 or self.plan.tail then -- what is judged later fails at no event
    return nil
  end
  if message and message ~= last then
    add(message.text)
  end
  for _, text in ipairs(last.parts) do
    if not (message and text == message.text and #words > 0) then
      add(text)
    end
  end
  return #words > 0 and {
    text = table.concat(words, ", "), count = least, all = self.failed, time = last.time,
    without = self:without("kept", last.step),
  } or nil
end

local function moments_of(given)
  local moments = {}
  for place, moment in ipairs(given.moments) do
    moments[place] = { step = moment.step, time = moment.time, text = moment.text, parts = moment.parts }
  end
  local certain = cause.chance(BRANCHES, BRANCHES)
  certain.all = MORE -- no more is to be done
  moments[#moments + 1] = {
    step = math.huge, time = given.plan.ends_ns / 1e9, text = "the failure", parts = {},
    kept = certain, redrawn = certain,
  }
  return moments
end

--- Finds the events at which a failure became likely.
-- @tparam table given
-- @tparam table given.plan that fails, under its own seed
-- @tparam table given.failure
-- @tparam table given.moments list of { step, time, text, parts }, as raft.shrink.replay gives them
-- @tparam ?table given.received the same of each message that came
-- @tparam string given.written the plan as text
-- @tparam function given.run run(text, seed, branch) → failure or nil, and the last events that mean something
-- @tparam function given.is_spent is_spent(curve) → whether the time for this curve is over
-- @treturn table { moments, kept, redrawn, longer_ns, ending, runs }: moments that were looked at have `kept` and
-- `redrawn`: { count, all, chance, low, high }, the last one is the failure itself; `kept` and `redrawn` are the jumps
-- of each curve { event, before, after, next, is_one_event, without }, the greatest first, `without`: the chance where
-- the message that came at the event is lost; `longer_ns` of each curve: how much
-- later than the run a branch may fail; `ending`: { text, count, all, time, without }, the run's last events that
-- nearly all branches that failed had too
function cause.find(given)
  local search = setmetatable({
    plan = given.plan, failure = given.failure, moments = moments_of(given), run = given.run, runs = 0, ends = {},
    written = given.written, received = given.received or {}, longer_ns = {}, is_spent = given.is_spent, failed = 0,
  }, Search)
  local kept, redrawn = search:jumps "kept", search:jumps "redrawn"
  return {
    ending = search:ending(), longer_ns = search.longer_ns, moments = search.moments, runs = search.runs,
    kept = kept, redrawn = redrawn,
  }
end

local function percent(chance)
  return ("%.0f %%"):format(chance * 100)
end

--- A jump in words: "4 % before node 3 votes for 2; 97 % after".
-- @tparam table jump
-- @treturn string
function cause.words(jump)
  local event = jump.event
  local where = event.step == 0 and "from the beginning" or ("before %s (%.6f s)"):format(event.text, event.time)
  local is_plain = jump.is_one_event and event.step > 0
  return ("%s %s; %s %s"):format(percent(jump.before), where, percent(jump.after),
    is_plain and "after" or "before " .. jump.next.text)
end

local function cell(chance)
  return chance and percent(chance.chance) or ""
end

local function bar(chance)
  return ("#"):rep(math.floor((chance and chance.chance or 0) * BAR + 0.5))
end

--- The curves: a line for each moment that was looked at, how likely the failure was just before it.
-- @tparam table found as cause.find gives it
-- @treturn string[] lines
function cause.curve(found)
  local lines = { ("%11s  %5s %-10s  %7s %-10s"):format("before", "kept", "", "redrawn", "") }
  for _, moment in ipairs(found.moments) do
    if moment.kept or moment.redrawn then
      lines[#lines + 1] = ("%9.6f s  %5s %-10s  %7s %-10s  %s"):format(moment.time, cell(moment.kept), bar(moment.kept),
        cell(moment.redrawn), bar(moment.redrawn), moment.text)
    end
  end
  return lines
end

return cause
