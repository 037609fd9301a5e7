-- Wrong arguments raise an error that names the argument and what it should be; nothing is half done.
local lu = require "luaunit"
local raft = require "raft"
local clusters = require "spec.support.clusters"

local tests = {}
local raises = clusters.assert_raises

-- ---- options of a cluster -----------------------------------------------------------------------

function tests.test_OptionsThatDoNotExistAreNamed()
  raises(function()
    raft.cluster { nodse = 3 }
  end, "nodse")
  raises(function()
    raft.cluster { nodes = 3, link = { delays = 1 } }
  end, "delays")
end

function tests.test_OptionsThatAreWrongAreNamed()
  local nan = 0 / 0
  local wrong = {
    nodes = { 0, -1, 1.5, "three", {}, { 1, 1 }, { 0 }, { "a" }, true,
      setmetatable({}, { __len = function() return 9 end }) },
    mode = { "mars", 1, true },
    seed = { -1, 1.5, 2 ^ 53, "x", nan },
    name = { 1, true, {} },
    election_timeout = { { 0.3, 0.15 }, { 0 }, { -1, 1 }, "slow", 0, -1, nan, { nan, 1 }, { 0.1, 0.2, 0.3 },
      { 1e-10, 1e-10 }, { 0.1, math.huge } },
    heartbeat_interval = { 0, 1e-10, -1, "x", nan },
    pre_vote = { 1, "yes" },
    check_quorum = { 0, "no" },
    election_collisions = { -0.1, 1.1, "x", nan },
    window = { 0, -1, 1.5, "x" },
    max_entries = { 0, -1, 1.5, 2 ^ 32 },
    max_message = { 0, -5, "x" },
    max_inflight = { 0, "x" },
    max_uncommitted = { -1, "x" },
    link = { 1, "x", { drop = 2 }, { drop = -1 }, { drop = nan }, { delay = -1 }, { delay = { 2, 1 } },
      { reorder = "x" },
      { bandwidth = -1 }, { cut = 1 }, { duplicate = 1.5 } },
    state = { 1, { [9] = { term = 1 } }, { [1] = { log = { 0 } } }, { [1] = { log = { 2, 1 } } },
      { [1] = { term = 1, log = { 2 } } }, { [1] = { term = 1, log = { { 1, print } } } } },
    machine = { 1, true, {}, "no.such.module", "*" },
    speed = { 0, -1, "x", nan },
    trace = { 1, true },
    keep_events = { -1, 1.5, "x" },
    invariants = { 1, "x" },
  }
  for name, values in pairs(wrong) do
    for i, value in ipairs(values) do
      local options = { mode = "sim" }
      options[name] = value
      local made, problem = pcall(raft.cluster, options)
      lu.assertFalse(made, ("%s, wrong value %d (%s) was taken"):format(name, i, lu.prettystr(value)))
      lu.assertStrContains(tostring(problem), name, nil, nil, lu.prettystr(value))
    end
  end
end

function tests.test_AHeartbeatIsSentMoreOftenThanAnElectionBegins()
  for _, wrong in ipairs { { nil, 0.15 }, { nil, 5 }, { { 0.01, 0.02 }, 0.01 } } do
    raises(function()
      raft.cluster { election_timeout = wrong[1], heartbeat_interval = wrong[2] }
    end, "heartbeat_interval", "below the shortest election time-out", "arguments_spec.lua")
  end
  for _, fine in ipairs { { { 0.03, 0.06 }, nil }, { math.huge, 5 }, { { 1, 2 }, 0.9 } } do
    clusters.with({ mode = "sim", election_timeout = fine[1], heartbeat_interval = fine[2] }, function(c)
      if fine[1] ~= math.huge then
        c:check_one_leader()
        local _, term = c:leader()
        c:sleep(5)
        lu.assertEquals(select(2, c:leader()), term) -- no election follows another
      end
    end)
  end
end

function tests.test_OptionsMustBeATable()
  for _, value in ipairs { 1, "three", true } do
    raises(function()
      raft.cluster(value)
    end, "options")
  end
end

function tests.test_NodesMayBeAListOfIds()
  clusters.with({ nodes = { 7, 3, 12 } }, function(c)
    lu.assertEquals(c:ids(), { 3, 7, 12 })
    c:check_one_leader()
  end)
end

-- ---- calls --------------------------------------------------------------------------------------

