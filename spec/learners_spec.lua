-- Learners, their promotion, and new voters: brought level before they count, and let go where they do not come level.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"

local tests = {}
local in_both, in_all = clusters.in_both, clusters.in_all

-- What brings nothing new for ten of the longest election time-outs is given up: two seconds here.
local quick = { nodes = 3, election_timeout = { 0.1, 0.2 }, heartbeat_interval = 0.03 }

local function check_members(c, voters, learners)
  assert(c:wait_leader())
  local members = c:members()
  lu.assertEquals({ members.voters, members.learners, members.voters_old, members.wanted },
    { voters, learners or {}, nil, nil })
end

-- Writes until it is ended by over(), which gives the longest time that one took and how many there were.
local function writer(c)
  local longest, count, ends = 0, 0, false
  local client = c:client(function()
    while not ends do
      local started = c:now()
      assert(c:propose { "write", count + 1 })
      count = count + 1
      longest = math.max(longest, c:now() - started)
      c:sleep(0.01)
    end
  end)
  return function()
    ends = true
    assert(client:wait())
    return longest, count
  end
end

-- That server cannot be reached from its start on.
local function cut_off(c, id)
  return c:on({ kind = "start", node = id }, function()
    c:disconnect(id)
  end)
end

-- ---- learners ------------------------------------------------------------------------------------------------

in_all(tests, "ALearnerFollowsAndDoesNotCount", { nodes = 3 }, function(c)
  local leader, term = c:check_one_leader()
  assert(c:add_learners { 4, 5 })
  assert(c:propose("learnt"))
  lu.assertEquals(c:check_committed("learnt", 5), 5)
  lu.assertEquals({ c:status(4, "role"), c:status(5, "role") }, { "learner", "learner" })
  -- Three of five hold it, but only one of the voters: that commits nothing, and elects nobody.
  local voters = clusters.others(c, leader, 4, 5)
  c:crash(voters)
  assert(c:submit(leader, "with learners alone"))
  clusters.wait_no_leaders(c)
  c:check_not_committed("with learners alone")
  c:sleep(0.5)
  lu.assertEquals(c:leaders(), {})
  for _, id in ipairs { 4, 5 } do
    lu.assertEquals(c:status(id, "role"), "learner")
  end
  c:restart(voters)
  assert(c:wait_leader(nil, term))
end)

in_all(tests, "ALearnerDoesNotCampaign", { nodes = 3 }, function(c)
  local leader, term = c:check_one_leader()
  assert(c:add_learners { 4 })
  assert(c:propose("known"))
  lu.assertEquals(c:check_committed("known", 4), 4)
  c:disconnect(4)
  c:sleep(1)
  lu.assertEquals({ c:status(4, "role"), c:status(4, "term") }, { "learner", term })
  c:campaign(4, { force = true })
  c:reconnect(4)
  c:check_live()
  lu.assertEquals({ c:leader() }, { leader, term })
end)

-- ---- promotion -----------------------------------------------------------------------------------------------

in_all(tests, "APromotionWaitsUntilTheLearnerIsLevel", { nodes = 3, max_message = 1000 }, function(c)
  local leader = c:check_one_leader()
  assert(c:add_learners { 4 })
  clusters.wait_level(c)
  c:link(leader, 4, { bandwidth = 50000 })
  for _ = 1, 40 do
    assert(c:propose(("x"):rep(1000)))
  end
  local promotion = c:client(function()
    return c:promote { 4 }
  end)
  assert(c:wait_until(function()
    return c:members(leader).wanted
  end))
  lu.assertEquals(c:members(leader).wanted, { voters = { 1, 2, 3, 4 }, learners = {}, added = {} })
  lu.assertEquals(c:members(leader).voters, { 1, 2, 3 })
  local index = clusters.result(promotion)
  check_members(c, { 1, 2, 3, 4 })
  lu.assertTrue(index > 40)
  assert(c:wait_until(function()
    return c:status(4, "role") == "follower"
  end))
end)

