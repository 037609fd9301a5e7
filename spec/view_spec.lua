-- `raftbench view` and c:view(): the timing diagram.
local lu = require "luaunit"
local display = require "raft.view.display"
local command = require "spec.support.command"
local raft = require "raft"
local views = require "spec.support.views"

local tests = {}

-- ---- one small trace, to the letter -------------------------------------------------------------

local small_drawn = [[
┌────────────────────────────────────────────────────────┐
│ small: PASSED, 13 events                               │
│ mode sim, seed 7, 1.501400 s                           │
│ ♥ heartbeats folded; writes, syncs and matches left    │
│ out (--all shows each)                                 │
├──────────┬──────────────────────┬──────────────────────┤
│     time │ node 1               │ node 2               │
├──────────┼──────────────────────┼──────────────────────┤
│ 0.000000 │ starts t0            │ starts t3 log 1..9   │
│ 1.500000 │ LEADER t4            │                      │
│          │ appends 1..3 t4      │                      │
│          │ → 2 append 1..3 t4   │                      │
│ 1.501235 │                      │ ← 1 append 1..3 t4   │
│ 1.501300 │ ▶ crash(1)                                  │
│ 1.501300 │ stops: crash         │                      │
│          │ ✗ 2 lost: cut        │                      │
├──────────┴──────────────────────┴──────────────────────┤
│ PASSED small                                           │
└────────────────────────────────────────────────────────┘
1 run: 1 passed, 0 failed
]]

local small_listed = [[
┌────────────────────────────────┐
│ small: PASSED, 13 events       │
│ mode sim, seed 7, 1.501400 s   │
├──────────┬──────┬──────────────┤
│     time │ node │ what         │
├──────────┼──────┼──────────────┤
│ 0.000000 │ 1    │ starts t0    │
│ 0.000000 │ 2    │ starts t3    │
│          │      │ log 1..9     │
│ 1.500000 │ 1    │ LEADER t4    │
│          │      │ adds 1..3 t4 │
│          │      │ writes 1..3  │
│          │      │ → 2 append   │
│          │      │ 1..3 t4      │
│ 1.501235 │ 2    │ ← 1 append   │
│          │      │ 1..3 t4      │
│ 1.501300 │ ▶ crash(1)          │
│ 1.501300 │ 1    │ stops: crash │
│          │      │ ✗ 2 lost:    │
│          │      │ cut          │
├──────────┴──────┴──────────────┤
│ PASSED small                   │
└────────────────────────────────┘
1 run: 1 passed, 0 failed
]]

command.add(tests, "ASmallTrace", function(folder)
  local path = command.write(folder .. "/trace", table.concat(views.small, "\n") .. "\n")
  lu.assertEquals(views.show(path, "--width", "58"), small_drawn)
  lu.assertEquals(views.show(path, "--as", "table", "--width", "58"), small_drawn)
end)

command.add(tests, "WhereColumnsWouldBeTooNarrowNodesShareOne", function(folder)
  local text = table.concat(views.small, "\n"):gsub("%[1,2%]", "[1,2,3]")
  local path = command.write(folder .. "/trace", text)
  lu.assertEquals(views.show(path, "--width", "34", "--all"), small_listed)
end)

-- ---- one table for each run ---------------------------------------------------------------------

local three_tests = [[
local lu = require "luaunit"
local raft = require "raft"
local tests = {}
function tests.test_1_passes()
  raft.cluster { nodes = 2 }:check_one_leader()
end
function tests.test_2_fails()
  local c = raft.cluster { nodes = 3 }
  c:check_one_leader()
  lu.assertEquals(1, 2)
end
function tests.test_3_passes()
  local c = raft.cluster { nodes = 1 }
  c:set("key", 1)
end
return tests
]]

