-- The invariant checker: each property's violation is planted, and reported; what only looks like one
-- is not.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local told = require "spec.support.told"

local assert_violated, run, settled = told.assert_violated, told.run, told.settled

local tests = {}

-- ---- each property ------------------------------------------------------------------------------

function tests.test_ElectionSafety()
  local r = settled()
  assert_violated(r:role(2, "leader", 1), "election safety", 1, 2)
end

function tests.test_ElectionSafety_ALeaderLeadsAgainAfterARestart()
  local r = settled()
  r:crash(1):start(1, 1, 1, { 1, 1, 1 })
  assert_violated(r:role(1, "leader", 1), "election safety")
end

function tests.test_LeaderAppendOnly()
  local r = settled()
  r:append(1, 4, { 1, 1, 1, 1 })
  assert_violated(r:truncate(1, 4, 4), "leader append-only", 1)
end

function tests.test_LeaderAppendOnly_AReplacedEntry()
  local r = settled()
  r:append(1, 4, { 1, 1, 1, 1 })
  assert_violated(r:append(1, 4, { 1, 1, 1, 1 }, 5), "leader append-only", 1)
end

function tests.test_LogMatching_AnotherEntryOfTheSameIndexAndTerm()
  local r = settled()
  r:append(1, 4, { 1, 1, 1, 1 })
  assert_violated(r:append(2, 4, { 1, 1, 1, 1 }, 99), "log matching", 1, 2)
end

function tests.test_LogMatching_AnotherLogBefore()
  local r = run():start(1):start(2)
  r:append(1, 1, { 1, 2, 4 })
  assert_violated(r:append(2, 1, { 1, 3, 4 }), "log matching", 1, 2)
end

function tests.test_LogMatching_AGap()
  local r = settled()
  assert_violated(r:event("append", 2, { first = 6, last = 6, entries = { { term = 1, hash = 5 } } }),
    "log matching", 2)
end

function tests.test_LogMatching_TermsThatFall()
  local r = run():start(1)
  assert_violated(r:append(1, 1, { 2, 1 }), "log matching", 1)
end

function tests.test_LeaderCompleteness()
  local r = settled()
  r:append(1, 4, { 1, 1, 1, 1 }):append(2, 4, { 1, 1, 1, 1 }):commit(1, 4, true)
  r:vote(3, 3, 2)
  assert_violated(r:role(3, "leader", 2), "leader completeness", 3)
end

function tests.test_LeaderCompleteness_NewsThatComeLate()
  local r = settled()
  r:append(1, 4, { 1, 1, 1, 1 }):append(2, 4, { 1, 1, 1, 1 })
  r:role(3, "leader", 2)
  assert_violated(r:commit(1, 4, true), "leader completeness", 3)
end

function tests.test_StateMachineSafety_AnotherCommit()
  local r = settled()
  r:append(1, 4, { 1, 1, 1, 1 }):commit(1, 4, true)
  r:append(2, 4, { 1, 1, 1, 2 })
  assert_violated(r:commit(2, 4), "state machine safety")
end

function tests.test_StateMachineSafety_ASkippedEntry()
  local r = settled()
  r:durable(2, 4, { 1, 1, 1, 1, 1 }):commit(2, 5)
  assert_violated(r:apply(2, 5, 1), "state machine safety", 2)
end

function tests.test_StateMachineSafety_ARepeatedEntry()
  assert_violated(settled():apply(2, 3, 1), "state machine safety", 2)
end

function tests.test_StateMachineSafety_WhatIsNotCommitted()
  local r = settled()
  r:durable(2, 4, { 1, 1, 1, 1 })
  assert_violated(r:apply(2, 4, 1), "state machine safety", 2)
end

function tests.test_StateMachineSafety_BeyondTheLog()
  assert_violated(settled():commit(2, 4), "state machine safety", 2)
end

function tests.test_StateMachineSafety_SomethingElseThanTheEntry()
  local r = settled()
  r:durable(1, 4, { 1, 1, 1, 1 }):durable(2, 4, { 1, 1, 1, 1 }):commit(1, 4, true):commit(2, 4)
  assert_violated(r:apply(2, 4, 1, 7, 424242), "state machine safety")
