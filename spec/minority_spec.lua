-- Whatever befalls less than half of the voters, the others work on (scripts/minority.lua): some seeds of it.
local defaults = require "raft.defaults"
local raft = require "raft"
local scenario = require "raft.scenario"

local MINORITY = debug.getinfo(1, "S").source:match("^@(.*)spec/[^/]*$") .. "scripts/minority.lua"

local tests = {}

local function run(seed, mode)
  local before_seed, before_mode = defaults.get("seed"), defaults.get("mode")
  defaults.set("seed", seed)
  defaults.set("mode", mode)
  local fine, problem = xpcall(function()
    return scenario.run(dofile(MINORITY), raft.cluster)
  end, function(raised)
    return ("%s\n  (scripts/raftbench run scripts/minority.lua --mode %s --seed %d)"):format(tostring(raised), mode,
      seed)
  end)
  defaults.set("seed", before_seed)
  defaults.set("mode", before_mode)
  if not fine then
    error(problem, 0)
  end
end

function tests.test_AStretchOfSeeds()
  local first = defaults.get("seed") or 1
  for seed = first, first + (os.getenv("RAFTBENCH_SPEC_SEEDS") == "1" and 0 or 20) do
    run(seed, "sim")
  end
end

return tests
