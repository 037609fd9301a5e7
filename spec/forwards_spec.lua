-- Requests that a node passes on to the leader, and answers, that are lost under way.
local lu = require "luaunit"
local nodes_of = require "spec.support.nodes"
local processes = require "spec.support.processes"
local wire = require "spec.support.wire"
local forged = require "raft.bench.forged"
local raft = require "raft"

local tests = {}

-- Two nodes, of which the second leads for good; they meet by way of what is `between`.
local function with_leader_behind(f)
  wire.skip_without_luv()
  local listen, nodes, between = processes.free_addresses(2), {}, wire.between()
  local peers = { between.address(listen[1], "back", "out"), between.address(listen[2], "out", "back") }
  for id = 1, 2 do
    nodes[id] = assert(raft.node { id = id, listen = listen[id]:gsub("127.0.0.1", "0.0.0.0"), peers = peers,
      insecure = true, machine = nodes_of.counter(), heartbeat_interval = 0.02,
      election_timeout = id == 2 and { 0.4, 0.5 } or { 2, 3 } })
    assert(nodes[id]:start())
  end
  local function wait(what, predicate)
    wire.wait(what, function() raft.run(0.001) end, predicate)
  end
  wait("the second to lead", function()
    return nodes[1]:status().leader == 2 and nodes[2]:status().role == "leader"
  end)
  local fine, problem = pcall(f, nodes, between, wait)
  for _, node in ipairs(nodes) do
    node:close()
  end
  between.stop()
  if not fine then
    error(problem, 0)
  end
end

-- The connection breaks, the leader goes on; whether the command or its answer was lost, it is applied once.
for _, way in ipairs { "out", "back" } do
  tests["test_TheConnectionBreaksWithALossOnTheWay_" .. way] = function()
    with_leader_behind(function(nodes, between, wait)
      local term = nodes[2]:status().term
      local first
      nodes[2]:propose(1, function(index) first = index end)
      wait("a commit", function() return first end)
      between.holds[way] = true
      local sums, problems = {}, {}
      for i = 1, 3 do
        nodes[1]:propose(10, { timeout = 60 }, function(index, result)
          if index then
            sums[i] = result
          else
            problems[#problems + 1] = result
          end
        end)
      end
      wire.pass(function() raft.run(0.001) end, 0.05)
      lu.assertEquals(sums, {})
      between.holds[way] = nil
      between.cut()
      wait("its answers", function()
        return #sums + #problems == 3
      end)
      lu.assertEquals({ sums, problems }, { { 11, 21, 31 }, {} })
      lu.assertEquals({ nodes[2]:status().role, nodes[2]:status().term }, { "leader", term })
    end)
  end
end

-- Somebody passes on many questions and reads the answers late: what does not fit into the queue comes when there is
-- room.
function tests.test_AnswersThatDoNotFitComeLater()
  wire.skip_without_luv()
  local listen = processes.free_addresses(1)[1]
  local node = assert(raft.node { id = 1, listen = listen, cluster = "cluster", machine = {
    apply = function() return 1 end,
    query = function() return ("x"):rep(60000) end,
  } })
  assert(node:start())
  assert(node:propose(1))
  local asked = {}
  for i = 1, 50 do
    asked[i] = forged.question(9, i, "what")
  end
  local connection = wire.connect(listen, forged.hello(9, 1))
  wire.wait("its hello", raft.step, function()
    return connection:is_answered()
  end)
  connection.tcp:read_stop()
  connection:say(table.concat(asked))
  wire.pass(function() raft.run(0.001) end, 0.1)
  connection:read()
  local bytes = 50 * 60000
  wire.wait("its answers", raft.step, function()
    return #connection.came > bytes
  end)
  lu.assertEquals(#connection:frames(), 51)
  connection:close()
  node:close()
end

-- A leader that has forgotten which numbers came before those of the latest requests does not guess.
function tests.test_WhoHasForgottenWhetherACommandCameSaysSo()
  wire.skip_without_luv()
  nodes_of.with_nodes(1, { cluster = "cluster" }, function(nodes, peers)
    local asked, many = {}, 65536
    local function wait(what, predicate)
      wire.wait(what, raft.step, predicate)
    end
    local function ask(from, bytes)
      local connection = wire.connect(peers[1], forged.hello(from, 1) .. bytes)
      wait("its answer", function()
        return #connection:frames() >= 2
      end)
      return connection:frames()[2].body, connection
    end
    assert(nodes[1]:propose(1))
    lu.assertEquals(ask(9, forged.again(9, many + 1, 10)):byte(9), 0) -- it comes for the first time: it is taken
    for i = 1, many do
      asked[i] = forged.question(8, i, "sum")
    end
    local first, connection = ask(8, asked[1])
    connection:say(table.concat(asked, "", 2))
    local head = #raft.core.frame(1, 1, "")
    wait("as many answers", function()
      return #connection.came > (head + #first) * many
    end)
    local answer = ask(7, forged.again(7, many + 2, 100))
    lu.assertEquals(answer:byte(10), 1) -- it is unknown
    lu.assertStrContains(answer, "does not know any more whether the command had come")
    lu.assertEquals(nodes[1]:query "sum", 11)
  end)
end

return tests
