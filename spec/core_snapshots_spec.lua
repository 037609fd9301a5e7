-- The core's snapshots: logs that begin behind one, and followers that are sent one. On bare replicas, whose harness
-- compares what was applied.
local lu = require "luaunit"
local replicas = require "spec.support.replicas"
local snapshots = require "spec.support.snapshots"

local tests = {}
local log = replicas.log
local MS = replicas.MS
local submit, rounds, assert_same = snapshots.submit, snapshots.rounds, snapshots.assert_same
local three_with_one_behind = snapshots.three_with_one_behind

-- ---- the log ------------------------------------------------------------------------------------

function tests.test_TheLogBeginsBehindASnapshot()
  local net = replicas.new(1, replicas.still)
  net:elect(1)
  submit(net, 1, 9)
  local bytes = net:status(1).log_bytes
  local update = net:compact(1)
  lu.assertEquals(update.compacted_first, 11)
  local status = net:status(1)
  lu.assertEquals({ status.first_index, status.last_index, status.last_term }, { 11, 10, 1 })
  lu.assertEquals({ status.snapshot_index, status.snapshot_term, status.log_bytes }, { 10, 1, 0 })
  lu.assertTrue(bytes > 0)
  lu.assertNil(net:compact(1)) -- nothing new
  submit(net, 1, 1)
  lu.assertEquals(net:log(1)[1].index, 11)
  lu.assertEquals(net:applied_index(1), 11)
end

