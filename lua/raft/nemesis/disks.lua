--- What goes wrong with disks. Those that are slow, stall, fill up, fail or are torn by a power cut may do so all at
-- once. One that lies loses what it had acknowledged: there is one of them at most in a run, and every configuration
-- that a nemesis asks for meanwhile has three voters at least, so that it is a minority of each.
-- @module raft.nemesis.disks

local pick = require "raft.nemesis.pick"

local disks = {}

local FEWEST_VOTERS = 3 -- of which one is a minority

-- These faults, beside the time that each disk takes in this run.
local function set(c, ids, faults)
  local all = {}
  for name, value in pairs(c.nemesis.base_disk or {}) do
    all[name] = value
  end
  for name, value in pairs(faults) do
    all[name] = value
  end
  return c:disk(ids, all)
end

local function back_to_base(c, ids)
  for _, id in ipairs(ids) do
    c:disk(id, c.nemesis.base_disk)
  end
end

-- One, some or all of them.
local function some(c)
  local ids, luck = {}, c.nemesis.stream:random(1, 3)
  for _, id in ipairs(pick.ids(c.nemesis)) do
    ids[#ids + 1] = (luck == 3 or luck == 2 and pick.chance(c.nemesis, 0.5)) and id or nil
  end
  return #ids > 0 and ids or { pick.target(c, "leader") }
end

-- What has failed by its disk starts again.
local function revive(c, ids)
  for _, id in ipairs(ids) do
    if c.nemesis.cluster.core:state(id) == "failed" then
      c.nemesis:bring_up(c, id)
    end
  end
end

-- Some disks have it for as long as the fault lasts; what has failed starts again.
local function for_a_while(c, faults)
  local ids = some(c)
  if not set(c, ids, faults) then
    return nil
  end
  return function()
    back_to_base(c, ids)
    revive(c, ids)
  end
end

local disk_options = {}
for name in ("sync_delay stall full write_error sync_error torn_write"):gmatch "[%a_]+" do
  disk_options[name] = { "as c:disk has it", function() return true end }
end

-- With just these faults.
disks.disk = {
  options = disk_options,
  start = function(c, given)
    local faults = {}
    for name in pairs(disk_options) do
      faults[name] = given[name]
    end
    return for_a_while(c, faults)
  end,
}

-- Its disk takes its time, or that of each of them.
disks.slow_disk = {
  options = { most = { "seconds or {min, max}", "interval" } },
  start = function(c, given)
    local base = (c.nemesis.base_disk or {}).sync_delay or 0
    local most = pick.between(c.nemesis, given.most or { 0.02, 0.1 })
    return for_a_while(c, { sync_delay = base + c.nemesis.stream:random() * most })
  end,
}

disks.stalled_disk = { options = {}, start = function(c)
  return for_a_while(c, { stall = true })
end }

disks.full_disk = { options = {}, start = function(c)
  return for_a_while(c, { full = true })
end }

disks.failing_disk = { options = {}, start = function(c)
  local fault = pick.one(c.nemesis, { "write_error", "sync_error" })
  return for_a_while(c, { [fault] = 0.01 + c.nemesis.stream:random() * 0.2 })
end }

-- A power cut while something is on its way to the disk, a snapshot too.
disks.torn_writes = { options = {}, start = function(c)
  local ids, stream = some(c), c.nemesis.stream
  local base = (c.nemesis.base_disk or {}).sync_delay or 0
  if not set(c, ids, { torn_write = true, sync_delay = base + stream:random() * 0.05 }) then
    return
  end
  c:sleep(stream:random() * 0.1)
  if stream:random() < 0.5 then
    for _, id in ipairs(ids) do
      c:compact(id, { timeout = 0.001 })
    end
    c:sleep(stream:random() * 0.03)
  end
  for _, id in ipairs(ids) do
    c:crash(id)
  end
  c:sleep(stream:random() * 0.3)
  back_to_base(c, ids)
  for _, id in ipairs(ids) do
    c.nemesis:bring_up(c, id)
  end
end }

local lies = {}

-- The disk is as it was: once it reads well again the node starts. Its log is read before it runs; snapshots are read
-- for a while after that, and whenever one is sent.
local function read_badly(c, id, fault)
  local faults = { [fault] = 0.02 + c.nemesis.stream:random() * 0.3 }
  local is_late = pick.chance(c.nemesis, 0.5)
  c:crash(id)
  if not is_late then
    set(c, { id }, faults)
  end
  c.nemesis:bring_up(c, id)
  if is_late then
    set(c, { id }, faults)
    c:sleep(c.nemesis.stream:random() * 0.5)
  end
  c:disk(id, c.nemesis.base_disk)
  c:crash(id)
end

function lies.corrupt(c, id)
  read_badly(c, id, "corrupt")
end

function lies.misdirected_reads(c, id)
  read_badly(c, id, "misdirect_read")
end

function lies.misdirected_writes(c, id)
  set(c, { id }, { misdirect_write = 0.02 + c.nemesis.stream:random() * 0.2 })
  c:sleep(c.nemesis.stream:random())
  c:disk(id, c.nemesis.base_disk)
  c:crash(id)
end

function lies.flip(c, id)
  set(c, { id }, { flip = true, torn_write = pick.chance(c.nemesis, 0.5) })
  c:crash(id)
end

local kinds_of_lies = { "corrupt", "misdirected_reads", "misdirected_writes", "flip" }

-- Once something is wrong on a disk, no other one lies. Where that is found the node stays away until the end; it may
-- be found late, in a snapshot that is first read when it is sent.
disks.lying_disk = {
  options = {}, lies = true,
  start = function(c)
    local nemesis = c.nemesis
    local cluster = nemesis.cluster
    local id = cluster.liar or pick.target(c, "any")
    if cluster.options.mode ~= "sim" then
      nemesis:leave_out(c.kind, "only simulated disks lie")
      return
    elseif cluster.core:state(id) ~= "running" or cluster.is_lying or cluster.core:fewest_voters() < FEWEST_VOTERS then
      return
    end
    local kind = pick.one(nemesis, kinds_of_lies)
    cluster.is_lying = true
    if pick.chance(nemesis, 0.5) then
      c:compact(id, { timeout = 0.3 }) -- so that there is a snapshot to be read
    end
    lies[kind](c, id)
    cluster.is_lying = false
    nemesis:bring_up(c, id)
  end,
}

return disks
