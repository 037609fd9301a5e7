-- The core's rules of elections, on bare replicas.
local lu = require "luaunit"
local core = require("raft").core
local replicas = require "spec.support.replicas"

local tests = {}
local MS = replicas.MS

local function vote_request(from, to, term, last_index, last_term)
  return { kind = "vote", from = from, to = to, term = term, prev_index = last_index, prev_term = last_term }
end

local function answer(net, from)
  return net:take("vote_response", from)[1]
end

function tests.test_StartsAsAFollowerThatKnowsNoLeader()
  local net = replicas.new(3)
  local status = net:status(1)
  lu.assertEquals({ status.role, status.term, status.leader, status.last_index }, { "follower", 0, 0, 0 })
end

function tests.test_TimeoutsAreDrawnBetweenTheBoundsFromTheSeed()
  local seen, distinct = {}, 0
  for seed = 1, 50 do
    local deadlines = {}
    for i = 1, 2 do
      local replica = core.replica { id = 1, voters = { 1, 2, 3 }, seed = seed }
      deadlines[i] = replica:step({ kind = "tick", now_ns = 0 }).deadline_ns
    end
    lu.assertEquals(deadlines[2], deadlines[1])
    lu.assertTrue(deadlines[1] >= 150 * MS and deadlines[1] <= 300 * MS)
    distinct = distinct + (seen[deadlines[1]] and 0 or 1)
    seen[deadlines[1]] = true
  end
  lu.assertTrue(distinct > 40)
end

function tests.test_CollisionsDrawTheMinimum()
  for seed = 1, 20 do
    local replica = core.replica { id = 1, voters = { 1, 2, 3 }, seed = seed, election_collisions = 1 }
    lu.assertEquals(replica:step({ kind = "tick", now_ns = 0 }).deadline_ns, 150 * MS)
  end
end

function tests.test_OneVoterAloneLeadsOnceItsVoteIsDurable()
  local net = replicas.new(1)
  net:slow(1)
  local update = net:campaign(1)
  lu.assertEquals({ update.persist.term, update.persist.vote }, { 1, 1 })
  lu.assertNotEquals(net:status(1).role, "leader")
  net:persisted(1)
  lu.assertEquals(net:status(1).role, "leader")
  lu.assertEquals(net:status(1).term, 1)
end

function tests.test_ACandidateIsElectedByAMajority()
  local net = replicas.new(5, replicas.still)
  net:campaign(1)
  lu.assertEquals(net:status(1).role, "candidate")
  for _, voter in ipairs { 2, 3 } do
    lu.assertEquals(net:status(1).role, "candidate")
    net:receive(net:take("vote", 1, voter)[1])
    net:receive(answer(net, voter))
  end
  lu.assertEquals(net:status(1).role, "leader")
end

function tests.test_AnAnswerThatIsRepeatedCountsOnce()
  local net = replicas.new(5, replicas.still)
  net:campaign(1)
  net:receive(net:take("vote", 1, 2)[1])
  local granted = answer(net, 2)
  for _ = 1, 5 do
    net:receive(granted)
  end
  lu.assertEquals(net:status(1).role, "candidate")
end

-- Four need three: half is no majority.
function tests.test_HalfIsNoMajority()
  local net = replicas.new(4, replicas.still)
  net:campaign(1)
  net:receive(net:take("vote", 1, 2)[1])
  net:receive(answer(net, 2))
  lu.assertEquals(net:status(1).role, "candidate")
  net:receive(net:take("vote", 1, 3)[1])
  net:receive(answer(net, 3))
  lu.assertEquals(net:status(1).role, "leader")
end

