-- Hard scenarios of disks that take their time: what they say late, or not at all.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local replicas = require "spec.support.replicas"
local scenarios = require "spec.support.scenarios"

local tests = {}
local make_leader, terms_of = scenarios.make_leader, scenarios.terms_of

-- ---- async_append_aba ------------------------------------------------------------------------

-- Seven nodes, three leaders, and disks that take their time: "persisted up to 12", said of an older leader's entries,
-- must not count for those that stand in their place. No time passes on the network, so that all three leaders'
-- entries reach node 7 while its disk is still busy with the first one's. (Over TCP the disks in memory take no time.)
local aba = {
  nodes = 7, election_timeout = math.huge, pre_vote = false, check_quorum = false, link = { delay = 0 },
  name = "async_append_aba", mode = "sim",
}

-- The network of the scenario: only those in the same group hear each other, and what is sent to node 7 with entries
-- is held.
local function aba_groups(c, ...)
  local group_of = {}
  for group, ids in ipairs { ... } do
    for _, id in ipairs(ids) do
      group_of[id] = group
    end
  end
  c:intercept(nil)
  c:intercept(function(message)
    if message.to == 7 and message.kind == "append" and #message.entries > 0 then
      return "hold"
    end
    return group_of[message.from] ~= group_of[message.to] and "drop" or nil
  end)
end

local function submit_up_to(c, id, last)
  for number = c:status(id).last_index + 1, last do
    assert(c:submit(id, ("%d of %d"):format(number, id)))
  end
end

