-- The core's snapshots: what they may not do, and what may come between. On bare replicas.
local lu = require "luaunit"
local core = require("raft").core
local replicas = require "spec.support.replicas"
local snapshots = require "spec.support.snapshots"

local tests = {}
local log = replicas.log
local options, submit, rounds = snapshots.options, snapshots.submit, snapshots.rounds
local assert_same, three_with_one_behind = snapshots.assert_same, snapshots.three_with_one_behind

-- ---- what a snapshot may not do -----------------------------------------------------------------

-- A snapshot comes late, or twice: what is applied never goes back.
function tests.test_AnOldSnapshotIsNotTaken()
  local net = three_with_one_behind()
  net:heartbeat(1)
  net:submit(1, "x")
  net:flush()
  local kept = {}
  while net:count() > 0 do
    local message = net:deliver()
    kept[#kept + 1] = message.kind == "snapshot" and message or nil
    net:flush()
  end
  lu.assertEquals(net:applied_index(3), 25)
  net:compact(3) -- it does not even know the term of that entry any more
  for _, message in ipairs(kept) do
    local update = net:receive(message)
    lu.assertNil(update.snapshot_piece)
    local answer = net:take()[1]
    lu.assertEquals({ answer.kind, answer.index, answer.reject }, { "append_response", 24, false })
  end
  lu.assertEquals({ net:applied_index(3), net:status(3).commit_index }, { 25, 25 })
end

-- Where the log holds what the snapshot covers, that is committed now, and nothing is sent.
function tests.test_WhatTheLogHoldsNeedsNoSnapshot()
  local net = replicas.new(3, replicas.still, { [2] = { term = 2, log = log { 1, 1, 2, 2 } } })
  net:receive { kind = "snapshot", from = 1, to = 2, term = 2, prev_index = 3, prev_term = 2, offset = 0,
    piece = "..." }
  lu.assertEquals({ net:status(2).commit_index, net:applied_index(2), #net:log(2) }, { 3, 3, 4 })
  lu.assertEquals(net:under_way("append_response")[1].index, 3)
end

-- The snapshot of an older term comes in a newer one: term and vote are what they were.
function tests.test_ASnapshotSetsNoTerm()
  local net = three_with_one_behind()
  net:isolate(3)
  net:campaign(2, true)
  net:settle()
  lu.assertEquals({ net:status(2).role, net:status(2).term }, { "leader", 2 })
  net:heal()
  net:compact(2) -- its snapshot ends in term 2
  net:isolate(2)
  net:elect(1)
  net:heal()
  rounds(net, 1, 1)
  net:submit(1, "x")
  net:settle()
  rounds(net, 1, 4)
  local status = net:status(3)
  lu.assertTrue(status.snapshot_index > 0)
  lu.assertEquals(status.snapshot_term, 1)
  lu.assertEquals({ status.term, net:status(1).term }, { 3, 3 })
  net:crash(3)
  lu.assertEquals({ net:status(3).term, net:status(3).vote }, { 3, status.vote })
end

-- Two servers' snapshots of one index: their bytes differ, and no piece of one gets into the other.
function tests.test_PiecesOfTwoSnapshotsAreNotJoined()
  for wait = 0, 12 do
    local net = three_with_one_behind()
    net:compact(2, nil, 500) -- as far as 1's, from other bytes
    net:slow(3)
    net:submit(1, "x")
    net:flush()
    for _ = 1, 30 do
      net:deliver()
      net:flush()
    end
    net:persisted(3)
    for _ = 1, wait do
      net:write_piece(3)
      net:settle()
    end
    local late = net:take("snapshot", 1, 3)
    net:isolate(1)
    net:campaign(2, true)
    net:settle()
    net:persisted(3)
    net:settle()
    net:heal()
    for _ = 1, 30 do
      net:heartbeat(2)
      net:settle()
      for _, message in ipairs(late) do
        net:receive(message)
      end
      net:write_piece(3)
      net:persisted(3)
      net:settle()
    end
    net.cores:set_slow(3, false)
    rounds(net, 2, 3)
    lu.assertEquals(net:status(2).role, "leader")
    assert_same(net, { 1, 2, 3 })
  end
end

-- ---- races --------------------------------------------------------------------------------------

-- Its log differs from the snapshot's last entry on, or before: all of it goes.
function tests.test_ADivergentLogAtTheSnapshotsIndex()
  for _, length in ipairs { 2, 22, 23, 24, 30 } do
    local net = replicas.new(3, options())
    net:elect(3)
    submit(net, 3, 3)
    net:isolate(3)
    for i = 1, length do
      net:submit(3, "lost " .. i)
    end
    net:settle()
    net:elect(1)
    submit(net, 1, 19) -- up to 24
    net:compact(1, nil, 300)
    net:submit(1, "behind it")
    net:settle()
    net:heal()
    local truncated, installed
    net:slow(3)
    for _ = 1, 30 do
      net:heartbeat(1)
      net:settle()
      net:persisted(3)
      local update = net:write_piece(3)
      if update and update.installed_index > 0 then
        truncated, installed = update.truncated_from, update.installed_index
        lu.assertEquals({ update.persist.reset_index, update.persist.reset_term }, { 24, 2 })
      end
      net:settle()
    end
    lu.assertEquals(installed, 24)
    lu.assertEquals(truncated, 4 + length > 24 and 25 or 0)
    lu.assertEquals(net:terms(3), { 2 })
    assert_same(net, { 1, 2, 3 })
    net:crash(3)
    rounds(net, 1, 2)
    assert_same(net, { 1, 2, 3 })
  end
end

-- What the log holds behind a snapshot that it meets is kept (paper, figure 13); nothing is restored.
function tests.test_AMatchingSuffixIsKept()
  local net = replicas.new(3, replicas.still)
  net:slow(2)
  local snapshot = { index = 3, term = 1, size = 3, members_index = 0, voters = { 1, 2, 3 } }
  local piece = { kind = "snapshot", from = 1, to = 2, term = 2, prev_index = 3, prev_term = 1, offset = 0,
    piece = "...", last = true }
  lu.assertNotNil(net:receive(piece).snapshot_piece)
  net:receive { kind = "append", from = 1, to = 2, term = 2, prev_index = 0, prev_term = 0,
    entries = log { 1, 1, 1, 2 } }
  local update = net:step(2, { kind = "snapshot_installed", snapshot = snapshot, message = piece })
  lu.assertEquals({ update.installed_index, update.persist }, { 0, nil })
  lu.assertEquals({ net:status(2).commit_index, net:terms(2) }, { 3, { 1, 1, 1, 2 } })
  lu.assertEquals(#net:under_way("append_response", 2, 1), 0) -- what it promises is not durable yet
  net:persisted(2)
  lu.assertEquals({ net:applied_index(2), net:status(2).snapshot_index }, { 3, 3 })
end

-- A snapshot is installed after the log has gone past it: that stays, and what a snapshot of its own would hold.
function tests.test_AnInstallThatComesLate()
  local replica = core.replica { id = 2, voters = { 1, 2, 3 }, election_timeout_min_ns = core.never,
    election_timeout_max_ns = core.never }
  local snapshot = { index = 2, term = 1, size = 3, members_index = 0, voters = { 1, 2, 3 } }
  local piece = { kind = "snapshot", from = 1, to = 2, term = 2, prev_index = 2, prev_term = 1, offset = 0,
    piece = "...", last = true }
  lu.assertNotNil(replica:step({ kind = "message", message = piece }).snapshot_piece)
  local entries = log { 1, 1, 1, 1, 1, 2 }
  entries[5] = { term = 1, members = { voters = { 1, 2, 3 }, learners = { 4 } } }
  local sequence = replica:step({ kind = "message", message = { kind = "append", from = 1, to = 2, term = 2,
    prev_index = 0, prev_term = 0, entries = entries, commit = 5 } }).persist.sequence
  lu.assertEquals(replica:step({ kind = "persisted", sequence = sequence }).apply_last, 5)
  local update = replica:step { kind = "snapshot_installed", snapshot = snapshot, message = piece }
  lu.assertEquals({ update.installed_index, update.persist, update.members_changed }, { 0, nil, false })
  lu.assertEquals(update.messages[1].index, 2)
  local status = replica:status()
  lu.assertEquals({ status.applied_index, status.first_index, status.snapshot_index }, { 5, 1, 2 })
  lu.assertNil(replica:snapshot_at(2))
  local own = replica:snapshot_at(3)
  lu.assertEquals({ own.index, own.term, own.members_index, own.learners }, { 3, 1, 0, {} })
  own.size = 3
  replica:step { kind = "snapshot_taken", snapshot = own, first_index = 4 }
  lu.assertEquals(replica:snapshot_at(4).learners, {})
  lu.assertEquals(replica:snapshot_at(5).learners, { 4 })
end

-- An install between a write and its confirmation: that is about entries that are no more.
function tests.test_AnInstallDuringAWrite()
  local net = replicas.new(3, replicas.still)
  net:slow(2)
  local before = net:receive { kind = "append", from = 3, to = 2, term = 1, prev_index = 0, prev_term = 0,
    entries = log { 1, 1, 1, 1, 1, 1 } }.persist.sequence
  local snapshot = { index = 3, term = 2, size = 3, members_index = 0, voters = { 1, 2, 3 } }
  local piece = { kind = "snapshot", from = 1, to = 2, term = 2, prev_index = 3, prev_term = 2, offset = 0,
    piece = "...", last = true }
  net:receive(piece)
  local alone = net:replica(2) -- the harness has no such snapshot: from here on, a replica by itself
  lu.assertEquals(alone:status().durable_index, 0)
  local replica = core.replica { id = 2, voters = { 1, 2, 3 }, election_timeout_min_ns = core.never,
    election_timeout_max_ns = core.never }
  local function step(event)
    return replica:step(event)
  end
  lu.assertEquals(step({ kind = "message", message = { kind = "append", from = 3, to = 2, term = 1, prev_index = 0,
    prev_term = 0, entries = log { 1, 1, 1, 1, 1, 1 } } }).persist.sequence, before)
  step { kind = "message", message = piece }
  local update = step { kind = "snapshot_installed", snapshot = snapshot, message = piece }
  lu.assertEquals({ update.installed_index, update.truncated_from, update.truncated_to }, { 3, 4, 6 })
  lu.assertEquals({ update.persist.reset_index, update.persist.reset_term, update.persist.first_index }, { 3, 2, 0 })
  local reset = update.persist.sequence
  update = step { kind = "message", message = { kind = "append", from = 1, to = 2, term = 2, prev_index = 3,
    prev_term = 2, entries = log { 2, 2 }, commit = 5 } }
  lu.assertEquals({ update.persist.first_index, update.persist.last_index, update.apply_last }, { 4, 5, 0 })
  for _, sequence in ipairs { before, reset - 1, reset } do
    lu.assertEquals(step({ kind = "persisted", sequence = sequence }).apply_last, 0)
    lu.assertEquals(replica:status().durable_index, 3) -- the snapshot is on disk, and nothing behind it
  end
  lu.assertEquals(step({ kind = "persisted", sequence = update.persist.sequence }).apply_last, 5)
end

-- It crashes between an install and the reset of the log: the snapshot counts, and what is written behind it
-- afterwards stays.
function tests.test_ACrashBetweenAnInstallAndTheReset()
  local net = replicas.new(3, options())
  net:elect(3)
  submit(net, 3, 3)
  net:isolate(3)
  for i = 1, 40 do
    net:submit(3, "lost " .. i)
  end
  net:settle()
  net:elect(1)
  submit(net, 1, 19)
  net:compact(1)
  net:heal()
  net:slow(3)
  for _ = 1, 10 do
    net:heartbeat(1)
    net:settle()
    if net:write_piece(3) and net:status(3).snapshot_index > 0 then
      break
    end
    net:persisted(3)
  end
  lu.assertEquals(net:status(3).snapshot_index, 24)
  net:crash(3)
  lu.assertEquals({ net:status(3).first_index, net:status(3).last_index, net:status(3).commit_index }, { 25, 24, 24 })
  net:persisted(3)
  for _ = 1, 3 do
    net:submit(1, "more")
    rounds(net, 1, 1)
    net:persisted(3)
    net:settle()
  end
  lu.assertEquals(net:status(1).peers[3].match_index, 27)
  local last = net:status(3).last_index
  net:crash(3)
  lu.assertEquals({ net:status(3).first_index, net:status(3).last_index }, { 25, last })
end

-- The leader falls while a follower installs: whoever leads next finds out by itself.
function tests.test_ANewTermWhileInstalling()
  for wait = 0, 14 do
    local net = three_with_one_behind()
    net:slow(3)
    net:heartbeat(1)
    net:submit(1, "x")
    net:settle()
    net:persisted(3)
    for _ = 1, wait do
      net:write_piece(3)
      net:settle()
    end
    net:isolate(1)
    net:campaign(2, true)
    net:settle()
    net:persisted(3)
    net:settle()
    lu.assertEquals(net:status(2).role, "leader")
    for _ = 1, 16 do -- 2 has all of the log, and sends that
      net:heartbeat(2)
      net:settle()
      net:write_piece(3)
      net:persisted(3)
      net:settle()
    end
    lu.assertEquals({ net:status(3).term, net:status(3).leader }, { 2, 2 })
    assert_same(net, { 2, 3 })
    lu.assertFalse(net.cores:state(3).writes_piece)
  end
end

-- It campaigns itself while its disk finishes: that ends the campaign, and not its vote.
function tests.test_ACandidateInstalls()
  local net = three_with_one_behind()
  net:slow(3)
  net:heartbeat(1)
  net:submit(1, "x")
  net:settle()
  net:persisted(3)
  net:settle()
  while net:status(1).peers[3].snapshot_offset < 500 do
    net:write_piece(3)
    net:settle()
  end
  net:isolate(3)
  net:campaign(3, true)
  net:persisted(3)
  lu.assertEquals(net:status(3).role, "candidate")
  while net:write_piece(3) do -- nothing
  end
  local status = net:status(3)
  lu.assertEquals({ status.role, status.term, status.vote, status.snapshot_index }, { "follower", 2, 3, 24 })
  net.cores:set_slow(3, false)
  net:heal()
  net:elect(2)
  rounds(net, 2, 3)
  assert_same(net, { 1, 2, 3 })
end

-- It is told to campaign as the leader's equal, by an entry that its log does not hold any more.
function tests.test_WhoHasCompactedIsLevel()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  submit(net, 1, 3)
  net:compact(2)
  net:receive { kind = "timeout_now", from = 1, to = 2, term = 1, prev_index = 3, prev_term = 1 }
  lu.assertEquals({ net:status(2).role, net:status(2).term }, { "candidate", 2 })
end

-- What is received is given up once it is not needed any more.
function tests.test_WhatIsReceivedIsGivenUp()
  local net = replicas.new(3, replicas.still)
  local piece = { kind = "snapshot", from = 1, to = 2, term = 1, prev_index = 3, prev_term = 1, offset = 0,
    piece = "..." }
  net:receive(piece)
  lu.assertFalse(net:receive({ kind = "append", from = 1, to = 2, term = 1, prev_index = 0, prev_term = 0,
    entries = log { 1, 1, 1 }, commit = 2 }).snapshot_abandoned)
  lu.assertTrue(net:receive({ kind = "append", from = 1, to = 2, term = 1, prev_index = 3, prev_term = 1,
    commit = 3 }).snapshot_abandoned)
  lu.assertFalse(net:receive({ kind = "append", from = 1, to = 2, term = 1, prev_index = 3, prev_term = 1,
    commit = 3 }).snapshot_abandoned)
  lu.assertFalse(net.cores:state(2).writes_piece)
end

-- ---- starting, copying, and what comes from outside ---------------------------------------------

function tests.test_AReplicaStartsFromASnapshot()
  local snapshot = { index = 5, term = 2, size = 9, members_index = 3, voters = { 1, 2 } }
  local function start(first_index, terms)
    return core.replica { id = 1, voters = { 1, 2, 3 }, term = 3, snapshot = snapshot, first_index = first_index,
      log = log(terms) }
  end
  local function range(replica)
    local status = replica:status()
    lu.assertEquals({ status.commit_index, status.applied_index, status.snapshot_index }, { 5, 5, 5 })
    lu.assertEquals(replica:members().voters, { 1, 2 })
    return { status.first_index, status.last_index, status.last_term, status.durable_index }
  end
  local function reset(replica)
    local persist = replica:step({ kind = "tick" }).persist
    return persist and persist.reset_index
  end
  for _, case in ipairs {
    { 6, {}, { 6, 5, 2, 5 } },
    { 6, { 2, 3 }, { 6, 7, 3, 7 } },
    { 1, { 1, 1, 1, 1, 2 }, { 1, 5, 2, 5 } },
    { 3, { 1, 1, 2, 3 }, { 4, 6, 3, 6 } }, -- the term before the first is not known: it becomes the base
    { 5, { 2, 3 }, { 6, 6, 3, 6 } },
    { 1, {}, { 6, 5, 2, 5 }, 5 }, -- it was not reset any more
    { 1, { 1, 1 }, { 6, 5, 2, 5 }, 5 },
    { 2, { 1, 1, 1, 1, 1 }, { 6, 5, 2, 5 }, 5 },
    { 5, { 1, 1 }, { 6, 5, 2, 5 }, 5 },
  } do
    local replica = start(case[1], case[2])
    lu.assertEquals(range(replica), case[3])
    lu.assertEquals(reset(replica), case[4])
  end
  lu.assertErrorMsgContains("where the snapshot ends", start, 7, { 2 })
  lu.assertErrorMsgContains("rise from the snapshot's", start, 6, { 1 })
  snapshot.members_index = 6
  lu.assertErrorMsgContains("out of range", start, 6, {})
  snapshot.members_index, snapshot.voters = 3, {}
  lu.assertErrorMsgContains("no voters", start, 6, {})
end

-- The snapshot is durable before the term in which it came: nothing was promised in that, so no vote is lost.
function tests.test_ASnapshotOfATermThatWasNotStored()
  local replica = core.replica { id = 1, voters = { 1, 2, 3 }, term = 3, vote = 2,
    snapshot = { index = 5, term = 4, size = 9, members_index = 0, voters = { 1, 2, 3 } } }
  lu.assertEquals({ replica:status().term, replica:status().vote }, { 4, 0 })
  local persist = replica:step({ kind = "tick" }).persist
  lu.assertEquals({ persist.hard_state, persist.term, persist.vote, persist.reset_index }, { true, 4, 0, 5 })
end

function tests.test_WhatCannotBeASnapshotIsNoticed()
  local function notice(change)
    local message = { kind = "snapshot", from = 1, to = 2, term = 3, prev_index = 3, prev_term = 1, offset = 0,
      piece = "..." }
    for key, value in pairs(change) do
      message[key] = value
    end
    local net = replicas.new(3, replicas.still)
    local update = net:receive(message)
    lu.assertEquals(#update.notices, 1)
    lu.assertEquals(net:status(2).term, 0)
    return update.notices[1].text
  end
  lu.assertStrContains(notice { prev_index = 0, prev_term = 0 }, "a snapshot of nothing")
  lu.assertStrContains(notice { prev_term = 0 }, "without its term")
  lu.assertStrContains(notice { prev_term = 4 }, "past the leader's")
  lu.assertStrContains(notice { piece = "", last = true }, "the last piece is empty")
  lu.assertStrContains(notice { offset = core.never }, "out of range")
  lu.assertStrContains(notice { kind = "snapshot_response", prev_index = 0, prev_term = 0 }, "without its snapshot")
  local net = three_with_one_behind()
  net:heartbeat(1)
  net:submit(1, "x")
  net:flush()
  while net:status(1).peers[3].snapshot_index == 0 do
    net:deliver()
    net:flush()
  end
  net:lose()
  local update = net:receive { kind = "snapshot_response", from = 3, to = 1, term = 1, prev_index = 24, prev_term = 1,
    offset = 100000 }
  lu.assertStrContains(update.notices[1].text, "for what was never sent")
end

function tests.test_ACopyInTheMiddleOfATransferIsEqual()
  local net = three_with_one_behind()
  net:slow(3)
  net:heartbeat(1)
  net:submit(1, "x")
  net:settle()
  net:persisted(3)
  for _ = 1, 20 do
    local copy = net:copy()
    lu.assertEquals(copy.cores:hash(), net.cores:hash())
    local hash = net.cores:hash()
    if net:write_piece(3) then
      lu.assertNotEquals(net.cores:hash(), hash)
    end
    net:settle()
    net:persisted(3)
    copy:write_piece(3)
    copy:settle()
    copy:persisted(3)
    lu.assertEquals(copy.cores:hash(), net.cores:hash())
  end
  lu.assertEquals(net:status(3).snapshot_index, 24)
end

return tests
