-- Handing leadership over (transfer_matrix): to each voter in turn; to one that lags, cannot be reached, is no voter or
-- takes too long; under load and under reads. Whatever comes of it, commands are taken again.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local nodes_of = require "spec.support.nodes"

local tests = {}
local in_both, in_all = clusters.in_both, clusters.in_all

local LONGEST = 0.3 -- the longest election time-out

local function pre_votes(c)
  local sum = 0
  for _, id in ipairs(c:ids()) do
    sum = sum + (c:stats(id).messages.pre_vote or 0)
  end
  return sum
end

-- A leader with something committed, known everywhere; a follower; the other one.
local function settled(c)
  local leader, term = c:check_one_leader()
  assert(c:propose("settled"))
  clusters.wait_level(c)
  local target = clusters.next_id(c, leader)
  return leader, target, clusters.next_id(c, target), term
end

-- The transfer ends with this code within a bound, the leader leads on in its term and commits.
local function assert_given_up(c, target, code, most)
  local leader, term = c:check_one_leader()
  local started = c:now()
  local message, detail = clusters.assert_refused(code, c:transfer_leader(target))
  lu.assertTrue(c:now() - started < (most or 2 * LONGEST), ("%g s"):format(c:now() - started))
  lu.assertEquals({ c:status(leader, "role"), c:status(leader, "term") }, { "leader", term })
  assert(c:propose("after", { node = leader }))
  return message, detail
end

in_all(tests, "EachInTurnLeads", { nodes = 5 }, function(c)
  local _, term = c:check_one_leader()
  for round = 1, 2 do
    for id = 1, 5 do
      assert(c:propose { round, id })
      if c:leader() ~= id then
        local before = pre_votes(c)
        local leader, new_term = assert(c:transfer_leader(id))
        lu.assertEquals({ leader, new_term }, { id, term + 1 })
        lu.assertEquals(pre_votes(c), before) -- no time-out was waited for
        term = new_term
      end
    end
  end
  for round = 1, 2 do
    for id = 1, 5 do
      c:check_committed({ round, id }, 5)
    end
  end
end)

in_all(tests, "OneThatLeadsAlreadyGoesOn", { nodes = 3 }, function(c)
  local leader, _, _, term = settled(c)
  lu.assertEquals({ assert(c:transfer_leader(leader)) }, { leader, term })
end)

in_all(tests, "OnlyToAVoter", { nodes = 3 }, function(c)
  settled(c)
  assert(c:add_learners { 4 })
  clusters.wait_level(c)
  local message = assert_given_up(c, 4, "not_member")
  lu.assertStrContains(message, "only to another voter")
  clusters.assert_refused("unknown_node", c:transfer_leader(9))
end)

in_all(tests, "WithoutALeaderItTimesOut", { nodes = 3 }, function(c)
  local leader, target, third = settled(c)
  c:partition({ leader }, { target }, { third })
  clusters.wait_no_leaders(c)
  clusters.assert_refused("no_leader", c:transfer_leader(target, { timeout = 0.2 }))
end)

in_all(tests, "OneThatCannotBeReachedIsGivenUp", { nodes = 3 }, function(c)
  local _, target = settled(c)
  c:disconnect(target)
  assert_given_up(c, target, "timeout")
end)

in_all(tests, "OneThatIsDownIsGivenUp", { nodes = 3 }, function(c)
  local _, target = settled(c)
  c:crash(target)
  local _, detail = assert_given_up(c, target, "timeout")
  lu.assertTrue(detail.unknown) -- it was told, as far as the leader knows
end)

-- Nor does the third node hear of it: it would vote for it as soon as a busy machine keeps the leader's heartbeats from
-- it for once.
in_all(tests, "OneThatHearsNothingIsGivenUp", { nodes = 3 }, function(c)
  local leader, target, third = settled(c)
  c:link(leader, target, { cut = true })
  c:link(target, third, { cut = true })
  assert_given_up(c, target, "timeout")
end)

-- The leader does not hear of it, but the third node does, and votes: that it leads is seen all the same.
in_all(tests, "OneThatTheLeaderDoesNotHearLeads", { nodes = 3 }, function(c)
  local leader, target, _, term = settled(c)
  c:link(target, leader, { cut = true })
  lu.assertEquals({ c:transfer_leader(target) }, { target, term + 1 })
  assert(c:propose("by two", { node = target }))
  c:heal()
  c:check_live()
end)

