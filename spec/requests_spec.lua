-- What becomes of requests: of those that a node in an application passes on, and of calls.
local clusters = require "spec.support.clusters"
local lu = require "luaunit"
local nodes_of = require "spec.support.nodes"
local processes = require "spec.support.processes"
local raft = require "raft"

local tests = {}

-- f(nodes, leader, follower) with three nodes, whose first leader ends when a request that was passed on reaches it.
local function with_a_leader_that_dies(f)
  local running, is_dead = nil, false
  local function end_who_receives(event)
    if running and not is_dead and event.kind == "receive" and event.message == "forward" then
      is_dead = true
      running[event.node]:close()
      running[event.node]:close() -- without handing over
    end
  end
  nodes_of.with_nodes(3, { trace = end_who_receives }, function(nodes)
    running = nodes
    f(nodes, nodes_of.leader_of(nodes))
  end)
end

function tests.test_ACommandPassedOnToALeaderThatDiesIsUnknownAtOnce()
  with_a_leader_that_dies(function(_, leader, follower)
    local index, message, code, detail = follower:propose(1)
    lu.assertNil(index)
    lu.assertEquals({ code, detail.unknown }, { "node_down", true }, message)
    lu.assertStrContains(message, "node " .. leader.id)
    lu.assertNotEquals(follower:status().leader, leader.id)
  end)
end

function tests.test_AReadPassedOnToALeaderThatDiesIsAskedAgain()
  with_a_leader_that_dies(function(nodes, leader, follower)
    lu.assertTrue(follower:read())
    lu.assertEquals(leader:status().state, "closed")
    lu.assertNotEquals(nodes[follower.id]:status().leader, leader.id)
  end)
end

-- More than may wait for one connection: what has no room yet is passed on when it has.
function tests.test_MoreIsPassedOnAtOnceThanMayWait()
  local machine = { apply = function(text) return #text end }
  nodes_of.with_nodes(3, { machine = machine }, function(nodes)
    local _, follower = nodes_of.leader_of(nodes)
    local answers, text = {}, ("x"):rep(100000)
    for i = 1, 80 do
      follower:propose(text, function(index, result)
        answers[#answers + 1] = index and result or tostring(result) .. i
      end)
    end
    nodes_of.run_until("all answers", function() return #answers == 80 end)
    for _, answer in ipairs(answers) do
      lu.assertEquals(answer, 100000)
    end
  end)
end

function tests.test_ANodeThatWaitsForItsPeersSaysWhich()
  local peers = processes.free_addresses(3)
  local node = assert(raft.node { id = 1, listen = peers[1], peers = peers })
  local other = assert(raft.node { id = 3, listen = peers[3], peers = peers })
  local notices = {}
  node:on("notice", function(text) notices[#notices + 1] = text end)
  assert(node:start())
  local alone = ("it has no connection to node 2 (%s), node 3 (%s)"):format(peers[2], peers[3])
  local _, message, code, detail = node:propose(1, { timeout = 0.1 })
  lu.assertEquals({ code, detail.unknown }, { "no_leader", nil })
  lu.assertStrContains(message, alone)
  nodes_of.run_until("a notice", function() return notices[1] end)
  lu.assertEquals(notices[1], "node 1 knows of no leader; " .. alone)
  assert(other:start())
  lu.assertTrue((node:propose(1)) ~= nil)
  node:close()
  other:close()
end

clusters.in_both(tests, "AReadWhoseNodeCrashesIsAskedOfTheNextLeader", { nodes = 3 }, function(c)
  assert(c:set("key", "value"))
  local leader = c:check_one_leader()
  c:link("client", leader, { delay = 0.2 })
  local client = c:client(function() return c:get "key" end)
  c:sleep(0.01)
  c:crash(leader)
  local _, value = client:wait()
  lu.assertEquals(value, "value")
  lu.assertNotEquals(c:check_one_leader(), leader)
end)

-- A connection that was cut is dialled at once, and comes up a moment later.
clusters.in_both(tests, "CallsRightAfterAReconnect", { nodes = 3 }, function(c)
  c:serve(2, function(value) return value + 1 end)
  for i = 1, 5 do
    c:disconnect(1)
    c:sleep(0.02)
    c:reconnect(1)
    lu.assertEquals(c:call(1, 2, i, 2), i + 1)
  end
end)

function tests.test_WithoutForwardANodeThatStartsIsWaitedFor()
  nodes_of.with_nodes(1, { forward = false }, function(nodes)
    local _, result = assert(nodes[1]:propose(5)) -- its disk has not been read yet
    lu.assertEquals(result, 5)
  end)
end

return tests
