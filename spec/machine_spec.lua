-- State machines: "kv", and those given by Lua functions.
local lu = require "luaunit"
local raft = require "raft"
local clusters = require "spec.support.clusters"
local processes = require "spec.support.processes"

local tests = {}
local in_both = clusters.in_both

in_both(tests, "KvSetsGetsAndDeletes", { nodes = 3 }, function(c)
  local index = assert(c:set("a", 1))
  lu.assertTrue(assert(c:set("b", 2)) > index)
  lu.assertEquals(assert(c:get("a")), 1)
  assert(c:set("a", "changed"))
  lu.assertEquals(assert(c:get("a")), "changed")
  assert(c:delete("a"))
  lu.assertNil((c:get("a")))
  assert(c:delete("a")) -- again is fine
  lu.assertEquals(assert(c:get("b")), 2)
end)

in_both(tests, "KvComparesAndSets", { nodes = 3 }, function(c)
  lu.assertEquals({ c:cas("k", nil, 1) }, { true }) -- it was absent
  lu.assertEquals({ c:cas("k", nil, 2) }, { false, 1 })
  lu.assertEquals({ c:cas("k", 1, 2) }, { true })
  lu.assertEquals({ c:cas("k", 1, 3) }, { false, 2 })
  lu.assertEquals(c:get("k"), 2)
  local matched, present = c:cas("absent", 1, 2)
  lu.assertEquals({ matched, present }, { false })
  lu.assertEquals({ c:cas("k", 2, nil) }, { true }) -- which deletes it
  lu.assertNil((c:get("k")))
end)

in_both(tests, "KvComparesDeeply", { nodes = 1 }, function(c)
  assert(c:set("k", { list = { 1, 2 }, name = "x" }))
  lu.assertEquals({ c:cas("k", { name = "x", list = { 1, 2 } }, "same") }, { true })
  lu.assertEquals(c:get("k"), "same")
end)

in_both(tests, "KvCommitsOtherCommandsWithoutEffect", { nodes = 3 }, function(c)
  assert(c:set("k", 1))
  local index, result = assert(c:propose(42))
  lu.assertNotNil(index)
  lu.assertTrue(result == nil or result == raft.null)
  for _, odd in ipairs { "text", { 1, 2 }, true, { key = "k", value = 2 } } do
    lu.assertNil((select(2, c:propose(odd))))
  end
  lu.assertEquals(assert(c:get("k")), 1)
  lu.assertEquals(c:check_committed(42, 3), 3)
end)

in_both(tests, "KvSaysWhatIsNoOperation", { nodes = 3 }, function(c)
  assert(c:set("k", 1))
  for word, odd in pairs {
    ["no such operation"] = { op = "sett", key = "k", value = 2 }, ["a key is missing"] = { op = "delete" },
    ["set needs a value"] = { op = "set", key = "k" },
  } do
    local _, result = assert(c:propose(odd))
    lu.assertStrContains(result.error, word)
  end
  lu.assertStrContains(assert(c:query { op = "gett", key = "k" }).error, "no such query")
  lu.assertStrContains(assert(c:query { op = "get" }).error, "no such query")
  lu.assertEquals(assert(c:get("k")), 1)
  lu.assertNil((select(2, assert(c:propose { op = "noop" }))))
end)

-- Raft's own state is apart from the machine's: no key can meet it.
in_both(tests, "NoKeyCollidesWithRaftsState", { nodes = 3 }, function(c)
  local _, term = c:check_one_leader()
  local names = { "log", "currentTerm", "votedFor", "term", "vote", "commit", "", "\0" }
  for i, name in ipairs(names) do
    assert(c:set(name, "user's " .. i))
  end
  for id = 1, 3 do
    c:crash(id)
  end
  for id = 1, 3 do
    assert(c:restart(id))
  end
  local _, new_term = c:check_one_leader()
  lu.assertTrue(new_term > term)
  for i, name in ipairs(names) do
    lu.assertEquals(assert(c:get(name)), "user's " .. i)
  end
end)

-- ---- machines of Lua functions ------------------------------------------------------------------

