-- The reference suite's scenarios of elections, and the one of bare servers.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"

local scenarios = {}

local function scenario(name, nodes, run, options)
  scenarios[#scenarios + 1] = { name = name, nodes = nodes, run = run, options = options }
end

-- One server's life: ask the others at random until its moment to stop has come.
local function ask_around(c, id)
  local stops_at = c:now() + 0.2 + 0.3 * c:random()
  local answers = 0
  while c:now() < stops_at do
    local to, number = c:random(5), c:random(1000)
    if to ~= id then
      local answer, _, code = c:call(id, to, number, 0.05)
      if answer == nil then
        clusters.assert_one_of(code, { "timeout", "node_down" })
      else
        lu.assertEquals(answer, 2 * number)
        answers = answers + 1
      end
    end
  end
  c:crash(id)
  return answers
end

scenario("ServerClient", 5, function(c)
  for id = 1, 5 do
    c:serve(id, function(number)
      return 2 * number
    end)
  end
  local asking = {}
  for id = 1, 5 do
    asking[id] = c:client(function()
      return ask_around(c, id)
    end)
  end
  local answers = 0
  for id = 1, 5 do
    answers = answers + clusters.result(asking[id])
  end
  lu.assertTrue(answers > 0)
  for id = 1, 5 do
    lu.assertFalse(c:is_alive(id))
  end
end, { election_timeout = math.huge })

-- Until a server that hears no leader has tried to become one. Plain Raft: in a later term, for it may
-- have lost an election of the present one.
local function wait_tried(c, id, plain, term)
  if plain then
    clusters.wait_term_above(c, id, term)
  else
    clusters.wait_tried(c, id)
  end
end

scenario("ElectionNormal", 3, function(c)
  local leader, term = c:check_one_leader()
  lu.assertEquals(c:status(leader).role, "leader")
  lu.assertTrue(term >= 1)
end)

scenario("ElectionLeaderDisconnect", 3, function(c)
  local old, term = c:check_one_leader()
  c:disconnect(old)
  local new, new_term = assert(c:wait_leader(nil, term))
  lu.assertNotEquals(new, old)
  lu.assertTrue(new_term > term)
end)

scenario("ElectionLeaderAndFollowerDisconnect", 3, function(c, plain)
  local leader, term = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  c:disconnect(leader)
  c:disconnect(follower)
  wait_tried(c, clusters.others(c, leader, follower)[1], plain, term)
  c:sleep(0.3)
  c:check_no_leader()
  c:reconnect(leader)
  c:check_one_leader()
end)

local function leader_comes_back(c)
  local old, term = c:check_one_leader()
  c:disconnect(old)
  local new, new_term = assert(c:wait_leader(nil, term))
  c:reconnect(old)
  clusters.wait_follows(c, old, new)
  local leader, leader_term = c:check_one_leader()
  lu.assertEquals({ leader, leader_term }, { new, new_term })
end

scenario("ElectionLeaderDisconnectAndReconnect", 3, leader_comes_back)

scenario("ElectionDisconnectAllAndReconnectAll", 3, function(c, plain)
  c:check_one_leader()
  for _, id in ipairs(c:ids()) do
    c:disconnect(id)
  end
  if not plain then
    clusters.wait_no_leaders(c)
  end
  c:sleep(0.3)
  c:check_no_leader()
  lu.assertNil(c:leader())
  for _, id in ipairs(c:ids()) do
    c:reconnect(id)
  end
  c:check_one_leader()
end)

scenario("ElectionLeaderDisconnectAndReconnect5Nodes", 5, leader_comes_back)

-- A follower that was away comes back. Plain Raft: it has raised its term meanwhile, which deposes
-- the leader. With pre-vote nobody notices.
local function follower_comes_back(c, plain, away)
  local leader, term = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  c:disconnect(follower)
  wait_tried(c, follower, plain, term)
  away(follower)
  c:reconnect(follower)
  if plain then
    local _, new_term = assert(c:wait_leader(nil, term))
    lu.assertTrue(new_term > term)
  else
    clusters.wait_follows(c, follower, leader)
    lu.assertEquals({ c:check_one_leader() }, { leader, term })
  end
  return follower
end

scenario("ElectionFollowerDisconnectAndReconnect", 3, function(c, plain)
  follower_comes_back(c, plain, function() end)
end)

scenario("ElectionDisconnectReconnectLoop", 3, function(c, plain)
  local leader, term = c:check_one_leader()
  for _ = 1, 6 do
    local follower = clusters.next_id(c, leader)
    c:disconnect(leader)
    c:disconnect(follower)
    wait_tried(c, clusters.others(c, leader, follower)[1], plain, term)
    if not plain then
      clusters.wait_no_leaders(c) -- else the old leader could still lead on in its term
    end
    c:check_no_leader()
    c:reconnect(leader)
    c:reconnect(follower)
    local new_leader, new_term = assert(c:wait_leader(nil, term))
    lu.assertTrue(new_term > term)
    leader, term = new_leader, new_term
  end
end)

scenario("ElectionFollowerDisconnectReconnectAfterLong", 3, function(c, plain)
  follower_comes_back(c, plain, function()
    c:sleep(1.2)
  end)
  c:check_one_leader()
end)

scenario("ElectionFollowerDisconnectReconnectAfterLongCommitDone", 3, function(c, plain)
  local follower = follower_comes_back(c, plain, function()
    assert(c:submit(c:check_one_leader(), 42))
    lu.assertEquals(c:check_committed(42, 2), 2)
    c:sleep(1.2)
  end)
  lu.assertNotEquals(c:check_one_leader(), follower) -- its log was behind: it can't have won
  lu.assertEquals(c:check_committed(42, 3), 3)
end)

return scenarios
