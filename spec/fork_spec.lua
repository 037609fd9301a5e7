-- c:fork: a second cluster that goes on from a moment of the first one.
local lu = require "luaunit"
local calls = require "spec.support.calls"
local clusters = require "spec.support.clusters"
local command = require "spec.support.command"
local raft = require "raft"

local tests = {}

local function merged(options)
  return clusters.merge({ mode = "sim", nodes = 5 }, options)
end

-- d is where c is, and both go on in the same way by themselves; then d is shut down.
local function assert_same(c, d)
  lu.assertEquals(d:trace_hash(), c:trace_hash())
  lu.assertEquals(d:now(), c:now())
  lu.assertEquals(d:status(), c:status())
  c:sleep(0.3)
  d:sleep(0.3)
  lu.assertEquals(d:trace_hash(), c:trace_hash())
  d:shutdown()
end

-- f(c), and a fork of it is the same; and so is a fork of the fork.
local function assert_forks(options, f)
  clusters.with(merged(options), function(c)
    f(c)
    local d = assert(c:fork())
    local e = assert(d:fork())
    lu.assertEquals(e:trace_hash(), d:trace_hash())
    e:shutdown()
    assert_same(c, d)
  end)
end

-- Its function keeps a count, which no script could.
local function wait_for_a_count(c)
  local count = 0
  c:wait_until(function()
    count = count + 1
    return count > 30
  end, 0.2)
end

function tests.test_RandomRuns()
  for seed = 1, clusters.seed_count() do
    assert_forks({ seed = seed }, function(c) calls.some(c, 30, wait_for_a_count) end)
  end
end