local function stack(id)
  local items = {}
  return {
    id = id,
    items = items,
    apply = function(command, index)
      items[#items + 1] = { index, command }
      return #items
    end,
    query = function(request)
      return items[request] or raft.null
    end,
  }
end

in_both(tests, "ALuaMachineAppliesInOrder", { nodes = 3, machine = stack }, function(c)
  for i = 1, 10 do
    local index, result = assert(c:propose("item " .. i))
    lu.assertEquals(result, i)
    lu.assertEquals(assert(c:query(i)), { index, "item " .. i })
  end
  lu.assertEquals(c:check_committed("item 10", 3), 3)
  for id = 1, 3 do
    lu.assertEquals(c:machine(id).id, id)
    lu.assertEquals(c:machine(id).items, c:machine(1).items)
  end
end)

in_both(tests, "ALuaMachineIsMadeAfreshAtEachStart", { nodes = 3, machine = stack }, function(c)
  local leader = c:check_one_leader()
  local id = clusters.next_id(c, leader)
  assert(c:propose("one"))
  lu.assertEquals(c:check_committed("one", 3), 3)
  local first = c:machine(id)
  c:crash(id)
  assert(c:restart(id))
  assert(c:propose("two"))
  lu.assertEquals(c:check_committed("two", 3), 3)
  local second = c:machine(id)
  lu.assertNotIs(second, first)
  lu.assertEquals(#first.items, 1)
  lu.assertEquals(#second.items, 2) -- replayed from the log, each once
end)

clusters.add(tests, "AnErrorInApplyFailsTheNodeAndIsRaised", { nodes = 3, machine = function()
  return {
    apply = function(command)
      if command == "bad" then
        error("cannot apply that")
      end
    end,
  }
end }, function(c)
  local leader = c:check_one_leader()
  assert(c:propose("good"))
  clusters.assert_raises(function()
    c:propose("bad")
    c:sleep(1)
  end, "cannot apply that")
  local failed = c:status(leader)
  lu.assertEquals(failed.state, "failed")
  lu.assertStrContains(failed.error, "cannot apply that")
  lu.assertFalse(c:is_alive(leader))
end)

clusters.add(tests, "AMachineThatAnswersNoValueFails", { nodes = 1, machine = function()
  return {
    apply = function()
      return print -- a function is no value
    end,
  }
end }, function(c)
  clusters.assert_raises(function()
    c:propose(1)
    c:sleep(1)
  end, "function")
  lu.assertEquals(c:status(1).state, "failed")
end)

clusters.add(tests, "ErrorTablesPassUntouched", { nodes = 1, machine = function()
  return {
    apply = function()
      error({ reason = "a table" })
    end,
  }
end }, function(c)
  local ok, problem = pcall(function()
    c:propose(1)
    c:sleep(1)
  end)
  lu.assertFalse(ok)
  lu.assertEquals(problem.reason, "a table")
end)

clusters.add(tests, "MachinesThatAnswerDifferentlyAreCaught", { nodes = 3, machine = function(id)
  return {
    apply = function()
      return id -- not deterministic: each node says something else
    end,
  }
end }, function(c)
  local ok, problem = pcall(function()
    c:propose("who")
    c:sleep(1)
  end)
  lu.assertFalse(ok)
  lu.assertEquals(problem.property, "machines answer alike")
  lu.assertStrContains(tostring(problem), "machines answer alike")
end)

-- The run until its violation.
local function violation_of(c)
  local ok, problem = pcall(function()
    for number = 1, 5 do
      assert(c:propose { add = number })
    end
    c:sleep(1)
  end)
  lu.assertFalse(ok)
  return problem
end

clusters.add(tests, "AnotherAnswerIsShownBesideTheFirst", { nodes = 3, machine = function(id)
  return {
    apply = function(command)
      return id == 2 and command.add == 3 and "two" or "all"
    end,
  }
end }, function(c)
  local message = violation_of(c).message
  lu.assertStrContains(message, 'the command is {"add":3}; node 2 answers "two", and node ')
  lu.assertStrContains(message, 'answered "all"')
end)

local drifting = { nodes = 3, machine = "spec.support.drifting" }

-- The answers are alike, the states are not: they are compared where the machine has a digest, after each command.
clusters.in_all(tests, "StatesAreComparedAfterEachCommand", drifting, function(c)
  local problem = violation_of(c)
  lu.assertEquals(problem.property, "machines answer alike")
  lu.assertStrContains(problem.message, " has another state after the command at index ")
  if c:mode() ~= "process" then
    lu.assertStrContains(problem.message, 'the command is {"add":3}')
  end
end)

clusters.add(tests, "StatesAreNotComparedWithoutADigest", { nodes = 3, machine = function(id)
  local sum = 0
  return {
    apply = function(command)
      sum = sum + command.add + id
      return true
    end,
  }
end }, function(c)
  for number = 1, 5 do
    assert(c:propose { add = number })
  end
  c:check_live()
end)

-- ---- strict -------------------------------------------------------------------------------------------------

local not_deterministic = {
  ["os.time"] = function() local now = os.time() return now end,
  ["os.clock"] = function() local now = os.clock() return now end,
  ["os.date"] = function() local now = os.date() return now end,
  ["os.getenv"] = function() local home = os.getenv "HOME" return home end,
  ["math.random"] = function() local drawn = math.random(6) return drawn end,
  ["math.randomseed"] = function() math.randomseed(1) return true end,
  pairs = function() local sum = 0 for _, value in pairs { a = 1, b = 2 } do sum = sum + value end return sum end,
  next = function() local key = next { a = 1, b = 2 } return key end,
}

function tests.test_WhatDiffersBetweenNodesRaisesInAStrictMachine()
  for name, apply in raft.sorted(not_deterministic) do
    local make = function() return { apply = apply } end
    clusters.with({ mode = "sim", nodes = 1, machine = make }, function(c)
      assert(c:propose "as it likes")
    end)
    clusters.with({ mode = "sim", nodes = 1, machine = make, strict = true }, function(c)
      local problem = clusters.assert_raises(function()
        c:propose "strictly"
      end, name .. " inside apply", "strict")
      lu.assertStrContains(tostring(problem), "machine_spec.lua:") -- where it was called
      lu.assertEquals(c:status(1, "state"), "failed")
      lu.assertTrue(os.time() > 0 and math.random(6) > 0 and next(_G) ~= nil) -- nobody else is held to it
    end)
  end
end

function tests.test_AStrictMachineGoesThroughTablesInOrder()
  local words = { b = 1, a = 2, [3] = 4, [1] = 5 }
  clusters.with({ mode = "sim", nodes = 3, strict = true, machine = function()
    return {
      apply = function()
        local text = {}
        for key, value in raft.sorted(words) do
          text[#text + 1] = key .. "=" .. value
        end
        for key in pairs { only = true } do
          text[#text + 1] = key
        end
        return table.concat(text, " ")
      end,
    }
  end }, function(c)
    lu.assertEquals(select(2, assert(c:propose(1))), "1=5 3=4 a=2 b=1 only")
    c:check_live()
  end)
end

function tests.test_ANodeOfAnApplicationCanBeStrict()
  local address = processes.free_addresses(1)[1]
  local told
  local node = assert(raft.node { id = 1, listen = address, strict = true, machine = {
    apply = function() local now = os.time() return now end,
  } })
  node:on("error", function(message)
    told = message
  end)
  assert(node:start())
  node:propose("now", function() end)
  for _ = 1, 100 do
    if told then
      break
    end
    raft.run(0.05)
  end
  lu.assertStrContains(tostring(told), "os.time inside apply")
  node:close()
end

function tests.test_ANodesProcessCanBeStrict()
  clusters.with({ mode = "process", nodes = 1, machine = "spec.support.timed", strict = true }, function(c)
    clusters.assert_raises(function()
      c:propose "now"
      c:wait_until(function() end, 1)
    end, "os.time inside apply")
    lu.assertEquals(c:status(1, "state"), "failed")
    lu.assertStrContains(c:status(1, "error"), "os.time inside apply")
  end)
end

-- ---- what is no machine -------------------------------------------------------------------------------------

function tests.test_OneWithoutApplyIsRefused()
  for _, machine in ipairs { {}, setmetatable({}, { __index = { query = print } }) } do
    local c, message, code = raft.cluster { mode = "sim", nodes = 1, machine = function()
      return machine
    end }
    lu.assertNil(c)
    lu.assertEquals(code, "unsupported")
    lu.assertStrContains(message, "apply")
  end
end

-- Its error must not cross the world that asks for the function.
in_both(tests, "OneWhoseMetatableRaisesFailsItsNode", { nodes = 1, machine = function()
  local armed = false
  return setmetatable({}, { __index = function(_, name)
    if armed then
      error("no " .. name)
    end
    armed = true -- it was asked for when it was made
    return print
  end })
end }, function(c)
  clusters.assert_raises(function()
    c:propose(1)
  end, "no apply")
  c:sleep(0.01)
  lu.assertEquals(c:status(1).state, "failed")
  assert(c:restart(1))
end)

in_both(tests, "CheckLiveAsksNothingOfALuaMachine", { nodes = 3, machine = function()
  local sum = 0
  return {
    apply = function(command)
      sum = sum + command
      return sum
    end,
  }
end }, function(c)
  assert(c:propose(4))
  c:check_live()
  local _, sum = assert(c:propose(5))
  lu.assertEquals(sum, 9)
end)

return tests
