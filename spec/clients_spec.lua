-- Clients: coroutines beside the main script, sessions, and what may not wait.
local lu = require "luaunit"
local raft = require "raft"
local clusters = require "spec.support.clusters"

local tests = {}
local in_both = clusters.in_both

in_both(tests, "RunBesideEachOther", { nodes = 3 }, function(c)
  local order = {}
  local function walker(name, turns)
    return c:client(function()
      for _, turn in ipairs(turns) do
        assert(c:wait_until(function()
          return #order == turn - 1
        end))
        order[turn] = name
      end
      return name
    end)
  end
  local a, b = walker("a", { 3, 5, 6 }), walker("b", { 1, 2, 4 })
  lu.assertEquals(clusters.result(a), "a")
  lu.assertEquals(clusters.result(b), "b")
  lu.assertEquals(table.concat(order), "bbabaa")
end)

-- The time-out, another client's next sleep and the end of the one that is waited for, all in one turn.
clusters.add(tests, "OneThatEndsWithTheTimeOutTakesNobodyElsesWait", { nodes = 3, mode = "sim" }, function(c)
  local is_done = false
  c:client(function()
    for _, seconds in ipairs { 0.5, 0.5, 1 } do
      c:sleep(seconds)
    end
    is_done = true
  end)
  local waited_for = c:client(function()
    c:sleep(0.5)
    c:sleep(0.5)
  end)
  lu.assertTrue(waited_for:wait(1))
  c:sleep(2)
  lu.assertTrue(is_done)
end)

