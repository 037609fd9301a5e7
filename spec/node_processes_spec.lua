-- Three replicas in three processes, each under another loop: luv's, one that polls by hand, and raft.run's own.
local lu = require "luaunit"
local processes = require "spec.support.processes"

local has_luv = pcall(require, "luv")

local tests = {}

local function with_processes(f)
  lu.skipIf(not has_luv, "luv is not installed")
  local addresses, list = processes.free_addresses(4), {}
  local peers = ("{ '%s', '%s', '%s' }"):format(addresses[1], addresses[2], addresses[3])
  for id, loop in ipairs { "luv", "poll", "run" } do
    list[id] = processes.start(loop, ("{ id = %d, listen = '%s', peers = %s }"):format(id, addresses[id], peers))
  end
  local fine, problem = pcall(f, list, addresses)
  for _, process in pairs(list) do
    process:forget()
  end
  if not fine then
    error(problem, 0)
  end
end

local function leader_among(list)
  return tonumber(processes.wait("a leader", function()
    for id, process in pairs(list) do
      local role = process.pid and process:ask("return node:status().role")
      if role == "leader" then
        return id
      end
    end
  end))
end

-- Once: a time-out would leave open whether it is counted.
local function add(process, number)
  local index, result = process:ask(("return node:propose(%d)"):format(number))
  lu.assertTrue(index ~= "nil", result)
  return tonumber(result)
end

function tests.test_ThreeProcessesUnderThreeLoops()
  with_processes(function(list, addresses)
    for id = 1, 3 do
      lu.assertEquals(add(list[id], 10), 10 * id)
    end
    local first = leader_among(list)
    list[first]:kill()
    lu.assertEquals(add(list[leader_among(list)], 1), 31)
    lu.assertEquals(add(list[first % 3 + 1], 1), 32)

    -- a new process in the place of the dead one
    list[4] = processes.start("poll", ("{ id = 4, listen = '%s', join = true }"):format(addresses[4]))
    local leader = leader_among(list)
    local third = 6 - first - leader
    local voters = ("{ [%d] = true, [%d] = true, [4] = '%s' }"):format(leader, third, addresses[4])
    local index, message = list[leader]:ask("return node:change_members { voters = " .. voters .. " }")
    lu.assertTrue(index ~= "nil", message)
    lu.assertEquals(add(list[4], 1), 33)

    -- which counts: without it there is no majority
    list[third]:kill()
    lu.assertEquals(add(list[4], 1), 34)
    lu.assertEquals(list[leader]:ask("assert(node:read()) return count()"), "34")
  end)
end

function tests.test_AProcessThatComesBackWithNothingIsTurnedAway()
  with_processes(function(list, addresses)
    add(list[1], 1)
    local leader = leader_among(list)
    local id = leader % 3 + 1
    list[id]:forget()
    list[id] = processes.start("run", ("{ id = %d, listen = '%s', peers = { '%s', '%s', '%s' } }"):format(id,
      addresses[id], addresses[1], addresses[2], addresses[3]))
    processes.wait("its notice", function()
      return list[id]:ask("return table.concat(told.notices, ' ')"):find("turns this node away", 1, true)
    end)
    local notices = list[leader]:ask("return table.concat(told.notices, ' ')")
    lu.assertStrContains(notices, "came back with another disk: remove it from the cluster")
  end)
end

function tests.test_GarbageOnThePort()
  with_processes(function(list, addresses)
    add(list[1], 1)
    for id = 1, 3 do
      local host, port = addresses[id]:match("^(.*):(%d+)$")
      os.execute(("bash -c 'head -c 3000 /dev/urandom >/dev/tcp/%s/%s; printf \"GET / HTTP/1.0\\r\\n\\r\\n\" "
        .. ">/dev/tcp/%s/%s' 2>/dev/null"):format(host, port, host, port))
    end
    for id = 1, 3 do
      lu.assertEquals(add(list[id], 1), 1 + id)
      lu.assertStrContains(list[id]:ask("return table.concat(told.notices, ' ')"), "closed")
    end
  end)
end

-- Its connections stay open, and what it invited its peers to send on them is not for the next one of its id.
function tests.test_AProcessThatHangsIsReplacedByAnotherOfItsId()
  with_processes(function(list, addresses)
    add(list[1], 1)
    os.execute("kill -STOP " .. list[1].pid)
    list[4], list[1] = list[1], nil -- to be ended with the others
    local leader = leader_among { [2] = list[2], [3] = list[3] }
    local index, message = list[leader]:ask("return node:change_members { voters = { [2] = true, [3] = true } }", 30)
    lu.assertTrue(index ~= "nil", message)
    list[1] = processes.start("run", ("{ id = 1, listen = '%s', join = true }"):format(addresses[4]))
    index, message = list[leader]:ask("return node:change_members { voters = { [2] = true, [3] = true, [1] = '"
      .. addresses[4] .. "' } }", 30)
    lu.assertTrue(index ~= "nil", message)
    lu.assertEquals(add(list[1], 1), 2)
    list[5 - leader]:kill() -- it counts
    lu.assertEquals(add(list[leader], 1), 3)
  end)