end

function tests.test_MonotonicTerm()
  local r = settled()
  r:role(2, "follower", 5)
  assert_violated(r:role(2, "follower", 4), "monotonic term", 2)
end

function tests.test_MonotonicTerm_AcrossARestartOfWhatWasDurable()
  local r = settled()
  r:role(2, "follower", 5):state(2, 5, 0)
  r:crash(2)
  assert_violated(r:start(2, 4, 0, { 1, 1, 1 }), "monotonic term", 2)
end

function tests.test_MonotonicTerm_WhatWasNotDurableMayBeForgotten()
  local r = settled()
  r:role(2, "follower", 5)
  r:crash(2):start(2, 1, 1, { 1, 1, 1 })
  lu.assertNil(r.violation)
end

function tests.test_MonotonicCommit()
  local r = settled()
  for id = 1, 2 do
    r:durable(id, 4, { 1, 1, 1, 1 }):commit(id, 4, id == 1)
  end
  assert_violated(r:commit(2, 3), "monotonic commit", 2)
end

function tests.test_StateMachineSafety_WhatNoLeaderHasCommitted()
  local r = settled()
  r:durable(2, 4, { 1, 1, 1, 1 })
  assert_violated(r:commit(2, 4), "state machine safety", 2)
  r = settled { gaps = true }
  r:durable(2, 4, { 1, 1, 1, 1 })
  lu.assertNil(r:commit(2, 4).violation)
end

function tests.test_MonotonicCommit_ARestartBeginsAnew()
  local r = settled()
  r:crash(2):start(2, 1, 1, { 1, 1, 1 }):commit(2, 1)
  lu.assertNil(r.violation)
end

function tests.test_OneVote()
  local r = settled()
  r:vote(3, 2, 4)
  assert_violated(r:vote(3, 1, 4), "one vote in a term", 3)
end

function tests.test_OneVote_TheSameAgainIsFine()
  local r = settled()
  r:vote(3, 2, 4):vote(3, 2, 4):vote(3, 1, 5)
  lu.assertNil(r.violation)
end

function tests.test_OneVote_AcrossACrash()
  local r = settled()
  r:vote(3, 2, 4):state(3, 4, 2)
  r:crash(3)
  assert_violated(r:start(3, 4, 1, { 1, 1, 1 }), "one vote in a term", 3)
end

function tests.test_OneVote_ForgottenAcrossACrash()
  local r = settled()
  r:vote(3, 2, 4):state(3, 4, 2)
  r:crash(3)
  assert_violated(r:start(3, 4, 0, { 1, 1, 1 }), "one vote in a term", 3)
end

function tests.test_OneVote_AnsweredBeforeItIsDurable()
  local r = settled()
  r:vote(3, 2, 4):role(3, "follower", 4)
  r:event("send", 3, { peer = 2, term = 4, message = "vote_response" })
  assert_violated(r, "one vote in a term", 3)
end

function tests.test_OneVote_AnsweredWhenItIsDurableIsFine()
  local r = settled()
  r:vote(3, 2, 4):state(3, 4, 2):event("send", 3, { peer = 2, term = 4, message = "vote_response" })
  lu.assertNil(r.violation)
end

function tests.test_OneVote_AskedForBeforeItsOwnIsDurable()
  local r = settled()
  r:role(3, "candidate", 4):vote(3, 3, 4)
  r:event("send", 3, { peer = 2, term = 4, message = "vote", prev_index = 3, prev_term = 1 })
  assert_violated(r, "one vote in a term", 3)
end

function tests.test_OneVote_AskedForWhenItsOwnIsDurableIsFine()
  local r = settled()
  r:role(3, "candidate", 4):vote(3, 3, 4):state(3, 4, 3)
  r:event("send", 3, { peer = 2, term = 4, message = "vote", prev_index = 3, prev_term = 1 })
  lu.assertNil(r.violation)
