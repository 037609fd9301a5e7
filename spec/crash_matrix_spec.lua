-- SCENARIOS B, crash_matrix: the power goes after every single operation of a disk in a fixed run, one by one, and each
-- time what was acknowledged is there again; and again with a second cut after every operation of that recovery. With
-- a torn tail, a lost one and a flipped bit, on one replica and on all; of a leader, and of a follower that is sent
-- a snapshot. RAFTBENCH_CRASH_MATRIX=10 takes as many runs (`make crash-matrix`); else it is one, and not all pairs.
local clusters = require "spec.support.clusters"
local lu = require "luaunit"

local tests = {}

local RUNS = tonumber(os.getenv("RAFTBENCH_CRASH_MATRIX")) or 1
local COMMANDS = 24
local LEADER, FOLLOWER = 1, 3 -- whose disk it is
local SHORT_STEP = 5 -- of the first cut where a second one follows, if there is one run
local RECOVERY_OPERATIONS = 16 -- more than there are: then the second cut comes while it runs again

local function text_of(number)
  return ("%d "):format(number):rep(1500)
end

-- The run: commands large enough for turns of segments, snapshots, another leader in the middle, and a follower that
-- falls behind and is sent a snapshot. What is acknowledged is kept. Ends early when the victim has crashed; gives the
-- number of the next command.
local function work(c, victim, acknowledged, from)
  for number = from, COMMANDS do
    if c:status(victim, "state") == "crashed" then
      return number
    elseif number == 6 then
      c:disconnect(FOLLOWER)
    elseif number == 14 then
      c:reconnect(FOLLOWER)
    elseif number == 18 then
      c:campaign(2, true)
    elseif number == 21 then
      c:campaign(LEADER, true)
    end
    if c:set(number, text_of(number), { timeout = 1 }) then
      acknowledged[#acknowledged + 1] = number
    end
  end
  return COMMANDS + 1
end

-- It comes back, whatever happens to it on the way: false where its disk is damaged, and says so.
local function bring_back(c, id, second)
  c:disk(id, { crash_after = second, torn_write = second ~= nil })
  local fine, message, code, detail = c:restart(id)
  if not fine and c:status(id, "state") == "crashed" then
    c:disk(id, nil)
    fine, message, code, detail = c:restart(id)
  end
  if not fine then
    lu.assertEquals(code, "storage", message)
    lu.assertStrMatches(detail.file or "", "[a-z]+%-%d+", nil, nil, message)
    lu.assertIsNumber(detail.offset)
  end
  return fine
end

-- A server whose disk is damaged is replaced by one with an empty disk.
local function replace(c, id)
  assert(c:remove_servers { id })
  assert(c:add_servers { id })
end

local function check(c, acknowledged)
  c:heal "all"
  c:wait_leader()
  assert(c:wait_until(function() -- a snapshot's damage is found when it is restored
    for id = 1, 3 do
      if c:status(id).restoring then
        return false
      end
    end
    return true
  end))
  for id = 1, 3 do
    if c:status(id, "state") == "failed" then
      replace(c, id)
    end
  end
  c:check_live()
  for _, number in ipairs(acknowledged) do
    lu.assertEquals(c:get(number), text_of(number))
  end
end

-- Those that have crashed; gives how many of the three run.
local function bring_all_back(c, victim, second)
  local running = 0
  for id = 1, 3 do
    if c:status(id, "state") ~= "crashed" or bring_back(c, id, id == victim and second or nil) then
      running = running + 1
    end
  end
  return running
end

-- One run with the power cut after so many operations of the victim's disk. Gives whether it was.
local function run_with_cut(seed, after, options)
  local victim, was_cut = options.victim or LEADER, false
  clusters.with({ nodes = 3, mode = "sim", seed = seed, snapshot_every = 4 }, function(c)
    local acknowledged = {}
    c:campaign(LEADER, true)
    c:wait_leader()
    if options.all then
      c:on({ kind = "fault", text = "crash" }, function()
        if c:status(victim, "state") == "crashed" then
          c:crash "all"
        end
      end)
    end
    for id = 1, 3 do
      local is_hit = id == victim or options.all
      c:disk(id, { crash_after = id == victim and after or nil, torn_write = is_hit and options.torn,
        flip = is_hit and options.flip })
    end
    local number = work(c, victim, acknowledged, 1)
    was_cut = c:status(victim, "state") == "crashed"
    if not was_cut then
      return
    elseif bring_all_back(c, victim, options.second) >= 2 then
      c:reconnect "all"
      c:wait_leader()
      work(c, victim, acknowledged, number)
      if c:status(victim, "state") == "crashed" then
        assert(c:restart(victim))
      end
      check(c, acknowledged)
    else
      lu.assertTrue(options.flip and options.all) -- a majority of disks is damaged: none of them goes on
    end
  end)
  return was_cut
end

-- Every operation of the run, until there are no more.
local function each_operation(options)
  for seed = 1, RUNS do
    local after = options.from or 1
    while run_with_cut(seed, after, options) do
      after = after + (options.step or 1)
    end
    lu.assertTrue(after > 40, "operations in the run: " .. after)
  end
end

function tests.test_LostTailOnOne()
  each_operation {}
end

function tests.test_TornTailOnOne()
  each_operation { torn = true }
end

function tests.test_FlippedBitOnOne()
  each_operation { flip = true }
end

function tests.test_TornTailOnAll()
  each_operation { all = true, torn = true }
end

function tests.test_FlippedBitOnAll()
  each_operation { all = true, torn = true, flip = true }
end

function tests.test_TornTailOfAFollower()
  each_operation { torn = true, victim = FOLLOWER }
end

for _, who in ipairs { "Leader", "Follower" } do
  tests["test_ASecondCutInTheRecoveryOfThe" .. who] = function()
    for second = 1, RECOVERY_OPERATIONS do
      each_operation {
        torn = true, second = second, victim = who == "Follower" and FOLLOWER or nil,
        from = RUNS == 1 and 1 + second % SHORT_STEP or 1, step = RUNS == 1 and SHORT_STEP or 1,
      }
    end
  end
end

return tests
