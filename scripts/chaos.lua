-- Chaos: clients write and read while partitions of every shape, crashes, pauses, bad links, late messages, drifting
-- clocks and changes of members come and go at random; then all heals, and the cluster must live and have kept what it
-- promised.
--
--   scripts/raftbench run scripts/chaos.lua --seed 7
--   scripts/raftbench run scripts/chaos.lua --mode tcp --set parameters.time=30
--
-- The seed draws the size and the options too; --set nodes=5, --set pre_vote=false and so on hold them fast.
-- What is done to the cluster is in chaos/faults.lua, who uses it and what he checks in chaos/clients.lua.
local defaults = require "raft.defaults"

local here = debug.getinfo(1, "S").source:match("^@(.*/)[^/]*$") or ""
local clients = dofile(here .. "chaos/clients.lua")
local faults = dofile(here .. "chaos/faults.lua")

local is_tcp = defaults.get("mode") == "tcp"

-- ---- what the seed decides before there is a cluster (Park and Miller's numbers, exact in every Lua) ----

local state = (defaults.get("seed") or 1) % 2147483646 + 1

local function draw(choices)
  state = state * 16807 % 2147483647
  return choices[state % #choices + 1]
end

for _ = 1, 10 do
  draw { 0 } -- neighbouring seeds begin alike
end

local options = {
  name = "chaos",
  nodes = draw { 3, 3, 4, 5, 5, 6, 7 },
  pre_vote = draw { true, false },
  check_quorum = draw { true, false },
  election_collisions = draw { 0, 0, 0.3, 0.7 }, -- 1 would be split votes for ever
  election_timeout = draw { { 0.150, 0.300 }, { 0.150, 0.300 }, { 0.100, 0.110 }, { 0.3, 0.9 } },
  window = draw { 1, 2, 8, 64 },
  max_entries = draw { 1, 3, 1000, 1000 },
  max_message = draw { 200, 4096, 65536 },
  max_inflight = draw { 1000, 524288 },
  max_uncommitted = draw { 2000, 67108864 },
  keep_events = 2000,
  parameters = {
    time = is_tcp and 10 or 20, -- how long it lasts
    pace = draw { 0.05, 0.1, 0.3 }, -- how long a client rests at most
    churn = draw { true, true, false }, -- whether members come and go
  },
}

local wide = draw { true, false, false } -- a network with slower links
if wide and not is_tcp and options.election_timeout[1] >= 0.15 then
  options.link = { delay = { 0.005, 0.030 } }
end

-- ---- the run ------------------------------------------------------------------------------------------------

-- A change that timed out may still have come, and list a node where it was before it was added again.
local function settle_members(c)
  local deadline = c:now() + 120
  while c:now() < deadline do
    c:wait_leader(10)
    local members = c:members()
    if members and not members.voters_old
      and c:change_members({ voters = members.voters, learners = members.learners }, { timeout = 5 }) then
      return
    end
    c:sleep(0.2)
  end
  c:check_live(5) -- says what stands still, and why
  local _, why = c:change_members({ voters = c:members().voters }, { timeout = 5 })
  error("the members cannot be settled after all has healed: " .. tostring(why), 0)
end

local function heal_all(c)
  c:intercept(nil)
  c:heal()
  faults.restart_all(c)
end

function options.run(c, given)
  local run = { over = false, clients = {}, pace = given.parameters.pace }
  clients.start(c, run)
  faults.start(c, run, given.parameters.churn)
  c:sleep(given.parameters.time)
  run.over = true
  heal_all(c)
  for _, client in ipairs(run.clients) do
    assert(client:wait(60))
  end
  heal_all(c) -- what the last trouble left
  settle_members(c)
  c:check_live(60)
  clients.check(c, run)
end

return options
