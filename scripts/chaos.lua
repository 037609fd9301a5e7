-- Chaos: clients write and read while partitions of every shape, crashes, pauses, bad links, drifting clocks and
-- changes of members come and go at random; then all heals, and the cluster must live and have kept what it promised.
--
--   scripts/raftbench run scripts/chaos.lua --seed 7
--   scripts/raftbench run scripts/chaos.lua --mode tcp --set parameters.time=30
--
-- The seed draws the size and the options too; --set nodes=5, --set pre_vote=false and so on hold them fast.
local defaults = require "raft.defaults"

local NODES_MOST = 7
local KEYS = 4

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
  parameters = { time = defaults.get("mode") == "tcp" and 10 or 20 },
}

-- ---- clients: each knows something that must hold of its own answers -------------------------------------

local function fail(text, ...)
  error(text:format(...), 0)
end

-- Only this client writes the key, so it knows between which values a read must lie.
local function writer(c, run, key)
  local acked, tried = 0, 0
  while not run.over do
    tried = tried + 1
    if c:set(key, tried, { timeout = 1 }) then
      acked = tried
    end
    local value, _, code = c:get(key, { timeout = 1 })
    if code == nil and ((value or 0) < acked or (value or 0) > tried) then
      fail("the only writer of %s read %s, but had %d acknowledged and wrote up to %d", key, value, acked, tried)
    end
    c:sleep(c:random() * 0.02)
  end
  run.keys[key] = { acked, tried }
end

-- Linearizable reads of one client never go back, as the values only rise.
local function reader(c, run)
  local seen = {}
  while not run.over do
    local key = "key" .. c:random(KEYS)
    local value, _, code = c:get(key, { timeout = 1 })
    if code == nil and (value or 0) < (seen[key] or 0) then
      fail("a reader saw %s of %s after %s", value, key, seen[key])
    elseif code == nil then
      seen[key] = value
    end
    c:sleep(c:random() * 0.02)
  end
end

-- Each increment by compare-and-set that was told to have worked did so once.
local function incrementer(c, run)
  while not run.over do
    local value, _, code = c:get("counter", { timeout = 1 })
    if code == nil then
      local worked, _, failed, detail = c:cas("counter", value, (value or 0) + 1, { timeout = 1 })
      if worked then
        run.increments = run.increments + 1
      elseif failed and detail.unknown then
        run.increments_unknown = run.increments_unknown + 1
      end
    end
    c:sleep(c:random() * 0.03)
  end
end

