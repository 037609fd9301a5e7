-- The shell, by what a user at a terminal sees and types, and by what comes through a pipe.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local command = require "spec.support.command"
local terminal = require "spec.support.terminal"

local tests = {}

local function add(name, words, f, environment)
  tests["test_" .. name] = function()
    lu.skipIf(not terminal.is_there(), "there is no tmux")
    terminal.with("shell " .. words, environment, f)
  end
end

local function exit_code(t)
  return tonumber((t:see("ended with (%d+)")))
end

-- ---- the cluster ------------------------------------------------------------------------------

for _, mode in ipairs { "sim", "tcp", "process" } do
  add("FindTheLeaderCrashItSeeTheNext_" .. mode, "--nodes 5 --mode " .. mode, function(t)
    local leader, term = t:ask("c:wait_leader()", "\n(%d), (%d+)")
    t:ask(("c:crash(%s)"):format(leader), "\ntrue")
    local nextone, later = t:ask(("c:wait_leader(10, %s)"):format(term), "\n(%d), (%d+)")
    lu.assertNotEquals(nextone, leader)
    lu.assertTrue(tonumber(later) > tonumber(term))
    t:ask("c:set('key', 42) > 0", "\ntrue")
    t:ask("c:get 'key'", "\n42")
    t:ask(":status", "\nnode .-\n +" .. leader .. " +crashed")
  end)
end

add("TheClusterLivesWhileNobodyTypes", "", function(t)
  t:ask("c:wait_leader()", "\n%d, %d")
  t:ask(":watch on", "watching")
  t:ask("c:on({ kind = 'note' }, function() c:crash(c:leader()) end)")
  t:ask("c:client(function() c:sleep(1) c:note('now') end)")
  t:mark()
  t:type("half a line") -- and no key from here on
  t:see("crashes\n.-becomes leader of term %d+\n.-committed: .-\nraft> half a line$")
  t:press("C-c")
  t:ask(":watch off", "no longer watching")
end)

add("NoTimePassesAtThePromptInTheSimulatedWorld", "--mode sim", function(t)
  t:ask("c:now()", "\n0")
  t:ask("c:leader()", "\nnil")
  t:ask("c:sleep(1.5)")
  t:ask("c:now()", "\n1%.5")
end)

-- ---- interrupts -------------------------------------------------------------------------------

local endless = {
  "while true do end",
  "while true do pcall(c.sleep, c, 1e5) end",
  "while true do pcall(function() while true do end end) end",
  "c:client(function() while true do end end)",
  "coroutine.wrap(function() while true do pcall(error) end end)()",
  "c:wait_until(function() while true do end end)",
}

for _, mode in ipairs { "sim", "tcp", "process" } do
  add("CtrlCEndsWhatRunsAndNotTheShell_" .. mode, "--mode " .. mode, function(t)
    for _, line in ipairs(endless) do
      t:mark()
      t:type("print 'begun' " .. line)
      t:press("Enter")
      t:see("\nbegun$")
      t:press("C-c")
      t:see("interrupted\nraft>$")
      t:ask("1 + 1", "\n2")
    end
  end)
end

add("ACallbackThatNeverEndsLeavesTheShellUsable", "", function(t)
  t:mark()
  t:type("stop = c:on({}, function() print 'begun' while true do end end)")
  t:press("Enter")
  t:see("\nbegun\n") -- by itself, while the prompt waits
  t:press("C-c")
  t:see("interrupted; the clusters are stopped until the next line\nraft>$")
  t:type("stop()")
  t:press("Enter")
  t:see("raft> stop%(%)\nraft>$")
  t:ask("c:wait_leader()", "\n%d, %d")
end)

add("TheClusterGoesOnAfterAnInterrupt", "", function(t)
  t:mark()
  t:type("print 'begun' c:sleep(1e6)")
  t:press("Enter")
  t:see("\nbegun$")
  t:press("C-c")
  t:see("interrupted\nraft>$")
  t:ask("c:wait_leader()", "\n%d, %d")
  t:ask("c:set('key', 1) > 0", "\ntrue")
end)

add("CtrlCGivesUpTheLine", "", function(t)
  t:type("this is no lua")
  t:see("no lua$") -- the terminal forgets what was not yet read
  t:press("C-c")
  t:see("no lua^C\nraft>$")
  t:type("for i = 1, 3 do")
  t:press("Enter")
  t:see("%.%.%.$")
  t:press("C-c")
  t:ask("'all well'", '\n"all well"')
end)

add("CtrlDAndQuitEndItCleanly", "", function(t)
  t:press("C-d")
  lu.assertEquals(exit_code(t), 0)
end)

