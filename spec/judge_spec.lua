-- What a scenario checks of its workloads' histories.
local lu = require "luaunit"
local raft = require "raft"
local clusters = require "spec.support.clusters"
local scenario = require "raft.scenario"
local workload = require "raft.workload"

local tests = {}

local function run(definition, look)
  definition.mode = definition.mode or "sim"
  return scenario.run(definition, raft.cluster, "judged", look)
end

-- What is done to a cluster while clients ask.
local function trouble(c)
  c:wait_leader()
  c:sleep(1)
  c:disconnect(c:leader())
  c:sleep(1)
  c:heal()
  c:crash(c:wait_leader())
  c:sleep(1)
end

for _, kind in ipairs { "register", "cas-register", "kv", "append", "set", "queue" } do
  tests["test_HistoriesOfKind_" .. kind:gsub("%-", "_")] = function()
    for seed = 1, 3 do
      local judged = 0
      run({ nodes = 3, seed = seed, run = function(c)
        c:workload { kind = kind, rate = 200, read = kind == "register" and seed == 2 and "lease" or nil }
        trouble(c)
      end, clock_drift = 0.1 }, function(c, raised)
        lu.assertNil(raised)
        local h = workload.of(c)[1]
        lu.assertEquals(raft.linearizable(h, kind), true)
        judged = #h
      end)
      lu.assertTrue(judged > 400)
    end
  end
end

