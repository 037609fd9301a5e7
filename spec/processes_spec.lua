-- Nodes that are processes of their own (mode "process"): what a crash, a pause and a death are there, that nothing of
-- them is left behind, and what such a cluster cannot do.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local command = require "spec.support.command"
local processes = require "spec.support.processes"
local raft = require "raft"

local tests = {}
local state_of = processes.state_of

local function with(options, f)
  return clusters.with(clusters.merge({ mode = "process" }, options), f)
end

local function signal(name, pid)
  assert(os.execute(("kill -%s %d"):format(name, pid)))
end

local function wait_gone(pids)
  processes.wait("the nodes' processes to end", function()
    for _, pid in ipairs(pids) do
      if not processes.has_ended(pid) then
        return false
      end
    end
    return true
  end, 10)
end

-- ---- crash, pause, death ------------------------------------------------------------------------------------

-- A leader is lost only by the kill, also where a busy machine lets a process wait for half a second.
function tests.test_ACrashIsAKillAndWhatWasAcknowledgedIsThereAfterIt()
  with({ nodes = 3, election_timeout = { 0.5, 1 } }, function(c)
    local leader = c:wait_leader()
    assert(c:set("answer", 42))
    local pid = c:status(leader, "pid")
    assert(c:crash(leader))
    lu.assertNil(state_of(pid))
    lu.assertEquals(c:status(leader).state, "crashed")
    assert(c:wait_leader())
    assert(c:set("answer", 43))
    assert(c:restart(leader))
    lu.assertNotEquals(c:status(leader, "pid"), pid)
    lu.assertEquals(c:check_committed({ op = "set", key = "answer", value = 43 }, 3), 3)
  end)
end

function tests.test_TheLogOfAKilledNodeIsReadFromItsDisk()
  with({ nodes = 3 }, function(c)
    local leader = c:wait_leader()
    for number = 1, 300 do
      assert(c:set("k", ("x"):rep(2000) .. number))
    end
    clusters.wait_level(c)
    local id = clusters.next_id(c, leader)
    c:wait_until(function()
      local status = c:status(leader)
      return status.peers[id].match == status.last_index
    end, 10, "all to be on its disk: what is not may go with it")
    local before = c:log(id)
    c:crash(id)
    lu.assertEquals(c:log(id), before)
    lu.assertEquals(c:log(id), before) -- and it is free again
    assert(c:restart(id))
    c:pause(id)
    clusters.assert_refused("unsupported", c:log(id))
  end)
end

function tests.test_AllAreKilledAndNothingIsLost()
  with({ nodes = 3 }, function(c)
    for number = 1, 50 do
      assert(c:set("number", number))
    end
    assert(c:crash "all")
    assert(c:restart "all")
    lu.assertEquals(c:get "number", 50)
  end)
end

function tests.test_APausedNodeIsAStoppedProcess()
  with({ nodes = 3 }, function(c)
    local leader, term = c:wait_leader()
    local pid = c:status(leader, "pid")
    assert(c:pause(leader))
    lu.assertEquals(state_of(pid), "T")
    lu.assertEquals(c:status(leader).state, "paused")
    local other = assert(c:wait_leader(10, term))
    assert(c:set("while it was paused", 1))
    assert(c:resume(leader))
    lu.assertNotEquals(state_of(pid), "T")
    clusters.wait_follows(c, leader, other)
    lu.assertEquals(c:check_committed({ op = "set", key = "while it was paused", value = 1 }, 3), 3)
  end)
end

function tests.test_AProcessThatDiesByItselfSaysHow()
  with({ nodes = 3 }, function(c)
    c:wait_leader()
    signal("TERM", c:status(1, "pid"))
    assert(c:wait_until(function() return c:status(1).state == "failed" end))
    lu.assertStrContains(c:status(1).error, "ended by signal 15")
    signal("KILL", c:status(2, "pid"))
    assert(c:wait_until(function() return c:status(2).state == "crashed" end))
    lu.assertStrContains(c:status(2).error, "ended by signal 9")
    assert(c:restart { 1, 2 })
    assert(c:set("again", true))
    lu.assertNil(c:status(1).error)
  end)
end

function tests.test_AWaitEndsWhenTheOnlyNodeDies()
  with({ nodes = 1 }, function(c)
    c:wait_leader()
    c:after(0.2, function() signal("KILL", c:status(1, "pid")) end)
    local asked = 0
    local value, message, code, detail
    repeat
      asked = asked + 1
      value, message, code, detail = c:set("n", asked, { timeout = 5 })
    until not value
    lu.assertTrue(code == "node_down" or code == "no_leader", tostring(message))
    lu.assertTrue(code ~= "node_down" or detail.unknown)
  end)