in_all(tests, "OneThatLagsIsCaughtUpFirst", { nodes = 3 }, function(c)
  local leader, target = settled(c)
  c:disconnect(target)
  for number = 1, 50 do
    assert(c:propose(number))
  end
  c:reconnect(target)
  clusters.wait_follows(c, target, leader)
  lu.assertEquals((assert(c:transfer_leader(target))), target)
  for number = 1, 50 do
    c:check_committed(number, 3)
  end
end)

-- It gets some of the log, and not in time: nobody told it to campaign.
in_all(tests, "OneThatLagsTooFarIsGivenUp", { nodes = 3, max_message = 1000 }, function(c)
  local leader, target = settled(c)
  c:link(leader, target, { bandwidth = 20000 })
  for _ = 1, 100 do
    assert(c:propose(("x"):rep(1000)))
  end
  local message, detail = assert_given_up(c, target, "timeout")
  lu.assertStrContains(message, "did not have the log")
  lu.assertNil(detail.unknown)
  c:heal()
  lu.assertEquals((assert(c:transfer_leader(target, { timeout = 30 }))), target)
end)

in_both(tests, "OneWhoseDiskHangsIsGivenUp", { nodes = 3 }, function(c)
  local leader, target = settled(c)
  c:disk(target, { sync_delay = 5 })
  assert(c:propose("not on its disk"))
  assert_given_up(c, target, "timeout")
  c:disk(target, nil)
  lu.assertEquals(c:leader(), leader)
end)

-- A leader whose own disk hangs can hand over all the same: what it wrote last is on the others' disks.
in_both(tests, "ALeaderWhoseDiskHangsHandsOver", { nodes = 3 }, function(c)
  local leader, target, _, term = settled(c)
  c:disk(leader, { sync_delay = 1 })
  assert(c:submit(leader, "written elsewhere"))
  lu.assertEquals({ c:transfer_leader(target) }, { target, term + 1 })
  c:disk(leader, nil)
  c:check_committed("written elsewhere", 2, 10)
end)

in_all(tests, "APausedTargetIsGivenUpAndHarmlessLater", { nodes = 3 }, function(c)
  local _, target = settled(c)
  c:pause(target)
  local _, detail = assert_given_up(c, target, "timeout")
  lu.assertTrue(detail.unknown)
  c:resume(target)
  c:check_live()
end)

-- Commands are refused while it lasts, by the leader and to whoever asks it.
in_all(tests, "CommandsAreRefusedMeanwhile", { nodes = 3 }, function(c)
  local leader, target = settled(c)
  c:disconnect(target)
  local transfer = c:client(function()
    return c:transfer_leader(target)
  end)
  assert(c:wait_until(function()
    return select(3, c:submit(leader, "refused")) == "busy"
  end))
  local message = clusters.assert_refused("busy", c:propose("refused as well"))
  lu.assertStrContains(message, "handing leadership over")
  clusters.assert_refused("busy", c:change_members({ voters = { leader } }, { wait = false }))
  lu.assertNil((clusters.result(transfer)))
  assert(c:propose("taken"))
  c:check_not_committed("refused as well")
end)