-- The held messages of this node, which are as many as said.
local function held_of(c, from, count)
  local list = {}
  for _, message in ipairs(c:held()) do
    list[#list + 1] = message.from == from and message or nil
  end
  lu.assertEquals(#list, count, "messages of node " .. from .. " that are held")
  return list
end

-- Brings the seven there: gives the held messages of the three leaders, oldest first. Nodes 4 to 6 have the third
-- leader's 12 entries on their disks, and with node 7's they are a majority.
local function aba_three_leaders(c)
  make_leader(c, 1)
  clusters.wait_level(c)
  aba_groups(c, { 1 }, { 2, 3, 4, 5, 6 }, { 7 })
  for _, last in ipairs { 2, 12 } do
    submit_up_to(c, 1, last)
    c:sleep(0.01)
  end
  local first = held_of(c, 1, 2)
  make_leader(c, 2)
  local second = held_of(c, 2, 1)
  submit_up_to(c, 2, 11)
  c:sleep(0.2)
  lu.assertEquals(c:status(2).commit, 11)
  make_leader(c, 4) -- at this moment its first entry has reached the others, but no answer has left
  aba_groups(c, { 1 }, { 2 }, { 3 }, { 4, 5, 6 }, { 7 })
  c:sleep(0.01)
  lu.assertEquals(c:status(6).last_index, 12)
  return { first[1], first[2], second[1], held_of(c, 4, 1)[1] }
end

-- Node 7 reads a message once more.
local function repeat_message(c, message)
  local read = false
  local off = c:on({ kind = "receive", node = 7, peer = 4, message = "append" }, function()
    read = true
  end)
  message:deliver()
  assert(c:wait_until(function()
    return read
  end))
  off()
end

-- What node 7's disk has done and what node 4 believes of it, from now on, in order.
local function watch_disk(c)
  local seen = {}
  c:on({ kind = "sync", node = 7 }, function(event)
    seen[#seen + 1] = event.first and ("entries %d to %d"):format(event.first, event.last) or "term " .. event.term
  end)
  c:on({ kind = "match", node = 4, peer = 7 }, function(event)
    seen[#seen + 1] = "counts for " .. event.index
  end)
  return seen
end

-- Delivers the first one, and the others a moment later. The disk is busy with the first of all, and does together
-- what came next: as many entries of the first leader, what the second has put in their place, and the third's term.
-- Only then the third's entries arrive, and again when the disk is done with that: they are in the log, but not on the
-- disk. Gives what is seen of it.
local function aba_deliver(c, messages)
  local seen = watch_disk(c)
  local function wait_seen(count)
    assert(c:wait_until(function()
      return #seen >= count
    end))
  end
  aba_groups(c, { 1 }, { 2 }, { 3 }, { 4, 5, 6, 7 })
  for _, message in ipairs(messages) do
    message:deliver()
    c:sleep(1e-6)
  end
  wait_seen(1)
  lu.assertEquals(seen, { "entries 2 to 2" })
  local whole = held_of(c, 4, 1)[1] -- the last one was refused: node 7 lacks what is before
  lu.assertEquals(#whole.entries, 10)
  whole:deliver()
  wait_seen(4)
  lu.assertEquals(seen, { "entries 2 to 2", "entries 3 to 12", "entries 2 to 2", "term 3" })
  repeat_message(c, whole)
  return seen
end

local function aba_story(finish)
  return function()
    clusters.over_seeds(aba, function(c)
      local seen = aba_deliver(c, aba_three_leaders(c))
      lu.assertEquals(terms_of(c, 7), terms_of(c, 4))
      finish(c, seen)
      c:intercept(nil)
      c:check_live()
      clusters.wait_level(c)
      lu.assertEquals(terms_of(c, 7)[12], 3)
    end)
  end
end

-- Node 7 counts when the third leader's entries are on its disk, and not when as many of the first one's were.
tests.test_async_append_aba_sim = aba_story(function(c, seen)
  assert(c:wait_until(function()
    return c:status(4).commit == 12
  end))
  lu.assertEquals({ seen[5], seen[6], seen[7] }, { "entries 3 to 12", "counts for 12" })
end)

-- Its power goes before they are: what it had not on disk was not committed.
tests.test_async_append_aba_power_cut_sim = aba_story(function(c, seen)
  c:crash(7)
  c:sleep(0.2)
  lu.assertEquals(#seen, 4)
  lu.assertEquals(c:status(4).commit, 11)
  assert(c:restart(7))
end)

-- The same with bare cores, where the disk's answers come one by one.
local function cores_up_to(net, id, last)
  for number = net:status(id).last_index + 1, last do
    net:submit(id, ("%d of %d"):format(number, id))
  end
  net:run(200 * replicas.MS) -- heartbeats too, so that what waits for an answer is sent on
end

function tests.test_async_append_aba_cores()
  local net = replicas.new(7, replicas.still)
  net:elect(1)
  -- The first leader reaches only node 7, whose disk is asked to write entries up to 12.
  net:slow(7)
  for id = 2, 6 do
    net:cut(1, id)
  end
  cores_up_to(net, 1, 12)
  local first = net:asked(7)
  lu.assertEquals(net:status(7).last_index, 12)
  lu.assertEquals(net:status(7).durable_index, 1)

  -- The second replaces them by fewer, and writes more with the others.
  net:isolate(1)
  net:elect(2)
  lu.assertEquals(net:status(7).last_index, 2)
  net:cut(2, 7)
  cores_up_to(net, 2, 11)

  -- The third gets as far as 12 again, and has two more with it: with node 7's disk they are a majority.
  net:campaign(4, true)
  while net:status(4).role ~= "leader" do
    net:deliver()
  end
  net:isolate(2)
  net:isolate(3)
  cores_up_to(net, 4, 12)
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

-- ---- stalled_disk_leader ---------------------------------------------------------------------

-- The leader's heartbeats go on but its disk hangs: it can apply nothing, so it gives its leadership up, and does not
-- stand again before its disk goes on. (hashicorp/raft #503, etcd #7617)
clusters.in_both(tests, "stalled_disk_leader", { nodes = 3, name = "stalled_disk_leader" }, function(c)
  local leader, term = c:wait_leader()
  assert(c:set("before", 1))
  assert(c:disk(leader, { stall = true }))
  local index = assert(c:submit(leader, "under way"))
  local other = c:wait_leader(10, term)
  lu.assertNotEquals(other, leader)
  assert(c:set("after", 2))
  lu.assertEquals(c:get("before"), 1)
  lu.assertEquals(select(2, c:check_committed("under way", 2)), index)
  local led = {}
  c:on({ kind = "role", node = leader, role = "leader" }, function()
    led[#led + 1] = true
  end)
  c:sleep(2)
  lu.assertEquals(led, {})
  assert(c:disk(leader))
  c:check_live()
  lu.assertEquals(c:status(leader, "commit"), c:status(other, "commit"))
end)

-- Where all disks hang nobody would do better: the leader stays, and all goes on when they do.
clusters.in_both(tests, "stalled_disks_of_all", { nodes = 3, name = "stalled_disks_of_all" }, function(c)
  local leader, term = c:wait_leader()
  assert(c:disk("all", { stall = true }))
  assert(c:submit(leader, "under way"))
  c:sleep(2)
  assert(c:disk "all")
  c:check_committed("under way", 3)
  lu.assertEquals({ c:wait_leader() }, { leader, term })
end)

return tests
