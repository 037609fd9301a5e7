--- Swarm: which faults of a list a run has at all, how likely each is, whom it strikes, how often they come and how
-- long they last is drawn for each run. Faults suppress each other: a run that has few of them sees what one that has
-- all never sees.
-- @module raft.nemesis.swarm

local swarm = {}

--- What is drawn from where no faults are given: all that there are, by subject.
swarm.stock = {
  { mix = {
    { "partition", weight = 4 }, { "partition", shape = "leader_alone" }, { "partition", shape = "leader_minority" },
    { "partition", shape = "longest_log" }, { "partition", shape = "one_way" },
    { "partition", shape = "leader_link", weight = 2 },
  }, weight = 3 },
  { mix = {
    { "crash", weight = 2 }, { "crash", count = "some" }, "restart", "power_cut", "rolling_restart",
    { "ambush", weight = 2 },
  }, weight = 3 },
  { mix = { "pause", { "pause", count = "some" } } },
  { mix = { "flaky_links", "slow_link", "late_answers", "lost_answers", "repeated_requests", "lost_window" } },
  -- Few and far, beside all else: what was sent in the beginning may come again when the log has been compacted.
  { mix = { "late_messages", "repeated_messages" }, every = { 0, 1.5 } },
  { mix = { "clock", "drift" } },
  { mix = { "slow_disk", "stalled_disk", "full_disk", "failing_disk" }, weight = 2 },
  { "torn_writes", every = { 0.2, 2 } },
  -- In fewer runs, as members have to be many there; and then often, as most lies are found at once.
  { "lying_disk", every = { 0.3, 3 }, weight = 0.5 },
  { mix = { "campaign", "alternate", { "transfer", weight = 2 }, "transfer_broken" }, weight = 2 },
  { mix = { { "compact", weight = 2 }, "left_behind", "two_snapshots", "ambush_snapshot" }, weight = 2 },
  { mix = {
    { "change_members", weight = 3 }, { "change_one", weight = 2 }, "change_cut_off", "change_then_crash", "come_back",
    "promote", "add_and_break",
  }, every = { 0, 2.5 } },
}

local EVERY = { { 0, 0.3 }, { 0, 0.7 }, { 0, 0.7 }, { 0.2, 1.2 }, { 0.5, 2.5 }, { 1, 4 } }
local LASTS = { { 0, 0.2 }, { 0.05, 0.5 }, { 0.1, 1 }, { 0.3, 2 }, { 0.5, 3 }, { 1, 5 } }
local TARGETS = { false, false, false, "leader", "leader", "follower", "any", "longest_log", "old_leader" }
local WEIGHTS = { 1, 1, 2, 4 }
local SLOW = { 0, 0, 0, 0, 0.1, 0.3 }

local function copy(entry)
  local to = {}
  for key, value in pairs(entry) do
    to[key] = value
  end
  return to
end

local function one_of(stream, list)
  return list[stream:random(1, #list)]
end

-- All faults that are in no list of their own.
local function leaves(list, found)
  found = found or {}
  for _, entry in ipairs(list) do
    if entry.mix then
      leaves(entry.mix, found)
    elseif entry.weight ~= 0 then
      found[#found + 1] = entry
    end
  end
  return found
end

-- A fault as this run has it.
local function strengthen(stream, entry)
  local changed = copy(entry)
  changed.weight = (entry.weight or 1) * one_of(stream, WEIGHTS)
  local target = one_of(stream, TARGETS)
  if target and entry.kind and entry.kind.options.target and entry.given.target == nil then
    changed.given = copy(entry.given)
    changed.given.target = target
  end
  return changed
end

-- About half of them, one at least; of what keeps a time of its own its weight says how often it is among them.
local function half(stream, list)
  local kept = {}
  for _, entry in ipairs(list) do
    local is_in = stream:random() < 0.5 * (entry.every and math.min(1, entry.weight or 1) or 1)
    local changed = strengthen(stream, entry)
    if entry.mix then
      changed.mix = half(stream, entry.mix)
    end
    kept[#kept + 1] = is_in and entry.weight ~= 0 and changed or nil
  end
  if #kept == 0 then
    kept[1] = strengthen(stream, one_of(stream, leaves(list)))
  end
  return kept
end

--- Draws what a run has of a list.
-- @tparam userdata stream random numbers
-- @tparam table list entries
-- @treturn table entries
-- @treturn table how often they come: {min, max} seconds
-- @treturn table how long they last: {min, max} seconds
function swarm.draw(stream, list)
  local every, lasts = one_of(stream, EVERY), one_of(stream, LASTS)
  if stream:random() < 1 / 8 then
    local only = strengthen(stream, one_of(stream, leaves(list)))
    only.every = nil
    return { only }, every, lasts
  end
  return half(stream, list), every, lasts
end

--- How much longer each disk always takes for a write in this run. A candidate's vote is on its disk before it asks for
-- others': where that takes longer than time-outs differ, all stand at once, again and again (paper, 5.6: time-outs are
-- well above what a message takes).
-- @tparam userdata stream
-- @tparam table options the cluster's
-- @treturn ?table for c:disk; nil: no longer than usual
function swarm.disk(stream, options)
  local part = one_of(stream, SLOW)
  local differ = (options.election_max_ns - options.election_min_ns) / 1e9
  return part > 0 and { sync_delay = part * math.min(0.33, differ) } or nil
end

--- What was drawn, in words.
-- @tparam table list entries
-- @treturn string
function swarm.describe(list)
  local words = {}
  for _, entry in ipairs(leaves(list)) do
    local given = entry.given or {}
    local more = given.shape or given.count
    words[#words + 1] = (entry.fault or "a function") .. (more and " " .. more or "")
      .. (given.target and " of " .. tostring(given.target) or "") .. (" %g"):format(entry.weight or 1)
  end
  return table.concat(words, ", ")
end

return swarm
