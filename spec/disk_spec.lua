-- What disks do wrong (c:disk), through clusters: no property breaks, and where a node cannot go on it says why.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local command = require "spec.support.command"
local processes = require "spec.support.processes"

local tests = {}
local in_both = clusters.in_both

local function in_sim(name, options, f)
  tests["test_" .. name] = function()
    clusters.with(clusters.merge(options, { mode = "sim" }), f)
  end
end

local function state_of(c, id)
  return c:status(id, "state")
end

local function wait_state(c, id, state)
  c:wait_until(function()
    return state_of(c, id) == state
  end, 10, ("node %d to be %s"):format(id, state))
end

local function set_many(c, first, last, size)
  for number = first, last do
    assert(c:set("key " .. number, ("x"):rep(size or 1) .. number))
  end
end

local function check_many(c, first, last, size)
  for number = first, last do
    lu.assertEquals(c:get("key " .. number), ("x"):rep(size or 1) .. number)
  end
end

-- ---- disks that take their time ---------------------------------------------------------------------------------

-- Nothing that a disk was given is done until it goes on.
in_both(tests, "ADiskThatStallsGoesOn", { nodes = 3 }, function(c)
  set_many(c, 1, 5)
  assert(c:disk("all", { stall = true }))
  local _, _, code = c:set("key", "value", { timeout = 0.1 })
  lu.assertEquals(code, "timeout")
  assert(c:disk("all"))
  c:check_live()
  check_many(c, 1, 5)
end)

-- One that hangs in the midst of recovery holds nobody else up.
in_sim("ANodeWhoseDiskStallsStartsLater", { nodes = 3 }, function(c)
  set_many(c, 1, 5)
  local id = clusters.next_id(c, c:wait_leader())
  c:crash(id)
  assert(c:disk(id, { stall = true }))
  assert(c:restart(id, { wait = false }))
  c:sleep(1)
  lu.assertEquals(state_of(c, id), "starting")
  set_many(c, 6, 10)
  assert(c:disk(id))
  wait_state(c, id, "running")
  c:check_live()
end)

-- ---- disks that fail --------------------------------------------------------------------------------------------

-- The node is not to be believed any more; what it had acknowledged is there when it comes back.
for name, fault in pairs { Write = "write_error", Sync = "sync_error" } do
  in_both(tests, ("A%sThatFailsStopsTheNode"):format(name), { nodes = 3 }, function(c)
    set_many(c, 1, 10)
    local id = c:wait_leader()
    assert(c:disk(id, { [fault] = 1 }))
    c:submit(id, { op = "set", key = "last", value = 1 })
    wait_state(c, id, "failed")
    lu.assertStrContains(c:status(id, "error"), name:lower() == "write" and "writ" or "sync")
    set_many(c, 11, 20)
    assert(c:disk(id))
    assert(c:restart(id))
    c:check_live()
    check_many(c, 1, 20)
  end)
end

-- A sync that failed may have lost what it should have kept, whatever a later one says: the node acknowledges nothing
-- of it, before its end or after its restart.
tests.test_WhatAFailedSyncLostWasNeverAcknowledged = function()
  clusters.over_seeds({ nodes = 3, mode = "sim" }, function(c)
    set_many(c, 1, 3)
    for round = 1, 3 do
      local id = c:random(3)
      assert(c:disk(id, { sync_error = 0.5, torn_write = true }))
      for number = 1, 5 do
        c:set(("round %d"):format(round), number, { timeout = 1 })
      end
      assert(c:disk(id))
      c:crash(id)
      assert(c:restart(id))
    end
    c:check_live()
    check_many(c, 1, 3)
  end)
end

-- ---- a full disk ------------------------------------------------------------------------------------------------

in_sim("AFullDiskStopsNothingThatWasAcknowledged", { nodes = 3 }, function(c)
  set_many(c, 1, 3, 5000)
  assert(c:disk("all", { full = true }))
  local last = 3
  while last < 1000 and c:set("key " .. last + 1, ("x"):rep(5000) .. last + 1, { timeout = 1 }) do
    last = last + 1
  end
  lu.assertTrue(last < 1000)
  local stopped = 0
  for id = 1, 3 do
    if state_of(c, id) == "failed" then
      lu.assertStrContains(c:status(id, "error"), "the disk is full")
      stopped = stopped + 1
    end
  end
  lu.assertTrue(stopped > 0)
  assert(c:disk("all"))
  for id = 1, 3 do
    assert(c:restart(id))
  end
  c:check_live()
  check_many(c, 1, last, 5000)
end)

in_sim("ADiskThatIsNoLongerFullIsUsed", { nodes = 3 }, function(c)
  local told = {}
  c:on({ kind = "notice" }, function(event)
    told[event.node] = told[event.node] or event.text:find("the disk is full", 1, true) ~= nil
  end)
  assert(c:disk("all", { full = true }))
  local count = 0
  repeat
    count = count + 1
    set_many(c, count, count, 300)
  until told[1] and told[2] and told[3]
  assert(c:disk("all"))
  set_many(c, count + 1, 40, 5000)
  for id = 1, 3 do
    lu.assertEquals(state_of(c, id), "running")
  end
end)