-- Each: the call, its arguments, a word that the error must have in it.
local wrong_calls = {
  { "sleep", { -1 }, "" }, { "sleep", { "x" }, "" }, { "sleep", { 0 / 0 }, "" }, { "sleep", {}, "" },
  { "wait_until", { 5 }, "predicate" }, { "wait_until", { print, "x" }, "timeout" },
  { "wait_until", { print, -1 }, "timeout" },
  { "wait_event", { { kind = 5 } }, "filter.kind" }, { "events", { { kind = { print } } }, "filter.kind" },
  { "on", { { kind = true }, print }, "filter.kind" },
  { "wait_event", { 5 }, "filter" }, { "wait_event", { { kind = "nonsense" } }, "nonsense" },
  { "step", { 0 }, "" }, { "step", { "x" }, "" },
  { "on", { { kind = "commit" } }, "f" }, { "on", { 5, print }, "filter" },
  { "wait_leader", { "x" }, "timeout" }, { "wait_leader", { 1, -1 }, "above" },
  { "campaign", { 1, { forced = true } }, "forced" }, { "campaign", { 1, { force = 1 } }, "force" },
  { "submit", { 1 }, "command" }, { "submit", { "one", 1 }, "id" }, { "submit", { 1.5, 1 }, "id" },
  { "submit", { 0, 1 }, "id" },
  { "propose", { 1, { nodes = 1 } }, "nodes" }, { "propose", { 1, { node = "x" } }, "node" },
  { "propose", { 1, { timeout = -1 } }, "timeout" }, { "propose", { 1, 5 }, "options" },
  { "set", { "k" }, "value" }, { "set", { nil, 1 }, "key" }, { "set", { "k", 1, { timout = 1 } }, "timout" },
  { "get", {}, "key" }, { "get", { "k", { read = "dirty" } }, "read" },
  { "get", { "k", { reads = "stale" } }, "reads" },
  { "delete", {}, "key" }, { "cas", { nil, 1, 2 }, "key" },
  { "query", { 1, { node = -1 } }, "node" },
  { "check_committed", {}, "command" }, { "check_committed", { 1, 0 }, "count" },
  { "check_committed", { 1, 1.5 }, "count" },
  { "check_committed", { 1, 1, "x" }, "timeout" }, { "check_not_committed", {}, "command" },
  { "commits", { "x" }, "id" }, { "check_live", { -1 }, "timeout" },
  { "partition", { 1 }, "" }, { "partition", { { 1, 2 }, { 2, 3 } }, "2" },
  { "set", { "k", 1, { read = "stale" } }, "read" },
  { "partition", { { "x" } }, "" },
  { "link", { 1, 2, { drop = 1.5 } }, "drop" }, { "link", { 1, 2, { dorp = 0.5 } }, "dorp" },
  { "link", { 1, 2, 3 }, "faults" },
  { "link", { 1, "mars", {} }, "to" }, { "link", { "everybody", 1, {} }, "from" },
  { "link", { 1, 2, { delay = { 0.2, 0.1 } } }, "delay" }, { "link", { 1, 2, { delay = 0 / 0 } }, "delay" },
  { "link", { 1, 2, { bandwidth = 0 } }, "bandwidth" }, { "link", { 1, 2, { cut = "yes" } }, "cut" },
  { "intercept", { 5 }, "f" },
  { "serve", { 1, 5 }, "f" }, { "call", { 1, 2 }, "value" }, { "call", { "x", 2, 1 }, "from" },
  { "call", { 1, 2, 3, -1 }, "timeout" },
  { "clock", { 1, { rate = 0 } }, "rate" }, { "clock", { 1, { rate = -1 } }, "rate" },
  { "clock", { 1, { speed = 2 } }, "speed" },
  { "clock", { 1, { offset = "x" } }, "offset" }, { "clock", { 1, 5 }, "" },
  { "clock", { 1, { rate = 0 / 0 } }, "rate" },
  { "restart", { 1, { wiped = true } }, "wiped" },
  { "add_servers", { 6 }, "" }, { "add_servers", { {} }, "" }, { "add_servers", { { "x" } }, "" },
  { "add_servers", { { 6, 6 } }, "6" }, { "add_servers", { { 6 }, { waits = false } }, "waits" },
  { "remove_servers", { {} }, "" }, { "remove_servers", { { 0 } }, "" },
  { "change_members", { { voters = {} } }, "voters" }, { "change_members", { { voter = { 1 } } }, "voter" },
  { "change_members", { {} }, "voters" }, { "change_members", { { voters = { 1 }, learners = { 1 } } }, "1" },
  { "members", { "x" }, "id" }, { "status", { "x" }, "id" }, { "log", { 1.5 }, "id" }, { "stats", { {} }, "id" },
  { "events", { 5 }, "filter" }, { "events", { { kind = "nonsense" } }, "nonsense" },
  { "note", { 5 }, "text" }, { "note", {}, "text" }, { "view", { "nonsense" }, "nonsense" },
  { "client", { 5 }, "f" }, { "client", { print, { sessions = true } }, "sessions" },
  { "random", { 0 }, "" }, { "random", { 2, 1 }, "" }, { "random", { "x" }, "" },
}

