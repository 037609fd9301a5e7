-- What comes in by a port, from peers and from strangers who know the protocol and the cluster's name.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local processes = require "spec.support.processes"
local wire = require "spec.support.wire"
local forged = require "raft.bench.forged"
local raft = require "raft"
local core = raft.core

local tests = {}

-- ---- one connection a pair ----------------------------------------------------------------------

-- A stranger to node 1 of a cluster: dial(options of the hello), drive().
local function with_strangers(name, f)
  tests["test_" .. name] = function()
    wire.skip_without_luv()
    clusters.with({ nodes = 1, mode = "tcp", keep_events = 100 }, function(c)
      c:check_one_leader()
      local address, dialled = c:status(1, "address"), {}
      local function drive()
        c:sleep(0.001)
      end
      local function dial(options, to)
        dialled[#dialled + 1] = wire.connect(address, forged.hello(9, to or 1, options))
        return dialled[#dialled]
      end
      f(dial, drive, c)
      for _, connection in ipairs(dialled) do
        connection:close()
      end
    end)
  end
end

with_strangers("BothSidesSayHello", function(dial, drive)
  local connection = dial()
  wire.wait("its hello", drive, function()
    return connection:is_answered()
  end)
  local hello = connection:frames()[1].body
  lu.assertEquals(hello:sub(1, 8), "raftbnch")
  lu.assertEquals(hello:byte(17), 1) -- the sender
  lu.assertEquals(hello:byte(25), 9) -- for whom it is
end)

-- What a second connection of the same id does to the first, by what its hello says.
for name, case in pairs {
  AnotherLifeTakesThePlace = { first = { life = 1, number = 9 }, second = { life = 2, number = 1 }, taken = true },
  AnotherDiskTakesThePlace = { first = { directory = 7, number = 9 }, second = { directory = 8, number = 1 },
    taken = true },
  ALaterHelloTakesThePlace = { first = { number = 5 }, second = { number = 6 }, taken = true },
  AnEarlierHelloThatComesLateDoesNot = { first = { number = 6 }, second = { number = 5 }, taken = false },
} do
  with_strangers(name, function(dial, drive)
    local first = dial(case.first)
    wire.wait("the first hello", drive, function()
      return first:is_answered()
    end)
    local second = dial(case.second)
    local loser = case.taken and first or second
    wire.wait("the end of one", drive, function()
      return loser.ended
    end)
    lu.assertEquals(second:is_answered(), case.taken)
    wire.pass(drive, 0.05)
    lu.assertFalse((case.taken and second or first).ended)
  end)
end

for name, case in pairs {
  OfAnotherCluster = { { cluster = "another" }, 1, "another" },
  OfAnotherVersion = { { version = 9 }, 1, "versions 9" },
  ForAnotherNode = { {}, 2, "expected node 2 here" },
} do
  with_strangers("AHello" .. name .. "IsRefused", function(dial, drive, c)
    local connection = dial(case[1], case[2])
    wire.wait("the end", drive, function()
      return connection.ended
    end)
    lu.assertFalse(connection:is_answered())
    lu.assertStrContains(c:events({ kind = "notice", node = 1 })[1].text, case[3])
  end)
end

-- Both dial at once: a node, and a fake peer that says hello first and only then answers the node's.
for _, own in ipairs { 1, 2 } do
  tests[("test_WhenBothDialTheConnectionOfTheLowerIdStays_%d"):format(own)] = function()
    wire.skip_without_luv()
    local address, came, stop = wire.listen()
    local listen, other = processes.free_addresses(1)[1], 3 - own
    local node = assert(raft.node { id = own, listen = listen,
      peers = { [own] = listen, [other] = address }, cluster = "cluster" })
    local function drive()
      raft.run(0.001)
    end
    assert(node:start())
    wire.wait("the node's hello", drive, function()
      return came[1] and came[1]:is_answered()
    end)
    local theirs = came[1]
    local ours = wire.connect(listen, forged.hello(other, own, { number = 1 }))
    wire.wait("its answer", drive, function()
      return ours:is_answered()
    end)
    theirs:say(forged.hello(other, own, { number = 2 }) .. forged.request(other, 3))
    ours:say(forged.request(other, 4))
    local loser, winner = own == 1 and ours or theirs, own == 1 and theirs or ours
    wire.wait("the end of one", drive, function()
      return loser.ended
    end)
    wire.wait("answers to what came on both", drive, function()
      local answers = 0
      for _, connection in ipairs { ours, theirs } do
        for _, frame in ipairs(connection:frames()) do
          answers = answers + (frame.kind == 4 and 1 or 0)
        end
      end
      return answers == 2
    end)
    lu.assertFalse(winner.ended)
    lu.assertEquals(#came, 1) -- and nobody dials again
    ours:close()
    node:close()
    stop()
  end
end

-- A peer that ends each connection in place of saying hello is told of, and dialled ever more rarely.
function tests.test_APeerThatRefusesIsDialledRarely()
  wire.skip_without_luv()
  local address, came, stop = wire.listen()
  local listen, notices = processes.free_addresses(1)[1], {}
  local node = assert(raft.node { id = 1, listen = listen, peers = { listen, address } })
  node:on("notice", function(text)
    notices[#notices + 1] = text
  end)
  assert(node:start())
  wire.pass(function()
    raft.run(0.001)
    for _, connection in ipairs(came) do
      connection:close()
    end
  end, 4)
  lu.assertTrue(#came >= 5 and #came <= 10, #came)
  lu.assertStrContains(table.concat(notices, "; "), "node 2 turns this node away")
  node:close()
  stop()
end

-- A node alone, which can judge a hello.
local function running_node()
  local address = processes.free_addresses(1)[1]
  local node = assert(raft.node { id = 1, listen = address, cluster = "cluster" })
  assert(node:start())
  wire.wait("it to run", raft.step, function()
    return node:status().state == "running"
  end)
  return node, address
end

-- Ever new ids that say hello, ask something and go.
function tests.test_StrangersThatWereAnsweredAreForgotten()
  wire.skip_without_luv()
  local node, address = running_node()
  local next_id = 1000
  local function meet(count)
    for _ = 1, count do
      next_id = next_id + 1
      local connection = wire.connect(address, forged.hello(next_id, 1) .. forged.request(next_id, 5))
      wire.wait("its answer", raft.step, function()
        return #connection:frames() == 2 or connection.ended
      end)
      lu.assertFalse(connection.ended)
      connection:close()
    end
    collectgarbage()
  end
  meet(2000)
  local before = processes.resident_kib()
  meet(5000)
  local more_kib = processes.resident_kib() - before
  node:close()
  processes.assert_grown_less(more_kib, 500)
end

-- The same with a node of a script's cluster, whose links have faults.
with_strangers("StrangersLeaveNoLinks", function(_, _, c)
  local next_id, address = 1000, c:status(1, "address")
  local function drive()
    c:sleep(0.0001)
  end
  local function meet(count)
    for _ = 1, count do
      next_id = next_id + 1
      local connection = wire.connect(address, forged.hello(next_id, 1) .. forged.request(next_id, 5))
      wire.wait("its answer", drive, function()
        return #connection:frames() == 2 or connection.ended
      end)
      lu.assertFalse(connection.ended)
      connection:close()
      if next_id % 50 == 0 then
        collectgarbage() -- what this script itself leaves is not in question
      end
    end
  end
  meet(1000)
  local before = processes.resident_kib()
  meet(3000)
  collectgarbage()
  processes.assert_grown_less(processes.resident_kib() - before, 500)
end)

-- They begin large frames and do not end them.
function tests.test_StrangersHoldABoundedNumberOfBytes()
  wire.skip_without_luv()
  local node, address = running_node()
  local connections = {}
  local frame = core.frame(3, 2, ("x"):rep(15 * 1024 * 1024), 5)
  for i = 1, 6 do
    local connection = wire.connect(address, forged.hello(1000 + i, 1))
    wire.wait("its hello", raft.step, function() return connection:is_answered() end)
    connection:say(frame:sub(1, 2000))
    connections[i] = connection
  end
  wire.wait("the oldest to be closed", raft.step, function()
    return connections[1].ended and connections[2].ended
  end)
  wire.pass(raft.step, 0.1)
  for i = 3, 6 do
    lu.assertFalse(connections[i].ended, i)
    connections[i]:close()
  end
  assert(node:propose { op = "set", key = "k", value = 1 })
  node:close()
end

-- Many of them send to a node of a script's cluster that is paused: what waits for it is bounded, whoever they are.
with_strangers("StrangersToAPausedNodeShareOneQueue", function(_, drive, c)
  local dropped, connections, address = 0, {}, c:status(1, "address")
  c:on({ kind = "drop" }, function(event)
    dropped = dropped + (event.reason == "paused, and its queue is full" and 1 or 0)
  end)
  c:pause(1)
  local bytes = core.frame(3, 2, ("x"):rep(100 * 1024), 5)
  for i = 1, 15 do
    connections[i] = wire.connect(address, forged.hello(1000 + i, 1) .. bytes)
    wire.wait("its hello", drive, function()
      return connections[i]:is_answered()
    end)
  end
  wire.wait("some to be dropped", drive, function()
    return dropped >= 5
  end)
  lu.assertEquals(dropped, 5) -- ten fit
  c:resume(1)
  assert(c:set("key", "value"))
  for _, connection in ipairs(connections) do
    connection:close()
  end
end)

-- ---- floods -------------------------------------------------------------------------------------

-- A flood of the nodes of a cluster by another process, for a second: commits go on meanwhile and afterwards, nobody
-- stops, and the leader stays.
local function flooded(name, flood)
  tests["test_Flood" .. name] = function()
    local process, descriptor = assert(core.bench.flood(flood.payloads, flood.again, flood.per_second, flood.keep, 1))
    clusters.with({ nodes = 3, mode = "tcp" }, function(c)
      local leader, term = c:check_one_leader()
      local ports = {}
      for id = 1, 3 do
        ports[id] = tonumber(c:status(id, "address"):match ":(%d+)$")
      end
      assert(c:set("key", "before"))
      local since = c:now()
      lu.assertTrue(core.bench.flood_start(process, descriptor, ports))
      local commits = 0
      local until_ns = core.clock_ns() + 1e9
      while core.clock_ns() < until_ns do
        commits = commits + (c:set("key", commits, { timeout = 0.5 }) and 1 or 0)
      end
      lu.assertTrue(commits >= 50, commits)
      lu.assertTrue(core.bench.flood_end(process, descriptor) >= 3)
      for id = 1, 3 do
        lu.assertEquals({ c:status(id, "state"), c:status(id, "error") }, { "running", nil })
      end
      lu.assertEquals({ c:check_one_leader() }, { leader, term })
      assert(c:set("key", "after", { timeout = 2 }))
      local notices = #c:events(function(event)
        return event.kind == "notice" and event.time >= since
      end)
      lu.assertTrue(notices < 200, notices)
      lu.assertTrue(processes.descriptors() < 300)
    end)
  end
end

local function each(what)
  local list = {}
  for i = 1, 300 do
    list[i] = what(1000 + i, (i - 1) % 3 + 1)
  end
  return list
end

flooded("OfHellosOfEverNewIds", { per_second = 5000, keep = 400, payloads = each(function(from, to)
  return forged.hello(from, to, { address = "127.0.0.1:" .. 20000 + from })
end) })

flooded("OfRightFramesWithWrongBodies", { per_second = 5000, keep = 64, payloads = each(function(from, to)
  return forged.hello(from, to) .. forged.nonsense(from)
end) })

flooded("OfOtherClustersHellos", { per_second = 5000, keep = 64, payloads = each(function(from, to)
  return forged.hello(from, to, { cluster = "another" })
end) })

flooded("OfGarbage", { per_second = 2000, keep = 64, payloads = each(function()
  return ("garbage "):rep(20)
end) })

flooded("OfIdleAndHugeOnes", { per_second = 1000, keep = 500, payloads = { "\1", "\255\255\0\0" } })

flooded("OfRequestsByOneThatNeverReads", { per_second = 12, keep = 6, payloads = each(function(_, to)
  return forged.hello(1000 + to, to)
end), again = forged.request(1001, 1):rep(200) })

-- With a hundred descriptors for three nodes and a flood of idle connections, commits go on, by the connections that
-- the nodes have, and by new ones.
function tests.test_OutOfDescriptors()
  local output, code = processes.run_chunk([[
    local raft = require "raft"
    local c = raft.cluster { nodes = 3, mode = "tcp" }
    local leader = assert(c:wait_leader())
    local ports = {}
    for id = 1, 3 do
      ports[id] = tonumber(c:status(id, "address"):match ":(%d+)$")
    end
    local process, descriptor = assert(raft.core.bench.flood({ "\1" }, nil, 2000, 800, 2))
    raft.core.bench.flood_start(process, descriptor, ports)
    c:sleep(0.5)
    local other = leader % 3 + 1
    c:crash(other)
    for i = 1, 20 do
      assert(c:set("key", i))
    end
    c:restart(other)
    c:sleep(1)
    raft.core.bench.flood_end(process, descriptor)
    assert(c:set("key", "last", { timeout = 2 }))
    assert(c:wait_until(function()
      return c:check_committed({ op = "set", key = "key", value = "last" }) == 3
    end, 5))
    local told = c:events(function(event)
      return event.kind == "notice" and event.text:find("out of file descriptors", 1, true)
    end)
    print("it went on", #told)
    c:shutdown()
  ]], "ulimit -n 100; ")
  lu.assertEquals({ output, code }, { "it went on\t1\n", 0 })
end

-- One forged frame used to stop every node.
flooded("OfAStrangersAppends", { per_second = 1000, keep = 64, payloads = each(function(from, to)
  local list = { forged.hello(from, to) }
  for term = 1, 30 do
    list[#list + 1] = forged.message { kind = "append", from = from, to = to, term = term, commit = 1,
      entries = { { term = term, kind = "command", payload = "forged" } } }
  end
  return table.concat(list)
end) })

-- A connection of a stranger that is gone, and of which nothing was read, does not keep the loop awake.
function tests.test_StrangersThatVanishedCostNothing()
  local hellos = {}
  for i = 1, 600 do
    hellos[i] = forged.hello(1000 + i, (i - 1) % 3 + 1, { address = ("127.0.0.1:%d"):format(20000 + i) })
  end
  clusters.with({ mode = "tcp", nodes = 3 }, function(c)
    c:wait_leader()
    local ports = {}
    for i, id in ipairs(c:ids()) do
      ports[i] = tonumber(c:status(id).address:match ":(%d+)$")
    end
    local process, descriptor = assert(core.bench.flood(hellos, "", 20000, 64, 0.5))
    core.bench.flood_start(process, descriptor, ports)
    c:sleep(0.6)
    core.bench.flood_end(process, descriptor)
    local begun = os.clock()
    c:sleep(1)
    lu.assertTrue(os.clock() - begun < 0.5, "an idle cluster takes a processor for itself")
  end)
end

return tests
