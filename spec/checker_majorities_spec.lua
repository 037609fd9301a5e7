-- The invariant checker on what needs a majority (votes, commits, reads) and on configurations: each rule broken, and
-- kept.
local core = require("raft").core
local lu = require "luaunit"
local told = require "spec.support.told"

local assert_violated, run = told.assert_violated, told.run

local tests = {}

-- ---- what needs a majority ------------------------------------------------------------------------

-- Nodes 1 to `count` with a log of one entry of term 1 and that many voters. Node 1 has all votes of term 2 but those
-- that `without` names.
local function electing(count, without, configuration, options)
  local r = run(options)
  configuration = configuration or { voters = {} }
  configuration.index = 0
  for id = 1, count do
    configuration.voters[id] = configuration.voters[id] or not configuration.voters_old and id or nil
  end
  for id = 1, count do
    r:start(id, 1, 0, { 1 }, { configuration })
  end
  for id = 1, count do
    if not (without or {})[id] then
      r:vote(id, 1, 2, 1, 1):state(id, 2, 1)
    end
  end
  return r
end

-- Node 1 leads term 2 and has an entry of it at index 2, on its own disk and on those of 2 to `on`.
local function leading(count, on, options)
  local r = electing(count, nil, nil, options):role(1, "leader", 2)
  for id = 1, count do
    if id <= on then
      r:durable(id, 2, { 1, 2 })
    end
  end
  return r
end

function tests.test_VoteMajority()
  assert_violated(electing(5, { [3] = true, [4] = true, [5] = true }):role(1, "leader", 2),
    "a leader has a majority of votes", 1)
  lu.assertNil(electing(5, { [4] = true, [5] = true }):role(1, "leader", 2).violation)
end

function tests.test_VoteMajority_TellsWhoVoted()
  local r = electing(5, { [1] = true, [4] = true, [5] = true }):role(1, "leader", 2)
  lu.assertStrContains(r.violation.message, "node 1 leads term 2 with the votes of 2 of 5: 2, 3")
end

function tests.test_VoteMajority_HalfIsNone()
  assert_violated(electing(4, { [3] = true, [4] = true }):role(1, "leader", 2), "a leader has a majority of votes", 1)
  lu.assertNil(electing(4, { [4] = true }):role(1, "leader", 2).violation)
end

function tests.test_VoteMajority_VotesOfAnotherTermOrForAnother()
  local r = electing(3, { [2] = true, [3] = true })
  r:vote(2, 1, 3, 1, 1):vote(3, 3, 2, 1, 1)
  assert_violated(r:role(1, "leader", 2), "a leader has a majority of votes", 1)
end

function tests.test_VoteMajority_OfBothSetsWhileJoint()
  local joint = { voters = { 1, 2, 3 }, voters_old = { 1, 4, 5 } }
  local r = electing(5, { [4] = true, [5] = true }, joint):role(1, "leader", 2)
  assert_violated(r, "a leader has a majority of votes", 1)
  lu.assertStrContains(r.violation.message, "3 of 3 new voters: 1, 2, 3 and 1 of 3 old voters: 1")
  lu.assertNil(electing(5, { [3] = true, [5] = true }, joint):role(1, "leader", 2).violation)
end

function tests.test_VoteMajority_LearnersDoNotCount()
  local r = electing(3, { [2] = true }, { voters = { 1, 2, 3 }, learners = { 4 } })
  r:start(4, 1, 0, { 1 }):vote(4, 1, 2, 1, 1)
  lu.assertNil(r.violation)
  r = electing(3, { [2] = true, [3] = true }, { voters = { 1, 2, 3 }, learners = { 4 } })
  r:start(4, 1, 0, { 1 }):vote(4, 1, 2, 1, 1)
  assert_violated(r:role(1, "leader", 2), "a leader has a majority of votes", 1)
end

function tests.test_VoteMajority_ItsOwnVoteCountsOnceItIsOnItsDisk()
  local r = electing(3, { [1] = true, [3] = true })
  r:vote(1, 1, 2, 1, 1) -- and not written
  assert_violated(r:role(1, "leader", 2), "a leader has a majority of votes", 1)
end

function tests.test_VoteMajority_AVoteThatACrashTookIsNone()
  local r = electing(3, { [2] = true, [3] = true })
  r:vote(2, 1, 2, 1, 1):crash(2):start(2, 1, 0, { 1 }):vote(2, 3, 2, 1, 1)
  assert_violated(r:role(1, "leader", 2), "a leader has a majority of votes", 1)
end

