-- Reads and exactly-once of raft.node: nodes of an application in this process.
local lu = require "luaunit"
local nodes_of = require "spec.support.nodes"
local processes = require "spec.support.processes"
local raft = require "raft"

local tests = {}

local leader_of, run_until = nodes_of.leader_of, nodes_of.run_until

-- Nodes whose machines count each command by its text, in counts[id].
local function with_tallies(options, f)
  local counts = {}
  local failing = {}
  nodes_of.with_nodes(3, options, function(nodes)
    f(nodes, counts, failing)
  end, function(id)
    counts[id] = {}
    return {
      apply = function(command)
        counts[id][command] = (counts[id][command] or 0) + 1
        if failing.id == id and failing.command == command then
          error "it dies here"
        end
        return counts[id][command]
      end,
      query = function(command)
        return counts[id][command] or 0
      end,
    }
  end)
end

-- The leader dies after it has applied the command and before it answers the node that passed it on. Gives what that
-- node is told.
local function ask_a_leader_that_dies(nodes, failing)
  local leader, follower = leader_of(nodes)
  assert(follower:propose("before"))
  leader:on("error", function() end)
  failing.id, failing.command = leader.id, "once"
  local index, result, code, detail = follower:propose("once")
  lu.assertEquals(leader:status().state, "failed")
  return index, result, code, detail
end

-- ---- sessions --------------------------------------------------------------------------------------

function tests.test_AppliedOnceThoughTheLeaderDies()
  with_tallies({ session = true }, function(nodes, counts, failing)
    local index, result = ask_a_leader_that_dies(nodes, failing)
    lu.assertNotNil(index, tostring(result))
    lu.assertEquals(result, 1)
    for id, count in ipairs(counts) do
      lu.assertEquals(count.once, 1, id)
    end
  end)
end

function tests.test_WithoutASessionThatIsLeftOpen()
  with_tallies(nil, function(nodes, _, failing)
    local index, _, code, detail = ask_a_leader_that_dies(nodes, failing)
    lu.assertNil(index)
    lu.assertEquals({ code, detail.unknown }, { "node_down", true })
  end)
end

-- More at once than a node has sessions, while leadership moves.
function tests.test_ManyAtOnceWhileLeadersChange()
  with_tallies({ session = true }, function(nodes, counts)
    leader_of(nodes)
    local answered, problems, sums = 0, {}, 0
    local function ask(number)
      nodes[number % 3 + 1]:propose("n" .. number, { timeout = 20 }, function(index, result, code, detail)
        if code == "busy" and not detail.unknown then -- leadership is being handed over
          ask(number)
        elseif index then
          answered, sums = answered + 1, sums + result
        else
          problems[#problems + 1] = result
        end
      end)
    end
    for number = 1, 900 do
      ask(number)
    end
    local moves = 0
    run_until("all answers", function()
      local leader = nodes[1]:status().leader
      if answered < 900 and leader ~= 0 and moves < 20 then
        moves = moves + 1
        nodes[leader]:transfer_leader(leader % 3 + 1, { timeout = 0.3 }, function() end)
      end
      return answered + #problems == 900
    end)
    lu.assertEquals(problems, {})
    lu.assertEquals(sums, 900)
    lu.assertTrue(moves > 0)
    for id = 1, 3 do
      assert(nodes[id]:read())
      for number = 1, 900 do
        lu.assertEquals(counts[id]["n" .. number], 1)
      end
    end
  end)
end

function tests.test_ANodeThatIsNotStartedSaysSo()
  local node = assert(raft.node { id = 1, listen = processes.free_addresses(1)[1], session = true })
  local index, _, code = node:propose("x", { timeout = 5 })
  lu.assertNil(index)
  lu.assertEquals(code, "node_down")
  node:close()
end

-- ---- reads -----------------------------------------------------------------------------------------

-- Rounds are messages to each of two peers.
local function count_rounds(events)
  local rounds = {}
  return function(event)
    if event.kind == "send" and event.message == "read" then
      rounds[event.term .. "/" .. event.sequence] = true
    end
    events.rounds = 0
    for _ in pairs(rounds) do
      events.rounds = events.rounds + 1
    end
  end
end

function tests.test_ReadsAtOnceCostTwoRoundsAtMost()
  local events = { rounds = 0 }
  nodes_of.with_nodes(3, { trace = count_rounds(events), heartbeat_interval = 0.5, election_timeout = { 2, 3 } },
    function(nodes)
      local leader, follower = leader_of(nodes)
      assert(leader:propose(1))
      assert(follower:read())
      local before, answered, worked = events.rounds, 0, 0
      for number = 1, 100 do
        local node = number % 2 == 0 and leader or follower
        node:read(function(ok)
          answered, worked = answered + 1, worked + (ok and 1 or 0)
        end)
      end
      run_until("all reads", function() return answered == 100 end)
      lu.assertEquals(worked, 100)
      lu.assertTrue(events.rounds - before <= 3, events.rounds - before) -- one more where a heartbeat falls in between
    end)
end

function tests.test_LeaseReadsCostNone()
  local events = { rounds = 0 }
  nodes_of.with_nodes(3, { trace = count_rounds(events), clock_drift = 0.1 }, function(nodes)
    local leader, follower = leader_of(nodes)
    assert(leader:propose(1))
    local deadline = raft.core.clock_ns() + 10e9
    repeat -- until heartbeats are answered
      local before = events.rounds
      assert(leader:read { read = "lease" })
      lu.assertTrue(raft.core.clock_ns() < deadline)
    until events.rounds == before
    local before = events.rounds
    for number = 2, 20 do
      assert(leader:propose(1))
      lu.assertEquals(follower:query("count", { read = "lease" }), number)
      lu.assertEquals(leader:query("count", { read = "lease" }), number)
    end
    lu.assertTrue(events.rounds - before <= 8) -- this process may have been stopped for a moment
    lu.assertEquals(leader:query("count", { read = "stale" }), 20)
  end)
end

function tests.test_LeaseReadsAreOffUnlessAskedFor()
  nodes_of.with_nodes(3, nil, function(nodes)
    local leader, follower = leader_of(nodes)
    for _, node in ipairs { leader, follower } do
      local ok, message, code = node:read { read = "lease" }
      lu.assertNil(ok)
      lu.assertStrContains(message, "clock_drift")
      lu.assertEquals(code, "unsupported")
    end
    lu.assertErrorMsgContains("options.read", leader.read, leader, { read = "stale" })
    lu.assertErrorMsgContains("options.read", leader.query, leader, "x", { read = "sometimes" })
  end)
end

return tests
