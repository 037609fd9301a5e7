-- Hard scenarios of changing members: of replacing all of them, of those who do not know that they left, and of
-- changes that must come through although something is down.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local scenarios = require "spec.support.scenarios"

local tests = {}
local vary, join = scenarios.vary, scenarios.join

local function tell(name, variants, run)
  scenarios.tell(tests, name, variants, run)
end

local function ids_from(first, count)
  local list = {}
  for place = 1, count do
    list[place] = first + place - 1
  end
  return list
end

local function check_members(c, voters)
  assert(c:wait_leader())
  local members = c:members()
  lu.assertEquals(members.voters, voters)
  lu.assertEquals(members.learners, {})
  lu.assertNil(members.voters_old)
end

-- Makes a change, again while one is under way.
local function when_free(c, change)
  local index, message, code
  for _ = 1, 100 do
    index, message, code = change()
    if index or code ~= "membership_pending" then
      break
    end
    c:sleep(0.02)
  end
  return assert(index, message)
end

-- Leader and term stay as they are for so long, and something commits.
local function assert_undisturbed(c, seconds, leader, term)
  c:sleep(seconds)
  lu.assertEquals({ c:check_one_leader() }, { leader, term })
  assert(c:propose("undisturbed"))
end

-- ---- config_entry_inside_batch ------------------------------------------------------------------------

