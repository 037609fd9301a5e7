-- The public calls, as a writer of tests uses them: waits report whether they succeeded, misspelt names are errors,
-- lists of nodes, messages that come later, timers.
local lu = require "luaunit"
local raft = require "raft"
local clusters = require "spec.support.clusters"

local tests = {}
local add, in_both, raises = clusters.add, clusters.in_both, clusters.assert_raises

-- ---- clients ------------------------------------------------------------------------------------

in_both(tests, "WaitTellsAClientThatReturnsNothingFromOneThatStillRuns", { nodes = 1 }, function(c)
  local brief = c:client(function() c:sleep(0.01) end)
  lu.assertEquals({ assert(brief:wait()) }, { true })
  local long = c:client(function() c:sleep(60) end)
  clusters.assert_refused("timeout", long:wait(0.02))
end)

in_both(tests, "WaitClientsWaitsForAll", { nodes = 3 }, function(c)
  local ended = {}
  for number = 1, 3 do
    c:client(function()
      c:sleep(0.02 * number)
      if number == 2 then
        c:client(function() -- one that begins meanwhile
          c:sleep(0.05)
          ended.child = true
        end)
      end
      ended[number] = true
    end)
  end
  lu.assertEquals({ assert(c:wait_clients()) }, { true })
  lu.assertEquals(ended, { true, true, true, child = true })
  lu.assertEquals({ c:wait_clients() }, { true })
end)

in_both(tests, "WaitClientsTimesOut", { nodes = 1 }, function(c)
  c:client(function() c:sleep(60) end)
  c:client(function() c:sleep(0.01) end)
  local before = c:now()
  local message = clusters.assert_refused("timeout", c:wait_clients(0.1))
  lu.assertStrContains(message, "1 client did not end within 0.1 s")
  lu.assertTrue(c:now() - before < 10)
end)

in_both(tests, "WaitClientsRaisesTheErrorThatEndedOne", { nodes = 1 }, function(c)
  c:client(function()
    c:sleep(0.01)
    error("ended by this", 0)
  end)
  raises(function() c:wait_clients() end, "ended by this")
  lu.assertEquals({ c:wait_clients() }, { true })
end)

in_both(tests, "AClientWaitsForAllOthers", { nodes = 1 }, function(c)
  local ended = false
  c:client(function()
    c:sleep(0.05)
    ended = true
  end)
  local waiting = c:client(function()
    assert(c:wait_clients())
    return ended
  end)
  lu.assertEquals({ waiting:wait() }, { true, true })
end)

-- ---- filters ------------------------------------------------------------------------------------

add(tests, "AFieldThatNoEventHasIsAnError", { nodes = 1 }, function(c)
  local function assert_named(...)
    raises(function() c:on({ kind = "role", rol = "leader" }, print) end, ...)
    raises(function() c:wait_event({ kind = "role", rol = "leader" }, 1) end, ...)
    raises(function() c:events { kind = "role", rol = "leader" } end, ...)
  end
  assert_named("bad argument 'filter'", "no event has the field 'rol'", "face_spec.lua")
  raises(function() c:events { "role" } end, "no event has the field '1'")
  raises(function() c:events { node = "1" } end, "filter.node", "a number expected")
  raises(function() c:events { role = 1 } end, "filter.role", "a string expected")
  raises(function() c:events { members = {} } end, "filter.members", "a filter that is a function")
end)

