-- The same seed gives the same trace whatever compiled it: the build at hand beside one without optimisation, where
-- `make same` has made that one once. `make same` compares more compilers, and the Luas.
local lu = require "luaunit"
local command = require "spec.support.command"

local tests = {}

local OTHER = "build/same/gcc-O0"

-- What the shell commands print.
local function output_of(text)
  local pipe = assert(io.popen(text .. " 2>&1", "r"))
  local answer = pipe:read "*a"
  pipe:close()
  return answer
end

local function trace_of(seed, environment)
  local result = command.run { "run", "scripts/chaos.lua", "--seed", seed, "--set", "parameters.time=3",
    env = environment }
  command.assert_code(result, 0)
  return result.out:match "trace (%x+)"
end

function tests.test_ABuildWithoutOptimisationGivesTheSameTraces()
  lu.skipIf(_VERSION ~= "Lua 5.4" or rawget(_G, "jit") ~= nil or os.getenv "RAFTBENCH_BUILD" ~= nil,
    "the build at hand is not the one that make makes")
  lu.skipIf(output_of("ls " .. OTHER .. "/raft/core.so") ~= OTHER .. "/raft/core.so\n", "`make same` was not run here")
  lu.assertEquals(output_of("env -u MAKEFLAGS -u MAKELEVEL make --silent -j2 BUILD=" .. OTHER
    .. " CC=gcc OPTIMIZE=-O0 all | grep -v '^  '"), "")
  for seed = 1, 3 do
    local trace = trace_of(seed)
    lu.assertEquals(#trace, 16)
    lu.assertEquals(trace_of(seed, { RAFTBENCH_BUILD = OTHER }), trace)
  end
end

return tests
