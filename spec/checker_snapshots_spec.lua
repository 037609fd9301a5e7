-- The invariant checker and snapshots: what they cover is judged by the one entry that they end with, across what logs
-- have dropped. Each rule is broken, and nearly broken.
local lu = require "luaunit"
local core = require("raft").core
local told = require "spec.support.told"

local assert_violated, settled = told.assert_violated, told.settled

local tests = {}

-- Nodes 1 and 2 have five entries, the last two of term 2, which 1 leads; 3 was away with its three.
local function with_one_behind()
  local r = settled()
  for id = 1, 2 do
    r:vote(id, 1, 2):state(id, 2, 1)
  end
  r:role(1, "leader", 2)
  for id = 1, 2 do
    r:durable(id, 4, { 1, 1, 1, 2, 2 })
  end
  r:event("match", 1, { peer = 2, index = 5 })
  r:commit(1, 5, true):commit(2, 5)
  for id = 1, 2 do
    r:apply(id, 4, 2, 104):apply(id, 5, 2, 105)
  end
  r:state(3, 2, 0)
  lu.assertNil(r.violation)
  return r
end

local function snapshot(r, node, index, term, state)
  return r:event("snapshot", node, { index = index, prev_term = term, answer_hash = state or 0 })
end

local function install(r, node, index, term, configuration)
  return r:event("install", node, { index = index, prev_term = term, configurations = { configuration } })
end

local function acknowledge(r, node, index)
  return r:event("send", node, { peer = 1, message = "append_response", index = index, term = 2 })
end

-- A restart whose log begins behind a snapshot.
local function restart(r, node, index, term, terms, configuration)
  r:crash(node)
  local entries = {}
  for i, of in ipairs(terms) do
    entries[i] = { term = of, hash = 1000003 * of + 7919 * (index + i) + 1 }
  end
  r.sequence[node] = 0
  return r:event("start", node, { term = 2, vote = node == 2 and 1 or 0, first = index + 1, last = index + #terms,
    entries = entries, commit = index, prev_term = term, configurations = { configuration } })
end

-- ---- what a snapshot covers ---------------------------------------------------------------------

function tests.test_ASnapshotOfWhatIsApplied()
  local r = with_one_behind()
  lu.assertNil(snapshot(r, 1, 5, 2).violation)
  assert_violated(snapshot(r, 3, 4, 2), "state machine safety", 3)
end

function tests.test_ASnapshotThatIsMislabelled()
  local r = with_one_behind()
  assert_violated(snapshot(r, 2, 3, 2), "state machine safety", 2)
end

function tests.test_AnInstall()
  local r = with_one_behind()
  install(r, 3, 5, 2)
  acknowledge(r, 3, 5) -- it is on the disk by then
  r:commit(3, 5):append(3, 6, { 1, 1, 1, 2, 2, 2 }):append(1, 6, { 1, 1, 1, 2, 2, 2 })
  lu.assertNil(r.violation)
end

function tests.test_AnInstallOfAnotherEntry()
  local r = with_one_behind()
  assert_violated(install(r, 3, 5, 1), "state machine safety", 3)
end

function tests.test_AnInstallOfWhatNobodyHasCommitted()
  local r = with_one_behind()
  assert_violated(install(r, 3, 6, 2), "state machine safety", 3)
end

function tests.test_AnInstallOverWhatIsApplied()
  local r = with_one_behind()
  lu.assertNil(install(r, 3, 4, 2).violation)
  assert_violated(install(r, 3, 3, 1), "state machine safety", 3)
end

function tests.test_AnInstallOverWhatIsCommitted()
  local r = with_one_behind()
  r:durable(3, 4, { 1, 1, 1, 2, 2 }):commit(3, 5)
  lu.assertNil(r.violation)
  assert_violated(install(r, 3, 4, 2), "committed entries are kept", 3)
end

-- ---- across what a log has dropped --------------------------------------------------------------

function tests.test_LogMatchingBehindASnapshot()
  local r = with_one_behind()
  install(r, 3, 5, 2)
  r:append(1, 6, { 1, 1, 1, 2, 2, 2 })
  assert_violated(r:append(3, 6, { 1, 1, 1, 2, 2, 2 }, 99), "log matching", 3)
end

function tests.test_WhereATermBeginsBehindASnapshot()
  local r = with_one_behind()
  install(r, 3, 5, 2)
  r:append(1, 6, { 1, 1, 1, 2, 2, 2, 3 })
  assert_violated(r:append(3, 6, { 1, 1, 1, 2, 2, 3 }), "log matching", 3)
