-- Hard scenarios of logs: how they are brought together, and what may count as committed.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local replicas = require "spec.support.replicas"
local scenarios = require "spec.support.scenarios"

local tests = {}
local vary = scenarios.vary

local function tell(name, variants, run)
  scenarios.tell(tests, name, variants, run)
end

-- Stands for election, again where the term is one in which others have voted already, until it leads.
local function make_leader(c, id)
  for _ = 1, 5 do
    c:campaign(id, { force = true })
    local fine = c:wait_until(function()
      return c:status(id).role ~= "candidate"
    end, 0.5)
    if fine and c:status(id).role == "leader" then
      return c:status(id).term
    end
  end
  lu.fail("node " .. id .. " was not elected")
end

local function terms_of(c, id)
  local terms = {}
  for index, entry in ipairs(c:log(id)) do
    terms[index] = entry.term
  end
  return terms
end

-- ---- figure7_catch_up ---------------------------------------------------------------------------------

-- The leader of term 8 is node 1; the followers' logs are (a) to (f) of the Raft paper's figure 7.
local figure7 = {
  { 1, 1, 1, 4, 4, 5, 5, 6, 6, 6 },
  { 1, 1, 1, 4, 4, 5, 5, 6, 6 },
  { 1, 1, 1, 4 },
  { 1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6 },
  { 1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7 },
  { 1, 1, 1, 4, 4, 4, 4 },
  { 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3 },
}
-- How often each is probed in vain: its answer says where its log can match at most.
local figure7_refusals = { 0, 1, 1, 0, 0, 1, 1 }

local function disks(logs, term)
  local state = {}
  for id, log in ipairs(logs) do
    state[id] = { term = term, log = log }
  end
  return state
end

