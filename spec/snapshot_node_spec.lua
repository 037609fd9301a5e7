-- Snapshots of nodes in an application.
local lu = require "luaunit"
local raft = require "raft"
local processes = require "spec.support.processes"

local tests = {}

-- f(options) with an empty directory's path in `dir`, which is removed whatever happens.
local function with_directory(f)
  local directory = os.tmpname()
  os.remove(directory)
  local fine, problem = xpcall(f, debug.traceback, directory)
  os.execute("rm -rf '" .. directory .. "'")
  if not fine then
    error(problem, 0)
  end
end

local function start(options)
  options.id, options.listen = 1, processes.free_addresses(1)[1]
  local node = assert(raft.node(options))
  assert(node:start())
  return node
end

local function sum_machine(changes)
  local total = 0
  local machine = {
    apply = function(command) total = total + command; return total end,
    query = function() return total end,
    snapshot = function() return ("%d"):format(total) end,
    restore = function(next_chunk) total = tonumber(next_chunk()) end,
  }
  for name, value in pairs(changes or {}) do
    machine[name] = value
  end
  return machine
end

function tests.test_ItStartsFromItsSnapshot()
  with_directory(function(directory)
    local node = start { dir = directory, machine = sum_machine() }
    for i = 1, 10 do
      assert(node:propose(i))
    end
    local index = assert(node:compact())
    lu.assertEquals(node:status().applied, index)
    assert(node:propose(100))
    assert(node:close())
    node = start { dir = directory, machine = sum_machine() }
    lu.assertEquals(assert(node:query "total"), 155)
    assert(node:close())
  end)
end

function tests.test_CompactWithAFunction()
  local node = start { machine = sum_machine() }
  assert(node:propose(1))
  local compacted
  node:compact(function(index) compacted = index end)
  while not compacted do
    raft.run(0.01)
  end
  lu.assertEquals(compacted, node:status().applied)
  node:close()
  lu.assertEquals(select(3, node:compact()), "closed")
end

local function directory_bytes(directory)
  local pipe = assert(io.popen(("du -sb '%s'"):format(directory)))
  local bytes = tonumber(pipe:read("*a"):match "^%d+")
  pipe:close()
  return bytes
end

function tests.test_DirectoryAndLogStayBounded()
  with_directory(function(directory)
    local node = start { dir = directory, snapshot_every = 200, snapshot_bytes = math.huge }
    local done, sent, text = 0, 0, ("x"):rep(3000)
    local function send()
      sent = sent + 1
      node:propose({ op = "set", key = sent % 10, value = text }, function(index, message)
        assert(index, message)
        done = done + 1
        if sent < 30000 then
          send()
        end
      end)
    end
    for _ = 1, 100 do
      send()
    end
    local most = 0
    while done < 30000 do -- 90 MB of commands
      raft.run(0.05)
      most = math.max(most, directory_bytes(directory))
    end
    lu.assertTrue(most < 56 * 2 ^ 20, "the directory had " .. most .. " bytes")
    for _ = 1, 200 do -- the last snapshot may be under way
      if node:status().first_index > 29000 then
        break
      end
      raft.run(0.05)
    end
    lu.assertTrue(node:status().first_index > 29000)
    assert(node:close())
  end)
end

function tests.test_WithoutSnapshotsCompactIsUnsupported()
  local node = start { machine = { apply = function() end } }
  assert(node:propose(1))
  lu.assertEquals(select(3, node:compact()), "unsupported")
  node:close()
end

function tests.test_ASnapshotThatRaisesFailsTheNode()
  local node = start { machine = sum_machine { snapshot = function() error "no paper" end } }
  local told
  node:on("error", function(message) told = message end)
  assert(node:propose(1))
  lu.assertEquals(select(3, node:compact()), "node_down")
  while not told do
    raft.run(0.01)
  end
  lu.assertStrContains(tostring(told), "no paper")
  lu.assertEquals(node:status().state, "failed")
  node:close()
end

return tests
