-- Nodes of an application in this process, for the specs of raft.node.
local lu = require "luaunit"
local processes = require "spec.support.processes"
local raft = require "raft"

local M = {}

-- A machine that adds up.
function M.counter()
  local count = 0
  return {
    apply = function(add)
      if type(add) ~= "number" then
        error("cannot add " .. tostring(add))
      end
      count = count + add
      return count
    end,
    query = function(request)
      if request == "bad" then
        error "cannot answer that"
      end
      return count
    end,
  }
end

function M.merge(options, more)
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return options
end

-- f(nodes) with so many that were started in this process, closed whatever happens. `machine`: makes that of a node.
function M.with_nodes(count, more, f, machine)
  local peers, nodes = processes.free_addresses(count), {}
  for id = 1, count do
    local own = { id = id, listen = peers[id], peers = peers, machine = (machine or M.counter)(id) }
    nodes[id] = assert(raft.node(M.merge(own, more)))
    assert(nodes[id]:start())
  end
  local fine, problem = pcall(f, nodes, peers)
  for _, node in ipairs(nodes) do
    node:close()
  end
  if not fine then
    error(problem, 0)
  end
end

-- Drives the loop until a predicate is true.
function M.run_until(what, predicate)
  local deadline_ns = raft.core.clock_ns() + 20e9
  while not predicate() do
    lu.assertTrue(raft.core.clock_ns() < deadline_ns, "waited in vain: " .. what)
    raft.run(0.01)
  end
end

-- The leader that all of them know, and one of the others.
function M.leader_of(nodes)
  local leader
  M.run_until("a leader", function()
    leader = nodes[1]:status().leader
    for _, node in ipairs(nodes) do
      if node:status().leader ~= leader then
        return false
      end
    end
    return leader ~= 0
  end)
  return nodes[leader], nodes[leader % #nodes + 1]
end

return M