add("QuitAndExitEndIt", "", function(t)
  t:ask("exit = 5 print(exit + 1)", "\n6") -- a name of one's own is that
  t:ask("exit", "\n5")
  t:type("quit")
  t:press("Enter")
  lu.assertEquals(exit_code(t), 0)
end)

add("QuitEndsIt", "", function(t)
  t:type(":quit")
  t:press("Enter")
  lu.assertEquals(exit_code(t), 0)
end)

-- ---- typing -----------------------------------------------------------------------------------

add("NamesAreCompleted", "", function(t)
  t:type("c:par")
  t:press("Tab")
  t:see("raft> c:partition%($")
  t:type("{1},{2,3})")
  t:press("Enter")
  t:see("\ntrue\nraft>$")
  t:type("c:st")
  t:press("Tab")
  t:see("\nstats +status +step\nraft> c:st$")
  t:press("C-u")
  t:ask("deep = setmetatable({}, { __index = setmetatable({}, { __index = { treasure = 1 } }) })")
  t:type("deep.tr")
  t:press("Tab")
  t:see("deep%.treasure$")
  t:press("C-u")
  t:type(":wat")
  t:press("Tab")
  t:see("raft> :watch$")
end)

add("HistoryIsKeptBetweenRuns", "", function(t, folder)
  t:ask("'first ' .. 'line'", '\n"first line"')
  t:press("Up")
  t:see("raft> 'first ' %.%. 'line'$")
  t:press("C-u", "C-d")
  exit_code(t)
  lu.assertEquals(command.read(folder .. "/history"), "'first ' .. 'line'\n")
end)

tests.test_HistoryOfAnEarlierRunIsThere = function()
  lu.skipIf(not terminal.is_there(), "there is no tmux")
  local path = os.tmpname()
  command.write(path, "'of yesterday'\n")
  terminal.with("shell", { RAFTBENCH_HISTORY = path }, function(t)
    t:press("Up")
    t:see("raft> 'of yesterday'$")
    t:ask("", '\n"of yesterday"')
  end)
  os.remove(path)
end

add("HistoryIsBelowTheStateFolder", "", function(t, folder)
  t:ask("'kept'", '\n"kept"')
  lu.assertEquals(command.read(folder .. "/state/raftbench/history"), "'kept'\n")
end, { XDG_STATE_HOME = "@/state" })

add("StatementsOfSeveralLines", "", function(t)
  for _, line in ipairs { "function double(x)", "return 2 *" } do
    t:type(line)
    t:press("Enter")
    t:see(line:gsub("%p", "%%%0") .. "\n +%.%.%.$")
  end
  t:type("x")
  t:press("Enter")
  t:ask("end")
  t:ask("double(21)", "\n42")
  t:ask("_ + 1", "\n43")
end)

-- ---- without a terminal -----------------------------------------------------------------------

local function pipe(lines, mode)
  return command.run { "shell", "--mode", mode or "sim", input = table.concat(lines, "\n") .. "\n" }
end

function tests.test_LinesFromAPipe()
  for _, mode in ipairs { "sim", "tcp" } do
    local result = pipe({ "(c:wait_leader())", "for i = 1, 2 do", "print(i)", "end", "c:set('k', { 1, 2 }) ~= nil",
      "c:get('k')" }, mode)
    command.assert_code(result, 0)
    lu.assertEquals(result.err, "")
    lu.assertStrMatches(result.out, "%d\n1\n2\ntrue\n{ 1, 2 }\n")
  end
end

function tests.test_AnErrorShowsTheUsersLineAndTheRestRuns()
  local result = pipe { "function f()", "  local x = nil", "  return x.y + 1", "end", "f()", "c:crash('one')",
    "c:no_such_call()", "c:client(function() error('inside') end)", "c:sleep(0)", "1 + 1" }
  command.assert_code(result, 1)
  -- Each Lua words it its own way.
  command.assert_match(result.out, "^shell:3: attempt to index [^\n]+\n  3:   return x%.y %+ 1\n")
  command.assert_match(result.out, "\nshell:7: attempt to call [^\n]*'no_such_call'[^\n]*\n")
  command.assert_has(result.out, "\nshell:6: bad argument 'id' (an id, an integer from 1, expected, got \"one\")\n",
    "\nshell:8: inside\n", "\n2\n")
  command.assert_lacks(result.out .. result.err, "[C]", "lua/raft", "scripts/raftbench", "stack traceback", "raft.core")
end

