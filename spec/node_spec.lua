-- A replica in an application: raft.node, alone and several in this process, and three in processes of their own.
local lu = require "luaunit"
local nodes_of = require "spec.support.nodes"
local processes = require "spec.support.processes"
local raft = require "raft"

local tests = {}

local counter, merge, with_nodes = nodes_of.counter, nodes_of.merge, nodes_of.with_nodes
local run_until, leader_of = nodes_of.run_until, nodes_of.leader_of

-- ---- asking ----------------------------------------------------------------------------------------

function tests.test_Alone()
  with_nodes(1, nil, function(nodes)
    local index, result = nodes[1]:propose(5)
    lu.assertTrue(index >= 1)
    lu.assertEquals(result, 5)
    lu.assertEquals(nodes[1]:read(), true)
    lu.assertEquals(nodes[1]:query "count", 5)
  end)
end

function tests.test_Kv()
  with_nodes(1, { machine = "kv" }, function(nodes)
    assert(nodes[1]:propose { op = "set", key = "a", value = { 1, 2 } })
    lu.assertEquals(nodes[1]:query { op = "get", key = "a" }, { { 1, 2 } })
  end)
end

function tests.test_FollowersPassOn()
  with_nodes(3, nil, function(nodes)
    for id = 1, 3 do
      local _, result = assert(nodes[id]:propose(1))
      lu.assertEquals(result, id)
      lu.assertEquals(nodes[id]:query "count", id)
    end
  end)
end

function tests.test_CallbacksAndCoroutines()
  with_nodes(3, nil, function(nodes)
    local ended = 0
    for id = 1, 3 do
      nodes[id]:propose(1, function(index, result)
        lu.assertTrue(index >= 1 and result >= 1)
        ended = ended + 1
      end)
      coroutine.wrap(function()
        assert(nodes[id]:propose(1))
        assert(nodes[id]:read())
        ended = ended + 1
      end)()
    end
    run_until("six answers", function() return ended == 6 end)
    lu.assertEquals(nodes[1]:query "count", 6)
  end)
end

function tests.test_WithoutForwardTheLeaderIsNamed()
  with_nodes(3, { forward = false }, function(nodes, peers)
    local leader, follower = leader_of(nodes)
    local index, _, code, detail = follower:propose(1)
    lu.assertNil(index)
    lu.assertEquals({ code, detail.leader, detail.address }, { "not_leader", leader.id, peers[leader.id] })
    assert(leader:propose(1))
  end)
end

function tests.test_AnAnswerThatIsLostLeavesItOpen()
  local nodes = {}
  local function close_at_forward(id)
    return function(event)
      if event.kind == "receive" and event.message == "forward" then
        nodes[id]:close()
        nodes[id]:close() -- without handing over
      end
    end
  end
  local peers = processes.free_addresses(3)
  for id = 1, 2 do
    nodes[id] = assert(raft.node { id = id, listen = peers[id], peers = peers, machine = counter(),
      trace = close_at_forward(id) })
    assert(nodes[id]:start())
  end
  local _, follower = leader_of(nodes)
  local index, message, code, detail = follower:propose(1, { timeout = 0.3 })
  follower:close()
  lu.assertNil(index)
  lu.assertEquals({ code, detail.unknown }, { "timeout", true }, message)
end

function tests.test_WithoutALeaderNobodyTakesIt()
  local peers = processes.free_addresses(3)
  local node = assert(raft.node { id = 1, listen = peers[1], peers = peers })
  assert(node:start())
  local index, _, code, detail = node:propose(1, { timeout = 0.2 })
  node:close()
  lu.assertEquals({ index, code, detail.unknown }, { nil, "no_leader", nil })
end

