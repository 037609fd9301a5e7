-- The reference suite's scenarios of commands.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"

local scenarios = {}

local function scenario(name, nodes, run)
  scenarios[#scenarios + 1] = { name = name, nodes = nodes, run = run }
end

-- Hands commands to the leader; gives it, its term and the commands' indexes.
local function submit(c, ...)
  local leader, term = c:check_one_leader()
  local indexes = {}
  for i, command in ipairs { ... } do
    indexes[i] = assert(c:submit(leader, command))
  end
  return leader, term, indexes
end

local function check_on(c, count, ...)
  for _, command in ipairs { ... } do
    lu.assertEquals(c:check_committed(command, count), count)
  end
end

scenario("CommitOneCommand", 3, function(c)
  local _, _, indexes = submit(c, 42)
  local count, index = c:check_committed(42, 3)
  lu.assertEquals({ count, index }, { 3, indexes[1] })
end)

scenario("TryCommitToNonLeader", 3, function(c)
  local leader = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  clusters.wait_follows(c, follower, leader)
  local _, detail = clusters.assert_refused("not_leader", c:submit(follower, 42))
  lu.assertEquals(detail.leader, leader)
  c:check_not_committed(42)
end)

scenario("CommitThenLeaderDisconnect", 3, function(c)
  local leader = c:check_one_leader()
  assert(c:propose(42))
  c:disconnect(leader)
  check_on(c, 2, 42)
end)

scenario("CommitMultipleCommands", 3, function(c)
  local _, _, indexes = submit(c, 42, 55, 81)
  for position, command in ipairs { 42, 55, 81 } do
    local count, index = c:check_committed(command, 3)
    lu.assertEquals({ count, index }, { 3, indexes[1] + position - 1 })
  end
end)

scenario("CommitWithDisconnectionAndRecover", 3, function(c)
  local leader = submit(c, 5, 6)
  check_on(c, 3, 6)
  local follower = clusters.next_id(c, leader)
  c:disconnect(follower)
  submit(c, 7)
  check_on(c, 2, 7)
  c:reconnect(follower)
  c:check_one_leader()
  check_on(c, 3, 7)
end)

scenario("TryCommitMajorityFailure", 3, function(c, plain)
  local leader = submit(c, 5)
  check_on(c, 3, 5)
  local followers = clusters.others(c, leader)
  c:disconnect(followers[1])
  c:disconnect(followers[2])
  assert(c:submit(leader, 6))
  if plain then
    clusters.wait_tried(c, followers[1])
    clusters.wait_tried(c, followers[2])
  else
    clusters.wait_no_leaders(c)
  end
  c:check_not_committed(6)
  c:reconnect(followers[1])
  c:reconnect(followers[2])
  assert(c:propose(8))
  check_on(c, 3, 8) -- checks too that the logs agree, whether 6 stayed or not
end)

scenario("TryCommitToDCLeader", 5, function(c)
  local leader, term = submit(c, 5)
  check_on(c, 5, 5)
  c:disconnect(leader)
  assert(c:submit(leader, 6))
  local new = assert(c:wait_leader(nil, term))
  assert(c:submit(new, 7))
  check_on(c, 4, 7)
  c:check_not_committed(6)
  c:reconnect(leader)
  assert(c:propose(8))
  check_on(c, 5, 7, 8)
  c:check_not_committed(6)
end)

scenario("TryCommitLeaderDisconnectsShortTime", 5, function(c)
  local leader = c:check_one_leader()
  c:disconnect(leader)
  assert(c:submit(leader, 5))
  c:sleep(0.01)
  c:reconnect(leader)
  check_on(c, 5, 5)
end)

scenario("CrashFollowerThenLeader", 5, function(c)
  local leader, term = c:check_one_leader()
  for _, command in ipairs { 25, 26, 27 } do
    assert(c:propose(command))
  end
  local followers = clusters.others(c, leader)
  c:crash(followers[1])
  c:crash(followers[2])
  assert(c:restart(followers[1]))
  c:crash(leader)
  local new = assert(c:wait_leader(nil, term))
  assert(c:submit(new, 29))
  check_on(c, 3, 25, 26, 27, 29)
end)

return scenarios