-- A change of members waits for the end of it.
in_all(tests, "AChangeOfMembersComesAfter", { nodes = 3 }, function(c)
  local leader, target, third = settled(c)
  c:disconnect(target)
  local transfer = c:client(function()
    return c:transfer_leader(target)
  end)
  assert(c:wait_until(function()
    return select(3, c:submit(leader, "refused")) == "busy"
  end))
  assert(c:remove_servers({ target }, { stop = false }))
  lu.assertNil((clusters.result(transfer)))
  lu.assertEquals(#c:members().voters, 2)
  lu.assertEquals((assert(c:transfer_leader(third))), third)
end)

-- The leader has nothing left to say to a target that has just answered: no further round has to come by itself.
in_both(tests, "RightAfterTheTargetHasAnswered", { nodes = 3, heartbeat_interval = 0.1 }, function(c)
  for _ = 1, 5 do
    local leader, target, _, term = settled(c)
    local index = assert(c:submit(leader, "x"))
    assert(c:wait_event { kind = "match", node = leader, peer = target, index = index })
    local started = c:now()
    lu.assertEquals({ c:transfer_leader(target) }, { target, term + 1 })
    if c:mode() == "sim" then
      lu.assertTrue(c:now() - started < 0.05, c:now() - started) -- less than to the next heartbeat
    end
  end
end)

local function readers(c, count)
  local run = { reads = 0 }
  for _ = 1, count do
    c:client(function()
      while not run.over do
        local _, message, code = c:get("key", { timeout = 1 })
        assert(code == nil or code == "no_leader" or code == "timeout", message)
        run.reads = run.reads + (code == nil and 1 or 0)
      end
    end)
  end
  return run
end

in_all(tests, "UnderSustainedReads", { nodes = 3 }, function(c)
  local leader, target, third = settled(c)
  assert(c:set("key", 1))
  local run = readers(c, 8)
  lu.assertEquals((assert(c:transfer_leader(target))), target)
  assert(c:set("key", 2))
  c:disconnect(third)
  assert_given_up(c, third, "timeout")
  assert(c:set("key", 3))
  c:reconnect(third)
  lu.assertEquals((assert(c:transfer_leader(leader))), leader)
  assert(c:set("key", 4))
  run.over = true
  assert(c:wait_clients())
  lu.assertEquals(c:get("key"), 4)
  lu.assertTrue(run.reads > 10, run.reads)
end)

-- Sustained writes: what was told to be committed is there, what was refused never comes.
in_all(tests, "UnderSustainedWrites", { nodes = 3 }, function(c)
  settled(c)
  local committed, refused, over = {}, {}, false
  for client = 1, 4 do
    c:client(function()
      local number = 0
      while not over do
        number = number + 1
        local command = { client, number }
        local index, _, _, detail = c:propose(command, { timeout = 2 })
        if index then
          committed[#committed + 1] = command
        elseif not detail.unknown then
          refused[#refused + 1] = command
          c:sleep(0.005)
        end
      end
    end)
  end
  for round = 1, 6 do
    c:sleep(0.05)
    local target = round % 3 + 1
    lu.assertEquals((assert(c:transfer_leader(target))), target)
  end
  over = true
  assert(c:wait_clients())
  clusters.wait_level(c)
  for place = 1, #committed, math.ceil(#committed / 50) do
    lu.assertEquals(c:check_committed(committed[place], 3), 3)
  end
  for place = 1, math.min(#refused, 50) do
    c:check_not_committed(refused[place])
  end
end)

-- The leader loses its quorum while it brings the target level: the next one is asked, and does it.
in_all(tests, "ALeaderThatIsReplacedMeanwhile", { nodes = 5, max_message = 1000 }, function(c)
  local leader, target = settled(c)
  c:link(leader, target, { bandwidth = 20000 })
  for _ = 1, 30 do
    assert(c:propose(("x"):rep(1000)))
  end
  local transfer = c:client(function()
    return c:transfer_leader(target)
  end)
  assert(c:wait_until(function()
    return select(3, c:submit(leader, "refused")) == "busy"
  end))
  c:crash(leader)
  lu.assertEquals(clusters.result(transfer, 20), target)
  assert(c:wait_leader())
  lu.assertEquals(c:leader(), target)
end)

-- A removed leader hands over before it goes.
in_all(tests, "ARemovedLeaderHandsOver", { nodes = 4 }, function(c)
  local leader, _, _, term = settled(c)
  local before = pre_votes(c)
  assert(c:remove_servers({ leader }, { stop = false }))
  local new, new_term = assert(c:wait_leader(nil, term))
  lu.assertNotEquals(new, leader)
  lu.assertEquals(new_term, term + 1)
  lu.assertEquals(pre_votes(c), before)
  lu.assertEquals(#c:members().voters, 3)
  assert(c:propose("after"))
end)

-- Two in one term is what transfers got wrong elsewhere: the voters are asked by the target and by another at once.
clusters.add(tests, "TheTargetAndAnotherCandidate", { nodes = 5 }, function(c)
  for _ = 1, 20 do
    local _, target, third = settled(c)
    local stop
    stop = c:on({ kind = "receive", message = "timeout_now" }, function()
      stop()
      c:campaign(third, { force = true })
    end)
    c:transfer_leader(target)
    c:check_one_leader()
  end
end)

-- ---- nodes in an application ---------------------------------------------------------------------------------

function tests.test_ANodeHandsOverWhenAsked()
  nodes_of.with_nodes(3, { forward = false }, function(nodes)
    local leader, follower = nodes_of.leader_of(nodes)
    assert(leader:propose(1))
    local term = leader:status().term
    lu.assertEquals({ leader:transfer_leader(follower.id) }, { follower.id, term + 1 })
    nodes_of.run_until("the new leader", function() return follower:status().role == "leader" end)
    assert(follower:propose(1))
    local _, detail = clusters.assert_refused("not_leader", leader:transfer_leader(leader.id))
    lu.assertEquals(detail.leader, follower.id)
    lu.assertEquals(detail.address, follower:status().address)
    clusters.assert_refused("not_member", follower:transfer_leader(9))
    lu.assertEquals({ follower:transfer_leader(follower.id) }, { follower.id, term + 1 })
  end)
end

function tests.test_ANodeGivesUpOneThatHasEnded()
  nodes_of.with_nodes(3, nil, function(nodes)
    local leader, follower = nodes_of.leader_of(nodes)
    assert(leader:propose(1))
    follower:close()
    local told
    leader:transfer_leader(follower.id, function(...) told = { ... } end)
    local _, _, code = leader:propose(1)
    lu.assertEquals(code, "busy")
    nodes_of.run_until("the end of it", function() return told end)
    lu.assertNil(told[1])
    lu.assertEquals(told[3], "timeout")
    assert(leader:propose(1))
  end)
end

-- No time-out has to pass until another leads: nobody asks for pre-votes.
function tests.test_ANodeThatIsClosedHandsOver()
  local asked = 0
  local function count(event)
    asked = asked + (event.kind == "send" and event.message == "pre_vote" and 1 or 0)
  end
  nodes_of.with_nodes(3, { trace = count }, function(nodes)
    local leader, follower = nodes_of.leader_of(nodes)
    assert(leader:propose(1))
    asked = 0
    local term = follower:status().term
    leader:close()
    lu.assertEquals(leader:status().state, "closed")
    nodes_of.run_until("a leader", function()
      local status = follower:status()
      return status.leader ~= 0 and status.leader ~= leader.id
    end)
    lu.assertEquals(follower:status().term, term + 1)
    lu.assertEquals(asked, 0)
    assert(follower:propose(1))
  end)
end

function tests.test_ACloseWithAFunctionHandsOverMeanwhile()
  nodes_of.with_nodes(3, nil, function(nodes)
    local leader, follower = nodes_of.leader_of(nodes)
    assert(leader:propose(1))
    local told
    leader:close(function(...) told = { ... } end)
    lu.assertNil(told)
    lu.assertEquals(select(3, leader:propose(1)), "closed")
    nodes_of.run_until("its end", function() return told end)
    lu.assertEquals(told, { true })
    local status = follower:status()
    lu.assertTrue(status.leader ~= leader.id)
  end)
end

-- Nobody can take over: that is not waited for long, and with a second close not at all.
function tests.test_ANodeWithoutAQuorumIsClosedAllTheSame()
  for _, twice in ipairs { false, true } do
    nodes_of.with_nodes(3, { election_timeout = { 0.4, 0.8 }, heartbeat_interval = 0.1 }, function(nodes)
      local leader, follower = nodes_of.leader_of(nodes)
      assert(leader:propose(1))
      for _, node in ipairs(nodes) do
        if node ~= leader and node ~= follower then
          node:close()
        end
      end
      local started = os.time()
      follower:close()
      local told
      leader:close(function(...) told = { ... } end)
      if twice then
        leader:close()
        lu.assertEquals(told, { true })
      end
      nodes_of.run_until("its end", function() return told end)
      lu.assertTrue(os.difftime(os.time(), started) <= 3)
    end)
  end
end

function tests.test_ALoneNodeIsClosedAtOnce()
  nodes_of.with_nodes(1, nil, function(nodes)
    assert(nodes[1]:propose(1))
    local told
    nodes[1]:close(function(...) told = { ... } end)
    lu.assertEquals(told, { true })
  end)
end

return tests