clusters.add(tests, "CallsNameTheArgument", { nodes = 3 }, function(c)
  c:check_one_leader()
  local hash = c:trace_hash()
  raises(function()
    c:partition(nil, { 1 })
  end, "group 1")
  for _, case in ipairs(wrong_calls) do
    local name, given, word = case[1], case[2], case[3]
    local shown = ("c:%s(%s)"):format(name, lu.prettystr(given))
    lu.assertIsFunction(c[name], shown)
    local unpack = table.unpack or unpack
    local ok, problem = pcall(c[name], c, unpack(given, 1, 4))
    lu.assertFalse(ok, shown .. " was taken")
    lu.assertStrContains(tostring(problem), word, nil, nil, shown)
    lu.assertStrContains(tostring(problem), "bad argument", nil, nil, shown)
  end
  lu.assertEquals(c:trace_hash(), hash) -- none was half applied
end)

clusters.add(tests, "IdsAreIntegersFrom1", { nodes = 3 }, function(c)
  for _, call in ipairs { "crash", "restart", "pause", "resume", "disconnect", "reconnect", "campaign", "status",
    "log",
    "commits", "members", "stats", "is_alive", "is_connected" } do
    for _, id in ipairs { 0, -1, 1.5, "x", true } do
      raises(function()
        c[call](c, id)
      end, "id")
    end
  end
end)

-- So that c:crash(c:leader()) works, though leader gives the term too.
clusters.add(tests, "CallsThatTakeOneIdIgnoreWhatFollows", { nodes = 3 }, function(c)
  c:check_one_leader()
  local leader = c:leader()
  c:disconnect(c:leader())
  lu.assertFalse(c:is_connected(leader))
  c:reconnect(leader, "and more")
  assert(c:wait_leader())
  leader = c:leader()
  c:crash(c:leader())
  lu.assertFalse(c:is_alive(leader))
end)

clusters.add(tests, "ANestingTooDeepBlamesTheArgument", { nodes = 1 }, function(c)
  for depth = 98, 103 do
    local deep = {}
    for _ = 2, depth do
      deep = { deep }
    end
    for word, call in pairs {
      ["bad argument 'value'"] = function() return c:set("k", deep) end,
      ["bad argument 'key'"] = function() return c:set(deep, 1) end,
      ["bad argument 'new'"] = function() return c:cas("absent", nil, deep) end,
    } do
      if depth < 100 then
        lu.assertTrue((pcall(call)), depth)
      else
        raises(call, word, "nested too deeply")
      end
    end
  end
end)

clusters.add(tests, "ErrorsPointAtTheCaller", { nodes = 1 }, function(c)
  raises(function()
    c:sleep("x")
  end, "arguments_spec.lua:")
  raises(function()
    raft.cluster { nonsense = true }
  end, "arguments_spec.lua:")
end)

-- ---- life ---------------------------------------------------------------------------------------

clusters.add(tests, "AClusterTellsItsState", { nodes = 3 }, function(c)
  lu.assertStrContains(tostring(c), "3 nodes")
  local leader, term = c:check_one_leader()
  lu.assertStrContains(tostring(c), "leader " .. leader)
  lu.assertStrContains(tostring(c), "term " .. term)
  c:shutdown()
  lu.assertStrContains(tostring(c), "closed")
end)

clusters.add(tests, "ShutdownTwiceIsFine", { nodes = 3 }, function(c)
  c:shutdown()
  c:shutdown()
end)

clusters.in_both(tests, "UseAfterShutdownIsAnError", { nodes = 3 }, function(c)
  c:check_one_leader()
  c:shutdown()
  for name, given in pairs {
    sleep = { 1 }, status = { 1 }, leader = {}, propose = { 1 }, crash = { 1 }, events = {}, ids = {}, now = {},
      get = { "k" },
  } do
    raises(function()
      c[name](c, (table.unpack or unpack)(given))
    end, "closed")
  end
end)

function tests.test_AClusterThatIsForgottenIsCollected()
  for _ = 1, 20 do
    local c = raft.cluster { mode = "sim", nodes = 3 }
    c:client(function()
      c:sleep(100)
    end)
    c:check_one_leader()
  end
  collectgarbage()
  collectgarbage()
end

function tests.test_SeedsAreBelow2To53()
  clusters.with({ mode = "sim", nodes = 1, seed = 2 ^ 53 - 1 }, function(c)
    c:check_one_leader()
  end)
  clusters.with({ mode = "sim", nodes = 1, seed = 0 }, function(c)
    c:check_one_leader()
  end)
end

return tests
