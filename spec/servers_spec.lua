-- Who is who: servers that were removed and come back under their id with another disk, and those who know only an old
-- configuration. Nothing of a former life counts for the next one, and none of it is lost by a restart.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"

local tests = {}
local in_both = clusters.in_both

local function over_seeds(name, options, f)
  options.mode = "sim"
  tests[("test_%s_sim"):format(name)] = function()
    clusters.over_seeds(options, f)
  end
end

local function wait_member(c, id)
  assert(c:wait_until(function()
    return c:status(id).member
  end))
end

-- Waits, without failing, for a moment that this run may not have.
local function maybe_wait(c, predicate)
  return (c:wait_until(predicate, 1))
end

-- ---- a member that comes back, and a laggard that knows its former life ----------------------------

-- Nodes 1, 2 and 4 are what node 4 knows: it is cut off while 1 is removed, with entries committed by votes that it
-- knows nothing of. Then 1 comes back, and while it catches up, by an old configuration that lists its former life, it
-- is restarted and alone with node 4. Together they would be a majority of what 4 knows.
over_seeds("AMemberThatReturnsDoesNotLeadByItsFormerLife", { nodes = 3, max_entries = 1, window = 1 }, function(c)
  c:check_one_leader()
  assert(c:change_members { voters = { 1, 2, 4 } })
  c:check_live()
  c:disconnect(4)
  for number = 1, 10 do
    assert(c:set("before", number))
  end
  assert(c:change_members { voters = { 2, 4, 5 } }) -- committed by 1 and 2 in the old set, 2 and 5 in the new one
  for number = 1, 15 do
    assert(c:set("after", number))
  end
  local had, cut = c:status(4).last_index, false
  local off = c:on({ kind = "append", node = 1 }, function()
    if not cut and c:status(1).last_index == had + 3 then -- more than 4 has, less than the change that removed it
      cut = true
      c:heal()
      c:reconnect(4)
      c:partition { 1, 4 }
      c:crash(1)
      c:restart(1)
    end
  end)
  c:change_members({ voters = { 1, 2, 4, 5 } }, { timeout = 2 })
  c:sleep(1)
  lu.assertTrue(cut)
  lu.assertNotEquals(c:status(1).role, "leader")
  lu.assertNotEquals(c:status(4).role, "leader")
  off()
  c:heal()
  c:reconnect(4)
  c:check_live()
  lu.assertEquals(c:get "after", 15)
end)

