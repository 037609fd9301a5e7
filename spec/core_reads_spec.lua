-- The core's rules of linearizable reads (ReadIndex, dissertation 6.4), on bare replicas.
local lu = require "luaunit"
local replicas = require "spec.support.replicas"

local tests = {}
local MS = replicas.MS

function tests.test_AReadAsksAQuorum()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  net:submit(1, "x")
  net:settle()
  net:read(1, 7)
  net:flush()
  lu.assertNil(net:answer(1, 7))
  lu.assertEquals(#net:under_way("read", 1), 2)
  net:settle()
  lu.assertEquals(net:answer(1, 7), 2)
end

function tests.test_ReadsThatWaitShareARound()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  for read_id = 1, 100 do
    net:read(1, read_id)
  end
  net:flush()
  lu.assertEquals(#net:under_way("read", 1, 2), 1)
  net:settle()
  for read_id = 1, 100 do
    lu.assertEquals(net:answer(1, read_id), 1)
  end
end

-- However many come one after the other while a round is under way, there is one more for all of them.
function tests.test_ReadsThatComeDuringARoundShareTheNext()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  net:read(1, 1)
  net:flush()
  for read_id = 2, 100 do
    net:read(1, read_id)
    net:flush()
  end
  lu.assertEquals(#net:under_way("read", 1), 2)
  net:settle()
  for read_id = 1, 100 do
    lu.assertEquals(net:answer(1, read_id), 1)
  end
  net:read(1, 101)
  net:flush()
  lu.assertEquals(net:under_way("read", 1)[1].sequence, 3) -- all before it cost two rounds
end

-- What a round lost does not keep those who came since from being answered at the next heartbeat.
function tests.test_ALostRoundTakesThoseWhoWaitAlong()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  net:read(1, 1)
  net:flush()
  net:lose()
  net:read(1, 2)
  net:flush()
  lu.assertEquals(#net:under_way("read", 1), 0)
  net:run(100 * MS)
  lu.assertEquals(net:answer(1, 1), 1)
  lu.assertEquals(net:answer(1, 2), 1)
  net:read(1, 3)
  net:flush()
  lu.assertEquals(net:under_way("read", 1)[1].sequence, 3)
end

-- A new leader does not know what is committed before its own entry is (etcd #7331).
function tests.test_NoAnswerBeforeAnEntryOfTheOwnTerm()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  net:submit(1, "acknowledged")
  net:settle()
  net:campaign(2, true)
  while net:deliver_only("vote", "vote_response") do -- it is elected, and its appends are lost
  end
  lu.assertEquals(net:status(2).role, "leader")
  net:read(2, 1)
  for _ = 1, 20 do
    net:flush()
    for _, message in ipairs(net:take("read", 2)) do
      net:receive(message)
    end
    for _, message in ipairs(net:take("read_response")) do
      net:receive(message)
    end
    net:lose()
  end
  lu.assertNil(net:answer(2, 1))
  net:run(200 * MS)
  lu.assertEquals(net:answer(2, 1), 3) -- and then it sees all that was acknowledged
end

function tests.test_ADeposedLeaderDoesNotAnswer()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  net:isolate(1)
  net:read(1, 1)
  net:settle()
  net:elect(2)
  net:submit(2, "newer")
  net:settle()
  lu.assertNil(net:answer(1, 1))
  net:heal()
  net:run(200 * MS)
  lu.assertEquals(net:answer(1, 1), 0) -- it failed
end

-- An answer to an earlier round says nothing of a later one.
function tests.test_AnOldRoundDoesNotCount()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  net:read(1, 1)
  net:flush()
  local old = net:take("read", 1)
  net:receive(old[1])
  local answers = net:take("read_response")
  net:receive(answers[1])
  lu.assertEquals(net:answer(1, 1), 1)
  net:read(1, 2)
  net:flush()
  net:take("read", 1)
  net:receive(answers[1]) -- repeated by the network
  lu.assertNil(net:answer(1, 2))
end

function tests.test_ALostRoundIsRepeated()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  net:read(1, 1)
  net:flush()
  net:lose()
  net:run(200 * MS)
  lu.assertEquals(net:answer(1, 1), 1)
end

function tests.test_OthersRefuse()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  lu.assertEquals(net:read(2, 1).refusal, "not_leader")
end

function tests.test_OneVoterAloneAnswersAtOnce()
  local net = replicas.new(1, replicas.still)
  net:elect(1)
  net:read(1, 1)
  net:flush()
  lu.assertEquals(net:answer(1, 1), 1)
end

-- While joint, both sets are asked (scylladb #29226).
function tests.test_AJointConfigurationAsksBothSets()
  local net = replicas.new(5, replicas.still, {
    [1] = { voters = { 1, 2, 3 } }, [2] = { voters = { 1, 2, 3 } }, [3] = { voters = { 1, 2, 3 } },
    [4] = { voters = {} }, [5] = { voters = {} },
  })
  net:elect(1)
  for _, id in ipairs { 2, 3 } do
    net:cut(1, id)
  end
  net:step(1, { kind = "change", configuration = { voters = { 1, 4, 5 } } })
  net:run(100 * MS)
  lu.assertEquals(net:members(1).voters_old, { 1, 2, 3 })
  net:read(1, 1)
  net:run(200 * MS)
  lu.assertNil(net:answer(1, 1)) -- the new set alone has answered
  net:heal()
  net:run(200 * MS)
  lu.assertNotNil(net:answer(1, 1))
end

return tests
