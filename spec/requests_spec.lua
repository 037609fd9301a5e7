-- What becomes of requests: of those that a node in an application passes on, and of calls.
local clusters = require "spec.support.clusters"
local lu = require "luaunit"
local nodes_of = require "spec.support.nodes"
local processes = require "spec.support.processes"
local raft = require "raft"

local tests = {}

-- f(nodes, leader, follower) with three nodes, whose leader ends when a request that was passed on reaches it.
local function with_a_leader_that_dies(f)
  local peers, nodes = processes.free_addresses(3), {}
  for id = 1, 3 do
    nodes[id] = assert(raft.node { id = id, listen = peers[id], peers = peers, machine = nodes_of.counter(),
      trace = function(event)
        if event.kind == "receive" and event.message == "forward" then
          nodes[id]:close()
        end
      end })
    assert(nodes[id]:start())
  end
  local leader, follower = nodes_of.leader_of(nodes)
  local fine, problem = pcall(f, nodes, leader, follower)
  for _, node in ipairs(nodes) do
    node:close()
  end
  if not fine then
    error(problem, 0)
  end
end

function tests.test_a_command_passed_on_to_a_leader_that_dies_is_unknown_at_once()
  with_a_leader_that_dies(function(_, leader, follower)
    local index, message, code, detail = follower:propose(1)
    lu.assertNil(index)
    lu.assertEquals({ code, detail.unknown }, { "node_down", true }, message)
    lu.assertStrContains(message, "node " .. leader.id)
    lu.assertNotEquals(follower:status().leader, leader.id)
  end)
end

function tests.test_a_read_passed_on_to_a_leader_that_dies_is_asked_again()
  with_a_leader_that_dies(function(nodes, leader, follower)
    lu.assertTrue(follower:read())
    lu.assertEquals(leader:status().state, "closed")
    lu.assertNotEquals(nodes[follower.id]:status().leader, leader.id)
  end)
end

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

return tests
