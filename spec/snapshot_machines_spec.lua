-- Snapshots of machines written in Lua: snapshot, restore and digest.
local lu = require "luaunit"
local raft = require "raft"
local clusters = require "spec.support.clusters"
local snapshots = require "spec.support.compaction"

local tests = {}
local in_both = clusters.in_both
local followers, caught_up = snapshots.followers, snapshots.caught_up

local function counting_machine(snapshot)
  return function()
    local state, count = {}, 0
    return {
      apply = function(command)
        state[command.key], count = command.value, count + 1
        return count
      end,
      query = function(key) return key == "count" and count or state[key] end,
      snapshot = snapshot or function()
        local chunks = { tostring(count) }
        for key, value in raft.sorted(state) do
          chunks[#chunks + 1] = key .. "=" .. value
        end
        local at = 0
        return function()
          at = at + 1
          return chunks[at]
        end
      end,
      restore = function(next_chunk)
        state, count = {}, tonumber(next_chunk())
        for chunk in next_chunk do
          local key, value = chunk:match "^(.-)=(.*)$"
          state[key] = value
        end
      end,
      digest = function()
        local all = {}
        for key, value in raft.sorted(state) do
          all[#all + 1] = key .. "=" .. value
        end
        return { count, all }
      end,
    }
  end
end

in_both(tests, "ALuaMachineInChunks", { nodes = 3, machine = counting_machine(), snapshot_every = 10 }, function(c)
  local leader = c:wait_leader()
  local follower = followers(c, leader)
  c:crash(follower)
  for i = 1, 50 do
    assert(c:propose { key = "k" .. i % 7, value = "v" .. i })
  end
  assert(c:restart(follower))
  caught_up(c, follower)
  lu.assertTrue(c:stats(follower).installs >= 1)
  lu.assertEquals(c:query("count", { node = follower, read = "stale" }), 50)
  lu.assertEquals(c:query("k3", { node = follower, read = "stale" }), "v45")
end)

in_both(tests, "ALuaMachineAsOneString", { nodes = 1, machine = function()
  local text = ""
  return {
    apply = function(command) text = text .. command end,
    query = function() return text end,
    snapshot = function() return text end,
    restore = function(next_chunk) text = next_chunk() end,
  }
end }, function(c)
  c:wait_leader()
  for _, letter in ipairs { "a", "b\0", "c" } do
    assert(c:propose(letter))
  end
  assert(c:compact(1))
  c:crash(1)
  assert(c:restart(1))
  c:wait_leader()
  lu.assertEquals(c:query(1), "ab\0c")
end)

in_both(tests, "ALuaMachineWithoutSnapshots", { nodes = 1, snapshot_every = 2, machine = function()
  return { apply = function() end }
end }, function(c)
  c:wait_leader()
  for i = 1, 10 do
    assert(c:propose(i))
  end
  local _, message, code = c:compact(1)
  lu.assertEquals(code, "unsupported")
  lu.assertStrContains(message, "snapshot and restore")
  lu.assertEquals(c:status(1).first_index, 1)
  local told = 0
  for _, notice in ipairs(c:events { kind = "notice" }) do
    told = told + (notice.text:find("no snapshots", 1, true) and 1 or 0)
  end
  lu.assertEquals(told, 1)
end)

-- What a machine's snapshot or restore raises fails its node, and is raised from the call that drives the world.
local broken = {
  ["snapshot raises"] = { snapshot = function() error "no paper" end, message = "no paper" },
  ["its function raises"] = { snapshot = function() return function() error "no ink" end end, message = "no ink" },
  ["it gives a number"] = { snapshot = function() return 7 end, message = "must give a string" },
  ["its function gives a table"] = {
    snapshot = function() return function() return {} end end, message = "must give strings",
  },
}

function tests.test_AMachineThatCannotGiveItsSnapshotFailsItsNode()
  for name, case in raft.sorted(broken) do
    for _, mode in ipairs { "sim", "tcp" } do
      clusters.with({ mode = mode, nodes = 1, machine = counting_machine(case.snapshot) }, function(c)
        c:wait_leader()
        assert(c:propose { key = "a", value = "1" })
        local fine, problem = pcall(c.compact, c, 1)
        lu.assertFalse(fine, name)
        lu.assertStrContains(tostring(problem), case.message)
        lu.assertEquals(c:status(1).state, "failed")
      end)
    end
  end
end

in_both(tests, "ARestoreThatRaisesFailsItsNode", { nodes = 1, machine = function()
  return { apply = function() end, snapshot = function() return "x" end,
    restore = function(next_chunk) next_chunk() error "unreadable" end }
end }, function(c)
  c:wait_leader()
  assert(c:propose(1))
  assert(c:compact(1))
  c:crash(1)
  local fine, problem = pcall(function()
    c:restart(1)
    c:sleep(0.1)
  end)
  lu.assertFalse(fine)
  lu.assertStrContains(tostring(problem), "unreadable")
  lu.assertEquals(c:status(1).state, "failed")
  lu.assertStrContains(c:status(1).error, "snapshot of index")
end)

-- Equal states are told from others: the checker compares what machines were at an index.
in_both(tests, "AMachineThatIsRestoredWronglyIsFound", { nodes = 3, machine = function()
  local machine = counting_machine()()
  local restore = machine.restore
  machine.restore = function(next_chunk)
    restore(next_chunk)
    machine.apply { key = "smuggled", value = "1" }
  end
  return machine
end }, function(c)
  local leader = c:wait_leader()
  local follower = followers(c, leader)
  c:crash(follower)
  for i = 1, 20 do
    assert(c:propose { key = "k" .. i, value = "v" })
  end
  for _, id in ipairs(c:ids()) do
    if id ~= follower then
      assert(c:compact(id))
    end
  end
  local fine, problem = pcall(function()
    c:restart(follower)
    c:sleep(2)
  end)
  lu.assertFalse(fine)
  lu.assertStrContains(tostring(problem), "machines answer alike")
end)


return tests
