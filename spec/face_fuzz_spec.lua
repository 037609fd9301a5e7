-- Random sequences of public calls (spec/face_fuzz): a short form of the search. FACE_FUZZ_SEEDS=1000 goes over more.
local lu = require "luaunit"
local command = require "spec.support.command"

local tests = {}

local function fuzz(first, last, mode)
  local result = command.run { "run", "spec/face_fuzz/fuzz.lua",
    env = { FACE_FUZZ = ("%d %d %s"):format(first, last, mode) } }
  -- It tells each seed before it begins: where it crashed, the last one is to blame.
  local seed = result.out:match ".*seed (%d+)\n"
  command.assert_code(result, 0)
  lu.assertEquals(seed, ("%d"):format(last))
  command.assert_has(result.out, "all fine")
end

local count = tonumber(os.getenv "FACE_FUZZ_SEEDS") or 100

function tests.test_NoSequenceOfCallsDoesHarm_sim()
  fuzz(1, count, "sim")
end

function tests.test_NoSequenceOfCallsDoesHarm_tcp()
  fuzz(1, math.ceil(count / 4), "tcp")
end

-- raft.core: bare cores, the checker fed by hand, the encodings.
function tests.test_NoSequenceOfCallsDoesHarm_core()
  fuzz(1, 3 * count, "core")
end

return tests