-- What each table says of itself: {name, verdict, number of events, what its last line says}.
local function tables_of(text)
  local list, before = {}, ""
  for line in text:gmatch("[^\n]+") do
    local words = line:match("^│ (.-)%s*│$")
    if before:find("^┌") then
      list[#list + 1] = { words:match("^(.-): (%u[%u ]+), (%d+) events$") }
    elseif before:find("^├.*┴") then
      list[#list][4] = words
    end
    before = line
  end
  return list
end

command.add(tests, "OneTableForEachTest", function(folder)
  local spec = command.write(folder .. "/three_spec.lua", three_tests)
  local trace = folder .. "/trace"
  for _, jobs in ipairs { "1", "2" } do
    command.assert_code(command.run { "test", spec, "--trace", trace, "--jobs", jobs }, 1)
    local counts, number = {}, 0
    for line in io.lines(trace) do
      number = line:find('"kind":"run"', 1, true) and number + 1 or number
      counts[number] = (counts[number] or 0) + 1
    end
    local text, lines = views.show(trace, "--width", "100")
    lu.assertEquals(tables_of(text), {
      { "three.test_1_passes", "PASSED", tostring(counts[1]), "PASSED three.test_1_passes" },
      { "three.test_2_fails", "FAILED", tostring(counts[2]),
        ("FAILED three.test_2_fails: %s:10: expected: 2, actual: 1"):format(spec) },
      { "three.test_3_passes", "PASSED", tostring(counts[3]), "PASSED three.test_3_passes" },
    })
    lu.assertEquals({ lines[#lines - 1], lines[#lines] },
      { "3 runs: 2 passed, 1 failed", "  three.test_2_fails" })
  end
end)

command.add(tests, "ATraceThatEndsEarlyHasNoVerdict", function(folder)
  local path = folder .. "/trace"
  local count = views.record(path, { nodes = 3, name = "cut short" }, function(c)
    c:check_one_leader()
  end)
  local lines = command.lines(command.read(path))
  command.write(path, table.concat(lines, "\n", 1, count - 1) .. "\n")
  local text, shown = views.show(path, "--width", "80")
  lu.assertEquals(tables_of(text), {
    { "cut short", "NO VERDICT", tostring(count - 1), "NO VERDICT cut short: the trace ends before its run did" },
  })
  lu.assertEquals({ shown[#shown - 1], shown[#shown] },
    { "1 run: 0 passed, 0 failed, 1 without a verdict", "  cut short (no verdict)" })
end)

command.add(tests, "AViolationIsShownAndFails", function(folder)
  local path = folder .. "/trace"
  local c = raft.cluster { mode = "sim", nodes = 3, trace = path, machine = function(id)
    return { apply = function() return id end }
  end }
  local fine = pcall(function()
    c:propose(1)
    c:sleep(1)
  end)
  c:shutdown()
  lu.assertFalse(fine)
  local text, lines = views.show(path, "--width", "100")
  lu.assertEquals(tables_of(text)[1][2], "FAILED")
  command.assert_has(text, "‼ VIOLATION of ")
  lu.assertEquals(lines[#lines - 1], "1 run: 0 passed, 1 failed")
  -- Nor does it need a verdict for that.
  command.write(path, (command.read(path):gsub('[^\n]*"kind":"verdict"[^\n]*\n', "")))
  lu.assertEquals(tables_of((views.show(path)))[1][2], "FAILED")
end)

-- ---- what cannot be read ------------------------------------------------------------------------

command.add(tests, "LinesThatCannotBeReadAreToldOnceAndTheRestIsDrawn", function(folder)
  local lines = {}
  for position, line in ipairs(views.small) do
    lines[position] = line
  end
  for _, odd in ipairs {
    "{", "null", "[]", '{"time":1,"node":1}', '{"time":"soon","node":1,"kind":"stop"}', '{"time":1,"node":1,"kind":7}',
    '{"time":1,"node":"x","kind":"stop"}', '{"time":1.5,"node":1,"kind":"stop"}',
    '{"time":1,"node":1,"kind":"append","first":"a","last":{}}',
  } do
    table.insert(lines, 5, odd)
  end
  table.insert(lines, 5, "")
  local path = command.write(folder .. "/trace", table.concat(lines, "\n") .. "\n\0\1\255")
  local result = command.assert_code(views.view(path, "--width", "58"), 0)
  lu.assertEquals(result.out, small_drawn)
  local count = rawget(_G, "jit") and 9 or 10 -- LuaJIT reads a line that begins with a zero byte as an empty one
  lu.assertEquals(result.err, ("raftbench: %s: %d lines cannot be read; the first is line 6: its first is not a whole "
    .. "number\n"):format(path, count))
end)

command.add(tests, "OneSuchLine", function(folder)
  local path = command.write(folder .. "/trace", views.small[1] .. "\nnonsense\n" .. views.small[13])
  local result = command.assert_code(views.view(path), 0)
  command.assert_match(result.err, "^raftbench: [^\n]+: line 2 cannot be read: [^\n]+\n$")
end)

command.add(tests, "WhatIsNoTrace", function(folder)
  local text = command.write(folder .. "/text", "dear diary\ntoday nothing\n")
  local zipped = command.write(folder .. "/trace.gz", "\31\139\8\0rest")
  command.assert_has(command.assert_code(views.view(text), 3).err,
    "2 lines cannot be read; the first is line 1: ", "there is no event in it: it is neither JSON lines, as --trace "
    .. "writes them, nor a log of lines `time [id] message`; --lines names another form\n")
  lu.assertEquals(command.assert_code(views.view(zipped), 3).err, ("raftbench: %s: it is compressed; gzip -dc %s | "
    .. "raftbench view - shows it\n"):format(zipped, zipped))
end)

-- Whatever the fields of a line hold, the rest is drawn and nobody sees a Lua error.
command.add(tests, "AnyFieldsOfAnyKind", function(folder)
  local values = { "null", "true", "-1", "1.5", "1e300", '""', '"x"', "[]", "{}", '[[["a"]]]',
    '"18446744073709551615"' }
  local fields = { "time", "node", "peer", "term", "index", "first", "last", "entries", "message", "role", "text",
    "value", "what", "number", "prev_index", "reject", "vote" }
  local kinds = { "run", "start", "stop", "role", "vote", "send", "receive", "drop", "append", "truncate", "write",
    "sync", "match", "commit", "apply", "snapshot", "install", "restore", "members", "connect", "disconnect", "client",
    "fault", "notice", "note", "violation", "verdict", "unheard_of" }
  local lines = { views.small[1] }
  for _, kind in ipairs(kinds) do
    for _, field in ipairs(fields) do
      for _, value in ipairs(values) do
        lines[#lines + 1] = ('{"time":5,"node":1,"kind":"%s","%s":%s}'):format(kind, field, value)
      end
    end
  end
  for _, call in ipairs { "link", "clock", "partition", "crash" } do
    for _, value in ipairs { "null", "1", "{}", "[]", "[1]", "[1,2]", "[1,2,3]", '[1,"x",3]', "[1,2,1,1,1,1,1,1,1]",
      '{"from":1}', '{"from":[],"to":{},"drop":"x","delay":[[]]}', '{"from":1,"to":2,"default":[]}', '{"node":{}}',
      '{"node":1,"rate":"x","offset":[1]}', "[[1,1],[1]]", '[["a",{}],[]]' } do
      lines[#lines + 1] = ('{"time":5,"node":0,"kind":"fault","text":"%s","value":%s}'):format(call, value)
    end
  end
  local path = command.write(folder .. "/trace", table.concat(lines, "\n"))
  for _, all in ipairs { "--width=70", "--all" } do
    local result = command.assert_code(views.view(path, all), 0)
    command.assert_lacks(result.err, "attempt to", ".lua")
    views.check_fit(result.out, 80)
  end
  for _, form in ipairs { "svg", "shiviz", "perfetto" } do
    local result = command.assert_code(views.view(path, "--as", form), 0)
    command.assert_lacks(result.err, "attempt to", ".lua")
  end
end)

command.add(tests, "ExactIntegers", function(folder)
  lu.skipIf(not math.type, "this Lua has no integers beyond 2^53")
  local path = command.write(folder .. "/trace", table.concat({ views.small[1],
    '{"time":1,"node":1,"kind":"commit","index":9007199254740993}',
    '{"time":1,"node":2,"kind":"fault","text":"submit","value":[9007199254740995]}' }, "\n"))
  command.assert_has(views.show(path, "--width", "80"), "COMMIT 9007199254740993", "submit(9007199254740995)")
end)

command.add(tests, "FaultsAreShownAsAScriptWritesThem", function(folder)
  local path = folder .. "/trace"
  views.record(path, { nodes = 5 }, function(c)
    c:link(1, 2, { drop = 0.25, duplicate = 0.1, reorder = 1, delay = { 0.010, 0.0205 }, bandwidth = 1000, cut = true })
    c:link("*", "client", { delay = 0.5 })
    c:link("*", "client", nil)
    c:partition({ 1, 3 }, { 2, 5, 4 })
    c:clock(2, { rate = 1.1, offset = -0.25 })
    c:disconnect(4)
    c:heal()
  end)
  command.assert_has(views.show(path, "--width", "140"),
    "▶ link(1, 2, {cut=true, drop=0.25, delay={0.01, 0.0205}, reorder=1, bandwidth=1000, duplicate=0.1}) ",
    '▶ link("*", "client", {delay=0.5}) ', '▶ link("*", "client", nil) ', "▶ partition({1, 3}, {2, 5, 4}) ",
    "▶ clock(2, {rate=1.1, offset=-0.25}) ", "▶ disconnect(4) ", "▶ heal() ")
end)

command.add(tests, "EmptyAndMissingFiles", function(folder)
  local empty = command.write(folder .. "/empty", "")
  local blank = command.write(folder .. "/blank", "\n\n")
  for path, words in pairs {
    [empty] = "there is no event in it", [blank] = "there is no event in it", [folder .. "/none"] = "No such file",
    [folder] = "Is a directory",
  } do
    local result = command.assert_code(views.view(path), 3)
    lu.assertEquals(result.out, "")
    command.assert_has(result.err, "raftbench: ", path, words)
    lu.assertEquals(#command.lines(result.err), 1)
  end
end)

command.add(tests, "FromStandardInputAndToAFile", function(folder)
  local text = table.concat(views.small, "\n")
  local from_input = command.assert_code(command.run { "view", "-", "--width", "58", input = text }, 0)
  lu.assertEquals(from_input.out, small_drawn)
  local path, output = command.write(folder .. "/trace", text), folder .. "/drawn"
  lu.assertEquals(views.show(path, "--width", "58", "-o", output), "")
  lu.assertEquals(command.read(output), small_drawn)
  command.assert_has(command.assert_code(views.view(path, "-o", folder .. "/no/where"), 3).err, "No such file")
  command.assert_has(command.assert_code(views.view(path, "-o", "/dev/full"), 3).err, "No space left")
  command.assert_has(command.assert_code(views.view(path, "-o", output .. ".pdf"), 2).err, "no form has this ending",
    ".html")
  lu.assertNil(io.open(output .. ".pdf"))
end)

function tests.test_WrongUsage()
  for _, words in ipairs { { "view" }, { "view", "a", "b" }, { "view", "a", "--as", "song" },
    { "view", "a", "--width", "0" }, { "view", "a", "--width", "wide" } } do
    command.assert_has(command.assert_code(command.run(words), 2).err, "raftbench view --help")
  end
end

-- ---- many events --------------------------------------------------------------------------------

command.add(tests, "TenThousandEvents", function(folder)
  local path = folder .. "/trace"
  local count = views.record(path, { nodes = 5 }, function(c)
    c:check_one_leader()
    c:link("*", "*", { drop = 0.1, delay = { 0.001, 0.010 } })
    for number = 1, 200 do
      assert(c:set("key" .. number, number))
    end
  end)
  lu.assertTrue(count > 8000, count .. " events")
  local started_ns = raft.core.clock_ns()
  local text, lines = views.show(path, "--width", "120")
  local took_s = (raft.core.clock_ns() - started_ns) / 1e9
  lu.assertTrue(took_s < 10, ("it took %.1f s"):format(took_s)) -- 0.2 s on two cores
  views.check_fit(text, 120)
  lu.assertTrue(#lines < count)
  -- Whoever looks at any part of it sees whose columns these are.
  local since = 0
  for _, line in ipairs(lines) do
    since = line:find("^│     time │ node 1 ") and 0 or since + 1
    lu.assertTrue(since < 70, "no titles for 70 lines")
  end
end)

-- ---- c:view -------------------------------------------------------------------------------------

command.add(tests, "OfARunningCluster", function(folder)
  for _, mode in ipairs { "sim", "tcp" } do
    local c = raft.cluster { mode = mode, nodes = 3, name = "so far" }
    local leader = c:check_one_leader()
    c:note("half way")
    local text = c:view()
    lu.assertEquals(c:view("table"), text) -- it changes nothing
    local path = folder .. "/drawn"
    lu.assertEquals(c:view("table", path), path)
    lu.assertEquals(command.read(path), text)
    local head = tables_of(text)
    lu.assertEquals({ head[1][1], head[1][2], #head }, { "so far", "NO VERDICT", 1 })
    lu.assertEquals(tonumber(head[1][3]), #c:events())
    command.assert_has(text, "│ node 1", "│ node 3", "LEADER", "✎ half way")
    c:crash(leader)
    command.assert_has(c:view(), "stops: crash")
    c:shutdown()
  end
end)

command.add(tests, "WrongArgumentsAndAFileThatCannotBeWritten", function(folder)
  local c = raft.cluster { mode = "sim", nodes = 1 }
  lu.assertErrorMsgContains("'as'", c.view, c, "song")
  lu.assertErrorMsgContains("'path'", c.view, c, "table", 7)
  local value, message, code = c:view("table", folder .. "/no/where")
  lu.assertNil(value)
  lu.assertEquals(code, "storage")
  lu.assertStrContains(message, folder .. "/no/where")
  c:shutdown()
end)

command.add(tests, "OnlyWhatIsRemembered", function()
  local c = raft.cluster { mode = "sim", nodes = 3, name = "", keep_events = 60 }
  c:check_one_leader()
  c:sleep(1)
  c:note("last")
  local text = c:view()
  command.assert_has(text, "run: NO VERDICT, 60 events", "✎ last")
  command.assert_lacks(text, "starts")
  c:shutdown()
end)

function tests.test_AViewOfAPart()
  local c = raft.cluster { nodes = 3 }
  local leader = c:check_one_leader()
  local elected = c:now()
  assert(c:set("key", 1))
  c:crash(leader)
  local text = c:view("table", nil, { to = elected, kinds = { "role" }, nodes = { leader }, width = 60 })
  command.assert_has(text, "LEADER t1", ("node %d"):format(leader), "shown: 3 of them")
  command.assert_lacks(text, "crash", "appends", ("node %d"):format(leader % 3 + 1))
  lu.assertTrue(display.width(text:match "[^\n]*") <= 60)
  command.assert_has(c:view("table", nil, { from = elected }), "crash")
  command.assert_lacks(c:view("table", nil, { from = elected }), "LEADER t1")
  for problem, options in pairs { ["options.from"] = { from = "x" }, ["options.nodes"] = { nodes = { 0 } },
    ["options.kinds"] = { kinds = { "role", "song" } }, ["options.width"] = { width = 0.5 },
    ["'colour'"] = { colour = true } } do
    lu.assertErrorMsgContains(problem, c.view, c, "table", nil, options)
  end
  lu.assertErrorMsgContains("options.kinds", c.view, c, "table", nil, { kinds = "role" })
  c:shutdown()
end

return tests