-- The same with what each run draws: how many there are, who goes and comes back, who lags, when there are restarts.
over_seeds("MembersThatComeBackAmongLaggards", { nodes = 5, max_entries = 2, window = 2 }, function(c)
  local ids = c:ids()
  c:check_one_leader()
  assert(c:set("count", 0))
  local written = 0
  local function write(count)
    for _ = 1, count do
      if not c:set("count", written + 1, { timeout = 1 }) then
        return
      end
      written = written + 1
    end
  end
  for _ = 1, 4 do
    local laggard, comes_back = ids[c:random(#ids)], ids[c:random(#ids)]
    c:disconnect(laggard)
    maybe_wait(c, function() return c:leader() ~= nil and c:leader() ~= laggard end)
    write(c:random(6))
    c:remove_servers({ comes_back }, { timeout = 1, stop = c:random(2) == 1 })
    write(c:random(10))
    local off = function() end
    if c:random(2) == 1 then -- it is restarted while it replays what its former life did
      local entries = c:random(6)
      off = c:on({ kind = "append", node = comes_back }, function(event)
        if event.last >= entries then
          off()
          c:crash(comes_back)
          c:restart(comes_back)
        end
      end)
    end
    c:add_servers({ comes_back }, { timeout = 1 })
    c:reconnect(laggard)
    if laggard ~= comes_back and c:random(2) == 1 then
      c:partition { laggard, comes_back }
      c:sleep(0.4)
      lu.assertFalse(c:status(laggard).role == "leader" and c:status(comes_back).role == "leader")
      c:heal()
    end
    maybe_wait(c, function() return c:leader() ~= nil end)
    off() -- where it has not come back, it is let alone
  end
  c:heal()
  c:check_live(30)
  assert(c:set("count", written + 1))
  for _, status in ipairs(c:status()) do -- whoever is a member runs
    local members = c:members()
    for _, id in ipairs(members.voters) do
      lu.assertFalse(status.id == id and status.state ~= "running", ("member %d is %s"):format(id, status.state))
    end
  end
end)

-- ---- an id that is added again before its last server has stopped ----------------------------------

over_seeds("AnIdIsAddedAgainBeforeItsServerHasStopped", { nodes = 2 }, function(c)
  local old = c:check_one_leader()
  local other = 3 - old
  assert(c:set("key", "kept"))
  assert(c:remove_servers({ old }, { wait = false }))
  assert(c:wait_until(function()
    local members = c:members(other)
    return #members.voters == 1 and not members.voters_old
  end))
  c:sleep(0.01)
  c:crash(old)
  c:restart(old)
  assert(c:add_servers { old })
  lu.assertEquals(c:status(old).state, "running")
  wait_member(c, old)
  c:check_live()
  lu.assertEquals(c:get "key", "kept")
  lu.assertEquals(c:check_committed({ op = "set", key = "key", value = "kept" }, 2), 2)
end)

in_both(tests, "AServerThatRunsOnIsReplacedWhereItsIdIsAddedAgain", { nodes = 3 }, function(c)
  local id = clusters.next_id(c, (c:check_one_leader()))
  assert(c:set("key", 1))
  assert(c:remove_servers({ id }, { stop = false }))
  c:sleep(0.01)
  assert(c:add_servers { id })
  lu.assertEquals(c:status(id).state, "running")
  wait_member(c, id)
  assert(c:set("key", 2))
  c:check_live()
  lu.assertEquals(c:members().voters, { 1, 2, 3 })
end)

-- Only who is no member is given another disk: a leader that was left behind may not know of it.
in_both(tests, "AMemberIsNotReplacedByALeaderThatDoesNotKnowOfIt", { nodes = 3 }, function(c)
  local old, term = c:check_one_leader()
  c:partition { old }
  assert(c:wait_leader(nil, term))
  assert(c:add_servers { 4 })
  assert(c:set("key", "on node 4 too"))
  local had = c:status(4).last_index
  clusters.assert_refused("already_member", c:add_servers({ 4 }, { node = old, wait = false }))
  lu.assertTrue(c:status(4).last_index >= had)
end)

-- ---- a disk that was emptied ----------------------------------------------------------------------

-- It is another server than the member, whatever it says: it is told so, tells so, and counts for nothing until its id
-- was removed and added again.
in_both(tests, "AMemberWithAnEmptiedDiskIsTurnedAway", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local id = clusters.next_id(c, leader)
  assert(c:set("key", 1))
  assert(c:wait_until(function()
    return c:status(leader).peers[id].match == c:status(leader).last_index
  end))
  local matched = c:status(leader).peers[id].match
  c:crash(id)
  assert(c:restart(id, { wipe = true }))
  assert(c:set("key", "without it"))
  assert(c:wait_until(function()
    return c:status(id).turned_away_by == leader
  end))
  lu.assertFalse(c:status(id).member)
  local notices = c:events { kind = "notice", node = leader, peer = id }
  lu.assertEquals(#notices, 1) -- one for many
  lu.assertStrContains(notices[1].text, "came back with another disk: remove it from the cluster")
  notices = c:events { kind = "notice", node = id }
  lu.assertEquals(#notices, 1)
  lu.assertStrContains(notices[1].text, "remove that id from the cluster, then add it again")
  lu.assertEquals(c:status(leader).peers[id].match, matched)
  local third = clusters.next_id(c, id)
  c:crash(third) -- the leader's own disk is not enough
  clusters.assert_refused("timeout", c:set("key", 2, { timeout = 0.2 }))
  assert(c:restart(third))
  assert(c:wait_leader())
  assert(c:remove_servers { id })
  assert(c:add_servers { id })
  wait_member(c, id)
  lu.assertNil(c:status(id).turned_away_by)
  c:check_live()
end)

-- The two that run would be a majority, but for the votes that the emptied disk has forgotten.
over_seeds("AnEmptiedDiskElectsNobody", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local lagging = clusters.next_id(c, leader)
  local id = clusters.next_id(c, lagging)
  c:disconnect(lagging)
  assert(c:set("key", "with the vote of the disk that is emptied"))
  c:crash(leader)
  c:crash(id)
  assert(c:restart(id, { wipe = true }))
  c:reconnect(lagging)
  c:sleep(2)
  lu.assertNil((c:leader()))
  assert(c:restart(leader))
  assert(c:wait_leader())
  assert(c:remove_servers { id })
  assert(c:add_servers { id })
  c:check_live()
  lu.assertEquals(c:get "key", "with the vote of the disk that is emptied")
end)

-- The final configuration, of new voters alone, is in the leader's log and cannot be committed. Its id is returned.
local function change_without_an_end(c)
  c:wait_leader()
  assert(c:add_learners { 4 })
  local leader
  c:on({ kind = "members" }, function(event)
    local voters = event.members.voters
    if not event.members.voters_old and #voters == 1 and voters[1] == 4 and not leader then
      leader = event.node
      c:disconnect(4)
    end
  end)
  lu.assertNil(c:change_members({ voters = { 4 } }, { timeout = 0.5 }))
  return leader
end

-- Until it is committed the old voters are needed too. (The leader itself is one of the joint configuration, as others
-- know.)
local function assert_old_voters_stay(c, leader)
  local starts = #c:events { kind = "start" }
  local voters = { leader % 3 + 1, (leader + 1) % 3 + 1, 4 }
  local changed, message, code = c:change_members({ voters = voters }, { node = leader, timeout = 0.5 })
  lu.assertEquals({ changed, code }, { nil, "already_member" })
  lu.assertStrContains(message, "its disk is needed")
  lu.assertEquals(#c:events { kind = "start" }, starts)
  c:heal()
  c:check_live()
end

local three = { nodes = 3, check_quorum = false, pre_vote = false }

in_both(tests, "WhomTheLatestCommittedConfigurationListsKeepsItsDisk", three, function(c)
  assert_old_voters_stay(c, change_without_an_end(c))
end)

-- It is in no log any more.
in_both(tests, "WhomTheConfigurationOfASnapshotListsKeepsItsDisk", three, function(c)
  local leader = change_without_an_end(c)
  assert(c:compact(leader))
  lu.assertNil(c:log(leader)[1].members.voters_old)
  assert_old_voters_stay(c, leader)
end)

return tests
