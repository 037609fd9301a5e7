-- The invariant checker on what a server does about a message: its term, what it answers to candidates, and what a
-- leader makes of answers. Each rule broken, and kept.
local lu = require "luaunit"
local told = require "spec.support.told"

local assert_violated, run, settled = told.assert_violated, told.run, told.settled

local tests = {}

local function receive(r, node, from, message, fields)
  fields.peer, fields.message = from, message
  return r:event("receive", node, fields)
end

local function send(r, node, to, message, term, reject)
  return r:event("send", node, { peer = to, message = message, term = term, reject = reject })
end

-- ---- terms --------------------------------------------------------------------------------------------------

local BEGINS = "a term begins with a candidate"

function tests.test_TermByCandidate_APreVoteChangesNoTerm()
  local r = receive(settled(), 2, 3, "pre_vote", { term = 2, prev_index = 3, prev_term = 1 })
  assert_violated(r:role(2, "follower", 2), BEGINS, 2)
end

function tests.test_TermByCandidate_NorDoesAGrantedOne()
  local r = receive(settled(), 2, 3, "pre_vote_response", { term = 2 })
  assert_violated(r:role(2, "follower", 2), BEGINS, 2)
  r = receive(settled(), 2, 3, "pre_vote_response", { term = 2, reject = true })
  lu.assertNil(r:role(2, "follower", 2).violation)
end

function tests.test_TermByCandidate_AnotherTermThanTheMessages()
  local r = receive(settled(), 2, 3, "vote", { term = 2, prev_index = 3, prev_term = 1 })
  assert_violated(r:role(2, "follower", 3), BEGINS, 2)
end

function tests.test_TermByCandidate_WhoCampaignsAndWhoHearsOfIt()
  local r = receive(settled(), 2, 3, "pre_vote_response", { term = 2 })
  r:role(2, "candidate", 2)
  receive(r, 3, 2, "vote", { term = 2, prev_index = 3, prev_term = 1 })
  lu.assertNil(r:role(3, "follower", 2).violation)
end

local FOLLOWED = "only the leader of the present term is followed"

-- Node 3 is in term 4, and hears of an entry that node 1 sent as leader of `term`.
local function heard(term)
  local r = settled():role(3, "candidate", 4):role(3, "follower", 4)
  return receive(r, 3, 1, "append", { term = term, prev_index = 3, prev_term = 1, entry_count = 1 })
end

function tests.test_PresentLeader()
  assert_violated(heard(1):append(3, 4, { 1, 1, 1, 1 }), FOLLOWED, 3, 1)
  lu.assertNil(heard(4):append(3, 4, { 1, 1, 1, 1 }).violation)
end

function tests.test_PresentLeader_ItsCommitIndexToo()
  local r = settled():append(1, 4, { 1, 1, 1, 1 }):append(3, 4, { 1, 1, 1, 1 }):role(3, "candidate", 4)
  receive(r, 3, 1, "append", { term = 1, prev_index = 4, prev_term = 1, commit = 4 })
  assert_violated(r:commit(3, 4), FOLLOWED, 3, 1)
end

function tests.test_PresentLeader_WhatASnapshotBrings()
  local r = settled():append(1, 4, { 1, 1, 1, 1 }):commit(1, 4, true):role(3, "candidate", 4)
  receive(r, 3, 1, "append", { term = 1, prev_index = 4, prev_term = 1, commit = 4 })
  r:event("install", 3, { index = 4, prev_term = 1 })
  lu.assertNil(r:commit(3, 4).violation)
end

-- A late message that is refused, and then the disk has the snapshot that was received before (chaos 8010077).
function tests.test_PresentLeader_WhatFollowsARefusal()
  local function late()
    local r = settled():append(3, 4, { 1, 1, 1, 1 }):role(3, "candidate", 4):role(3, "follower", 4)
    return receive(r, 3, 1, "append", { term = 1, prev_index = 3, prev_term = 1 })
  end
  local cut = { first = 4, last = 4 }
  lu.assertNil(send(late(), 3, 1, "append_response", 4, true):event("truncate", 3, cut).violation)
  assert_violated(late():event("truncate", 3, cut), FOLLOWED, 3, 1)
end

function tests.test_PresentLeader_WhoLeadsAppendsByItself()
  local r = receive(settled(), 1, 3, "append", { term = 0, prev_index = 3, prev_term = 1 })
  lu.assertNil(r:append(1, 4, { 1, 1, 1, 1 }).violation)
