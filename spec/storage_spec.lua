-- What nodes have in files: found again by whoever comes next, refused where it is another's or damaged, and what a
-- full disk, a torn tail and a second process do. (c:disk's faults are in disk_spec, every crash in crash_matrix_spec.)
local clusters = require "spec.support.clusters"
local command = require "spec.support.command"
local lu = require "luaunit"
local nodes = require "spec.support.nodes"
local processes = require "spec.support.processes"
local raft = require "raft"

local tests = {}

local function with_files(tests_of, name, options, f)
  command.add(tests_of, name .. "_tcp", function(folder)
    clusters.with(clusters.merge({ mode = "tcp", dir = folder .. "/data" }, options), function(c)
      f(c, folder .. "/data")
    end)
  end)
end

-- Changes one byte of a file.
local function damage(path, offset)
  local file = assert(io.open(path, "r+b"))
  file:seek("set", offset)
  local byte = file:read(1):byte()
  file:seek("set", offset)
  file:write(string.char((byte + 1) % 256))
  file:close()
end

local function notices_of(c, id)
  local texts = {}
  for _, event in ipairs(c:events { kind = "notice", node = id }) do
    texts[#texts + 1] = event.text
  end
  return table.concat(texts, "\n")
end

-- ---- found again --------------------------------------------------------------------------------

command.add(tests, "TheNextRunFindsItAgain_tcp", function(folder)
  for life = 1, 3 do
    clusters.with({ mode = "tcp", dir = folder .. "/data" }, function(c)
      c:wait_leader()
      lu.assertEquals(c:get "life", life > 1 and life - 1 or nil)
      assert(c:set("life", life))
      local term = c:status(1).term
      c:crash "all"
      assert(c:restart "all")
      c:wait_leader()
      lu.assertTrue(c:status(1).term >= term)
      lu.assertEquals(c:get "life", life)
    end)
  end
end)

with_files(tests, "AnEmptiedDirectoryIsAnotherServer", {}, function(c)
  c:wait_leader()
  assert(c:set("a", 1))
  c:crash(1)
  assert(c:restart(1, { wipe = true }))
  lu.assertEquals(c:status(1).last_index, 0)
  c:wait_leader()
  assert(c:remove_servers { 1 })
  assert(c:add_servers { 1 })
  c:check_live()
end)

-- What a snapshot holds is read after the start: where it is damaged, the node says in which file and where.
with_files(tests, "ADamagedSnapshotIsToldWithItsPlace", { nodes = 1 }, function(c, data)
  c:wait_leader()
  assert(c:set("key", ("x"):rep(5000)))
  local index = assert(c:compact(1))
  local file = ("snapshot-%020d"):format(index)
  c:crash(1)
  damage(data .. "/1/" .. file, 3000)
  c:restart(1) -- its header is sound
  c:wait_until(function()
    return c:status(1, "state") == "failed"
  end)
  lu.assertEquals(c:status(1, "damage").file, file)
  lu.assertTrue(c:status(1, "damage").offset > 0)
  lu.assertStrContains(c:status(1, "error"), file .. " is damaged at byte ")
end)

-- A node of an application, with the same command line.
command.add(tests, "ANodeOfAnApplicationFindsItAgain", function(folder)
  local address = processes.free_addresses(1)[1]
  for life = 1, 3 do
    local node = assert(raft.node { id = 1, listen = address, dir = folder .. "/1", machine = "kv" })
    assert(node:start())
    if life > 1 then
      lu.assertEquals(node:query { op = "get", key = "life" }, { life - 1 })
    end
    assert(node:propose { op = "set", key = "life", value = life })
    assert(node:close())
  end
end)

-- Old segments go, or are used again: what is on the disk stays bounded.
with_files(tests, "OldSegmentsGo", { nodes = 1, snapshot_every = 8 }, function(c, data)
  c:wait_leader()
  for _ = 1, 40 do
    assert(c:set("key", ("x"):rep(2000000)))
  end
  lu.assertTrue(c:wait_until(function()
    local pipe = io.popen("ls " .. command.quote(data .. "/1") .. " | grep -c ^log-")
    local count = tonumber(pipe:read "*l")
    pipe:close()
    return count <= 6 -- of forty
  end))
  c:crash(1)
  assert(c:restart(1))
  c:wait_leader()
  lu.assertEquals(#c:get "key", 2000000)
end)

-- Sectors carry the number of the life that wrote them, so that what two lives began in one place is never taken for
-- one write. What cannot be read behind the log's end may be the only trace of such a life: its number does not come
-- again.
with_files(tests, "ALifeWhoseTraceIsUnreadableKeepsItsNumber", { nodes = 1 }, function(c, data)
  local function last_record()
    local result = command.run { "log", data .. "/1", "--json", "--records" }
    local records = raft.core.json_decode(result.out).records
    return records[#records]
  end
  c:wait_leader()
  assert(c:set("a", 1))
  c:crash(1)
  local before = last_record()
  damage(data .. "/1/log-0000000001", before.offset + 2 * 512 + 100) -- of a write whose first sector is not there
  assert(c:restart(1))
  c:wait_leader()
  assert(c:set("a", 2))
  c:crash(1)
  lu.assertEquals(last_record().life, before.life + 2)
end)

-- ---- refused ------------------------------------------------------------------------------------

with_files(tests, "DamageIsToldAndNotCutOff", {}, function(c, data)
  c:wait_leader()
  for number = 1, 20 do
    assert(c:set("a", number))
  end
  c:crash(1)
  damage(data .. "/1/log-0000000001", 2048 + 100)
  for _ = 1, 2 do -- it says so again: nothing was mended
    local message, detail = clusters.assert_refused("storage", c:restart(1))
    lu.assertStrContains(message, data .. "/1/log-0000000001 is damaged at byte 2048")
    lu.assertEquals(detail, { file = "log-0000000001", offset = 2048 })
  end
  lu.assertEquals(c:status(1).damage, { file = "log-0000000001", offset = 2048 })
  lu.assertEquals(c:get "a", 20)
end)

with_files(tests, "AHeaderThatIsDamaged", { nodes = 1 }, function(c, data)
  c:wait_leader()
  c:crash(1)
  damage(data .. "/1/log-0000000001", 40)
  local message = clusters.assert_refused("storage", c:restart(1))
  lu.assertStrContains(message, "its header's checksum is wrong")
end)

with_files(tests, "AFileThatIsGone", { nodes = 1 }, function(c, data)
  c:wait_leader()
  c:crash(1)
  assert(os.remove(data .. "/1/log-0000000001"))
  lu.assertStrContains(clusters.assert_refused("storage", c:restart(1)), "the log is gone")
end)

with_files(tests, "AnothersDirectoryIsRefused", {}, function(c, data)
  c:wait_leader()
  c:crash { 1, 2 }
  assert(os.rename(data .. "/1", data .. "/other"))
  assert(os.rename(data .. "/2", data .. "/1"))
  local message = clusters.assert_refused("storage", c:restart(1))
  lu.assertStrContains(message, data .. "/1/log-0000000001: it belongs to node 2 of the cluster")
  lu.assertStrContains(message, "and this is node 1 of the cluster")
end)

with_files(tests, "ADirectoryInUseIsRefused", { nodes = 1 }, function(c, data)
  c:wait_leader()
  local address = processes.free_addresses(1)[1]
  local node = assert(raft.node { id = 1, listen = address, dir = data .. "/1", cluster = "cluster" })
  local problem
  node:on("error", function(text)
    problem = text
  end)
  assert(node:start())
  nodes.run_until("the lock is told", function()
    return problem ~= nil
  end)
  node:close()
  lu.assertStrContains(problem, data .. "/1")
  assert(c:set("a", 1))
end)

clusters.add(tests, "TheSimulatedWorldHasNoDirectory", { nodes = 1 }, function()
  lu.assertEquals(select(3, raft.cluster { mode = "sim", dir = "data" }), "unsupported")
end)

-- ---- torn tails and full disks ------------------------------------------------------------------

-- Until one is: how much of a write is there is a matter of chance.
clusters.add(tests, "ATornTailIsLeftOutAndTold", { nodes = 3, mode = "sim" }, function(c)
  c:wait_leader()
  local told
  for number = 1, 100 do
    assert(c:set("a", number))
    local leader = c:leader()
    c:submit(leader, ("x"):rep(3000))
    c:sleep(1e-6)
    c:disk(leader, { torn_write = true })
    c:crash(leader)
    assert(c:restart(leader))
    told = notices_of(c, leader):match "the last write to the log was cut off: %d+ bytes of it at the end of log%-%d+"
    c:wait_leader()
    lu.assertEquals(c:get "a", number)
    if told then
      break
    end
  end
  lu.assertIsString(told)
end)

-- A wrong bit that only the reading had is no damage: the disk is read once more.
clusters.add(tests, "AWrongReadingIsRepeated", { nodes = 3, mode = "sim" }, function(c)
  c:wait_leader()
  local told
  for number = 1, 100 do
    assert(c:set("a", number))
    c:disk(1, { corrupt = 0.5 })
    c:crash(1)
    local fine, message, code = c:restart(1)
    c:disk(1, nil)
    if not fine then -- both readings were wrong
      lu.assertEquals(code, "storage", message)
      assert(c:restart(1))
    end
    told = notices_of(c, 1):match "the disk was read twice: at first it seemed that disk 1/log%-%d+ is damaged"
    c:wait_leader()
    lu.assertEquals(c:get "a", number)
    if told then
      break
    end
  end
  lu.assertIsString(told)
end)

clusters.add(tests, "AFullDiskStopsNothingThatWasAcknowledged", { nodes = 3, mode = "sim" }, function(c)
  local full = c:wait_leader()
  local last = 0
  c:disk(full, { full = true })
  for number = 1, 200 do
    if c:set("a", ("%d "):format(number) .. ("x"):rep(2000), { timeout = 2 }) then
      last = number
    end
  end
  lu.assertStrContains(notices_of(c, full), "the disk is full: the log has room for ")
  lu.assertEquals(c:status(full).state, "failed")
  lu.assertStrContains(c:status(full).error, "free some space and start this node again")
  lu.assertEquals(last, 200) -- the others went on without it
  c:disk(full, nil)
  assert(c:restart(full))
  c:check_live()
  lu.assertEquals(c:get("a"):match "%d+", "200")
end)

return tests