in_both(tests, "OneThatCannotBeReachedStaysALearner", quick, function(c)
  c:check_one_leader()
  assert(c:add_learners { 4 })
  clusters.wait_level(c)
  c:disconnect(4)
  assert(c:propose("it lacks this"))
  local over = writer(c)
  local message, detail = clusters.assert_refused("timeout", c:promote { 4 })
  lu.assertStrContains(message, "(4) came level")
  lu.assertNil(detail.unknown)
  local longest, count = over()
  lu.assertTrue(longest < 1 and count > 20, ("%g s, %d"):format(longest, count))
  check_members(c, { 1, 2, 3 }, { 4 })
  c:reconnect(4)
  assert(c:promote { 4 })
  check_members(c, { 1, 2, 3, 4 })
end)

-- ---- new voters ------------------------------------------------------------------------------------------------

in_all(tests, "AServerThatNeverComesUpStallsNothing", quick, function(c)
  c:check_one_leader()
  assert(c:propose("before"))
  local ends = cut_off(c, 4)
  local over = writer(c)
  local message, detail = clusters.assert_refused("timeout", c:add_servers { 4 })
  lu.assertStrContains(message, "(4) came level")
  lu.assertNil(detail.unknown)
  local longest, count = over()
  lu.assertTrue(longest < 1 and count > 20, ("%g s, %d"):format(longest, count))
  check_members(c, { 1, 2, 3 })
  lu.assertEquals(c:status(4).state, "removed")
  ends()
  c:heal()
  assert(c:add_servers { 4 })
  check_members(c, { 1, 2, 3, 4 })
  lu.assertEquals(c:check_committed("before", 4), 4)
end)

-- Of two one does not come up: neither is a member in the end.
in_both(tests, "AllOrNothing", quick, function(c)
  c:check_one_leader()
  local stop = c:on({ kind = "start", node = 5 }, function()
    c:crash(5)
  end)
  clusters.assert_refused("timeout", c:add_servers { 4, 5 })
  stop()
  check_members(c, { 1, 2, 3 })
  assert(c:propose("after"))
  lu.assertEquals(c:check_committed("after", 3), 3)
  lu.assertEquals({ c:is_alive(4), c:is_alive(5) }, { false, false })
  assert(c:add_servers { 4, 5 })
  check_members(c, { 1, 2, 3, 4, 5 })
end)

-- A lone voter would wait for the second for ever, if that counted before it is there.
in_both(tests, "ALoneVoterAndOneThatNeverComesUp", { nodes = 1, election_timeout = { 0.1, 0.2 },
  heartbeat_interval = 0.03 }, function(c)
  c:check_one_leader()
  cut_off(c, 2)
  local over = writer(c)
  clusters.assert_refused("timeout", c:add_servers { 2 })
  lu.assertTrue((over()) < 0.5)
  check_members(c, { 1 })
  assert(c:propose("alone"))
end)

in_all(tests, "OneThatCrashesWhileItIsBroughtLevel", quick, function(c)
  c:check_one_leader()
  for number = 1, 50 do
    assert(c:propose(number))
  end
  local stop
  stop = c:on({ kind = "append", node = 4 }, function()
    stop()
    c:crash(4)
    c:after(0.5, function()
      c:restart(4)
    end)
  end)
  assert(c:add_servers { 4 })
  check_members(c, { 1, 2, 3, 4 })
  lu.assertEquals(c:check_committed(50, 4), 4)
end)

-- The caller's time is over before the cluster's patience is: it learns that the change is still under way.
in_both(tests, "ACallersTimeoutSaysHowFarItIs", quick, function(c)
  c:check_one_leader()
  cut_off(c, 4)
  local message, detail = clusters.assert_refused("timeout", c:add_servers({ 4 }, { timeout = 0.5 }))
  lu.assertTrue(detail.unknown)
  lu.assertStrContains(message, "node 4 is being brought level")
  clusters.assert_refused("membership_pending", c:remove_servers({ 3 }, { wait = false }))
  assert(c:wait_until(function()
    local members = c:members()
    return members and not members.wanted
  end))
  check_members(c, { 1, 2, 3 })
end)