-- ---- crashes ----------------------------------------------------------------------------------------------------

-- Some sectors of what was under way are there and some are not, whatever their order was.
tests.test_TornWritesLoseNothingThatWasAcknowledged = function()
  clusters.over_seeds({ nodes = 3, mode = "sim" }, function(c)
    local acknowledged = 0
    for _ = 1, 3 do
      c:wait_leader()
      for _ = 1, 3 do
        if c:set("counter", acknowledged + 1, { timeout = 2 }) then
          acknowledged = acknowledged + 1
        end
      end
      assert(c:disk("all", { torn_write = true }))
      for number = 1, 10 do
        c:submit(c:leader() or 1, { op = "set", key = "under way", value = ("x"):rep(300) .. number })
      end
      c:sleep(c:random() * 0.001)
      c:crash "all"
      assert(c:restart "all")
    end
    c:check_live()
    lu.assertEquals(c:get("counter"), acknowledged)
  end)
end

-- ---- disks that lie ---------------------------------------------------------------------------------------------

-- A server whose disk is damaged does not start again: emptied, removed and added, it is another one.
local function replace(c, id)
  assert(c:restart(id, { wipe = true }))
  assert(c:remove_servers { id })
  assert(c:add_servers { id })
end

-- Where the damage hits what nobody needs any more, the node may start.
local function restart_damaged(c, id)
  local started, message, code, detail = c:restart(id)
  if not started then
    lu.assertEquals(code, "storage")
    lu.assertStrContains(message, "disk " .. id)
    lu.assertIsTable(detail)
    lu.assertEquals(state_of(c, id), "failed")
  end
  return started
end

tests.test_ABitThatFlippedIsFoundAndNothingIsLost = function()
  local refused = 0
  clusters.over_seeds({ nodes = 3, mode = "sim" }, function(c)
    set_many(c, 1, 10)
    local id = c:random(3)
    assert(c:disk(id, { flip = true }))
    c:crash(id)
    set_many(c, 11, 13)
    if not restart_damaged(c, id) then
      refused = refused + 1
      replace(c, id)
    end
    c:check_live()
    check_many(c, 1, 13)
  end)
  lu.assertTrue(refused > 0)
end

-- What is read otherwise than it was written is never believed, and is there when the disk reads well again.
for name, fault in pairs { Corrupt = "corrupt", Misdirected = "misdirect_read" } do
  in_sim(name .. "ReadsAreFound", { nodes = 3 }, function(c)
    set_many(c, 1, 10)
    local id = clusters.next_id(c, c:wait_leader())
    c:crash(id)
    assert(c:disk(id, { [fault] = 1 }))
    restart_damaged(c, id)
    c:crash(id)
    assert(c:disk(id))
    assert(c:restart(id))
    c:check_live()
    check_many(c, 1, 10)
  end)
end

tests.test_MisdirectedWritesAreFoundAndNothingIsLost = function()
  local refused = 0
  clusters.over_seeds({ nodes = 3, mode = "sim" }, function(c)
    local id = c:random(3)
    assert(c:disk(id, { misdirect_write = 0.2 }))
    set_many(c, 1, 20)
    assert(c:disk(id))
    c:crash(id)
    if not restart_damaged(c, id) then
      refused = refused + 1
      replace(c, id)
    end
    c:check_live()
    check_many(c, 1, 20)
  end)
  lu.assertTrue(refused > 0)
end

-- ---- a real disk that is full -----------------------------------------------------------------------------------

