-- `raftbench node`: one server process, as an operator starts it.
local lu = require "luaunit"
local command = require "spec.support.command"
local processes = require "spec.support.processes"
local raft = require "raft"

local tests = {}

local function node(...)
  return { "node", ... }
end

function tests.test_ItSaysWhereItListensAndThatItLeads()
  local address = processes.free_addresses(1)[1]
  for _, signal in ipairs { "TERM", "INT" } do
    local result = command.run_until(node("--id", "1", "--listen", address), "leads", signal)
    command.assert_code(result, 0)
    lu.assertEquals(result.lines, { "node 1 listens on " .. address, "node 1 leads (term 1)", "node 1 has ended" })
    lu.assertEquals(result.err, "")
  end
end

command.add(tests, "ThreeOfThemElectALeaderAndAnotherTakesOver", function(folder)
  local addresses, list = processes.free_addresses(3), {}
  for id = 1, 3 do
    local words = { "--id " .. id, "--listen " .. addresses[id] }
    for peer = 1, 3 do
      if peer ~= id then
        words[#words + 1] = ("--peer %d=%s"):format(peer, addresses[peer])
      end
    end
    local output = command.write(("%s/%d"):format(folder, id), "") -- it is read before the process is there
    local pipe = assert(io.popen(("%sscripts/raftbench node %s >%s 2>&1 & echo $!"):format(command.interpreter(),
      table.concat(words, " "), output)))
    list[id] = { pid = pipe:read "*l", output = output }
    pipe:close()
  end
  local function says(id, pattern)
    return command.read(list[id].output):match(pattern)
  end
  local fine, problem = pcall(function()
    local leader = processes.wait("a leader", function()
      for id = 1, 3 do
        if says(id, "leads") then
          return id
        end
      end
    end)
    for id = 1, 3 do
      processes.wait("all to follow", function()
        return id == leader or says(id, ("node %d follows node %d %%(term %%d+%%)"):format(id, leader))
      end)
    end
    os.execute("kill -TERM " .. list[leader].pid)
    processes.wait("its end", function() return says(leader, "has ended") end)
    processes.wait("another leader", function()
      return says(leader % 3 + 1, "leads") or says((leader + 1) % 3 + 1, "leads")
    end)
  end)
  for id = 1, 3 do
    os.execute("kill -9 " .. list[id].pid .. " 2>/dev/null")
  end
  if not fine then
    error(problem, 0)
  end
end)

-- ---- with a directory: the same command line brings it back -------------------------------------------------

-- A machine that a spec can look into: it writes its count to a file whenever it changes.
local COUNTER = [[
return function(id)
  local count = 0
  local function tell()
    local path = os.getenv "COUNTS" .. "/" .. id
    local file = assert(io.open(path .. ".new", "w"))
    file:write(count, "\n")
    file:close()
    assert(os.rename(path .. ".new", path))
  end
  return {
    apply = function(add) count = count + add tell() return count end,
    snapshot = function() return tostring(count) end,
    restore = function(next_chunk) count = tonumber(next_chunk()) tell() end,
  }
end]]

-- Two of three members are processes; the third, here, hands commands over.
command.add(tests, "KilledItComesBackWithTheSameCommandLine", function(folder)
  command.write(folder .. "/counts_up.lua", COUNTER)
  local addresses, pids, total = processes.free_addresses(3), {}, 0
  local function start(id)
    local words = ("--id %d --listen %s --peer %d=%s --peer 3=%s --dir %s/data/%d --machine counts_up "
      .. "--election-timeout 0.5 1"):format(id, addresses[id], 3 - id, addresses[3 - id], addresses[3], folder, id)
    local line = "COUNTS=%s LUA_PATH='%s/?.lua;;' %sscripts/raftbench node %s >>%s/out%d 2>&1 & echo $!"
    local pipe = assert(io.popen(line:format(folder, folder, command.interpreter(), words, folder, id)))
    pids[id] = pipe:read "*l"
    pipe:close()
  end
  local function kill_both()
    for id = 1, 2 do
      os.execute("kill -9 " .. pids[id] .. " 2>/dev/null")
      os.remove(folder .. "/" .. id)
    end
  end
  start(1)
  start(2)
  local member = assert(raft.node { id = 3, listen = addresses[3], peers = addresses, dir = folder .. "/data/3",
    election_timeout = { 0.5, 1 }, machine = { apply = function(add) total = total + add return total end } })
  local fine, problem = pcall(function()
    assert(member:start())
    for round = 1, 3 do
      processes.wait("a leader", function() return member:read { timeout = 5 } end)
      for _ = 1, 10 do
        assert(member:propose(1))
      end
      for id = 1, 2 do
        processes.wait("its count", function()
          raft.run(0.01)
          local file = io.open(("%s/%d"):format(folder, id), "r")
          local text = file and file:read "*l"
          if file then
            file:close()
          end
          return tonumber(text) == 10 * round
        end)
      end
      kill_both()
      start(1)
      start(2)
    end
    command.assert_lacks(command.read(folder .. "/out1"), "another disk")
    command.assert_lacks(command.read(folder .. "/out2"), "another disk")
  end)
  member:close()
  kill_both()
  if not fine then
    error(problem, 0)
  end
end)

command.add(tests, "AMachineFromAModule", function(folder)
  command.write(folder .. "/lists.lua", "return function(id) print('made for ' .. id) return { apply = print } end")
  local address = processes.free_addresses(1)[1]
  local result = command.run_until({ "node", "--id", "1", "--listen", address, "--machine", "lists",
    env = { LUA_PATH = folder .. "/?.lua;;" } }, "leads", "TERM")
  command.assert_has(command.assert_code(result, 0).out, "made for 1\n")
end)

function tests.test_WhatIsWrongIsSaidInWords()
  local function wrong(code, words, ...)
    local result = command.assert_code(command.run(node(...)), code)
    command.assert_has(result.err, words)
    lu.assertEquals(result.out, "")
  end
  wrong(2, "option '--listen'", "--id", "1")
  wrong(2, "'0' is not an id", "--id", "0", "--listen", "127.0.0.1:7001")
  wrong(2, "an IP address and a port", "--id", "1", "--listen", "here")
  wrong(2, "is not ID=ADDRESS", "--id", "1", "--listen", "127.0.0.1:7001", "--peer", "127.0.0.1:7002")
  wrong(2, "exclude each other", "--id", "1", "--listen", "127.0.0.1:7001", "--join", "--peer", "2=127.0.0.1:7002")
  wrong(2, "heartbeat_interval", "--id", "1", "--listen", "127.0.0.1:7001", "--heartbeat", "5")
  wrong(3, "insecure = true", "--id", "1", "--listen", "0.0.0.0:7001")
  wrong(3, "module 'no such' cannot be loaded", "--id", "1", "--listen", "127.0.0.1:7001", "--machine", "no such")
end

function tests.test_AnAddressInUse()
  local address = processes.free_addresses(1)[1]
  local pipe = assert(io.popen(("%sscripts/raftbench node --id 1 --listen %s & echo $!"):format(command.interpreter(),
    address)))
  local pid = pipe:read "*l"
  pipe:read "*l" -- it listens
  local result = command.run(node("--id", "2", "--listen", address))
  os.execute("kill -9 " .. pid)
  pipe:close()
  command.assert_has(command.assert_code(result, 3).err, "cannot listen on")
end

return tests