end

function tests.test_MatchIsTrue_AskedWithALogThatIsNotDurable()
  local r = settled()
  r:role(3, "candidate", 4):vote(3, 3, 4):state(3, 4, 3)
  r:event("send", 3, { peer = 2, term = 4, message = "vote", prev_index = 4, prev_term = 1 })
  assert_violated(r, "match index is true", 3)
end

-- While the request waits for the disk another becomes leader in that term and cuts its log off: it asks for nothing
-- any more, and then its log is not what it was.
function tests.test_MatchIsTrue_AskedWithALogThatWasCutOff()
  local r = settled()
  r:append(3, 4, { 1, 1, 1, 3 }):role(3, "candidate", 4):vote(3, 3, 4):state(3, 4, 3)
  r:role(3, "follower", 4):truncate(3, 4, 4)
  r:event("send", 3, { peer = 2, term = 4, message = "vote", prev_index = 4, prev_term = 3 })
  lu.assertNil(r.violation)
  r:role(3, "candidate", 5):vote(3, 3, 5):state(3, 5, 3)
  r:event("send", 3, { peer = 2, term = 5, message = "vote", prev_index = 4, prev_term = 3 })
  assert_violated(r, "match index is true", 3)
end

function tests.test_CommitOwnTerm()
  local r = run()
  for id = 1, 3 do
    r:start(id, 2, 0, { 1, 2 })
  end
  r:role(1, "leader", 4)
  assert_violated(r:commit(1, 2, true, 2), "commit by counting only in the own term", 1)
end

function tests.test_CommitOwnTerm_AFollowerMay()
  local r = run()
  for id = 1, 3 do
    r:start(id, 2, 0, { 1, 2 })
  end
  r:role(1, "leader", 4):append(1, 3, { 1, 2, 4 }):append(2, 3, { 1, 2, 4 })
  r:commit(1, 3, true):commit(2, 2)
  lu.assertNil(r.violation)
end

function tests.test_MatchIsTrue_BeyondThePeersDisk()
  local r = settled()
  r:append(1, 4, { 1, 1, 1, 1 }):append(2, 4, { 1, 1, 1, 1 }):write(2, 4, 4) -- and no sync
  assert_violated(r:event("match", 1, { peer = 2, index = 4 }), "match index is true", 1, 2)
end

function tests.test_MatchIsTrue_AnotherEntryThere()
  local r = run()
  r:start(1, 3, 0, { 1, 3 }):start(2, 3, 0, { 1, 2 })
  r:role(1, "leader", 4)
  assert_violated(r:event("match", 1, { peer = 2, index = 2 }), "match index is true", 1, 2)
end

function tests.test_MatchIsTrue_AcknowledgedBeforeItIsDurable()
  local r = settled()
  r:append(2, 4, { 1, 1, 1, 1 }):write(2, 4, 4)
  assert_violated(r:event("send", 2, { peer = 1, term = 1, index = 4, message = "append_response" }),
    "match index is true", 2)
end

function tests.test_CommittedIsKept_Truncated()
  assert_violated(settled():truncate(2, 3, 3), "committed entries are kept", 2)
end

-- Index 4 of term 2 is on 2 and 5. Node 1 leads term 3 without it, and 2 has heard of that; then 5 leads term 4, and
-- commits it together with index 5 on 3, 4 and 5.
local function committed_beside_node_2()
  local r = run()
  for id = 1, 5 do
    r:start(id, 2, 0, (id == 2 or id == 5) and { 1, 1, 1, 2 } or { 1, 1, 1 })
  end
  r:role(1, "leader", 3):append(1, 4, { 1, 1, 1, 3 })
  r:role(2, "follower", 3)
  r:role(5, "leader", 4):append(5, 5, { 1, 1, 1, 2, 4 })
  for id = 3, 4 do
    r:role(id, "follower", 4):append(id, 4, { 1, 1, 1, 2, 4 })
  end
  r:commit(5, 5, true)
  lu.assertNil(r.violation)
  return r
end

