-- The core's rules of handing leadership over (dissertation 3.10), on bare replicas.
local lu = require "luaunit"
local replicas = require "spec.support.replicas"

local tests = {}
local MS = replicas.MS

-- Replicas that start no election by themselves but know a time-out, and hold back for a live leader.
local timed = { election_timeout_min_ns = 150 * MS, election_timeout_max_ns = 300 * MS }

local function led(count, options)
  local net = replicas.new(count or 3, options or replicas.still)
  net:elect(1)
  net:submit(1, "settled")
  net:settle()
  net:heartbeat(1) -- all know that it is committed
  net:settle()
  return net
end

local function role(net, id)
  return net:status(id).role
end

function tests.test_ATargetThatIsLevelIsToldAtOnce()
  local net = led()
  local update = net:transfer(1, 2)
  lu.assertEquals(update.refusal, "accepted")
  lu.assertEquals(#net:under_way("timeout_now", 1, 2), 1)
  net:settle()
  lu.assertEquals({ role(net, 1), role(net, 2), role(net, 3) }, { "follower", "leader", "follower" })
  lu.assertEquals(net:status(2).term, 2)
  lu.assertEquals(net:status(1).leader, 2)
end

-- Voters that hear a live leader help all the same (braft #262), and no pre-vote is asked for.
function tests.test_ALiveLeaderDoesNotHoldTheTargetBack()
  local net = led(3, timed)
  net:transfer(1, 3)
  net:deliver_one("timeout_now")
  lu.assertEquals(role(net, 3), "candidate")
  lu.assertTrue(net:under_way("vote", 3, 2)[1].force)
  net:settle()
  lu.assertEquals(role(net, 3), "leader")
  lu.assertEquals(net:status(1).vote, 3)
end

function tests.test_ALaggingTargetIsCaughtUpFirst()
  local net = led()
  net:cut(1, 2)
  net:submit(1, "a")
  net:submit(1, "b")
  net:settle()
  net:heal()
  net:transfer(1, 2)
  lu.assertEquals(net:under_way("timeout_now"), {})
  net:heartbeat(1)
  net:heartbeat(1)
  net:settle()
  lu.assertEquals(role(net, 2), "leader")
  lu.assertEquals(#net:log(2), 5) -- with nothing lost: two empty entries, three commands
end

function tests.test_WritesAreRefusedMeanwhileAndTakenAgain()
  local net = led(3, timed)
  net:cut(1, 2)
  net:submit(1, "the target lacks this")
  net:settle()
  net:transfer(1, 2)
  lu.assertEquals(net:submit(1, "x").refusal, "transferring")
  lu.assertEquals(net:change(1, { voters = { 1, 2 } }).refusal, "transferring")
  lu.assertEquals(net:transfer(1, 3).refusal, "transferring")
  lu.assertEquals(net:transfer(1, 2).refusal, "accepted") -- the same once more
  net:pass(299 * MS, 1)
  lu.assertEquals(net:submit(1, "x").refusal, "transferring")
end

-- When one election time-out has passed the leader takes commands again.
local function gives_up(net)
  for _ = 1, 29 do
    net:pass(10 * MS, 1)
    net:settle()
    lu.assertEquals(net:status(1).transfer_target, 2)
    lu.assertEquals(net:submit(1, "x").refusal, "transferring")
  end
  net:pass(10 * MS, 1)
  lu.assertEquals({ role(net, 1), net:status(1).transfer_target }, { "leader", 0 })
  lu.assertEquals(net:submit(1, "again").refusal, "accepted")
  net:settle()
  lu.assertEquals(net:status(1).commit_index, net:status(1).last_index)
end

function tests.test_GivesUpATargetThatLags()
  local net = led(3, timed)
  net:cut(1, 2)
  net:submit(1, "lacking")
  net:settle()
  net:transfer(1, 2)
  gives_up(net)
end

-- It is told at each heartbeat, since a message may be lost.
function tests.test_GivesUpATargetThatIsTold()
  local net = led(3, timed)
  net:cut(1, 2)
  net:transfer(1, 2)
  lu.assertEquals(#net:under_way("timeout_now", 1, 2), 1)
  net:lose()
  net:heartbeat(1)
  lu.assertEquals(#net:under_way("timeout_now", 1, 2), 1)
  gives_up(net)
end

function tests.test_OnlyAnotherVoterCanTakeOver()
  local net = led()
  lu.assertEquals(net:transfer(2, 3).refusal, "not_leader")
  lu.assertEquals(net:transfer(1, 9).refusal, "no_voter")
  net:add(4, { voters = {}, election_timeout_min_ns = replicas.still.election_timeout_min_ns,
    election_timeout_max_ns = replicas.still.election_timeout_max_ns })
  net:change(1, { voters = { 1, 2, 3 }, learners = { 4 } })
  net:settle()
  lu.assertEquals(net:transfer(1, 4).refusal, "no_voter")
  lu.assertEquals(net:transfer(1, 1).refusal, "accepted") -- it leads: nothing to do
  lu.assertEquals(net:submit(1, "x").refusal, "accepted")
end

function tests.test_AloneThereIsNobody()
  local net = replicas.new(1, replicas.still)
  net:elect(1)
  lu.assertEquals(net:transfer(1).refusal, "no_voter")
end

-- Without a target: to the voter whose log is furthest, of those that answer.
function tests.test_TheFurthestIsChosen()
  local net = led(5, timed)
  net:cut(1, 2)
  net:cut(1, 4)
  net:submit(1, "not on 2 and 4")
  net:settle()
  net:heal()
  net:transfer(1)
  lu.assertEquals(net:status(1).transfer_target, 3)
end

function tests.test_OneThatDoesNotAnswerIsNotChosen()
  local net = led(3, timed)
  net:isolate(2)
  for _ = 1, 35 do
    net:pass(10 * MS, 1)
    net:settle()
  end
  net:transfer(1)
  lu.assertEquals(net:status(1).transfer_target, 3)
end

-- The target is removed meanwhile: the end of a change that had begun before.
function tests.test_GivesUpATargetThatIsRemoved()
  local net = led()
  net:change(1, { voters = { 1, 2 } })
  lu.assertEquals(net:transfer(1, 3).refusal, "no_voter") -- it is of the old set only
  net:settle()
  net = led()
  net:cut(1, 2)
  net:cut(1, 3)
  net:change(1, { voters = { 1, 2 } })
  net:heal()
  lu.assertEquals(net:members(1).voters_old, { 1, 2, 3 })
  lu.assertEquals(net:transfer(1, 3).refusal, "no_voter")
end

function tests.test_ALeaderThatStepsDownForgetsIt()
  local net = led(3, timed)
  net:cut(1, 2)
  net:submit(1, "lacking")
  net:transfer(1, 2)
  net:heal()
  net:lose()
  net:campaign(3, true)
  net:settle()
  lu.assertEquals(net:status(1).transfer_target, 0)
end

-- A transfer under way holds no reads up.
function tests.test_ReadsAreAnsweredMeanwhile()
  local net = led()
  net:transfer(1, 2)
  net:take("timeout_now")
  net:read(1, 7)
  net:flush()
  net:settle()
  lu.assertEquals(net:answer(1, 7), 2)
end

function tests.test_TheHashTellsATransferUnderWay()
  local net = led(3, timed)
  local before = net:hash(1)
  local copy = net:copy()
  copy:cut(1, 2)
  copy:transfer(1, 2)
  lu.assertNotEquals(copy:hash(1), before)
  local other = net:copy()
  other:cut(1, 3)
  other:transfer(1, 3)
  lu.assertNotEquals(other:hash(1), copy:hash(1))
  lu.assertEquals(other:hash(1, { [2] = 3, [3] = 2 }), copy:hash(1))
end

-- ---- the target ---------------------------------------------------------------------------------

local function told(net, from, to, fields)
  local message = { kind = "timeout_now", from = from, to = to, term = net:status(from).term,
    prev_index = net:status(from).last_index, prev_term = net:status(from).term }
  for key, value in pairs(fields or {}) do
    message[key] = value
  end
  return net:receive(message)
end

function tests.test_ALateOneOfATermThatIsOverIsIgnored()
  local net = led()
  net:transfer(1, 2)
  local late = net:take("timeout_now")[1]
  net:elect(3)
  net:receive(late)
  lu.assertEquals(role(net, 2), "follower")
  lu.assertEquals(net:status(2).term, 2)
end

function tests.test_WhoLacksTheEntryRefuses()
  local net = led()
  local update = told(net, 1, 2, { prev_index = 9 })
  lu.assertEquals(role(net, 2), "follower")
  lu.assertEquals(update.messages[1].kind, "timeout_now_response")
  lu.assertTrue(update.messages[1].reject)
end

-- By what it knows it is a learner: the leader is told, and leads on.
function tests.test_ALearnerByWhatItKnowsRefuses()
  local net = led()
  net:add(4, { voters = {}, election_timeout_min_ns = replicas.still.election_timeout_min_ns,
    election_timeout_max_ns = replicas.still.election_timeout_max_ns })
  net:change(1, { voters = { 1, 2, 3 }, learners = { 4 } })
  net:settle()
  told(net, 1, 4)
  lu.assertEquals(role(net, 4), "learner")
  net:transfer(1, 2)
  net:take("timeout_now")
  local update = net:receive { kind = "timeout_now_response", from = 2, to = 1, term = 1, reject = true }
  lu.assertEquals(update.transfer_ended, "refused")
  lu.assertEquals(net:submit(1, "on").refusal, "accepted")
end

function tests.test_AnEntryOfAnotherTermIsNotALeadersWord()
  local net = led()
  net:elect(2)
  local update = told(net, 2, 3, { prev_index = 1, prev_term = 1 })
  lu.assertEquals(role(net, 3), "follower")
  lu.assertStrContains(update.notices[1].text, "not of the leader's term")
end

-- One vote a term, whoever is meant to lead (canonical/raft #139).
function tests.test_TheTargetGetsNoSecondVote()
  local net = led(3)
  net:transfer(1, 2)
  net:deliver_one("timeout_now")
  local asked = net:take("vote", 2)
  net:receive { kind = "vote", from = 3, to = 1, term = 2, prev_index = 2, prev_term = 1, force = true }
  lu.assertEquals(net:status(1).vote, 3)
  for _, message in ipairs(asked) do
    if message.to == 1 then
      local update = net:receive(message)
      lu.assertTrue(update.messages[1].reject)
    end
  end
  lu.assertEquals(net:status(1).vote, 3)
end

-- ---- a removed leader ---------------------------------------------------------------------------

-- It hands over before it goes: nobody waits for a time-out (dissertation 4.2.2).
function tests.test_ARemovedLeaderHandsOver()
  local net = led()
  net:change(1, { voters = { 2, 3 } })
  net:settle()
  lu.assertEquals(role(net, 1), "learner")
  local leader = role(net, 2) == "leader" and 2 or 3
  lu.assertEquals(role(net, leader), "leader")
  lu.assertEquals(net:members(leader).voters, { 2, 3 })
end

return tests
