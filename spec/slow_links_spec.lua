-- Slow links: what is under way is neither taken for lost nor sent again, and heartbeats do not queue behind it.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local processes = require "spec.support.processes"
local raft = require "raft"
local slow_relay = require "spec.support.slow_relay"

local tests = {}
local in_both = clusters.in_both

local KB = 1000
local MB = 1000 * KB

-- A cluster whose leader is agreed and known to all, and then its links slow down.
local function slow_down(c, bandwidth)
  local leader = c:check_one_leader()
  assert(c:propose("before"))
  clusters.wait_level(c)
  c:link("*", "*", { bandwidth = bandwidth })
  return leader, c:status(leader).term
end

local function submit_many(c, leader, count, size)
  local value, last = ("x"):rep(size), nil
  for _ = 1, count do
    last = assert(c:submit(leader, { op = "set", key = "k", value = value }))
  end
  return last
end

local function wait_committed(c, index, timeout)
  assert(c:wait_until(function()
    for _, id in ipairs(c:ids()) do
      if c:status(id).commit < index then
        return false
      end
    end
    return true
  end, timeout, "all to know the last entry committed"))
end

local function assert_nobody_campaigned(c, leader, term)
  lu.assertEquals({ c:check_one_leader() }, { leader, term })
end

-- Many entries on links of 1 MB/s take as long as their bytes do, and each is sent once (to each of two followers).
in_both(tests, "WhatIsUnderWayIsNotSentAgain", { nodes = 3 }, function(c)
  local leader, term = slow_down(c, MB)
  local bytes, start = c:stats(leader).bytes.append, c:now()
  local last = submit_many(c, leader, 1000, KB)
  wait_committed(c, last, 3)
  lu.assertTrue(c:now() - start < 1.5, ("%.3f s for 1 MB on 1 MB/s"):format(c:now() - start))
  local sent = c:stats(leader).bytes.append - bytes
  lu.assertTrue(sent < 2.2 * MB, sent .. " bytes of appends for twice 1 MB")
  assert_nobody_campaigned(c, leader, term)
end)

-- Heartbeats and their answers pass an entry that takes several election time-outs.
in_both(tests, "HeartbeatsDoNotQueueBehindALargeEntry", { nodes = 3 }, function(c)
  local leader, term = slow_down(c, 4 * MB)
  local follower = clusters.next_id(c, leader)
  local start, before, longest = c:now(), c:now(), 0
  local off = c:on({ kind = "receive", node = follower, message = "append" }, function(event)
    longest = math.max(longest, event.time - before)
    before = event.time
  end)
  local last = submit_many(c, leader, 1, 4 * MB)
  wait_committed(c, last, 10)
  off()
  local took = c:now() - start
  lu.assertTrue(took > 0.9)
  -- Behind it they would come when all of it has; a machine that is busy may be late with one.
  lu.assertTrue(longest < (c:mode() == "sim" and 0.15 or took / 2), ("no heartbeat for %.3f s"):format(longest))
  assert_nobody_campaigned(c, leader, term)
end)

-- The largest entry there is takes 17 s on 1 MB/s, and is sent once.
clusters.add(tests, "TheLargestEntryCommits", { nodes = 3, mode = "sim" }, function(c)
  local leader, term = slow_down(c, MB)
  local bytes = c:stats(leader).bytes.append
  local last = submit_many(c, leader, 1, 16 * 1024 * 1024 - 100)
  wait_committed(c, last, 20)
  local sent = c:stats(leader).bytes.append - bytes
  lu.assertTrue(sent < 2.05 * 16 * 1024 * 1024, sent .. " bytes of appends")
  assert_nobody_campaigned(c, leader, term)
end)

-- Other messages to the same node do not keep a large entry from its turn for ever, nor it them.
in_both(tests, "ALargeEntryAmongOtherTraffic", { nodes = 3 }, function(c)
  local leader, term = slow_down(c, 4 * MB)
  local follower = clusters.next_id(c, leader)
  local answered = 0
  c:serve(follower, function(value)
    answered = answered + 1
    return #value
  end)
  local client = c:client(function()
    for _ = 1, 20 do
      assert(c:call(leader, follower, ("x"):rep(100 * KB), 5))
    end
  end)
  wait_committed(c, submit_many(c, leader, 1, 2 * MB), 10)
  client:wait()
  lu.assertEquals(answered, 20)
  assert_nobody_campaigned(c, leader, term)
end)

