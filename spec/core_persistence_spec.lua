-- The core's rules of durability: what leaves only once the disk has it. On bare replicas.
local lu = require "luaunit"
local core = require("raft").core
local replicas = require "spec.support.replicas"

local tests = {}
local log = replicas.log
local MS = replicas.MS

local function append(from, to, term, prev_index, prev_term, entries, commit)
  return { kind = "append", from = from, to = to, term = term, prev_index = prev_index, prev_term = prev_term,
    entries = entries, commit = commit or 0 }
end

function tests.test_AFollowerAnswersOnlyOnceItsEntriesAreDurable()
  local net = replicas.new(3, replicas.still)
  net:slow(2)
  local update = net:receive(append(1, 2, 1, 0, 0, log { 1, 1 }))
  lu.assertEquals({ update.persist.first_index, update.persist.last_index }, { 1, 2 })
  lu.assertTrue(update.persist.hard_state) -- the term it has learnt goes with them
  lu.assertEquals(update.persist.term, 1)
  lu.assertEquals(#net:under_way("append_response", 2), 0)
  net:persisted(2)
  local answers = net:under_way("append_response", 2)
  lu.assertEquals(#answers, 1)
  lu.assertEquals(answers[1].index, 2)
end

function tests.test_ATermThatIsLearntIsStored()
  local net = replicas.new(3, replicas.still, { [2] = { term = 1, log = log { 1 } } })
  local update = net:receive(append(1, 2, 5, 1, 1, {}))
  lu.assertTrue(update.persist.hard_state)
  lu.assertEquals({ update.persist.term, update.persist.vote }, { 5, 0 })
end

-- The leader writes its own log in parallel, and counts itself only once that is done.
function tests.test_ALeaderCountsItselfOnlyOnceItIsDurable()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  net:slow(1)
  local index = net:submit(1, "x").index
  net:flush()
  lu.assertTrue(#net:under_way("append", 1, 2) > 0) -- it is sent at once
  net:receive(net:take("append", 1, 2)[1])
  net:receive(net:take("append_response", 2)[1])
  lu.assertTrue(net:status(1).commit_index < index)
  net:persisted(1)
  lu.assertEquals(net:status(1).commit_index, index)
end

function tests.test_TwoFollowersCommitWithoutTheLeadersDisk()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  net:slow(1)
  local index = net:submit(1, "x").index
  net:settle()
  lu.assertEquals(net:status(1).commit_index, index)
  lu.assertEquals(#net:applied(1), index - 1) -- committed, and not yet its own
  net:persisted(1)
  lu.assertEquals(#net:applied(1), index)
end

function tests.test_AFollowerAppliesOnlyWhatIsDurable()
  local net = replicas.new(3, replicas.still)
  net:slow(2)
  net:receive(append(1, 2, 1, 0, 0, log { 1, 1 }, 2))
  lu.assertEquals(#net:applied(2), 0)
  net:persisted(2)
  lu.assertEquals(#net:applied(2), 2)
end

function tests.test_NothingIsAppliedTwiceOrSkipped()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  for i = 1, 50 do
    net:submit(1, i)
    if i % 7 == 0 then
      net:settle()
    end
  end
  net:settle() -- Net:step asserts the order
  for id = 1, 3 do
    lu.assertEquals(#net:applied(id), 51)
  end
end

-- A late "persisted" of an older term must not count for entries that replaced what it was about.
function tests.test_AsyncAppendAba()
  local net = replicas.new(7, replicas.still, { [2] = { term = 1, log = log { 1 } } })
  net:slow(2)
  -- The leader of term 2 sends three entries; they are handed to the disk as the first persist ...
  local first = net:receive(append(1, 2, 2, 1, 1, { { term = 2, command = "a" }, { term = 2, command = "b" },
    { term = 2, command = "c" } })).persist.sequence
  -- ... then that of term 3 replaces them by one, and that of term 4 by three others.
  local second = net:receive(append(3, 2, 3, 1, 1, { { term = 3, command = "d" } })).persist.sequence
  local third = net:receive(append(4, 2, 4, 1, 1, { { term = 4, command = "e" }, { term = 4, command = "f" },
    { term = 4, command = "g" } }, 4)).persist.sequence
  lu.assertTrue(first < second and second < third)
  net:persisted(2, first)
  lu.assertEquals(net:status(2).durable_index, 1) -- none of what the log holds now
  net:persisted(2, second)
  lu.assertEquals(net:status(2).durable_index, 1)
  lu.assertEquals(#net:applied(2) <= 1, true)
  for _, message in ipairs(net:under_way("append_response", 2, 4)) do
    lu.assertTrue(message.index <= 1)
  end
  net:persisted(2, third)
  lu.assertEquals(net:status(2).durable_index, 4)
  lu.assertEquals(net:applied(2)[4].command, "g")
end

function tests.test_PersistsRiseByOne()
  local net = replicas.new(3, replicas.still)
  local last = 0
  for i = 1, 5 do
    local update = net:receive(append(1, 2, 1, i - 1, i > 1 and 1 or 0, { { term = 1, command = i } }))
    lu.assertEquals(update.persist.sequence, last + 1)
    last = update.persist.sequence
  end
end

function tests.test_WhatADiskHeldIsThereAgain()
  local replica = core.replica { id = 1, voters = { 1, 2, 3 }, term = 5, vote = 2, log = log { 1, 1, 4 } }
  local status = replica:status()
  lu.assertEquals({ status.term, status.vote, status.last_index, status.last_term, status.role },
    { 5, 2, 3, 4, "follower" })
  lu.assertEquals(status.durable_index, 3)
  lu.assertEquals(status.commit_index, 0) -- what is committed is learnt anew
end

-- ---- copies and hashes --------------------------------------------------------------------------

function tests.test_ACopyIsEqualAndApart()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  net:submit(1, "x")
  net:settle()
  local copy = net:copy()
  lu.assertEquals(copy:hash(1), net:hash(1))
  copy:submit(1, "only here")
  lu.assertNotEquals(copy:hash(1), net:hash(1))
  lu.assertEquals(copy:status(1).last_index, net:status(1).last_index + 1)
end

function tests.test_AHashCoversStateAndPayloadsButNotTime()
  local function replica(options)
    local all = { id = 1, voters = { 1, 2, 3 }, term = 2, log = log { 1, 2 } }
    for key, value in pairs(options) do
      all[key] = value
    end
    return core.replica(all)
  end
  local plain = replica({}):hash()
  lu.assertEquals(replica({ now_ns = 12345, seed = 99 }):hash(), plain)
  lu.assertNotEquals(replica({ term = 3 }):hash(), plain)
  lu.assertNotEquals(replica({ vote = 2 }):hash(), plain)
  lu.assertNotEquals(replica({ log = log { 1 } }):hash(), plain)
  lu.assertNotEquals(replica({ log = { { term = 1, command = "1 in 1" }, { term = 2, command = "other" } } }):hash(),
    plain)
end

-- ---- a disk that hangs --------------------------------------------------------------------------

-- With an entry that its own disk never confirms. Two more servers, or two that are as slow.
local function hang(slow_ids, options)
  local net = replicas.new(3, options)
  net:elect(1)
  for _, id in ipairs(slow_ids) do
    net:slow(id)
  end
  net:submit(1, "x")
  net:flush()
  net:settle()
  return net
end

function tests.test_ALeaderWhoseDiskHangsGivesItsLeadershipUp()
  local net = hang { 1 }
  local term = net:status(1).term
  net:run(250 * MS)
  lu.assertEquals(net:status(1).role, "leader") -- it may be a slow one
  net:run(1500 * MS)
  local next_leader = net:status(2).role == "leader" and 2 or 3
  lu.assertEquals(net:status(next_leader).role, "leader")
  lu.assertTrue(net:status(next_leader).term > term)
  lu.assertEquals(net:status(1).role, "follower")
  net:persisted(1)
  net:settle()
  net:run(100 * MS)
  net:persisted(1)
  lu.assertEquals(net:status(1).commit_index, net:status(next_leader).commit_index)
end

function tests.test_ALeaderStaysWhereAllDisksAreAsSlow()
  local net = hang { 1, 2, 3 }
  net:run(2000 * MS)
  lu.assertEquals(net:status(1).role, "leader")
end

function tests.test_WithoutCheckQuorumALeaderWhoseDiskHangsStays()
  local net = hang({ 1 }, { check_quorum = false })
  net:run(2000 * MS)
  lu.assertEquals(net:status(1).role, "leader")
end

function tests.test_WhoseDiskHangsDoesNotCampaign()
  local net = hang { 2, 3 }
  net:run(400 * MS)
  net:isolate(1)
  net:run(3000 * MS)
  lu.assertEquals({ net:status(2).role, net:status(3).role }, { "follower", "follower" })
  for id = 2, 3 do
    net.cores:set_slow(id, false)
    net:persisted(id)
  end
  net:run(1000 * MS)
  lu.assertTrue(net:status(2).role == "leader" or net:status(3).role == "leader")
end

function tests.test_WrongOptionsAreRefusedInWords()
  for field, value in pairs {
    id = 0, election_timeout_min_ns = 0, election_timeout_max_ns = 1, heartbeat_interval_ns = 0, window = 0,
  } do
    local ok, problem = pcall(core.replica, { id = field == "id" and value or 1, voters = { 1 }, [field] = value })
    lu.assertFalse(ok, field)
    lu.assertStrContains(problem, "options")
  end
end

return tests