function tests.test_MembersAreAddedAndRemoved()
  with_nodes(3, nil, function(nodes, peers)
    local leader, follower = leader_of(nodes)
    assert(leader:propose(7))
    local new = assert(raft.node { id = 4, listen = "127.0.0.1:0", join = true, machine = counter() })
    local removed = false
    follower:on("removed", function() removed = true end)
    assert(new:start())
    local voters = { [leader.id] = true, [4] = new:status().address }
    local index, message = leader:change_members { voters = voters }
    lu.assertTrue(index ~= nil, message)
    lu.assertEquals(new:query "count", 7)
    run_until("the removal", function() return removed end)
    lu.assertEquals(follower:status().state, "removed")
    -- its memory is gone: under the old id at the old address it is another server, and is added as such
    follower:close()
    local again = assert(raft.node { id = follower.id, listen = peers[follower.id], join = true, machine = counter() })
    assert(again:start())
    assert(leader:change_members { voters = { [leader.id] = true, [4] = true, [follower.id] = peers[follower.id] } })
    new:close() -- and counts: two of three
    assert(leader:propose(1))
    lu.assertEquals(again:query "count", 8)
    lu.assertEquals({ again:status().state, again:status().member }, { "running", true })
    again:close()
  end)
end

-- Nothing has happened where one that is to be added is not there: the leader alone could not take it back.
function tests.test_WhoIsAddedHasToRun()
  with_nodes(1, nil, function(nodes)
    local leader, addresses = nodes[1], processes.free_addresses(2)
    assert(leader:propose(7))
    local voters = { [1] = true, [2] = addresses[1], [3] = addresses[2] }
    local index, message, code, detail = leader:change_members({ voters = voters }, { timeout = 0.3 })
    lu.assertEquals({ index, code, detail.unknown }, { nil, "busy", nil })
    lu.assertStrContains(message, "node 2 has not been reached at " .. addresses[1])
    assert(leader:propose(1))
    local added = {}
    for id = 2, 3 do
      added[id] = assert(raft.node { id = id, listen = addresses[id - 1], join = true, machine = counter() })
      assert(added[id]:start())
    end
    assert(leader:change_members { voters = voters })
    lu.assertEquals(assert(added[3]:query "count"), 8)
    for id = 2, 3 do
      lu.assertTrue(added[id]:status().member)
      added[id]:close()
    end
  end)
end

-- Its server may not know of its removal yet, or be about to end: it is not the one that is added again.
function tests.test_AnIdIsAddedAgainBeforeItsServerHasStopped()
  for _ = 1, 5 do
    with_nodes(3, nil, function(nodes, peers)
      local leader, follower = leader_of(nodes)
      local rest, all, removed = {}, {}, false
      for id = 1, 3 do
        rest[id], all[id] = id ~= follower.id or nil, true
      end
      all[follower.id] = peers[follower.id]
      follower:on("removed", function() removed = true end)
      assert(leader:propose(7))
      assert(leader:change_members { voters = rest })
      local done, index, code
      leader:change_members({ voters = all }, { timeout = 5 }, function(at, _, problem)
        done, index, code = true, at, problem
      end)
      run_until("its end", function() return removed or done end)
      lu.assertTrue(removed)
      follower:close()
      local again = assert(raft.node { id = follower.id, listen = peers[follower.id], join = true,
        machine = counter() })
      assert(again:start())
      run_until("the addition", function() return done end)
      lu.assertNotNil(index, code)
      lu.assertEquals(assert(again:query "count"), 7)
      lu.assertTrue(again:status().member)
      again:close()
    end)
  end
end