in_all(tests, "TheLeaderChangesMeanwhile", { nodes = 3, max_message = 1000 }, function(c)
  local leader = c:check_one_leader()
  for _ = 1, 40 do
    assert(c:propose(("x"):rep(1000)))
  end
  c:on({ kind = "start", node = 4 }, function()
    c:link("*", 4, { bandwidth = 50000 })
  end)
  local addition = c:client(function()
    return c:add_servers { 4 }
  end)
  assert(c:wait_until(function()
    local members = c:members(leader)
    return members.wanted and c:status(leader).commit == c:status(leader).last_index
  end))
  local next_leader = leader % 3 + 1
  assert(c:transfer_leader(next_leader))
  lu.assertNotNil(c:members(next_leader).wanted)
  lu.assertIsNumber(clusters.result(addition, 20))
  check_members(c, { 1, 2, 3, 4 })
  lu.assertEquals(c:leader(), next_leader)
end)

in_all(tests, "TheLeaderCrashesMeanwhile", quick, function(c)
  local leader, term = c:check_one_leader()
  cut_off(c, 4)
  local addition = c:client(function()
    return c:add_servers { 4 }
  end)
  assert(c:wait_until(function()
    return #c:members(leader).learners == 1 and c:status(leader).commit == c:status(leader).last_index
  end))
  clusters.wait_level(c, { 1, 2, 3 })
  c:crash(leader)
  local index, _, _, detail = clusters.result(addition)
  lu.assertNil(index)
  lu.assertTrue(detail.unknown)
  assert(c:wait_leader(nil, term))
  assert(c:wait_until(function() -- the next leader takes it out again
    local members = c:members()
    return members and not members.wanted
  end))
  check_members(c, { 1, 2, 3 })
end)

in_all(tests, "VotersAndLearnersChangePlaces", { nodes = 3 }, function(c)
  c:check_one_leader()
  assert(c:propose("before"))
  assert(c:change_members { voters = { 4, 5, 6 }, learners = { 1 } })
  check_members(c, { 4, 5, 6 }, { 1 })
  assert(c:wait_until(function()
    return c:status(1, "role") == "learner"
  end))
  assert(c:change_members { voters = { 1, 4, 5 }, learners = { 6 } })
  check_members(c, { 1, 4, 5 }, { 6 })
  assert(c:propose("after"))
  lu.assertEquals(c:check_committed("before", 4), 4)
  lu.assertEquals(c:check_committed("after", 4), 4)
end)

-- `wait = false` is joint consensus as it is: the new voters count from the moment when it is appended.
in_all(tests, "WithoutWaitingNobodyIsBroughtLevel", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  assert(c:propose("before"))
  assert(c:add_servers({ 4 }, { wait = false }))
  local members = c:members(leader)
  lu.assertEquals({ members.voters, members.voters_old, members.wanted }, { { 1, 2, 3, 4 }, { 1, 2, 3 }, nil })
  assert(c:wait_until(function()
    return not c:members(leader).voters_old
  end))
  check_members(c, { 1, 2, 3, 4 })
end)

-- A server behind what was compacted gets a snapshot first, and counts once it is level.
in_all(tests, "ANewVoterGetsASnapshotFirst", { nodes = 3 }, function(c)
  c:check_one_leader()
  for number = 1, 30 do
    assert(c:set("key" .. number, number))
  end
  local leader = c:leader()
  assert(c:compact(leader))
  assert(c:add_servers { 4 })
  check_members(c, { 1, 2, 3, 4 })
  clusters.wait_level(c)
  lu.assertEquals(c:get("key30", { node = 4, read = "stale" }), 30)
end)

return tests