end

function tests.test_LeaderCompletenessOverASnapshot()
  for _, covers in ipairs { 4, 5 } do
    local r = with_one_behind()
    install(r, 3, covers, 2)
    r:vote(3, 3, 3, covers, 2):vote(2, 3, 3, 3, 1):state(3, 3, 3):state(2, 3, 3)
    lu.assertNil(r.violation)
    r:role(3, "leader", 3)
    if covers == 5 then
      lu.assertNil(r.violation)
    else
      assert_violated(r, "leader completeness", 3)
    end
  end
end

function tests.test_AppliesGoOnBehindASnapshot()
  local r = with_one_behind()
  install(r, 3, 4, 2)
  r:append(3, 5, { 1, 1, 1, 2, 2 }):commit(3, 5)
  lu.assertNil(r:apply(3, 5, 2, 105).violation)
  local other = with_one_behind()
  install(other, 3, 4, 2)
  other:append(3, 5, { 1, 1, 1, 2, 2 }):commit(3, 5)
  assert_violated(other:apply(3, 4, 2, 104), "state machine safety", 3)
end

-- What no log and no snapshot needs any more is forgotten; what comes behind it is judged as before.
function tests.test_WhatAllHaveCoveredIsForgotten()
  local r = with_one_behind()
  install(r, 3, 5, 2)
  snapshot(r, 1, 5, 2)
  snapshot(r, 2, 5, 2)
  for id = 1, 3 do
    r:append(id, 6, { 1, 1, 1, 2, 2, 2 })
  end
  lu.assertNil(r.violation)
  assert_violated(r:append(2, 7, { 1, 1, 1, 2, 2, 2, 2 }):append(3, 7, { 1, 1, 1, 2, 2, 2, 2 }, 9), "log matching", 3)
end

-- ---- the machine's state ------------------------------------------------------------------------

function tests.test_StatesAtOneIndexAreAlike()
  local r = with_one_behind()
  snapshot(r, 1, 5, 2, 77)
  install(r, 3, 5, 2)
  lu.assertNil(r:event("restore", 3, { index = 5, prev_term = 2, answer_hash = 77 }).violation)
  assert_violated(snapshot(r, 2, 5, 2, 78), "machines answer alike", 2)
end

-- ---- disks --------------------------------------------------------------------------------------

-- What was acknowledged may be covered by a snapshot on the disk.
function tests.test_ARestartFromASnapshot()
  local r = with_one_behind()
  lu.assertNil(restart(r, 2, 5, 2, {}).violation)
  local tail = with_one_behind()
  lu.assertNil(restart(tail, 2, 4, 2, { 2 }).violation)
  local less = with_one_behind()
  assert_violated(restart(less, 2, 4, 2, {}), "committed entries are kept", 2)
end

function tests.test_ARestartFromAnotherSnapshot()
  local r = with_one_behind()
  assert_violated(restart(r, 2, 5, 1, {}), "state machine safety", 2)
end

-- An install is durable: it is there at the restart, whatever became of the log.
function tests.test_AnInstallIsThereAfterACrash()
  local r = with_one_behind()
  install(r, 3, 5, 2)
  acknowledge(r, 3, 5)
  assert_violated(restart(r, 3, 3, 1, {}), "committed entries are kept", 3)
end

-- A received snapshot that was named before the crash, and told by nobody, has taken the place of entries of another
-- term (chaos, seed 3007961).
function tests.test_ARestartFromAReceivedSnapshot()
  local r = with_one_behind()
  r:append(3, 4, { 1, 1, 1, 1, 1, 1 }):write(3, 4, 6):sync(3)
  lu.assertNil(restart(r, 3, 5, 2, {}).violation)
  r:append(1, 6, { 1, 1, 1, 2, 2, 2 }):append(3, 6, { 1, 1, 1, 2, 2, 2 })
  lu.assertNil(r.violation)
end

-- A write that was on its way when the log was replaced counts no more.
function tests.test_AnInstallDuringAWrite()
  local function r_with_a_write()
    local r = with_one_behind()
    r:append(3, 4, { 1, 1, 1, 1, 1, 1, 1 }):write(3, 4, 7):truncate(3, 6, 7)
    return install(r, 3, 5, 2):append(3, 6, { 1, 1, 1, 2, 2, 2, 2 }):sync(3)
  end
  lu.assertNil(acknowledge(r_with_a_write(), 3, 5).violation)
  assert_violated(acknowledge(r_with_a_write(), 3, 7), "match index is true", 3)
end

-- ---- members ------------------------------------------------------------------------------------

