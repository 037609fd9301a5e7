-- Reads: linearizable unless the script asks for less.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"

local tests = {}
local in_both = clusters.in_both

-- What a read may answer where the node cannot know that it still leads.
local function assert_no_answer(value, message, code)
  lu.assertNil(value, tostring(message))
  clusters.assert_one_of(code, { "not_leader", "no_leader", "timeout" })
end

in_both(tests, "SeeWhatWasWritten", { nodes = 3 }, function(c)
  for i = 1, 10 do
    assert(c:set("key", i))
    lu.assertEquals(assert(c:get("key")), i)
  end
end)

in_both(tests, "AMissingKeyIsNilAlone", { nodes = 3 }, function(c)
  lu.assertEquals(select("#", c:get("missing")), 1)
  lu.assertNil((c:get("missing")))
  assert(c:set("missing", false))
  lu.assertEquals(c:get("missing"), false)
end)

in_both(tests, "FollowersDoNotAnswer", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  assert(c:set("key", 1))
  local follower = clusters.next_id(c, leader)
  clusters.wait_follows(c, follower, leader)
  local _, detail = clusters.assert_refused("not_leader", c:get("key", { node = follower }))
  lu.assertEquals(detail.leader, leader)
end)

for name, options in pairs {
  Defaults = {},
  PlainRaft = { pre_vote = false, check_quorum = false },
} do
  options.nodes = 5
  in_both(tests, "ADeposedLeaderDoesNotAnswer" .. name, options, function(c)
    local old, term = c:check_one_leader()
    assert(c:set("key", "old"))
    c:partition { old, clusters.next_id(c, old) }
    local new = assert(c:wait_leader(nil, term))
    assert(c:set("key", "new", { node = new }))
    local value, message, code = c:get("key", { node = old, timeout = 1 })
    assert_no_answer(value, message, code)
    lu.assertEquals(assert(c:get("key", { node = old, read = "stale" })), "old")
    lu.assertEquals(assert(c:get("key", { node = new })), "new")
    c:heal()
    lu.assertEquals(assert(c:get("key")), "new")
  end)
end

in_both(tests, "ALeaderThatWasPausedDoesNotAnswerFromBefore", { nodes = 3 }, function(c)
  local old, term = c:check_one_leader()
  assert(c:set("key", "old"))
  c:pause(old)
  local new = assert(c:wait_leader(nil, term))
  assert(c:set("key", "new", { node = new }))
  local reader = c:client(function()
    return c:get("key", { node = old, timeout = 3 })
  end)
  c:sleep(2)
  c:resume(old)
  local value, message, code = clusters.result(reader)
  if value ~= nil then
    lu.assertEquals(value, "new")
  else
    assert_no_answer(value, message, code)
  end
end)

in_both(tests, "StaleReadsAnswerFromWhatIsThere", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  assert(c:set("key", 1))
  lu.assertEquals(c:check_committed({ op = "set", key = "key", value = 1 }, 3), 3)
  for _, id in ipairs(clusters.others(c, leader)) do
    c:disconnect(id)
    lu.assertEquals(assert(c:get("key", { node = id, read = "stale" })), 1)
  end
end)

in_both(tests, "ReadsAtOnceCostTwoRoundsAtMost", {
  nodes = 3, election_timeout = math.huge, heartbeat_interval = 60, -- with which a round would be repeated
}, function(c)
  assert(c:campaign(1))
  local leader = assert(c:wait_leader())
  assert(c:set("key", 1))
  local before = c:stats(leader).messages.read
  c:intercept(function(message)
    return message.kind == "read" and "hold" or nil
  end)
  local readers = {}
  for i = 1, 40 do
    readers[i] = c:client(function()
      c:sleep(i * 0.001)
      return assert(c:get("key"))
    end)
  end
  assert(c:wait_until(function()
    return #c:events { kind = "read", node = leader } == 40
  end))
  c:intercept(nil)
  for _, message in ipairs(c:held()) do
    message:deliver()
  end
  for i = 1, 40 do
    lu.assertEquals(clusters.result(readers[i]), 1)
  end
  -- A round is a message to each of two peers; on a busy machine all clients may have asked before the first one left.
  local messages = c:stats(leader).messages.read - before
  lu.assertTrue(messages == 4 or c:mode() ~= "sim" and messages == 2, messages .. " messages")
end)

in_both(tests, "OneNodeAloneAnswersAtOnce", { nodes = 1 }, function(c)
  assert(c:set("key", "alone"))
  lu.assertEquals(assert(c:get("key")), "alone")
end)

clusters.add(tests, "ReadsOfANodeThatIsDown", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local down = clusters.next_id(c, leader)
  c:crash(down)
  local value, _, code = c:get("key", { node = down, timeout = 0.5 })
  lu.assertNil(value)
  clusters.assert_one_of(code, { "node_down", "timeout" })
end)

in_both(tests, "QueriesGoToTheMachine", { nodes = 3, machine = function()
  local words = {}
  return {
    apply = function(command)
      words[#words + 1] = command
      return #words
    end,
    query = function(request)
      return { asked = request, words = words }
    end,
  }
end }, function(c)
  local _, count = assert(c:propose("one"))
  lu.assertEquals(count, 1)
  assert(c:propose("two"))
  lu.assertEquals(assert(c:query("all")), { asked = "all", words = { "one", "two" } })
end)

return tests