end

-- ---- candidates ---------------------------------------------------------------------------------------------

local REASON = "a vote is refused only for a reason"

local function asked(r, term, index, last_term)
  receive(r, 3, 2, "vote", { term = term, prev_index = index, prev_term = last_term })
  return r
end

function tests.test_VoteRefusal()
  local r = asked(settled(), 2, 3, 1):role(3, "follower", 2)
  assert_violated(send(r, 3, 2, "vote_response", 2, true), REASON, 3, 2)
end

function tests.test_VoteRefusal_AStaleTerm()
  local r = settled():role(3, "candidate", 3)
  lu.assertNil(send(asked(r, 2, 3, 1), 3, 2, "vote_response", 3, true).violation)
end

function tests.test_VoteRefusal_AnotherHasTheVote()
  local r = asked(settled(), 2, 3, 1):role(3, "follower", 2):vote(3, 1, 2)
  lu.assertNil(send(r, 3, 2, "vote_response", 2, true).violation)
end

function tests.test_VoteRefusal_ALessCompleteLog()
  for _, log in ipairs { { 2, 1 }, { 0, 0 } } do
    local r = asked(settled(), 2, log[1], log[2]):role(3, "follower", 2)
    lu.assertNil(send(r, 3, 2, "vote_response", 2, true).violation)
  end
end

local ANSWER = "a pre-vote is answered by term and log"

local function asked_before(term, index, last_term)
  return receive(settled(), 3, 2, "pre_vote", { term = term, prev_index = index, prev_term = last_term })
end

function tests.test_PreVoteAnswer_RefusedForNothing()
  assert_violated(send(asked_before(2, 3, 1), 3, 2, "pre_vote_response", 1, true), ANSWER, 3, 2)
end

function tests.test_PreVoteAnswer_GrantedToALogThatLacksSomething()
  assert_violated(send(asked_before(2, 2, 1), 3, 2, "pre_vote_response", 2), ANSWER, 3, 2)
  lu.assertNil(send(asked_before(2, 2, 1), 3, 2, "pre_vote_response", 1, true).violation)
end

function tests.test_PreVoteAnswer_GrantedForATermThatIsNotLater()
  assert_violated(send(asked_before(1, 3, 1), 3, 2, "pre_vote_response", 1), ANSWER, 3, 2)
  lu.assertNil(send(asked_before(1, 3, 1), 3, 2, "pre_vote_response", 1, true).violation)
end

function tests.test_PreVoteAnswer_AGrantNamesTheTermThatWasAskedAbout()
  assert_violated(send(asked_before(5, 3, 1), 3, 2, "pre_vote_response", 1), ANSWER, 3, 2)
  lu.assertNil(send(asked_before(5, 3, 1), 3, 2, "pre_vote_response", 5).violation)
end

-- ---- match --------------------------------------------------------------------------------------------------

local RISES = "a match index never goes back"

local function match(r, index)
  return r:event("match", 1, { peer = 2, index = index })
end

function tests.test_MatchRises()
  local r = settled() -- told of 3
  assert_violated(match(r, 2), RISES, 1, 2)
  assert_violated(match(settled(), 3), RISES, 1, 2)
end

function tests.test_MatchRises_AnewInAnotherTerm()
  local r = settled()
  for id = 1, 3 do
    r:vote(id, 1, 2):state(id, 2, 1)
  end
  lu.assertNil(match(r:role(1, "leader", 2), 3).violation)
end

-- Node 1 leads, the only voter. The learner 2 is told to match up to 3, removed, told of again while it leaves, added
-- again.
local function removed_and_added()
  local with, without = { index = 0, voters = { 1 }, learners = { 2 } }, { index = 4, voters = { 1 } }
  local again = { index = 5, voters = { 1 }, learners = { 2 } }
  local r = run():start(1, 1, 1, { 1, 1, 1 }, { with }):role(1, "leader", 1):commit(1, 3, true)
  match(r, 3):append(1, 4, { 1, 1, 1, 1 }, nil, { without }):members(1, without):write(1, 4, 4):sync(1)
  match(r, 4):commit(1, 4, true)
  return r:append(1, 5, { 1, 1, 1, 1, 1 }, nil, { again }):members(1, again)
end

function tests.test_MatchRises_AnewForOneThatWasRemovedAndAddedAgain()
  local r = match(removed_and_added(), 2)
  lu.assertNil(r.violation)
  assert_violated(match(r, 2), RISES, 1, 2)
end

return tests
