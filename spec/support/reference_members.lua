-- The reference suite's scenarios of members.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"

local scenarios = {}

local function scenario(name, nodes, run)
  scenarios[#scenarios + 1] = { name = name, nodes = nodes, run = run }
end

scenario("AddNewServer", 5, function(c)
  c:check_one_leader()
  assert(c:propose(41))
  assert(c:add_servers { 6, 7 })
  lu.assertEquals(c:members().voters, { 1, 2, 3, 4, 5, 6, 7 })
  lu.assertEquals(c:check_committed(41, 7), 7)
  assert(c:propose(42))
  lu.assertEquals(c:check_committed(42, 7), 7)
end)

scenario("RemoveServerNonLeader", 5, function(c)
  local leader = c:check_one_leader()
  local rest = clusters.others(c, leader)
  local gone = { rest[1], rest[2] }
  assert(c:remove_servers(gone))
  lu.assertEquals(c:members().voters, clusters.others(c, gone[1], gone[2]))
  for _, id in ipairs(gone) do
    lu.assertFalse(c:is_alive(id))
    lu.assertEquals(c:status(id).state, "removed")
  end
  assert(c:propose(42))
  lu.assertEquals(c:check_committed(42, 3), 3)
end)

scenario("RemoveLeader", 5, function(c)
  local leader, term = c:check_one_leader()
  local rest = clusters.others(c, leader)
  assert(c:remove_servers { leader })
  local new, new_term = assert(c:wait_leader(nil, term))
  lu.assertNotEquals(new, leader)
  lu.assertTrue(new_term > term)
  lu.assertEquals(c:members().voters, rest)
  lu.assertFalse(c:is_alive(leader))
  assert(c:propose(42))
  lu.assertEquals(c:check_committed(42, 4), 4)
end)

return scenarios
