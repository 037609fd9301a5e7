-- c:script: what was done to a cluster as a script that does it again, in "sim" to the same trace.
local lu = require "luaunit"
local some_calls = require "spec.support.calls"
local clusters = require "spec.support.clusters"
local command = require "spec.support.command"
local open = require "raft.open"
local raft = require "raft"

local tests = {}

local load_text = loadstring or load -- luacheck: ignore 113

-- Runs a script in this process: what it printed. (Its cluster may have been collected by then.)
local function output_of(text, c)
  local lines, kept = {}, print
  print = function(line) lines[#lines + 1] = tostring(line) end -- luacheck: ignore 121
  local fine, problem = pcall(assert(load_text(text, "=script")))
  print = kept -- luacheck: ignore 121
  local latest = open.latest() -- asked once: it may be collected at any time
  if latest ~= c then
    latest:shutdown()
  end
  assert(fine, problem)
  return table.concat(lines, "\n")
end

-- f(c), then its script gives the same trace: that script.
local function assert_same(options, f)
  return clusters.with(clusters.merge({ mode = "sim", nodes = 5 }, options), function(c)
    f(c)
    local text, refused = c:script()
    lu.assertEquals(refused, {})
    lu.assertEquals(output_of(text, c), c:trace_hash())
    return text
  end)
end

function tests.test_RandomRunsGiveTheSameTrace()
  for seed = 1, clusters.seed_count() do
    assert_same({ seed = seed }, function(c) some_calls.some(c, 30) end)
  end
end

function tests.test_MembersChange()
  assert_same({}, function(c)
    c:add_servers { 6, 7 }
    c:remove_servers({ 1, 2 }, { stop = false })
    c:add_learners({ 8 }, { wait = false })
    c:sleep(1)
    c:promote { 8 }
    c:change_members { voters = { 4, 5, 6 } }
  end)
end

function tests.test_FunctionsAreReadFromTheirFile()
  local text = assert_same({ machine = function() return { apply = function(command_) return { command_ } end } end },
    function(c)
      local stop = c:on({ kind = "role", role = "leader" }, function(event)
        if event.term < 3 then c:crash(event.node) end
      end)
      c:sleep(2)
      stop()
      c:wait_until(function() return c:leader() ~= nil end, 3)
      local client = c:client(function()
        for i = 1, 3 do
          c:propose("client " .. i) -- the end
        end
        return "function end"
      end)
      c:propose(raft.null)
      lu.assertEquals({ client:wait() }, { true, "function end" })
    end)
  command.assert_has(text, "machine = function() return { apply = function(command_) return { command_ } end } end",
    'c:propose("client " .. i) -- the end', ":wait()")
end

function tests.test_WhatAClientDoesInACoroutineOfItsOwnIsNotKept()
  local text = assert_same({ nodes = 3 }, function(c)
    c:wait_leader()
    local client = c:client(function()
      c:sleep(0.1)
      coroutine.wrap(function() c:disconnect(2) end)()
    end)
    client:wait()
  end)
  lu.assertNil(text:find("\nc:disconnect", 1, true))
end

function tests.test_MessagesThatWereHeld()
  assert_same({ nodes = 3 }, function(c)
    c:wait_leader()
    c:intercept(function(message) if message.kind == "append" then return "hold" end end)
    c:sleep(0.1)
    c:intercept(nil)
    local held = c:held()
    held[2]:deliver()
    held[1]:drop()
    held[2]:deliver()
    c:sleep(0.1)
  end)
end

function tests.test_WhatCannotBeWrittenIsNamed()
  clusters.with({ mode = "sim", nodes = 3 }, function(c)
    local count = 0
    c:on({ kind = "commit" }, function() count = count + 1 end)
    c:wait_until(function() return count > 0 end)
    local text, refused = c:script()
    lu.assertEquals(#refused, 2)
    command.assert_match(refused[1], "^c:on: the function of .*script_spec%.lua:%d+ uses the local 'count'$")
    command.assert_match(refused[2], "^c:wait_until: .* uses the local 'count'$")
    command.assert_has(text, "-- cannot be written: " .. refused[1])
    output_of(text, c) -- the rest still runs
  end)
end

function tests.test_CallsThatOtherCallsMakeAreNotThere()
  local text = assert_same({ nodes = 3, seed = 2 }, function(c)
    c:check_live()
    c:status()
    c:leader()
    c:crash(c:leader())
  end)
  local calls = {}
  for call in text:gmatch "\n(c:[^\n]*)" do
    calls[#calls + 1] = call
  end
  lu.assertEquals(#calls, 2)
  lu.assertEquals(calls[1], "c:check_live()")
  command.assert_match(calls[2], "^c:crash%(%d%) %-%- the leader$")
end

function tests.test_OptionsAreWritten()
  local text = assert_same({
    nodes = { 2, 4, 6 }, seed = 77, name = "with \"quotes\"", pre_vote = false, election_timeout = { 0.2, 0.35 },
    link = { delay = 0.002, drop = 0.05 }, state = { [4] = { term = 3, log = { 1, { 3, { op = "noop" } } } } },
  }, function(c)
    c:wait_leader()
  end)
  command.assert_has(text, 'name = "with \\"quotes\\""', "seed = 77", "election_timeout = { 0.2, 0.35 }")
end

-- Waiting by asking again and again has no end of its own.
function tests.test_WhatRepeatsIsALoop()
  local text = assert_same({ nodes = 3, keep_events = 10 }, function(c)
    local polls = 0
    repeat
      c:sleep(0.00001)
      polls = polls + 1
    until c:leader() and polls > 20000
    c:set("k", 1)
    for _ = 1, 4 do
      c:set("k", { a = { 1 } })
      c:get "k"
      c:sleep(0.01)
    end
    c:set("k", 2)
    c:crash(c:leader())
    c:sleep(1)
    c:sleep(1)
    c:restart "all"
  end)
  command.assert_has(text, "for _ = 1, 20", "do\n  c:sleep(1e-05)\nend",
    'for _ = 1, 4 do\n  c:set("k", { a = { 1 } })\n  c:get("k")\n  c:sleep(0.01)\nend\nc:set("k", 2)',
    "\nc:sleep(1)\nc:sleep(1)\n")
end

-- A record has no end, and what repeats in it takes no room: loops of loops too.
function tests.test_WithoutEnd()
  local text = assert_same({ nodes = 1, election_timeout = math.huge, keep_events = 10 }, function(c)
    for number = 1, 20001 do
      c:random(number)
    end
    for _ = 1, 200 do
      c:note "begin"
      for _ = 1, 20 do
        c:sleep(0.00001)
      end
      c:note "end"
    end
    lu.assertTrue(#c.recording.calls < 100)
  end)
  command.assert_has(text, "c:random(20001)\nfor _ = 1, 200 do\n  c:note(\"begin\")\n  for _ = 1, 20 do\n"
    .. "    c:sleep(1e-05)\n  end\n  c:note(\"end\")\nend")
end

command.add(tests, "InAFileAndFromTheShell", function(folder)
  local path = folder .. "/saved.lua"
  local session = command.run { "shell", "--mode", "sim", "--nodes", "5", "--seed", "11", input = table.concat({
    "id = c:wait_leader()", "c:crash(id)", "c:on({ kind = 'note' }, function(event)", "  c:disconnect(3)", "end)",
    "c:note 'cut'", "c:sleep(1)", "c:set('k', 1) ~= nil", ":save " .. path, "c:trace_hash()" }, "\n") .. "\n" }
  command.assert_code(session, 0)
  local hash = session.out:match '"(%x+)"\n$'
  local replay = command.run { "run", path }
  command.assert_code(replay, 0)
  lu.assertEquals(replay.out, hash .. "\n")
end)

command.add(tests, "ALongSessionIsSavedWhole", function(folder)
  local path = folder .. "/saved.lua"
  local session = command.run { "shell", "--mode", "sim", "--nodes", "3", input = table.concat({
    "for i = 1, 6000 do c:random(i) end", "for i = 1, 6000 do c:sleep(0.001) end", ":save " .. path,
    "c:trace_hash()" }, "\n") .. "\n" }
  command.assert_code(session, 0)
  local replay = command.assert_code(command.run { "run", path }, 0)
  lu.assertEquals(replay.out, session.out:match '"(%x+)"\n$' .. "\n")
end)

command.add(tests, "TimeThatPassedOverTcpIsThere", function(folder)
  local path = folder .. "/saved.lua"
  clusters.with({ mode = "tcp", nodes = 3 }, function(c)
    c:wait_leader()
    raft.core.set_free_running(c.core, true) -- as a prompt does
    local before = c:now()
    c:wait_until(function() return c:now() > before + 0.05 end)
    os.execute "sleep 0.1"
    raft.core.set_free_running(c.core, false)
    c:crash(1)
    lu.assertEquals(c:script(path), path)
  end)
  local text = command.read(path)
  local slept = tonumber(text:match "c:sleep%(([%d%.]+)%)\nc:crash%(1%)")
  lu.assertTrue(slept >= 0.1 and slept < 5)
end)

function tests.test_ACallOfALoopThatRaisesStandsAlone()
  local text = assert_same({ nodes = 1 }, function(c)
    c:after(0.055, function() error("too late", 0) end)
    lu.assertFalse((pcall(function()
      for _ = 1, 100 do
        c:sleep(0.01)
      end
    end)))
    c:sleep(0.01)
  end)
  command.assert_has(text, "for _ = 1, 5 do\n  c:sleep(0.01)\nend\npcall(c.sleep, c, 0.01) -- raised an error\n"
    .. "c:sleep(0.01)")
end

return tests
