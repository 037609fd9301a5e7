-- Scenarios that real libraries fail or once failed, by the names that SCENARIOS.md gives them.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"

local tests = {}

-- In the simulated world over many seeds, over TCP once.
local function scenario(name, options, run)
  tests["test_" .. name .. "_sim"] = function()
    clusters.over_seeds(clusters.merge(options, { mode = "sim", name = name }), run)
  end
  tests["test_" .. name .. "_tcp"] = function()
    clusters.with(clusters.merge(options, { mode = "tcp", name = name }), run)
  end
end

-- A partitioned node returns: with pre-vote and check-quorum leader and term are unchanged.
scenario("rejoin_no_disruption", { nodes = 5 }, function(c)
  local leader, term = c:check_one_leader()
  local away = clusters.next_id(c, leader)
  c:partition { away }
  assert(c:propose("meanwhile"))
  c:sleep(1)
  c:heal()
  lu.assertEquals(c:check_committed("meanwhile", 5), 5)
  c:sleep(0.5)
  lu.assertEquals({ c:check_one_leader() }, { leader, term })
end)

-- Without them: a step-down, and no loss.
scenario("rejoin_without_pre_vote", { nodes = 5, pre_vote = false, check_quorum = false }, function(c)
  local leader, term = c:check_one_leader()
  local away = clusters.next_id(c, leader)
  assert(c:propose("before"))
  c:partition { away }
  assert(c:propose("meanwhile"))
  clusters.wait_term_above(c, away, term)
  c:heal()
  local new, new_term = assert(c:wait_leader(nil, term))
  lu.assertTrue(new_term > term)
  lu.assertNotEquals(new, away)
  for _, command in ipairs { "before", "meanwhile" } do
    lu.assertEquals(c:check_committed(command, 5), 5)
  end
end)

-- {leader, follower} x {cut off, can only send, can only receive}: a leader within a bounded time, that
-- can commit.
for _, who in ipairs { "leader", "follower" } do
  for how, cut in pairs {
    cut = { from = true, to = true },
    only_sends = { to = true },
    only_receives = { from = true },
  } do
    scenario(("one_way_six_pack_%s_%s"):format(who, how), { nodes = 5 }, function(c)
      local leader = c:check_one_leader()
      local victim = who == "leader" and leader or clusters.next_id(c, leader)
      for _, other in ipairs(clusters.others(c, victim)) do
        if cut.from then
          c:link(victim, other, { cut = true })
        end
        if cut.to then
          c:link(other, victim, { cut = true })
        end
      end
      local now
      assert(c:wait_until(function()
        now = c:leader()
        return now and now ~= victim
      end, 3, "a leader among the others"))
      assert(c:propose("commits", { node = now, timeout = 2 }))
      if who == "follower" then
        lu.assertEquals(now, leader) -- one follower's trouble deposes nobody
      end
      c:heal()
      lu.assertEquals(c:check_committed("commits", 5), 5)
    end)
  end
end

-- Connectivity that is partial and stays so (openraft #2080): a quorum that is connected commits.
local shapes = {
  bridge = { { 1, 2, 3 }, { 3, 4, 5 } }, -- two groups that share one node
  star = { { 3, 1 }, { 3, 2 }, { 3, 4 }, { 3, 5 } }, -- one in the middle
  chain = { { 1, 2 }, { 2, 3 }, { 3, 4 }, { 4, 5 } },
}
for shape, groups in pairs(shapes) do
  scenario("partial_connectivity_" .. shape, { nodes = 5 }, function(c)
    c:check_one_leader()
    local linked = {}
    for _, group in ipairs(groups) do
      for _, a in ipairs(group) do
        for _, b in ipairs(group) do
          linked[a .. ">" .. b] = true
        end
      end
    end
    for a = 1, 5 do
      for b = 1, 5 do
        if a ~= b and not linked[a .. ">" .. b] then
          c:link(a, b, { cut = true })
        end
      end
    end
    assert(c:wait_until(function()
      local leader = c:leader()
      return leader and leader == 3 or leader and shape ~= "star"
    end, 30, "a leader with a connected quorum"))
    assert(c:propose("commits", { timeout = 30 }))
    c:heal()
    lu.assertEquals(c:check_committed("commits", 5), 5)
  end)
end

return tests
