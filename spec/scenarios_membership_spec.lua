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
local function inside_batch(change, arrived)
  return function(c, options)
    assert(c:propose("settled"))
    clusters.wait_level(c)
    local leader, term = c:check_one_leader()
    local within = false
    c:intercept(function(message)
      for place, entry in ipairs(message.entries) do
        within = within or entry.kind == "configuration" and place > 1 and place < #message.entries
      end
      -- Nobody tells the leader what it has, so that it cannot finish the change itself.
      return message.to == leader and message.kind == "append_response" and not message.reject and "drop" or nil
    end)
    for number = 1, 3 do
      assert(c:submit(leader, number))
    end
    assert(change(c, { node = leader, wait = false }))
    for number = 4, 6 do
      assert(c:submit(leader, number))
    end
    assert(c:wait_until(function()
      local reached = 0
      for id = 1, options.nodes do
        reached = reached + (arrived(c:members(id)) and 1 or 0)
      end
      return reached == options.nodes
    end))
    lu.assertTrue(within)
    c:crash(leader)
    c:intercept(nil)
    assert(c:wait_leader(nil, term))
    when_free(c, function()
      return c:add_servers { 12 }
    end)
    if #c:members().learners > 0 then
      assert(c:promote { 11 })
    end
    assert(c:restart(leader))
    lu.assertEquals(c:check_committed(6, options.nodes + 2), options.nodes + 2)
    local voters = ids_from(1, options.nodes)
    voters[#voters + 1], voters[#voters + 2] = 11, 12
    check_members(c, voters)
  end
end

local batches = vary { nodes = { 3, 4, 5 }, pre_vote = { true, false }, check_quorum = { true, false } }

tell("config_entry_inside_batch", batches, inside_batch(function(c, options)
  return c:add_learners({ 11 }, options)
end, function(members)
  return #members.learners == 1
end))

-- The same with a joint configuration, which the next leader must end.
tell("config_entry_inside_batch_joint", batches, inside_batch(function(c, options)
  return c:add_servers({ 11 }, options)
end, function(members)
  return members.voters_old ~= nil
end))

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

-- The leader has the last entry of its own removal and crashes, and nobody else has that entry. With another of the old
-- ones down no vote is won without it, and it votes for nobody whose log is shorter: it must stand for election once
-- more, although it is no voter in what it has (dissertation 4.2.2).
tell("joint_replace_leader_by_the_leaver", vary {
  nodes = { 3 }, pre_vote = { true, false }, check_quorum = { true, false },
}, function(c)
  assert(c:propose("settled"))
  clusters.wait_level(c)
  local old = c:check_one_leader()
  local stays = clusters.next_id(c, old)
  local down = clusters.next_id(c, stays)
  local voters = { stays, 11, 12 }
  local joint
  c:intercept(function(message)
    for _, entry in ipairs(message.entries) do
      if entry.kind == "configuration" and joint and entry.index > joint then
        return "drop"
      end
    end
  end)
  joint = assert(c:change_members({ voters = voters }, { node = old, wait = false }))
  assert(c:wait_until(function()
    return c:status(old).last_index > joint
  end))
  c:sleep(0.01) -- its disk
  c:crash(old)
  c:crash(down)
  lu.assertEquals(#c:log(old), joint + 1)
  c:intercept(nil)
  assert(c:restart(old))
  assert(c:wait_until(function()
    local members = c:members(stays)
    return not members.voters_old and c:status(stays).commit > joint
  end))
  check_members(c, voters)
  c:check_live()
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

-- Two changes at once, of voters or of learners only: the second is refused, and can be made when the first is done.
local function two_at_once(add)
  return function(c, options)
    assert(c:propose("settled"))
    local leader = c:check_one_leader()
    assert(add(c, { 11 }, { node = leader, wait = false }))
    clusters.assert_refused("membership_pending", add(c, { 12 }, { node = leader, wait = false }))
    when_free(c, function()
      return add(c, { 12 })
    end)
    if #c:members().learners > 0 then
      assert(c:promote { 11, 12 })
    end
    local voters = ids_from(1, options.nodes)
    voters[#voters + 1], voters[#voters + 2] = 11, 12
    check_members(c, voters)
    c:check_live()
  end
end

tell("membership_liveness_two_at_once", vary(everything), two_at_once(function(c, ids, options)
  return c:add_servers(ids, options)
end))

tell("membership_liveness_two_learners", vary(everything), two_at_once(function(c, ids, options)
  return c:add_learners(ids, options)
end))

-- A leader that has committed nothing of its own term takes no change, for it may not know of one under way (the bug
-- of 2015 in changes of one server); when it has, it does.
tell("membership_liveness_new_leader", vary(everything), function(c)
  assert(c:propose("settled"))
  clusters.wait_level(c)
  local old, term = c:check_one_leader()
  c:crash(old)
  c:intercept(function(message)
    return message.kind == "append" and #message.entries > 0 and "drop" or nil
  end)
  local leader = assert(c:wait_leader(nil, term))
  clusters.assert_refused("busy", c:add_servers({ 11 }, { node = leader, wait = false }))
  c:intercept(nil)
  assert(c:add_servers { 11 })
  assert(c:restart(old))
  c:check_live()
end)

-- The leader crashes in the middle of a growth that doubles the cluster, and only one has heard of it. Where it must be
-- the one to lead, it needs the votes of the new ones, who do not know yet that they may vote.
tell("membership_liveness_leader_crashes", vary(everything), function(c, options)
  assert(c:propose("settled"))
  clusters.wait_level(c)
  local leader, term = c:check_one_leader()
  local hearer = clusters.next_id(c, leader)
  c:intercept(function(message)
    return message.to ~= hearer and message.kind == "append" and #message.entries > 0 and "drop" or nil
  end)
  local index = assert(c:add_servers(ids_from(11, options.nodes), { node = leader, wait = false }))
  assert(c:wait_until(function()
    return c:status(hearer).last_index >= index
  end))
  c:crash(leader)
  assert(c:wait_leader(nil, term))
  c:intercept(nil)
  assert(c:restart(leader))
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
