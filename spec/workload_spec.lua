-- Workloads: what clients ask and are told, and the history of it.
local lu = require "luaunit"
local raft = require "raft"
local clusters = require "spec.support.clusters"
local workload = require "raft.workload"

local tests = {}

-- Each invoke is followed by at most one completion of its process, and times never go back. → counts by type.
local function check_form(h)
  local open, counts, time = {}, { invoke = 0, ok = 0, fail = 0, info = 0 }, 0
  for index, entry in ipairs(h) do
    lu.assertEquals(entry.index, index)
    lu.assertTrue(entry.time >= time, "times go back")
    time = entry.time
    counts[entry.type] = counts[entry.type] + 1
    if entry.type == "invoke" then
      lu.assertNil(open[entry.process], "a process asks before it was answered")
      open[entry.process] = entry
    else
      local asked = open[entry.process]
      lu.assertNotNil(asked, "an answer to nothing")
      lu.assertEquals({ entry.f, entry.key }, { asked.f, asked.key })
      open[entry.process] = entry.type == "info" and "never again" or nil
    end
  end
  return counts
end

-- Reads of a register by one client alone give what it wrote last.
clusters.in_all(tests, "OneClientReadsWhatItWrote", { nodes = 3 }, function(c)
  local h = c:workload { kind = "cas-register", clients = 1, count = 60, ask = "leader", timeout = 10 }
  assert(h:wait(60))
  local counts = check_form(h)
  lu.assertEquals(counts.invoke, 60)
  lu.assertEquals(counts.info + counts.fail, #h - 120 + counts.info + counts.fail)
  local value, reads = raft.null, 0
  for _, entry in ipairs(h) do
    if entry.type == "ok" then
      if entry.f == "read" then
        lu.assertEquals(entry.value, value)
        reads = reads + 1
      else
        value = entry.f == "cas" and entry.value[2] or entry.value
      end
      lu.assertIsNumber(entry.log_index)
    elseif entry.error == "mismatch" then
      lu.assertEquals(entry.seen, value)
    end
  end
  lu.assertTrue(reads > 10)
end)

clusters.in_both(tests, "AValueIsWrittenOnce", { nodes = 3 }, function(c)
  local h = c:workload { kind = "kv", rate = 300, time = 1 }
  assert(h:wait(30))
  check_form(h)
  local seen = {}
  for _, entry in ipairs(h) do
    local value = entry.f == "cas" and entry.value[2] or entry.f == "write" and entry.value
    if entry.type == "invoke" and value then
      lu.assertNil(seen[value])
      seen[value] = true
    end
  end
  lu.assertTrue(#h > 300)
end)

-- What the machine holds in the end is what a history says, of each kind.
local function of_each_kind(c, kind, mix)
  local h = c:workload { kind = kind, mix = mix, clients = 1, count = 80, ask = "leader", timeout = 10, prefix = kind }
  assert(h:wait(60))
  lu.assertEquals(check_form(h).info, 0)
  local state = {}
  for _, entry in ipairs(h) do
    if entry.type == "ok" then
      local old, value = state[entry.key], entry.value
      if entry.f == "append" and kind == "kv" then
        state[entry.key] = (old or "") .. value
      elseif entry.f == "append" or entry.f == "enqueue" or entry.f == "add" and entry.result then
        state[entry.key] = clusters.merge(old, { [#(old or {}) + 1] = value })
      elseif entry.f == "dequeue" then
        lu.assertEquals(value, old and old[1] or raft.null)
        table.remove(old or {}, 1)
      elseif entry.f == "remove" or entry.f == "contains" then
        local at
        for position, one in ipairs(old or {}) do
          at = one == value and position or at
        end
        lu.assertEquals(entry.result, at ~= nil)
        if entry.f == "remove" and at then
          table.remove(old, at)
        end
      elseif entry.f == "read" then
        lu.assertEquals(value, old or kind == "kv" and raft.null or {})
      elseif entry.f == "delete" then
        state[entry.key] = nil
      elseif entry.f ~= "add" then
        state[entry.key] = entry.f == "cas" and value[2] or value
      end
    end
  end
end

clusters.in_both(tests, "WhatEachKindDoes", { nodes = 1 }, function(c)
  of_each_kind(c, "append")
  of_each_kind(c, "set")
  of_each_kind(c, "queue")
  of_each_kind(c, "kv", { read = 2, write = 1, cas = 1, append = 2, delete = 1 })
end)

-- Clients that stay with a leader that is cut off put entries into its log that no other has.
clusters.add(tests, "TailsDivergeBehindALeaderThatIsCutOff", {
  nodes = 5, mode = "sim", check_quorum = false, pre_vote = false,
}, function(c)
  local old = c:wait_leader()
  local h = c:workload { rate = 200, ask = { leader = 1, known = 2 } }
  c:sleep(1)
  c:disconnect(old)
  local new = c:wait_leader(10, c:status(old, "term"))
  c:sleep(2)
  lu.assertTrue(c:status(old, "last_index") - c:status(old, "commit") >= 5)
  lu.assertTrue(c:status(new, "commit") > c:status(old, "commit"))
  h:stop()
  lu.assertTrue(check_form(h).info >= 5)
end)

-- One that asks a node which it takes for the leader stays with it for a while, of two that lead, too.
clusters.add(tests, "AClientStaysWithTheLeaderThatItKnows", {
  nodes = 5, mode = "sim", check_quorum = false, pre_vote = false,
}, function(c)
  c:disconnect(c:wait_leader())
  c:wait_leader(10, 1)
  lu.assertEquals(#c:leaders(), 2)
  local h, asked, changes, last = c:workload { rate = 200, ask = "known", clients = 1, timeout = 0.2 }, 0, 0, nil
  c:sleep(5)
  h:stop()
  for _, entry in ipairs(h) do
    if entry.type == "invoke" then
      asked, changes = asked + 1, changes + (last and entry.node ~= last and 1 or 0)
      last = entry.node
    end
  end
  lu.assertTrue(asked > 100, asked)
  lu.assertTrue(changes > 0 and changes < asked / 10, changes)
end)

-- Who is refused rests before it asks again, and all others go on at once.
clusters.add(tests, "WhoIsRefusedRests", { nodes = 3, mode = "sim" }, function(c)
  c:wait_leader()
  local h, ended = c:workload { ask = "any", clients = 3 }, {}
  c:sleep(1)
  h:stop()
  local rests, others = 0, 0
  for _, entry in ipairs(h) do
    local before = ended[entry.process]
    if entry.type ~= "invoke" then
      ended[entry.process] = entry
    elseif before and before.type == "fail" then
      rests = rests + 1
      lu.assertTrue(entry.time - before.time >= 5e6 and entry.time - before.time <= 50e6)
    elseif before then
      others = others + 1
      lu.assertTrue(entry.time - before.time <= 1e6)
    end
  end
  lu.assertTrue(rests > 10 and others > 10)
end)

-- The same operations at the same times.
clusters.add(tests, "ItsOperationsAreDoneAgain", { nodes = 3, mode = "sim" }, function(c)
  local h = c:workload { kind = "cas-register", rate = 100, time = 2 }
  assert(h:wait())
  clusters.with({ nodes = 3, mode = "sim", seed = clusters.seed() }, function(d)
    local again = d:workload { kind = "cas-register", operations = h.operations }
    lu.assertEquals(again.clients, h.clients)
    assert(again:wait())
    lu.assertEquals(#again, #h)
    for index, entry in ipairs(h) do
      lu.assertEquals(again[index], entry)
    end
    lu.assertEquals(again.operations, h.operations)
  end)
end)

-- One more draw of another stream changes nothing here.
tests.test_ItsRandomnessIsItsOwn = function()
  local function operations(draws)
    return clusters.with({ nodes = 3, mode = "sim", seed = 3 }, function(c)
      local h = c:workload { kind = "kv", rate = 100, time = 1 }
      for _ = 1, draws do
        c:random()
      end
      c:sleep(1.5)
      return h.operations
    end)
  end
  lu.assertEquals(operations(0), operations(7))
end

-- Entries are made when somebody looks: how often that is, and in which way, changes nothing of what they say.
clusters.in_both(tests, "ItsHistoryIsReadWhileItGrows", { nodes = 3 }, function(c)
  local h, seen = c:workload { kind = "kv", rate = 300 }, {}
  for _ = 1, 10 do
    c:sleep(0.05)
    local count = #h
    lu.assertTrue(count >= #seen)
    lu.assertNil(h[count + 1])
    for index, entry in ipairs(h) do
      lu.assertEquals(entry, seen[index] or entry)
      seen[index] = entry
    end
    lu.assertEquals(#seen, count)
  end
  h:stop()
  local counts = check_form(h)
  lu.assertTrue(counts.invoke > 30)
  lu.assertEquals(counts.ok + counts.fail + counts.info, counts.invoke)
  lu.assertEquals(counts.invoke, tonumber(tostring(h):match "%d+"))
  lu.assertTrue(raft.linearizable(h, "kv"))
end)

-- A history that was looked at before its end has the places of unknown commands, too.
clusters.add(tests, "WhatWasSeenEarlyIsCompletedAtTheEnd", { nodes = 3, mode = "sim", seed = 5 }, function(c)
  c:wait_leader()
  local h = c:workload { kind = "queue", rate = 200, timeout = 0.05, clients = 20 }
  for _ = 1, 20 do
    c:crash(c:leader() or 1)
    c:sleep(0.2)
    c:restart "all"
  end
  local unknown = {}
  for index, entry in ipairs(h) do
    unknown[#unknown + 1] = entry.type == "info" and index or nil
  end
  lu.assertTrue(#unknown > 0)
  h:stop()
  local placed = 0
  for _, index in ipairs(unknown) do
    placed = placed + (h[index].log_index and 1 or 0)
  end
  lu.assertTrue(placed > 0)
end)

-- What is waited for is asked at the moment at which a client has gone on, not at the next event.
clusters.add(tests, "APredicateSeesEachEntryAtItsTime", { nodes = 3, mode = "sim" }, function(c)
  local h = c:workload { rate = 20 }
  for count = 1, 20 do
    assert(c:wait_until(function() return #h >= count end))
    lu.assertAlmostEquals(c:now(), h[#h].time / 1e9, 1e-9)
  end
end)

-- Its clients are clients like others: waited for, and started and stopped by one.
clusters.in_both(tests, "ItsClientsAreWaitedFor", { nodes = 3 }, function(c)
  local count = 0
  local h = c:workload { count = 20, clients = 3 }
  c:client(function()
    local other = c:workload { kind = "set", rate = 100, ask = "leader" }
    c:sleep(0.3)
    other:stop()
    count = #other
  end)
  assert(c:wait_clients(30))
  lu.assertEquals(check_form(h).invoke, 20)
  lu.assertTrue(count > 10)
end)

clusters.add(tests, "StopEndsItAtOnce", { nodes = 3, mode = "sim" }, function(c)
  local h = c:workload { rate = 0.001 }
  c:sleep(1)
  local before = c:now()
  h:stop()
  lu.assertTrue(c:now() - before < 1.5)
  local count = #h
  c:sleep(2)
  lu.assertEquals(#h, count)
  lu.assertTrue(h:stop())
  lu.assertTrue(h:wait())
end)

clusters.add(tests, "WhatRemainsIsUnknown", { nodes = 3, mode = "sim" }, function(c)
  c:partition({ 1 }, { 2 }, { 3 })
  local h = c:workload { clients = 2, mix = { write = 1 }, ask = "leader", timeout = 100 }
  c:sleep(1)
  lu.assertTrue(h:stop(0.5))
  lu.assertEquals(h[#h].type, "info")
  lu.assertEquals(h[#h].error, "stopped")
  c:heal()
  c:sleep(5)
  lu.assertEquals(#h, 4)
  local fine, message, code = c:workload { rate = 1 }:wait(0.1)
  lu.assertNil(fine)
  lu.assertEquals(code, "timeout")
  lu.assertStrContains(message, "did not end within 0.1 s")
end)

clusters.in_both(tests, "AGeneratorAndPerform", { nodes = 3 }, function(c)
  local h = c:workload {
    clients = 2,
    generator = function(client, n)
      return n <= 3 and { f = n == 2 and "read" or "write", key = "of " .. client, value = n ~= 2 and n or nil } or nil
    end,
    perform = function(_, operation)
      if operation.f == "read" then
        return true, (c:get(operation.key))
      end
      return c:set(operation.key, operation.value)
    end,
  }
  assert(h:wait(30))
  local counts = check_form(h)
  lu.assertEquals(counts.invoke, 6)
  lu.assertEquals(counts.ok, 6)
  for _, entry in ipairs(h) do
    if entry.type == "ok" and entry.f == "read" then
      lu.assertEquals(entry.value, 1)
    end
  end
  lu.assertIs(workload.of(c)[1], h)
end)

clusters.add(tests, "ASecondOneHasOtherKeys", { nodes = 1, mode = "sim" }, function(c)
  local first, second = c:workload { count = 1 }, c:workload { count = 1 }
  assert(first:wait())
  assert(second:wait())
  lu.assertNotEquals(first[1].key, second[1].key)
end)

clusters.add(tests, "WrongOptions", { nodes = 1, mode = "sim" }, function(c)
  local function refused(options, ...)
    clusters.assert_raises(function() c:workload(options) end, ...)
  end
  refused({ kind = "log" }, "options.kind", "register")
  refused({ clients = 0 }, "options.clients")
  refused({ mix = { cas = 1 } }, "options.mix", "there is no 'cas'", "read, write")
  refused({ mix = { read = 0 } }, "options.mix", "at least one weight")
  refused({ speed = 1 }, "there is no option 'speed'")
  refused({ ask = "leaders" }, "options.ask", "there is no 'leaders'")
  refused({ operations = { { f = "write", value = 1 } } }, "options.operations[1].at")
  refused({ operations = { { at = 1, f = "jump" } } }, "options.operations[1]", "no operation 'jump'")
  refused({ perform = print }, "options.perform")
  refused({ kind = "cas-register", operations = { { at = 0, f = "cas", value = 3 } } }, "options.operations[1].value",
    "a list { old, new }")
  refused({ kind = "set", keys = { true } }, "options.keys[1]", "a string or a number")
  local h = c:workload { kind = "cas-register", clients = 1, generator = function() return { f = "cas" } end }
  clusters.assert_raises(function() h:wait() end, "the generator's operation.value", "a list { old, new }")
end)

-- The calls as a script give the same run.
clusters.add(tests, "AsAScript", { nodes = 3, mode = "sim" }, function(c)
  local h = c:workload { kind = "register", rate = 50 }
  c:sleep(1)
  h:stop()
  local text = assert(c:script())
  lu.assertStrContains(text, 'c:workload({ kind = "register", rate = 50 })')
  lu.assertStrContains(text, ":stop()")
end)

-- Where no read can be answered, or answers have another form, a history would show nothing, and pass.
function tests.test_AMachineThatCannotBeAskedIsTold()
  local function run(options, given, ...)
    local c = assert(raft.cluster(options))
    c:wait_leader()
    c:workload(given)
    clusters.assert_raises(function() c:sleep(1) end, ...)
    c:shutdown()
  end
  local function machine(answer)
    return function() return { apply = function() return answer end } end
  end
  run({ mode = "sim", machine = machine(true) }, { kind = "register" }, "read cannot be asked here", "no query")
  run({ mode = "sim" }, { kind = "register", read = "lease" }, "read cannot be asked here", "clock_drift")
  run({ mode = "sim", machine = machine(1) }, { kind = "queue" }, "the machine answers dequeue by 1", "{ value }")
  run({ mode = "sim", machine = machine(1) }, { kind = "set", mix = { add = 1 } }, "answers add by 1", "true or false")
  run({ mode = "sim", machine = machine(true) }, { kind = "cas-register", mix = { cas = 1 } }, "answers cas by true")
end

return tests