-- Over real sockets, and where each node is a process.
for _, mode in ipairs { "tcp", "process" } do
  tests["test_HistoriesOverRealSockets_" .. mode] = function()
    run({ nodes = 3, mode = mode, run = function(c)
      c:workload { kind = "cas-register", rate = 200, timeout = 0.5 }
      c:wait_leader()
      c:sleep(0.3)
      c:disconnect(c:leader())
      c:wait_leader()
      c:sleep(0.2)
    end }, function(c, raised)
      lu.assertNil(raised)
      local h = workload.of(c)[1]
      lu.assertEquals(raft.linearizable(h, "cas-register"), true)
      lu.assertTrue(#h > 50)
    end)
  end
end

-- A stale read is no read of a register; what is raised says so.
tests.test_WhatIsNotLinearizableFails = function()
  local problem = clusters.assert_raises(function()
    run { nodes = 3, seed = 1, run = function(c)
      c:workload { kind = "register", rate = 200, read = "stale", ask = "any" }
      c:sleep(3)
    end }
  end, "linearizability is violated", "is not linearizable at key", "seed 1")
  lu.assertEquals(problem.property, "linearizability")
  lu.assertEquals(problem.key, "register, distinct")
  lu.assertTrue(problem.time > 0 and problem.time < 3)
  lu.assertEquals(problem.history.kind, "register")
end

-- A long history is judged while it grows: the run ends long before its time.
tests.test_ALongOneEndsEarly = function()
  local ended
  clusters.assert_raises(function()
    run({ nodes = 3, run = function(c)
      c:workload { kind = "register", read = "stale", ask = "any" }
      c:sleep(600)
    end }, function(c) ended = c:now() end)
  end, "is not linearizable")
  lu.assertTrue(ended < 100)
end

-- In the end each key is read once more.
tests.test_WhatWasLostIsMissed = function()
  run({ nodes = 3, run = function(c)
    assert(c:workload({ kind = "append", mix = { append = 1 }, count = 120 }):wait(60))
  end }, function(c)
    -- A history that has ended is left alone.
    lu.assertEquals(workload.of(c)[1][#workload.of(c)[1]].f, "append")
  end)
  run({ nodes = 3, run = function(c)
    c:workload { kind = "append", mix = { append = 1 }, count = 120 }
    c:sleep(5)
  end }, function(c)
    local h = workload.of(c)[1]
    local keys = {}
    for index = #h - 5, #h do
      lu.assertEquals(h[index].f, "read")
      keys[h[index].key] = true
    end
    lu.assertEquals(keys, { ["k1/1"] = true, ["k1/2"] = true, ["k1/3"] = true })
  end)
end

-- Without a model nothing is said of what a script performs.
tests.test_AModelOfItsOwn = function()
  local function counting(model)
    return { nodes = 1, run = function(c)
      local count = 0
      c:workload {
        clients = 1, count = 5, model = model, generator = function() return { f = "next" } end,
        perform = function()
          count = count + 1
          return true, count == 4 and 3 or count
        end,
      }
      c:sleep(1)
    end }
  end
  run(counting(nil))
  clusters.assert_raises(function()
    run(counting { init = 0, step = function(state, operation)
      return (not operation.known or operation.result == state + 1) and state + 1 or nil
    end })
  end, "is not linearizable")
end

-- ---- a workload that nobody serves --------------------------------------------------------------

-- "kv" that takes no commands once it has taken one.
local function refusing()
  local machine = { count = 0 }
  function machine.apply(_, index)
    machine.count = machine.count + 1
    return machine.count == 1 and {} or { error = "read only", index = index }
  end
  function machine.query()
    return {}
  end
  return machine
end

tests.test_NotOneCommandHasSucceeded = function()
  local function of(given)
    return { nodes = 1, machine = refusing, run = function(c)
      assert(c:set("first", 1))
      given.kind, given.rate = given.kind or "register", 50
      c:workload(given)
      c:sleep(1)
    end }
  end
  local problem = clusters.assert_raises(function()
    run(of {})
  end, "a workload is served is violated", "commands of workload 1 (register) has succeeded", "read only")
  lu.assertEquals({ problem.property, problem.key }, { "a workload is served", "commands" })
  clusters.assert_raises(function() run(of { mix = { write = 1 }, session = true }) end, "a workload is served")
  run(of { mix = { read = 1 } })
  run(of { may_fail = true })
end

tests.test_NothingThatWasPerformedHasSucceeded = function()
  local function of(given)
    return { nodes = 1, run = function(c)
      given.clients, given.generator = 1, function(_, n) return n < 20 and { f = "knock" } or nil end
      given.perform = function() return nil, "nobody answers", "timeout", {} end
      c:workload(given)
      c:sleep(1)
    end }
  end
  clusters.assert_raises(function() run(of {}) end, "not one of 19 operations of workload 1 (performed)",
    "a workload is served")
  run(of { may_fail = true })
end

-- A leader that hands over its leadership is busy just then (chaos, seed 900424), one that is removed may be gone
-- before it answers (3010796).
tests.test_AWorkloadThatIsNotServedAtOnceIsAskedAgain = function()
  local function failing_until(time, code, detail)
    return { nodes = 1, run = function(c)
      c:workload {
        clients = 1, rate = 20, generator = function() return { f = "knock" } end,
        perform = function(_, _, cluster)
          if cluster:now() < time then
            return nil, "it waits", code, detail
          end
          return 1, "open"
        end,
      }
      c:sleep(1)
    end }
  end
  run(failing_until(3, "busy", {}))
  run(failing_until(3, "node_down", { unknown = true }))
  clusters.assert_raises(function() run(failing_until(30, "busy", {})) end, "a workload is served", "busy")
end

-- What did not succeed amid faults does once all is healed, in its session too.
tests.test_AWorkloadThatIsServedLate = function()
  for _, given in ipairs { { session = true }, { kind = "queue", mix = { dequeue = 1 } }, { read = "lease" },
    { kind = "set", values = 3 }, { operations = { { at = 1, f = "write", key = "k", value = 1 } } } } do
    local h
    run { nodes = 3, clock_drift = 0.1, run = function(c)
      c:wait_leader()
      c:partition({ 1 }, { 2 }, { 3 })
      h = c:workload(given)
      c:sleep(3)
    end }
    local count = 0
    for _, entry in ipairs(h) do
      count = count + ((entry.type == "ok" or entry.error == "mismatch") and 1 or 0)
    end
    lu.assertTrue(count > 0 and count < 5, count)
    lu.assertEquals(raft.linearizable(h, h.model), true)
  end
end

-- A history that is not judged in time is no failure: it is counted.
tests.test_WhatIsNotDecidedIsCounted = function()
  local linearizable = require "raft.linearizable"
  local check, counted = linearizable.check, nil
  linearizable.check = function() return nil, "it took too long", "timeout" end
  local fine, problem = pcall(run, { nodes = 3, run = function(c)
    c:workload { count = 10 }
    c:sleep(1)
  end }, function(c) counted = c.inner.undecided end)
  linearizable.check = check
  lu.assertTrue(fine, problem)
  lu.assertEquals(counted, 1)
end

return tests
