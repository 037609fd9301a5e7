-- What is too large is refused as "too_large" by who would have to send it, before it is made whole; nothing aborts.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local processes = require "spec.support.processes"
local raft = require "raft"
local replicas = require "spec.support.replicas"

local tests = {}
local in_both = clusters.in_both

local MIB = 1024 * 1024
local huge = ("x"):rep(17 * MIB)

-- Its results and answers are of the size that it is asked for.
local function machine()
  local applied = 0
  return {
    apply = function(size)
      applied = applied + 1
      return type(size) == "number" and ("r"):rep(size) or #size
    end,
    query = function(size)
      return size and ("a"):rep(size) or applied
    end,
  }
end

-- Twice the same a level: as bytes it is far larger than as tables.
local function doubled(levels)
  local value = ("x"):rep(1000)
  for _ = 1, levels do
    value = { value, value }
  end
  return value
end

in_both(tests, "ACommandAQuestionAndACallAreAtMost16MiB", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  clusters.assert_refused("too_large", c:set("key", huge))
  clusters.assert_refused("too_large", c:set(huge, 1))
  clusters.assert_refused("too_large", c:get(huge))
  clusters.assert_refused("too_large", c:propose(huge))
  clusters.assert_refused("too_large", c:submit(leader, huge))
  clusters.assert_refused("too_large", c:call(leader, follower, huge))
  assert(c:set("key", "small"))
end)

-- A function is not a value, but it is never reached: the value is too large by then.
in_both(tests, "AValueIsWrittenNoFurtherThanTheLimit", { nodes = 1 }, function(c)
  local leader = c:check_one_leader()
  clusters.assert_refused("too_large", c:set("key", { huge, print }))
  clusters.assert_refused("too_large", c:propose({ { { huge } }, print }))
  clusters.assert_refused("too_large", c:submit(leader, { a = huge, b = print }))
  clusters.assert_raises(function()
    return c:set("key", { "small", print })
  end, "a function is not a value")
end)

clusters.add(tests, "AValueOfManyLevels", { nodes = 1, mode = "sim" }, function(c)
  c:check_one_leader()
  assert(c:set("key", doubled(10)))
  lu.assertEquals(c:get("key")[2][1][2], doubled(7))
  clusters.assert_refused("too_large", c:set("key", doubled(31)))
end)

in_both(tests, "AMachinesResultIsAtMost16MiB", { nodes = 3, machine = machine }, function(c)
  c:check_one_leader()
  local _, detail = clusters.assert_refused("too_large", c:propose(17 * MIB))
  lu.assertTrue(detail.unknown) -- it was applied
  local _, result = assert(c:propose(16 * MIB - 10))
  lu.assertEquals(#result, 16 * MIB - 10)
  lu.assertEquals(c:query(false), 2)
end)

in_both(tests, "AMachinesAnswerIsAtMost16MiB", { nodes = 3, machine = machine }, function(c)
  c:check_one_leader()
  clusters.assert_refused("too_large", c:query(17 * MIB))
  clusters.assert_refused("too_large", c:query(17 * MIB, { read = "stale" }))
  lu.assertEquals(#assert(c:query(16 * MIB - 10)), 16 * MIB - 10)
end)

in_both(tests, "AServersAnswerIsAtMost16MiB", { nodes = 2 }, function(c)
  c:check_one_leader()
  c:serve(2, function(size)
    return ("s"):rep(size)
  end)
  clusters.assert_refused("too_large", c:call(1, 2, 17 * MIB))
  lu.assertEquals(#assert(c:call(1, 2, 16 * MIB - 10)), 16 * MIB - 10)
end)

-- A session's command is answered alike when it comes again.
in_both(tests, "ASessionsResultIsAtMost16MiB", { nodes = 1, machine = machine }, function(c)
  c:check_one_leader()
  c:link("*", "client", { duplicate = 1 })
  local client = c:client(function()
    clusters.assert_refused("too_large", c:propose(17 * MIB))
    return select(2, assert(c:propose("four")))
  end, { session = true })
  lu.assertEquals(select(2, assert(client:wait())), 4)
end)

clusters.add(tests, "NotesNamesAndMembersAreBounded", { nodes = 1, mode = "sim" }, function(c)
  clusters.assert_raises(function()
    c:note(("x"):rep(65537))
  end, "a note is at most 65536 bytes")
  clusters.assert_raises(function()
    raft.cluster { nodes = 1, name = ("x"):rep(1001) }
  end, "name", "1000 bytes")
  local ids = {}
  for id = 1, 100 do
    ids[id] = id
  end
  clusters.assert_raises(function()
    raft.cluster { nodes = ids }
  end, "nodes", "99")
  c:note(("x"):rep(65536))
end)

-- A bare core: no entry is so large that a follower would refuse it.
function tests.test_AConfigurationHasAtMost1000Members()
  local net = replicas.new(1)
  net:elect(1)
  net:settle()
  local voters = {}
  for id = 1, 1000 do
    voters[id] = id
  end
  lu.assertEquals(net:step(1, { kind = "change", configuration = { voters = voters } }).refusal, "bad_configuration")
  voters[1000] = nil
  lu.assertEquals(net:step(1, { kind = "change", configuration = { voters = voters } }).refusal, "accepted")
end

-- Nodes in applications pass each other's requests on: what is too large for an answer must not end the leader.
function tests.test_APassedOnRequestWhoseResultIsTooLarge()
  local peers, nodes = processes.free_addresses(2), {}
  for id = 1, 2 do
    nodes[id] = assert(raft.node { id = id, listen = peers[id], peers = peers, machine = machine() })
    assert(nodes[id]:start())
  end
  local answers, count = {}, 0
  for id, node in ipairs(nodes) do
    for _, size in ipairs { 17 * MIB, 10 } do
      node:propose(size, function(...)
        answers[id .. " proposes " .. size], count = { ... }, count + 1
      end)
      node:query(size, function(...)
        answers[id .. " asks for " .. size], count = { ... }, count + 1
      end)
    end
  end
  local deadline_ns = raft.core.clock_ns() + 20e9
  while count < 8 do
    lu.assertTrue(raft.core.clock_ns() < deadline_ns, "waited in vain for answers")
    raft.run(0.01)
  end
  for _, node in ipairs(nodes) do
    node:close()
  end
  for what, answer in pairs(answers) do
    if what:find(" 10$") then
      lu.assertNotNil(answer[1], what)
    else
      lu.assertEquals({ what, answer[3] }, { what, "too_large" })
    end
  end
end

return tests