function tests.test_CommittedIsKept_AnOlderLeadersLateMessageMayReplaceWhatWasNotCounted()
  local r = committed_beside_node_2()
  r:truncate(2, 4, 4):append(2, 4, { 1, 1, 1, 3 })
  lu.assertNil(r.violation)
  r:role(2, "follower", 4):truncate(2, 4, 4):append(2, 4, { 1, 1, 1, 2, 4 }):commit(2, 5)
  lu.assertNil(r.violation)
end

function tests.test_CommittedIsKept_NotOnceItHasHeardOfTheTermThatCommittedIt()
  assert_violated(committed_beside_node_2():role(2, "follower", 4):truncate(2, 4, 4), "committed entries are kept", 2)
  assert_violated(committed_beside_node_2():role(2, "follower", 5):append(2, 4, { 1, 1, 1, 3 }),
    "committed entries are kept", 2)
end

-- Of those that were counted each has heard of that term, and knows of no commit yet.
function tests.test_CommittedIsKept_TheLastCommittedEntryWhereItWasCounted()
  assert_violated(committed_beside_node_2():truncate(3, 5, 5), "committed entries are kept", 3)
end

function tests.test_CommittedIsKept_ForgottenAtARestart()
  local r = settled()
  r:crash(2)
  assert_violated(r:start(2, 1, 1, { 1, 1 }), "committed entries are kept", 2)
end

function tests.test_CommittedIsKept_WhatWasNotDurableMayBeLost()
  local r = settled()
  r:append(2, 4, { 1, 1, 1, 1 }):write(2, 4, 4)
  r:crash(2):start(2, 1, 1, { 1, 1, 1 })
  lu.assertNil(r.violation)
end

function tests.test_SameAnswers()
  local r = settled()
  for id = 1, 2 do
    r:durable(id, 4, { 1, 1, 1, 1 }):commit(id, 4, id == 1)
  end
  r:apply(1, 4, 1, 7)
  assert_violated(r:apply(2, 4, 1, 8), "machines answer alike")
end

function tests.test_SameAnswers_AfterARestart()
  local r = settled()
  r:crash(2):start(2, 1, 1, { 1, 1, 1 }):commit(2, 3)
  assert_violated(r:apply(2, 1, 1, 999), "machines answer alike")
end

-- ---- where events may be missing -------------------------------------------------------------------

-- The same run is judged or not, by whether events may be missing in it.
local function only_without_gaps(property, what, ...)
  assert_violated(what(settled()), property, ...)
  lu.assertNil(what(settled { gaps = true }).violation)
end

function tests.test_WithGaps_ALogMayGoOnFurtherThanItWasSeen()
  only_without_gaps("log matching", function(r)
    return r:event("append", 2, { first = 6, last = 6, entries = { { term = 1, hash = 5 } } })
  end, 2)
end

function tests.test_WithGaps_ACommitMayBeBeyondWhatWasSeenOfTheLog()
  only_without_gaps("state machine safety", function(r)
    return r:commit(2, 4)
  end, 2)
end

function tests.test_WithGaps_APeersSyncMayBeMissing()
  only_without_gaps("match index is true", function(r)
    r:append(1, 4, { 1, 1, 1, 1 }):append(2, 4, { 1, 1, 1, 1 }):write(2, 4, 4)
    return r:event("match", 1, { peer = 2, index = 4 })
  end, 1, 2)
end

function tests.test_WithGaps_WhatWasSeenIsJudgedAsEver()
  local gaps = { gaps = true }
  assert_violated(settled(gaps):role(2, "leader", 1), "election safety", 1, 2)
  assert_violated(settled(gaps):truncate(2, 3, 3), "committed entries are kept", 2)
  assert_violated(settled(gaps):append(1, 4, { 1, 1, 1, 1 }):append(2, 4, { 1, 1, 1, 1 }, 99), "log matching", 1, 2)
end

-- Node 1 leads term 4 and takes entry 2 of term 3 to be on the disk of node 2, where one of term 2 was seen.
local function claimed(options)
  local r = run(options):start(1, 3, 0, { 1, 3 }):start(2, 3, 0, { 1, 2 }):role(1, "leader", 4)
  return r:event("match", 1, { peer = 2, index = 2 })