end

-- Another process under a living member's id, which knows the cluster and was told that it is that member.
function tests.test_AnotherOfAMembersIdDoesNotTakeItsPlace()
  with_processes(function(list, addresses)
    add(list[1], 1)
    local leader = leader_among(list)
    local member, third = leader % 3 + 1, (leader + 1) % 3 + 1
    local peers = { ("'%s'"):format(addresses[1]), ("'%s'"):format(addresses[2]), ("'%s'"):format(addresses[3]) }
    peers[member] = ("'%s'"):format(addresses[4])
    list[4] = processes.start("run", ("{ id = %d, listen = '%s', peers = { %s } }"):format(member, addresses[4],
      table.concat(peers, ", ")))
    processes.wait("its notice", function()
      return list[4]:ask("return table.concat(told.notices, ' ')"):find("turns this node away", 1, true)
    end)
    list[third]:kill() -- the member counts, whatever the other says
    for number = 2, 5 do
      lu.assertEquals(add(list[leader], 1), number)
    end
    lu.assertEquals(list[leader]:ask("return node:status().role"), "leader")
    lu.assertEquals(list[member]:ask("return node:status().turned_away_by"), "nil")
  end)
end

-- Another leads without a time-out: whoever finds that its leader is silent asks for pre-votes first.
function tests.test_ALeaderThatIsTerminatedHandsOver()
  with_processes(function(list)
    add(list[1], 1)
    local leader = leader_among(list)
    if leader ~= 3 then -- the one whose loop is raft.run
      lu.assertEquals(list[leader]:ask("return node:transfer_leader(3)"), "3")
    end
    for id = 1, 2 do
      list[id]:ask("node:on('role', function(role) roles = (roles or '') .. role .. ' ' end)")
    end
    os.execute("kill -TERM " .. list[3].pid)
    local rest = { list[1], list[2] }
    local new = processes.wait("another leader", function()
      return leader_among(rest)
    end)
    lu.assertEquals(add(list[new], 1), 2)
    for id = 1, 2 do
      local roles = list[id]:ask("return roles")
      lu.assertNotStrContains(roles, "pre_candidate")
    end
  end)
end

-- ---- with a directory each: the same command line brings a server back ---------------------------------------

local function with_directories(f)
  lu.skipIf(not has_luv, "luv is not installed")
  local pipe = assert(io.popen "mktemp -d")
  local folder = pipe:read "*l"
  pipe:close()
  local addresses, list, started = processes.free_addresses(3), {}, {}
  local peers = ("{ '%s', '%s', '%s' }"):format(addresses[1], addresses[2], addresses[3])
  local function start(id)
    list[id] = processes.start(({ "luv", "poll", "run" })[id],
      ("{ id = %d, listen = '%s', peers = %s, dir = '%s/%d', snapshot_every = 40 }"):format(id, addresses[id], peers,
        folder, id))
    started[#started + 1] = list[id]
  end
  for id = 1, 3 do
    start(id)
  end
  local fine, problem = pcall(f, list, start, folder)
  for _, process in ipairs(started) do
    process:forget()
  end
  os.execute("rm -rf '" .. folder .. "'")
  if not fine then
    error(problem, 0)
  end
end

-- Until that one has applied as much.
local function wait_count(process, count)
  processes.wait("its count to be " .. count, function()
    return tonumber((process:ask("return count()"))) == count
  end)
end

function tests.test_AnyOneIsKilledAndStartedAgainAndNothingIsLost()
  with_directories(function(list, start)
    local count = 0
    for id = 1, 3 do
      for _ = 1, 5 do
        count = count + 1
        lu.assertEquals(add(list[id], 1), count)
      end
      list[id]:kill()
      count = count + 1
      lu.assertEquals(add(list[id % 3 + 1], 1), count)
      start(id)
      wait_count(list[id], count)
      lu.assertEquals(list[id]:ask("return table.concat(told.notices, ' ')"):find("turns this node away"), nil)
    end
    local leader = leader_among(list)
    lu.assertEquals(list[leader]:ask("return #node:status().members.voters"), "3")
  end)
end

function tests.test_AllAreKilledAndStartedAgainAndNothingIsLost()
  with_directories(function(list, start, folder)
    local count = 0
    for _ = 1, 3 do
      for _ = 1, 30 do -- snapshots are taken on the way
        count = count + 1
        lu.assertEquals(add(list[count % 3 + 1], 1), count)
      end
      for id = 1, 3 do
        list[id]:kill()
      end
      for id = 1, 3 do
        start(id)
      end
      for id = 1, 3 do
        wait_count(list[id], count)
      end
    end
    for id = 1, 3 do
      local pipe = assert(io.popen(("ls %s/%d"):format(folder, id)))
      lu.assertStrContains(pipe:read "*a", "snapshot-")
      pipe:close()
    end
  end)
end

return tests
