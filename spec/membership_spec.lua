-- Changes of members: joint consensus for any set of added and removed servers.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"

local tests = {}
local in_all = clusters.in_all

local function check_members(c, voters, learners)
  assert(c:wait_leader())
  local members = c:members()
  lu.assertEquals(members.voters, voters)
  lu.assertEquals(members.learners, learners or {})
  lu.assertNil(members.voters_old)
end

in_all(tests, "SeveralAtOnce", { nodes = 3 }, function(c)
  assert(c:propose("before"))
  local index = assert(c:change_members { voters = { 2, 3, 4, 5, 6 } })
  lu.assertEquals(math.type and math.type(index) or "integer", "integer")
  check_members(c, { 2, 3, 4, 5, 6 })
  assert(c:propose("after"))
  lu.assertEquals(c:check_committed("before", 5), 5)
  lu.assertEquals(c:check_committed("after", 5), 5)
end)

-- By its events: it may be over before anybody looks at the members. Under load another may lead when it is asked.
in_all(tests, "GoesThroughAJointConfiguration", { nodes = 3 }, function(c)
  assert(c:propose(1))
  local index, term
  assert(c:wait_until(function()
    index, term = c:add_servers({ 4, 5 }, { wait = false })
    return index
  end))
  assert(c:wait_until(function()
    local members = c:members()
    return #members.voters == 5 and not members.voters_old
  end))
  check_members(c, { 1, 2, 3, 4, 5 })
  local joint = c:events { kind = "members", index = index }[1]
  lu.assertEquals(joint.members.voters, { 1, 2, 3, 4, 5 })
  lu.assertEquals(joint.members.voters_old, { 1, 2, 3 })
  lu.assertEquals(c:log(joint.node)[index].term, term)
end)

in_all(tests, "ReplacesEveryVoterTheLeaderIncluded", { nodes = 3 }, function(c)
  local _, term = c:check_one_leader()
  assert(c:propose(1))
  assert(c:change_members { voters = { 4, 5, 6 } })
  local leader, new_term = assert(c:wait_leader())
  lu.assertTrue(leader >= 4)
  lu.assertTrue(new_term > term)
  check_members(c, { 4, 5, 6 })
  for id = 1, 3 do
    lu.assertFalse(c:is_alive(id))
    lu.assertEquals(c:status(id).state, "removed")
  end
  assert(c:propose(2))
  lu.assertEquals(c:check_committed(1, 3), 3)
  lu.assertEquals(c:check_committed(2, 3), 3)
end)

in_all(tests, "ATruncatedConfigurationIsRolledBack", { nodes = 3 }, function(c)
  assert(c:propose("before"))
  local old, term = c:check_one_leader()
  c:disconnect(old)
  local index = assert(c:add_servers({ 4, 5 }, { node = old, wait = false }))
  lu.assertEquals(c:members(old).voters, { 1, 2, 3, 4, 5 })
  assert(c:wait_leader(nil, term))
  assert(c:propose("instead"))
  c:reconnect(old)
  assert(c:wait_until(function()
    return c:status(old).applied >= index
  end))
  lu.assertEquals(c:members(old).voters, { 1, 2, 3 })
  lu.assertNil(c:members(old).voters_old)
  lu.assertEquals(c:check_committed("instead", 3), 3)
end)

in_all(tests, "ASecondChangeIsPending", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  assert(c:propose(1))
  c:partition { leader }
  assert(c:add_servers({ 4 }, { wait = false, node = leader }))
  clusters.assert_refused("membership_pending", c:add_servers({ 5 }, { wait = false, node = leader }))
  c:heal()
end)

in_all(tests, "PendingChangeEndsAndTheNextIsTaken", { nodes = 3 }, function(c)
  assert(c:add_servers { 4 })
  assert(c:add_servers { 5 })
  check_members(c, { 1, 2, 3, 4, 5 })
end)

clusters.add(tests, "RefusesMembersThatAreThereOrAreNot", { nodes = 3 }, function(c)
  c:check_one_leader()
  clusters.assert_refused("already_member", c:add_servers { 2 })
  assert(c:remove_servers { clusters.next_id(c, c:leader()) })
  local gone
  for id = 1, 3 do
    gone = c:is_alive(id) and gone or id
  end
  clusters.assert_refused("not_member", c:remove_servers { gone })
end)

