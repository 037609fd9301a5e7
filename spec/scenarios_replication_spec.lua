-- Hard scenarios of logs: how they are brought together, and what may count as committed.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local scenarios = require "spec.support.scenarios"

local tests = {}
local vary, make_leader, terms_of = scenarios.vary, scenarios.make_leader, scenarios.terms_of

local function tell(name, variants, run)
  scenarios.tell(tests, name, variants, run)
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

-- Gives a function that tells at how many indexes a node has refused entries so far.
local function count_refusals(c)
  local refused = {}
  c:intercept(function(message)
    if message.kind == "append_response" and message.reject then
      refused[message.from] = refused[message.from] or {}
      refused[message.from][message.index] = true
    end
  end)
  return function(id)
    local count = 0
    for _ in pairs(refused[id] or {}) do
      count = count + 1
    end
    return count
  end
end

tell("figure7_catch_up", {
  nodes = 7, election_timeout = math.huge, state = disks(figure7, 7),
}, function(c)
  clusters.wait_connected(c)
  local refused = count_refusals(c)
  lu.assertEquals(make_leader(c, 1), 8)
  clusters.wait_level(c)
  local expected = clusters.merge(figure7[1])
  expected[#expected + 1] = 8
  for id = 1, 7 do
    lu.assertEquals(terms_of(c, id), expected)
    lu.assertEquals(refused(id), figure7_refusals[id], "refusals of node " .. id)
  end
end)

-- Where the follower's terms are the later ones, it must be the follower that skips them, in one answer: a deposed
-- leader of term 3 against a majority that went on with an older log.
tell("figure7_catch_up_later_terms", {
  nodes = 3, election_timeout = math.huge, state = disks({
    { 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 5 },
    { 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 5 },
    { 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3 },
  }, 7),
}, function(c)
  clusters.wait_connected(c)
  local refused = count_refusals(c)
  make_leader(c, 1)
  clusters.wait_level(c)
  lu.assertEquals(terms_of(c, 3), terms_of(c, 1))
  lu.assertEquals(refused(3), 2)
end)

-- The same logs, and whoever wins: all end up with the winner's.
tell("figure7_any_leader", vary {
  nodes = { 7 }, state = { disks(figure7, 7) }, pre_vote = { true, false }, check_quorum = { true, false },
  window = { 1, 64 }, max_entries = { 1, 100 },
}, function(c)
  local leader = assert(c:wait_leader())
  -- Another's log is not as good as a majority's; but the first to lead may be deposed before it is agreed, by one that
  -- it has brought up to its own.
  local first = c:events(function(event)
    return event.kind == "role" and event.role == "leader"
  end)[1]
  clusters.assert_one_of(first.node, { 1, 2, 4, 5 })
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

-- (e): an entry of its own term reaches a majority too: both are committed, and node 5 can no longer win.
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

local COUNT = 200 -- commands, more than any window takes

-- Until the leader knows that all others have all of its log.
local function wait_matched(c, leader)
  assert(c:wait_until(function()
    local status = c:status(leader)
    for _, id in ipairs(clusters.others(c, leader)) do
      if status.peers[id].match < status.last_index or status.peers[id].inflight > 0 then
        return false
      end
    end
    return true
  end, nil, "all to have the leader's log"))
end

-- Submits them all at once; gives how many messages to a follower are then in flight.
local function fill_window(c, leader)
  for number = 1, COUNT do
    assert(c:submit(leader, number))
  end
  return assert(c:wait_until(function()
    local inflight = c:status(leader).peers[clusters.next_id(c, leader)].inflight
    return inflight > 0 and inflight
  end, nil, "entries in flight"))
end

-- The window fills, by messages or by bytes, and all that is in it is lost; then the network heals: everything arrives
-- soon, without a storm of messages and without an election, and the window is as wide as before (etcd-io/raft e419ba5,
-- 1ee3589, 85e68cf).
local function all_lost(is_lost)
  return function(c, options)
    clusters.wait_connected(c)
    if options.election_timeout then
      make_leader(c, 1)
    end
    assert(c:propose("before"))
    clusters.wait_level(c)
    local leader, term = c:check_one_leader()
    wait_matched(c, leader)
    local sent = 0
    c:intercept(function(message)
      sent = sent + (message.kind == "append" and #message.entries > 0 and 1 or 0)
      return is_lost(message) and "drop" or nil
    end)
    local before_s = c:now()
    local inflight = fill_window(c, leader)
    c:sleep(0.4)
    local rounds = (c:now() - before_s) / 0.05 + 1
    lu.assertTrue(sent > 0)
    lu.assertTrue(sent <= (options.nodes - 1) * (options.window + rounds), sent .. " messages into the void")

    c:intercept(nil)
    lu.assertEquals(c:check_committed(COUNT, options.nodes, options.mode == "sim" and 3 or 10), options.nodes)
    wait_matched(c, leader)
    lu.assertEquals(fill_window(c, leader), inflight)
    clusters.wait_level(c)
    lu.assertEquals({ c:check_one_leader() }, { leader, term })
  end
end

-- What carries entries is lost, and heartbeats pass.
tell("inflight_all_lost", scenarios.join(
  vary { nodes = { 3, 5 }, window = { 1, 4, 64 }, max_entries = { 1 } },
  vary { nodes = { 3, 5 }, window = { 64 }, max_entries = { 1 }, max_inflight = { 1, 20 } }
), all_lost(function(message)
  return message.kind == "append" and #message.entries > 0
end))

-- Everything arrives, and no answer comes back; or nothing passes either way. Nobody stands for election meanwhile.
local silent = vary {
  nodes = { 3, 5 }, window = { 1, 64 }, max_entries = { 1, 100 }, election_timeout = { math.huge },
}

tell("inflight_all_lost_answers", silent, all_lost(function(message)
  return message.kind == "append_response"
end))

tell("inflight_all_lost_both_ways", silent, all_lost(function()
  return true
end))

-- Refusals that come again when they have long been overtaken: while nothing is under way, and while a whole window is.
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
  wait_matched(c, 1)

  -- Entries still go to node 3, but nothing comes back from it.
  local sent = 0
  local function repeat_refusal()
    local before, received = c:status(1).peers[3], 0
    local off = c:on({ kind = "receive", node = 1, message = "append_response", peer = 3 }, function()
      received = received + 1
    end)
    for _ = 1, 3 do
      refusal:deliver()
    end
    assert(c:wait_until(function()
      return received == 3
    end))
    off()
    lu.assertEquals(c:status(1).peers[3], before)
  end
  c:intercept(function(message)
    sent = sent + (message.to == 3 and #message.entries or 0)
    return message.from == 3 and "drop" or nil
  end)
  repeat_refusal()
  lu.assertEquals(sent, 0)
  for number = 21, 30 do
    assert(c:submit(1, number))
  end
  assert(c:wait_until(function()
    return c:status(1).peers[3].inflight == 4
  end))
  repeat_refusal()
  lu.assertEquals(sent, 4)
  c:intercept(nil)
  lu.assertEquals(c:check_committed(30, 3), 3)
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
    clusters.assert_refused("superseded", clusters.result(waiting[number], 3))
  end
end)

return tests
