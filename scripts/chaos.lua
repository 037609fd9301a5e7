-- Chaos: clients write and read while partitions of every shape, crashes, pauses, bad and slow links, bad disks, late
-- messages, drifting clocks, snapshots, changes of members and transfers of leadership come and go at random; then all
-- heals, and the cluster must live and have kept what it promised.
--
--   scripts/raftbench run scripts/chaos.lua --seed 7
--   scripts/raftbench run scripts/chaos.lua --mode tcp --set parameters.time=30
--
-- The seed draws the size and the options too; --set nodes=5, --set pre_vote=false and so on hold them fast.
-- What is done to the cluster is in chaos/faults.lua and chaos/disks.lua, who uses it and what is checked in
-- chaos/clients.lua.
local here = debug.getinfo(1, "S").source:match("^@(.*/)[^/]*$") or ""
local clients = dofile(here .. "chaos/clients.lua")
local faults = dofile(here .. "chaos/faults.lua")
local machine = dofile(here .. "chaos/machine.lua")

local scenario = {
  name = "chaos",
  keep_events = 2000,
  parameters = {
    time = "drawn", -- how long it lasts
    pace = "drawn", -- how long a client rests at most
    churn = "drawn", -- whether members come and go
    disk = "drawn", -- how much longer each disk always takes for a write
    slow_disk = "drawn", -- how much longer a slow one takes at most
  },
}

-- How much clocks may drift, and lease reads rely on; false: there are none.
local function clock_drift(draw, check_quorum)
  local drift = draw { false, false, 0.05, 0.1, 0.5 }
  return check_quorum and drift or nil
end

function scenario.options(draw, mode)
  local election = draw { { 0.150, 0.300 }, { 0.150, 0.300 }, { 0.100, 0.110 }, { 0.3, 0.9 } }
  local wide = draw { true, false, false } and mode == "sim" and election[1] >= 0.15 -- a network with slower links
  local options = {
    nodes = draw { 3, 3, 4, 5, 5, 6, 7 },
    pre_vote = draw { true, false },
    check_quorum = draw { true, false },
    election_collisions = draw { 0, 0, 0.3, 0.7 }, -- 1 would be split votes for ever
    election_timeout = election,
    link = wide and { delay = { 0.005, 0.030 } } or nil,
    window = draw { 1, 2, 8, 64 },
    max_entries = draw { 1, 3, 1000, 1000 },
    max_message = draw { 200, 4096, 65536 },
    max_inflight = draw { 1000, 524288 },
    max_uncommitted = draw { 2000, 67108864 },
    parameters = {
      time = mode == "sim" and 20 or 10,
      pace = draw { 0.05, 0.1, 0.3 },
      churn = draw { true, true, false },
      -- A candidate's vote is on its disk before it asks for others': where that takes longer than time-outs differ,
      -- all stand at once, again and again (paper, 5.6: time-outs are well above what a message takes).
      disk = draw { 0, 0, 0, 0.1, 0.3 } * math.min(0.33, election[2] - election[1]),
      slow_disk = draw { 0, 0.1, 0.3, 0.6 } * math.min(0.16, election[1]),
    },
    -- Small, so that followers fall behind the log all the time.
    snapshot_every = draw { math.huge, 3, 10, 30, 100 },
    snapshot_bytes = draw { math.huge, math.huge, 500, 5000 },
    machine = draw { "kv", "kv", machine },
  }
  options.clock_drift = clock_drift(draw, options.check_quorum)
  return options
end

-- ---- the run ------------------------------------------------------------------------------------------------

-- A change that timed out may still have come, and list a node where it was before it was added again.
local function settle_members(c)
  local deadline = c:now() + 120
  while c:now() < deadline do
    c:wait_leader(10)
    local members = c:members()
    if members and not members.voters_old and not members.wanted
      and c:change_members({ voters = members.voters, learners = members.learners }, { timeout = 5 }) then
      return
    end
    c:sleep(0.2)
  end
  c:check_live(5) -- says what stands still, and why
  local _, why = c:change_members({ voters = c:members().voters }, { timeout = 5 })
  error("the members could not be changed back after all faults were healed: " .. tostring(why), 0)
end

-- Clocks run alike again: a server that was removed while it was away, and whose clock is the fastest, would have the
-- votes first in each term of plain Raft (dissertation, 4.2.3).
local function heal_all(c, run)
  assert(c:heal "all")
  c:disk("all", { sync_delay = run.disk })
  faults.restart_all(c, run)
end

function scenario.run(c, given)
  local run = { over = false, clients = {} }
  for name, value in pairs(given.parameters) do
    run[name] = value
  end
  run.leases = given.clock_drift
  c:disk("all", { sync_delay = run.disk })
  clients.start(c, run)
  faults.start(c, run)
  c:sleep(run.time)
  run.over = true
  heal_all(c, run)
  for _, client in ipairs(run.clients) do
    assert(client:wait(60))
  end
  heal_all(c, run) -- what the last trouble left
  faults.disks.replace(c, run)
  settle_members(c)
  c:check_live(60)
  clients.check(c, run)
end

return scenario
