-- The core's rules of membership: joint consensus (paper, section 6), on bare replicas.
local lu = require "luaunit"
local replicas = require "spec.support.replicas"

local tests = {}
local MS = replicas.MS

local function still(more)
  local options = {}
  for key, value in pairs(replicas.still) do
    options[key] = value
  end
  for key, value in pairs(more or {}) do
    options[key] = value
  end
  return options
end

-- Voters 1..3 of which 1 leads, and servers 4.. that wait to be added.
local function three_and(count)
  local net = replicas.new(3, still())
  local ids = { 1, 2, 3 }
  for id = 4, 3 + count do
    net:add(id, still { voters = {} })
    ids[id] = id
  end
  net.ids = ids
  net:elect(1)
  return net
end

local function response(net, from, index)
  net:receive({ kind = "append_response", from = from, to = 1, term = net:status(1).term, index = index })
end

function tests.test_AChangeTakesEffectWhenAppended()
  local net = three_and(2)
  net:isolate(1)
  local update = net:change(1, { voters = { 1, 2, 3, 4, 5 } })
  lu.assertEquals(update.refusal, "accepted")
  lu.assertTrue(update.members_changed)
  lu.assertEquals(net:members(1).voters, { 1, 2, 3, 4, 5 })
  lu.assertEquals(net:members(1).voters_old, { 1, 2, 3 })
  local entry = net:log(1)[update.index]
  lu.assertEquals(entry.kind, "configuration")
end

function tests.test_AChangeGoesThroughJointToFinal()
  local net = three_and(2)
  net:change(1, { voters = { 1, 4, 5 } })
  net:run(200 * MS)
  for _, id in ipairs { 1, 4, 5 } do
    lu.assertEquals(net:members(id).voters, { 1, 4, 5 })
    lu.assertNil(net:members(id).voters_old)
  end
  local configurations = 0
  for _, entry in ipairs(net:log(1)) do
    configurations = configurations + (entry.kind == "configuration" and 1 or 0)
  end
  lu.assertEquals(configurations, 2)
  lu.assertEquals(net:status(4).role, "follower")
end

-- While joint, what is committed needs a majority of each set.
function tests.test_CommitsNeedBothMajorities()
  local net = three_and(2)
  net:slow(1)
  net:persisted(1)
  local index = net:change(1, { voters = { 1, 4, 5 } }).index
  net:persisted(1)
  net:lose()
  response(net, 4, index)
  response(net, 5, index)
  lu.assertTrue(net:status(1).commit_index < index) -- the new set's majority alone
  response(net, 2, index)
  lu.assertTrue(net:status(1).commit_index >= index)
end

function tests.test_TheOldMajorityAloneCommitsNothing()
  local net = three_and(2)
  local index = net:change(1, { voters = { 1, 4, 5 } }).index
  net:lose()
  response(net, 2, index)
  response(net, 3, index)
  lu.assertTrue(net:status(1).commit_index < index)
  response(net, 5, index)
  lu.assertTrue(net:status(1).commit_index >= index)
end

-- So do elections.
function tests.test_ElectionsNeedBothMajorities()
  local joint = { term = 1, members = { voters = { 1, 4, 5 }, voters_old = { 1, 2, 3 } } }
  local net = replicas.new(5, still { voters = { 1, 2, 3 } }, { [1] = { term = 1, log = { { term = 1 }, joint } } })
  net:campaign(1)
  local function grant(from)
    net:receive({ kind = "vote_response", from = from, to = 1, term = 2 })
  end
  grant(4)
  grant(5)
  lu.assertEquals(net:status(1).role, "candidate")
  grant(3)
  lu.assertEquals(net:status(1).role, "leader")
end

function tests.test_ATruncatedConfigurationIsRolledBack()
  local net = three_and(2)
  net:isolate(1)
  net:change(1, { voters = { 1, 4, 5 } })
  net:settle()
  net:elect(2)
  net:heal()
  net:run(200 * MS)
  lu.assertEquals(net:status(1).role, "follower")
  lu.assertEquals(net:members(1).voters, { 1, 2, 3 })
  lu.assertNil(net:members(1).voters_old)
end

function tests.test_ARestartFindsTheConfigurationInTheLog()
  local net = replicas.new(3, still(), { [1] = { term = 1, log = {
    { term = 1 }, { term = 1, members = { voters = { 1, 2 } } }, { term = 1, command = "x" },
  } } })
  lu.assertEquals(net:members(1).voters, { 1, 2 })
end

function tests.test_OneChangeAtATime()
  local net = three_and(2)
  net:isolate(1)
  lu.assertEquals(net:change(1, { voters = { 1, 2, 3, 4 } }).refusal, "accepted")
  lu.assertEquals(net:change(1, { voters = { 1, 2, 3, 5 } }).refusal, "membership_pending")