end

function tests.test_WithGaps_AMatchIsJudgedOnceItIsKnownWhatThePeerHad()
  local gaps = { gaps = true }
  assert_violated(claimed(), "match index is true", 1, 2)
  for _, tell in ipairs {
    function(r) return r:role(2, "follower", 5) end, function(r) return r:start(2, 4, 0, { 1, 2 }) end,
    function(r) return r:start(2, 4, 0, { 1 }) end,
  } do
    local r = claimed(gaps):role(2, "follower", 4)
    lu.assertNil(r.violation)
    assert_violated(tell(r), "match index is true", 1, 2)
  end
  local r = claimed(gaps):role(2, "follower", 4):append(2, 3, { 1, 2, 2 }):write(2, 3, 3):sync(2)
  r:event("send", 2, { peer = 1, message = "append_response", term = 4, index = 3 })
  assert_violated(r, "match index is true", 1, 2)
end

function tests.test_WithGaps_AMatchMayBeToldBeforeWhatMakesItTrue()
  local gaps = { gaps = true }
  local r = claimed(gaps):role(2, "follower", 4):truncate(2, 2, 2):durable(2, 2, { 1, 3 })
  r:event("send", 2, { peer = 1, message = "append_response", term = 4, index = 2 }):role(2, "follower", 5)
  lu.assertNil(r.violation)
  lu.assertNil(claimed(gaps):crash(2):start(2, 4, 0, { 1, 3 }).violation)
  lu.assertNil(claimed(gaps):crash(2):start(2, 5, 0, { 1, 2 }).violation) -- it may have been replaced
end

-- Behind a gap nothing is known of what was before, so an entry there is held against its own place only.
function tests.test_WithGaps_BehindOneTheSameEntryIsStillExpected()
  local r = settled { gaps = true }
  r:append(1, 4, { 1, 1, 1, 1, 1, 1 })
  r:event("append", 2, { first = 6, last = 6, entries = { { term = 1, hash = 5 } } })
  assert_violated(r, "log matching", 1, 2)
end

-- ---- how it reports -----------------------------------------------------------------------------

function tests.test_OnlyTheFirstIsReported()
  local r = settled()
  r:role(2, "leader", 1)
  r:commit(3, 1)
  lu.assertEquals(r.violation.property, "election safety")
end

clusters.in_both(tests, "AQuietRunHasNoViolation", { nodes = 5 }, function(c)
  for i = 1, 20 do
    assert(c:set("key", i))
  end
  c:crash(c:check_one_leader())
  c:check_one_leader()
  assert(c:set("key", "end"))
end)

-- What is told by hand may be anything: it is refused, not taken for a fault of ours.
function tests.test_EventsThatAreNoneAreRefused()
  local checker = require("raft").core.checker()
  for _, wrong in ipairs {
    { kind = "append", node = 1, term = 1, first = 1, last = 2 ^ 53 - 1 },
    { kind = "append", node = 1, term = 1, first = 5, last = 2 },
    { kind = "append", node = 1, term = 1, last = 2 },
    { kind = "append", node = 1, term = 1, first = 1, last = 3, entries = { { term = 1, hash = 1 } } },
    { kind = "commit", node = 1, index = 2 ^ 40 }, { kind = "apply", node = 1, index = -1 },
    { kind = "role", node = 1, term = -1, role = "leader" },
  } do
    lu.assertErrorMsgContains("bad argument 'event'", checker.event, checker, wrong)
  end
  lu.assertNil(checker:event { kind = "role", node = 1, term = 1, role = "follower" })
end

function tests.test_ASnapshotBeforeAnyTermDoesNoHarm()
  local r = run():event("start", 1, { commit = 3, prev_term = 1, first = 4, last = 3 })
  lu.assertNil(r:event("install", 1, { index = 3 }):event("restore", 1, { index = 3 }).violation)
end

return tests
