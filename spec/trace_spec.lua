-- The trace as scripts and files have it: JSON lines, c:events, c:on, readers, and what goes wrong.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local command = require "spec.support.command"
local raft = require "raft"
local views = require "spec.support.views"

local tests = {}

-- Everything that can happen in a run without snapshots and garbage from outside.
local function live(c)
  c:check_one_leader()
  c:note("begun")
  assert(c:set("key", "value"))
  c:link("*", "*", { drop = 0.2, duplicate = 0.2 })
  for number = 1, 5 do
    assert(c:set("key", number))
  end
  c:heal()
  local leader, term = c:check_one_leader()
  c:disconnect(leader)
  for number = 1, 3 do
    assert(c:submit(leader, "lost " .. number))
  end
  assert(c:wait_leader(nil, term))
  assert(c:propose("instead"))
  c:reconnect(leader)
  clusters.wait_level(c)
  c:crash(leader)
  assert(c:restart(leader))
  assert(c:add_servers { 4 })
  assert(c:remove_servers { 4 })
  c:check_live()
end

local KINDS = { "run", "start", "connect", "role", "vote", "send", "receive", "drop", "append", "truncate", "write",
  "sync", "match", "commit", "apply", "members", "fault", "note", "stop", "disconnect", "verdict" }

-- What every event of a kind tells, as a reader of lines relies on it.
local FIELDS = {
  run = { "text", "value" }, start = { "term", "vote", "first", "last", "value" }, connect = { "peer" },
  role = { "role", "term" }, vote = { "term", "peer", "last", "prev_term" },
  send = { "peer", "message", "number", "term" }, receive = { "peer", "message", "number", "term" },
  drop = { "peer", "number", "text" }, append = { "first", "last" }, truncate = { "first", "last" },
  write = { "sequence", "what" }, sync = { "sequence", "what" }, match = { "peer", "index" },
  commit = { "index", "prev_term" }, apply = { "index", "prev_term", "hash" }, members = { "index", "value" },
  fault = { "text", "value" }, note = { "text" }, stop = { "text" }, disconnect = { "peer", "text" },
  verdict = { "text", "value" },
}

local function is_integer(value)
  return type(value) == "number" and value == math.floor(value) and (not math.type or math.type(value) == "integer")
end

local function check_line(event)
  lu.assertTrue(is_integer(event.time) and is_integer(event.node), "time and node")
  lu.assertIsTable(FIELDS[event.kind] or event.kind == "notice" and {}, "an unexpected kind: " .. event.kind)
  for _, field in ipairs(FIELDS[event.kind] or {}) do
    -- A client's request has no message number of a node.
    lu.assertTrue(event[field] ~= nil or (field == "number" and event.message:find("^client")) or field == "peer",
      ("%s without %s"):format(event.kind, field))
  end
  for field, value in pairs(event) do
    if type(value) == "number" then
      lu.assertTrue(is_integer(value), ("%s of %s is no integer"):format(field, event.kind))
    end
  end
end

