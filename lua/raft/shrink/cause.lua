--- Cause: at which event did a failure become likely? A shrunk run is done again up to the moment before each event
-- that means something (a fault, a vote, a new role, an append, a sync, a truncation, a commit, a snapshot) and goes on
-- with other random numbers, many times: in how many of these branches does it fail in the same way? Where the chance
-- jumps from one event to the next is the cause.
--
-- There are two curves. Inputs kept: what the script does later it does in each branch too; what is seen is what chance
-- decided. Inputs redrawn: later inputs come at other times and to other nodes; what is seen is when the failure was
-- bound to come whatever came next.
--
-- It judges chances and prints nothing. The branches are made elsewhere (raft.shrink.branches), many in one pass.
-- @module raft.shrink.cause

local core = require "raft.core"

local cause = {}

local FEW, BRANCHES = 12, 32 -- at first, and where chances are compared
local WITHOUT = 16 -- branches that lose a message
local MORE = 96 -- where so few tell nothing for sure
local COARSE = 12 -- moments that are looked at first
local WATCHED = 2 -- at each of them, of the branches that fail, to see at what event they do
local RISE = 0.25 -- between two moments is worth more branches
-- So much later may a branch fail.
local LONGER_NS = { 500000000, 200000000, 100000000, 50000000, 20000000, 10000000, 5000000 }
local HIGH = 0.3 -- a curve that begins higher is looked at again with less time
local AT_ONCE_NS = 2000 -- so much later at most is a failure still its last event's
local CERTAIN = 0.9 -- a curve that begins so high has no rise worth a look
local MANY = 0.5 -- of the branches that fail do so at one kind of event
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
  for _, part in ipairs(parts) do
    local kind = kind_of(part)
    self.ends[kind] = (self.ends[kind] or 0) + (seen[kind] and 0 or 1)
    seen[kind] = true
  end
  self.watched = self.watched + 1
end

