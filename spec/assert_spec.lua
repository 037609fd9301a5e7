-- raft.assert: the cluster's checks as assertions, and eventually().
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local command = require "spec.support.command"
local raft = require "raft"

local tests = {}

-- f raises a failure of LuaUnit (not an error), at that line of this file; the message.
local function assert_fails(line, f, ...)
  local fine, problem = pcall(f)
  lu.assertFalse(fine, "expected a failure")
  lu.assertIsString(problem)
  lu.assertStrContains(problem, ("assert_spec.lua:%d: %s"):format(line, lu.FAILURE_PREFIX))
  command.assert_has(problem, ...)
  lu.assertEquals(select(2, problem:gsub(lu.FAILURE_PREFIX, "")), 1)
  return problem
end

local function line_here()
  return debug.getinfo(2, "l").currentline
end

-- ---- the checks ---------------------------------------------------------------------------------

clusters.in_both(tests, "OneLeader", { nodes = 3 }, function(c)
  lu.assertEquals({ raft.assert.one_leader(c) }, { c:leader() })
  local first, term = c:leader()
  c:disconnect(first)
  local second, later = raft.assert.one_leader(c)
  lu.assertTrue(second ~= first and later > term)
end)

clusters.add(tests, "OneLeaderFails", { nodes = 3, mode = "sim" }, function(c)
  c:partition({ 1 }, { 2 }, { 3 })
  c:sleep(1)
  local line
  assert_fails(line_here() + 2, function()
    line = line_here()
    raft.assert.one_leader(c)
  end, "one leader was expected")
  lu.assertNotNil(line)
end)

clusters.in_both(tests, "NoLeader", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  assert_fails(line_here() + 1, function()
    raft.assert.no_leader(c)
  end, tostring(leader))
  for _, id in ipairs(c:ids()) do
    c:disconnect(id)
  end
  raft.assert.no_leader(c)
end)

clusters.in_both(tests, "Committed", { nodes = 3 }, function(c)
  local index = assert(c:propose("it"))
  lu.assertEquals({ raft.assert.committed(c, "it", 3) }, { 3, index })
  lu.assertEquals(select(2, raft.assert.committed(c, "it")), index)
  assert_fails(line_here() + 1, function()
    raft.assert.committed(c, "never")
  end, '"never"')
  assert_fails(line_here() + 1, function()
    raft.assert.committed(c, "it", 4, 0.05)
  end, "4")
end)

clusters.in_both(tests, "NotCommitted", { nodes = 3 }, function(c)
  raft.assert.not_committed(c, "it")
  assert(c:propose("it"))
  assert_fails(line_here() + 1, function()
    raft.assert.not_committed(c, "it")
  end, '"it"')
end)

clusters.in_both(tests, "Live", { nodes = 3 }, function(c)
  raft.assert.live(c)
  local leader = c:check_one_leader()
  c:crash(leader)
  raft.assert.live(c)
  c:crash(c:check_one_leader())
  assert_fails(line_here() + 1, function()
    raft.assert.live(c, 0.5)
  end)
end)

function tests.test_WithoutACluster()
  for _, name in ipairs { "one_leader", "no_leader", "committed", "not_committed", "live" } do
    for _, wrong in ipairs { false, 5, "c", {} } do
      clusters.assert_raises(function()
        raft.assert[name](wrong)
      end, "a cluster is expected", "assert_spec.lua")
    end
  end
end

-- What must stop the run is no failure of a test.
function tests.test_AViolationPassesUntouched()
  local function differs(id)
    return { apply = function() return id end }
  end
  local c = raft.cluster { mode = "sim", nodes = 3, machine = differs }
  local fine, problem = pcall(function()
    c:propose(1)
    raft.assert.live(c)
  end)
  c:shutdown()
  lu.assertFalse(fine)
  lu.assertIsTable(problem)
  lu.assertIsString(problem.property)

  c = raft.cluster { mode = "sim", nodes = 3, machine = differs }
  fine, problem = pcall(raft.assert.eventually, function()
    c:propose(1)
    c:sleep(1)
    return false
  end, 5, c)
  c:shutdown()
  lu.assertFalse(fine)
  lu.assertIsTable(problem)
end

-- ---- eventually ---------------------------------------------------------------------------------

clusters.in_both(tests, "EventuallyTriesAgain", { nodes = 3 }, function(c)
  local start, tries = c:now(), 0
  local a, b, third = raft.assert.eventually(function()
    tries = tries + 1
    if c:now() - start < 0.2 then
      return nil, "too early"
    end
    return "there", nil, 3
  end)
  lu.assertEquals({ a, b, third }, { "there", nil, 3 })
  lu.assertTrue(tries > 5)
  lu.assertTrue(c:now() - start < 0.5)
end)

clusters.add(tests, "EventuallyIsTriedAtOnce", { nodes = 1, mode = "sim" }, function(c)
  local before = c:now()
  lu.assertEquals(raft.assert.eventually(function() return 7 end), 7)
  lu.assertEquals(raft.assert.eventually(function() return 8 end, 0), 8)
  lu.assertEquals(c:now(), before)
end)

-- An assertion that returns nothing holds once it raises nothing.
clusters.add(tests, "EventuallyOfAssertions", { nodes = 3, mode = "sim" }, function(c)
  raft.assert.eventually(function()
    lu.assertNotNil(c:leader())
  end)
  lu.assertNotNil(c:leader())
  raft.assert.eventually(function()
    assert(c:submit(c:leader(), "it"))
    lu.assertNotNil(c:events({ kind = "commit", index = 5 })[1])
  end, 5)
end)