-- The candidate's own term and vote are on disk before it asks anybody.
function tests.test_ACandidateAsksOnlyOnceItsOwnVoteIsDurable()
  local net = replicas.new(3, replicas.still)
  net:slow(1)
  local update = net:campaign(1)
  lu.assertTrue(update.persist.hard_state)
  lu.assertEquals({ update.persist.term, update.persist.vote }, { 1, 1 })
  lu.assertEquals(#net:under_way("vote"), 0)
  net:persisted(1)
  lu.assertEquals(#net:under_way("vote"), 2)
end

function tests.test_AVoteIsAnsweredOnlyOnceItIsDurable()
  local net = replicas.new(3, replicas.still)
  net:slow(2)
  local update = net:step(2, { kind = "message", message = vote_request(1, 2, 1, 0, 0) })
  lu.assertTrue(update.voted)
  lu.assertEquals({ update.persist.term, update.persist.vote }, { 1, 1 })
  lu.assertNil(answer(net, 2))
  net:persisted(2)
  lu.assertFalse(answer(net, 2).reject)
end

function tests.test_OneVoteInATerm()
  local net = replicas.new(3, replicas.still)
  net:receive(vote_request(1, 2, 1, 0, 0))
  lu.assertFalse(answer(net, 2).reject)
  net:receive(vote_request(3, 2, 1, 0, 0))
  lu.assertTrue(answer(net, 2).reject)
  net:receive(vote_request(1, 2, 1, 0, 0)) -- the same again: its answer may have been lost
  lu.assertFalse(answer(net, 2).reject)
  net:receive(vote_request(3, 2, 2, 0, 0))
  lu.assertFalse(answer(net, 2).reject)
  lu.assertEquals(net:status(2).vote, 3)
end

function tests.test_AVoteSurvivesARestart()
  local net = replicas.new(3, replicas.still, { [2] = { term = 4, vote = 1 } })
  net:receive(vote_request(3, 2, 4, 9, 3))
  lu.assertTrue(answer(net, 2).reject)
  net:receive(vote_request(1, 2, 4, 9, 3))
  lu.assertFalse(answer(net, 2).reject)
end

-- Falling back to follower in the same term does not take the vote back (CCF #5891, etcd #2461).
function tests.test_SteppingDownInTheSameTermKeepsTheVote()
  local net = replicas.new(3, replicas.still)
  net:campaign(1)
  net:lose()
  net:receive({ kind = "append", from = 2, to = 1, term = 1 })
  lu.assertEquals(net:status(1).role, "follower")
  lu.assertEquals(net:status(1).vote, 1)
  net:receive(vote_request(3, 1, 1, 0, 0))
  lu.assertTrue(answer(net, 1).reject)
end

-- Paper 5.4.1: first the last term, then the length.
function tests.test_VotesOnlyForLogsThatAreUpToDate()
  local cases = { -- last index and term of the candidate; granted?
    { 3, 2, true }, { 4, 2, true }, { 2, 2, false }, { 9, 1, false }, { 1, 3, true }, { 0, 0, false },
  }
  for _, case in ipairs(cases) do
    local net = replicas.new(3, replicas.still, { [2] = { term = 3, log = replicas.log { 1, 2, 2 } } })
    net:receive(vote_request(1, 2, 4, case[1], case[2]))
    lu.assertEquals(not answer(net, 2).reject, case[3], lu.prettystr(case))
    lu.assertEquals(net:status(2).term, 4) -- the term is taken in any case
  end
end

function tests.test_AnOldTermIsRefusedWithTheNewOne()
  local net = replicas.new(3, replicas.still, { [2] = { term = 5 } })
  net:receive(vote_request(1, 2, 4, 9, 4))
  local response = net:take("vote_response", 2)[1]
  if response then
    lu.assertTrue(response.reject)
    lu.assertEquals(response.term, 5)
  end
  lu.assertEquals(net:status(2).term, 5)
  lu.assertEquals(net:status(2).vote, 0)
end

function tests.test_AHigherTermMakesAFollowerOfALeader()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  net:receive({ kind = "append_response", from = 2, to = 1, term = 7, index = 1 })
  local status = net:status(1)
  lu.assertEquals({ status.role, status.term, status.vote }, { "follower", 7, 0 })
end

function tests.test_ACandidateYieldsToTheLeaderOfItsTerm()
  local net = replicas.new(3, replicas.still)
  net:campaign(1)
  net:lose()
  net:receive({ kind = "append", from = 3, to = 1, term = 1 })
  local status = net:status(1)
  lu.assertEquals({ status.role, status.leader }, { "follower", 3 })
end

function tests.test_ASplitVoteIsTriedAgainInALaterTerm()
  local net = replicas.new(2, { pre_vote = false, check_quorum = false })
  net:campaign(1)
  net:campaign(2)
  net:settle()
  for id = 1, 2 do
    lu.assertNotEquals(net:status(id).role, "leader")
    lu.assertEquals({ net:status(id).term, net:status(id).vote }, { 1, id })
  end
  net:run(3000 * MS)
  local leaders = 0
  for id = 1, 2 do
    leaders = leaders + (net:status(id).role == "leader" and 1 or 0)
    lu.assertTrue(net:status(id).term >= 2)
  end
  lu.assertEquals(leaders, 1)
end

-- ---- pre-vote (dissertation 9.6) ----------------------------------------------------------------

function tests.test_APreVoteRaisesNobodysTerm()
  local net = replicas.new(3, { check_quorum = false })
  net:campaign(1)
  lu.assertEquals({ net:status(1).role, net:status(1).term }, { "pre_candidate", 0 })
  local asked = net:under_way("pre_vote")
  lu.assertEquals(#asked, 2)
  lu.assertEquals(asked[1].term, 1) -- the term that it would have
  local update = net:receive(asked[1])
  lu.assertNil(update.persist)
  lu.assertEquals(net:status(2).term, 0)
  lu.assertEquals(net:status(2).vote, 0)
end

function tests.test_APreVoteThatIsWonBecomesAnElection()
  local net = replicas.new(3)
  net:campaign(1)
  net:settle()
  lu.assertEquals({ net:status(1).role, net:status(1).term }, { "leader", 1 })
end

function tests.test_PreVotesAreGrantedToMany()
  local net = replicas.new(3, { check_quorum = false })
  for _, candidate in ipairs { 1, 3 } do
    net:receive({ kind = "pre_vote", from = candidate, to = 2, term = 1 })
    lu.assertFalse(net:take("pre_vote_response", 2)[1].reject)
  end
end

function tests.test_APreVoteForAShorterLogIsRefused()
  local net = replicas.new(3, {}, { [2] = { term = 2, log = replicas.log { 1, 2 } } })
  net:receive({ kind = "pre_vote", from = 1, to = 2, term = 9, prev_index = 5, prev_term = 1 })
  local response = net:take("pre_vote_response", 2)[1]
  lu.assertTrue(response.reject)
  lu.assertEquals(response.term, 2) -- the responder's own
end

-- It asks about a term that the voter has been in already: an election there could no longer be won.
function tests.test_APreVoteForAPresentOrPastTermIsRefused()
  for term = 2, 8 do
    local net = replicas.new(3, {}, { [2] = { term = 6, log = replicas.log { 1 } } })
    net:receive({ kind = "pre_vote", from = 1, to = 2, term = term, prev_index = 9, prev_term = 1 })
    local response = net:take("pre_vote_response", 2)[1]
    lu.assertEquals(not response.reject, term > 6, "asked about term " .. term)
    lu.assertEquals(response.term, math.max(term, 6)) -- the one granted, or the voter's own
    lu.assertEquals(net:status(2).term, 6)
  end
end

-- Learning a higher term from a refusal helps a node whose own is old (canonical/raft #279).
function tests.test_ARefusedPreVoteTellsTheHigherTerm()
  local net = replicas.new(3, {}, { [2] = { term = 7 } })
  net:receive({ kind = "pre_vote_response", from = 2, to = 1, term = 7, reject = true })
  lu.assertEquals(net:status(1).term, 7)
end

-- A long log of a low term against a short one of a high term (etcd #8243, #8501).
function tests.test_MixedLogsDoNotDeadlockPreVotes()
  local net = replicas.new(3, {}, {
    [1] = { term = 2, log = replicas.log { 1, 1, 1, 1, 1, 1 } },
    [2] = { term = 9, log = replicas.log { 1, 2 } },
  })
  net:isolate(3) -- so that both are needed, and only 2 can win
  net:run(1500 * MS)
  lu.assertEquals(net:status(2).role, "leader")
  lu.assertEquals(net:terms(1), net:terms(2))
end

-- ---- check-quorum (dissertation 6.2, 4.2.3) -----------------------------------------------------

function tests.test_ALeaderWithoutItsQuorumStepsDown()
  local net = replicas.new(3, { pre_vote = false })
  net:elect(1)
  local term = net:status(1).term
  net:pass(350 * MS, 1) -- it hears nobody for the longest election timeout
  lu.assertNotEquals(net:status(1).role, "leader")
  lu.assertTrue(net:status(1).term <= term + 1)
end

function tests.test_WithoutCheckQuorumItLeadsOn()
  local net = replicas.new(3, { check_quorum = false })
  net:elect(1)
  net:pass(5000 * MS, 1)
  lu.assertEquals(net:status(1).role, "leader")
end

function tests.test_ALeaderThatHearsHalfOfTheOthersStays()
  local net = replicas.new(3)
  net:elect(1)
  net:cut(1, 3)
  net:cut(3, 1)
  net:run(2000 * MS)
  lu.assertEquals(net:status(1).role, "leader")
end

function tests.test_VotersThatHearALeaderIgnoreCandidates()
  local net = replicas.new(3)
  net:elect(1)
  local term = net:status(1).term
  for _, voter in ipairs { 1, 2 } do
    net:receive({ kind = "vote", from = 3, to = voter, term = term + 5, prev_index = 99, prev_term = term + 4 })
    lu.assertEquals(net:status(voter).term, term)
    net:receive({ kind = "pre_vote", from = 3, to = voter, term = term + 5, prev_index = 99, prev_term = term + 4 })
    for _, response in ipairs(net:take("pre_vote_response", voter)) do
      lu.assertTrue(response.reject)
    end
  end
  lu.assertEquals(net:status(1).role, "leader")
end

-- Minority of seed 1124: the vote of a leader that was cut off long ago is needed, and where leaders do not look for
-- their quorum nothing else deposes it.
function tests.test_WhoHasSeenALaterTermIsNotHeldBackByAnOldLeader()
  for _, check_quorum in ipairs { true, false } do
    local net = replicas.new(3, { check_quorum = check_quorum })
    net:elect(1)
    local term = net:status(1).term
    local ask = { kind = "pre_vote", from = 3, to = 1, term = term + 2, prev_index = 99, prev_term = term }
    net:receive(ask)
    local response = net:take("pre_vote_response", 1)[1]
    lu.assertEquals(response and not response.reject or false, not check_quorum)
    lu.assertEquals(net:status(1).term, term)
    ask.term = term + 1
    net:receive(ask)
    lu.assertNil(net:take("pre_vote_response", 1)[1])
  end
end

function tests.test_ForceOverridesThat()
  local net = replicas.new(3)
  net:elect(1)
  local term = net:status(1).term
  net:campaign(3, true)
  net:settle()
  lu.assertEquals({ net:status(3).role, net:status(3).term }, { "leader", term + 1 })
  lu.assertEquals(net:status(1).role, "follower")
end

function tests.test_OnceTheLeaderIsSilentVotersVoteAgain()
  local net = replicas.new(3)
  net:elect(1)
  net:isolate(1)
  net:run(1000 * MS)
  lu.assertTrue(net:status(2).role == "leader" or net:status(3).role == "leader")
end

-- ---- who may vote -------------------------------------------------------------------------------

-- It may be a voter in a configuration that it has not yet seen (etcd #10998).
function tests.test_ALearnerVotesWhenAsked()
  local net = replicas.new({ 1, 2 }, replicas.still, { [2] = { voters = { 1 }, learners = { 2 } } })
  lu.assertEquals(net:status(2).role, "learner")
  net:receive(vote_request(1, 2, 1, 0, 0))
  lu.assertFalse(answer(net, 2).reject)
end

function tests.test_ANodeWithoutAConfigurationVotesAndNeverStands()
  local net = replicas.new({ 1, 2 }, { pre_vote = false }, { [2] = { voters = {} } })
  lu.assertEquals(net:status(2).role, "learner")
  net:pass(3000 * MS, 2)
  lu.assertEquals(net:status(2).term, 0)
  net:receive(vote_request(1, 2, 1, 0, 0))
  lu.assertFalse(answer(net, 2).reject)
end

-- A voter does not ask whether it knows the candidate (hashicorp/raft #477).
function tests.test_AStrangerGetsAVote()
  local net = replicas.new(3, replicas.still)
  net:receive(vote_request(9, 2, 1, 0, 0))
  lu.assertFalse(answer(net, 2).reject)
end

function tests.test_ALearnerNeverStands()
  local net = replicas.new({ 1, 2 }, {}, { [2] = { voters = { 1 }, learners = { 2 } } })
  net:pass(3000 * MS, 2)
  lu.assertEquals(net:status(2).role, "learner")
  lu.assertEquals(net:count(), 0)
end

return tests