-- A whole window is lost on a slow link: it is noticed within an election time-out, and sent once more.
in_both(tests, "ALostWindowIsNoticed", { nodes = 3 }, function(c)
  local leader, term = slow_down(c, MB)
  local follower = clusters.next_id(c, leader)
  local bytes = c:stats(leader).bytes.append
  c:intercept(function(message)
    return message.to == follower and message.kind == "append" and #message.entries > 0 and "drop" or nil
  end)
  local last = submit_many(c, leader, 400, KB)
  local other = clusters.others(c, leader, follower)[1]
  assert(c:wait_until(function()
    return c:status(other).last_index >= last
  end, 3))
  c:intercept(nil)
  local start = c:now()
  wait_committed(c, last, 3)
  lu.assertTrue(c:now() - start < 0.9, ("%.3f s for 0.4 MB on 1 MB/s"):format(c:now() - start))
  local sent = c:stats(leader).bytes.append - bytes
  lu.assertTrue(sent < 3 * 0.4 * MB + 10 * 70 * KB, sent .. " bytes of appends")
  assert_nobody_campaigned(c, leader, term)
end)

-- No more than max_inflight is on the way to a follower; one entry always is.
in_both(tests, "TheBytesInFlightToASlowFollowerAreLimited", { nodes = 3, max_inflight = 20000, max_message = 5000 },
  function(c)
    local leader = slow_down(c, MB)
    local follower = clusters.next_id(c, leader)
    c:link(leader, follower, { bandwidth = 50 * KB })
    local sent, acknowledged, most = 0, 0, 0
    c:intercept(function(message)
      if message.kind == "append" and message.to == follower and #message.entries > 0 then
        sent = math.max(sent, message.prev_index + #message.entries)
        most = math.max(most, sent - acknowledged)
      elseif message.kind == "append_response" and message.from == follower and not message.reject then
        acknowledged = math.max(acknowledged, message.index)
      end
    end)
    local last = submit_many(c, leader, 50, KB)
    assert(c:wait_until(function()
      return c:status(follower).last_index >= last
    end, 5))
    lu.assertTrue(most >= 10 and most <= 20, most .. " entries of 1 kB in flight")
  end)

-- ---- a real connection that is slow ---------------------------------------------------------------

local has_luv, uv = pcall(require, "luv")

-- Two nodes that reach each other only by relays; f(nodes, run_until).
local function with_slow_connection(rate, f)
  local addresses = processes.free_addresses(4)
  local own, seen = { addresses[1], addresses[2] }, { addresses[3], addresses[4] }
  local nodes = {}
  slow_relay.start(uv, seen, own, rate)
  for id = 1, 2 do
    local everywhere = own[id]:gsub("127.0.0.1", "0.0.0.0")
    nodes[id] = assert(raft.node { id = id, listen = everywhere, insecure = true, peers = seen,
      election_timeout = { 0.3, 0.6 } })
    assert(nodes[id]:start())
  end
  local function run_until(what, predicate)
    local deadline_ns = raft.core.clock_ns() + 20e9
    while not predicate() do
      lu.assertTrue(raft.core.clock_ns() < deadline_ns, "waited in vain: " .. what)
      uv.run "nowait"
      raft.run(0.001)
    end
  end
  local fine, problem = pcall(f, nodes, run_until)
  for _, node in ipairs(nodes) do
    node:close()
  end
  slow_relay.stop(uv)
  if not fine then
    error(problem, 0)
  end
end

-- No fault model here: the bytes themselves are slow, so a heartbeat passes only between pieces.
function tests.test_HeartbeatsPassALargeEntryOnASlowConnection()
  lu.skipIf(not has_luv, "luv is not installed")
  with_slow_connection(MB, function(nodes, run_until)
    local leader
    run_until("a leader", function()
      leader = nodes[1]:status().leader
      return nodes[leader] and nodes[2]:status().leader == leader and nodes[leader]:status().role == "leader"
    end)
    local term = nodes[leader]:status().term
    local answer
    nodes[leader]:propose(("x"):rep(1500 * KB), { timeout = 15 }, function(...)
      answer = { ... }
    end)
    run_until("an answer", function()
      return answer
    end)
    lu.assertNotNil(answer[1], answer[2])
    lu.assertEquals(nodes[leader]:status().term, term)
  end)
end

return tests
