-- The same seed gives the same run, to the byte; streams of random numbers are independent.
local lu = require "luaunit"
local raft = require "raft"
local clusters = require "spec.support.clusters"

local tests = {}

-- A run with a bit of everything in it.
local function random_faults(c)
  c:link("*", "*", { drop = 0.05, duplicate = 0.1, reorder = 0.1, delay = { 0.001, 0.01 } })
  local writer = c:client(function()
    for i = 1, 30 do
      c:set("key", i, { timeout = 5 })
    end
  end)
  local leader = c:check_one_leader()
  c:sleep(0.1)
  c:crash(leader)
  c:sleep(0.4)
  c:restart(leader)
  c:partition { leader }
  c:sleep(0.5)
  c:heal()
  assert(writer:wait(60))
  c:add_servers { 4 }
  c:check_live()
end

local function hash_of(seed, run)
  return clusters.with({ mode = "sim", nodes = 3, seed = seed }, function(c)
    run(c)
    return c:trace_hash(), c:now()
  end)
end

function tests.test_SameSeedSameTrace()
  for seed = 1, 10 do
    local first, first_time = hash_of(seed, random_faults)
    local second, second_time = hash_of(seed, random_faults)
    lu.assertEquals(second, first)
    lu.assertEquals(second_time, first_time)
    lu.assertStrMatches(first, "%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x")
  end
end

function tests.test_OtherSeedOtherTrace()
  local seen = {}
  for seed = 1, 20 do
    local hash = hash_of(seed, random_faults)
    lu.assertNil(seen[hash])
    seen[hash] = seed
  end
end

function tests.test_AnyDifferenceShowsInTheHash()
  local function idle(c)
    c:sleep(1)
  end
  local function with_note(c)
    c:sleep(1)
    c:note("here")
  end
  lu.assertNotEquals(hash_of(1, with_note), hash_of(1, idle))
end

-- Clusters share nothing: what one does changes nothing in another.
function tests.test_TwoClustersSideBySide()
  local alone = hash_of(7, function(c)
    for _ = 1, 10 do
      c:sleep(0.1)
    end
  end)
  local a = raft.cluster { mode = "sim", nodes = 3, seed = 7 }
  local b = raft.cluster { mode = "sim", nodes = 5, seed = 8 }
  for _ = 1, 10 do
    a:sleep(0.1)
    b:sleep(0.07)
    b:random(10)
  end
  lu.assertEquals(a:trace_hash(), alone)
  a:shutdown()
  b:shutdown()
end

-- Looking changes nothing.
function tests.test_LookingChangesNothing()
  local function run(look)
    return hash_of(3, function(c)
      c:check_one_leader()
      for i = 1, 5 do
        assert(c:set("key", i))
        if look then
          c:status()
          c:events()
          c:members()
          c:stats()
          c:log(1)
          c:commits(2)
          c:leaders()
          c:on({ kind = "commit" }, function() end)
        end
      end
    end)
  end
  lu.assertEquals(run(true), run(false))
end

-- Requests at fixed times from 1 to 2, where nothing answers to what is lost: which arrive?
local function arrivals(forward, backward)
  return clusters.with({ mode = "sim", nodes = 2, seed = 5, election_timeout = math.huge }, function(c)
    c:link(1, 2, forward)
    c:link(2, 1, backward)
    local arrived = {}
    c:serve(2, function(number)
      arrived[#arrived + 1] = number
      return number
    end)
    for number = 1, 60 do
      c:client(function()
        c:call(1, 2, number, 0.05)
      end)
      c:sleep(0.02)
    end
    c:sleep(0.5)
    return arrived
  end)
end

local function once(list)
  local seen, short = {}, {}
  for _, value in ipairs(list) do
    if not seen[value] then
      seen[value] = true
      short[#short + 1] = value
    end
  end
  return short
end

function tests.test_RemovingAFaultLeavesTheOthersWhereTheyWere()
  local delay = 0.001
  local both = arrivals({ drop = 0.5, duplicate = 0.5, delay = delay }, { drop = 0.5, delay = delay })
  lu.assertTrue(#once(both) > 10 and #once(both) < 50)
  lu.assertTrue(#both > #once(both))
  lu.assertEquals(arrivals({ drop = 0.5, delay = delay }, { drop = 0.5, delay = delay }), once(both))
  lu.assertEquals(arrivals({ drop = 0.5, delay = delay }, { delay = delay }), once(both))
end

function tests.test_RandomComesFromTheSeed()
  local function draw(seed)
    return clusters.with({ mode = "sim", nodes = 1, seed = seed }, function(c)
      local list = {}
      for i = 1, 20 do
        list[i] = c:random(1000)
        lu.assertTrue(list[i] >= 1 and list[i] <= 1000)
      end
      local low = c:random(-3, 3)
      lu.assertTrue(low >= -3 and low <= 3)
      local real = c:random()
      lu.assertTrue(real >= 0 and real < 1)
      return list
    end)
  end
  lu.assertEquals(draw(1), draw(1))
  lu.assertNotEquals(draw(1), draw(2))
end

return tests
