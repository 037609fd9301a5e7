-- First members of applications that come late: what they catch up with was written before anybody met them.
local lu = require "luaunit"
local nodes_of = require "spec.support.nodes"
local processes = require "spec.support.processes"
local raft = require "raft"

local tests = {}

local run_until = nodes_of.run_until

local MANY = 40

-- f(nodes, peers, start, write): start(id) makes one of three, which all name the same first members and catch up
-- slowly; write(leader) gives them something to catch up with.
local function with_late_ones(f)
  local peers, nodes = processes.free_addresses(3), {}
  local function start(id)
    nodes[id] = assert(raft.node { id = id, listen = peers[id], peers = peers, machine = "kv",
      heartbeat_interval = 0.005, window = 1, max_entries = 1 })
    assert(nodes[id]:start())
  end
  local function write(leader)
    for _ = 1, MANY do
      assert(leader:propose { op = "set", key = "large", value = ("x"):rep(500000) })
    end
  end
  local fine, problem = pcall(f, nodes, peers, start, write)
  for _, node in pairs(nodes) do
    node:close()
  end
  if not fine then
    error(problem, 0)
  end
end

-- What it catches up with begins with a configuration that its leader wrote before it had met it.
function tests.test_AFirstMemberThatComesLateStays()
  with_late_ones(function(nodes, _, start, write)
    start(1)
    start(2)
    write(nodes[1])
    start(3)
    run_until("the third to catch up", function()
      local status = nodes[3]:status()
      return status.state == "removed" or (status.commit or 0) >= MANY
    end)
    lu.assertEquals({ nodes[3]:status().state, nodes[3]:status().member }, { "running", true })
  end)
end

-- It was removed before anybody had met it, and is added again: on the way it finds that it was removed.
function tests.test_AFirstMemberThatWasNeverMetIsRemovedAndAddedAgain()
  with_late_ones(function(nodes, peers, start, write)
    start(1)
    start(2)
    assert(nodes[1]:propose { op = "set", key = "key", value = 1 })
    local leader = nodes[nodes[1]:status().leader]
    assert(leader:change_members { voters = { [1] = true, [2] = true } })
    write(leader)
    start(3)
    local index, message = leader:change_members { voters = { [1] = true, [2] = true, [3] = peers[3] } }
    lu.assertNotNil(index, message)
    run_until("the third to catch up", function()
      return nodes[3]:status().state == "removed" or nodes[3]:status().applied >= index
    end)
    lu.assertEquals({ nodes[3]:status().state, nodes[3]:status().member }, { "running", true })
    assert(leader:change_members { voters = { [1] = true, [2] = true } }) -- and the next removal ends it
    run_until("its end", function()
      return nodes[3]:status().state == "removed"
    end)
  end)
end

return tests