function tests.test_ATailOfTheLogIsKept()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  net:isolate(3)
  submit(net, 1, 9)
  lu.assertEquals(net:compact(1, 1).compacted_first, 0)
  submit(net, 1, 600) -- over several chunks
  lu.assertEquals(net:compact(1, 300).compacted_first, 300)
  lu.assertEquals({ net:log(1)[1].index, #net:log(1) }, { 300, 311 })
  net:compact(2, 611)
  lu.assertEquals(#net:log(2), 0)
  submit(net, 1, 1)
  lu.assertEquals(net:terms(2), { 1 })
end

-- Whoever is not behind the log's first entry is not sent a snapshot, the newcomer among them.
function tests.test_TheTailIsSentInPlaceOfASnapshot()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  submit(net, 1, 5)
  net:isolate(3)
  submit(net, 1, 5)
  net:compact(1, 7)
  net:heal()
  net:heartbeat(1)
  net:submit(1, "x")
  net:flush()
  while net:count() > 0 do
    lu.assertNotEquals(net:deliver().kind, "snapshot")
    net:flush()
  end
  lu.assertEquals(net:status(3).last_index, 12)
end

function tests.test_WhatALogDoesNotHoldIsKnownToBeCommitted()
  local net = replicas.new(3, replicas.still, { [2] = { term = 2, log = log { 1, 1, 2, 2 } } })
  net:receive { kind = "append", from = 1, to = 2, term = 2, prev_index = 4, prev_term = 2, commit = 4 }
  net:compact(2)
  net:lose()
  -- All of these are answered as matching: they come late, or are sent twice.
  local late = { kind = "append", from = 1, to = 2, term = 2, prev_index = 1, prev_term = 1 }
  late.entries = log { 1, 2 }
  net:receive(late)
  lu.assertEquals(net:take("append_response")[1].index, 3)
  late.entries = log { 1, 2, 2, 2 }
  net:receive(late)
  lu.assertEquals(net:take("append_response")[1].index, 5)
  lu.assertEquals(net:terms(2), { 2 })
  late.prev_index, late.prev_term, late.entries = 0, 0, {}
  net:receive(late)
  lu.assertEquals(net:take("append_response")[1].reject, false)
end

function tests.test_WhatContradictsASnapshotIsNoticed()
  local net = replicas.new(3, replicas.still, { [2] = { term = 2, log = log { 1, 1, 2, 2 } } })
  net:receive { kind = "append", from = 1, to = 2, term = 2, prev_index = 4, prev_term = 2, commit = 4 }
  net:compact(2)
  net:lose()
  for _, prev in ipairs { { 4, 1 }, { 7, 1 }, { 2, 1 } } do
    local update = net:receive { kind = "append", from = 1, to = 2, term = 2, prev_index = prev[1],
      prev_term = prev[2], entries = log { 1, 1, 1 } }
    lu.assertStrContains(update.notices[1].text, "contradicts the committed entry 4")
    lu.assertEquals(net:count(), 0)
  end
end

-- Nothing of the log is left, and nobody has anything to write: the cluster stays one, restarts and
-- goes on.
function tests.test_AQuietClusterWithoutALogGoesOn()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  submit(net, 1, 4)
  for id = 1, 3 do
    net:compact(id)
  end
  rounds(net, 1, 3)
  net:crash(1)
  net:crash(3)
  lu.assertEquals({ net:applied_index(1), net:status(1).commit_index, net:status(1).term }, { 5, 5, 1 })
  net:elect(3)
  rounds(net, 3, 3)
  for id = 1, 3 do
    lu.assertEquals({ net:terms(id), net:applied_index(id) }, { { 2 }, 6 })
  end
  assert_same(net, { 1, 2, 3 })
end

-- A candidate's last entry is its snapshot's.
function tests.test_VotesCompareWhatASnapshotCovers()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  net:isolate(3)
  submit(net, 1, 4)
  net:compact(1)
  net:compact(2)
  net:heal()
  net:campaign(3, true)
  net:settle()
  lu.assertEquals({ net:status(3).role, net:status(3).term }, { "follower", 2 }) -- it has lost
  net:elect(2)
end

-- ---- a follower behind the compaction -----------------------------------------------------------

function tests.test_AFollowerBehindTheCompactionIsSentTheSnapshot()
  local net = three_with_one_behind()
  net:heartbeat(1)
  net:submit(1, "x")
  net:flush()
  local pieces, most = 0, 0
  while net:count() > 0 do
    most = math.max(most, #net:under_way("snapshot", 1, 3))
    local message = net:deliver()
    if message.kind == "snapshot" then
      pieces = pieces + 1
    end
    net:flush()
  end
  lu.assertTrue(pieces >= 8)
  lu.assertEquals(most, 4)
  lu.assertEquals(net:status(3).snapshot_index, 24)
  lu.assertEquals(net:status(1).peers[3].snapshot_index, 0)
  assert_same(net, { 1, 2, 3 })
  net:crash(3)
  lu.assertEquals(net:applied_index(3), 24)
  rounds(net, 1, 3)
  assert_same(net, { 1, 2, 3 })
end

-- The others are not kept waiting: they commit while the snapshot is under way.
function tests.test_ReplicationToOthersGoesOn()
  local net = three_with_one_behind()
  net:slow(3)
  net:heartbeat(1)
  net:submit(1, "x")
  net:settle()
  lu.assertTrue(net.cores:state(3).writes_piece)
  submit(net, 1, 5)
  lu.assertEquals({ net:status(1).commit_index, net:applied_index(2) }, { 30, 30 })
end

-- Any one message of a transfer may be lost, and any two.
function tests.test_WhatIsLostIsSentAgain()
  local total
  for lost = 1, 60 do
    local net = three_with_one_behind()
    net:heartbeat(1)
    net:submit(1, "x")
    net:flush()
    local count = 0
    for _ = 1, 12 do
      while net:count() > 0 do
        count = count + 1
        local message = net.cores:oldest()
        if count == lost or count == lost + 7 then
          net.cores:drop(message.number)
        else
          net.cores:deliver(message.number)
        end
        net:flush()
      end
      net:heartbeat(1)
    end
    total = count
    assert_same(net, { 1, 2, 3 })
  end
  lu.assertTrue(total < 120, total)
end

-- After a cut it goes on where it was, not from the beginning.
function tests.test_ATransferGoesOnWhereItWas()
  local net = three_with_one_behind()
  net:heartbeat(1)
  net:submit(1, "x")
  net:flush()
  while net:status(1).peers[3].snapshot_offset < 256 do
    net:deliver()
    net:flush()
  end
  net:isolate(3)
  net:settle()
  net:heal()
  local first
  for _ = 1, 4 do
    net:heartbeat(1)
    while net:count() > 0 do
      local message = net:deliver()
      if message.kind == "snapshot" and message.piece and not first then
        first = message.offset
      end
      net:flush()
    end
  end
  lu.assertTrue(first >= 256)
  assert_same(net, { 1, 2, 3 })
end

-- A leader that was elected anew knows nothing of what it had sent: its follower tells.
function tests.test_ALeaderThatLeadsAgainLearnsHowFarItWas()
  local net = three_with_one_behind()
  net:slow(3)
  net:heartbeat(1)
  net:submit(1, "x")
  net:settle()
  for _ = 1, 4 do
    net:write_piece(3)
    net:settle()
  end
  net:isolate(3)
  net:elect(2)
  net:isolate(3)
  net:elect(1)
  net:heal()
  net:persisted(3)
  rounds(net, 1, 1)
  net:persisted(3)
  rounds(net, 1, 2)
  lu.assertEquals(net:status(1).peers[3].snapshot_offset, 0) -- what is being written is answered then
  net:write_piece(3)
  net:settle()
  lu.assertTrue(net:status(1).peers[3].snapshot_offset > 256)
  while net:write_piece(3) do
    net:settle()
  end
  net.cores:set_slow(3, false)
  net:persisted(3)
  rounds(net, 1, 2)
  lu.assertTrue(net:status(3).snapshot_index > 0)
  assert_same(net, { 1, 2, 3 })
end

-- ... and one that crashed has lost what it had received.
function tests.test_AFollowerThatCrashesBeginsAnew()
  local net = three_with_one_behind()
  net:heartbeat(1)
  net:submit(1, "x")
  net:flush()
  while net:status(1).peers[3].snapshot_offset < 256 do
    net:deliver()
    net:flush()
  end
  net:crash(3)
  rounds(net, 1, 5)
  assert_same(net, { 1, 2, 3 })
end

function tests.test_TheAnswerToAnInstallMayBeLost()
  local net = three_with_one_behind()
  net:heartbeat(1)
  net:submit(1, "x")
  net:flush()
  while net:status(3).snapshot_index == 0 do
    net:deliver()
    net:flush()
  end
  net:lose()
  lu.assertEquals(net:status(1).peers[3].snapshot_index, 24)
  rounds(net, 1, 4)
  lu.assertEquals(net:status(1).peers[3].match_index, 25)
end

-- A disk that is slow, or that fails, holds up nothing but the transfer.
function tests.test_WhoeverInstallsStillAnswersHeartbeats()
  local net = three_with_one_behind { election_timeout_min_ns = 150 * MS, election_timeout_max_ns = 300 * MS,
    check_quorum = true, pre_vote = true }
  net:isolate(2)
  net:slow(3)
  net:persisted(3)
  local term = net:status(1).term
  for _ = 1, 2000 do -- node 3 alone keeps node 1 in office
    net:pass(MS)
    net:settle()
    net:persisted(3)
    net:settle()
  end
  lu.assertTrue(net.cores:state(3).writes_piece)
  lu.assertEquals({ net:status(1).role, net:status(1).term, net:status(3).role }, { "leader", term, "follower" })
  for _ = 1, 20 do
    net:write_piece(3)
    net:settle()
  end
  lu.assertEquals(net:status(3).snapshot_index, 24)
end

-- Pieces wait for the disk of whoever receives them, never more than a few; nothing is asked again meanwhile.
function tests.test_ASlowDiskIsNotSentMore()
  local net = three_with_one_behind()
  net:slow(3)
  net:submit(1, "x")
  net:settle()
  net:heartbeat(1)
  net:settle()
  net:persisted(3)
  local sent = 0
  for _ = 1, 30 do
    net:heartbeat(1)
    while net:count() > 0 do
      sent = sent + (net:deliver().piece and 1 or 0)
      net:flush()
    end
  end
  lu.assertTrue(sent <= 4, sent)
  while net:write_piece(3) do
    net:settle()
  end
  lu.assertEquals(net:status(3).snapshot_index, 24)
end

function tests.test_ASnapshotThatCannotBeTakenIsSentAnew()
  local net = three_with_one_behind()
  net:slow(3)
  net:heartbeat(1)
  net:submit(1, "x")
  net:settle()
  net:persisted(3)
  for _ = 1, 3 do
    net:write_piece(3)
    net:settle()
  end
  net:write_piece(3, true) -- its disk is full
  net:settle()
  lu.assertEquals(net:status(1).peers[3].snapshot_offset, 0)
  lu.assertNil(net:write_piece(3)) -- not at once: it would only fail again
  for _ = 1, 30 do
    net:heartbeat(1)
    net:settle()
    while net:write_piece(3) do
      net:settle()
    end
    net:persisted(3)
  end
  assert_same(net, { 1, 2, 3 })
end

-- ---- newer snapshots meanwhile ------------------------------------------------------------------

-- Writing is faster than installing: a snapshot is taken for each piece that arrives. The first one is finished all
-- the same, and the log behind it is there.
function tests.test_WritingFasterThanInstallingIsNoLivelock()
  local net = three_with_one_behind()
  net:slow(3)
  net:heartbeat(1)
  net:submit(1, "x")
  net:settle()
  net:persisted(3)
  local pieces = 0
  while net:status(3).snapshot_index == 0 do
    submit(net, 1, 3)
    net:compact(1, nil, 500)
    net:heartbeat(1)
    net:settle()
    pieces = pieces + (net:write_piece(3) and 1 or 0)
    lu.assertTrue(pieces < 15)
    lu.assertTrue(#net.cores:state(1).snapshots <= 2) -- the latest and the one that is sent
  end
  lu.assertEquals(net:status(3).snapshot_index, 24)
  lu.assertEquals(net:status(1).first_index, 25)
  net.cores:set_slow(3, false)
  net:persisted(3)
  rounds(net, 1, 3)
  assert_same(net, { 1, 2, 3 })
  lu.assertEquals(net:status(3).snapshot_index, 24) -- it took no other
  lu.assertEquals(net:status(1).first_index, net:status(1).snapshot_index + 1) -- the log is let go
end

-- So much of the log is kept, and no more: then it begins anew with the latest snapshot.
function tests.test_TheLogThatIsKeptIsBounded()
  local net = three_with_one_behind { max_kept_bytes = 2000 }
  net:slow(3)
  net:heartbeat(1)
  net:submit(1, "x")
  net:settle()
  net:persisted(3)
  local most = 0
  for _ = 1, 60 do
    submit(net, 1, 3)
    net:compact(1, nil, 500)
    most = math.max(most, net:status(1).log_bytes)
  end
  lu.assertTrue(most > 1000 and most <= 2000, most)
  lu.assertTrue(net:status(1).peers[3].snapshot_index > 24)
  net.cores:set_slow(3, false)
  net:persisted(3)
  rounds(net, 1, 4)
  assert_same(net, { 1, 2, 3 })
end

-- Nothing is kept for whoever does not answer.
function tests.test_NoLogIsKeptForTheDead()
  local net = three_with_one_behind { election_timeout_min_ns = 150 * MS, election_timeout_max_ns = 300 * MS }
  net:heartbeat(1)
  net:submit(1, "x")
  net:flush()
  while net:status(1).peers[3].snapshot_index == 0 do
    net:deliver()
    net:flush()
  end
  net:isolate(3)
  net:settle()
  submit(net, 1, 3)
  net:compact(1)
  lu.assertEquals(net:status(1).first_index, 25)
  for _ = 1, 400 do
    net:pass(MS, 1)
    net:settle()
  end
  lu.assertEquals(net:status(1).first_index, net:status(1).snapshot_index + 1)
  lu.assertEquals(net:status(1).peers[3].snapshot_index, net:status(1).snapshot_index)
  net:heal()
  rounds(net, 1, 6)
  lu.assertEquals(net:applied_index(3), net:applied_index(1))
end

function tests.test_ASnapshotThatIsGoneIsReplacedByTheLatest()
  local net = three_with_one_behind()
  net:heartbeat(1)
  net:submit(1, "x")
  net:flush()
  while #net:under_way("snapshot") == 0 do
    net:deliver()
    net:flush()
  end
  local piece = net:under_way("snapshot")[1]
  net:lose()
  net:step(1, { kind = "snapshot_gone", message = piece }) -- it is the latest: again, after a while
  lu.assertEquals(net:under_way("snapshot"), {})
  net:heartbeat(1)
  lu.assertEquals(net:take("snapshot")[1].prev_index, 24)
  submit(net, 1, 3)
  net:compact(1)
  net:step(1, { kind = "snapshot_gone", message = piece })
  local sent = net:under_way("snapshot")
  lu.assertEquals(sent[1].prev_index, 28)
  net:step(1, { kind = "snapshot_gone", message = piece }) -- comes late
  lu.assertEquals(net:under_way("snapshot"), sent)
  rounds(net, 1, 3)
  assert_same(net, { 1, 2, 3 })
end

return tests