local function configuration(index, ...)
  return { index = index, voters = { ... } }
end

-- The same, and learner 4 is there since index 4.
local function with_a_learner()
  local r = told.run()
  local first = configuration(0, 1, 2, 3)
  local learner = { index = 4, voters = { 1, 2, 3 }, learners = { 4 } }
  for id = 1, 3 do
    r:start(id, 0, 0, {}, { first }):members(id, first):vote(id, 1, 1):state(id, 1, 1)
  end
  r:role(1, "leader", 1)
  for id = 1, 2 do
    r:durable(id, 1, { 1, 1, 1 })
  end
  r:event("match", 1, { peer = 2, index = 3 }):commit(1, 3, true):commit(2, 3)
  for id = 1, 2 do
    r:append(id, 4, { 1, 1, 1, 1 }, nil, { learner }):members(id, learner):write(id, 4, 4):sync(id)
  end
  r:event("match", 1, { peer = 2, index = 4 }):commit(1, 4, true)
  lu.assertNil(r.violation)
  return r, first, learner
end

function tests.test_ASnapshotsMembersAreThoseOfItsIndex()
  local r, _, learner = with_a_learner()
  install(r, 3, 4, 1, learner)
  lu.assertNil(r:members(3, learner):commit(3, 4).violation)
  local first
  r, first = with_a_learner()
  install(r, 3, 3, 1, first)
  lu.assertNil(r:members(3, first):commit(3, 3).violation)
  r, first = with_a_learner()
  assert_violated(install(r, 3, 4, 1, first), "the latest configuration is in force", 3)
  r = with_a_learner()
  assert_violated(install(r, 3, 4, 1, configuration(4, 1, 2, 3, 4)), "the latest configuration is in force", 3)
  r, _, learner = with_a_learner()
  assert_violated(install(r, 3, 3, 1, learner), "the latest configuration is in force", 3)
end

function tests.test_MembersThatWereNotTakenFromASnapshot()
  local r, first, learner = with_a_learner()
  install(r, 3, 4, 1, learner)
  assert_violated(r:members(3, first), "the latest configuration is in force", 3)
  r, first = with_a_learner()
  assert_violated(restart(r, 2, 4, 1, {}, first), "the latest configuration is in force", 2)
end

-- ---- what a snapshot holds ----------------------------------------------------------------------

-- Node 3 says that a snapshot of `from`, as leader of that term, has come damaged.
local function damaged(r, from, term)
  return r:event("notice", 3, { peer = from, term = term, index = 4, flag = true, text = "a checksum is wrong" })
end

local function disk(r, id, faults)
  faults.node = id
  return r:event("fault", 0, { text = "disk", value = core.value_encode(faults) })
end

function tests.test_ASnapshotArrivesAsItWasWritten()
  assert_violated(damaged(with_one_behind(), 1, 2), "a snapshot is received as it was written", 3)
  -- Who does not lead in that term may say anything.
  lu.assertNil(damaged(damaged(damaged(with_one_behind(), 2, 2), 2, 1), 1, 3).violation)
end

function tests.test_OfASenderWhoseDiskLies()
  for _, fault in ipairs { "corrupt", "misdirect_read", "misdirect_write", "flip" } do
    local r = disk(with_one_behind(), 1, { [fault] = fault == "flip" or 0.1 })
    lu.assertNil(damaged(disk(r, 1, {}), 1, 2).violation) -- what it wrote meanwhile stays
    assert_violated(damaged(disk(with_one_behind(), 3, { [fault] = 0.1 }), 1, 2),
      "a snapshot is received as it was written", 3)
  end
  local r = disk(with_one_behind(), 1, { torn_write = true, sync_error = 0.1, write_error = 0.1, stall = true })
  assert_violated(damaged(r, 1, 2), "a snapshot is received as it was written", 3)
end

-- What rolls a configuration back is one step with the install that it comes with.
function tests.test_AnInstallThatRollsAConfigurationBack()
  local r, _, learner = with_a_learner()
  local later = { index = 5, voters = { 1, 2, 3 }, learners = { 4, 5 } }
  r:append(3, 1, { 1, 1, 1 }):append(3, 4, { 1, 1, 1, 1 }, nil, { learner }):members(3, learner)
  r:append(3, 5, { 1, 1, 1, 1, 1 }, nil, { later }):members(3, later)
  lu.assertNil(r:event("truncate", 3, { first = 5, last = 5 }).violation)
  lu.assertNil(install(r, 3, 4, 1, learner).violation)
  lu.assertNil(r:members(3, learner).violation)
end

return tests