-- A node of a member's id that has forgotten everything: the leader turns it away, and it says so to whoever asks it.
local function comes_back_with_nothing(leader, options)
  local told, heard = {}, {}
  leader:on("notice", function(text) told[#told + 1] = text end)
  local new = assert(raft.node(options))
  new:on("notice", function(text) heard[#heard + 1] = text end)
  assert(new:start())
  run_until("a refusal", function()
    return new:status().turned_away_by == leader.id
  end)
  run_until("the notices", function()
    return #heard > 0 and #told > 0
  end)
  lu.assertStrContains(table.concat(told, "\n"), "came back with another disk: remove it from the cluster")
  lu.assertStrContains(table.concat(heard, "\n"), "turns this node away: the members know another disk")
  lu.assertEquals({ new:status().state, new:status().member }, { "running", false })
  for _, ask in ipairs { "propose", "query" } do
    local answer, message, code = new[ask](new, "count", { timeout = 1 })
    lu.assertEquals({ answer, code }, { nil, "not_member" })
    lu.assertStrContains(message, "remove the id from the cluster, then add it again")
  end
  return new
end

function tests.test_OneThatLostItsMemoryIsTurnedAwayAndAddedAgain()
  with_nodes(3, nil, function(nodes, peers)
    local leader, follower = leader_of(nodes)
    assert(leader:propose(7))
    run_until("the members' disks", function()
      return leader:status().commit >= 3
    end)
    local id = follower.id
    follower:close()
    local new = comes_back_with_nothing(leader, { id = id, listen = peers[id], peers = peers, machine = counter() })
    local rest = {}
    for other = 1, 3 do
      rest[other] = other ~= id or nil
    end
    assert(leader:change_members { voters = rest })
    new:close() -- what it began with lists it; one that joins begins with nothing
    new = assert(raft.node { id = id, listen = peers[id], join = true, machine = counter() })
    assert(new:start())
    rest[id] = peers[id]
    assert(leader:change_members { voters = rest })
    lu.assertEquals(assert(new:query "count"), 7)
    lu.assertEquals({ new:status().member, new:status().turned_away_by }, { true, nil })
    new:close()
  end)
end

-- It listens on every interface, and could not tell its address: what matters is its disk.
function tests.test_OneThatListensEverywhereComesBackWithNothing()
  with_nodes(3, nil, function(nodes, peers)
    local leader = leader_of(nodes)
    assert(leader:propose(7))
    local address = processes.free_addresses(1)[1]
    local everywhere = address:gsub("^.*:", "0.0.0.0:")
    local new = assert(raft.node { id = 4, listen = everywhere, join = true, insecure = true, machine = counter() })
    assert(new:start())
    assert(leader:change_members { voters = { [1] = true, [2] = true, [3] = true, [4] = address } })
    new:close()
    new = comes_back_with_nothing(leader, { id = 4, listen = everywhere, insecure = true, machine = counter(),
      peers = { peers[1], peers[2], peers[3], address } })
    new:close()
  end)
end

-- ---- errors ----------------------------------------------------------------------------------------

function tests.test_AnErrorInACallbackIsRaisedByWhoDrives()
  with_nodes(1, nil, function(nodes)
    nodes[1]:propose(1, function() error "from the callback" end)
    local fine, problem = pcall(raft.run, 5)
    lu.assertFalse(fine)
    lu.assertStrContains(problem, "from the callback")
    lu.assertStrContains(problem, "stack traceback")
    coroutine.wrap(function()
      nodes[1]:propose(1)
      error { text = "a table" }
    end)()
    fine, problem = pcall(raft.run, 5)
    lu.assertFalse(fine)
    lu.assertEquals(problem, { text = "a table" })
    lu.assertEquals(select(2, nodes[1]:propose(1)), 3)
  end)
end

function tests.test_AnErrorInApplyFailsTheNode()
  with_nodes(1, nil, function(nodes)
    local message
    nodes[1]:on("error", function(text) message = text end)
    local index, _, code = nodes[1]:propose "no number"
    lu.assertEquals({ index, code }, { nil, "node_down" })
    run_until("the event", function() return message end)
    lu.assertStrContains(message, "cannot add no number")
    lu.assertStrContains(message, "stack traceback")
    lu.assertEquals(nodes[1]:status().state, "failed")
    lu.assertFalse(raft.run())
    lu.assertEquals(select(3, nodes[1]:propose(1)), "node_down")
  end)
end

function tests.test_AnErrorInApplyIsRaisedWhereNobodyListens()
  with_nodes(1, nil, function(nodes)
    nodes[1]:propose("no number", function() end)
    local fine, problem = pcall(raft.run, 5)
    lu.assertFalse(fine)
    lu.assertStrContains(problem, "cannot add no number")
  end)
end

function tests.test_AnErrorInQueryHarmsNothing()
  with_nodes(1, nil, function(nodes)
    local answer, message
    nodes[1]:query("bad", function(...) answer, message = ... end)
    local fine, problem = pcall(raft.run, 5)
    lu.assertFalse(fine)
    lu.assertStrContains(problem, "cannot answer that")
    lu.assertNil(answer)
    lu.assertStrContains(message, "cannot answer that")
    lu.assertEquals(nodes[1]:query "count", 0)
  end)
end

function tests.test_CallbacksNeitherDriveNorWait()
  with_nodes(1, nil, function(nodes)
    for _, f in ipairs { raft.step, raft.run, function() nodes[1]:propose(2) end, function() nodes[1]:read() end } do
      nodes[1]:propose(1, f)
      local fine, problem = pcall(raft.run, 5)
      lu.assertFalse(fine)
      lu.assertStrContains(problem, "callback")
    end
    assert(nodes[1]:propose(1))
  end)
end

function tests.test_Options()
  local function refused(options, text)
    local fine, problem = pcall(raft.node, options)
    lu.assertFalse(fine)
    lu.assertStrContains(problem, text)
    lu.assertStrContains(problem, "node_spec.lua")
  end
  local function with(more)
    return merge({ id = 1, listen = "127.0.0.1:7001" }, more)
  end
  refused(with { colour = 1 }, "raft.node: there is no option 'colour'")
  refused({ listen = "127.0.0.1:7001" }, "bad argument 'id'")
  refused({ id = 1 }, "bad argument 'listen'")
  refused(with { listen = "localhost:7001" }, "bad argument 'listen'")
  refused(with { listen = "127.0.0.1:0" }, "others cannot dial")
  refused(with { peers = { [2] = "there" } }, "peers[2]")
  refused(with { join = true, peers = { [2] = "127.0.0.1:7002" } }, "join = true")
  refused(with { machine = {} }, "bad argument 'machine'")
  refused(with { election_timeout = { 2, 1 } }, "election_timeout")
  refused(with { cluster = ("x"):rep(64) }, "bad argument 'cluster'")
  local node, message, code = raft.node(with { listen = "0.0.0.0:7001" })
  lu.assertEquals({ node, code }, { nil, "address" })
  lu.assertStrContains(message, "insecure = true")
  local first = assert(raft.node(with {}))
  lu.assertEquals(select(3, raft.node(with {})), "already_member")
  first:close()
end

function tests.test_AnAddressInUse()
  with_nodes(1, nil, function(_, peers)
    local second = assert(raft.node { id = 2, listen = peers[1] })
    local started, message, code = second:start()
    lu.assertEquals({ started, code }, { nil, "address" }, message)
    second:close()
  end)
end

-- ---- ends ------------------------------------------------------------------------------------------

function tests.test_ClosingTellsThoseWhoWaitAndNobodyLater()
  local peers = processes.free_addresses(3)
  local node = assert(raft.node { id = 1, listen = peers[1], peers = peers })
  assert(node:start())
  local told = {}
  node:propose(1, function(_, _, code) told[#told + 1] = code end)
  coroutine.wrap(function()
    local code = select(3, node:read())
    told[#told + 1] = code
  end)()
  node:on("role", function() told[#told + 1] = "role" end)
  raft.step()
  lu.assertTrue(node:close(function(fine) told[#told + 1] = fine end))
  lu.assertEquals(told, { "closed", "closed", true })
  lu.assertFalse(raft.run(0.5))
  lu.assertEquals(#told, 3)
  lu.assertTrue(node:close())
  lu.assertEquals(node:status(), { id = 1, state = "closed" })
  lu.assertEquals(select(3, node:propose(1)), "closed")
  lu.assertEquals(select(3, node:start()), "closed")
  node:read(function(fine, message, code)
    told[#told + 1] = tostring(fine) .. " " .. code .. " " .. message
  end)
  lu.assertEquals(told[#told], "nil closed node 1 was closed")
end

function tests.test_ClosingInItsOwnCallback()
  with_nodes(1, nil, function(nodes)
    local told = {}
    nodes[1]:propose(1, function(index)
      lu.assertTrue(index ~= nil)
      nodes[1]:close(function() told[#told + 1] = "closed" end)
      told[#told + 1] = "after close"
    end)
    lu.assertFalse(raft.run())
    lu.assertEquals(told, { "after close", "closed" })
  end)
end

function tests.test_AnyOrderOfEnds()
  local address = processes.free_addresses(1)[1]
  local make = ("local raft = require 'raft' local function make() return assert(raft.node { id = 1, listen = '%s' }) "
    .. "end "):format(address)
  for _, chunk in ipairs {
    "local n = make() n:start() n:propose(1) os.exit(0, true)",
    "local n = make() n:start() n:propose(1, function() os.exit(0, true) end) raft.run()",
    "local n = make() n:start() n:propose(1, print) n = nil collectgarbage() os.exit(0, true)",
    "make() collectgarbage() collectgarbage() make():close() os.exit(0, true)",
    "local n = make() n:start() n:close() n:close() n = nil collectgarbage() os.exit(0, true)",
    "local fd = raft.pollfd() make():close() assert(raft.pollfd() == fd) os.exit(0, true)",
    "assert(raft.timeout() == nil and raft.events() == 'r' and raft.step() == false and raft.run() == false)",
  } do
    local output, code = processes.run_chunk(make .. chunk)
    lu.assertEquals({ output, code }, { "", 0 }, chunk)
  end
end

-- In a process of its own, where nothing else comes and goes.
function tests.test_AThousandLivesLeaveNothing()
  local output, code = processes.run_chunk [[
    local processes, raft = require "spec.support.processes", require "raft"
    local address = processes.free_addresses(1)[1]
    local function live(count)
      for i = 1, count do
        local node = assert(raft.node { id = 1, listen = address })
        if i % 3 ~= 0 then
          assert(node:start())
          assert(node:propose(1))
        end
        node:close()
      end
      collectgarbage()
      collectgarbage()
      return processes.descriptors(), processes.resident_kib()
    end
    local descriptors, resident_kib = live(1000) -- by then the collector has had its largest heap
    local descriptors_then, resident_kib_then = live(1000)
    print(descriptors_then - descriptors, resident_kib_then - resident_kib)
  ]]
  local descriptors, kib = output:match("^(%-?%d+)%s+(%-?%d+)%s*$")
  lu.assertEquals({ descriptors, code }, { "0", 0 }, output)
  processes.assert_grown_less(tonumber(kib), 256)
end

-- ---- loops -----------------------------------------------------------------------------------------

local has_luv, uv = pcall(require, "luv")

function tests.test_Luv()
  lu.skipIf(not has_luv, "luv is not installed")
  local handle = raft.attach(uv)
  local address, count = processes.free_addresses(1)[1], nil
  local node = assert(raft.node { id = 1, listen = address, machine = counter() })
  assert(node:start())
  coroutine.wrap(function()
    for _ = 1, 100 do
      count = select(2, assert(node:propose(1)))
    end
    node:close()
  end)()
  uv.run() -- ends with the last node
  lu.assertEquals(count, 100)
  handle:close()
  handle:close()
  uv.run()
  lu.assertErrorMsgContains("bad argument 'uv'", raft.attach, {})
end

return tests