end

-- ---- what is left behind ------------------------------------------------------------------------------------

local SCRIPT = [[
local raft = require "raft"
local c = assert(raft.cluster { mode = "process" })
c:wait_leader()
c:pause(1)
local pids = {}
for id = 1, 3 do pids[id] = c:status(id, "pid") end
local file = assert(io.open(%q, "w"))
file:write(table.concat(pids, " "), "\n")
file:close()
%s
]]

-- Starts a script with a cluster, one node of which is paused, in the background; gives its own number and those of
-- its nodes.
local function start(folder, ending)
  local told, script = folder .. "/pids", folder .. "/script.lua"
  command.write(script, SCRIPT:format(told, ending))
  local pipe = assert(io.popen(("%s '%s' >'%s/output' 2>&1 & echo $!"):format(processes.interpreter(), script, folder)))
  local pid = tonumber(pipe:read "*l")
  pipe:close()
  local text = processes.wait("the cluster", function()
    local file = io.open(told, "r")
    local line = file and file:read "*l"
    if file then
      file:close()
    end
    return line
  end)
  local pids = {}
  for number in text:gmatch "%d+" do
    pids[#pids + 1] = tonumber(number)
  end
  lu.assertEquals(#pids, 3)
  return pid, pids
end

local endings = {
  OnceTheScriptHasEnded = { ending = "" },
  OnceTheScriptHasRaisedAnError = { ending = "error 'enough'" },
  OnceTheScriptHasLeftWithoutALook = { ending = "os.exit(0)" },
  OnceTheScriptWasKilled = { ending = "c:sleep(1000)", signal = "KILL" },
  OnceTheScriptWasTerminated = { ending = "c:sleep(1000)", signal = "TERM" },
  OnceTheScriptWasKilledWhileItComputed = { ending = "while true do end", signal = "KILL" },
}

for name, how in pairs(endings) do
  command.add(tests, "NoNodeIsLeft" .. name, function(folder)
    local pid, pids = start(folder, how.ending)
    if how.signal then
      signal(how.signal, pid)
    end
    wait_gone(pids)
  end)
end

local function temporary_directories(of)
  local pipe = assert(io.popen(("ls -d ${TMPDIR:-/tmp}/raftbench-%s-?????? 2>/dev/null"):format(of)))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

function tests.test_ATemporaryDirectoryGoesWithTheCluster()
  local c = assert(raft.cluster { mode = "process", nodes = 1 })
  assert(c:set("a", 1))
  local pipe = assert(io.popen "echo $PPID") -- of the shell: this process
  local own = pipe:read "*l"
  pipe:close()
  lu.assertNotEquals(temporary_directories(own), "")
  c:shutdown()
  lu.assertEquals(temporary_directories(own), "")
end

command.add(tests, "TheTemporaryDirectoryOfAKilledScriptGoesWithTheNextCluster", function(folder)
  local pid, pids = start(folder, "c:sleep(1000)")
  lu.assertNotEquals(temporary_directories(pid), "")
  signal("KILL", pid)
  wait_gone(pids)
  processes.wait("the script to be gone", function() return not state_of(pid) end)
  raft.cluster { mode = "process", nodes = 1 }:shutdown()
  lu.assertEquals(temporary_directories(pid), "")
end)


command.add(tests, "ADirectoryThatIsGivenStays", function(folder)
  local dir = folder .. "/nodes"
  with({ nodes = 3, dir = dir }, function(c)
    assert(c:set("kept", "yes"))
  end)
  with({ nodes = 3, dir = dir }, function(c) -- on other ports
    lu.assertEquals(c:get "kept", "yes")
    assert(c:set("kept", "still"))
    lu.assertEquals(c:check_committed({ op = "set", key = "kept", value = "still" }, 3), 3)
  end)
end)

-- Two runs must not share one.
command.add(tests, "ADirectoryThatAnotherRunHasIsRefused", function(folder)
  with({ nodes = 1, dir = folder }, function(c)
    assert(c:set("mine", 1))
    local other, message, code = raft.cluster { mode = "process", nodes = 1, dir = folder }
    lu.assertNil(other)
    lu.assertEquals(code, "storage", message)
    assert(c:set("mine", 2))
  end)
end)

-- ---- what a node prints, and its machine --------------------------------------------------------------------

command.add(tests, "WhatANodePrintsHasItsNumber", function(folder)
  command.write(folder .. "/talks.lua", [[
    return function(id)
      print("made for", id)
      return { apply = function(command)
        if command == "bad" then error "this cannot be applied" end
        return command
      end }
    end]])
  command.write(folder .. "/script.lua", ([[
    package.path = %q .. package.path
    local c = assert(require("raft").cluster { mode = "process", nodes = 2, machine = "talks" })
    print(select(2, assert(c:propose "good")))
    print(pcall(function()
      c:propose "bad"
      c:wait_until(function() end)
    end))
    for id = 1, 2 do print(c:status(id).state, c:status(id).error) end
  ]]):format(folder .. "/?.lua;"))
  local result = command.run { "run", folder .. "/script.lua" }
  command.assert_has(result.out, "good\n", "false\tthe machine failed at index",
    "failed\tthe machine failed at index", "this cannot be applied")
  command.assert_has(result.err, "node 1: made for\t1\n", "node 2: made for\t2\n", "this cannot be applied\n")
end)

-- The machines' answers are compared as everywhere: events of all nodes come to the script's process.
command.add(tests, "InvariantsHoldAcrossProcesses", function(folder)
  command.write(folder .. "/differs.lua", "return function(id) return { apply = function() return id end } end")
  command.write(folder .. "/script.lua", ([[
    package.path = %q .. package.path
    local c = assert(require("raft").cluster { mode = "process", machine = "differs" })
    c:propose "a command"
    c:sleep(5)]]):format(folder .. "/?.lua;"))
  local result = command.assert_code(command.run { "run", folder .. "/script.lua" }, 1)
  command.assert_has(result.err, "machines answer alike is violated")
end)

-- ---- links --------------------------------------------------------------------------------------------------

function tests.test_FaultsOfLinksWorkInTheProcesses()
  with({ nodes = 3 }, function(c)
    local leader, term = c:wait_leader()
    local others = clusters.others(c, leader)
    c:partition({ leader }, others)
    local second = c:wait_leader(10, term)
    lu.assertNotEquals(second, leader)
    assert(c:set("cut off", 1))
    lu.assertTrue(c:status(leader, "applied") < c:status(second, "applied"))
    c:heal()
    lu.assertEquals(c:check_committed({ op = "set", key = "cut off", value = 1 }, 3), 3)

    c:link(second, others[1] == second and others[2] or others[1], { drop = 1 })
    assert(c:wait_until(function() return c:stats(second).drops > 0 end))
  end)
end

-- One that starts while links are cut finds them so.
function tests.test_FaultsOfLinksHoldForANodeThatStarts()
  with({ nodes = 3 }, function(c)
    c:wait_leader()
    c:crash(1)
    c:partition({ 1 }, { 2, 3 })
    assert(c:restart(1))
    assert(c:set("without it", 1))
    clusters.wait_tried(c, 1)
    lu.assertEquals(c:status(1, "leader"), 0)
    c:heal()
    lu.assertEquals(c:check_committed({ op = "set", key = "without it", value = 1 }, 3), 3)
  end)
end

-- ---- what it cannot do --------------------------------------------------------------------------------------

function tests.test_WhatSuchAClusterCannotDo()
  with({ nodes = 2 }, function(c)
    local function unsupported(...)
      clusters.assert_refused("unsupported", ...)
    end
    unsupported(c:clock(1, { rate = 2 }))
    unsupported(c:disk(1, { sync_delay = 1 }))
    unsupported(c:intercept(function() end))
    unsupported(c:serve(1, function() end))
    unsupported(c:call(1, 2, "anything"))
    unsupported(c:step())
    unsupported(c:machine(1))
    lu.assertTrue(c:intercept(nil))
    lu.assertTrue(c:heal "all")
    lu.assertEquals(c:mode(), "process")
  end)
  local function refused(options)
    clusters.assert_refused("unsupported", raft.cluster(clusters.merge({ mode = "process" }, options)))
  end
  refused { state = { [1] = { term = 3 } } }
  refused { machine = function() end }
end

function tests.test_AModuleThatCannotBeLoadedIsToldAtTheStart()
  local c, message = raft.cluster { mode = "process", machine = "no such module" }
  lu.assertNil(c)
  lu.assertStrContains(message, "module 'no such module' not found")
end

return tests
