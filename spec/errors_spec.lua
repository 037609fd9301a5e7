-- What fails in the course of a run returns nil, message, code, detail.
local lu = require "luaunit"
local raft = require "raft"
local clusters = require "spec.support.clusters"

local tests = {}
local refused = clusters.assert_refused

clusters.add(tests, "NotLeaderNamesTheLeader", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  clusters.wait_follows(c, follower, leader)
  local message, detail = refused("not_leader", c:submit(follower, 1))
  lu.assertEquals(detail.leader, leader)
  lu.assertNil(detail.unknown) -- it never will be applied
  lu.assertStrContains(message, tostring(leader))
  local address = c:status(leader).address
  lu.assertEquals(detail.address, address)
end)

clusters.add(tests, "NotLeaderWhereNoneIsKnown", { nodes = 3, election_timeout = math.huge }, function(c)
  local _, detail = refused("not_leader", c:submit(1, 1))
  lu.assertNil(detail.leader)
end)

clusters.add(tests, "NoLeader", { nodes = 3 }, function(c)
  c:partition({ 1 }, { 2 }, { 3 })
  c:sleep(0.5)
  local before = c:now()
  local value, message, code = c:propose(1, { timeout = 1 })
  lu.assertNil(value)
  lu.assertIsString(message)
  clusters.assert_one_of(code, { "no_leader", "timeout" })
  lu.assertAlmostEquals(c:now() - before, 1, 0.2)
end)

clusters.add(tests, "Timeout", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  c:partition { leader }
  local before = c:now()
  local _, detail = refused("timeout", c:propose("open", { node = leader, timeout = 0.1 }))
  lu.assertTrue(detail.unknown)
  lu.assertAlmostEquals(c:now() - before, 0.1, 0.02)
  refused("timeout", c:wait_until(function()
    return false
  end, 0.1))
  refused("timeout", c:wait_leader(0.1, 1000))
  refused("timeout", c:wait_event({ kind = "snapshot" }, 0.1))
end)

clusters.in_both(tests, "TooLarge", { nodes = 3 }, function(c)
  local text = ("x"):rep(16 * 2 ^ 20)
  local leader = c:check_one_leader()
  refused("too_large", c:submit(leader, text))
  refused("too_large", c:propose(text))
  refused("too_large", c:propose(text, { node = leader }))
  refused("too_large", c:set("key", text))
  refused("too_large", c:get(text))
  local _, detail = refused("too_large", c:call(leader, clusters.next_id(c, leader), text))
  lu.assertNil(detail.unknown)
  assert(c:set("key", "value"))
end)

function tests.test_AGivenLogsEntryIsNoLarger()
  clusters.assert_raises(function()
    raft.cluster { mode = "sim", nodes = 3, state = { { term = 1, log = { { 1, ("x"):rep(16 * 2 ^ 20) } } } } }
  end, "state", "at most")
end

function tests.test_GivenLogsThatNoRunCanHaveWritten()
  local function start(...)
    local state = {}
    for id, log in ipairs { ... } do
      state[id] = { term = 2, log = log }
    end
    for _, mode in ipairs { "sim", "tcp" } do
      for _, invariants in ipairs { true, false } do
        clusters.assert_raises(function()
          raft.cluster { mode = mode, nodes = 3, state = state, invariants = invariants }
        end, "bad argument 'state' (", "node 2 ", "of node 1", "index 1")
      end
    end
  end
  start({ { 1, "a" }, 1 }, { { 1, "b" }, 1 }, { { 1, "c" }, 1 })
  start({ 1, 2 }, { 2 })
end

clusters.add(tests, "AReaderThatRaisesAtTheEnd", { nodes = 1, trace = function(event)
  if event.kind == "verdict" then
    error("no verdict")
  end
end }, function(c)
  clusters.assert_raises(function()
    c:shutdown()
  end, "no verdict")
  lu.assertTrue(c:is_closed())
end)

clusters.add(tests, "EveryTimeoutIsTenSecondsByDefault", { nodes = 3, mode = "sim" }, function(c)
  c:partition({ 1 }, { 2 }, { 3 })
  for _, wait in ipairs {
    function() return c:propose(1) end,
    function() return c:get("key") end,
    function() return c:wait_leader() end,
    function() return c:wait_until(function() return false end) end,
  } do
    local before = c:now()
    lu.assertNil((wait()))
    lu.assertAlmostEquals(c:now() - before, 10, 0.5)
  end
end)

clusters.add(tests, "WaitUntilSaysWhatItWaitedFor", { nodes = 1 }, function(c)
  local message = refused("timeout", c:wait_until(function()
    return false
  end, 0.1, "the cows to come home"))
  lu.assertStrContains(message, "the cows to come home")
end)

clusters.add(tests, "Superseded", { nodes = 3 }, function(c)
  local old, term = c:check_one_leader()
  assert(c:propose("before"))
  c:partition { old }
  local client = c:client(function()
    return c:propose("lost", { node = old })
  end)
  assert(c:wait_leader(nil, term))
  assert(c:propose("instead"))
  c:heal()
  local value, message, code, detail = clusters.result(client)
  refused("superseded", value, message, code, detail)
  lu.assertFalse(detail and detail.unknown or false)
  c:check_not_committed("lost")
end)