tell("figure7_catch_up", {
  nodes = 7, election_timeout = math.huge, state = disks(figure7, 7),
}, function(c)
  clusters.wait_connected(c)
  local refused = {}
  c:intercept(function(message)
    if message.kind == "append_response" and message.reject then
      refused[message.from] = refused[message.from] or {}
      refused[message.from][message.index] = true
    end
  end)
  lu.assertEquals(make_leader(c, 1), 8)
  clusters.wait_level(c)
  local expected = clusters.merge(figure7[1])
  expected[#expected + 1] = 8
  for id = 1, 7 do
    lu.assertEquals(terms_of(c, id), expected)
    local count = 0
    for _ in pairs(refused[id] or {}) do
      count = count + 1
    end
    lu.assertEquals(count, figure7_refusals[id], "refusals of node " .. id)
  end
end)

-- The same logs, and whoever wins: all end up with the winner's.
tell("figure7_any_leader", vary {
  nodes = { 7 }, state = { disks(figure7, 7) }, pre_vote = { true, false }, check_quorum = { true, false },
  window = { 1, 64 }, max_entries = { 1, 100 },
}, function(c)
  local leader = assert(c:wait_leader())
  clusters.assert_one_of(leader, { 1, 2, 4, 5 }) -- another's log is not as good as a majority's
  assert(c:propose("lives"))
  lu.assertEquals(c:check_committed("lives", 7), 7)
  clusters.wait_level(c)
  for id = 1, 7 do
    lu.assertEquals(terms_of(c, id), terms_of(c, leader))
  end
end)

-- ---- figure8_own_term_commit ----------------------------------------------------------------------------

-- The figure's (c): node 1, leader once more, has brought its entry of term 2 to a majority, but nothing of its own.
local function figure8_majority(c)
  clusters.wait_connected(c)
  c:intercept(function(message)
    local last_index = c:status(message.to).last_index or 0
    for _, entry in ipairs(message.entries) do
      if entry.term == 4 and last_index >= message.prev_index then
        return "drop"
      end
    end
  end)
  c:crash(5)
  c:disconnect(4)
  lu.assertEquals(make_leader(c, 1), 4)
  assert(c:wait_until(function()
    return c:status(3).last_index == 2
  end))
  c:sleep(0.3) -- some heartbeats
  for id = 1, 3 do
    lu.assertEquals(c:log(id)[2].command, "two")
  end
  for id = 1, 4 do
    lu.assertEquals(c:status(id).commit, 0)
  end
  c:check_not_committed("two")
end

local figure8 = {
  nodes = 5, election_timeout = math.huge, max_entries = 1, pre_vote = false, check_quorum = false,
  state = {
    { term = 3, log = { { 1, "one" }, { 2, "two" } } },
    { term = 2, log = { { 1, "one" }, { 2, "two" } } },
    { term = 3, log = { { 1, "one" } } },
    { term = 3, log = { { 1, "one" } } },
    { term = 3, log = { { 1, "one" }, { 3, "three" } } },
  },
}

-- (d): node 1 fails, node 5 is elected and replaces the entry of term 2 on the majority: it was not committed.
tell("figure8_own_term_commit_replaced", figure8, function(c)
  figure8_majority(c)
  c:crash(1)
  c:intercept(nil)
  c:heal()
  assert(c:restart(5))
  c:sleep(0.1)
  lu.assertTrue(make_leader(c, 5) > 4)
  assert(c:restart(1))
  lu.assertEquals(c:check_committed("three", 5), 5)
  c:check_not_committed("two")
end)

-- (e): an entry of its own term reaches a majority too: both are committed, and node 5 cannot win any more.
tell("figure8_own_term_commit_kept", figure8, function(c)
  figure8_majority(c)
  c:intercept(nil)
  c:heal()
  lu.assertEquals(c:check_committed("two", 4), 4)
  c:disconnect(1) -- it would tell node 5 at once
  assert(c:restart(5))
  c:sleep(0.1)
  c:campaign(5, { force = true })
  c:sleep(0.3)
  lu.assertNotEquals(c:status(5).role, "leader")
  lu.assertTrue(make_leader(c, 2) > 4)
  lu.assertEquals(c:check_committed("two", 4), 4)
  c:check_not_committed("three")
end)

-- ---- inflight_all_lost -----------------------------------------------------------------------------------

-- The window fills, and all that is in it is lost while heartbeats pass; then the network heals: everything arrives
-- soon, without a storm of messages and without an election (etcd-io/raft e419ba5, 1ee3589, 85e68cf).
tell("inflight_all_lost", vary { nodes = { 3, 5 }, window = { 1, 4, 64 }, max_entries = { 1 } }, function(c, options)
  assert(c:propose("before"))
  clusters.wait_level(c)
  local leader, term = c:check_one_leader()
  local count, lost = 200, 0
  c:intercept(function(message)
    if message.kind == "append" and #message.entries > 0 then
      lost = lost + 1
      return "drop"
    end
  end)
  local before_s = c:now()
  for number = 1, count do
    assert(c:submit(leader, number))
  end
  c:sleep(0.4)
  local rounds = (c:now() - before_s) / 0.05 + 1
  lu.assertTrue(lost > 0)
  lu.assertTrue(lost <= (options.nodes - 1) * (options.window + rounds), lost .. " messages into the void")

  c:intercept(nil)
  lu.assertEquals(c:check_committed(count, options.nodes, options.mode == "sim" and 3 or 10), options.nodes)
  lu.assertEquals({ c:check_one_leader() }, { leader, term })
end)

-- Refusals that come again when they have long been overtaken.
tell("inflight_late_refusals", {
  nodes = 3, election_timeout = math.huge, window = 4, max_entries = 1,
  state = { { term = 3, log = { 1, 1, 2, 2, 3 } }, { term = 3, log = { 1, 1, 2, 2, 3 } }, { term = 2, log = { 1 } } },
}, function(c)
  clusters.wait_connected(c)
  c:intercept(function(message)
    return message.kind == "append_response" and message.reject and message.from == 3 and "hold" or nil
  end)
  make_leader(c, 1)
  assert(c:wait_until(function()
    return #c:held() > 0
  end, 2, "a refusal"))
  local refusal = c:held()[1]
  refusal:deliver()
  c:intercept(nil)
  for number = 1, 20 do
    assert(c:submit(1, number))
  end
  lu.assertEquals(c:check_committed(20, 3), 3)
  assert(c:wait_until(function()
    return c:status(1).peers[3].match == c:status(1).last_index
  end))

  local sent, before = 0, c:status(1).peers[3]
  c:intercept(function(message)
    sent = sent + (message.to == 3 and #message.entries or 0)
  end)
  for _ = 1, 3 do
    refusal:deliver()
    c:sleep(0.02)
  end
  lu.assertEquals(sent, 0)
  lu.assertEquals(c:status(1).peers[3], before)
end)

-- ---- what was given up ------------------------------------------------------------------------------------

-- A deposed leader's proposals stood further on than the next leader ever wrote: the next one's first entry ends the
-- wait for all of them, and not only for the one in whose place it is.
tell("superseded_though_nothing_more_is_written", {
  nodes = 3, election_timeout = math.huge, pre_vote = false, check_quorum = false,
}, function(c)
  clusters.wait_connected(c)
  make_leader(c, 1)
  assert(c:propose("settled"))
  clusters.wait_level(c)
  c:disconnect(1)
  local waiting = {}
  for number = 1, 5 do
    waiting[number] = c:client(function()
      return c:propose(number, { node = 1 })
    end)
  end
  c:sleep(0.05)
  make_leader(c, 2)
  c:heal()
  for number = 1, 5 do
    clusters.assert_refused("superseded", waiting[number]:wait(3))
  end
end)

-- ---- async_append_aba ----------------------------------------------------------------------------------------

-- Seven nodes, three leaders, and a slow disk: what it says of an older leader's entries must not count for those that
-- stand in their place. Bare cores, because the disk's answers come one by one.
local function submit_up_to(net, id, last)
  for number = net:status(id).last_index + 1, last do
    net:submit(id, ("%d of %d"):format(number, id))
  end
  net:run(200 * replicas.MS) -- heartbeats too, so that what waits for an answer is sent on
end

function tests.test_async_append_aba_sim()
  local net = replicas.new(7, replicas.still)
  net:elect(1)
  -- The first leader reaches only node 7, whose disk is asked to write entries up to 12.
  net:slow(7)
  for id = 2, 6 do
    net:cut(1, id)
  end
  submit_up_to(net, 1, 12)
  local first = net.nodes[7].asked
  lu.assertEquals(net:status(7).last_index, 12)
  lu.assertEquals(net:status(7).durable_index, 1)

  -- The second replaces them by fewer, and writes more with the others.
  net:isolate(1)
  net:elect(2)
  lu.assertEquals(net:status(7).last_index, 2)
  net:cut(2, 7)
  submit_up_to(net, 2, 11)

  -- The third gets as far as 12 again, and has two more with it: with node 7's disk they are a majority.
  net:campaign(4, true)
  while net:status(4).role ~= "leader" do
    net:deliver()
  end
  net:isolate(2)
  net:isolate(3)
  submit_up_to(net, 4, 12)
  lu.assertEquals(net:log(7)[12].term, net:status(4).term)
  lu.assertEquals(net:status(6).durable_index, 12)
  lu.assertEquals(net:status(4).commit_index, 11)

  net:persisted(7, first) -- "persisted up to 12", says the disk: those of the first leader
  net:settle()
  lu.assertTrue(net:status(7).durable_index < 12)
  lu.assertEquals(net:status(4).commit_index, 11)
  net:persisted(7)
  net:settle()
  lu.assertEquals(net:status(7).durable_index, 12)
  lu.assertEquals(net:status(4).commit_index, 12)
end

return tests