add(tests, "AFilterFindsWhatAnEventDoesNotHave", { nodes = 3, mode = "sim" }, function(c)
  c:check_one_leader()
  local granted = c:events { kind = "receive", message = "vote_response", reject = false }
  lu.assertTrue(#granted > 0)
  local without = c:events { kind = "role", role = "pre_candidate", peer = 0 }
  lu.assertTrue(#without > 0)
end)

-- ---- nodes --------------------------------------------------------------------------------------

in_both(tests, "CallsTakeAListOfIds", { nodes = 5 }, function(c)
  c:check_one_leader()
  assert(c:crash { 1, 2 })
  lu.assertFalse(c:is_alive(1) or c:is_alive(2))
  lu.assertTrue(c:is_alive(3))
  assert(c:restart { 1, 2 })
  assert(c:pause { 4, 5 })
  lu.assertEquals({ c:status(4).state, c:status(5).state }, { "paused", "paused" })
  assert(c:resume { 4, 5 })
  assert(c:disconnect { 1, 3 })
  lu.assertFalse(c:is_connected(1) or c:is_connected(3))
  assert(c:reconnect { 3, 1 })
  lu.assertTrue(c:is_connected(1) and c:is_connected(3))
  assert(c:clock({ 1, 2 }, { rate = 1.01 }))
  assert(c:crash {})
  c:check_live()
end)

in_both(tests, "CallsTakeAll", { nodes = 3 }, function(c)
  assert(c:set("key", 1))
  assert(c:crash "all")
  for id = 1, 3 do
    lu.assertFalse(c:is_alive(id))
  end
  assert(c:restart("all", { wait = true }))
  lu.assertEquals(assert(c:get "key"), 1)
  assert(c:disconnect "all")
  assert(c:reconnect "all")
  c:check_live()
end)

in_both(tests, "AllLeavesOutNodesThatWereRemoved", { nodes = 3 }, function(c)
  c:check_one_leader()
  assert(c:remove_servers { 3 })
  assert(c:crash "all")
  assert(c:restart "all")
  lu.assertEquals(c:status(3).state, "removed")
  c:check_live()
end)

add(tests, "AListIsCheckedBeforeAnythingIsDone", { nodes = 3 }, function(c)
  c:check_one_leader()
  for _, call in ipairs { "crash", "restart", "pause", "resume", "disconnect", "reconnect", "campaign" } do
    raises(function() c[call](c, { 1, "x" }) end, "id[2]")
    raises(function() c[call](c, { 1, 1 }) end, "id[2]", "each id once")
    raises(function() c[call](c, "everybody") end, "id")
    clusters.assert_refused("unknown_node", c[call](c, { 1, 9 }))
    lu.assertTrue(c:is_alive(1) and c:is_connected(1), call)
  end
end)

in_both(tests, "HealAllEndsEveryFault", { nodes = 5 }, function(c)
  c:check_one_leader()
  c:partition { 1, 2 }
  c:intercept(function() return "drop" end)
  c:clock(1, { rate = 2 })
  c:disk(2, { sync_delay = 0.05 })
  c:pause(3)
  c:crash { 4, 5 }
  assert(c:heal "all")
  for id = 1, 5 do
    lu.assertEquals(c:status(id).state, "running")
  end
  c:intercept(function() end) -- none is in force
  c:check_live()
  raises(function() c:heal(true) end, "bad argument 'what'", "face_spec.lua")
end)

-- ---- messages -----------------------------------------------------------------------------------

-- By ten heartbeats' time: where this process does not run for a while, all that is due is handled at once.
in_both(tests, "InterceptLetsAMessageComeLater", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  local late
  c:intercept(function(message)
    if not late and message.kind == "append" and message.to == follower and #message.entries > 0 then
      late = { message = message, at = c:now() }
      return 0.5
    end
  end)
  local number
  c:on({ kind = "send", message = "append", node = leader, peer = follower }, function(event)
    if event.entries and not number then
      number = event.number
    end
  end)
  local overtaken, came = 0, nil
  c:on({ kind = "receive", message = "append", node = follower }, function(event)
    if event.number == number then
      came = c:now()
    elseif number and not came then
      overtaken = overtaken + 1
    end
  end)
  assert(c:set("key", 1))
  assert(c:wait_until(function() return came end))
  lu.assertTrue(came - late.at >= 0.499, came - late.at)
  lu.assertTrue(overtaken > 0, "what was sent later has come before")
  lu.assertEquals(c:held(), {})
  c:intercept(nil)
  c:check_live()
end)

add(tests, "ASecondInterceptIsAnError", { nodes = 3 }, function(c)
  local seen = 0
  c:intercept(function() seen = seen + 1 end)
  raises(function() c:intercept(function() end) end, "an intercept is in force already", "face_spec.lua")
  c:check_one_leader()
  lu.assertTrue(seen > 0, "the first is in force")
  c:intercept(nil)
  c:intercept(function() end)
end)

add(tests, "WhatInterceptCannotTakeIsAnError", { nodes = 3 }, function(c)
  for _, wrong in ipairs { -1, 0 / 0, "later", true } do
    c:intercept(function() return wrong end)
    raises(function() c:wait_leader() end, "intercept: f must return nothing")
    c:intercept(nil)
  end
end)

in_both(tests, "AMessagePrintsAsWhatItSays", { nodes = 3 }, function(c)
  local texts, shown = {}, {}
  c:intercept(function(message)
    texts[#texts + 1] = tostring(message)
    shown[#shown + 1] = lu.prettystr(message)
  end)
  assert(c:set("key", 1))
  c:intercept(nil)
  local all = table.concat(texts, "\n")
  lu.assertStrMatches(all:match "pre_vote from [^\n]*", "pre_vote from %d to %d, term %d")
  lu.assertStrMatches(all:match "append from [^\n]*entry[^\n]*", "append from %d to %d, term %d, entry %d+.*")
  local longest = 0
  for _, text in ipairs(shown) do
    longest = math.max(longest, #text)
  end
  lu.assertTrue(longest < 2000, "the cluster's inside is not shown")
end)

add(tests, "AnEventPrintsAsTheLogLine", { nodes = 1, mode = "sim" }, function(c)
  c:check_one_leader()
  local event = c:events({ kind = "role", role = "leader" })[1]
  lu.assertStrMatches(tostring(event), "%d+%.%d+ %[1%] becomes leader of term 1")
  c:note "here"
  lu.assertStrContains(tostring(c:events { kind = "note" }[1]), "[-] note: here")
  c:clock(1, { rate = 1.5 })
  lu.assertStrContains(tostring(c:events { kind = "fault" }[1]), "fault clock")
end)

-- ---- time ---------------------------------------------------------------------------------------

in_both(tests, "AfterCallsOnceSoMuchLater", { nodes = 3 }, function(c)
  local calls, began = {}, c:now()
  c:after(0.05, function() calls[#calls + 1] = { "b", c:now() - began } end)
  c:after(0.02, function() calls[#calls + 1] = { "a", c:now() - began } end)
  local stop = c:after(0.03, function() calls[#calls + 1] = { "never", 0 } end)
  stop()
  lu.assertEquals(calls, {})
  c:sleep(0.2)
  lu.assertEquals(#calls, 2)
  lu.assertEquals({ calls[1][1], calls[2][1] }, { "a", "b" })
  lu.assertTrue(calls[1][2] >= 0.02 and calls[2][2] >= 0.05)
  stop()
end)

in_both(tests, "AfterMayCallFaultsAndMustNotWait", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  c:after(0.05, function() c:crash(leader) end)
  assert(c:wait_until(function() return not c:is_alive(leader) end, 1))
  c:after(0.05, function() assert(c:heal "all") end)
  assert(c:wait_until(function() return c:is_alive(leader) end, 1))
  local refused
  c:after(0.01, function()
    local _
    _, refused = pcall(c.sleep, c, 1)
  end)
  c:sleep(0.05)
  lu.assertStrContains(tostring(refused), "a function that c:after calls")
  c:after(0.01, function() error "raised in a timer" end)
  raises(function() c:sleep(0.05) end, "raised in a timer", "face_spec.lua")
  raises(function() c:after(-1, print) end, "bad argument 's'")
  raises(function() c:after(1, 5) end, "bad argument 'f'")
end)

add(tests, "AfterInACallbackAndInATimer", { nodes = 3 }, function(c)
  local order = {}
  c:on({ kind = "role", role = "leader" }, function()
    c:after(0.01, function()
      order[#order + 1] = "first"
      c:after(0.01, function() order[#order + 1] = "second" end)
    end)
  end)
  c:check_one_leader()
  c:sleep(0.1)
  lu.assertEquals(order, { "first", "second" })
end)

add(tests, "AClientIsNotStartedWhereNothingMayWait", { nodes = 1 }, function(c)
  c:after(0.01, function() c:client(function() end) end)
  raises(function() c:sleep(0.1) end, "a client cannot be started from")
end)

-- ---- counts -------------------------------------------------------------------------------------

in_both(tests, "StatsCountRequestsDeliveriesPayloadAndTheDisk", { nodes = 3 }, function(c)
  c:check_one_leader()
  clusters.wait_level(c)
  local before = c:stats()
  local value = ("x"):rep(10000)
  for number = 1, 10 do
    assert(c:set("key " .. number, value))
  end
  clusters.wait_level(c)
  local after = c:stats()
  local function grown(name)
    return after[name] - before[name]
  end
  local sent = after.messages
  lu.assertEquals(after.requests, (sent.append or 0) + sent.vote + sent.pre_vote + sent.read + sent.timeout_now
    + (sent.snapshot or 0))
  lu.assertTrue(grown "deliveries" >= 20 and after.deliveries <= sent.total, after.deliveries)
  lu.assertTrue(grown "payload" >= 200000 and grown "payload" < 210000, grown "payload") -- to two followers
  lu.assertTrue(after.bytes.total - before.bytes.total > grown "payload")
  lu.assertTrue(grown "disk_bytes" >= 300000 and grown "disk_bytes" < 310000, grown "disk_bytes") -- three disks
  local alone = 0
  for _, id in ipairs(c:ids()) do
    alone = alone + c:stats(id).requests
  end
  lu.assertEquals(alone, c:stats().requests)
end)

-- ---- small things -------------------------------------------------------------------------------

add(tests, "AClusterTellsItsSeedAndMode", { nodes = 1, mode = "sim", seed = 77 }, function(c)
  lu.assertEquals({ c:seed(), c:mode(), c:is_closed() }, { 77, "sim", false })
  c:shutdown()
  lu.assertEquals({ c:seed(), c:mode(), c:is_closed() }, { 77, "sim", true })
end)

add(tests, "AMethodWithoutItsClusterSaysHowToCallIt", { nodes = 1 }, function(c)
  for name, given in pairs { heal = 5, leader = {}, crash = 1, now = "x", set = true } do
    raises(function() c[name](given) end, ("call it as c:%s()"):format(name), "face_spec.lua")
  end
  raises(function() c.status(nil) end, "call it as c:status()", "face_spec.lua")
  local client = c:client(function() end)
  raises(function() client.wait() end, "call it as client:wait()", "face_spec.lua")
  local found, uv = pcall(require, "luv")
  if found then
    local handle = raft.attach(uv)
    raises(function() handle.close(5) end, "call it as handle:close()", "face_spec.lua")
    handle:close()
    uv.run "nowait" -- luv 1.44 crashes at exit while a handle is still closing
  end
  local message
  c:intercept(function(one) message = one end)
  c:add_servers { 2 }
  c:intercept(nil)
  raises(function() message.deliver(5) end, "call it as message:deliver()", "face_spec.lua")
end)

function tests.test_SortedGoesInAFixedOrder()
  local order = {}
  for key, value in raft.sorted { b = 1, a = 2, [10] = 3, [9] = 4, [true] = 5, [1.5] = 6 } do
    order[#order + 1] = tostring(key) .. "=" .. value
  end
  lu.assertEquals(order, { "1.5=6", "9=4", "10=3", "a=2", "b=1", "true=5" })
  raises(function() raft.sorted { [{}] = 1 } end, "bad argument 't'", "face_spec.lua")
  raises(function() raft.sorted() end, "bad argument 't'", "face_spec.lua")
end

in_both(tests, "EventuallyWaitsForAKeyAndSaysWhatItSaw", { nodes = 3 }, function(c)
  c:after(0.3, function() c:submit(c:leader(), { op = "set", key = "k", value = "there" }) end)
  lu.assertEquals(raft.assert.eventually(function() return c:get "k" end), "there")
  raises(function()
    raft.assert.eventually(function() return c:get "missing" end, 0.1)
  end, "not within 0.1 s: it returned nil", "a key that is missing", "tried ")
end)

return tests
