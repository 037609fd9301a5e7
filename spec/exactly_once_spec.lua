-- Clients number what they ask for and keep asking, while answers are lost, leaders die, are cut off and hand over, and
-- snapshots take the place of logs: each command is applied once on every node, in the order in which it was asked for.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local raft = require "raft"

local tests = {}

local CLIENTS = 4

-- Keeps of each client the number that was applied last, and how many were.
local function machine()
  local last, count = {}, {}
  return {
    apply = function(command)
      local client, number = "client " .. command[1], command[2]
      if number <= (last[client] or 0) then
        error(("%s: number %d after number %d"):format(client, number, last[client]))
      end
      last[client], count[client] = number, (count[client] or 0) + 1
      return { number, count[client] }
    end,
    query = function(client)
      client = "client " .. client
      return { last[client] or 0, count[client] or 0 }
    end,
    snapshot = function()
      return raft.core.json_encode { last = last, count = count }
    end,
    restore = function(next_chunk)
      local text, chunk = "", next_chunk()
      while chunk do
        text, chunk = text .. chunk, next_chunk()
      end
      local state = raft.core.json_decode(text)
      last, count = state.last, state.count
    end,
  }
end

local troubles = {
  function(c)
    c:link("*", "client", { drop = 0.7 })
    c:link("client", "*", { drop = 0.3, duplicate = 0.3 })
  end,
  function(c) c:link("*", "client", { cut = true }) end,
  function(c) c:crash(c:leader() or 1) end,
  function(c) c:disconnect(c:leader() or 1) end,
  function(c) c:pause(c:leader() or 1) end,
  function(c) c:transfer_leader(c:random(3), { timeout = 0.2 }) end,
  function(c) c:compact(c:leader() or 1) end,
  function(c) c:partition { c:leader() or 1 } end,
}

local function heal(c)
  assert(c:heal "all")
  for id = 1, 3 do
    local state = c:status(id, "state")
    if state == "crashed" then
      assert(c:restart(id))
    end
  end
end

-- Numbers of its own, one after the other. Gives the last number, how many were acknowledged, and those left open.
local function ask(c, client, run)
  local number, acknowledged, open = 0, 0, 0
  while not run.over do
    number = number + 1
    local index, result, _, detail = c:propose({ client, number }, { timeout = 2 })
    if index then
      acknowledged = acknowledged + 1
      lu.assertEquals(result[1], number)
    elseif detail.unknown then
      open = open + 1
    end
    c:sleep(0.002) -- a refusal takes no time
  end
  return number, acknowledged, open
end

local function trouble(c, run)
  while not run.over do
    c:sleep(c:random() * 0.2)
    troubles[c:random(#troubles)](c)
    c:sleep(c:random() * 0.4)
    heal(c)
  end
end

local function check(c, client, acknowledged, open)
  for id = 1, 3 do
    local count = assert(c:query(client, { node = id, read = "stale" }))[2]
    lu.assertTrue(count >= acknowledged and count <= acknowledged + open,
      ("client %d, node %d: %d applied, %d acknowledged, %d left open"):format(client, id, count, acknowledged, open))
  end
end

local function torture(c)
  local run, clients = { over = false }, {}
  c:check_one_leader()
  for client = 1, CLIENTS do
    clients[client] = c:client(function()
      return ask(c, client, run)
    end, { session = true, repeat_every = 0.1 })
  end
  local faults = c:client(function() trouble(c, run) end)
  c:sleep(2)
  run.over = true
  assert(faults:wait(30))
  heal(c)
  local results = {}
  for client = 1, CLIENTS do
    results[client] = { clusters.result(clients[client], 30) }
  end
  c:check_live(30)
  for client = 1, CLIENTS do
    lu.assertTrue(results[client][2] > 0)
    check(c, client, results[client][2], results[client][3])
  end
end

function tests.test_InTheSimulatedWorld()
  clusters.over_seeds({ nodes = 3, mode = "sim", machine = machine, snapshot_every = 50 }, torture)
end

function tests.test_OverTcp()
  clusters.over_seeds({ nodes = 3, mode = "tcp", machine = machine, snapshot_every = 50 }, torture)
end

return tests
