-- Hard scenarios of elections, by the names that the projects they come from know them by.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local scenarios = require "spec.support.scenarios"

local tests = {}
local vary = scenarios.vary

local function tell(name, variants, run)
  scenarios.tell(tests, name, variants, run)
end

-- ---- rejoin_no_disruption -------------------------------------------------------------------------

-- A partitioned node returns: with pre-vote and check-quorum leader and term are unchanged.
tell("rejoin_no_disruption", vary { nodes = { 3, 4, 5, 7 } }, function(c, options)
  local leader, term = c:check_one_leader()
  local away = clusters.next_id(c, leader)
  c:partition { away }
  assert(c:propose("meanwhile"))
  clusters.wait_tried(c, away)
  c:sleep(0.7)
  c:heal()
  lu.assertEquals(c:check_committed("meanwhile", options.nodes), options.nodes)
  c:sleep(0.5)
  lu.assertEquals({ c:check_one_leader() }, { leader, term })
end)

-- Without them: a step-down, and no loss.
tell("rejoin_without_pre_vote", vary { nodes = { 3, 4, 5, 7 }, pre_vote = { false }, check_quorum = { false } },
  function(c, options)
    local leader, term = c:check_one_leader()
    local away = clusters.next_id(c, leader)
    assert(c:propose("before"))
    c:partition { away }
    assert(c:propose("meanwhile"))
    clusters.wait_term_above(c, away, term)
    c:heal()
    local new, new_term = assert(c:wait_leader(nil, term))
    lu.assertTrue(new_term > term)
    lu.assertNotEquals(new, away) -- its log is behind
    for _, command in ipairs { "before", "meanwhile" } do
      lu.assertEquals(c:check_committed(command, options.nodes), options.nodes)
    end
  end)

-- With either of them, or both: nothing is lost, and the cluster lives.
tell("rejoin_loses_nothing", vary {
  nodes = { 3, 4, 5, 7 }, pre_vote = { true, false }, check_quorum = { true, false },
}, function(c, options)
  local leader = c:check_one_leader()
  c:partition { leader, options.nodes > 4 and clusters.next_id(c, leader) or nil }
  assert(c:submit(leader, "in vain"))
  assert(c:propose("meanwhile"))
  c:sleep(0.5)
  c:heal()
  c:check_live()
  lu.assertEquals(c:check_committed("meanwhile", options.nodes), options.nodes)
  c:check_not_committed("in vain")
end)

-- ---- prevote_mixed_log_deadlock --------------------------------------------------------------------

local function terms(term, count, last)
  local log = {}
  for index = 1, count do
    log[index] = term
  end
  log[#log + 1] = last
  return log
end

-- Just enough nodes for a quorum run, so that all of them must agree: one with a short log, the others with long ones.
-- Whoever has the better log must win, although the other's term is the higher one (etcd #8243, #8501).
local function mixed_logs(name, short, long, short_wins)
  local variants = vary { nodes = { 3, 5 }, pre_vote = { true, false }, check_quorum = { true, false } }
  for _, options in ipairs(variants) do
    options.state = { short }
    for id = 2, (options.nodes + 1) / 2 do
      options.state[id] = long
    end
  end
  tell("prevote_mixed_log_deadlock_" .. name, variants, function(c, options)
    for id = #options.state + 1, options.nodes do
      c:crash(id)
    end
    local leader = assert(c:wait_leader(5))
    lu.assertEquals(leader == 1, short_wins)
    assert(c:propose("lives"))
    lu.assertEquals(c:check_committed("lives", #options.state), #options.state)
  end)
end

mixed_logs("long_wins", { term = 9, log = terms(1, 2) }, { term = 2, log = terms(1, 6) }, false)
mixed_logs("short_wins", { term = 2, log = terms(1, 1, 2) }, { term = 9, log = terms(1, 6) }, true)

-- ---- one_way_six_pack --------------------------------------------------------------------------------

local cuts = {
  cut = { from = true, to = true },
  only_sends = { to = true },
  only_receives = { from = true },
}

-- Cuts a node off from the others, both ways or one.
local function cut_off(c, victim, cut)
  for _, other in ipairs(clusters.others(c, victim)) do
    if cut.from then
      c:link(victim, other, { cut = true })
    end
    if cut.to then
      c:link(other, victim, { cut = true })
    end
  end
end

-- {leader, follower} x {cut off, can only send, can only receive}: a leader within a bounded time, that can commit.
for _, who in ipairs { "leader", "follower" } do
  for how, cut in pairs(cuts) do
    tell(("one_way_six_pack_%s_%s"):format(who, how), vary { nodes = { 3, 4, 5, 7 } }, function(c, options)
      local leader = c:check_one_leader()
      local victim = who == "leader" and leader or clusters.next_id(c, leader)
      cut_off(c, victim, cut)
      local now
      assert(c:wait_until(function()
        now = c:leader()
        return now and now ~= victim
      end, 3, "a leader among the others"))
      assert(c:propose("commits", { node = now, timeout = 2 }))
      if who == "follower" then
        c:sleep(0.5)
        lu.assertEquals(c:leader(), leader) -- one follower's trouble deposes nobody
      end
      c:heal()
      lu.assertEquals(c:check_committed("commits", options.nodes), options.nodes)
    end)
  end
end

-- ---- partial_connectivity ----------------------------------------------------------------------------

local shapes = {
  bridge = { { 1, 2, 3 }, { 3, 4, 5 } }, -- two groups that share one node
  star = { { 3, 1 }, { 3, 2 }, { 3, 4 }, { 3, 5 } }, -- one in the middle
  chain = { { 1, 2 }, { 2, 3 }, { 3, 4 }, { 4, 5 } },
}

-- Leaves only the links within these groups.
local function connect_only(c, groups)
  local linked = {}
  for _, group in ipairs(groups) do
    for _, a in ipairs(group) do
      for _, b in ipairs(group) do
        linked[a .. ">" .. b] = true
      end
    end
  end
  for _, a in ipairs(c:ids()) do
    for _, b in ipairs(clusters.others(c, a)) do
      if not linked[a .. ">" .. b] then
        c:link(a, b, { cut = true })
      end
    end
  end
end

-- Connectivity that is partial and stays so (openraft #2080): a quorum that is connected commits, again and again.
for shape, groups in pairs(shapes) do
  tell("partial_connectivity_" .. shape, { nodes = 5 }, function(c)
    c:check_one_leader()
    connect_only(c, groups)
    assert(c:wait_until(function()
      local leader = c:leader()
      return leader and (leader == 3 or shape ~= "star")
    end, 30, "a leader with a connected quorum"))
    assert(c:propose("commits", { timeout = 30 }))
    assert(c:propose("and again", { timeout = 30 }))
    c:heal()
    for _, command in ipairs { "commits", "and again" } do
      lu.assertEquals(c:check_committed(command, 5), 5)
    end
  end)
end

return tests
