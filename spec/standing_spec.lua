-- What does not live says who stands still, in which role and term, what it waits for and what it was last refused; and
-- a node that has failed is not passed over.
local lu = require "luaunit"
local raft = require "raft"
local scenario = require "raft.scenario"
local clusters = require "spec.support.clusters"

local tests = {}

-- A machine that breaks at node 3 by the command "break".
local function machine(id)
  return {
    apply = function(command)
      if id == 3 and command == "break" then
        error("node 3 cannot do that")
      end
    end,
  }
end

clusters.in_both(tests, "ANodeThatHasFailedFailsTheCheck", { nodes = 3, machine = machine }, function(c)
  pcall(c.propose, c, "break")
  pcall(c.wait_until, c, function() -- an error of a machine is raised by whoever drives the world
    return c:status(3).state == "failed"
  end)
  lu.assertEquals(c:status(3, "state"), "failed")
  clusters.assert_raises(function()
    c:check_live()
  end, "the cluster does not live: node 3 has failed and was not started again", "node 3 cannot do that")
end)

function tests.test_ANodeThatHasFailedFailsTheScenario()
  clusters.assert_raises(function()
    scenario.run({ nodes = 3, mode = "sim", machine = machine, run = function(c)
      pcall(c.propose, c, "break")
      pcall(c.wait_until, c, function()
        return c:status(3).state == "failed"
      end)
    end }, raft.cluster)
  end, "node 3 has failed")
end

clusters.in_both(tests, "WithoutAQuorum", { nodes = 3 }, function(c)
  c:check_one_leader()
  assert(c:set("key", 1))
  c:crash(1)
  c:pause(2)
  clusters.assert_raises(function()
    c:check_live(1)
  end, "no leader within 1 s", "1 is crashed", "2 is paused", "3 is ", " of term ")
end)

clusters.in_both(tests, "ACandidateTellsWhoseVotesItWaitsFor", { nodes = 3, pre_vote = false }, function(c)
  c:check_one_leader()
  c:crash { 1, 2 }
  assert(c:wait_until(function()
    return c:status(3, "role") == "candidate"
  end))
  clusters.assert_raises(function()
    c:check_live(0.01)
  end, "3 is candidate of term " .. c:status(3, "term"), "waits for votes of 1, 2, 3")
end)

clusters.in_both(tests, "ALeaderTellsWhatItWaitsFor", { nodes = 3, check_quorum = false }, function(c)
  local leader = c:check_one_leader()
  assert(c:set("key", 1))
  clusters.wait_level(c)
  local last = c:status(leader).last_index
  c:crash(clusters.others(c, leader))
  assert(c:submit(leader, "more"))
  clusters.assert_raises(function()
    c:check_live(0.5)
  end, ("%d is leader of term %d, committed %d, and waits for a majority to have %d"):format(leader,
    c:status(leader, "term"), last, last + 1))
end)

clusters.in_both(tests, "WhatItWasLastRefused", { nodes = 3 }, function(c)
  c:check_one_leader()
  assert(c:set("key", 1))
  clusters.wait_level(c)
  c:crash(3)
  assert(c:restart(3, { wipe = true }))
  assert(c:wait_until(function()
    return c:status(3).refused
  end))
  local refused = c:status(3, "refused")
  lu.assertTrue(refused.by == 1 or refused.by == 2)
  lu.assertIsString(refused.what)
  c:crash(1)
  c:pause(2)
  clusters.assert_raises(function()
    c:check_live(1)
  end, "3 is ", "; its ", " was refused ", " s ago by ")
end)

clusters.in_both(tests, "OneFieldOfAStatus", { nodes = 3 }, function(c)
  local leader, term = c:check_one_leader()
  assert(c:set("key", 1))
  local whole = c:status(leader)
  for _, name in ipairs { "id", "role", "state", "term", "leader", "last_index", "address" } do
    lu.assertEquals(c:status(leader, name), whole[name])
  end
  lu.assertEquals(c:status(leader, "members"), whole.members)
  lu.assertEquals(#c:status(nil, "role"), 3)
  lu.assertEquals(c:status(leader, "term"), term)
  clusters.assert_raises(function()
    c:status(leader, "terms")
  end, "bad argument 'field'", "terms")
  c:crash(leader)
  lu.assertNil(c:status(leader, "term"))
  lu.assertEquals(c:status(leader, "state"), "crashed")
end)

return tests
