-- The torture (scripts/torture.lua) in short: nodes that are processes are killed at random moments while clients
-- write. `make torture TIME=600` does it for as long as you like.
local raft = require "raft"
local scenario = require "raft.scenario"
local lu = require "luaunit"

local TORTURE = debug.getinfo(1, "S").source:match("^@(.*)spec/[^/]*$") .. "scripts/torture.lua"

local tests = {}

-- What it found on the way: the restarts, by its summary.
local function torture(parameters, options)
  local torment = dofile(TORTURE)
  for name, value in pairs(parameters) do
    torment.parameters[name] = value
  end
  for name, value in pairs(options or {}) do
    torment[name] = value
  end
  local run, restarts = torment.run, 0
  torment.run = function(c, given)
    c:on({ kind = "fault", call = "restart" }, function()
      restarts = restarts + 1
    end)
    return run(c, given)
  end
  lu.assertNotNil(assert(scenario.run(torment, raft.cluster)).time)
  return restarts
end

function tests.test_NothingAcknowledgedIsLostWhenNodesAreKilled()
  lu.assertTrue(torture({ time = 6, quiet = true }) >= 5)
end

-- All at once, each time: what is acknowledged is on a majority of disks, and nowhere else.
function tests.test_NothingAcknowledgedIsLostWhenAllAreKilledAtOnce()
  lu.assertTrue(torture({ time = 4, quiet = true, all = 1, every = { 0.3, 0.9 } }, { snapshot_every = 300 }) >= 6)
end

-- The test of the test: a machine that forgets a write is found.
function tests.test_ALostWriteIsFound()
  local folder = assert(io.popen("mktemp -d", "r")):read("*l")
  local file = assert(io.open(folder .. "/forgetful.lua", "w"))
  assert(file:write [[
    local new = require "torture.numbers"
    return function()
      local machine, count = new(), 0
      local apply = machine.apply
      function machine.apply(command, index)
        count = count + 1
        if count == 40 then
          return command.number -- it says so, and has not done it
        end
        return apply(command, index)
      end
      return machine
    end]])
  file:close()
  local path = package.path
  package.path = folder .. "/?.lua;" .. path
  local fine, problem = pcall(torture, { time = 2, quiet = true, every = { 60, 60 } }, { machine = "forgetful" })
  package.path = path
  os.execute("rm -rf '" .. folder .. "'")
  lu.assertFalse(fine)
  lu.assertStrContains(tostring(problem), "was applied as its write number")
end

return tests
