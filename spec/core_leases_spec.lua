-- The core's rules of lease reads (dissertation 6.4.1), on bare replicas: what voters promise, how long a leader may
-- count on it.
local lu = require "luaunit"
local replicas = require "spec.support.replicas"

local tests = {}
local MS = replicas.MS

-- Three heartbeats of 50 ms are the promise of 150 ms; a tenth less, 135 ms, is the lease.
local options = {
  election_timeout_min_ns = replicas.still.election_timeout_min_ns,
  election_timeout_max_ns = replicas.still.election_timeout_max_ns,
  heartbeat_interval_ns = 50 * MS, pre_vote = false, check_quorum = true, lease_reads = true,
  clock_drift_ppb = 100000000,
}

local function lease_read(net, id, read_id)
  return net:step(id, { kind = "read", read_id = read_id, lease = true })
end

-- Server 1 leads, and something is committed; no heartbeat was answered yet.
local function led(count, each)
  local net = replicas.new(count or 3, options, each)
  net:elect(1)
  net:submit(1, "x")
  net:settle()
  return net
end

-- Its heartbeat is answered by all that hear it: the lease begins now.
local function beat(net)
  net:heartbeat(1)
  net:settle()
end

function tests.test_AnsweredHeartbeatsAreALease()
  local net = led()
  lease_read(net, 1, 1)
  net:flush()
  lu.assertNil(net:answer(1, 1)) -- the entries' answers are none: when they were asked for is not known
  lu.assertEquals(#net:under_way("read"), 2)
  net:settle()
  beat(net)
  local update = lease_read(net, 1, 2)
  lu.assertEquals(net:answer(1, 2), 2)
  lu.assertEquals(#(update.messages or {}), 0)
end

function tests.test_ItLastsSinceTheHeartbeatLeft()
  local net = led()
  net:heartbeat(1)
  net:pass(30 * MS)
  net:settle() -- the answers come 30 ms later
  net:lose()
  net:pass(104 * MS, 1)
  lease_read(net, 1, 1)
  lu.assertEquals(net:answer(1, 1), 2)
  net:pass(1 * MS, 1)
  net:lose()
  lease_read(net, 1, 2) -- 135 ms after it left
  lu.assertNil(net:answer(1, 2))
  net:settle()
  lu.assertEquals(net:answer(1, 2), 2) -- by a round
end

function tests.test_ALateAnswerToAnEarlierHeartbeatIsNoNewLease()
  local net = led()
  net:heartbeat(1)
  for _, message in ipairs(net:take("append", 1)) do
    net:receive(message)
  end
  local late = net:take("append_response")
  for _ = 1, 4 do
    net:pass(50 * MS, 1)
    net:lose()
  end
  for _, message in ipairs(late) do
    net:receive(message)
  end
  lease_read(net, 1, 1)
  lu.assertNil(net:answer(1, 1))
end

-- More rounds than are remembered one by one: each counts at most as what it is.
function tests.test_ManyRoundsInALease()
  local net = led()
  for _ = 1, 100 do
    net:heartbeat(1)
    net:pass(1 * MS, 1)
    net:settle()
  end
  net:isolate(1)
  net:pass(100 * MS, 1)
  lease_read(net, 1, 1)
  lu.assertEquals(net:answer(1, 1), 2)
  net:pass(35 * MS, 1)
  lease_read(net, 1, 2)
  lu.assertNil(net:answer(1, 2))
end

function tests.test_AMajorityIsNeeded()
  local net = led(5)
  for _, id in ipairs { 3, 4, 5 } do
    net:cut(1, id)
  end
  beat(net)
  lease_read(net, 1, 1)
  lu.assertNil(net:answer(1, 1))
  net:heal()
  for _, id in ipairs { 4, 5 } do
    net:cut(1, id)
  end
  beat(net)
  lease_read(net, 1, 2)
  lu.assertEquals(net:answer(1, 2), 2)
end

function tests.test_BothMajoritiesWhileJoint()
  local net = led(5, {
    [1] = { voters = { 1, 2, 3 } }, [2] = { voters = { 1, 2, 3 } }, [3] = { voters = { 1, 2, 3 } },
    [4] = { voters = {} }, [5] = { voters = {} },
  })
  for _, id in ipairs { 2, 3 } do
    net:cut(1, id)
  end
  net:step(1, { kind = "change", configuration = { voters = { 1, 4, 5 } } })
  net:run(200 * MS)
  lu.assertEquals(net:members(1).voters_old, { 1, 2, 3 })
  lease_read(net, 1, 1)
  lu.assertNil(net:answer(1, 1)) -- the new set alone has answered
  net:heal()
  net:run(200 * MS)
  lease_read(net, 1, 2)
  lu.assertNotNil(net:answer(1, 2))
end

-- That it leads alone does not tell a new leader what is committed.
function tests.test_NoAnswerBeforeAnEntryOfTheOwnTerm()
  local net = led()
  net:pass(200 * MS)
  net:lose()
  net:slow(1)
  net:slow(3) -- they hear their new leader, and write nothing
  net:campaign(2)
  for _, id in ipairs { 1, 3 } do
    net:deliver_one("vote", 2, id)
    net:persisted(id)
  end
  while #net:under_way("vote_response") > 0 do
    net:deliver_one("vote_response")
  end
  lu.assertEquals(net:status(2).role, "leader")
  for _ = 1, 3 do
    net:heartbeat(2)
    net:settle()
  end
  lu.assertEquals(net:status(2).commit_index, 2)
  lease_read(net, 2, 1)
  lu.assertNil(net:answer(2, 1))
end

-- From the moment at which another is told to campaign, whatever comes of it.
function tests.test_NoLeaseOnceLeadershipIsHandedOver()
  local net = led()
  beat(net)
  net:cut(1, 2)
  net:transfer(1, 2) -- which never learns of it
  lease_read(net, 1, 1)
  lu.assertNil(net:answer(1, 1))
  net:run(1000 * MS) -- it was given up
  lu.assertEquals(net:status(1).role, "leader")
  lu.assertEquals(net:answer(1, 1), 2) -- by a round
  lease_read(net, 1, 2)
  lu.assertNil(net:answer(1, 2)) -- it may still arrive: not in this term
end

function tests.test_TheOneThatIsToldIsElectedAtOnce()
  local net = led()
  beat(net)
  net:transfer(1, 2)
  net:settle()
  lu.assertEquals(net:status(2).role, "leader")
  net:heartbeat(2)
  net:settle()
  lease_read(net, 2, 1)
  lu.assertEquals(net:answer(2, 1), 3)
end

-- ---- what voters promise ---------------------------------------------------------------------------

function tests.test_NobodyCampaignsWhoHasPromised()
  local net = led()
  beat(net)
  for _, force in ipairs { true, false } do
    lu.assertEquals(net:campaign(2, force).refusal, "promised")
  end
  lu.assertEquals(net:status(2).role, "follower")
  net:pass(149 * MS, 2)
  lu.assertEquals(net:campaign(2, true).refusal, "promised")
  net:pass(1 * MS, 2)
  lu.assertEquals(net:campaign(2, true).refusal, "accepted")
  lu.assertEquals(net:status(2).role, "candidate")
end

-- However it was made to campaign: those who have promised are not asked in vain.
function tests.test_NobodyVotesWhoHasPromised()
  local net = led()
  net:cut(1, 2)
  net:pass(150 * MS, 2)
  beat(net)
  net:campaign(2, true)
  net:settle()
  lu.assertEquals(net:status(2).role, "candidate")
  lu.assertEquals(net:status(3).term, 1)
  lease_read(net, 1, 1)
  lu.assertEquals(net:answer(1, 1), 2)
end

-- A late refusal of long ago takes its leader from it, and not its promise.
function tests.test_APromiseOutlivesTheTerm()
  local net = led()
  beat(net)
  local stale = { kind = "vote_response", from = 2, to = 3, term = 7, reject = true }
  net:receive(stale)
  lu.assertEquals(net:status(3).term, 7)
  lu.assertEquals(net:status(3).leader or 0, 0)
  local asked = { kind = "vote", from = 2, to = 3, term = 8, prev_index = 9, prev_term = 7 }
  net:receive(asked)
  lu.assertEquals(net:status(3).term, 7)
  net:pass(150 * MS, 3)
  net:receive(asked)
  lu.assertEquals(net:status(3).vote, 2)
end

-- Who restarts has forgotten whom it heard.
function tests.test_WhoRestartsBeginsWithAPromise()
  local net = led()
  beat(net)
  net:crash(3)
  local asked = { kind = "vote", from = 2, to = 3, term = 8, prev_index = 9, prev_term = 7 }
  net:receive(asked)
  lu.assertEquals(net:status(3).term, 1)
  lu.assertEquals(net:campaign(3, true).refusal, "promised")
  net:pass(150 * MS, 3)
  net:receive(asked)
  lu.assertEquals(net:status(3).vote, 2)
end

function tests.test_WhoStartsWithNothingHasPromisedNothing()
  local net = replicas.new(3, options)
  lu.assertEquals(net:campaign(1).refusal, "accepted")
end

-- ---- where there are none --------------------------------------------------------------------------

function tests.test_OffUnlessAskedFor()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  lu.assertEquals(lease_read(net, 1, 1).refusal, "no_leases")
end

function tests.test_WhatTheyNeed()
  local wrong = { { check_quorum = false }, { clock_drift_ppb = 1000000000 } }
  for place, message in ipairs { "check_quorum", "clock_drift" } do
    lu.assertErrorMsgContains(message, replicas.new, 3, options, { wrong[place], wrong[place], wrong[place] })
  end
end

return tests
