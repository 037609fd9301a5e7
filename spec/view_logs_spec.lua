-- `raftbench view` of readable logs: those of --verbose, of `go test -v`, and of a form of one's own.
local command = require "spec.support.command"
local logs = require "raft.view.logs"
local log_pattern = require "raft.view.log_pattern"
local lu = require "luaunit"
local raft = require "raft"
local sentences = require "raft.view.sentences"
local views = require "spec.support.views"

local tests = {}

local function write_log(folder, text)
  return command.write(folder .. "/log", text)
end

local function events_of(text, options)
  local file = assert(io.tmpfile())
  file:write(text)
  options = options or {}
  options.name, options.report = options.name or "log", options.report or function(message)
    lu.fail(message)
  end
  local list, log = {}, logs.new(file, options)
  for _ = 1, 2 do -- it can be read again
    list = {}
    for event in log:events() do
      list[#list + 1] = event
    end
  end
  log:close()
  return list
end

-- ---- our own ----------------------------------------------------------------------------------------------------

local busy = [[
local raft = require "raft"
local c = raft.cluster { nodes = 3, seed = 3, name = "busy: Grüße" }
local leader = c:wait_leader()
c:link("*", "*", { drop = 0.05, delay = { 0.001, 0.002 } })
c:link(1, 2, nil)
c:set("key", 1)
c:partition({ leader })
c:submit(leader, "lost")
c:wait_leader(nil, 1)
c:heal()
c:sleep(0.3)
c:pause(2)
c:sleep(0.2)
c:resume(2)
c:clock(1, { rate = 1.1, offset = 0.01 })
c:compact(c:leader())
c:crash "all"
c:restart "all"
c:wait_leader()
c:add_servers { 4 }
c:transfer_leader(4)
c:remove_servers { 4 }
c:set("key", 2)
c:get "key"
c:campaign(1, { force = true })
c:sleep(0.2)
c:note "all is well"
c:shutdown()
]]

-- A trace and what --verbose prints beside it.
local function both(folder, script, ...)
  local path = command.write(folder .. "/busy.lua", script)
  local result = command.assert_code(command.run { "run", path, "--verbose", "--trace", folder .. "/trace", ... }, 0)
  return folder .. "/trace", write_log(folder, result.err)
end

-- What a drawing says, one phrase a line: events of one microsecond can stand in one row or two.
local function phrases_of(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do
    for cell in line:gmatch "│ ([^│]+)" do
      cell = cell:gsub("%s+$", "")
      if cell ~= "" and not cell:find "^%s*[%d.]+$" and not cell:find "events$" then
        list[#list + 1] = cell
      end
    end
  end
  table.sort(list)
  return list
end

command.add(tests, "TheTableOfAVerboseLogIsThatOfTheTrace", function(folder)
  for _, mode in ipairs { "sim", "tcp" } do
    local trace, log = both(folder, busy, "--mode", mode)
    local of_trace, of_log = views.show(trace, "--width", "300", "--all"), views.show(log, "--width", "300", "--all")
    -- The log goes on a little longer: it tells how the nodes shut down.
    local expected, actual = {}, {}
    for _, phrase in ipairs(phrases_of(of_trace)) do
      expected[phrase] = (expected[phrase] or 0) + 1
    end
    for _, phrase in ipairs(phrases_of(of_log)) do
      actual[phrase] = (actual[phrase] or 0) + 1
    end
    for phrase, count in pairs(expected) do
      lu.assertTrue((actual[phrase] or 0) >= count, ("%s: '%s' %d times, not %d"):format(mode, phrase,
        actual[phrase] or 0, count))
    end
  end
end)

command.add(tests, "EachSentenceIsReadBack", function(folder)
  local trace = both(folder, busy, "--mode", "sim")
  local kinds, count = {}, 0
  for _, event in ipairs(views.read_events(trace)) do
    event.time = event.time / 1e9
    local line = raft.core.event_line(event)
    local text = line:match "^[%d.]+ %[[^%]]+%] (.*)$"
    local back = sentences.read(text, event.node)
    lu.assertNotNil(back, line)
    back.time, back.node, kinds[event.kind] = event.time, event.node, true
    lu.assertEquals(raft.core.event_line(back):gsub("number %d+", "number N"), (line:gsub("number %d+", "number N")))
    lu.assertEquals({ raft.core.event_phrase(back) }, { raft.core.event_phrase(event) })
    count = count + 1
  end
  lu.assertTrue(count > 500)
  for _, kind in ipairs { "start", "stop", "role", "vote", "send", "receive", "drop", "append", "truncate", "write",
    "sync", "match", "commit", "apply", "snapshot", "members", "read", "confirm", "connect", "disconnect", "fault",
    "note", "run", "verdict" } do
    lu.assertTrue(kinds[kind], "there was no " .. kind)
  end
end)

function tests.test_MessagesOfALogHaveArrows()
  local list = events_of [[
0.100000 [1] sends append to 2: entry 4 after 3 (term 1), commit 3, term 2
0.100000 [1] sends append to 3: entry 4 after 3 (term 1), commit 3, term 2
0.100000 [1] message number 17 to 3 is lost: cut
0.101000 [2] receives append from 1: entry 4 after 3 (term 1), commit 3, term 2
0.102000 [2] receives append from 1: entry 4 after 3 (term 1), commit 3, term 2
0.103000 [2] receives append from 1: nothing new after 4 (term 2), commit 3, term 2
0.104000 [2] receives client_request from the client
]]
  local seen, causes = require("raft.view.links").new(), {}
  for position, event in ipairs(list) do
    causes[position] = seen:see(position, event) or false
  end
  lu.assertEquals(causes, { false, false, false, 3, 2, 2, false, false }) -- the first begins the run
end

-- ---- go test ------------------------------------------------------------------------------------------------------

local go_log = [[
=== RUN   TestElection
15:04:05.000000 [0] created in state Follower
15:04:05.000100 [1] created in state Follower
15:04:05.000300 [1] election timer started (175ms), term=0
15:04:05.176000 [1] becomes Candidate (currentTerm=1); log=[]
15:04:05.178100 [1] becomes Leader; term=1, log=[]
15:04:05.300000 [TEST] Disconnect 1
15:04:05.301000 [1] becomes Dead
--- PASS: TestElection (0.46s)
=== RUN   TestCommit
23:59:59.999000 [0] created in state Follower
00:00:00.250000 [2] election timer started (175ms), term=3
    raft_test.go:55: cmd=42 not found in commits
--- FAIL: TestCommit (0.46s)
=== RUN   TestParts
=== RUN   TestParts/first
2024/02/29 15:04:05.000000 [2] one
--- PASS: TestParts (0.00s)
    --- PASS: TestParts/first (0.00s)
=== RUN   TestLater
--- SKIP: TestLater (0.00s)
=== RUN   TestHangs
15:04:07.000000 [0] created in state Follower
FAIL
exit status 1
FAIL	example.com/raft	1.234s
]]

command.add(tests, "OneTableForEachGoTestWithItsVerdict", function(folder)
  local path = write_log(folder, go_log)
  local text, lines = views.show(path, "--width", "100")
  views.check_fit(text, 100)
  command.assert_has(text, "│ TestElection: PASSED, 7 lines ", "│ time 0 is 15:04:05.000000 ",
    "│     time │ node 0 ", "│ node 1 ", "│ 0.176000 │ ", "becomes Candidate", "│ ✎ Disconnect 1 ",
    "│ PASSED TestElection ", "│ TestCommit: FAILED, 2 lines ", "│ 0.251000 │",
    "│ FAILED TestCommit: raft_test.go:55: cmd=42 not found in commits ", "│ PASSED TestParts/first ",
    "│ PASSED TestLater: skipped ", "│ TestHangs: 1 line ", "│ end of TestHangs ")
  lu.assertEquals({ lines[#lines - 1], lines[#lines] }, { "5 runs: 4 passed, 1 failed", "  TestCommit" })
end)

command.add(tests, "OtherFormsDrawTheRolesThatTheWordsTell", function(folder)
  local path = write_log(folder, go_log)
  local svg = command.assert_code(views.view(path, "--as", "svg"), 0)
  command.assert_has(svg.err, "the picture shows one, TestCommit (failed)")
  local page = command.assert_code(views.view(path, "--as", "html"), 0).out
  command.assert_has(page, '"why":"raft_test.go:55: cmd=42 not found in commits"', '"names":["0","1"]')
  local one = write_log(folder, go_log:match "^(.-)=== RUN   TestCommit")
  svg = views.show(one, "--as", "svg")
  command.assert_has(svg, ">node 0<", ">node 1<", ">follower<", ">candidate t1<", ">leader t1<", "✎ Disconnect 1")
  command.assert_has(views.show(one, "--as", "shiviz"), "\n0.176000 n1 {", "becomes Leader; term=1, log=[]")
  local trace = raft.core.json_decode((views.show(one, "--as", "perfetto")))
  local names = {}
  for _, event in ipairs(trace.traceEvents) do
    names[event.ph == "M" and event.args.name or event.name] = event
  end
  lu.assertEquals({ names["leader t1"].ph, names["node 0"].ph, names["node 1"].ph }, { "X", "M", "M" })
  lu.assertEquals(names["leader t1"].ts, 178100)
end)

-- Until a node has told one, and then it is the latest that it told.
command.add(tests, "ATermThatNobodyToldIsNotShown", function(folder)
  local path = write_log(folder, [[
15:04:05.000000 [1] becomes Follower
15:04:05.100000 [2] becomes Follower
15:04:05.200000 [2] election timer started, term=4
15:04:05.300000 [2] becomes Leader
15:04:05.400000 [2] is well
]])
  for form, shown in pairs {
    svg = { ">follower<", ">leader t4<" }, shiviz = { "follower\n", "LEADER t4\n" },
    perfetto = { '"follower"', '"leader t4"' }, html = { '"follower"', '"LEADER t4"', '"isLog":true' },
  } do
    local text = views.show(path, "--as", form)
    command.assert_has(text, shown[1], shown[2], shown[3])
    command.assert_lacks(text, "follower t0")
  end
end)

command.add(tests, "NodesAreChosenByTheirNamesInTheLog", function(folder)
  local path = write_log(folder, go_log:match "^(.-)=== RUN   TestCommit")
  local text = views.show(path, "--nodes", "1", "--kind", "log", "--width", "90")
  command.assert_has(text, "│ shown: 5 of them, node 1; kind log ", "│ node 1 ", "becomes Leader")
  command.assert_lacks(text, "node 0")
  command.assert_has(command.assert_code(views.view(path, "--nodes", "7"), 2).err,
    "/log: there is no node '7' in it; there are 0, 1\n")
end)

-- ---- a form of one's own ------------------------------------------------------------------------------------------

local etcd = [[
{"level":"info","ts":"2024-01-02T15:04:05.1234567Z","logger":"raft","msg":"8e9e05c52164694d became candidate at term 2"}
{"level":"info","ts":"2024-01-03T15:04:05.223Z","logger":"raft","msg":"91bc3c398fb3c146 became leader at term 2"}
{"level":"info","ts":"2024-01-03T15:04:05.224Z","msg":"serving"}
]]
local consul = [[
2024-01-02T15:04:05.123Z [INFO]  raft: entering follower state: follower="Node at 10.0.0.1:8300 [Follower]" leader-id=
2024-01-02T15:04:06.124Z [INFO]  raft: entering candidate state: node="Node at 10.0.0.1:8300 [Candidate]" term=2
2024-01-02T15:04:06.224Z [INFO]  raft: entering leader state: leader="Node at 10.0.0.1:8300 [Leader]"
]]

command.add(tests, "AnyFormOfLines", function(folder)
  local path = write_log(folder, etcd)
  local result = command.assert_code(views.view(path, "--width", "90", "--lines",
    '"ts":"{time}"{}"msg":"{id} {message}"}'), 0)
  command.assert_has(result.out, "2 lines ", "node 8e9e05c52164694d ", "node 91bc3c398fb3c146 ", "│ 86400.099543 │ ",
    "became leader at term 2")
  lu.assertEquals(result.err, ("raftbench: %s: line 3 cannot be read, it is not of the form %s: %s\n"):format(path,
    '"ts":"{time}"{}"msg":"{id} {message}"}', etcd:match "[^\n]+\n$":gsub("\n", "")))
  local svg = views.show(write_log(folder, consul), "--as", "svg", "--from", "0", "--lines",
    '{time} [{}]{}raft: {message}="Node at {id} [{}')
  command.assert_has(svg, ">follower<", ">candidate<")
  for _, case in ipairs {
    { "{time} {message}", "--lines '{time} {message}': there is no {id} in it" },
    { "{time} [{id}] {text}", "there is no placeholder {text}: there are {time}, {id}, {message} and {}" },
    { "{id} {time} [{id}] {message}", "{id} stands in it twice" },
  } do
    command.assert_has(command.assert_code(views.view(path, "--lines", case[1]), 2).err, case[2])
  end
end)

function tests.test_Patterns()
  local function parts(pattern, line)
    return { log_pattern.new(pattern)(line) }
  end
  lu.assertEquals(parts("{time} {}/{id}: {message}", "12:00:01   x/n-1: a b "), { "12:00:01", "n-1", "a b " })
  lu.assertEquals(parts("<{id}> at {time}: {message} (%d+)", "<7> at 1.5: [a] (%d+)"), { "1.5", "7", "[a]" })
  lu.assertEquals(parts("{time} [{id}] {message}", "nothing of this"), {})
end

function tests.test_Times()
  local function time(text)
    return { log_pattern.time(text) }
  end
  lu.assertEquals(time "0.123456", { 123456000, "seconds" })
  lu.assertEquals(time "-1.5", { -1.5e9, "seconds" })
  lu.assertEquals(time "15:04:05.000001", { (15 * 3600 + 4 * 60 + 5) * 1e9 + 1000, "day" })
  lu.assertEquals(time "1:04:05,5", { (3600 + 4 * 60 + 5.5) * 1e9, "day" })
  lu.assertEquals(time "1970-01-02T00:00:01.25Z", { 1.25e9, "date", 1 })
  lu.assertEquals(time "2024/03/01 00:00:00", { 0, "date", 19783 })
  lu.assertEquals(time "1709251200.5", { 0.5e9, "date", 19783 })
  for _, text in ipairs { "", "x", "1:2", "99999999999999999999", "2024-01-02", "1.2.3" } do
    lu.assertEquals(time(text), {}, text)
  end
end

-- ---- whatever it holds --------------------------------------------------------------------------------------------

-- Pieces of logs in any order, cut anywhere, with any bytes between them: it is read or told, and never fails.
function tests.test_AnyBytes()
  local state = 1
  local function random(most)
    state = (state * 69069 + 1) % 2 ^ 32
    return math.floor(state / 2 ^ 16) % most + 1
  end
  local pieces = {
    "=== RUN   Test", "--- FAIL: Test (0.1s)", "--- PASS: ", "    a_test.go:1: x", "15:04:05.0 [1] ", "[",
    "] ", "0.5 [2] ", "becomes Leader term=99999999999999999999", "1709251200 [x] y", "sends append to 2: entry ",
    "fault link(", "{1, {2, {", "run of x {", "votes for ", "99999999999999999999999", "receives append from ", "\0",
    "\255", "\r\n", "\n", " ", "uses the members , together with the old (entry 1)", "{}",
    "2024-99-99T99:99:99 [1] z",
    "starts in term 1, with log 5..2", "message number 5 to 7 is lost: x", "VIOLATION of : {",
  }
  for _ = 1, 300 do
    local parts = {}
    for place = 1, random(60) do
      local piece = pieces[random(#pieces)]
      parts[place] = random(4) == 1 and piece:sub(1, random(#piece)) or random(9) == 1 and string.char(random(256) - 1)
        or piece
    end
    local told = 0
    local list = events_of(table.concat(parts), { report = function() told = told + 1 end })
    lu.assertTrue(told <= 1)
    for _, form in ipairs { "table", "svg", "shiviz", "perfetto" } do
      require("raft.view.forms").render(form, function()
        local position = 0
        return function()
          position = position + 1
          return list[position]
        end
      end, { write = function() end, width = 60 })
    end
  end
end

-- What is held does not grow with the log.
function tests.test_ALongLog()
  local file = assert(io.tmpfile())
  for number = 1, 12000 do
    file:write(("15:%02.0f:%02d.%06d [%d] message %d\n"):format(math.floor(number / 60) % 60, number % 60, number,
      number % 5, number))
  end
  local log = logs.new(file, { name = "long", report = lu.fail })
  log:events()() -- who is who is known now
  collectgarbage()
  local before, count, most = collectgarbage "count", 0, 0
  for _ in log:events() do
    count = count + 1
    if count % 3000 == 0 then
      collectgarbage()
      most = math.max(most, collectgarbage "count" - before)
    end
  end
  log:close()
  lu.assertEquals(count, 12001)
  lu.assertTrue(most < 200, most)
end

return tests