in_all(tests, "AFollowerRefusesAndNamesTheLeader", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  clusters.wait_follows(c, follower, leader)
  local told = { leader, c:status(leader).address }
  for _, options in ipairs { { node = follower }, { node = follower, wait = false } } do
    local _, detail = clusters.assert_refused("not_leader", c:add_servers({ 4 }, options))
    lu.assertEquals({ detail.leader, detail.address }, told)
  end
end)

-- A member that went to a new term although no member had stood for election in it: only `gone` had. On a busy machine
-- members may hold elections of their own.
local function disturbed(c, gone, term)
  local stood = {}
  for _, event in ipairs(c:events { kind = "role" }) do
    if event.node ~= gone and (event.term or 0) > term then
      stood[event.term] = stood[event.term] or event.role == "candidate"
      if not stood[event.term] then
        return tostring(event)
      end
    end
  end
end

-- A server that was cut off when it was removed does not know, and goes on asking for votes: while the
-- leader still tries to tell it, or when that has given up.
local function removed_server_disturbs_nobody(away)
  return function(c)
    local leader, term = c:check_one_leader()
    local gone = clusters.next_id(c, leader)
    c:disconnect(gone)
    assert(c:remove_servers({ gone }, { stop = false }))
    clusters.wait_tried(c, gone)
    c:sleep(away)
    c:reconnect(gone)
    c:sleep(1.5)
    lu.assertNil(disturbed(c, gone, term))
    if c:mode() == "sim" then
      lu.assertEquals({ c:check_one_leader() }, { leader, term })
    end
    assert(c:propose("undisturbed"))
    lu.assertTrue(c:check_committed("undisturbed", 3) >= 3)
  end
end

for name, options in pairs {
  RemovedServerDisturbsNobody = { nodes = 4 },
  RemovedServerDisturbsNobodyWithoutPreVote = { nodes = 4, pre_vote = false },
} do
  in_all(tests, name .. "WhileItIsBeingTold", options, removed_server_disturbs_nobody(0))
  in_all(tests, name .. "WhenNobodyTellsIt", options, removed_server_disturbs_nobody(0.4))
end

in_all(tests, "ShrinksToOneAndGrowsToFive", { nodes = 3 }, function(c)
  assert(c:propose("three"))
  assert(c:remove_servers { clusters.next_id(c, (c:check_one_leader())) })
  local leader = c:check_one_leader()
  local rest = c:members().voters
  assert(c:remove_servers { rest[1] == leader and rest[2] or rest[1] })
  check_members(c, { leader })
  assert(c:propose("one"))
  lu.assertEquals(c:check_committed("one", 1), 1)
  assert(c:add_servers { 11, 12, 13, 14 })
  check_members(c, { leader, 11, 12, 13, 14 })
  for _, command in ipairs { "three", "one" } do
    lu.assertEquals(c:check_committed(command, 5), 5)
  end
end)

in_all(tests, "LearnersDoNotVoteAndArePromoted", { nodes = 3 }, function(c)
  c:check_one_leader()
  assert(c:add_learners { 4 })
  check_members(c, { 1, 2, 3 }, { 4 })
  assert(c:wait_until(function()
    return c:status(4).role == "learner"
  end))
  assert(c:propose("learnt"))
  lu.assertEquals(c:check_committed("learnt", 4), 4)
  assert(c:promote { 4 })
  check_members(c, { 1, 2, 3, 4 })
  assert(c:wait_until(function()
    return c:status(4).role == "follower"
  end))
end)

