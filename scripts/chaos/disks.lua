-- What chaos.lua does to disks. Those that are slow, stall, fill up, fail or are torn by a power cut may do so all at
-- once; one that lies loses what it had acknowledged, so there is one of them at most, and no members come and go.
local disks = {}

local function pick(c, list)
  return list[c:random(#list)]
end

-- These faults, beside the time that each disk takes in this run.
local function set(c, run, ids, faults)
  local all = { sync_delay = run.disk }
  for fault, value in pairs(faults or {}) do
    all[fault] = value
  end
  return c:disk(ids, all)
end

-- One, some or all of them.
local function some(c)
  local ids, luck = {}, c:random(3)
  for _, id in ipairs(c:ids()) do
    ids[#ids + 1] = (luck == 3 or luck == 2 and c:random(2) == 1) and id or nil
  end
  return #ids > 0 and ids or { c:leader() or pick(c, c:ids()) }
end

-- A node that has crashed or failed starts again, unless its disk has lied.
function disks.restart(c, run, id)
  local state = c:status(id, "state")
  if state ~= "crashed" and state ~= "failed" then
    return
  end
  local started, message, code = c:restart(id)
  if not started and not (id == run.damaged and code == "storage") then
    error(("node %d does not start again: %s"):format(id, message), 0)
  end
end

local function restart_failed(c, run)
  for _, id in ipairs(c:ids()) do
    if c:status(id, "state") == "failed" and id ~= run.damaged then
      disks.restart(c, run, id)
    end
  end
end

-- Some disks have it for a while; what has failed starts again.
local function for_a_while(c, run, faults)
  local ids = some(c)
  if set(c, run, ids, faults) then
    c:sleep(c:random() * 1.5)
    set(c, run, ids)
    restart_failed(c, run)
  end
end

local troubles = {}
disks.troubles = troubles

-- Its disk takes its time, or that of each of them.
function troubles.slow_disk(c, run)
  c:disk(some(c), { sync_delay = run.disk + c:random() * run.slow_disk })
end

function troubles.stalled_disk(c, run)
  for_a_while(c, run, { stall = true })
end

function troubles.full_disk(c, run)
  for_a_while(c, run, { full = true })
end

function troubles.failing_disk(c, run)
  for_a_while(c, run, { [pick(c, { "write_error", "sync_error" })] = 0.01 + c:random() * 0.2 })
end

function troubles.torn_writes(c, run)
  local ids = some(c)
  if set(c, run, ids, { torn_write = true, sync_delay = run.disk + c:random() * 0.05 }) then -- something is under way
    c:sleep(c:random() * 0.1)
    for _, id in ipairs(ids) do
      c:crash(id)
    end
    c:sleep(c:random() * 0.3)
    set(c, run, ids)
    for _, id in ipairs(ids) do
      disks.restart(c, run, id)
    end
  end
end

local lies = {}

-- The disk is as it was: once it reads well again the node starts.
local function read_badly(c, run, id, fault)
  c:crash(id)
  set(c, run, id, { [fault] = 0.02 + c:random() * 0.3 })
  disks.restart(c, run, id)
  set(c, run, id)
  c:crash(id)
end

function lies.corrupt(c, run, id)
  read_badly(c, run, id, "corrupt")
end

function lies.misdirected_reads(c, run, id)
  read_badly(c, run, id, "misdirect_read")
end

function lies.misdirected_writes(c, run, id)
  set(c, run, id, { misdirect_write = 0.02 + c:random() * 0.2 })
  c:sleep(c:random())
  set(c, run, id)
  c:crash(id)
end

function lies.flip(c, run, id)
  set(c, run, id, { flip = true, torn_write = c:random(2) == 1 })
  c:crash(id)
end

local lasting = { misdirected_writes = true, flip = true }

-- Once something is wrong on a disk, no other one lies. Where that is found the node stays away until the end; it may
-- be found late, in a snapshot that is first read when it is sent.
function troubles.lying_disk(c, run)
  local id = run.damaged or pick(c, c:ids())
  if run.churn or c:mode() ~= "sim" or #c:ids() < 3 or not c:is_alive(id) then
    return
  end
  local kind = pick(c, { "corrupt", "misdirected_reads", "misdirected_writes", "flip" })
  local was_damaged = run.damaged
  run.damaged = id
  lies[kind](c, run, id)
  run.damaged = (was_damaged or lasting[kind]) and id or nil
  disks.restart(c, run, id)
end

-- A server whose disk has lied is another one when it comes back.
function disks.replace(c, run)
  local id = run.damaged
  if not id then
    return
  end
  local leader = c:wait_leader(60)
  c:wait_until(function()
    return c:status(id, "state") == "failed" or c:status(id, "applied") >= c:status(leader, "commit")
  end, 60, ("node %d to come level, or to find its disk damaged"):format(id))
  if c:status(id, "state") == "failed" then
    c:wait_leader(60)
    assert(c:remove_servers({ id }, { timeout = 60 }))
    assert(c:add_servers({ id }, { timeout = 60 }))
  end
end

return disks
