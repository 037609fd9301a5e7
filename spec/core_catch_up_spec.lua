-- The core's rules of bringing new voters level before they vote (dissertation 4.2.1), on bare replicas.
local lu = require "luaunit"
local replicas = require "spec.support.replicas"

local tests = {}
local MS = replicas.MS

local quiet = { election_timeout_min_ns = 150 * MS, election_timeout_max_ns = 300 * MS, check_quorum = false }

local function with(options, more)
  local all = {}
  for _, from in ipairs { options, more or {} } do
    for key, value in pairs(from) do
      all[key] = value
    end
  end
  return all
end

-- Voters 1..3 of which 1 leads, and servers 4.. that wait to be added.
local function three_and(count, options)
  options = options or replicas.still
  local net = replicas.new(3, options)
  local ids = { 1, 2, 3 }
  for id = 4, 3 + count do
    net:add(id, with(options, { voters = {} }))
    ids[id] = id
  end
  net.ids = ids
  net:elect(1)
  return net
end

local function kinds(net, id)
  local list = {}
  for _, entry in ipairs(net:log(id)) do
    if entry.kind == "configuration" then
      list[#list + 1] = entry.members.wanted and "preparing" or entry.members.voters_old and "joint" or "simple"
    end
  end
  return table.concat(list, " ")
end

-- Some heartbeats with all that is said in between.
local function beat(net, id, times)
  for _ = 1, times or 5 do
    net:heartbeat(id)
    net:settle()
  end
end

function tests.test_ANewVoterIsALearnerFirst()
  local net = three_and(1)
  local update = net:prepare(1, { voters = { 1, 2, 3, 4 } })
  lu.assertEquals(update.refusal, "accepted")
  local members = net:members(1)
  lu.assertEquals({ members.voters, members.learners, members.voters_old }, { { 1, 2, 3 }, { 4 }, nil })
  lu.assertEquals(members.wanted, { voters = { 1, 2, 3, 4 }, learners = {}, added = { 4 } })
  net:settle()
  beat(net, 1)
  lu.assertEquals(net:members(4).voters, { 1, 2, 3, 4 })
  lu.assertNil(net:members(4).wanted)
  lu.assertEquals(kinds(net, 4), "preparing joint simple")
end

function tests.test_AServerThatDoesNotComeUpStallsNothing()
  local net = three_and(2)
  net:isolate(4)
  net:prepare(1, { voters = { 1, 2, 3, 4, 5 } })
  net:settle()
  lu.assertEquals(net:change(1, { voters = { 1, 2 } }).refusal, "membership_pending")
  for number = 1, 20 do
    local index = net:submit(1, number).index
    beat(net, 1, 2)
    lu.assertTrue(net:status(1).commit_index >= index)
  end
  lu.assertEquals(kinds(net, 1), "preparing")
end

-- It is given up once nothing has come of it for long enough, and what was added goes.
local function gives_up(net, wanted, before)
  net:isolate(4)
  net:prepare(1, wanted)
  for _ = 1, 290 do
    net:pass(10 * MS, 1)
    net:settle()
  end
  lu.assertNotNil(net:members(1).wanted)
  for _ = 1, 20 do
    net:pass(10 * MS, 1)
    net:settle()
  end
  local members = net:members(1)
  lu.assertEquals({ members.voters, members.learners, members.wanted }, { before.voters, before.learners, nil })
  lu.assertEquals(net:status(1).commit_index, net:status(1).last_index)
  lu.assertEquals(net:change(1, { voters = { 1, 2 } }).refusal, "accepted")
end

function tests.test_WhoIsNotLevelInTimeIsTakenOutAgain()
  gives_up(three_and(2, quiet), { voters = { 1, 2, 3, 4, 5 } }, { voters = { 1, 2, 3 }, learners = {} })
end

function tests.test_ALearnerThatIsNotPromotedInTimeStaysALearner()
  local net = three_and(1, quiet)
  net:change(1, { voters = { 1, 2, 3 }, learners = { 4 } })
  net:settle()
  net:cut(1, 4)
  net:submit(1, "it lacks this")
  net:settle()
  gives_up(net, { voters = { 1, 2, 3, 4 } }, { voters = { 1, 2, 3 }, learners = { 4 } })
end

-- One that answers heartbeats and never has more on its disk is as useless.
function tests.test_OneWhoseDiskHangsIsNotWaitedFor()
  local net = three_and(1, quiet)
  net:change(1, { voters = { 1, 2, 3 }, learners = { 4 } })
  net:settle()
  net:heartbeat(1)
  net:settle()
  net:slow(4)
  net:submit(1, "it lacks this")
  net:settle()
  net:prepare(1, { voters = { 1, 2, 3, 4 } })
  for _ = 1, 320 do
    net:pass(10 * MS, 1)
    net:settle()
  end
  local members = net:members(1)
  lu.assertEquals({ members.voters, members.learners, members.wanted }, { { 1, 2, 3 }, { 4 }, nil })
end

-- As long as something new comes from it, it is waited for.
function tests.test_OneThatIsSlowIsWaitedFor()
  local net = three_and(1, with(quiet, { max_entries = 1, window = 1 }))
  for number = 1, 60 do
    net:submit(1, number)
  end
  net:settle()
  net:slow(4)
  net:prepare(1, { voters = { 1, 2, 3, 4 } })
  for round = 1, 600 do
    net:pass(10 * MS, 1)
    if round % 10 == 0 then
      net:persisted(4) -- an entry each 100 ms: it takes 6 s
    end
    net:settle()
  end
  lu.assertTrue(net:status(4).last_index > 40)
  lu.assertNotNil(net:members(1).wanted)
  for _ = 1, 200 do
    net:pass(10 * MS, 1)
    net:persisted(4)
    net:settle()
  end
  lu.assertEquals(net:members(1).voters, { 1, 2, 3, 4 })
end

-- A learner that is level is promoted at once.
function tests.test_OneThatIsLevelIsNotPrepared()
  local net = three_and(1)
  net:change(1, { voters = { 1, 2, 3 }, learners = { 4 } })
  net:settle()
  net:prepare(1, { voters = { 1, 2, 3, 4 } })
  lu.assertEquals(net:members(1).voters_old, { 1, 2, 3 })
  net:settle()
  lu.assertEquals(kinds(net, 1), "simple joint simple")
end

function tests.test_NothingIsPreparedWhereNobodyComes()
  local net = three_and(1)
  net:prepare(1, { voters = { 1, 2 }, learners = { 3, 4 } })
  net:settle()
  lu.assertEquals(kinds(net, 1), "joint simple")
end

-- The next leader goes on with it; and gives it up, where that is due.
function tests.test_TheNextLeaderGoesOn()
  local net = three_and(2)
  net:isolate(4)
  net:prepare(1, { voters = { 2, 3, 4, 5 }, learners = { 1 } })
  net:settle()
  beat(net, 1)
  net:elect(2)
  lu.assertEquals(net:members(2).wanted, { voters = { 2, 3, 4, 5 }, learners = { 1 }, added = { 4, 5 } })
  net:heal()
  beat(net, 2, 10)
  lu.assertEquals({ net:members(2).voters, net:members(2).learners }, { { 2, 3, 4, 5 }, { 1 } })
  lu.assertEquals(kinds(net, 5), "preparing joint simple")
end

-- In its own time: what passed before it led does not count.
function tests.test_TheNextLeaderGivesUp()
  local net = three_and(1, quiet)
  local function let_pass(leader, times)
    for _ = 1, times do
      net:pass(10 * MS, leader)
      net:settle()
    end
  end
  net:isolate(4)
  let_pass(1, 400)
  net:prepare(1, { voters = { 1, 2, 3, 4 } })
  let_pass(1, 200)
  net:elect(2)
  let_pass(2, 250)
  lu.assertNotNil(net:members(2).wanted)
  let_pass(2, 100)
  lu.assertEquals({ net:members(2).voters, net:members(2).learners }, { { 1, 2, 3 }, {} })
end

-- What was never committed is gone with its leader's log, as any other entry is.
function tests.test_ATruncatedOneIsRolledBack()
  local net = three_and(1)
  net:isolate(1)
  net:prepare(1, { voters = { 1, 2, 3, 4 } })
  lu.assertNotNil(net:members(1).wanted)
  net:elect(2)
  net:heal()
  beat(net, 2)
  lu.assertNil(net:members(1).wanted)
  lu.assertEquals(net:members(1).learners, {})
end

-- It moves no quorum: while it is under way the old voters elect, and the coming ones do not campaign.
function tests.test_WhoComesNeitherVotesNorCampaigns()
  local net = three_and(1)
  net:prepare(1, { voters = { 1, 2, 3, 4 } })
  for _ = 1, 20 do
    net:deliver_only("append", "append_response") -- before it is level
    if net:members(4).wanted then
      break
    end
  end
  lu.assertEquals(net:status(4).role, "learner")
  net:campaign(4, true)
  lu.assertEquals(net:status(4).role, "learner")
end

-- A leader that is replaced by those that come is still a voter until they are level.
function tests.test_AllVotersAtOnce()
  local net = three_and(3)
  net:prepare(1, { voters = { 4, 5, 6 } })
  lu.assertEquals(net:members(1).voters, { 1, 2, 3 })
  net:settle()
  beat(net, 1, 10)
  local leader
  for id = 4, 6 do
    leader = net:status(id).role == "leader" and id or leader
  end
  lu.assertNotNil(leader) -- the old one has handed over
  lu.assertEquals(net:members(leader).voters, { 4, 5, 6 })
end

function tests.test_NothingStartsWhileLeadershipIsHandedOver()
  local net = three_and(1)
  net:isolate(4)
  net:prepare(1, { voters = { 1, 2, 3, 4 } })
  net:settle()
  beat(net, 1)
  net:transfer(1, 2)
  net:take("timeout_now")
  net:heal()
  net:cut(1, 2)
  beat(net, 1, 5)
  lu.assertEquals(net:status(1).transfer_target, 2)
  lu.assertEquals(net:status(4).last_index, net:status(1).last_index)
  lu.assertNotNil(net:members(1).wanted)
end

function tests.test_TheHashTellsThemApart()
  local net, other = three_and(1), three_and(1)
  net:isolate(4)
  other:isolate(4)
  net:prepare(1, { voters = { 1, 2, 3, 4 } })
  other:change(1, { voters = { 1, 2, 3 }, learners = { 4 } })
  lu.assertNotEquals(net:hash(1), other:hash(1))
end

return tests
