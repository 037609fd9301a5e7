-- The invariant checker: each property's violation is planted, and reported; what only looks like one
-- is not.
local lu = require "luaunit"
local core = require("raft").core
local clusters = require "spec.support.clusters"

local tests = {}

local STATE, ENTRIES = 1, 2

-- ---- a run told by hand -------------------------------------------------------------------------

local Run = {}
Run.__index = Run

local function run(options)
  return setmetatable({ checker = core.checker(options), time_ns = 0, sequence = {} }, Run)
end

function Run:event(kind, node, fields)
  local event = { kind = kind, node = node, time_ns = self.time_ns }
  self.time_ns = self.time_ns + 1000000
  for key, value in pairs(fields or {}) do
    event[key] = value
  end
  self.violation = self.checker:event(event)
  return self
end

-- Entries of these terms; the hash tells what is in them.
local function entries(terms, what)
  local list = {}
  for i, term in ipairs(terms) do
    list[i] = { term = term, hash = 1000003 * term + 7919 * i + (what or 0) + 1 }
  end
  return list
end

function Run:start(node, term, vote, terms, configurations)
  terms = terms or {}
  self.sequence[node] = 0
  return self:event("start", node, { term = term or 0, vote = vote or 0, first = 1, last = #terms,
    entries = entries(terms), configurations = configurations })
end

function Run:crash(node)
  return self:event("stop", node, { text = "crash" })
end

function Run:role(node, role, term)
  return self:event("role", node, { role = role, term = term })
end

function Run:vote(node, candidate, term, last, last_term)
  return self:event("vote", node, { peer = candidate, term = term, last = last, prev_term = last_term })
end

-- Hard state written and durable.
function Run:state(node, term, vote)
  self.sequence[node] = self.sequence[node] + 1
  self:event("write", node, { what = STATE, sequence = self.sequence[node], term = term, vote = vote })
  return self:event("sync", node, { what = STATE, sequence = self.sequence[node], term = term, vote = vote })
end

-- The log from `first` on is now of these terms (`all`: the whole log's, of which [first ..] is new).
function Run:append(node, first, all, what, configurations)
  local whole = entries(all, what)
  local new = {}
  for i = first, #whole do
    new[#new + 1] = whole[i]
  end
  return self:event("append", node, { first = first, last = #whole, entries = new, configurations = configurations })
end

-- It says that it goes by that configuration.
function Run:members(node, configuration)
  return self:event("members", node, { index = configuration.index, configurations = { configuration } })
end

function Run:write(node, first, last)
  self.sequence[node] = self.sequence[node] + 1
  return self:event("write", node, { what = ENTRIES, sequence = self.sequence[node], first = first, last = last })
end

function Run:sync(node)
  return self:event("sync", node, { what = ENTRIES, sequence = self.sequence[node] })
end

function Run:durable(node, first, all)
  return self:append(node, first, all):write(node, first, #all):sync(node)
end

function Run:commit(node, index, counted, entry_term)
  return self:event("commit", node, { index = index, flag = counted, prev_term = entry_term })
end

function Run:apply(node, index, term, answer, hash)
  return self:event("apply", node, { index = index, prev_term = term, flag = true, answer_hash = answer or 1,
    hash = hash or 0 })
end

function Run:truncate(node, first, last)
  return self:event("truncate", node, { first = first, last = last })
end

-- Three nodes of which 1 leads term 1; entries 1..3 are durable everywhere and committed.
local function settled(options)
  local r = run(options)
  for id = 1, 3 do
    r:start(id):vote(id, 1, 1):state(id, 1, 1)
  end
  r:role(1, "leader", 1)
  for id = 1, 3 do
    r:durable(id, 1, { 1, 1, 1 })
  end
  r:event("match", 1, { peer = 2, index = 3 })
  r:commit(1, 3, true):commit(2, 3):commit(3, 3)
  for id = 1, 3 do
    for index = 1, 3 do
      r:apply(id, index, 1, 100 + index)
    end
  end
  lu.assertNil(r.violation)
  return r
end

local function assert_violated(r, property, ...)
  lu.assertNotNil(r.violation, "no violation was seen")
  lu.assertEquals(r.violation.property, property)
  lu.assertIsString(r.violation.message)
  local told = {}
  for _, node in ipairs(r.violation.nodes) do
    told[node] = true
  end
  for _, node in ipairs { ... } do
    lu.assertTrue(told[node], ("node %d is not among those it tells of"):format(node))
  end
end

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
  r:durable(2, 4, { 1, 1, 1, 1 }):commit(2, 4)
  assert_violated(r:commit(2, 3), "monotonic commit", 2)
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

-- ---- what needs a majority ------------------------------------------------------------------------

-- Nodes 1 to `count` with a log of one entry of term 1 and that many voters. Node 1 has all votes of term 2 but those
-- that `without` names.
local function electing(count, without, configuration)
  local r = run()
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
local function leading(count, on)
  local r = electing(count):role(1, "leader", 2)
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

function Run:round(node, number)
  for peer = 2, 3 do
    self:event("send", node, { peer = peer, message = "read", sequence = number, term = 2 })
  end
  return self
end

function Run:answer(peer, number, fields)
  fields = fields or {}
  return self:event("receive", 1, { peer = peer, message = "read_response", sequence = number,
    term = fields.term or 2, reject = fields.reject })
end

function Run:confirm(first, last, index)
  return self:event("confirm", 1, { first = first, last = last or first, index = index or 2 })
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
  local r = leading(3, 2):commit(1, 1)
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
  local r = leading(3, 2):commit(1, 1)
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
  local r = run(gaps):start(1, 3, 0, { 1, 3 }):start(2, 3, 0, { 1, 2 }):role(1, "leader", 4)
  assert_violated(r:event("match", 1, { peer = 2, index = 2 }), "match index is true", 1, 2)
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

return tests
