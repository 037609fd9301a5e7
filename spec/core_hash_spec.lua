-- What a replica's hash covers: all that its later behaviour depends on, and nothing else, so that whoever explores
-- states may take two with one hash for the same. And "heartbeat now", the event that explorers need for it.
local lu = require "luaunit"
local replicas = require "spec.support.replicas"

local tests = {}
local MS = replicas.MS

local function led_by(id, options)
  local net = replicas.new(3, options or replicas.still)
  net:elect(id)
  return net
end

-- Two leaders that say the same of themselves, but are not the same.
local function assert_differ(one, other)
  lu.assertEquals(one:status(1), other:status(1))
  lu.assertNotEquals(one:hash(1), other:hash(1))
end

-- ---- "heartbeat now" ----------------------------------------------------------------------------

function tests.test_ALeaderSendsItsHeartbeatsWhenToldTo()
  local net = led_by(1)
  local update = net:heartbeat(1)
  lu.assertEquals(#update.messages, 2)
  for _, message in ipairs(update.messages) do
    lu.assertEquals({ message.kind, message.sequence, #message.entries }, { "append", 1, 0 })
  end
  lu.assertEquals(net:heartbeat(1).messages[1].sequence, 2)
end

function tests.test_TheNextHeartbeatIsAnIntervalLater()
  local net = led_by(1, { heartbeat_interval_ns = 50 * MS, check_quorum = false })
  net:pass(30 * MS)
  lu.assertEquals(net:heartbeat(1).deadline_ns, 80 * MS)
end

function tests.test_OthersHaveNoHeartbeats()
  local update = led_by(1):heartbeat(2)
  lu.assertEquals({ #update.messages, update.role_changed }, { 0, false })
end

-- ---- what it covers -----------------------------------------------------------------------------

local function lose_an_entry()
  local net = led_by(1)
  net:submit(1, "lost")
  net:flush()
  net:take("append")
  return net
end

function tests.test_ItCoversHowLongNothingWasAcknowledged()
  local one, other = lose_an_entry(), lose_an_entry()
  other:heartbeat(1)
  other:take("append")
  assert_differ(one, other)
  lu.assertEquals(#one:heartbeat(1).messages, #other:heartbeat(1).messages)
  one:settle() -- one more silent round until it asks; the other one asks now
  other:settle()
  lu.assertEquals(one:status(2).last_index, 1)
  lu.assertEquals(other:status(2).last_index, 2)
end

function tests.test_ItCoversThatLossesWereAskedFor()
  local one, other = lose_an_entry(), lose_an_entry()
  for _, net in ipairs { one, other } do
    net:heartbeat(1)
    net:heartbeat(1)
  end
  other:deliver_one("append", 1, 2)
  other:deliver_one("append", 1, 2)
  other:deliver_one("append_response", 2)
  other:deliver_one("append_response", 2)
  lu.assertEquals(#other:under_way("append", 1, 2), 1) -- what became of it?
  assert_differ(one, other)
end

function tests.test_ItCoversWhatIsInFlight()
  local one, other = led_by(1), led_by(1)
  one:submit(1, "a")
  one:flush()
  one:submit(1, "b", "c")
  one:flush()
  other:submit(1, "a", "b")
  other:flush()
  other:submit(1, "c")
  other:flush()
  assert_differ(one, other)
end

function tests.test_ItCoversReadsThatWait()
  local one, other, answered = led_by(1), led_by(1), led_by(1)
  other:read(1, 7)
  assert_differ(one, other)
  local waiting = other:hash(1)
  other:flush()
  lu.assertNotEquals(other:hash(1), waiting) -- its round is under way
  other:settle()
  answered:read(1, 7)
  answered:settle()
  lu.assertEquals(other:hash(1), answered:hash(1))
  lu.assertEquals(other:hash(1), one:hash(1)) -- and is over
end

function tests.test_ItCoversWhatItsDiskHasNotConfirmed()
  local one, other = led_by(2), led_by(2)
  for _, net in ipairs { one, other } do
    net:slow(1)
    net:submit(2, "a")
    net:flush()
    net:deliver()
  end
  other:submit(2, "b")
  other:flush()
  local message = other:under_way("append", 2, 1)[1]
  lu.assertNotNil(message)
  other:receive(message)
  one:submit(2, "b")
  one:flush()
  one:receive(one:under_way("append", 2, 1)[1])
  lu.assertEquals(one:hash(1), other:hash(1))
  other:persisted(1, other:asked(1) - 1) -- "a" is on its disk, "b" is not
  lu.assertNotEquals(one:hash(1), other:hash(1))
end

-- ---- what it does not cover ---------------------------------------------------------------------

function tests.test_HowManyRoundsThereWereMakesNoDifference()
  local one, other = led_by(1), led_by(1)
  for net, rounds in pairs { [one] = 1, [other] = 7 } do
    for _ = 1, rounds do -- the first tells the leader how far the others have committed
      net:heartbeat(1)
      net:settle()
    end
  end
  for read_id = 1, 3 do
    other:read(1, read_id)
    other:settle()
  end
  for _, net in ipairs { one, other } do
    net:submit(1, "x")
    net:flush()
    net:read(1, 9)
  end
  lu.assertEquals(one:hash(1), other:hash(1))
  for _, net in ipairs { one, other } do
    net:flush()
    net:take("append", 1, 2)
    net:heartbeat(1)
    net:settle()
  end
  for id = 1, 3 do
    lu.assertEquals(one:hash(id), other:hash(id))
  end
end

-- ---- renaming -----------------------------------------------------------------------------------

-- The same happens twice, with servers 1 and 2 exchanged.
function tests.test_IdsCanBeRenamed()
  local swap = { 2, 1, 3 }
  local function run(name)
    local net = led_by(name[1])
    net:submit(name[1], "x")
    net:settle()
    net:cut(name[1], name[2])
    local members = { voters = { 1, 2, 3 }, learners = { 4 } }
    lu.assertEquals(net:change(name[1], members).refusal, "accepted")
    net:read(name[1], 1)
    net:settle()
    net:campaign(name[2])
    return net
  end
  local one, other = run { 1, 2, 3 }, run(swap)
  for id = 1, 3 do
    lu.assertEquals(one:hash(id, swap), other:hash(swap[id]), id)
    lu.assertNotEquals(one:hash(id), other:hash(swap[id]), id)
    lu.assertEquals(one:hash(id, { 1, 2, 3 }), one:hash(id), id)
  end
end

return tests