function tests.test_WhatFailsInTheCourseOfARunIsSaid()
  local result = pipe { "c:crash(99)", "c:partition({1},{2},{3})", "c:propose('x', { timeout = 0.1 })" }
  command.assert_code(result, 0)
  command.assert_match(result.out, "^nil: there is no node 99.- %(unknown_node%)\ntrue\nnil: .- %(%w+_?%w*%)\n$")
end

-- What is raised or shown may raise when it is asked for its words: the shell tells so and goes on.
function tests.test_WhatCannotBeShownEndsNothing()
  local result = pipe { "mute = setmetatable({}, { __tostring = function() error 'in __tostring' end })", "error(mute)",
    "mute", "print(mute)", "c:client(function() error(mute) end)", "c:sleep(0.01)",
    "error(setmetatable({}, { __index = function() error 'in __index' end }))", "1 + 1" }
  lu.assertEquals(result.code, 1)
  command.assert_has(result.out, "an error (a table) that cannot be shown", "in __tostring", "in __index", "\n2\n")
end

-- The kinds that help lists are all that there are, and the fields are those that filters take.
function tests.test_HelpTellsEventsAndFilters()
  local text = pipe({ 'help "events"' }).out
  local listed, fields = {}, require("raft.filters").fields()
  for names, rest in text:gmatch "\n  ([%l ]-)  +([^\n]+)" do
    for name in names:gmatch "%l+" do
      listed[name] = true
    end
    for name in rest:gsub("%b()", ""):gmatch "[%l_]+" do
      lu.assertTrue(fields[name], name)
    end
  end
  clusters.with({ mode = "sim", nodes = 1 }, function(c)
    for name in pairs(listed) do
      c:events { kind = name }
    end
  end)
  for line in io.lines "lua/raft/annotations/types.lua" do
    for name in (line:match '^%-%-%-@field kind ("start".*)$' or ""):gmatch '"(%l+)"' do
      lu.assertTrue(listed[name], name)
    end
  end
  command.assert_has(pipe({ 'help "filters"' }).out, "c:wait_event({ kind = \"commit\"", "a function of an event")
end

function tests.test_TheWatchShowsFaultsAsTheyAreWritten()
  local result = pipe { ":watch on", "c:link(1, '*', { drop = 0.1, delay = 0.02 })", "c:link(1, 2, nil)",
    "c:partition({ 1 }, { 2, 3 })", "c:clock(2, { rate = 2 })" }
  command.assert_has(result.out .. result.err, ' link(1, "*", {drop=0.1, delay=0.02})\n', " link(1, 2, nil)\n",
    " partition({1}, {2, 3})\n", " clock(2, {rate=2, offset=0})\n")
end

function tests.test_TablesAreSortedAndNotTooDeep()
  local result = pipe { "{ b = 1, a = { c = { d = { e = { f = 1 } } } }, [2] = 'x' }", "t = {} t.t = t", "t",
    "{ raft.null, '\"\\n', 1.5, 1/0 }" }
  lu.assertEquals(result.lines, { '{ [2] = "x", a = { c = { d = { e = {...} } } }, b = 1 }',
    "{ t = {...} (a table that contains itself) }", '{ raft.null, "\\"\\n", 1.5, inf }' })
end

function tests.test_HelpIsWhatStandsInTheSources()
  local result = pipe { "help()", "help(c.partition)", "help 'wait_leader'", "help(raft.cluster)", ":help" }
  command.assert_code(result, 0)
  command.assert_has(result.out, "c:partition(...)", "Parts the nodes into groups that cannot talk", "c:wait_leader(",
    "timeout (number, default 10): seconds", "raft.cluster(", ":save FILE")
end

function tests.test_WhatIsNotWholeAtTheEndIsAnError()
  local result = pipe { "for i = 1, 2 do" }
  command.assert_code(result, 1)
  command.assert_match(result.out, "^shell:1: 'end' expected near '?<eof>")
end

function tests.test_AnUnknownCommandIsSaid()
  local result = pipe { ":nonsense", ":save", ":watch perhaps" }
  lu.assertEquals(result.lines, { "there is no command :nonsense (:help lists them)", ":save needs the name of a file",
    ":watch on, or :watch off" })
end

command.add(tests, "InTheMiddleOfAScript", function(folder)
  local path = command.write(folder .. "/script.lua", [[
local raft = require "raft"
local c = raft.cluster { nodes = 3, mode = "sim" }
c:wait_leader()
raft.shell(c)
print("it went on with " .. c:get "typed")
]])
  local result = command.run { "run", path, input = "c:set('typed', 7) > 0\n" }
  command.assert_code(result, 0)
  lu.assertEquals(result.lines, { "true", "it went on with 7" })
end)

return tests