-- Calls that are long past are kept as bytes, but for those of very many arguments.
function tests.test_ACallOfManyArguments()
  local groups = {}
  for id = 2, 251 do
    groups[#groups + 1] = { id }
  end
  assert_forks({ nodes = 3 }, function(c)
    c:wait_leader()
    c:partition((table.unpack or unpack)(groups)) -- luacheck: ignore 113 143
    for number = 1, 100 do
      c:submit(1, number)
    end
  end)
end

-- What functions did is done again; they are not called again.
function tests.test_CallbacksStayBehind()
  local count = 0
  assert_forks({}, function(c)
    c:on({ kind = "role", role = "leader" }, function(event)
      count = count + 1
      c:note("leader " .. event.node)
      if event.term < 4 then
        c:crash(event.node)
      end
    end)
    c:after(0.4, function()
      count = count + 1
      c:disconnect(2)
    end)
    local stop = c:after(5, function() count = 1000 end)
    c:sleep(1)
    c:restart "all"
    c:sleep(0.5)
    stop()
    count = 0
  end)
  lu.assertTrue(count < 10) -- of c itself, which went on
end

function tests.test_ClientsThatHaveEnded()
  local count = 0
  assert_forks({}, function(c)
    c:wait_leader()
    local clients = {}
    for number = 1, 3 do
      clients[number] = c:client(function(client)
        for turn = 1, 5 do
          count = count + 1
          c:set(number, turn)
          c:sleep(0.003 * number)
        end
        c:wait_until(function() return count >= 15 end, 1)
        return client
      end, { session = number == 2 })
    end
    clients[1]:wait()
    c:wait_clients()
    pcall(function()
      c:client(function()
        c:sleep(0.01)
        error "a client's error"
      end)
      c:sleep(1)
    end)
  end)
  lu.assertEquals(count, 15)
end

function tests.test_MessagesAndCalls()
  local count = 0
  assert_forks({}, function(c)
    c:wait_leader()
    c:serve(2, function(value, from)
      count = count + 1
      return { value, from, count }
    end)
    lu.assertEquals(c:call(1, 2, "question"), { "question", 1, 1 })
    c:intercept(function(message)
      count = count + 1
      if message.kind == "append" then
        return count % 3 == 0 and "hold" or count % 3 == 1 and "drop" or 0.002
      end
    end)
    c:sleep(0.2)
    c:intercept(nil)
    c:held()[1]:deliver()
    c:held()[1]:drop()
    c:sleep(0.1)
    count = 0
  end)
  lu.assertEquals(count, 0)
end

function tests.test_WorkloadsAndNemeses()
  assert_forks({}, function(c)
    local history = c:workload { kind = "register", rate = 100, time = 1 }
    local nemesis = c:nemesis { every = { 0.1, 0.3 }, lasts = { 0.1, 0.2 }, "crash", { "link", drop = 0.2 } }
    c:sleep(1.2)
    nemesis:stop()
    history:wait()
  end)
end

-- Every kind of fault, and a moment at which a workload and a nemesis were running.
function tests.test_WhateverHappened()
  for seed = 1, 4 do
    clusters.with(merged { seed = seed, snapshot_every = 20 }, function(c)
      local history = c:workload { kind = "kv", rate = 200, time = 2 }
      local nemesis = c:nemesis { swarm = true }
      c:sleep(2)
      nemesis:stop()
      history:stop(30)
      local d = assert(c:fork())
      local earlier = assert(c:fork(1))
      local again = assert(earlier:fork())
      lu.assertEquals(again:trace_hash(), earlier:trace_hash())
      local _, refused = earlier:script()
      lu.assertStrContains(table.concat(refused, "\n"), "a fork left them behind")
      again:shutdown()
      earlier:shutdown()
      assert_same(c, d)
    end)
  end
end

function tests.test_AMachineInLuaIsMadeAfresh()
  local made = 0
  local function machine()
    made = made + 1
    local sum = 0
    return {
      apply = function(command_)
        sum = sum + command_
        return sum
      end,
      query = function() return sum end,
      snapshot = function() return tostring(sum) end,
      restore = function(next_chunk) sum = math.floor(tonumber(next_chunk())) end,
    }
  end
  clusters.with(merged { machine = machine }, function(c)
    for number = 1, 10 do
      c:propose(number)
    end
    c:compact(c:leader())
    made = 0
    local d = assert(c:fork())
    lu.assertEquals(made, 5)
    d:propose(100)
    lu.assertEquals({ c:query "sum", d:query "sum" }, { 55, 155 })
    d:shutdown()
  end)
end

function tests.test_EachGoesOnByItself()
  clusters.with(merged(), function(c)
    local leader, term = c:wait_leader()
    local d = assert(c:fork())
    d:crash(leader)
    lu.assertTrue(select(2, d:wait_leader(10, term)) > term)
    lu.assertTrue(c:is_alive(leader))
    lu.assertEquals({ c:leader() }, { leader, term })
    lu.assertTrue(d:now() > c:now())
    d:shutdown()
    lu.assertTrue(c:set("k", 1) > 0)
  end)
end

-- A moment in the past is the one that was there then.
function tests.test_AMomentInThePast()
  for seed = 1, clusters.seed_count() / 2 do
    clusters.with(merged { seed = seed }, function(c)
      calls.some(c, 10, wait_for_a_count)
      c:sleep(0.05)
      c:sleep(1e-9) -- all that happens at one instant belongs to it
      local status, hash, time = c:status(), c:trace_hash(), c:now()
      c:sleep(0.001)
      calls.some(c, 10, wait_for_a_count)
      c:sleep(0.05)
      local d = assert(c:fork(c:now() - time))
      lu.assertEquals(d:now(), time)
      lu.assertEquals(d:trace_hash(), hash)
      lu.assertEquals(d:status(), status)
      local e = assert(d:fork())
      assert_same(d, e)
      d:shutdown()
    end)
  end
end

function tests.test_AMomentWithinACallAndALoop()
  clusters.with(merged(), function(c)
    c:client(function()
      for number = 1, 100 do
        c:set("k", number)
      end
    end)
    c:sleep(1)
    for _ = 1, 100 do
      c:sleep(0.01)
    end
    c:propose("x")
    for _, ago in ipairs { 0.005, 0.505, 0.999, 1.3, 1.75 } do
      local time = c:now() - ago
      local d = assert(c:fork(ago))
      lu.assertAlmostEquals(d:now(), time, 1e-8)
      local e = assert(d:fork())
      assert_same(d, e)
    end
    lu.assertErrorMsgContains("bad argument 'ago'", c.fork, c, 100)
  end)
end

function tests.test_ItsScriptIsThatOfBoth()
  clusters.with(merged(), function(c)
    c:wait_leader()
    c:set("k", 1)
    local d = assert(c:fork())
    d:crash(1)
    local text = d:script()
    command.assert_has(text, 'c:set("k", 1)\nc:crash(1)', "was " .. d:trace_hash())
    command.assert_lacks(c:script(), "c:crash")
    d:shutdown()
  end)
end

-- A script of what was taken back is a run of its own.
command.add(tests, "TheScriptOfAnEarlierMoment", function(folder)
  clusters.with(merged(), function(c)
    c:wait_leader()
    c:set("k", 1)
    for _ = 1, 100 do
      c:sleep(0.01)
    end
    c:sleep(1)
    for number, ago in ipairs { 0.3, 1.255 } do
      local d = assert(c:fork(ago))
      d:crash(1)
      d:sleep(1)
      local path = ("%s/%d.lua"):format(folder, number)
      lu.assertEquals(d:script(path), path)
      lu.assertEquals(command.assert_code(command.run { "run", path }, 0).out, d:trace_hash() .. "\n")
      d:shutdown()
    end
  end)
end)

function tests.test_WhatCannotBeForked()
  clusters.with(merged(), function(c)
    c:wait_leader()
    c:client(function() c:sleep(10) end)
    lu.assertErrorMsgContains("1 client is running", c.fork, c)
    lu.assertErrorMsgContains("not in a client", function()
      c:client(function() c:fork() end):wait()
    end)
  end)
  clusters.with({ mode = "tcp", nodes = 3 }, function(c)
    local d, message, code = c:fork()
    lu.assertNil(d)
    lu.assertStrContains(message, "over TCP cannot be forked")
    lu.assertEquals(code, "unsupported")
  end)
end

-- A machine that is not the same the second time is noticed; the cluster itself is as it was.
function tests.test_WhatCannotBeDoneAgainIsSaid()
  local answer = 1
  local function machine()
    return { apply = function() return answer end }
  end
  clusters.with(merged { machine = machine }, function(c)
    c:propose(1)
    answer = 2
    local hash = c:trace_hash()
    local d, message, code = c:fork()
    lu.assertNil(d)
    lu.assertEquals(code, "unsupported")
    lu.assertStrContains(message, "done again")
    lu.assertEquals(c:trace_hash(), hash)
    answer = 1
    lu.assertTrue(c:propose(3) > 0)
  end)
end

-- A function that is called again must not reach the cluster that is being forked.
function tests.test_AFunctionThatSpeaksOfTheClusterItself()
  clusters.with(merged { nodes = 3 }, function(c)
    local history = c:workload { kind = "register", clients = 2, time = 0.2, rate = 100,
      perform = function(_, operation)
        if operation.f == "read" then
          return true, c:get "x"
        end
        return c:set("x", operation.value)
      end }
    history:wait()
    local hash, count = c:trace_hash(), #history
    local d, message = c:fork()
    lu.assertNil(d)
    lu.assertStrContains(message, "c:get was called on a cluster that is being forked")
    lu.assertEquals({ c:trace_hash(), #history }, { hash, count })
  end)
end

-- ---- raft.diff --------------------------------------------------------------------------------

function tests.test_WhereTwoClustersPart()
  clusters.with(merged(), function(c)
    local leader = c:wait_leader()
    c:set("k", 1)
    c:sleep(0.2)
    local d = assert(c:fork())
    lu.assertEquals(#raft.diff(c, d), 0)
    lu.assertEquals(tostring(raft.diff(c, d)), "no difference")
    local other = leader % 5 + 1
    d:crash(other)
    d:partition { 1, 2 }
    c:submit(leader, "only in c")
    local list = raft.diff(c, d)
    local found = {}
    for _, one in ipairs(list) do
      found[one.node .. " " .. one.field] = one
    end
    lu.assertEquals({ found[other .. " state"][1], found[other .. " state"][2] }, { "running", "crashed" })
    lu.assertEquals({ found[leader .. " log[3]"][1], found[leader .. " log[3]"][2] }, { 'term 1: "only in c"', nil })
    lu.assertStrContains(found["0 faults"][2], "partition: {1, 2} | {3, 4, 5}")
    lu.assertNil(found[other .. " term"]) -- its disk holds it
    command.assert_match(tostring(list), "^node  field +first +second\n")
    command.assert_match(tostring(list), ("\n%d     state +running +crashed"):format(other))
    lu.assertErrorMsgContains("bad argument 'd' (a cluster expected", raft.diff, c, 1)
    d:shutdown()
  end)
end

return tests