for _, mode in ipairs { "sim", "tcp" } do
  command.add(tests, "LinesOfEveryKind_" .. mode, function(folder)
    local path = folder .. "/trace"
    local seen_by_reader = {}
    clusters.with({ nodes = 3, mode = mode, trace = path, name = "everything", seed = 2 ^ 53 - 1 }, function(c)
      c:on(nil, function(event)
        seen_by_reader[#seen_by_reader + 1] = event.kind
      end)
      live(c)
    end)
    local counts, before_ns, lines = {}, 0, views.read_events(path)
    for _, event in ipairs(lines) do
      check_line(event)
      lu.assertTrue(event.time >= before_ns, "time goes back")
      before_ns = event.time
      counts[event.kind] = (counts[event.kind] or 0) + 1
    end
    for _, kind in ipairs(KINDS) do
      lu.assertNotNil(counts[kind], "no event of kind " .. kind)
    end
    lu.assertEquals({ lines[1].kind, lines[1].text, lines[1].value.mode, lines[1].value.nodes },
      { "run", "everything", mode, { 1, 2, 3 } })
    lu.assertEquals(lines[1].value.seed, 9007199254740991)
    lu.assertEquals(lines[#lines].kind, "verdict")
    lu.assertEquals(lines[#lines].value, { passed = true, message = "" })
    -- The file has the very events that a reader saw, in their order.
    local of_file = {}
    for position = #lines - #seen_by_reader + 1, #lines do
      of_file[#of_file + 1] = lines[position].kind
    end
    lu.assertEquals(table.concat(of_file, " "), table.concat(seen_by_reader, " "))
  end)

  command.add(tests, "FromTheFileToTheDiagram_" .. mode, function(folder)
    local path = folder .. "/trace"
    clusters.with({ nodes = 3, mode = mode, trace = path, name = "there and back" }, live)
    local result = command.assert_code(command.run { "view", path, "--width", "160" }, 0)
    lu.assertEquals(result.err, "")
    local count = #views.read_events(path)
    command.assert_has(result.out, ("there and back: PASSED, %d events"):format(count), "✎ begun", "LEADER",
      "stops: crash", "COMMIT", "node 4", "(joint)", "▶ disconnect", "removes", "PASSED there and back")
    local events = 0
    for _ in command.run({ "view", path, "--all", "--width", "160" }).out:gmatch("COMMIT ") do
      events = events + 1
    end
    local commits = 0
    for _, event in ipairs(views.read_events(path)) do
      commits = commits + (event.kind == "commit" and 1 or 0)
    end
    lu.assertEquals(events, commits)
  end)
end

-- Fractions, seconds and names, in the events as in the file; what is off is left out.
command.add(tests, "FaultsTellTheirArgumentsAsTheyWereGiven", function(folder)
  local path = folder .. "/trace"
  local told = { -- call, its arguments as an event has them
    { "link", { from = 1, to = 2, drop = 0.1, duplicate = 0.25, reorder = 1, delay = { 0.001, 0.0205 },
      bandwidth = 1000, cut = true } },
    { "link", { from = "*", to = "client", delay = 0.5 } },
    { "link", { from = 3, to = "*", drop = 1 / 3 } },
    { "link", { from = 3, to = 1 } },
    { "link", { from = 3, to = 2, default = true } },
    { "clock", { node = 2, rate = 1.1, offset = -0.25 } },
    { "partition", { { 3, 1 }, { 2 } } },
    { "disconnect", { 3 } },
  }
  local events
  clusters.with({ nodes = 3, mode = "sim", trace = path }, function(c)
    for _, each in ipairs(told) do
      local call, given = each[1], each[2]
      if call == "link" then
        local faults = not given.default and clusters.merge(given) or nil
        if faults then
          faults.from, faults.to = nil, nil
        end
        c:link(given.from, given.to, faults)
      elseif call == "clock" then
        c:clock(given.node, { rate = given.rate, offset = given.offset })
      else
        c[call](c, (table.unpack or unpack)(given))
      end
    end
    events = c:events { kind = "fault" }
  end)
  local from_file = {}
  for _, event in ipairs(views.read_events(path)) do
    from_file[#from_file + 1] = event.kind == "fault" and event or nil
  end
  lu.assertEquals(#events, #told)
  lu.assertEquals(#from_file, #told)
  for i, each in ipairs(told) do
    if each[2].drop == 1 / 3 then -- the next of 2^32 chances
      lu.assertAlmostEquals(events[i].arguments.drop, 1 / 3, 1e-9)
      each[2].drop = events[i].arguments.drop
    end
    lu.assertEquals({ events[i].call, events[i].arguments }, each)
    lu.assertEquals({ from_file[i].text, from_file[i].value }, each)
  end
end)

-- Another reader of JSON takes the lines, too.
command.add(tests, "LinesAreJson", function(folder)
  local cjson = require "cjson"
  local path = folder .. "/trace"
  clusters.with({ nodes = 3, mode = "sim", trace = path }, function(c)
    live(c)
    c:note("quotes \" \\ and controls \1\n\t and füße")
  end)
  local text
  for line in io.lines(path) do
    local event = cjson.decode(line)
    text = event.kind == "note" and event.text or text
  end
  lu.assertEquals(text, "quotes \" \\ and controls \1\n\t and füße")
end)

command.add(tests, "AnyBytesInANote", function(folder)
  local path = folder .. "/trace"
  local all = {}
  for byte = 0, 255 do
    all[#all + 1] = string.char(byte)
  end
  local text = table.concat(all)
  clusters.with({ nodes = 1, mode = "sim", trace = path }, function(c)
    c:note(text)
    lu.assertEquals(c:events { kind = "note" }[1].text, text)
  end)
  for _, event in ipairs(views.read_events(path)) do
    if event.kind == "note" then
      lu.assertEquals(event.text, text)
    end
  end
end)

-- Beyond 2^53 a double has only every second integer.
command.add(tests, "ExactTimes", function(folder)
  lu.skipIf(not math.type, "this Lua has no integers beyond 2^53")
  local path = folder .. "/trace"
  clusters.with({ nodes = 1, mode = "sim", election_timeout = math.huge, trace = path }, function(c)
    c:sleep(1 - c:now()) -- in steps that a double has exactly
    c:sleep(9007199)
    c:note("before")
    c:sleep(1e-9)
    c:note("after")
  end)
  local times = {}
  for line in io.lines(path) do
    if line:find('"kind":"note"', 1, true) then
      times[#times + 1] = line:match('"time":(%d+)')
    end
  end
  lu.assertEquals(times, { "9007200000000000", "9007200000000001" })
end)

-- ---- files --------------------------------------------------------------------------------------

command.add(tests, "AGivenPathHoldsOneClusterOnly", function(folder)
  local path = folder .. "/trace"
  for _, name in ipairs { "first", "second" } do
    clusters.with({ nodes = 1, mode = "sim", trace = path, name = name }, function(c)
      c:check_one_leader()
    end)
  end
  local names = {}
  for _, event in ipairs(views.read_events(path)) do
    names[#names + 1] = event.kind == "run" and event.text or nil
  end
  lu.assertEquals(names, { "second" })
end)

command.add(tests, "ANameIsWrittenWhole", function(folder)
  local path, name = folder .. "/trace", ("a test of some name "):rep(20)
  clusters.with({ nodes = 1, mode = "sim", trace = path, name = name }, function(c)
    lu.assertEquals(c:events({ kind = "run" })[1].name, name)
  end)
  lu.assertEquals(views.read_events(path)[1].text, name)
end)

command.add(tests, "TheSameSeedWritesTheSameBytes", function(folder)
  for number = 1, 3 do
    clusters.with({ nodes = 3, mode = "sim", seed = number == 3 and 8 or 7, trace = folder .. "/" .. number }, live)
  end
  local first = command.read(folder .. "/1")
  lu.assertTrue(first == command.read(folder .. "/2"))
  lu.assertFalse(first == command.read(folder .. "/3"))
end)

command.add(tests, "PathsThatCannotBeWritten", function(folder)
  for _, mode in ipairs { "sim", "tcp" } do
    for path, words in pairs { [folder .. "/no/where"] = "No such file", [folder] = "Is a directory" } do
      local message = clusters.assert_refused("storage", raft.cluster { mode = mode, trace = path })
      command.assert_has(message, path, words)
    end
  end
  clusters.assert_raises(function()
    raft.cluster { trace = 5 }
  end, "'trace'", "trace_spec.lua")
end)

function tests.test_AFullDiskIsToldAtShutdown()
  local c = raft.cluster { mode = "sim", nodes = 3, trace = "/dev/full" }
  c:sleep(2) -- the run itself goes on
  c:check_one_leader()
  local message = clusters.assert_refused("storage", c:shutdown())
  lu.assertStrContains(message, "No space left")
  lu.assertTrue(c:shutdown())
end

-- ---- c:events -----------------------------------------------------------------------------------

clusters.in_both(tests, "Filters", { nodes = 3 }, function(c)
  local leader, term = c:check_one_leader()
  assert(c:set("key", 1))
  local all = c:events()
  lu.assertEquals(all[1].kind, "run")
  local function by_hand(matches)
    local list = {}
    for _, event in ipairs(all) do
      if matches(event) then
        list[#list + 1] = event
      end
    end
    lu.assertTrue(#list > 0)
    return list
  end
  lu.assertEquals(c:events { kind = "commit" }, by_hand(function(event) return event.kind == "commit" end))
  lu.assertEquals(c:events { node = leader }, by_hand(function(event) return event.node == leader end))
  lu.assertEquals(c:events { kind = "send", node = leader, message = "append" }, by_hand(function(event)
    return event.kind == "send" and event.node == leader and event.message == "append"
  end))
  local function to_leader(event) return event.peer == leader end
  lu.assertEquals(c:events(to_leader), by_hand(to_leader))
  lu.assertEquals(c:events { kind = "role", role = "leader", term = term }[1].node, leader)
  lu.assertEquals(c:events { kind = "commit", index = 1e9 }, {})
end)

clusters.add(tests, "WrongFilters", { nodes = 1 }, function(c)
  for _, wrong in ipairs { "commit", 5, true } do
    clusters.assert_raises(function() c:events(wrong) end, "'filter'", "trace_spec.lua")
  end
  clusters.assert_raises(function() c:events { kind = "comit" } end, "comit", "trace_spec.lua")
  clusters.assert_raises(function() c:on({ kind = "comit" }, print) end, "comit")
  clusters.assert_raises(function() c:on({ kind = "commit" }) end, "'f'")
  clusters.assert_raises(function() c:wait_event { kind = "comit" } end, "comit")
end)

clusters.in_both(tests, "FieldsOfTheirOwn", { nodes = 3 }, function(c)
  local leader = c:check_one_leader()
  c:note("a note")
  c:crash(leader)
  local voted = c:events { kind = "vote", node = leader }[1]
  lu.assertEquals(voted.candidate, leader)
  lu.assertEquals(c:events({ kind = "note" })[1].text, "a note")
  lu.assertEquals(c:events({ kind = "stop" })[1].reason, "crash")
  local fault = c:events({ kind = "fault" })[1]
  lu.assertEquals({ fault.call, fault.arguments }, { "crash", { leader } })
  lu.assertEquals(c:events({ kind = "start" })[1].members.voters, { 1, 2, 3 })
  for _, event in ipairs(c:events { kind = "write" }) do
    clusters.assert_one_of(event.what, { "state", "entries", "state entries" })
  end
  local now = c:now()
  for _, event in ipairs(c:events()) do
    lu.assertTrue(event.time >= 0 and event.time <= now)
  end
end)

-- The ring holds the latest, while it grows and when it is full, and never more than it was told to.
for _, keep in ipairs { 1, 100, 300 } do
  clusters.add(tests, "TheRingIsBoundedAt" .. keep, { nodes = 3, mode = "sim", keep_events = keep }, function(c)
    local seen = c:events()
    c:on(nil, function(event)
      seen[#seen + 1] = event
    end)
    while #seen <= 2 * keep + 100 do
      c:sleep(0.03)
      local kept = c:events()
      lu.assertEquals(#kept, math.min(keep, #seen))
      for position = 1, #kept do
        lu.assertEquals(kept[position], seen[#seen - #kept + position])
      end
    end
  end)
end

clusters.add(tests, "NothingIsKept", { nodes = 3, mode = "sim", keep_events = 0 }, function(c)
  c:check_one_leader()
  lu.assertEquals(c:events(), {})
  assert(c:wait_event { kind = "send" }) -- waits do without
end)

function tests.test_WhatIsKeptChangesNoRun()
  local hashes = {}
  for position, keep in ipairs { 0, 10, 100000 } do
    clusters.with({ nodes = 3, mode = "sim", seed = 4, keep_events = keep }, function(c)
      live(c)
      hashes[position] = c:trace_hash()
    end)
  end
  lu.assertEquals(hashes[1], hashes[3])
  lu.assertEquals(hashes[2], hashes[3])
end

-- ---- c:on and a function as trace ---------------------------------------------------------------

clusters.in_both(tests, "OnIsCalledInOrderUntilItIsEnded", { nodes = 3 }, function(c)
  local heard, commits = {}, 0
  local stop = c:on({ kind = "note" }, function(event)
    heard[#heard + 1] = event.text
  end)
  c:on(function(event) return event.kind == "commit" end, function()
    commits = commits + 1
  end)
  c:note("one")
  c:note("two")
  assert(c:set("key", 1))
  lu.assertEquals(commits, #c:events { kind = "commit" })
  lu.assertTrue(commits > 0)
  stop()
  stop() -- twice is fine
  c:note("three")
  lu.assertEquals(heard, { "one", "two" })
end)

clusters.in_both(tests, "OnMayCallFaults", { nodes = 3 }, function(c)
  local crashed
  local stop = c:on({ kind = "role", role = "leader" }, function(event)
    if not crashed then
      crashed = event.node
      c:crash(crashed)
    end
  end)
  local leader = assert(c:wait_leader())
  stop()
  lu.assertNotNil(crashed)
  lu.assertNotEquals(leader, crashed)
  lu.assertFalse(c:is_alive(crashed))
end)

for _, mode in ipairs { "sim", "tcp" } do
  tests["test_AFunctionAsTrace_" .. mode] = function()
    local seen = {}
    local kept
    clusters.with({ nodes = 3, mode = mode, trace = function(event)
      seen[#seen + 1] = event
    end }, function(c)
      c:check_one_leader()
      c:note("mine")
      kept = c:events()
    end)
    for position = 1, #kept do
      lu.assertEquals(seen[position], kept[position])
    end
    lu.assertEquals(seen[1].kind, "run")
    lu.assertEquals(seen[#seen].kind, "verdict")
  end
end

clusters.add(tests, "AnErrorInAReaderIsRaised", { nodes = 1 }, function(c)
  c:on({ kind = "role" }, function()
    error("of the reader")
  end)
  clusters.assert_raises(function()
    c:sleep(1)
  end, "of the reader", "trace_spec.lua")
end)

-- ---- callbacks that cause themselves ----------------------------------------------------------------

clusters.in_both(tests, "ACallbackOfAFaultThatACallbackAskedForCannotWait", { nodes = 3 }, function(c)
  c:check_one_leader()
  local problem
  c:on({ kind = "commit" }, function()
    c:heal()
  end)
  c:on({ kind = "fault" }, function()
    problem = problem or select(2, pcall(c.sleep, c, 0.01))
  end)
  assert(c:set("key", 1))
  lu.assertStrContains(problem, "sleep waits, which cannot be done from a callback")
end)

clusters.in_both(tests, "ACallbackThatCausesItselfIsNamed", { nodes = 3 }, function(c)
  c:check_one_leader()
  local calls = 0
  c:on({ kind = "fault" }, function()
    calls = calls + 1
    c:heal()
  end)
  clusters.assert_raises(function()
    c:heal()
    c:sleep(0.1)
  end, "this callback has caused itself 1000 times in a row", "trace_spec.lua")
  lu.assertTrue(calls <= 1001)
end)

clusters.in_both(tests, "AReaderThatEmitsWhatItReadsIsNamed", { nodes = 3 }, function(c)
  local calls = 0
  c:on({ kind = "note" }, function()
    calls = calls + 1
    c:note("again")
  end)
  clusters.assert_raises(function()
    c:note("once")
  end, "this callback has caused itself 10000 times in a row", "trace_spec.lua")
  lu.assertTrue(calls <= 10001)
end)

clusters.in_both(tests, "ManyFaultsFromCallbacksAreNoChain", { nodes = 3 }, function(c)
  c:check_one_leader()
  local count = 0
  c:on({ kind = "apply" }, function()
    for _ = 1, 50 do
      c:heal()
      count = count + 1
    end
  end)
  for number = 1, 20 do
    assert(c:set("key", number))
  end
  c:heal()
  lu.assertTrue(count > 2000)
end)

return tests