-- The commands that it acknowledged, until its node stops for want of room; then something else leaves the disk.
local fill_a_disk = [[
local raft = require "raft"
local folder = ...
local c = raft.cluster { nodes = 1, mode = "tcp", dir = folder .. "/data" }
c:wait_leader()
local last = 0
while last < 1000 and c:set("key " .. last + 1, ("x"):rep(10000), { timeout = 5 }) do
  last = last + 1
end
print(last > 0 and last < 1000, c:status(1, "state"), c:status(1, "error"))
os.remove(folder .. "/ballast")
assert(c:restart(1))
c:wait_leader()
for number = 1, last do
  assert(#c:get("key " .. number) == 10000)
end
print("all are there", c:set("key", "value") ~= nil)
c:shutdown()
]]

-- In a file system of 4 MiB, which only the script sees, and where it has 2.5.
local in_a_small_one = [[
mount -t tmpfs -o size=4m none "$1/disk" || exit 77
head -c 1500000 /dev/zero >"$1/disk/ballast" && %s "$1/fill.lua" "$1/disk"
]]

-- What the script says there, which gets the folder of that disk.
local function on_a_small_disk(folder, script)
  for name, text in pairs { ["fill.lua"] = script, ["run.sh"] = in_a_small_one:format(processes.interpreter()) } do
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end
  local pipe = assert(io.popen(([[mkdir %s/disk; unshare -rm sh %s/run.sh %s 2>&1; echo "[$?]"]]):format(folder, folder,
    folder)))
  local words = pipe:read "*a"
  pipe:close()
  lu.skipIf(words:find "%[77%]" or words:find "^unshare", "this user may not mount a file system of its own")
  return words
end

command.add(tests, "ARealDiskThatIsFullStopsNothingThatWasAcknowledged", function(folder)
  local words = on_a_small_disk(folder, fill_a_disk)
  lu.assertStrContains(words, "true\tfailed\tthe disk is full")
  lu.assertStrContains(words, "all are there\ttrue\n[0]")
end)

-- A snapshot larger than what is left of the disk.
local no_room_for_a_snapshot = [[
local raft = require "raft"
local folder = ...
local c = raft.cluster { nodes = 1, mode = "tcp", dir = folder .. "/data" }
c:wait_leader()
os.remove(folder .. "/ballast")
for number = 1, 60 do
  assert(c:set("key " .. number, ("x"):rep(10000)))
end
local ballast = assert(io.open(folder .. "/ballast", "w"))
ballast:setvbuf "no"
while ballast:write(("x"):rep(4096)) do end
ballast:close()
local room = assert(io.open(folder .. "/ballast", "r+")):seek "end" - 200000
os.execute("truncate -s " .. room .. " " .. folder .. "/ballast")
print(c:compact(1))
assert(c:wait_until(function()
  return not io.open(folder .. "/data/1/snapshot-own")
end, 5, "the room is given back"))
print(c:status(1, "state"), c:set("key", "value") ~= nil)
c:shutdown()
]]

command.add(tests, "ASnapshotForWhichThereIsNoRoomTakesNone", function(folder)
  local words = on_a_small_disk(folder, no_room_for_a_snapshot)
  lu.assertStrContains(words, "nil\tthe snapshot of index ")
  lu.assertStrContains(words, "running\ttrue\n[0]")
end)

-- ---- a directory's first life -----------------------------------------------------------------------------------

local begin_in_a_directory = [[
local c = require("raft").cluster { nodes = 1, mode = "tcp", dir = ... }
c:wait_leader()
assert(c:set("key", "value"))
c:shutdown()
]]

-- What is durable in a directory is found again only where its own name is durable too, whoever made it: here nobody
-- knows whether "made" is. Later lives need not ask again.
command.add(tests, "TheDirectoriesAboveALogAreDurableToo", function(folder)
  local file = assert(io.open(folder .. "/begin.lua", "w"))
  file:write(begin_in_a_directory)
  file:close()
  local function synced_above()
    local pipe = assert(io.popen(([[f=%s; mkdir -p $f/made
      strace -f -y -e trace=fsync -o $f/trace env %s $f/begin.lua $f/made/data 2>&1; echo "[$?]"]]):format(folder,
      processes.interpreter())))
    local words = pipe:read "*a"
    pipe:close()
    lu.skipIf(words:find "%[127%]" or words:find "ptrace", "strace is not to be had here")
    lu.assertEquals(words, "[0]\n")
    local text = assert(io.open(folder .. "/trace")):read "*a"
    local found = {}
    for directory in text:gmatch(" fsync%(%d+<(.-)>%)") do
      found[directory:match "[^/]*$"] = true
    end
    return { found[folder:match "[^/]*$"] == true, found["made"] == true, found["data"] == true }
  end
  lu.assertEquals(synced_above(), { true, true, true })
  lu.assertEquals(synced_above(), { false, false, false })
end)

-- ---- what is asked wrongly --------------------------------------------------------------------------------------

tests.test_WhatIsNoFaultOfADiskIsRefused = function()
  clusters.with({ nodes = 1, mode = "sim" }, function(c)
    for fault, value in pairs { stall = 1, full = "yes", corrupt = 2, write_error = -1, misdirect_write = "often" } do
      clusters.assert_raises(function() c:disk(1, { [fault] = value }) end, "bad argument 'faults." .. fault .. "'")
    end
  end)
end

tests.test_OverTcpInMemoryADiskHasFewFaults = function()
  clusters.with({ nodes = 1, mode = "tcp" }, function(c)
    c:wait_leader()
    for _, fault in ipairs { "full", "torn_write", "flip" } do
      clusters.assert_refused("unsupported", c:disk(1, { [fault] = true }))
    end
    clusters.assert_refused("unsupported", c:disk(1, { corrupt = 0.5 }))
    c:check_live()
  end)
end

tests.test_HealingAllEndsTheFaultsOfDisks = function()
  clusters.with({ nodes = 3, mode = "sim" }, function(c)
    assert(c:disk("all", { stall = true }))
    assert(c:heal "all")
    c:check_live()
  end)
end

return tests