-- Its vote is needed by a majority that knows of its promotion while it does not (promoted_learner_must_vote,
-- etcd #10998).
in_all(tests, "APromotedLearnerThatDoesNotKnowVotes", { nodes = 3 }, function(c)
  local leader, term = c:check_one_leader()
  assert(c:add_learners { 4 })
  lu.assertEquals(c:check_committed((c:propose("known") and "known"), 4), 4)
  assert(c:wait_until(function()
    return c:status(leader).peers[4].match == c:status(leader).last_index -- level, so that it is promoted at once
  end))
  c:link("*", 4, { cut = true })
  assert(c:promote { 4 })
  lu.assertEquals(c:status(4).role, "learner")
  c:crash(leader)
  c:link("*", 4, nil)
  local new, new_term = assert(c:wait_leader(nil, term)) -- three of four are needed, and run
  lu.assertNotEquals(new, leader)
  lu.assertTrue(new_term > term)
end)

in_all(tests, "AnIdThatComesBackStartsFromAnEmptyDisk", { nodes = 3 }, function(c)
  assert(c:propose("before"))
  local gone = clusters.next_id(c, (c:check_one_leader()))
  assert(c:remove_servers { gone })
  lu.assertFalse(c:is_alive(gone))
  assert(c:propose("meanwhile"))
  assert(c:add_servers { gone })
  check_members(c, { 1, 2, 3 })
  assert(c:propose("after"))
  for _, command in ipairs { "before", "meanwhile", "after" } do
    lu.assertEquals(c:check_committed(command, 3), 3)
  end
end)

in_all(tests, "AChangeCommitsWhileAnOldMemberIsDown", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local down = clusters.next_id(c, leader)
  c:crash(down)
  assert(c:change_members { voters = clusters.others(c, down) })
  assert(c:add_servers { 4 })
  lu.assertEquals(c:members().voters, clusters.others(c, down))
  assert(c:propose("on"))
  lu.assertEquals(c:check_committed("on", 3), 3)
end)

in_all(tests, "AJointMajorityNeedsTheOldSetToo", { nodes = 3 }, function(c)
  local leader, term, others
  repeat -- under load it may lead no longer when it is asked
    c:heal()
    leader, term = c:check_one_leader()
    others = clusters.others(c, leader)
    assert(c:propose("settled"))
    -- The leader reaches only new servers: they alone would be a majority of the new set.
    c:partition { others[1], others[2] }
  until c:change_members({ voters = { leader, 4, 5 } }, { node = leader, wait = false })
  c:sleep(0.3)
  lu.assertEquals(c:members(leader).voters_old, { 1, 2, 3 })
  assert(c:wait_until(function()
    local new, new_term = c:leader()
    return new ~= leader and new and new_term > term
  end))
  assert(c:propose("the old set's")) -- its majority is over there, and goes on
  c:heal()
  lu.assertEquals(c:check_committed("the old set's", 3), 3)
  lu.assertEquals(c:members().voters, { 1, 2, 3 })
end)

clusters.add(tests, "AddingWaitsForTheChangeOrItsTimeout", { nodes = 3 }, function(c)
  assert(c:propose("before"))
  local leader = c:check_one_leader()
  c:partition { leader }
  local _, detail = clusters.assert_refused("timeout", c:add_servers({ 4 }, { timeout = 0.1, node = leader }))
  lu.assertTrue(detail.unknown)
end)

in_all(tests, "OneAddedAgainIsNotStoppedByItsRemoval", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local id = clusters.next_id(c, leader)
  assert(c:propose("before"))
  c:link(leader, id, { cut = true }) -- it is not told of its removal
  local removal = c:client(function()
    return c:remove_servers { id }
  end)
  assert(c:wait_until(function()
    local status = c:status(leader)
    return #status.members.voters == 2 and not status.members.voters_old and status.commit == status.last_index
  end))
  c:link(leader, id, nil)
  assert(c:add_servers { id })
  assert(removal:wait())
  lu.assertEquals(c:status(id).state, "running")
  check_members(c, { 1, 2, 3 })
end)

-- A server that is removed and added again before it hears of either, and then is sent the log between slowly, on a
-- connection from before, whose hello could not tell it of the second. Gives the leader, that server, both indexes.
local function removed_and_added_again_unheard(c)
  local leader = c:check_one_leader()
  local id = clusters.next_id(c, leader)
  assert(c:propose("before"))
  lu.assertEquals(c:check_committed("before", 3), 3)
  c:link(leader, id, { drop = 1 })
  local removed = assert(c:remove_servers({ id }, { stop = false }))
  for _ = 1, 40 do
    assert(c:propose(("x"):rep(1000)))
  end
  local added = assert(c:add_servers({ id }, { wait = false })) -- not brought level first
  assert(c:wait_until(function()
    local status = c:status(leader)
    added = status.last_index -- of the final configuration
    return not status.members.voters_old and #status.members.voters == 3 and status.commit == status.last_index
  end))
  c:link(leader, id, { bandwidth = 100000 }) -- a message each 10 ms
  return leader, id, removed, added
end

local slow_log = { nodes = 3, max_message = 1000 }

in_all(tests, "OneThatIsStillBeingSentTheLogIsNotStoppedByItsRemoval", slow_log, function(c)
  local _, id, _, added = removed_and_added_again_unheard(c)
  assert(c:wait_until(function()
    local status = c:status(id)
    return status.state == "removed" or status.applied >= added
  end))
  lu.assertEquals(c:status(id).state, "running")
  check_members(c, { 1, 2, 3 })
end)

-- It is cut off before it hears that it was added again. What it has replayed removed another server of its id, so that
-- it goes on waiting for the rest, and has it when it can be reached.
in_all(tests, "AMemberThatReplaysItsFormerRemovalGoesOn", slow_log, function(c)
  local leader, id, removed, added = removed_and_added_again_unheard(c)
  assert(c:wait_until(function()
    return c:status(id).applied > removed
  end))
  c:link(leader, id, { cut = true })
  c:sleep(0.5)
  lu.assertTrue(c:status(id).last_index < added)
  lu.assertEquals({ c:status(id).state, c:status(id).member }, { "running", false })
  lu.assertEquals(c:members().voters, { 1, 2, 3 })
  assert(c:add_servers { 4 })
  lu.assertEquals(c:status(id).state, "running")
  c:link(leader, id, nil)
  lu.assertEquals(c:check_committed("before", 4), 4)
  check_members(c, { 1, 2, 3, 4 })
end)

-- A leader that was left behind takes a server for a member whose place another disk has had since: that one is not the
-- member's, and a new one would be none either.
in_all(tests, "AMemberThatCannotBeStartedAgainIsGivenNoFreshDisk", { nodes = 5 }, function(c)
  local old, term = c:check_one_leader()
  local id = clusters.next_id(c, old)
  c:partition { old }
  assert(c:wait_leader(nil, term))
  assert(c:remove_servers { id })
  assert(c:add_servers { id })
  assert(c:remove_servers { id })
  lu.assertEquals(c:status(id).state, "removed")
  lu.assertEquals(c:members(old).voters, { 1, 2, 3, 4, 5 })
  clusters.assert_refused("not_member", c:add_servers({ 6 }, { node = old, wait = false }))
  lu.assertEquals(c:status(id).state, "removed")
  lu.assertNotTableContains(c:ids(), 6)
end)

-- Its disk was unknown when it said hello, before it was a member: it is asked again on the connection that is there.
in_all(tests, "AServerThatIsAddedKeepsItsConnections", { nodes = 3 }, function(c)
  assert(c:add_servers { 4 })
  assert(c:propose("after"))
  lu.assertEquals(c:check_committed("after", 4), 4)
  c:sleep(0.3)
  lu.assertEquals(c:events(function(event)
    return event.kind == "disconnect" and (event.node == 4 or event.peer == 4)
  end), {})
  local leader = c:check_one_leader() -- and its acknowledgements count
  c:crash(clusters.next_id(c, leader))
  assert(c:propose("by three of four"))
end)

-- A node that met nobody before gets the first hello of a member when that has gone and come back with another disk.
in_all(tests, "AFormerLifesLastHelloDoesNotBarTheNext", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local mover = clusters.next_id(c, leader)
  local third = clusters.next_id(c, mover)
  c:link(mover, "*", { delay = 0.4 })
  assert(c:add_servers { 4 })
  assert(c:change_members { voters = { leader, third, 4 } })
  c:link(mover, "*", { delay = 0.001 })
  assert(c:change_members { voters = { leader, mover, 4 } })
  c:sleep(0.5) -- the late hello comes
  c:link(mover, "*", nil)
  c:crash(leader)
  local next_leader = assert(c:wait_leader()) -- by the votes of both others, which must have met
  clusters.assert_one_of(next_leader, { mover, 4 })
end)

-- The leader knows already that a member is back when what its former life said, before its removal, would arrive. What
-- its new life says would come later still. It counts for nothing.
local function message_of_former_life(c, meanwhile)
  local leader = c:check_one_leader()
  local id = clusters.next_id(c, leader)
  c:link(id, leader, { delay = 0.4 })
  assert(c:propose "acknowledged late")
  assert(c:remove_servers { id })
  local addition = c:client(function() return c:add_servers { id } end)
  assert(c:wait_until(function()
    local members = c:status(leader).members
    return #members.voters + #members.learners == 3
  end))
  local matched = {}
  local off = c:on({ kind = "match", node = leader, peer = id }, function(event)
    matched[#matched + 1] = event
  end)
  meanwhile(leader)
  off()
  lu.assertEquals(matched, {})
  local peers = c:status(leader).peers -- none where the pause has deposed it
  lu.assertEquals(peers and peers[id].match or 0, 0)
  c:link(id, leader, nil)
  assert(addition:wait())
  check_members(c, { 1, 2, 3 })
end

in_all(tests, "WhatAFormerLifeSaidIsNotHeard", { nodes = 3 }, function(c)
  message_of_former_life(c, function()
    c:sleep(0.35)
  end)
end)

in_all(tests, "WhatAFormerLifeSaidIsNotHeardAfterAPause", { nodes = 3 }, function(c)
  message_of_former_life(c, function(leader)
    c:pause(leader)
    c:sleep(0.35)
    c:resume(leader)
    c:sleep(0.01)
  end)
end)

-- The leader after a restart of all does not know yet that the last change is over: it is asked again, not refused.
in_all(tests, "AChangeRightAfterAllWereRestarted", { nodes = 3 }, function(c)
  c:check_one_leader()
  assert(c:add_servers { 4 })
  for id = 1, 4 do
    c:crash(id)
  end
  for id = 1, 4 do
    assert(c:restart(id))
  end
  local leader = assert(c:wait_leader())
  assert(c:add_servers({ 5 }))
  check_members(c, { 1, 2, 3, 4, 5 })
  lu.assertTrue(c:is_alive(leader))
end)

-- A leader comes late, and can commit nothing: what was waited for it is not waited for again.
clusters.add(tests, "OneTimeoutForAllWaitsOfAChange", { nodes = 3, election_timeout = math.huge }, function(c)
  c:client(function()
    c:sleep(1.5)
    c:campaign(1)
    c:wait_leader()
    c:link("*", "*", { drop = 1 })
  end)
  local index = c:add_servers({ 4 }, { timeout = 2 })
  lu.assertNil(index)
  lu.assertAlmostEquals(c:now(), 2, 0.1)
end)

-- A server that only an uncommitted configuration lists, in the logs of 1 and 3, keeps its disk: it may yet be in
-- force. Node 2 does not know of it when the server is added once more.
in_all(tests, "WhatAnUncommittedConfigurationListsKeepsItsDisk", {
  nodes = 3, election_timeout = math.huge, pre_vote = false,
}, function(c)
  c:campaign(1)
  assert(c:set("key", 1))
  clusters.wait_level(c)
  c:disconnect(2)
  c:link("*", 4, { cut = true })
  local index = assert(c:add_servers({ 4 }, { wait = false }))
  assert(c:wait_until(function()
    return c:status(3, "last_index") >= index
  end))
  c:crash(1)
  c:heal()
  local before = #c:events { kind = "start", node = 4 }
  local added, message, code = c:add_servers({ 4 }, { node = 2, wait = false })
  lu.assertNil(added)
  lu.assertEquals(code, "already_member")
  lu.assertStrContains(message, "its disk is needed")
  lu.assertEquals(#c:events { kind = "start", node = 4 }, before)
  repeat
    c:campaign(3) -- again, until it is connected to 4
  until c:wait_leader(0.5)
  assert(c:wait_until(function()
    return #c:members().voters == 4 and not c:members().voters_old
  end))
  c:check_live()
end)

return tests