-- A change of members stands between commands in one message; then a follower that got it so leads, and must know
-- where the change is: it finishes it, and takes another (RedisLabs/raft #62).
tell("config_entry_inside_batch", vary { nodes = { 3, 5 }, pre_vote = { true, false } }, function(c, options)
  assert(c:propose("settled"))
  clusters.wait_level(c)
  local leader, term = c:check_one_leader()
  local within = false
  c:intercept(function(message)
    for place, entry in ipairs(message.entries) do
      within = within or entry.kind == "configuration" and place > 1 and place < #message.entries
    end
  end)
  for number = 1, 3 do
    assert(c:submit(leader, number))
  end
  assert(c:add_learners({ 11 }, { node = leader, wait = false }))
  for number = 4, 6 do
    assert(c:submit(leader, number))
  end
  assert(c:wait_until(function()
    local reached = 0
    for id = 1, options.nodes do
      reached = reached + (#c:members(id).learners == 1 and 1 or 0)
    end
    return reached > options.nodes / 2
  end))
  lu.assertTrue(within)
  c:crash(leader)
  assert(c:wait_leader(nil, term))
  when_free(c, function()
    return c:add_servers { 12 }
  end)
  assert(c:promote { 11 })
  assert(c:restart(leader))
  lu.assertEquals(c:check_committed(6, options.nodes + 2), options.nodes + 2)
  local voters = ids_from(1, options.nodes)
  voters[#voters + 1], voters[#voters + 2] = 11, 12
  check_members(c, voters)
end)

-- ---- joint_replace_leader -----------------------------------------------------------------------------

-- Every voter is replaced in one change, the leader included. One of the old ones is cut off and does not learn of it:
-- when it is back it disturbs nobody.
tell("joint_replace_leader", vary { nodes = { 3, 4, 5 }, pre_vote = { true, false } }, function(c, options)
  local old, old_term = c:check_one_leader()
  local before, after = ids_from(1, options.nodes), ids_from(11, options.nodes)
  assert(c:propose("before"))
  local unknowing = clusters.next_id(c, old)
  c:disconnect(unknowing)
  assert(c:change_members({ voters = after }, { stop = false }))
  local leader, term = assert(c:wait_leader())
  lu.assertTrue(leader > 10)
  lu.assertTrue(term > old_term)
  check_members(c, after)
  for _, id in ipairs(before) do
    if id ~= unknowing then
      assert(c:wait_until(function()
        return c:status(id).state == "removed"
      end))
    end
  end
  clusters.wait_tried(c, unknowing)
  c:reconnect(unknowing)
  assert_undisturbed(c, 1, leader, term)
  for _, command in ipairs { "before", "undisturbed" } do
    lu.assertTrue(c:check_committed(command, options.nodes) >= options.nodes)
  end
end)

-- A leader that is cut off with all the new servers has them in its log, and then in force; the old majority has gone
-- on, so that all of it is rolled back, on the new servers too, which then disturb nobody.
tell("joint_is_rolled_back", vary { nodes = { 3, 5 }, pre_vote = { true } }, function(c, options)
  local old, term = c:check_one_leader()
  assert(c:propose("before"))
  local others, after = clusters.others(c, old), ids_from(11, options.nodes)
  c:partition(others)
  local index = assert(c:change_members({ voters = after }, { node = old, wait = false }))
  assert(c:wait_until(function()
    return (c:status(11).last_index or 0) >= index
  end))
  local leader, new_term = assert(c:wait_leader(nil, term))
  assert(c:propose("instead"))
  c:heal()
  lu.assertTrue(c:check_committed("instead", options.nodes) >= options.nodes)
  lu.assertEquals(c:members(old).voters, ids_from(1, options.nodes))
  lu.assertNil(c:members(old).voters_old)
  assert_undisturbed(c, 0.7, leader, new_term)
  check_members(c, ids_from(1, options.nodes))
end)

-- ---- disruptive_removed_server --------------------------------------------------------------------------

-- A server that does not know that it was removed goes on campaigning, after a restart too: nobody is deposed.
tell("disruptive_removed_server", join(
  vary { nodes = { 3, 4, 5, 7 }, pre_vote = { true, false }, check_quorum = { true } },
  vary { nodes = { 3, 4, 5, 7 }, pre_vote = { true }, check_quorum = { false } }
), function(c, options)
  assert(c:propose("settled"))
  clusters.wait_level(c)
  local leader, term = c:check_one_leader()
  local gone = clusters.next_id(c, leader)
  c:disconnect(gone)
  assert(c:remove_servers({ gone }, { stop = false }))
  clusters.wait_tried(c, gone)
  c:sleep(0.3) -- the others no longer try to tell it
  c:reconnect(gone)
  assert_undisturbed(c, 0.7, leader, term)
  c:crash(gone)
  assert(c:restart(gone))
  assert_undisturbed(c, 0.7, leader, term)
  lu.assertTrue(c:check_committed("undisturbed", options.nodes - 1) >= options.nodes - 1)
end)

-- ---- membership_liveness ----------------------------------------------------------------------------------

local everything = {
  nodes = { 3, 4, 5 }, pre_vote = { true, false }, check_quorum = { true, false }, window = { 1, 64 },
}

-- A change while a member of the old set is down: one that keeps it, and one that drops it.
tell("membership_liveness_member_down", vary(everything), function(c, options)
  local leader = c:check_one_leader()
  assert(c:propose("before"))
  local down = clusters.next_id(c, leader)
  c:crash(down)
  assert(c:add_servers { 11 })
  assert(c:propose("while down"))
  assert(c:remove_servers { down })
  assert(c:add_servers { 12 })
  local count = options.nodes + 1
  for _, command in ipairs { "before", "while down" } do
    lu.assertEquals(c:check_committed(command, count), count)
  end
  c:check_live()
end)

-- Two changes at once: the second is refused, and can be made when the first is done.
tell("membership_liveness_two_at_once", vary(everything), function(c, options)
  assert(c:propose("settled"))
  local leader = c:check_one_leader()
  assert(c:add_servers({ 11 }, { node = leader, wait = false }))
  clusters.assert_refused("membership_pending", c:add_servers({ 12 }, { node = leader, wait = false }))
  when_free(c, function()
    return c:add_servers { 12 }
  end)
  local voters = ids_from(1, options.nodes)
  voters[#voters + 1], voters[#voters + 2] = 11, 12
  check_members(c, voters)
  c:check_live()
end)

-- Down to one, the leader or another, and up to five in one change.
local function shrink_and_grow(choose)
  return function(c, options)
    assert(c:propose("many"))
    local stays = choose(c, (c:check_one_leader()))
    assert(c:change_members { voters = { stays } })
    check_members(c, { stays })
    assert(c:propose("alone"))
    lu.assertEquals(c:check_committed("many", 1), 1)
    assert(c:change_members { voters = { stays, 11, 12, 13, 14 } })
    check_members(c, { stays, 11, 12, 13, 14 })
    for _, command in ipairs { "many", "alone" } do
      lu.assertEquals(c:check_committed(command, 5), 5)
    end
    lu.assertEquals(#c:ids(), options.nodes + 4)
  end
end

tell("membership_liveness_one_and_five", vary(everything), shrink_and_grow(function(_, leader)
  return leader
end))

tell("membership_liveness_another_and_five", vary(everything), shrink_and_grow(clusters.next_id))

return tests