clusters.add(tests, "SupersededIsTriedAgainWithoutANode", { nodes = 3 }, function(c)
  local old, term = c:check_one_leader()
  assert(c:propose("before"))
  c:partition { old }
  local client = c:client(function()
    return assert(c:propose("again"))
  end)
  c:sleep(0.02) -- it has reached the old leader
  assert(c:wait_leader(nil, term))
  assert(c:propose("instead"))
  c:heal()
  assert(client:wait())
  lu.assertEquals(c:check_committed("again", 3), 3)
end)

clusters.add(tests, "UnknownNode", { nodes = 3 }, function(c)
  c:check_one_leader()
  lu.assertStrContains(refused("unknown_node", c:submit(9, 1)), "9")
  refused("unknown_node", c:propose(1, { node = 9 }))
  for _, call in ipairs { "crash", "restart", "pause", "resume", "disconnect", "reconnect", "campaign", "status", "log",
    "commits", "stats" } do
    lu.assertStrContains(refused("unknown_node", c[call](c, 9)), "9")
  end
  refused("unknown_node", c:clock(9, { rate = 1 }))
  refused("unknown_node", c:partition({ 1, 9 }))
  refused("unknown_node", c:link(1, 9, { drop = 1 }))
  refused("unknown_node", c:serve(9, print))
  refused("unknown_node", c:get("key", { node = 9 }))
  refused("unknown_node", c:call(1, 9, 1))
  refused("unknown_node", c:call(9, 1, 1))
end)

clusters.add(tests, "NodeDown", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  local follower = clusters.next_id(c, leader)
  c:crash(follower)
  local _, detail = refused("node_down", c:submit(follower, 1))
  lu.assertNil(detail.unknown) -- before the hand-over: it never will
  refused("node_down", c:campaign(follower))
end)

clusters.add(tests, "NodeDownWhileItWaitsIsUnknown", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  c:partition { leader }
  local client = c:client(function()
    return c:propose("open", { node = leader })
  end)
  c:sleep(0.05)
  c:crash(leader)
  local value, _, code, detail = clusters.result(client)
  lu.assertNil(value)
  clusters.assert_one_of(code, { "node_down", "timeout" })
  lu.assertTrue(detail.unknown)
end)

clusters.add(tests, "Busy", { nodes = 3, max_uncommitted = 100000 }, function(c)
  local leader = c:check_one_leader()
  assert(c:propose("settled"))
  c:partition { leader }
  local command, taken = ("x"):rep(1000), 0
  local value, message, code
  repeat
    value, message, code = c:submit(leader, command)
    taken = taken + (value and 1 or 0)
  until value == nil or taken > 1000
  refused("busy", value, message, code)
  lu.assertTrue(taken >= 50 and taken <= 100)
  c:heal()
  assert(c:propose("free again"))
end)

clusters.add(tests, "TooLarge", { nodes = 1 }, function(c)
  c:check_one_leader()
  refused("too_large", c:submit(1, ("x"):rep(16 * 2 ^ 20 + 1)))
  refused("too_large", c:propose(("x"):rep(16 * 2 ^ 20 + 1)))
end)

-- What each world cannot do. A machine of the script's own has no snapshots and no queries unless it
-- says so.
local unsupported = {
  sim = {
    compact = function(c) return c:compact(1) end,
    query = function(c) return c:query "key" end,
  },
  tcp = {
    compact = function(c) return c:compact(1) end,
    disk = function(c) return c:disk(1, { full = true }) end,
    step = function(c) return c:step() end,
  },
  process = {
    clock = function(c) return c:clock(1, { rate = 2 }) end,
    disk = function(c) return c:disk(1, { stall = true }) end,
    intercept = function(c) return c:intercept(function() end) end,
    step = function(c) return c:step() end,
  },
}

local function without_snapshots()
  return { apply = function(_, command) return command end }
end

for mode, calls in pairs(unsupported) do
  tests["test_UnsupportedIsSaid_" .. mode] = function()
    local machine = mode ~= "process" and without_snapshots or nil
    clusters.with({ nodes = 1, mode = mode, machine = machine }, function(c)
      for name, call in pairs(calls) do
        local value, message, code = call(c)
        lu.assertEquals({ value, code }, { nil, "unsupported" }, ("%s: %s"):format(name, tostring(message)))
        lu.assertNotNil(message, name)
      end
      assert(c:propose("after"))
    end)
  end
end

clusters.add(tests, "ChecksSayWhatWasExpectedAndSeen", { nodes = 3 }, function(c)
  c:check_one_leader()
  assert(c:propose("there"))
  lu.assertEquals(c:check_committed("there", 3), 3)
  clusters.assert_raises(function()
    c:check_committed("nowhere")
  end, "nowhere")
  clusters.assert_raises(function()
    c:check_committed("there", 4, 0.2)
  end, "there", "3", "4")
  clusters.assert_raises(function()
    c:check_not_committed("there")
  end, "there")
  clusters.assert_raises(function()
    c:check_no_leader()
  end, "leader")
  c:partition({ 1 }, { 2 }, { 3 })
  clusters.wait_no_leaders(c)
  clusters.assert_raises(function()
    c:check_one_leader()
  end, "leader")
end)

return tests