end

-- A new leader that has no entry of its term committed may not know of a change under way.
function tests.test_AChangeWaitsForAnEntryOfTheLeadersTerm()
  local net = replicas.new(3, still())
  net:campaign(1, true)
  net:receive({ kind = "vote_response", from = 3, to = 1, term = net:status(1).term })
  lu.assertEquals(net:status(1).role, "leader")
  lu.assertEquals(net:change(1, { voters = { 1, 2 } }).refusal, "not_ready")
end

function tests.test_OthersRefuseChanges()
  local net = three_and(0)
  lu.assertEquals(net:change(2, { voters = { 1, 2 } }).refusal, "not_leader")
end

function tests.test_BadConfigurationsAreRefused()
  local net = three_and(0)
  lu.assertEquals(net:change(1, { voters = {} }).refusal, "bad_configuration")
  lu.assertEquals(net:change(1, { voters = { 1, 2 }, learners = { 2 } }).refusal, "bad_configuration")
  lu.assertEquals(net:members(1).voters, { 1, 2, 3 })
end

-- A leader that the new configuration lacks leads until that commits, then goes.
function tests.test_ALeaderThatRemovesItselfStepsDown()
  local net = three_and(0)
  net:change(1, { voters = { 2, 3 } })
  lu.assertEquals(net:status(1).role, "leader")
  net:settle()
  lu.assertNotEquals(net:status(1).role, "leader")
  lu.assertEquals(net:members(2).voters, { 2, 3 })
  net:elect(2)
  net:submit(2, "without it")
  net:settle()
  lu.assertEquals(net:log(3)[net:status(3).last_index].command, "without it")
end

-- It does not count itself: what it commits, the others hold.
function tests.test_ALeaderThatLeavesDoesNotCountItself()
  local net = three_and(0)
  net:change(1, { voters = { 2, 3 } })
  net:flush()
  net:lose()
  local joint = net:status(1).last_index
  response(net, 2, joint)
  lu.assertTrue(net:status(1).commit_index < joint) -- one of {2, 3} is no majority
  response(net, 3, joint)
  lu.assertTrue(net:status(1).commit_index >= joint)
end

function tests.test_ARemovedServerIsToldOfIt()
  local net = three_and(0)
  net:change(1, { voters = { 1, 2 } })
  net:run(100 * MS)
  lu.assertEquals(net:members(3).voters, { 1, 2 })
  lu.assertEquals(net:status(3).role, "learner") -- it no longer campaigns
end

-- A command and a configuration in one message (RedisLabs/raft #62): that follower then leads.
function tests.test_ConfigEntryInsideBatch()
  local net = replicas.new(3, still())
  net:add(4, still { voters = {} })
  net.ids = { 1, 2, 3, 4 }
  net:receive({ kind = "append", from = 1, to = 2, term = 1, entries = {
    { term = 1 }, { term = 1, command = "before" }, { term = 1, command = "and" },
    { term = 1, members = { voters = { 1, 2, 3 }, learners = { 4 } } }, { term = 1, command = "after" },
  } })
  net:lose()
  local _, index = net:replica(2):members()
  lu.assertEquals(index, 4)
  net:elect(2)
  net:run(100 * MS)
  lu.assertEquals(net:change(2, { voters = { 1, 2, 3, 4 } }).refusal, "accepted")
  net:run(200 * MS)
  lu.assertEquals(net:members(4).voters, { 1, 2, 3, 4 })
  lu.assertNil(net:members(4).voters_old)
end

function tests.test_LearnersAreSentAllAndCountForNothing()
  local net = three_and(2)
  net:change(1, { voters = { 1, 2, 3 }, learners = { 4, 5 } })
  net:run(200 * MS)
  lu.assertEquals(net:status(4).last_index, net:status(1).last_index)
  lu.assertEquals(net:status(4).role, "learner")
  net:isolate(2)
  net:isolate(3)
  local index = net:submit(1, "x").index
  net:settle()
  lu.assertEquals(net:status(4).last_index, index)
  lu.assertTrue(net:status(1).commit_index < index)
end

-- Whoever leads finishes a change that another began.
function tests.test_TheNextLeaderFinishesAJointPhase()
  local net = three_and(2)
  net:change(1, { voters = { 2, 4, 5 } })
  net:flush()
  while net:deliver_only "append" do -- the joint entry reaches all, and no answer comes back
  end
  net:isolate(1)
  net:elect(2)
  net:run(300 * MS)
  lu.assertEquals(net:members(2).voters, { 2, 4, 5 })
  lu.assertNil(net:members(2).voters_old)
  lu.assertNil(net:members(4).voters_old)
end

return tests