function tests.test_VoteByLog()
  local function voted(terms)
    local r = run()
    r:start(1, 3, 0, { 1, 2 }):start(2, 3, 0, terms)
    return r:vote(1, 1, 4, 2, 2):vote(2, 1, 4, #terms, terms[#terms])
  end
  assert_violated(voted { 1, 3 }, "votes go to complete logs", 1, 2)
  assert_violated(voted { 1, 2, 2 }, "votes go to complete logs", 1, 2)
  lu.assertNil(voted({ 1, 2 }).violation)
  lu.assertNil(voted({ 1, 1, 1 }).violation)
end

function tests.test_CommitMajority()
  local r = leading(5, 2):commit(1, 2, true)
  assert_violated(r, "what is committed is on a majority of disks", 1)
  lu.assertStrContains(r.violation.message, "on the disks of 2 of 5: 1, 2")
  lu.assertNil(leading(5, 3):commit(1, 2, true).violation)
end

function tests.test_CommitMajority_WhatIsWrittenAndNotSyncedDoesNotCount()
  local r = leading(3, 1)
  r:append(2, 2, { 1, 2 }):write(2, 2, 2)
  assert_violated(r:commit(1, 2, true), "what is committed is on a majority of disks", 1)
end

function tests.test_CommitMajority_ByTheConfigurationInForce()
  local r = leading(3, 2):commit(1, 2, true) -- the first that it commits
  r:append(1, 3, { 1, 2, 2 }, nil, { { index = 3, voters = { 1, 2, 3, 4, 5 }, voters_old = { 1, 2, 3 } } })
  r:members(1, { index = 3, voters = { 1, 2, 3, 4, 5 }, voters_old = { 1, 2, 3 } }):write(1, 3, 3):sync(1)
  lu.assertNil(r.violation)
  r:durable(2, 3, { 1, 2, 2 })
  assert_violated(r:commit(1, 3, true), "what is committed is on a majority of disks", 1)
  lu.assertStrContains(r.violation.message, "2 of 5 new voters: 1, 2 and 2 of 3 old voters: 1, 2")
end

-- ---- reads ----------------------------------------------------------------------------------------

-- Of three nodes 1 leads term 2 and has committed in it; one read has come, and a round for it begun.
local function reading()
  local r = leading(3, 2):commit(1, 2, true)
  r:event("read", 1, { sequence = 1 })
  r:round(1, 1)
  lu.assertNil(r.violation)
  return r
end

function tests.test_ReadMajority()
  local r = reading():confirm(1)
  assert_violated(r, "a read is confirmed by a majority", 1)
  lu.assertStrContains(r.violation.message, "answered by 1 of 3: 1")
  lu.assertNil(reading():answer(3, 1):confirm(1).violation)
end

function tests.test_ReadMajority_ARoundThatBeganBeforeTheReadCame()
  local r = reading():event("read", 1, { sequence = 2 })
  r:answer(2, 1):answer(3, 1)
  assert_violated(r:confirm(1, 2), "a read is confirmed by a majority", 1)
  r = reading():event("read", 1, { sequence = 2 })
  r:round(1, 2):answer(2, 1):confirm(1):answer(2, 2)
  lu.assertNil(r:confirm(2).violation)
end

function tests.test_ReadMajority_AnswersThatDoNotCount()
  for _, fields in ipairs { { term = 1 }, { reject = true } } do
    assert_violated(reading():answer(2, 1, fields):confirm(1), "a read is confirmed by a majority", 1)
  end
  assert_violated(reading():answer(7, 1):confirm(1), "a read is confirmed by a majority", 1)
end

function tests.test_ReadMajority_BeforeAnEntryOfItsOwnTermIsCommitted()
  local r = leading(3, 2)
  r:event("read", 1, { sequence = 1 }):round(1, 1):answer(2, 1)
  assert_violated(r:confirm(1, 1, 1), "a read is confirmed by a majority", 1)
end

function tests.test_ReadMajority_AsOfLessThanWasCommittedWhenItCame()
  assert_violated(reading():answer(2, 1):confirm(1, 1, 1), "a read is confirmed by a majority", 1)
end

function tests.test_ReadMajority_AReadThatFailedIsNotWaitedFor()
  local r = reading():role(1, "candidate", 3):vote(1, 1, 3, 2, 2):state(1, 3, 1)
  r:vote(2, 1, 3, 2, 2):role(1, "leader", 3):durable(1, 3, { 1, 2, 3 }):durable(2, 3, { 1, 2, 3 }):commit(1, 3, true)
  r:event("read", 1, { sequence = 2 }):round(1, 1):answer(2, 1, { term = 3 })
  lu.assertNil(r:confirm(2, 2, 3).violation)
end

-- ---- promises to a leader -------------------------------------------------------------------------

-- Node 1 leads term 2, and node 2 hears it; node 3 asks it for its vote in term 3 so many ms later.
local function asked(after_ms, before)
  local r = run { promise = 0.150, drift = 0.1 }
  for id = 1, 3 do
    r:start(id, 1, 0, { 1 }, { { index = 0, voters = { 1, 2, 3 } } })
  end
  for id = 1, 2 do
    r:vote(id, 1, 2, 1, 1):state(id, 2, 1)
  end
  r:role(1, "leader", 2):role(2, "follower", 2)
  r:event("receive", 2, { message = "append", peer = 1, term = 2 })
  if before then
    before(r)
  end
  r.time_ns = r.time_ns + (after_ms - 1) * 1000000
  r:event("receive", 2, { message = "vote", peer = 3, term = 3, prev_index = 1, prev_term = 1 })
  return r:role(2, "follower", 3):vote(2, 3, 3, 1, 1)
end

function tests.test_PromiseKept()
  assert_violated(asked(5), "a voter keeps its promise to its leader", 2, 3)
  assert_violated(asked(120), "a voter keeps its promise to its leader", 2, 3)
  lu.assertNil(asked(160).violation)
end

function tests.test_PromiseKept_ALeaderThatToldSomebodyToCampaignFreesAll()
  lu.assertNil(asked(5, function(r)
    r:event("send", 1, { message = "timeout_now", peer = 3, term = 2 })
  end).violation)
end

-- It may have heard the leader just before it ended, and begins with a promise.
function tests.test_PromiseKept_AcrossARestart()
  local function restart(r)
    r:crash(2):start(2, 2, 1, { 1 }, { { index = 0, voters = { 1, 2, 3 } } })
  end
  assert_violated(asked(20, restart), "a voter keeps its promise to its leader", 2, 3)
  lu.assertNil(asked(160, restart).violation)
end

local function clock(rate, offset)
  return function(r)
    r:event("fault", 2, { text = "clock", value = core.value_encode { node = 2, rate = rate, offset = offset } })
  end
end

function tests.test_PromiseKept_WhatClocksMayDo()
  assert_violated(asked(5, clock(0.95, 0)), "a voter keeps its promise to its leader", 2, 3)
  assert_violated(asked(5, clock(1, 0)), "a voter keeps its promise to its leader", 2, 3)
  lu.assertNil(asked(5, clock(0.85, 0)).violation)
  lu.assertNil(asked(5, clock(1.01, 0)).violation)
  lu.assertNil(asked(5, clock(1, -0.1)).violation)
  lu.assertNil(asked(5, function(r) r:event("fault", 2, { text = "clock" }) end).violation)
end

-- ---- leases ---------------------------------------------------------------------------------------

local function lease(r, number, index)
  return r:event("confirm", 1, { first = number, last = number, index = index or 2, flag = true })
end

function tests.test_ReadLease()
  local r = reading():event("read", 1, { sequence = 2 })
  lu.assertNil(lease(r, 2).violation) -- without a round, before one that waits for its round
  assert_violated(r:confirm(1), "a read is confirmed by a majority", 1)
end

-- Node 2 is the only one that has heard node 1, so many ms before a read passes.
local function relied(after_ms, before)
  local r = leading(3, 2, { promise = 0.150 }):commit(1, 2, true)
  r:event("receive", 2, { message = "append", peer = 1, term = 2 })
  if before then
    before(r)
  end
  r.time_ns = r.time_ns + (after_ms - 2) * 1000000
  return lease(r:event("read", 1, { sequence = 1 }), 1)
end

function tests.test_ReadLease_NoLongerThanVotersAreBound()
  lu.assertNil(relied(149).violation)
  local r = relied(152)
  assert_violated(r, "a leader with a lease leads alone", 1)
  lu.assertStrContains(r.violation.message, "in the last 150.000 ms, are 1 of 3: 1 (by the configuration of index 0")
end

function tests.test_ReadLease_WhoHearsAnotherLeaderIsNotBound()
  lu.assertNil(relied(20, function(r)
    r:event("receive", 2, { message = "append", peer = 3, term = 1 }) -- who does not lead
    r:event("receive", 3, { message = "append", peer = 1, term = 2 })
  end).violation)
end

function tests.test_ReadLease_AsOfLessThanWasCommittedWhenItCame()
  assert_violated(lease(reading(), 1, 1), "a leader with a lease leads alone", 1)
end

function tests.test_ReadLease_BeforeAnEntryOfItsOwnTermIsCommitted()
  local r = leading(3, 2):event("read", 1, { sequence = 1 })
  assert_violated(lease(r, 1, 1), "a leader with a lease leads alone", 1)
end

function tests.test_ReadLease_WhereAnotherWasElected()
  local r = reading():role(2, "candidate", 3):vote(2, 2, 3, 2, 2):state(2, 3, 2)
  r:vote(3, 2, 3, 2, 2):role(2, "leader", 3)
  assert_violated(lease(r, 1), "a leader with a lease leads alone", 1, 2)
end

function tests.test_ReadLease_OnceItHasToldAnotherToCampaign()
  local r = reading():event("send", 1, { peer = 2, message = "timeout_now", term = 2 })
  assert_violated(lease(r, 1), "a leader with a lease leads alone", 1)
  r = reading():event("send", 1, { peer = 2, message = "timeout_now", term = 1 }) -- of an earlier term, and late
  lu.assertNil(lease(r, 1).violation)
end

-- ---- configurations -------------------------------------------------------------------------------

local FIVE = { index = 3, voters = { 1, 2, 3, 4, 5 }, voters_old = { 1, 2, 3 } }

-- Node 1 leads three nodes in term 2, and both it and node 2 have a configuration at index 3 that is not committed.
local function changing()
  local r = leading(3, 2):commit(1, 2, true)
  for id = 1, 2 do
    r:append(id, 3, { 1, 2, 2 }, nil, { FIVE })
  end
  lu.assertNil(r.violation)
  return r
end

function tests.test_LatestConfiguration_InForceAsSoonAsItIsAppended()
  assert_violated(changing():write(2, 3, 3), "the latest configuration is in force", 2)
  lu.assertNil(changing():members(2, FIVE):write(2, 3, 3).violation)
end

function tests.test_LatestConfiguration_RolledBackWithTheLog()
  local first = { index = 0, voters = { 1, 2, 3 } }
  local function cut()
    return changing():members(2, FIVE):write(2, 3, 3):role(2, "follower", 4):truncate(2, 3, 3)
  end
  assert_violated(cut():append(2, 3, { 1, 2, 4 }):write(2, 3, 3), "the latest configuration is in force", 2)
  assert_violated(cut():members(2, FIVE), "the latest configuration is in force", 2)
  lu.assertNil(cut():members(2, first):append(2, 3, { 1, 2, 4 }):write(2, 3, 3).violation)
end

function tests.test_LatestConfiguration_OtherMembersThanItLists()
  assert_violated(changing():members(2, { index = 3, voters = { 1, 2, 3 }, voters_old = { 1, 2, 3 } }),
    "the latest configuration is in force", 2)
end

function tests.test_LatestConfiguration_WithGapsWhatIsNotTold()
  local r = run { gaps = true }:start(2, 1, 0, { 1 }, { { index = 0, voters = { 1, 2, 3 } } })
  r:append(2, 2, { 1, 1 }, nil, { { index = 2, voters = { 2 } } })
  lu.assertNil(r:write(2, 2, 2).violation)
end

function tests.test_OneChange_AtATime()
  local r = changing():members(1, FIVE)
  assert_violated(r:append(1, 4, { 1, 2, 2, 2 }, nil, { { index = 4, voters = { 1, 2, 3, 4, 5 } } }),
    "one change of members at a time", 1)
end

function tests.test_OneChange_ByWayOfAJointConfiguration()
  local function changed(configuration)
    configuration.index = 3
    return leading(3, 2):commit(1, 2, true):append(1, 3, { 1, 2, 2 }, nil, { configuration })
  end
  assert_violated(changed { voters = { 1, 2 } }, "one change of members at a time", 1)
  assert_violated(changed { voters = { 1, 2 }, voters_old = { 1, 2 } }, "one change of members at a time", 1)
  lu.assertNil(changed({ voters = { 1, 2 }, voters_old = { 1, 2, 3 } }).violation)
  lu.assertNil(changed({ voters = { 1, 2, 3 }, learners = { 4 } }).violation)
end

function tests.test_OneChange_OnceAnEntryOfTheOwnTermIsCommitted()
  local r = leading(3, 2)
  assert_violated(r:append(1, 3, { 1, 2, 2 }, nil, { { index = 3, voters = { 1, 2, 3 }, learners = { 4 } } }),
    "one change of members at a time", 1)
end

function tests.test_MatchIsTrue_AcknowledgedWithAnotherTermThanTheLeaders()
  local r = run()
  r:start(1, 3, 0, { 1, 3 }):start(2, 3, 0, { 1, 2 })
  r:vote(1, 1, 4, 2, 3):state(1, 4, 1):role(1, "leader", 4):role(2, "follower", 4)
  assert_violated(r:event("send", 2, { peer = 1, term = 4, index = 2, message = "append_response" }),
    "match index is true", 1, 2)
  r = run():start(1, 3, 0, { 1, 3 }):start(2, 3, 0, { 1, 2 })
  r:vote(1, 1, 4, 2, 3):state(1, 4, 1):role(1, "leader", 4):role(2, "follower", 4)
  lu.assertNil(r:event("send", 2, { peer = 1, term = 4, index = 1, message = "append_response" }).violation)
end

return tests
