-- One run of a scenario, as a table, and how failures are named so that the same one counts once.
local failure = require "raft.failure"
local lu = require "luaunit"
local one = require "raft.fuzz.one"

local tests = {}

local function write(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

local function run_text(text, options)
  local path = write(text)
  local given = { file = path, seed = 7 }
  for name, value in pairs(options or {}) do
    given[name] = value
  end
  local outcome, problem = one.run(given)
  os.remove(path)
  return outcome, problem
end

function tests.test_AFineRunTellsItsFigures()
  local outcome = assert(one.run { file = { nodes = 3, run = function(c)
    assert(c:set("a", 1))
    c:sleep(2)
  end }, seed = 7 })
  lu.assertTrue(outcome.fine)
  lu.assertTrue(outcome.time >= 2)
  lu.assertTrue(outcome.stats.elections >= 1)
  lu.assertTrue(outcome.stats.commits >= 3)
  lu.assertTrue(outcome.stats.events > 100)
  lu.assertEquals(#outcome.hash, 16)
  lu.assertEquals(outcome.seed, 7)
  lu.assertEquals(outcome.options.nodes, 3)
end

function tests.test_TheSeedDecides()
  local function hash(seed)
    return one.run({ file = { run = function(c)
      c:sleep(c:random() + math.random())
    end }, seed = seed }).hash
  end
  lu.assertEquals(hash(1), hash(1))
  lu.assertNotEquals(hash(1), hash(2))
end

function tests.test_NothingIsLeftForTheNextRun()
  local text = [[
    count = (count or 0) + 1
    local unit = require "luaunit"
    unit.of_the_run_before = (unit.of_the_run_before or 0) + 1
    return { run = function(c) c:note(count .. " " .. unit.of_the_run_before) end }
  ]]
  local loaded = package.loaded.luaunit
  package.loaded.luaunit = nil
  local path = write(text)
  local first = one.run { file = path, seed = 1 }
  local second = one.run { file = path, seed = 1 }
  os.remove(path)
  package.loaded.luaunit = loaded
  lu.assertEquals(first.hash, second.hash)
  lu.assertNil(rawget(_G, "count"))
end

function tests.test_WhatFailedIsNamed()
  local function kind_of(line)
    local outcome = assert(run_text("return { run = function(c)\n" .. line .. "\nend }"))
    lu.assertFalse(outcome.fine)
    return outcome.failure.property, outcome.failure.key:gsub("^lua_[^:]*", "FILE")
  end
  lu.assertEquals({ kind_of "error 'value 3 is lost'" }, { "check", "FILE:2: value # is lost", 1 })
  lu.assertEquals({ kind_of "assert(nil, 'no value 12')" }, { "check", "FILE:2: no value #", 1 })
  lu.assertEquals({ kind_of "local x = nil + 1" },
    { "error", "FILE:2: attempt to perform arithmetic on a nil value", 1 })
  lu.assertEquals({ kind_of "c:crash { 1, 2 } c:check_live()" }, { "liveness",
    "no leader within # s", 0 })
  lu.assertEquals({ kind_of "c:client(function() c:sleep(0.1) error 'in 1 client' end) c:sleep(1)" },
    { "check", "FILE:2: in # client", 1 })
end

function tests.test_AViolationKeepsItsNodesAndItsTime()
  local outcome = one.run { seed = 1, file = { nodes = 3, election_timeout = math.huge,
    state = { [1] = { term = 2, log = { 1 } }, [2] = { term = 2, log = { 2 } } },
    machine = function(id)
      return { apply = function() return id end }
    end,
    run = function(c)
      c:campaign(2)
      c:wait_leader()
      c:propose "x"
      c:sleep(1)
    end } }
  lu.assertEquals(outcome.failure.property, "machines answer alike")
  lu.assertEquals(#outcome.failure.nodes, 2)
  lu.assertTrue(outcome.failure.time > 0)
  lu.assertNil(outcome.failure.key:find "%d")
end

function tests.test_WhatCannotRunIsNoFinding()
  local function problem_of(text, options)
    local outcome, problem = run_text(text, options)
    lu.assertNil(outcome)
    return problem
  end
  lu.assertStrContains(problem_of "return {", "expected")
  lu.assertStrContains(problem_of "return { nodes = 3 }", "is not a scenario")
  lu.assertStrContains(problem_of "error 'oh'", "fails while it is loaded, before it has returned a scenario: ")
  lu.assertStrContains(problem_of "return { machine = function() return {} end, run = function() end }",
    "the machine of node 1 has no apply")
  lu.assertStrContains(problem_of "return { nodes = -1, run = function() end }", "bad argument 'nodes'")
  lu.assertStrContains(problem_of "return { seed = 3, run = function() end }", "fixes its seed")
  lu.assertStrContains(problem_of("return { run = function() end }",
    { settings = { { path = { "parameters", "x" }, value = 1 } } }), "there is no parameter 'x'")
  lu.assertStrContains(select(2, one.run { file = "/no/such/file.lua", seed = 1 }), "cannot read")
end

function tests.test_KeysLeaveOutWhatDiffers()
  local function same(a, b)
    lu.assertEquals(failure.key(a), failure.key(b))
  end
  same("nodes 1, 2 and 3 lead in term 17", "nodes 2 and 5 lead in term 4")
  same("node 1 has 0123456789abcdef", "node 2 has fedcba9876543210")
  same("table: 0x55d0c8a3", "table: 0x1234")
  same("at 0.123456 s, index 12", "at 1e-05 s, index 7")
  same("members {1, 2, 3}", "members {4}")
  lu.assertNotEquals(failure.key "a vote is lost", failure.key "a value is lost")
end

function tests.test_AHeadlineIsOneLineThatSaysSomething()
  lu.assertEquals(failure.headline "a vote is lost\n  from x.lua:3", "a vote is lost")
  lu.assertEquals(failure.headline "it ends where this returned:\n  process 2: read 3\nWhy not: …",
    "it ends where this returned: process 2: read 3")
  lu.assertEquals(failure.headline "nothing behind it:", "nothing behind it:")
end

function tests.test_AnAbortIsNamedAfterItsAssertion()
  local found = failure.died("was killed by signal 6 (aborted)", "raftbench: assertion failed: a == b\n"
    .. "  at src/raft/log.c:17 in log_append\n  replay: raftbench run x --seed 3\n")
  lu.assertEquals(found.property, "abort")
  lu.assertEquals(found.key, "a == b (src/raft/log.c in log_append)")
  local other = failure.died("was killed by signal 11 (segmentation fault)", "")
  lu.assertEquals(other.key, "was killed by signal 11 (segmentation fault)")
  lu.assertFalse(failure.is_same(found, other))
  lu.assertTrue(failure.is_same(other, other))
end

return tests