-- One pass: branches `first` to `last` of each stop { step, first, last }, in order; what became of those of each stop
-- that there was time for.
function Search:pass(curve, stops, more)
  local asked = {
    stops = {}, failure = self.failure, is_redrawn = curve == "redrawn", until_ns = self.until_ns(curve),
    watched = more and more.watched or 0, lose = more and more.lose,
    ends_ns = self.plan.ends_ns + (self.plan.tail and 0 or self.longer_ns[curve]),
  }
  for place, stop in ipairs(stops) do
    local keys = {}
    for branch = stop.first, stop.last do
      keys[#keys + 1] = self.plan.seed + 1000003 * branch
    end
    asked.stops[place] = { step = stop.step, keys = keys }
  end
  local results = self.branches(asked)
  for _, outcomes in pairs(results) do -- sums: the order is no matter
    self.runs = self.runs + #outcomes
  end
  return results
end

local function count_failed(outcomes)
  local count = 0
  for _, outcome in ipairs(outcomes) do
    count = count + (outcome.is_failed and 1 or 0)
  end
  return count
end

function Search:is_spent(curve)
  return core.clock_ns() >= self.until_ns(curve)
end

-- The chances just before some moments, from that many branches each, on one of the curves.
function Search:look(curve, moments, most, watched)
  local list, stops = {}, {}
  for _, moment in ipairs(moments) do
    local known = moment[curve]
    if not known or known.all < most then
      list[#list + 1] = moment
    end
  end
  table.sort(list, function(a, b) return a.step < b.step end)
  for place, moment in ipairs(list) do
    stops[place] = { step = moment.step, first = (moment[curve] and moment[curve].all or 0) + 1, last = most }
  end
  for place, outcomes in pairs(#list > 0 and self:pass(curve, stops, { watched = watched }) or {}) do -- each on its own
    local known = list[place][curve]
    local count = count_failed(outcomes)
    list[place][curve] = cause.chance((known and known.count or 0) + count, most)
    self.failed = self.failed + count
    for _, outcome in ipairs(outcomes) do
      if outcome.last then
        self:remember(outcome.last)
      end
    end
  end
end

-- Where few branches cannot tell whether the chances before and after a gap differ: more.
function Search:settle(curve, gaps)
  local list, seen = {}, {}
  for _, gap in ipairs(gaps) do
    local a, b = self.moments[gap.first], self.moments[gap.last]
    local is_near = gap.last - gap.first <= 1
    if (is_near or not differ(a[curve], b[curve])) and math.abs(b[curve].chance - a[curve].chance) >= RISE then
      for _, moment in ipairs { a, b } do
        list[#list + 1] = not seen[moment] and moment or nil
        seen[moment] = true
      end
    end
  end
  self:look(curve, list, BRANCHES)
end

-- The gaps between some places that were looked at.
local function gaps_of(moments, places, curve)
  local gaps, before = {}, nil
  for _, place in ipairs(places) do
    if moments[place][curve] then
      gaps[#gaps + 1] = before and { first = before, last = place } or nil
      before = place
    end
  end
  return gaps
end

-- Halves the gaps whose ends' chances differ until one event is left of each.
function Search:narrow(curve, gaps)
  while #gaps > 0 and not self:is_spent(curve) do
    self:settle(curve, gaps)
    local middles, halves = {}, {}
    for _, gap in ipairs(gaps) do
      if gap.last - gap.first > 1 and differ(self.moments[gap.first][curve], self.moments[gap.last][curve]) then
        local middle = math.floor((gap.first + gap.last) / 2)
        middles[#middles + 1] = self.moments[middle]
        halves[#halves + 1] = { gap.first, middle, gap.last }
      end
    end
    self:look(curve, middles, FEW)
    gaps = {}
    for _, places in ipairs(halves) do
      for _, half in ipairs(gaps_of(self.moments, places, curve)) do
        gaps[#gaps + 1] = half
      end
    end
  end
end

-- So little time for a branch that not most fail from the beginning on: else only its end would be seen.
function Search:choose_time(curve)
  local first = self.moments[1]
  self.longer_ns[curve] = LONGER_NS[1]
  local outcomes = self:pass(curve, { { step = first.step, first = 1, last = FEW } })[1] or {}
  for _, longer_ns in ipairs(self.plan.tail and {} or LONGER_NS) do
    local count = 0
    for _, outcome in ipairs(outcomes) do -- one that ended its process did so nobody knows when
      local is_in_time = not outcome.time or outcome.time * 1e9 < self.plan.ends_ns + longer_ns + 1
      count = count + (outcome.is_failed and is_in_time and 1 or 0)
    end
    self.longer_ns[curve] = longer_ns
    if count <= HIGH * #outcomes then
      break
    end
  end
  self:look(curve, { first }, FEW)
end

-- Looks at moments all along, and closer where the chance changes.
function Search:follow(curve)
  self:choose_time(curve)
  local places, list = spread(1, #self.moments, COARSE), {}
  for number, place in ipairs(places) do
    list[number] = self.moments[place]
  end
  self:look(curve, list, FEW, WATCHED)
  self:narrow(curve, gaps_of(self.moments, places, curve))
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
  while last - first > 1 do
    local middle = math.floor((first + last) / 2)
    self:look(curve, { between[middle] }, BRANCHES)
    local chance = between[middle][curve]
    if not chance then -- the time is over
      return
    elseif chance.chance - jump.before < jump.after - chance.chance then
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
  if steepest then
    self:look(curve, { self.moments[steepest.first], self.moments[steepest.last] }, MORE)
    self:narrow(curve, { steepest })
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

-- The chance where the message that came at a step is lost, once; nil: none came, it was a client's, or the time is
-- over.
function Search:without(curve, step)
  local message = self:message_at(step)
  if not message or not message.lose then
    return nil
  end
  local outcomes = self:pass(curve, { { step = step, first = 1, last = WITHOUT } }, { lose = message.lose })[1]
  return outcomes and cause.chance(count_failed(outcomes), WITHOUT)
end

-- What most branches that failed had in their last step, as the run itself had: the message that came, and what
-- the node did with it.
function Search:ending()
  local last, words = self.moments[#self.moments - 1], {}
  -- Of a branch that ended its process it is not known; but it did so by the same assertion.
  local is_abort = self.failure.property == "abort"
  local all = is_abort and self.failed or self.watched
  local message, least = self:message_at(last.step), all
  local function add(text)
    local count = is_abort and all or self.ends[kind_of(text)] or 0
    if count >= MANY * all then
      words[#words + 1] = text
      least = math.min(least, count)
    end
  end
  local is_later = not is_abort and self.plan.ends_ns - last.time * 1e9 > AT_ONCE_NS
  if all == 0 or self.plan.tail or is_later then -- what is judged later fails at no event
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
    text = table.concat(words, ", "), count = least, all = all, time = last.time,
    without = self:without("kept", last.step),
  } or nil
end

-- Where the state of the node that failed came from; nil where it fails as soon without that snapshot.
function Search:origin(found)
  local message = found and found.message
  if not message or not self:message_at(message.step) or not self:message_at(message.step).lose then
    return found
  end
  local lose = self:message_at(message.step).lose
  local outcomes = self:pass("kept", { { step = message.step, first = 1, last = WITHOUT } }, { lose = lose })[1]
  local count = 0
  for _, outcome in ipairs(outcomes or {}) do -- later it is sent again
    local is_soon = not outcome.time or outcome.time * 1e9 <= self.plan.ends_ns + LONGER_NS[#LONGER_NS]
    count = count + (outcome.is_failed and is_soon and 1 or 0)
  end
  return count < WITHOUT and { node = found.node, from = found.from, events = found.events,
    without = outcomes and cause.chance(count, WITHOUT) } or nil
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
-- @tparam table given.plan that fails, or { seed, ends_ns } of a script that does
-- @tparam ?boolean given.is_script it has no inputs that could be redrawn
-- @tparam table given.failure
-- @tparam table given.moments list of { step, time, text, parts }, as raft.shrink.moments gives them
-- @tparam ?table given.received the same of each message that came
-- @tparam ?table given.origin of the state of the node that failed, as raft.shrink.origins gives it
-- @tparam function given.branches branches(asked) → for each stop in order what came of its branches, as
-- raft.shrink.branches gives it
-- @tparam function given.until_ns until_ns(curve) → when the time for this curve is over, on the real clock
-- @treturn table { moments, kept, redrawn, longer_ns, ending, origin, runs }: moments that were looked at have `kept`
-- and `redrawn`: { count, all, chance, low, high }, the last one is the failure itself; `kept` and `redrawn` are the
-- jumps of each curve { event, before, after, next, is_one_event, without }, the greatest first (a script has no
-- `redrawn`), `without`: the chance where the message that came at the event is lost; `longer_ns` of each curve: how
-- much later than the run a branch may fail; `ending`: { text, count, all, time, without }, the run's last events that
-- most of the branches that failed and were watched had too; `origin`: { node, from, events, without }
function cause.find(given)
  local search = setmetatable({
    plan = given.plan, failure = given.failure, moments = moments_of(given), branches = given.branches, runs = 0,
    received = given.received or {}, longer_ns = {}, until_ns = given.until_ns, ends = {}, failed = 0, watched = 0,
  }, Search)
  local kept, redrawn = search:jumps "kept", given.is_script and {} or search:jumps "redrawn"
  return {
    ending = search:ending(), origin = search:origin(given.origin), longer_ns = search.longer_ns,
    moments = search.moments, runs = search.runs, kept = kept, redrawn = not given.is_script and redrawn or nil,
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
  local function line(time, text, kept, kept_bar, redrawn, redrawn_bar)
    local second = found.redrawn and ("  %7s %-10s"):format(redrawn, redrawn_bar) or ""
    return (("%11s  %5s %-10s%s  %s"):format(time, kept, kept_bar, second, text):gsub("%s+$", ""))
  end
  local lines = { line("before", "", "kept", "", "redrawn", "") }
  for _, moment in ipairs(found.moments) do
    if moment.kept or found.redrawn and moment.redrawn then
      lines[#lines + 1] = line(("%.6f s"):format(moment.time), moment.text, cell(moment.kept), bar(moment.kept),
        cell(moment.redrawn), bar(moment.redrawn))
    end
  end
  return lines
end

return cause