clusters.in_both(tests, "EventuallyGivesUp", { nodes = 1 }, function(c)
  local before = c:now()
  assert_fails(line_here() + 1, function()
    raft.assert.eventually(function() return nil, "the last word" end, 0.25)
  end, "not within 0.25 s: the last word")
  lu.assertAlmostEquals(c:now() - before, 0.25, 0.05)
  assert_fails(line_here() + 1, function()
    raft.assert.eventually(function() lu.assertEquals(1, 2) end, 0.05)
  end, "not within 0.05 s: expected: 2, actual: 1")
  assert_fails(line_here() + 1, function()
    raft.assert.eventually(function() error("raised") end, 0.05)
  end, "not within 0.05 s: raised")
  assert_fails(line_here() + 1, function()
    raft.assert.eventually(function() return false end, 0.05)
  end, "not within 0.05 s: it returned false")
end)

clusters.add(tests, "EventuallyWaitsTenSeconds", { nodes = 1, mode = "sim" }, function(c)
  local before = c:now()
  assert_fails(line_here() + 1, function()
    raft.assert.eventually(function() return false end)
  end, "not within 10 s")
  lu.assertAlmostEquals(c:now() - before, 10, 0.05)
end)

clusters.add(tests, "EventuallyLetsTheLatestClustersTimePass", { nodes = 1, mode = "sim" }, function(first)
  local second = raft.cluster { mode = "sim", nodes = 1 }
  local before = first:now()
  pcall(raft.assert.eventually, function() return false end, 1)
  lu.assertEquals(first:now(), before)
  lu.assertTrue(second:now() >= 1)
  pcall(raft.assert.eventually, function() return false end, 2, first)
  lu.assertTrue(first:now() >= 2)
  second:shutdown()
  pcall(raft.assert.eventually, function() return false end, 3)
  lu.assertTrue(first:now() >= 5)
end)

clusters.in_both(tests, "EventuallyInAClient", { nodes = 3 }, function(c)
  local client = c:client(function()
    return raft.assert.eventually(function() return c:get("key") end, 5, c)
  end)
  c:sleep(0.5)
  assert(c:set("key", "value"))
  lu.assertEquals({ client:wait() }, { true, "value" })
end)

clusters.add(tests, "ASkipEndsEventually", { nodes = 1, mode = "sim" }, function(c)
  for _, verdict in ipairs { lu.skip, lu.success } do
    local tries = 0
    local fine = pcall(raft.assert.eventually, function()
      tries = tries + 1
      verdict("now")
    end, 1, c)
    lu.assertFalse(fine)
    lu.assertEquals(tries, 1)
  end
end)

clusters.add(tests, "WrongArguments", { nodes = 1, mode = "sim" }, function()
  for _, case in ipairs {
    { {}, "f: a function is expected" }, { { 5 }, "f: a function is expected" },
    { { print, "soon" }, "timeout: seconds are expected" }, { { print, -1 }, "timeout: seconds are expected" },
    { { print, 0 / 0 }, "timeout: seconds are expected" },
  } do
    clusters.assert_raises(function()
      raft.assert.eventually((table.unpack or unpack)(case[1])) -- luacheck: ignore 113 143
    end, case[2], "assert_spec.lua")
  end
end)

function tests.test_EventuallyWithoutACluster()
  clusters.assert_raises(function()
    raft.assert.eventually(function() return false end)
  end, "there is no open cluster", "assert_spec.lua")
end

-- ---- in a user's spec, and without LuaUnit ------------------------------------------------------

command.add(tests, "InASpecAFailureIsAFailureAtItsLine", function(folder)
  local path = command.write(folder .. "/mine_spec.lua", [[
local raft = require "raft"
local function look(c)
  raft.assert.committed(c, "never")
end
return {
  test_it = function()
    local c = raft.cluster()
    raft.assert.one_leader(c)
    look(c)
  end,
}]])
  local result = command.assert_code(command.run { "test", path }, 1)
  command.assert_has(result.out, path .. ':3: "never" was expected', "from " .. path .. ":9")
  command.assert_lacks(result.out, "LuaUnit test FAILURE", "assert.lua", "[C]")
end)

command.add(tests, "WithoutLuaUnitTheyArePlainErrors", function(folder)
  local path = command.write(folder .. "/script.lua", [[
local raft = require "raft"
local c = raft.cluster()
print(pcall(raft.assert.committed, c, "never"))
assert(not package.loaded.luaunit)
raft.assert.eventually(function() return nil, "no luck" end, 0.1)
]])
  local result = command.assert_code(command.run { "run", path }, 1)
  command.assert_has(result.out, 'false\t', '"never" was expected')
  command.assert_has(result.err, path .. ":5: not within 0.1 s: no luck")
  command.assert_lacks(result.out .. result.err, "LuaUnit")
end)

clusters.in_both(tests, "Linearizable", { nodes = 3 }, function(c)
  local history = c:workload { kind = "register", clients = 2, count = 20 }
  history:wait()
  raft.assert.linearizable(history)
  raft.assert.linearizable(history, "register")
end)

function tests.test_NotLinearizable()
  local history = {
    { process = 1, type = "invoke", f = "write", value = 1 }, { process = 1, type = "ok", f = "write", value = 1 },
    { process = 2, type = "invoke", f = "read" }, { process = 2, type = "ok", f = "read", value = 2 },
  }
  assert_fails(line_here() + 1, function()
    raft.assert.linearizable(history, "register")
  end, "not linearizable", "read 2")
  lu.assertErrorMsgContains("bad argument 'model'", raft.assert.linearizable, history)
  lu.assertErrorMsgContains("bad argument 'history'", raft.assert.linearizable, nil, "register")
end

return tests
