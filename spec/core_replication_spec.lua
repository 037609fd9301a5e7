-- The core's rules of replication and commitment, on bare replicas.
local lu = require "luaunit"
local replicas = require "spec.support.replicas"

local tests = {}
local MS = replicas.MS
local log = replicas.log

local function append(to, term, prev_index, prev_term, entries, commit)
  return { kind = "append", from = 1, to = to, term = term, prev_index = prev_index, prev_term = prev_term,
    entries = entries, commit = commit or 0 }
end

local function answer(net, from)
  return net:take("append_response", from)[1]
end

function tests.test_ALeaderAppendsAnEmptyEntryOfItsTerm()
  local net = replicas.new(3, replicas.still, { [1] = { term = 2, log = log { 1, 2 } } })
  net:elect(1)
  local entry = net:log(1)[3]
  lu.assertEquals({ entry.term, entry.kind }, { 3, "empty" })
  lu.assertEquals(net:terms(2), { 1, 2, 3 })
end

function tests.test_CommandsReachAllAndAreApplied()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  local update = net:submit(1, "a", "b")
  lu.assertEquals({ update.refusal, update.index }, { "accepted", 2 })
  net:submit(1, "c")
  net:settle()
  for id = 1, 3 do
    local applied = net:applied(id)
    lu.assertEquals(#applied, 4)
    lu.assertEquals({ applied[2].command, applied[3].command, applied[4].command }, { "a", "b", "c" })
  end
end

function tests.test_OthersRefuseCommands()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  lu.assertEquals(net:submit(2, "a").refusal, "not_leader")
  lu.assertEquals(net:status(2).last_index, 1)
end

-- ---- a follower's log (paper 5.3) ---------------------------------------------------------------

function tests.test_PrevIndexAndPrevTermMustMatch()
  local cases = { -- prev_index, prev_term: accepted?
    { 0, 0, true }, { 3, 2, true }, { 3, 1, false }, { 4, 2, false }, { 2, 1, true },
  }
  for _, case in ipairs(cases) do
    local net = replicas.new(3, replicas.still, { [2] = { term = 2, log = log { 1, 1, 2 } } })
    net:receive(append(2, 3, case[1], case[2], {}))
    lu.assertEquals(not answer(net, 2).reject, case[3], lu.prettystr(case))
  end
end

function tests.test_ConflictingEntriesAreReplaced()
  local net = replicas.new(3, replicas.still, { [2] = { term = 2, log = log { 1, 2, 2 } } })
  local update = net:receive(append(2, 3, 1, 1, { { term = 3, command = "x" } }))
  lu.assertEquals({ update.truncated_from, update.truncated_to }, { 2, 3 })
  lu.assertEquals({ update.appended_first, update.appended_last }, { 2, 2 })
  lu.assertEquals(net:terms(2), { 1, 3 })
  lu.assertEquals(answer(net, 2).index, 2)
end

-- An append that is late or repeated cuts nothing where nothing conflicts.
function tests.test_AnOldAppendTruncatesNothing()
  local net = replicas.new(3, replicas.still, { [2] = { term = 1, log = log { 1, 1, 1, 1 } } })
  local update = net:receive(append(2, 1, 1, 1, { log({ 1, 1 })[2] }))
  lu.assertEquals(update.truncated_from, 0)
  lu.assertEquals(net:terms(2), { 1, 1, 1, 1 })
  lu.assertEquals(answer(net, 2).index, 2) -- it vouches for no more than was compared
end

-- A follower commits only as far as it is known to match.
function tests.test_CommitStopsAtTheLastEntryThatMatches()
  local net = replicas.new(3, replicas.still, { [2] = { term = 1, log = log { 1, 1, 1, 1 } } })
  net:receive(append(2, 2, 1, 1, {}, 4))
  lu.assertEquals(net:status(2).commit_index, 1)
  net:receive(append(2, 2, 1, 1, { { term = 2, command = "x" } }, 9))
  lu.assertEquals(net:status(2).commit_index, 2)
end

function tests.test_CommitNeverGoesBack()
  local net = replicas.new(3, replicas.still, { [2] = { term = 1, log = log { 1, 1, 1 } } })
  net:receive(append(2, 1, 3, 1, {}, 3))
  lu.assertEquals(net:status(2).commit_index, 3)
  net:receive(append(2, 1, 3, 1, {}, 1))
  lu.assertEquals(net:status(2).commit_index, 3)
end

function tests.test_AnOlderTermIsRefused()
  local net = replicas.new(3, replicas.still, { [2] = { term = 5, log = log { 1, 2 } } })
  net:receive(append(2, 4, 2, 2, { { term = 4, command = "x" } }, 3))
  local response = answer(net, 2)
  lu.assertEquals({ response.term, response.reject }, { 5, true })
  lu.assertEquals(net:terms(2), { 1, 2 })
  lu.assertEquals(net:status(2).commit_index, 0)
end

function tests.test_ABadMessageIsNoticedAndDropped()
  local net = replicas.new(3, replicas.still, { [2] = { term = 1, log = log { 1 } } })
  local before = net:hash(2)
  for _, message in ipairs {
    append(2, 3, 1, 7, {}), -- prev_term beyond the term
    append(2, 2, 1, 1, { { term = 9, command = "x" } }), -- an entry's term beyond the message's
    append(2, 2, 0, 4, {}), -- a term at index 0
  } do
    local update = net:receive(message)
    lu.assertEquals(#update.notices, 1, lu.prettystr(message))
    lu.assertEquals(update.notices[1].from, 1)
  end
  lu.assertEquals(net:terms(2), { 1 })
  lu.assertEquals(net:hash(2), before)
end

-- Whoever contradicts what is committed is not believed, and stops nobody: the replica goes on.
function tests.test_WhatContradictsACommittedEntryIsNoticedAndDropped()
  local net = replicas.new(3, replicas.still, { [2] = { term = 1, log = log { 1, 1, 1 } } })
  net:receive(append(2, 1, 3, 1, {}, 2))
  local update = net:receive(append(2, 2, 0, 0, { { term = 2, command = "another" } }))
  lu.assertEquals(#update.notices, 1)
  lu.assertStrContains(update.notices[1].text, "contradicts the committed entry 1")
  lu.assertEquals({ net:terms(2), net:status(2).commit_index }, { { 1, 1, 1 }, 2 })
  net:receive(append(2, 2, 2, 1, { { term = 2, command = "new" } }, 3))
  lu.assertEquals({ net:terms(2), net:status(2).commit_index }, { { 1, 1, 2 }, 3 })
end

-- While a member leads, an append of somebody that the configuration does not list is no leader's.
function tests.test_WhoIsNoMemberDoesNotLeadWhileAMemberDoes()
  local net = replicas.new(3, nil, { [2] = { term = 1, log = log { 1 } } })
  net:receive(append(2, 1, 1, 1, {}))
  local message = append(2, 5, 1, 1, { { term = 5, command = "forged" } }, 2)
  message.from = 77
  local update = net:receive(message)
  lu.assertEquals(#update.notices, 1)
  lu.assertStrContains(update.notices[1].text, "from a non-member, while node 1 leads")
  lu.assertEquals({ net:terms(2), net:status(2).term, net:status(2).leader }, { { 1 }, 1, 1 })
end

-- Else one forged message could use up all the terms there are.
function tests.test_ATermThatIsTooFarAheadIsNobodys()
  local net = replicas.new(3, replicas.still, { [2] = { term = 1, log = log { 1 } } })
  local update = net:receive(append(2, 8589934592, 1, 1, {}))
  lu.assertStrContains(update.notices[1].text, "too far ahead")
  lu.assertEquals(net:status(2).term, 1)
end

-- ---- backing up by term -------------------------------------------------------------------------

-- The logs of the paper's figure 7: the leader of term 8 and six followers.
function tests.test_Figure7CatchUp()
  local logs = {
    { 1, 1, 1, 4, 4, 5, 5, 6, 6, 6 },
    { 1, 1, 1, 4, 4, 5, 5, 6, 6 },
    { 1, 1, 1, 4 },
    { 1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6 },
    { 1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7 },
    { 1, 1, 1, 4, 4, 4, 4 },
    { 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3 },
  }
  local each = {}
  for id, terms in ipairs(logs) do
    each[id] = { term = 7, log = log(terms) }
  end
  local net = replicas.new(7, replicas.still, each)
  net:campaign(1, true)
  local refusals = {}
  for _ = 1, 10000 do
    local message = net:deliver()
    if not message then
      net:flush()
      if net:count() == 0 then
        break
      end
    elseif message.kind == "append_response" and message.reject then
      refusals[message.from] = (refusals[message.from] or 0) + 1
    end
  end
  lu.assertEquals(net:status(1).role, "leader")
  for id = 2, 7 do
    lu.assertEquals(net:terms(id), { 1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 8 })
    -- A refusal for each term of the follower's that the leader must skip, and one to begin with.
    lu.assertTrue((refusals[id] or 0) <= 3, ("%d refused %d times"):format(id, refusals[id] or 0))
  end
end

function tests.test_LongConflictsAreSkippedByTerm()
  local short, long = {}, {}
  for i = 1, 500 do
    short[i] = i <= 10 and 1 or 3
    long[i] = i <= 10 and 1 or 2
  end
  local net = replicas.new(3, replicas.still, {
    [1] = { term = 3, log = log(short) }, [2] = { term = 3, log = log(long) }, [3] = { term = 3, log = log(short) },
  })
  net:campaign(1, true)
  local refusals = 0
  repeat
    local message = net:deliver()
    if message and message.kind == "append_response" and message.from == 2 and message.reject then
      refusals = refusals + 1
    end
  until not message
  net:settle()
  lu.assertEquals(net:terms(2), net:terms(1))
  lu.assertTrue(refusals <= 3)
end

-- Answers that come late never move a peer back below what it is known to have.
function tests.test_ALateRefusalIsIgnored()
  local net = replicas.new(3, replicas.still, { [1] = { term = 1, log = log { 1, 1, 1 } } })
  net:elect(1)
  local matched = net:status(1).peers[2].match_index
  lu.assertEquals(matched, 4)
  net:receive({ kind = "append_response", from = 2, to = 1, term = net:status(1).term, reject = true, index = 3,
    hint_index = 0, hint_term = 0 })
  local peer = net:status(1).peers[2]
  lu.assertEquals(peer.match_index, matched)
  lu.assertTrue(peer.next_index > matched)
end

function tests.test_AnOldAnswerDoesNotTakeAMatchBack()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  net:submit(1, "a", "b", "c")
  net:settle()
  net:receive({ kind = "append_response", from = 2, to = 1, term = net:status(1).term, index = 2 })
  lu.assertEquals(net:status(1).peers[2].match_index, 4)
end

-- ---- commitment (paper 5.4.2) -------------------------------------------------------------------

function tests.test_AMajorityCommits()
  local net = replicas.new(5, replicas.still)
  net:elect(1)
  net:submit(1, "x")
  net:flush()
  local term = net:status(1).term
  net:lose()
  net:receive({ kind = "append_response", from = 2, to = 1, term = term, index = 2 })
  lu.assertEquals(net:status(1).commit_index, 1)
  local update = net:receive({ kind = "append_response", from = 3, to = 1, term = term, index = 2 })
  lu.assertEquals(net:status(1).commit_index, 2)
  lu.assertTrue(update.commit_counted)
end

-- Five voters of which one is far ahead and advances again (openraft #1802).
function tests.test_TheMedianCountsWhateverTheOrder()
  local net = replicas.new(5, replicas.still)
  net:elect(1)
  net:submit(1, "2", "3", "4", "5", "6", "7")
  net:flush()
  local term = net:status(1).term
  net:lose()
  for _, step in ipairs { { 2, 5, 1 }, { 3, 3, 3 }, { 2, 7, 3 }, { 4, 2, 3 }, { 5, 6, 6 }, { 3, 7, 7 } } do
    net:receive({ kind = "append_response", from = step[1], to = 1, term = term, index = step[2] })
    lu.assertEquals(net:status(1).commit_index, step[3], lu.prettystr(step))
  end
end

-- Figure 8: an entry of an older term on a majority is not committed by counting.
function tests.test_Figure8OwnTermCommit()
  local net = replicas.new(5, replicas.still, {
    [1] = { term = 3, log = log { 1, 2 } },
    [2] = { term = 3, log = log { 1, 2 } },
    [3] = { term = 3, log = log { 1 } },
    [4] = { term = 3, log = log { 1 } },
    [5] = { term = 3, log = log { 1, 3 } },
  })
  net:campaign(1, true)
  for _, voter in ipairs { 2, 3 } do
    net:receive(net:take("vote", 1, voter)[1])
    net:receive(net:take("vote_response", voter)[1])
  end
  lu.assertEquals({ net:status(1).role, net:status(1).term }, { "leader", 4 })
  net:flush()
  net:lose()
  -- Index 2, of term 2, is on 1, 2 and 3: a majority. Its own entry of term 4, at 3, is not.
  for _, peer in ipairs { 2, 3 } do
    net:receive({ kind = "append_response", from = peer, to = 1, term = 4, index = 2 })
  end
  lu.assertEquals(net:status(1).commit_index, 0)
  -- So 5 may still win and overwrite it. With the own entry on a majority, all before it commits.
  for _, peer in ipairs { 2, 3 } do
    net:receive({ kind = "append_response", from = peer, to = 1, term = 4, index = 3 })
  end
  lu.assertEquals(net:status(1).commit_index, 3)
end

function tests.test_LogsThatDivergedConverge()
  local net = replicas.new(3, replicas.still)
  net:elect(1)
  net:isolate(1)
  for i = 1, 20 do
    net:submit(1, "lost " .. i)
  end
  net:settle()
  net:elect(2)
  net:submit(2, "kept")
  net:settle()
  net:heal()
  net:submit(2, "more")
  net:run(200 * MS)
  lu.assertEquals(net:terms(1), net:terms(2))
  lu.assertEquals(net:status(1).role, "follower")
  lu.assertEquals(net:applied(1)[#net:applied(1)].command, "more")
end

-- ---- what is in flight --------------------------------------------------------------------------

function tests.test_TheWindowIsKept()
  local options = { window = 4, max_entries = 1 }
  for key, value in pairs(replicas.still) do
    options[key] = value
  end
  local net = replicas.new(3, options)
  net:elect(1)
  for i = 1, 20 do
    net:submit(1, i)
    net:flush()
  end
  local under_way = net:under_way("append", 1, 2)
  local with_entries = 0
  for _, message in ipairs(under_way) do
    with_entries = with_entries + (#message.entries > 0 and 1 or 0)
    lu.assertTrue(#message.entries <= 1)
  end
  lu.assertEquals(with_entries, 4)
  net:settle()
  lu.assertEquals(net:status(2).last_index, 21)
end

-- The whole window is lost: heartbeats find out, without a storm (etcd-io/raft e419ba5, 1ee3589).
function tests.test_InflightAllLost()
  local net = replicas.new(3, { window = 4, max_entries = 1, pre_vote = false })
  net:elect(1)
  for i = 1, 20 do
    net:submit(1, i)
    net:flush()
  end
  net:lose() -- all of it
  local sent = 0
  for _ = 1, 1000 do
    net:pass(MS)
    while true do
      local message = net:deliver()
      if not message then
        net:flush()
        if net:count() == 0 then
          break
        end
      elseif message.kind == "append" then
        sent = sent + 1
      end
    end
  end
  lu.assertEquals(net:status(2).last_index, 21)
  lu.assertEquals(net:status(1).commit_index, 21)
  lu.assertTrue(sent < 2 * (21 + 40 + 40), sent .. " appends for 20 entries and 20 heartbeats")
end

function tests.test_MessagesAreBoundedButOneEntryAlwaysFits()
  local options = { max_message_bytes = 1000 }
  for key, value in pairs(replicas.still) do
    options[key] = value
  end
  local net = replicas.new(3, options)
  net:elect(1)
  net:isolate(2)
  for _ = 1, 10 do
    net:submit(1, ("x"):rep(300))
  end
  net:submit(1, ("y"):rep(5000))
  local largest = 0
  for _ = 1, 1000 do
    local message = net:deliver()
    if not message then
      net:flush()
      if net:count() == 0 then
        break
      end
    elseif message.kind == "append" and message.to == 3 then
      local bytes = 0
      for _, entry in ipairs(message.entries) do
        bytes = bytes + (entry.command and #entry.command or 0)
      end
      largest = math.max(largest, #message.entries > 1 and bytes or 0)
    end
  end
  lu.assertTrue(largest <= 1000)
  lu.assertEquals(net:status(3).last_index, 12)
end

function tests.test_TooMuchUncommittedIsBusy()
  local options = { max_uncommitted_bytes = 1000 }
  for key, value in pairs(replicas.still) do
    options[key] = value
  end
  local net = replicas.new(3, options)
  net:elect(1)
  net:isolate(1)
  local refusal
  for _ = 1, 10 do
    refusal = net:submit(1, ("x"):rep(200)).refusal
  end
  lu.assertEquals(refusal, "busy")
  lu.assertTrue(net:status(1).last_index < 8)
end

function tests.test_HeartbeatsComeAtTheirInterval()
  local net = replicas.new(3, { pre_vote = false, check_quorum = false })
  net:elect(1)
  local beats = 0
  for _ = 1, 10 do
    net:pass(50 * MS, 1)
    beats = beats + #net:take("append", 1, 2)
    net:lose()
  end
  lu.assertTrue(beats >= 9 and beats <= 11, beats .. " heartbeats in half a second")
end

return tests
