-- Workloads and the script: its own functions, what it changes in a history, what it lets go, and answers of a machine
-- of its own.
local lu = require "luaunit"
local raft = require "raft"
local clusters = require "spec.support.clusters"

local tests = {}

local SIM = { nodes = 1, mode = "sim" }
local unpack = table.unpack or unpack

-- Fields that an operation has besides reach perform, from a generator and from a list.
clusters.add(tests, "PerformGetsTheScriptsOwnTable", SIM, function(c)
  local moved = {}
  local function perform(_, operation)
    moved[#moved + 1] = operation.from
    return true
  end
  local generated = c:workload { clients = 1, perform = perform, generator = function(_, n)
    return n <= 2 and { f = "move", from = n } or nil
  end }
  assert(generated:wait())
  local given = c:workload { perform = perform, operations = {
    { at = 2, f = "move", from = 4 }, { at = 1, f = "move", from = 3 },
  } }
  assert(given:wait())
  lu.assertEquals(moved, { 1, 2, 3, 4 })
end)

clusters.add(tests, "PerformGivesValues", SIM, function(c)
  local function refused(...)
    local given = { n = select("#", ...), ... }
    local h = c:workload { kind = "register", clients = 1, count = 1, mix = { write = 1 }, perform = function()
      return unpack(given, 1, given.n)
    end }
    clusters.assert_raises(function() h:wait() end, "result of options.perform", "a function is not a value")
  end
  refused(true, print)
  refused(false, print)
  refused(nil, "why", print)
  local h = c:workload { kind = "register", clients = 1, count = 1, perform = function() return 1.5, 3 end }
  assert(h:wait())
  lu.assertEquals({ h[2].type, h[2].log_index }, { "ok" })
end)

-- Others may begin while a generator waits.
clusters.add(tests, "ACountEndsGeneratorsThatWait", SIM, function(c)
  local h = c:workload { clients = 3, count = 1, generator = function()
    c:sleep(0.1)
    return { f = "write", value = 1 }
  end }
  assert(h:wait())
  local invokes = 0
  for _, entry in ipairs(h) do
    invokes = invokes + (entry.type == "invoke" and 1 or 0)
  end
  lu.assertEquals(invokes, 3)
end)

-- After its last entry a history gets no other, though a generator still thinks.
clusters.add(tests, "AStoppedHistoryStays", SIM, function(c)
  local h = c:workload { clients = 1, generator = function()
    c:sleep(1)
    return { f = "write", value = 1 }
  end }
  h:stop(0.1)
  c:sleep(2)
  lu.assertEquals(#h, 0)
end)

-- A history that is over is a list like any other.
clusters.add(tests, "AHistoryCanBeChanged", SIM, function(c)
  local h = c:workload { kind = "register", clients = 1, ask = "leader", count = 20 }
  assert(h:wait())
  lu.assertTrue(raft.linearizable(h, "register"))
  local numbers = 0
  for name in pairs(h) do
    numbers = numbers + (type(name) == "number" and 1 or 0)
  end
  lu.assertEquals({ numbers, #h, select("#", unpack(h)) }, { 40, 40, 40 })
  h[#h + 1] = { type = "invoke", process = 9, f = "read" }
  h[#h + 1] = { type = "ok", process = 9, f = "read", value = "what nobody wrote" }
  lu.assertEquals(#h, 42)
  lu.assertFalse((raft.linearizable(h, "register")))
  table.remove(h)
  lu.assertEquals(#h, 41)
  lu.assertTrue(raft.linearizable(h, "register"))
end)

-- Entries that somebody holds are those that get their places at the end.
clusters.add(tests, "EntriesStayTheSame", { nodes = 3, mode = "sim" }, function(c)
  local h = c:workload { kind = "queue", rate = 100 }
  c:sleep(1)
  local first = h[1]
  h:stop()
  lu.assertIs(h[1], first)
end)

-- In a client, too, and at once.
clusters.add(tests, "WhatIsSeenIsAllThatHasHappened", { nodes = 3, mode = "sim" }, function(c)
  local h = c:workload {}
  lu.assertEquals({ #h, h[#h].type }, { 5, "invoke" })
  local looked = 0
  c:client(function()
    for _ = 1, 5 do
      c:sleep(0.1)
      local last
      for index in ipairs(h) do
        last = index
      end
      lu.assertEquals(last, #h)
      lu.assertTrue(last > looked)
      looked = last
    end
  end)
  c:sleep(1)
  lu.assertTrue(looked > 5)
  lu.assertEquals(#h, select("#", unpack(h)))
end)

clusters.add(tests, "WhatIsHuge", SIM, function(c)
  local function works(options)
    local h = c:workload(options)
    c:sleep(0.05)
    lu.assertTrue(h:stop(0.1))
  end
  works { rate = 1e-300 }
  works { rate = 1e300 }
  works { timeout = 1e300, ask = "known" }
  works { time = 1e300 }
  works { values = 2 ^ 52 }
  works { operations = { { at = 1e300, f = "write", value = 1 }, { at = 0, f = "read", timeout = 1e300 } } }
  local function refused(options, ...)
    clusters.assert_raises(function() c:workload(options) end, ...)
  end
  refused({ clients = 1e9 }, "options.clients", "1 to 100000")
  refused({ keys = 1e9 }, "options.keys", "1 to 1000000")
  refused({ operations = { { at = 0, client = 1e9, f = "read" } } }, "options.operations[1].client")
  refused({ operations = { { at = 0, f = "read", timeout = 0 } } }, "options.operations[1].timeout")
  refused({ operations = { { at = 0, f = "read", read = "fast" } } }, "options.operations[1].read", '"lease"')
end)

-- What a scenario asks at the end, and of which nobody knows what became, is no operation of a client that still waits.
clusters.add(tests, "WhatIsAskedAtTheEndIsNoClients", SIM, function(c)
  local h = c:workload { kind = "register", clients = 1, mix = { write = 1 }, perform = function(client)
    if client == 1 then
      c:sleep(1000)
    end
    return nil, "lost", "timeout"
  end }
  local fine, problem = pcall(h.run.finish, h.run)
  lu.assertFalse(fine)
  lu.assertStrContains(tostring(problem), "a workload is served")
  lu.assertEquals(#h.operations, 1)
  lu.assertTrue(raft.linearizable(h, "register"))
  for index = 2, #h do
    lu.assertEquals(h[index].process, 1 - math.floor(index / 2))
  end
  lu.assertTrue(#h > 3)
end)

-- One key that is listed twice has one value.
clusters.add(tests, "AKeyThatIsListedTwice", SIM, function(c)
  local h = c:workload { kind = "cas-register", keys = { "a", "a" }, clients = 1, ask = "leader", count = 200 }
  assert(h:wait(60))
  for _, entry in ipairs(h) do
    lu.assertNotEquals(entry.error, "mismatch")
  end
end)

-- Finalizers run in the reverse order: one that was made before a workload, and drives its cluster, finds that gone.
function tests.test_AFinalizerMayComeLater()
  local found = {}
  local function finalized(f)
    local new = rawget(_G, "newproxy") -- Lua 5.1 finalizes no table
    local object = new and new(true) or setmetatable({}, { __gc = f })
    getmetatable(object).__gc = f
    return object
  end
  local function leave()
    local h
    local c = assert(raft.cluster { nodes = 3, mode = "sim" })
    c:wait_leader()
    local object = finalized(function()
      found.sleeps = pcall(function() c:sleep(0.1) end)
      found.looks, found.message = pcall(function() return #h end)
      c:shutdown()
    end)
    h = c:workload { kind = "kv", rate = 300 }
    c:sleep(0.1)
    lu.assertNotNil(object)
  end
  leave()
  collectgarbage()
  collectgarbage()
  if rawget(_G, "jit") then -- its order is another
    lu.assertNotNil(found.sleeps)
    return
  end
  lu.assertTrue(found.sleeps)
  lu.assertFalse(found.looks)
  lu.assertStrContains(found.message, "a workload that was collected")
end

-- A machine of the script's own may answer anything: that is an entry, or an error in words.
function tests.test_AMachineThatAnswersAnything()
  local deep = 1
  for _ = 1, 90 do
    deep = { deep }
  end
  local answers = {
    {}, { {} }, { { {} } }, { true }, { false }, { false, { 1 } }, { raft.null }, { raft.null, 1 }, { 1.5 },
    { "\255\0" }, { { "a", 1, raft.null } },
    { a = 1 }, { { a = 1 } }, { error = "no" }, { error = raft.null },
    { error = {} }, deep,
    1, "text", true, false, 0.1, raft.null, { ("x"):rep(5000) }, { 1, 2, 3 },
  }
  local count = 0
  for _, kind in ipairs { "register", "cas-register", "kv", "append", "set", "queue" } do
    for position = 1, #answers do
      local function answer() return answers[position] end
      clusters.with({ nodes = 1, mode = "sim", machine = function() return { apply = answer, query = answer } end },
        function(c)
          c:wait_leader()
          local h = c:workload { kind = kind, rate = 200, ask = "leader" }
          local fine, problem = pcall(c.sleep, c, 0.1)
          lu.assertTrue(fine or tostring(problem):find "where a workload expects" ~= nil, tostring(problem))
          for _, entry in ipairs(h) do
            count = count + (entry.type ~= "invoke" and 1 or 0)
          end
        end)
    end
  end
  lu.assertTrue(count > 500)
end

return tests
