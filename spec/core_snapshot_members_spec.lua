-- The core's snapshots and its members: a snapshot says who they are at its index. On bare replicas.
local lu = require "luaunit"
local replicas = require "spec.support.replicas"
local snapshots = require "spec.support.snapshots"

local tests = {}
local options, submit, rounds = snapshots.options, snapshots.submit, snapshots.rounds
local assert_same = snapshots.assert_same

local function voters(...)
  return { voters = { ... } }
end

-- The configuration comes with the snapshot: the entry that set it is in nobody's log.
function tests.test_MembersComeWithASnapshot()
  local net = replicas.new(4, options(), { [4] = { voters = {} } })
  for id = 1, 3 do
    net:crash(id)
  end
  net = replicas.new({ 1, 2, 3, 4 }, options { voters = { 1, 2, 3 } }, { [4] = { voters = {} } })
  net:elect(1)
  net:isolate(4)
  net:change(1, voters(1, 2, 3, 4))
  net:settle()
  submit(net, 1, 5)
  net:compact(1, nil, 100)
  net:heal()
  lu.assertEquals(net:status(4).last_index, 0)
  rounds(net, 1, 6)
  lu.assertEquals(net:members(4).voters, { 1, 2, 3, 4 })
  lu.assertEquals(net:status(4).role, "follower")
  net:crash(4)
  lu.assertEquals(net:members(4).voters, { 1, 2, 3, 4 })
  lu.assertEquals(net:status(4).role, "follower")
  net:isolate(1) -- three of four are a quorum; two are none
  net:elect(4)
  net:isolate(2)
  lu.assertEquals(net:submit(4, "x").refusal, "accepted")
  local commit = net:status(4).commit_index
  net:settle()
  lu.assertEquals(net:status(4).commit_index, commit)
end

-- A snapshot's members are those of its index, and not those that are in force meanwhile.
function tests.test_MembersAreThoseOfTheSnapshotsIndex()
  local net = replicas.new(3, options())
  net:elect(1)
  submit(net, 1, 2)
  local applied = net:applied_index(1)
  net:isolate(1)
  net:change(1, voters(1, 2)) -- appended, and not committed
  lu.assertEquals(net:members(1).voters_old, { 1, 2, 3 })
  local snapshot = net:replica(1):snapshot_at(applied)
  lu.assertEquals({ snapshot.index, snapshot.members_index, snapshot.voters, snapshot.voters_old },
    { applied, 0, { 1, 2, 3 }, nil })
  net:compact(1)
  net:crash(1)
  lu.assertEquals(net:members(1).voters_old, { 1, 2, 3 }) -- the entry is in the log behind it
  net:heal()
  net:elect(2)
  rounds(net, 2, 2)
  lu.assertEquals({ net:members(1).voters, net:members(1).voters_old }, { { 1, 2, 3 } }) -- and has been truncated
end

-- A snapshot that is taken while joint says so: whoever installs it needs both majorities.
function tests.test_ASnapshotMayBeTakenWhileJoint()
  local net = replicas.new({ 1, 2, 3, 4, 5 }, options { voters = { 1, 2, 3 } })
  net:elect(1)
  net:isolate(3)
  net:isolate(4)
  net:isolate(5)
  submit(net, 1, 2)
  net:heal()
  net:isolate(3)
  net:change(1, voters(1, 4, 5))
  net:flush()
  local joint = net:status(1).last_index
  while net:status(1).commit_index < joint do
    net:deliver()
    net:flush()
  end
  net:lose()
  net:compact(1, nil, 100) -- the final configuration is appended, and not committed
  lu.assertEquals(net:status(1).snapshot_index, joint)
  net:heal()
  net:isolate(4)
  net:isolate(5)
  for _ = 1, 5 do
    net:heartbeat(1)
    while net:count() > 0 do -- no entry behind the snapshot reaches 3
      local message = net.cores:oldest()
      if message.kind == "append" and message.to == 3 and #message.entries > 0 then
        net.cores:drop(message.number)
      else
        net.cores:deliver(message.number)
      end
      net:flush()
    end
  end
  lu.assertEquals(net:status(3).snapshot_index, joint)
  lu.assertEquals(net:members(3), { voters = { 1, 4, 5 }, learners = {}, voters_old = { 1, 2, 3 } })
  net:crash(3)
  lu.assertEquals(net:members(3).voters_old, { 1, 2, 3 })
  net:isolate(1)
  net:campaign(3, true) -- 2 votes for it, and of 1, 4 and 5 nobody can
  net:settle()
  lu.assertEquals(net:status(3).role, "candidate")
end

-- An uncommitted joint configuration is rolled back, also through a snapshot.
function tests.test_AnUncommittedJointConfigurationIsRolledBackByASnapshot()
  local net = replicas.new({ 1, 2, 3, 4 }, options { voters = { 1, 2, 3 } })
  net:elect(3)
  submit(net, 3, 2)
  net:isolate(3)
  net:change(3, voters(3, 4))
  net:submit(3, "lost")
  net:settle()
  lu.assertEquals(net:members(3).voters_old, { 1, 2, 3 })
  net:elect(1)
  submit(net, 1, 20)
  net:compact(1, nil, 100)
  net:heal()
  local update
  for _ = 1, 6 do
    net:heartbeat(1)
    while net:count() > 0 do
      local message = net.cores:oldest()
      net.cores:set_slow(3, message.to == 3 and message.last == true)
      net.cores:deliver(message.number)
      while net.cores:state(3).writes_piece do
        update = net:write_piece(3)
      end
      net.cores:set_slow(3, false)
      net:persisted(3)
      net:flush()
    end
  end
  lu.assertEquals(update.installed_index, net:status(1).snapshot_index)
  lu.assertTrue(update.members_changed)
  for _ = 1, 2 do
    lu.assertEquals({ net:members(3).voters, net:members(3).voters_old }, { { 1, 2, 3 } })
    lu.assertEquals(net:status(3).last_index, net:status(1).last_index)
    net:crash(3)
  end
end

function tests.test_ALearnerBehindALeaderWhoseLogIsPurged()
  local net = replicas.new({ 1, 2, 3, 4 }, options { voters = { 1, 2, 3 } }, { [4] = { voters = {} } })
  net:elect(1)
  submit(net, 1, 10)
  net:compact(1, nil, 300)
  net:change(1, { voters = { 1, 2, 3 }, learners = { 4 } })
  net:settle()
  rounds(net, 1, 5)
  lu.assertEquals({ net:status(4).role, net:status(4).snapshot_index }, { "learner", 11 })
  assert_same(net, { 1, 2, 4 })
  net:change(1, voters(1, 2, 3, 4))
  net:settle()
  rounds(net, 1, 2)
  lu.assertEquals(net:status(4).role, "follower")
end

return tests
