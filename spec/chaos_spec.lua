-- Chaos by seed (scripts/chaos.lua): a few seeds here; `make seeds` and `raftbench fuzz scripts/chaos.lua` go over
-- many.
local defaults = require "raft.defaults"
local raft = require "raft"
local scenario = require "raft.scenario"
local lu = require "luaunit"

local CHAOS = debug.getinfo(1, "S").source:match("^@(.*)spec/[^/]*$") .. "scripts/chaos.lua"

local tests = {}

-- The scenario's options are drawn from the default seed.
local function run(seed, mode, time)
  local before_seed, before_mode = defaults.get("seed"), defaults.get("mode")
  defaults.set("seed", seed)
  defaults.set("mode", mode)
  local fine, result = xpcall(function()
    local chaos = dofile(CHAOS)
    chaos.parameters.time = time or "drawn"
    return scenario.run(chaos, raft.cluster)
  end, function(problem)
    return ("%s\n  (chaos of seed %d: scripts/raftbench run scripts/chaos.lua --mode %s --seed %d)"):format(
      tostring(problem), seed, mode, seed)
  end)
  defaults.set("seed", before_seed)
  defaults.set("mode", before_mode)
  if not fine then
    error(result, 0)
  end
  return result
end

local function base()
  return defaults.get("seed") or 1
end

function tests.test_TheSeedsChaos()
  run(base(), "sim")
end

-- In `make seeds` every seed has its own turn; in the normal suite a stretch of them does.
function tests.test_AStretchOfSeeds()
  lu.skipIf(os.getenv("RAFTBENCH_SPEC_SEEDS") == "1", "each seed has its own turn")
  for seed = base() + 1, base() + 40 do
    run(seed, "sim")
  end
end

function tests.test_TheSameSeedIsTheSameRun()
  lu.assertEquals(run(base(), "sim", 5).hash, run(base(), "sim", 5).hash)
end

function tests.test_OverTcp()
  lu.skipIf(os.getenv("RAFTBENCH_SPEC_SEEDS") == "1", "real time is for the normal suite")
  run(base(), "tcp", 4)
end

-- Its learners caught up at 27 entries a second, while clients wrote 90 as long as members were settled.
function tests.test_ClientsRestWhileMembersAreSettled()
  lu.skipIf(os.getenv("RAFTBENCH_SPEC_SEEDS") == "1", "each seed has its own turn")
  run(201171, "sim")
end

-- Three servers that did not know that their removal was committed left the cluster no leader for long.
function tests.test_WhoIsRemovedIsStopped()
  lu.skipIf(os.getenv("RAFTBENCH_SPEC_SEEDS") == "1", "each seed has its own turn")
  run(6009327, "sim")
end

return tests