-- Asks any node, also one that cannot know: it may refuse, and must not lie.
local function stranger(c, run)
  while not run.over do
    local ids = c:ids()
    c:propose({ "to anybody", c:random(1000000) }, { node = ids[c:random(#ids)], timeout = 0.2 })
    c:sleep(c:random() * 0.1)
  end
end

local function start_clients(c, run)
  for position = 1, KEYS do
    run.clients[#run.clients + 1] = c:client(function()
      writer(c, run, "key" .. position)
    end, { session = position % 2 == 0 })
  end
  for _, body in ipairs { reader, reader, incrementer, incrementer, stranger } do
    run.clients[#run.clients + 1] = c:client(function()
      body(c, run)
    end, { session = body == incrementer and c:random(2) == 1 })
  end
end

-- ---- faults ---------------------------------------------------------------------------------------------

local function pick(c, list)
  return list[c:random(#list)]
end

local function shuffled(c)
  local ids = c:ids()
  for place = #ids, 2, -1 do
    local other = c:random(place)
    ids[place], ids[other] = ids[other], ids[place]
  end
  return ids
end

local function cut_both(c, a, b)
  c:link(a, b, { cut = true })
  c:link(b, a, { cut = true })
end

local partitions = {}

function partitions.halves(c)
  local ids, first = shuffled(c), {}
  for place = 1, math.ceil(#ids / 2) do
    first[place] = ids[place]
  end
  c:partition(first)
end

function partitions.leader_alone(c)
  c:partition { c:leader() or pick(c, c:ids()) }
end

function partitions.leader_with_one(c)
  local leader = c:leader() or pick(c, c:ids())
  local other = pick(c, c:ids())
  c:partition(other == leader and { leader } or { leader, other })
end

-- Two halves that only one node reaches.
function partitions.bridge(c)
  local ids = shuffled(c)
  local middle = math.ceil(#ids / 2)
  for left = 1, middle - 1 do
    for right = middle + 1, #ids do
      cut_both(c, ids[left], ids[right])
    end
  end
end

-- Each node reaches its two neighbours only.
function partitions.ring(c)
  local ids = shuffled(c)
  for left = 1, #ids do
    for right = left + 2, #ids do
      if not (left == 1 and right == #ids) then
        cut_both(c, ids[left], ids[right])
      end
    end
  end
end

-- One node hears nobody, or is heard by nobody.
function partitions.one_way(c)
  local id = c:random(2) == 1 and c:leader() or pick(c, c:ids())
  if c:random(2) == 1 then
    c:link(id, "*", { cut = true })
  else
    c:link("*", id, { cut = true })
  end
end

local shapes = { "halves", "leader_alone", "leader_with_one", "bridge", "ring", "one_way" }

local function restart_all(c)
  for _, id in ipairs(c:ids()) do
    local node = c:status(id).state
    if node == "paused" then
      c:resume(id)
    elseif node == "crashed" then
      assert(c:restart(id))
    elseif node == "removed" then
      c:restart(id) -- refused, unless it is a member again
    end
  end
end

local faults = {}

function faults.partition(c)
  partitions[pick(c, shapes)](c)
end

function faults.heal(c)
  c:heal()
end

function faults.crash(c)
  c:crash(c:random(2) == 1 and c:leader() or pick(c, c:ids()))
end

function faults.crash_many(c)
  for _, id in ipairs(c:ids()) do
    if c:random(2) == 1 then
      c:crash(id)
    end
  end
end

faults.restart = restart_all

function faults.pause(c)
  c:pause(c:random(2) == 1 and c:leader() or pick(c, c:ids()))
end

function faults.bad_links(c)
  c:link("*", "*", {
    drop = c:random() * 0.3, duplicate = c:random() * 0.3, reorder = c:random() * 0.5, delay = { 0, c:random() * 0.1 },
  })
end

function faults.slow_link(c)
  c:link(pick(c, c:ids()), "*", { bandwidth = c:random(1000, 100000), delay = c:random() * 0.5 })
end

function faults.lost_answers(c)
  c:link("client", "*", { drop = c:random() * 0.3, duplicate = c:random() * 0.5 })
  c:link("*", "client", { drop = c:random() * 0.5, delay = { 0, c:random() * 0.2 } })
end

function faults.clock(c)
  c:clock(pick(c, c:ids()), { rate = 0.5 + c:random() * 1.5, offset = c:random() * 2 - 1 })
end

function faults.campaign(c)
  c:campaign(pick(c, c:ids()), { force = c:random(2) == 1 })
end

local kinds = {
  "partition", "partition", "partition", "heal", "heal", "crash", "crash", "crash_many", "restart", "restart",
  "restart", "pause", "bad_links", "slow_link", "lost_answers", "clock", "campaign",
}

local function trouble(c, run)
  while not run.over do
    c:sleep(c:random() * 0.8)
    if not run.over then
      faults[pick(c, kinds)](c)
    end
  end
end

-- Members come and go, ids that were removed come back, some only learn.
local function churn(c, run)
  local last = #c:ids()
  while not run.over do
    c:sleep(c:random() * 2)
    local wanted = { voters = {}, learners = {} }
    for id = 1, math.min(last + 2, NODES_MOST + 2) do
      local luck = c:random(10)
      if luck <= 5 and #wanted.voters < NODES_MOST then
        wanted.voters[#wanted.voters + 1] = id
      elseif luck == 6 then
        wanted.learners[#wanted.learners + 1] = id
      end
    end
    if not run.over and #wanted.voters > 0 then
      c:change_members(wanted, { timeout = 1.5 })
      last = math.max(last, #c:ids())
    end
  end
end

-- ---- the run, and what must hold in the end ---------------------------------------------------------------

local function check_promises(c, run)
  for key, bounds in pairs(run.keys) do
    local value, message, code = c:get(key)
    if code then
      fail("%s cannot be read after all has healed: %s", key, message)
    elseif (value or 0) < bounds[1] or (value or 0) > bounds[2] then
      fail("%s is %s in the end, but %d was acknowledged and %d the last written", key, value, bounds[1], bounds[2])
    end
  end
  local counter = c:get("counter") or 0
  if counter < run.increments or counter > run.increments + run.increments_unknown then
    fail("the counter is %d, but %d increments were acknowledged and %d more may have worked", counter, run.increments,
      run.increments_unknown)
  end
end

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
  fail("the members cannot be settled after all has healed")
end

function options.run(c, given)
  local run = { over = false, clients = {}, keys = {}, increments = 0, increments_unknown = 0 }
  start_clients(c, run)
  run.clients[#run.clients + 1] = c:client(function()
    trouble(c, run)
  end)
  run.clients[#run.clients + 1] = c:client(function()
    churn(c, run)
  end)
  c:sleep(given.parameters.time)
  run.over = true
  c:heal()
  restart_all(c)
  for _, client in ipairs(run.clients) do
    client:wait(60)
  end
  restart_all(c) -- whom the last fault felled
  c:heal()
  settle_members(c)
  c:check_live(60)
  check_promises(c, run)
end

return options
