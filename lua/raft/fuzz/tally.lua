--- What the runs of a campaign came to, added up: figures, goals, situations, and findings, each failure once.
--
-- Tallies of several shards add up to one. It runs nothing and prints nothing.
-- @module raft.fuzz.tally

local tally = {}

local SEEDS_KEPT = 20 -- of a failure that many seeds have
local RECENT = 100 -- seeds by which saturation is told
local SITUATIONS_MOST = 65536 -- kept; of more a part, by which their number is estimated

local sums = { "elections", "commits", "messages", "drops", "events", "faults", "undecided" }

local Tally = {}
Tally.__index = Tally

--- An empty one.
-- @treturn table { seeds, twice, time (virtual seconds), stats, goals = { name → seeds that reached it }, findings
-- (list), situations (the kept ones), kept (how many), level (one in 2^level is kept), recent (new situations of the
-- latest seeds) }
function tally.new()
  local self = {
    seeds = 0, twice = 0, time = 0, stats = {}, goals = {}, findings = {}, situations = {}, kept = 0, level = 0,
    recent = {},
  }
  for _, name in ipairs(sums) do
    self.stats[name] = 0
  end
  return setmetatable(self, Tally)
end

-- Whether a situation, 8 bytes, is among those that are kept: its last bits are all 0.
local function is_kept(one, level)
  local high, middle, low = one:byte(6, 8)
  return (high * 65536 + middle * 256 + low) % 2 ^ level == 0
end

-- Keeps half of them from now on.
local function thin(self)
  self.level, self.kept = self.level + 1, 0
  local left = {}
  for one in pairs(self.situations) do
    if is_kept(one, self.level) then
      left[one] = true
      self.kept = self.kept + 1
    end
  end
  self.situations = left
end

-- Situations, 8 bytes each: how many of them are new, as far as that is known.
local function add_situations(self, bytes)
  local new = 0
  for position = 1, #bytes, 8 do
    local one = bytes:sub(position, position + 7)
    if is_kept(one, self.level) and not self.situations[one] then
      self.situations[one] = true
      self.kept = self.kept + 1
      new = new + 2 ^ self.level
      if self.kept > SITUATIONS_MOST then
        thin(self)
      end
    end
  end
  return new
end

--- How many distinct situations there were.
-- @treturn integer
-- @treturn boolean whether that is an estimate
function Tally:situation_count()
  return math.floor(self.kept * 2 ^ self.level), self.level > 0
end

local function find(self, failure)
  for _, finding in ipairs(self.findings) do
    if finding.property == failure.property and finding.key == failure.key then
      return finding
    end
  end
end

-- Of an abort nobody knows when it came: it counts as late.
local function shorter(time, seed, than)
  time = time or math.huge
  local other = than.time or math.huge
  if time ~= other then
    return time < other
  end
  return seed < than.seed
end

-- The seed that shows it soonest stands for it.
local function show_by(finding, failure, seed)
  finding.text, finding.time, finding.nodes = failure.text, failure.time, failure.nodes
  finding.seed, finding.note = seed, failure.note
end

--- Adds a failure.
-- @tparam table failure as raft.failure has it, with `time`; `note` may say more
-- @tparam integer seed
-- @treturn table the finding { property, key, text, time, nodes, seed, note, count, seeds }
-- @treturn boolean whether it is a new one
function Tally:fail(failure, seed)
  local finding = find(self, failure)
  if not finding then
    finding = { property = failure.property, key = failure.key, count = 1, seeds = { seed } }
    self.findings[#self.findings + 1] = finding
    show_by(finding, failure, seed)
    return finding, true
  end
  finding.count = finding.count + 1
  if #finding.seeds < SEEDS_KEPT then
    finding.seeds[#finding.seeds + 1] = seed
  end
  if shorter(failure.time, seed, finding) then
    show_by(finding, failure, seed)
  end
  return finding, false
end

--- Adds a run.
-- @tparam table outcome as raft.fuzz.one gives it
function Tally:add(outcome)
  self.seeds = self.seeds + 1
  self.time = self.time + (outcome.time or 0)
  for _, name in ipairs(sums) do
    self.stats[name] = self.stats[name] + (outcome.stats[name] or 0)
  end
  for name, reached in pairs(outcome.goals or {}) do
    self.goals[name] = (self.goals[name] or 0) + (reached and 1 or 0)
  end
  self.recent[self.seeds % RECENT + 1] = add_situations(self, outcome.situations or "")
end

--- How many situations were new in the latest hundred seeds.
-- @treturn integer
function Tally:new_situations()
  local sum = 0
  for _, count in pairs(self.recent) do
    sum = sum + count
  end
  return math.floor(sum)
end

--- The goals by name, and those that no seed reached.
-- @treturn table list of { name, count }
-- @treturn table list of names
function Tally:goals_reached()
  local list, missed = {}, {}
  for name, count in pairs(self.goals) do
    list[#list + 1] = { name = name, count = count }
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  for _, goal in ipairs(list) do
    missed[#missed + 1] = goal.count == 0 and goal.name or nil
  end
  return list, missed
end

--- The findings, the ones that show soonest first.
-- @treturn table list
function Tally:sorted_findings()
  local list = {}
  for position, finding in ipairs(self.findings) do
    list[position] = finding
  end
  table.sort(list, function(a, b) return shorter(a.time, a.seed, b) end)
  return list
end

-- ---- results that are written and read again ------------------------------------------------------

--- The tally as a plain value.
-- @treturn table
function Tally:plain()
  local names = {}
  for one in pairs(self.situations) do
    names[#names + 1] = one
  end
  table.sort(names)
  return {
    seeds = self.seeds, twice = self.twice, time = self.time, stats = self.stats, goals = self.goals,
    findings = self:sorted_findings(), situations = table.concat(names), level = self.level,
    new_situations = self:new_situations(),
  }
end

--- Adds what `plain` gave, of another campaign of the same scenario.
-- @tparam table other
function Tally:merge(other)
  self.seeds, self.twice = self.seeds + other.seeds, self.twice + other.twice
  self.time = self.time + other.time
  for _, name in ipairs(sums) do
    self.stats[name] = self.stats[name] + (other.stats[name] or 0)
  end
  for name, count in pairs(other.goals) do
    self.goals[name] = (self.goals[name] or 0) + count
  end
  while self.level < other.level do
    thin(self)
  end
  add_situations(self, other.situations)
  self.recent[#self.recent + 1] = other.new_situations
  for _, theirs in ipairs(other.findings) do
    local ours, is_new = self:fail(theirs, theirs.seed)
    ours.count = ours.count - 1 + theirs.count
    if is_new then
      ours.seeds = {}
    end
    for _, seed in ipairs(theirs.seeds) do
      if #ours.seeds < SEEDS_KEPT and (is_new or seed ~= theirs.seed) then
        ours.seeds[#ours.seeds + 1] = seed
      end
    end
    ours.shrunk = ours.seed == theirs.seed and theirs.shrunk or ours.shrunk
  end
end

return tally
