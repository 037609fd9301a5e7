-- Interception: a script looks at each message before it leaves, and lets it pass, drops it, holds it,
-- delivers it later or again.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"

local tests = {}
local in_both = clusters.in_both

local function leader_and_follower(c)
  assert(c:propose("settled"))
  clusters.wait_level(c)
  local leader = c:check_one_leader()
  return leader, clusters.next_id(c, leader)
end

in_both(tests, "SeesMessagesAsTheyAre", { nodes = 3 }, function(c)
  local leader, follower = leader_and_follower(c)
  local term = c:status(leader).term
  local seen = {}
  c:intercept(function(message)
    if message.kind == "append" and #message.entries > 0 and message.to == follower then
      seen[#seen + 1] = message
    end
  end)
  local index = assert(c:propose { look = "at me" })
  c:intercept(nil)
  lu.assertTrue(#seen >= 1)
  local message = seen[1]
  lu.assertEquals({ message.from, message.to, message.term }, { leader, follower, term })
  lu.assertEquals({ message.prev_index, message.prev_term }, { index - 1, term })
  lu.assertEquals(message.entries[1].command, { look = "at me" })
  lu.assertEquals(message.entries[1].index, index)
  lu.assertEquals(message.reject, false)
end)

in_both(tests, "Drops", { nodes = 3 }, function(c)
  local leader, follower = leader_and_follower(c)
  local before = c:status(follower).last_index
  c:intercept(function(message)
    return message.to == follower and #message.entries > 0 and "drop" or nil
  end)
  assert(c:propose("not for one"))
  c:sleep(0.1)
  lu.assertEquals(c:status(follower).last_index, before)
  lu.assertTrue(#c:events(function(event)
    return event.kind == "drop" and event.node == leader and event.peer == follower
  end) >= 1)
  c:intercept(nil)
  lu.assertEquals(c:check_committed("not for one", 3), 3)
end)

in_both(tests, "HoldsAndDelivers", { nodes = 3 }, function(c)
  local _, follower = leader_and_follower(c)
  c:intercept(function(message)
    return message.to == follower and message.kind == "append" and #message.entries > 0 and "hold" or nil
  end)
  local index = assert(c:propose("held"))
  c:sleep(0.02)
  local held = c:held()
  lu.assertEquals(#held, 1)
  lu.assertEquals({ held[1].kind, held[1].to, held[1].entries[1].command }, { "append", follower, "held" })
  lu.assertTrue(c:status(follower).last_index < index)

  c:intercept(nil) -- what is held stays held
  lu.assertEquals(#c:held(), 1)
  held[1]:deliver()
  assert(c:wait_until(function()
    return c:status(follower).last_index >= index
  end, 1))
end)

in_both(tests, "DeliversAgain", { nodes = 3 }, function(c)
  local leader, follower = leader_and_follower(c)
  local held
  c:intercept(function(message)
    return message.to == follower and message.kind == "append" and #message.entries > 0 and "hold" or nil
  end)
  assert(c:propose("once"))
  c:sleep(0.02)
  held = c:held()[1]
  c:intercept(nil)
  held:deliver()
  assert(c:propose("and more"))
  clusters.wait_level(c)
  local log = c:log(follower)
  for _ = 1, 3 do
    held:deliver() -- a replay, long after
    c:sleep(0.01)
  end
  lu.assertEquals(c:log(follower), log) -- an old message takes nothing away
  lu.assertEquals(c:check_committed("once", 3), 3)
  lu.assertEquals(c:check_one_leader(), leader)
  local applied = 0
  for _, commit in ipairs(c:commits(follower)) do
    applied = applied + (commit.command == "once" and 1 or 0)
  end
  lu.assertEquals(applied, 1)
end)

in_both(tests, "DropsWhatWasHeld", { nodes = 3 }, function(c)
  local _, follower = leader_and_follower(c)
  c:intercept(function(message)
    return message.to == follower and message.kind == "append" and #message.entries > 0 and "hold" or nil
  end)
  assert(c:propose("lost on the way"))
  c:sleep(0.02)
  local held = c:held()[1]
  held:drop()
  lu.assertEquals(#c:held(), 0)
  c:intercept(nil)
  lu.assertEquals(c:check_committed("lost on the way", 3), 3) -- it was sent again
end)

-- A vote that comes years later, from a term that is long over.
in_both(tests, "LateVotesChangeNothing", { nodes = 3, pre_vote = false, election_timeout = math.huge }, function(c)
  clusters.wait_connected(c)
  c:intercept(function(message)
    return message.kind == "vote_response" and "hold" or nil
  end)
  c:campaign(1)
  c:sleep(0.05)
  lu.assertNil(c:leader())
  local late = c:held()
  lu.assertEquals(#late, 2)
  c:intercept(nil)
  c:campaign(2)
  local leader, term = assert(c:wait_leader())
  lu.assertEquals(leader, 2)
  for _, message in ipairs(late) do
    message:deliver()
  end
  c:sleep(0.1)
  lu.assertEquals({ c:check_one_leader() }, { leader, term })
end)

in_both(tests, "ReordersByHand", { nodes = 3 }, function(c)
  local leader, follower = leader_and_follower(c)
  c:intercept(function(message)
    return message.to == follower and message.kind == "append" and #message.entries > 0 and "hold" or nil
  end)
  for i = 1, 3 do
    assert(c:submit(leader, i))
    c:sleep(0.01)
  end
  local held = c:held()
  lu.assertEquals(#held, 3)
  c:intercept(nil)
  for i = 3, 1, -1 do
    held[i]:deliver()
    c:sleep(0.005)
  end
  lu.assertEquals(c:check_committed(3, 3), 3)
  lu.assertEquals(c:check_one_leader(), leader)
end)

in_both(tests, "AnErrorInTheFunctionIsRaised", { nodes = 3 }, function(c)
  c:check_one_leader()
  c:intercept(function()
    error("from the interceptor")
  end)
  clusters.assert_raises(function()
    c:sleep(1)
  end, "from the interceptor")
  c:intercept(nil)
  c:check_live()
end)

clusters.add(tests, "OnlyKnownVerdictsAreTaken", { nodes = 3 }, function(c)
  c:check_one_leader()
  c:intercept(function()
    return "hodl"
  end)
  clusters.assert_raises(function()
    c:sleep(1)
  end, "hodl")
  c:intercept(nil)
end)

-- ---- whatever has become of its sender ------------------------------------------------------------------

-- Holds a message with an entry from the leader to a follower, and delivers it once `what` is done to the leader.
local function delivered_after(c, what)
  local leader, follower = leader_and_follower(c)
  c:intercept(function(message)
    return message.to == follower and message.kind == "append" and #message.entries > 0 and "hold" or nil
  end)
  local index = assert(c:submit(leader, "held"))
  assert(c:wait_until(function()
    return #c:held() > 0
  end))
  local held, number = c:held()[1], 0
  c:intercept(nil)
  what(leader)
  c:on({ kind = "receive", node = follower, peer = leader, message = "append" }, function()
    number = number + 1
  end)
  for _ = 1, 2 do
    lu.assertTrue(held:deliver())
  end
  c:sleep(0.01)
  lu.assertEquals(number, 2)
  return held, index, follower
end

in_both(tests, "ArrivesThoughItsSenderHasCrashed", { nodes = 3, election_timeout = math.huge }, function(c)
  c:campaign(1)
  delivered_after(c, function(leader)
    c:crash(leader)
  end)
end)

in_both(tests, "ArrivesThoughItsSenderIsCutOff", { nodes = 3, election_timeout = math.huge }, function(c)
  c:campaign(1)
  local _, index, follower = delivered_after(c, function(leader)
    c:disconnect(leader)
  end)
  lu.assertEquals(c:status(follower, "last_index"), index)
end)

in_both(tests, "ArrivesThoughItsSenderWasRemoved", { nodes = 3 }, function(c)
  delivered_after(c, function(leader)
    assert(c:remove_servers { leader })
  end)
end)

in_both(tests, "DoesNotArriveWhereTheReceiverIsDown", { nodes = 3, election_timeout = math.huge }, function(c)
  c:campaign(1)
  local _, follower = leader_and_follower(c)
  c:intercept(function(message)
    return message.to == follower and message.kind == "append" and #message.entries > 0 and "hold" or nil
  end)
  assert(c:submit(1, "more"))
  assert(c:wait_until(function()
    return #c:held() > 0
  end))
  local held = c:held()[1]
  c:crash(follower)
  local answer, message, code = held:deliver()
  lu.assertNil(answer)
  lu.assertEquals(code, "node_down")
  lu.assertStrContains(message, ("node %d is crashed"):format(follower))
  lu.assertEquals(c:held()[1], held)
  assert(c:restart(follower))
  lu.assertTrue(held:deliver())
end)

return tests