clusters.add(tests, "TheirSleepsPassAtTheSameTime", { nodes = 3, mode = "sim" }, function(c)
  local order, before = {}, c:now()
  local function walker(name, step)
    return c:client(function()
      for _ = 1, 3 do
        c:sleep(step)
        order[#order + 1] = name
      end
    end)
  end
  local a, b = walker("a", 0.05), walker("b", 0.02)
  assert(a:wait())
  assert(b:wait())
  -- Its third step is at 60 ms, the other's first at 50.
  lu.assertEquals(table.concat(order), "bbabaa")
  lu.assertAlmostEquals(c:now() - before, 0.15, 1e-6)
end)

in_both(tests, "WaitGivesAllResults", { nodes = 1 }, function(c)
  local client = c:client(function()
    c:sleep(0.01)
    return 1, nil, "three"
  end)
  local results = { n = select("#", client:wait()), client:wait() }
  lu.assertEquals(results.n, 4)
  lu.assertEquals({ results[1], results[2], results[3], results[4] }, { true, 1, nil, "three" })
end)

in_both(tests, "WaitTimesOut", { nodes = 1 }, function(c)
  local client = c:client(function()
    c:sleep(5)
  end)
  local before = c:now()
  clusters.assert_refused("timeout", client:wait(0.05))
  lu.assertTrue(c:now() - before < 1)
end)

in_both(tests, "AreGivenThemselves", { nodes = 1 }, function(c)
  local given
  local client = c:client(function(self)
    given = self
  end)
  assert(client:wait())
  lu.assertIs(given, client)
end)

in_both(tests, "WaitForEachOther", { nodes = 3 }, function(c)
  local first = c:client(function()
    assert(c:set("key", "first"))
    return "done"
  end)
  local second = c:client(function()
    lu.assertEquals(clusters.result(first), "done")
    return assert(c:get("key"))
  end)
  lu.assertEquals(clusters.result(second), "first")
end)

in_both(tests, "ManyAtOnce", { nodes = 3 }, function(c)
  local clients = {}
  for number = 1, 50 do
    clients[number] = c:client(function()
      for i = 1, 4 do
        assert(c:set("key" .. number, i))
      end
      return assert(c:get("key" .. number))
    end)
  end
  for number = 1, 50 do
    lu.assertEquals(clusters.result(clients[number], 30), 4)
  end
end)

in_both(tests, "AnErrorIsRaisedByTheCallThatDrives", { nodes = 1 }, function(c)
  local went_on = false
  c:client(function()
    c:sleep(0.01)
    error("boom")
  end)
  c:client(function()
    c:sleep(0.02)
    went_on = true
  end)
  clusters.assert_raises(function()
    c:sleep(1)
  end, "boom", "clients_spec.lua")
  c:sleep(0.1) -- the others go on
  lu.assertTrue(went_on)
end)

in_both(tests, "AnErrorThatIsATablePassesUntouched", { nodes = 1 }, function(c)
  local problem = setmetatable({ why = "because" }, { __tostring = function(self)
    return self.why
  end })
  c:client(function()
    c:sleep(0.01)
    error(problem)
  end)
  local ok, raised = pcall(c.sleep, c, 1)
  lu.assertFalse(ok)
  lu.assertIs(raised, problem)
end)

in_both(tests, "AtShutdownAWaitingOneIsNotResumed", { nodes = 1 }, function(c)
  local resumed = false
  c:client(function()
    pcall(c.sleep, c, 10)
    resumed = true
  end)
  c:sleep(0.01)
  c:shutdown()
  lu.assertFalse(resumed)
end)

in_both(tests, "OneMayShutDown", { nodes = 3 }, function(c)
  local client = c:client(function()
    c:sleep(0.01)
    c:shutdown()
    return "done"
  end)
  lu.assertEquals(clusters.result(client), "done")
  lu.assertTrue(c:is_closed())
end)

in_both(tests, "WhatWaitsAtShutdownIsTold", { nodes = 1 }, function(c)
  c:client(function()
    c:sleep(0.01)
    c:shutdown()
  end)
  clusters.assert_raises(function()
    c:sleep(1)
  end, "shut down", "clients_spec.lua")
end)

in_both(tests, "AnErrorAfterShuttingDownIsNotLost", { nodes = 1 }, function(c)
  c:client(function()
    c:sleep(0.01)
    c:shutdown()
    error("boom")
  end)
  clusters.assert_raises(function()
    c:sleep(1)
  end, "boom")
end)

in_both(tests, "APredicateMayShutDown", { nodes = 1 }, function(c)
  local asked = 0
  clusters.assert_raises(function()
    c:wait_until(function()
      asked = asked + 1
      return asked == 3 and c:shutdown()
    end)
  end, "shut down")
  lu.assertEquals(asked, 3)
end)

clusters.add(tests, "AnErrorThatWaitRaisedIsNotRaisedAgain", { nodes = 1 }, function(c)
  local client = c:client(function()
    error("boom")
  end)
  clusters.assert_raises(function()
    assert(client:wait())
  end, "boom")
  c:sleep(0.01)
end)

-- Else what it waited for would end another wait of the same client.
clusters.add(tests, "MayNotWaitInsideACFunction", { nodes = 1, mode = "sim" }, function(c) -- where time is exact
  local client = c:client(function()
    clusters.assert_raises(function()
      table.sort({ 3, 2, 1 }, function(a, b)
        c:sleep(0.01)
        return a < b
      end)
    end, "C function")
    local before = c:now()
    c:sleep(1)
    return c:now() - before
  end)
  lu.assertEquals(clusters.result(client), 1)
end)

clusters.add(tests, "OneThatYieldsByItselfIsEnded", { nodes = 1 }, function(c)
  local client = c:client(function()
    coroutine.yield()
  end)
  clusters.assert_raises(function()
    assert(client:wait())
  end, "yielded by itself")
end)

-- What is to be closed in them (Lua 5.4) runs at shutdown: the latest client's first, so that two runs are equal.
clusters.add(tests, "AreClosedTheLatestFirst", { nodes = 1 }, function(c)
  if not rawget(coroutine, "close") then
    return
  end
  local order = {}
  local run = assert(load([[
    local c, order, number = ...
    local guard <close> = setmetatable({}, { __close = function()
      order[#order + 1] = number
      if number == 2 then
        c:sleep(1)
      end
    end })
    c:sleep(1)]]))
  for number = 1, 20 do
    c:client(function()
      run(c, order, number)
    end)
  end
  clusters.assert_raises(function()
    c:shutdown()
  end, "being closed")
  lu.assertTrue(c:is_closed())
  lu.assertEquals(#order, 20)
  for position, number in ipairs(order) do
    lu.assertEquals(number, 21 - position)
  end
end)

-- ---- sessions -----------------------------------------------------------------------------------

local function counter()
  local count = 0
  return {
    apply = function(command)
      if command == "add" then
        count = count + 1
      end
      return count
    end,
    query = function()
      return count
    end,
  }
end

in_both(tests, "ASessionAppliesOnceThoughAnswersAreLost", { nodes = 3, machine = counter }, function(c)
  c:check_one_leader()
  c:link("*", "client", { cut = true })
  local client = c:client(function()
    local _, result = assert(c:propose("add"))
    return result
  end, { session = true })
  c:sleep(2.5) -- it is repeated each second, with the same sequence number
  c:link("*", "client", nil)
  lu.assertEquals(clusters.result(client), 1)
  lu.assertEquals(assert(c:query("count")), 1)
end)

in_both(tests, "ASessionAppliesOnceThoughTheLeaderDies", { nodes = 3, machine = counter }, function(c)
  local leader = c:check_one_leader()
  c:link("*", "client", { cut = true })
  local client = c:client(function()
    local results = {}
    for i = 1, 5 do
      local _, result = assert(c:propose("add"))
      results[i] = result
    end
    return results
  end, { session = true })
  c:sleep(0.2)
  c:crash(leader)
  c:link("*", "client", nil)
  lu.assertEquals(clusters.result(client), { 1, 2, 3, 4, 5 })
  assert(c:restart(leader))
  lu.assertEquals(assert(c:query("count")), 5)
end)

-- Each second, at 50 % loss each way, would take two minutes.
in_both(tests, "ASessionRepeatsAsOftenAsItIsTold", { nodes = 3, machine = counter }, function(c)
  c:check_one_leader()
  c:link("*", "client", { drop = 0.5 })
  c:link("client", "*", { drop = 0.5 })
  local began = c:now()
  local client = c:client(function()
    local last
    for _ = 1, 50 do
      local _, result = assert(c:propose("add"))
      last = result
    end
    return last
  end, { session = true, repeat_every = 0.02 })
  lu.assertEquals(clusters.result(client, 60), 50)
  lu.assertTrue(c:now() - began < 20, c:now() - began)
end)

clusters.add(tests, "RepeatEveryIsOfASessionOnly", { nodes = 1 }, function(c)
  for _, wrong in ipairs { 0, -1, "x", math.huge, 0 / 0 } do
    clusters.assert_raises(function()
      c:client(function() end, { session = true, repeat_every = wrong })
    end, "repeat_every")
  end
  clusters.assert_raises(function()
    c:client(function() end, { repeat_every = 1 })
  end, "only the commands of a session")
  clusters.assert_raises(function() c:client(function() end, { session = 1 }) end, "options.session")
end)

in_both(tests, "WithoutASessionALostAnswerLeavesItOpen", { nodes = 3, machine = counter }, function(c)
  c:check_one_leader()
  c:link("*", "client", { cut = true })
  local _, detail = clusters.assert_refused("timeout", c:propose("add", { timeout = 0.3 }))
  lu.assertTrue(detail.unknown)
  c:link("*", "client", nil)
  lu.assertEquals(assert(c:query("count")), 1)
end)

in_both(tests, "ARequestThatTheNetworkRepeatsIsSubmittedOnce", { nodes = 3, machine = counter }, function(c)
  c:check_one_leader()
  c:link("client", "*", { duplicate = 1 })
  for i = 1, 10 do
    local _, result = assert(c:propose("add"))
    lu.assertEquals(result, i)
  end
  lu.assertEquals(assert(c:query("count")), 10)
end)

-- ---- what may not wait --------------------------------------------------------------------------

clusters.add(tests, "APredicateMayNotWait", { nodes = 1 }, function(c)
  clusters.assert_raises(function()
    c:wait_until(function()
      c:sleep(0.1)
    end, 1)
  end, "c:client")
end)

clusters.add(tests, "AReaderOfEventsMayNotWait", { nodes = 1 }, function(c)
  c:on({ kind = "note" }, function()
    c:sleep(0.1)
  end)
  clusters.assert_raises(function()
    c:note("now")
    c:sleep(0.1)
  end, "callback")
end)

clusters.add(tests, "SomebodyElsesCoroutineMayNotWait", { nodes = 1 }, function(c)
  local ok, problem = coroutine.resume(coroutine.create(function()
    c:sleep(0.1)
  end))
  lu.assertFalse(ok)
  lu.assertStrContains(tostring(problem), "c:client")
  c:sleep(0.1) -- and nothing is broken by it
end)

function tests.test_AMachineMayNotWait()
  local c
  c = raft.cluster { mode = "sim", nodes = 1, machine = function()
    return {
      apply = function()
        c:sleep(1)
      end,
    }
  end }
  clusters.assert_raises(function()
    c:propose(1)
  end, "c:client")
  c:shutdown()
end

-- Both answers to the opening of its session come while nobody leads: only the first is one, and none is to the command
-- (chaos, seed 4012090).
function tests.test_ASecondAnswerToTheOpeningOfASessionIsNone()
  local c = raft.cluster { nodes = 3 }
  local leader = c:check_one_leader()
  c:link("*", "client", { delay = { 0.2, 0.6 }, duplicate = 1 })
  local client = c:client(function() return c:set("k", 1, { timeout = 30 }) end, { session = true })
  assert(c:wait_event({ kind = "send", node = leader, message = "client_answer" }, 5))
  c:crash "all"
  c:sleep(2)
  c:link("*", "client", {})
  c:restart "all"
  assert(client:wait(40))
  lu.assertEquals(c:get "k", 1)
  c:shutdown()
end

return tests
