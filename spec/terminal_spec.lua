-- The shell in a real terminal (tmux): what a user sees and types. spec/shell_spec.lua has what comes through a pipe.
local lu = require "luaunit"
local command = require "spec.support.command"
local terminal = require "spec.support.terminal"

local tests = {}

local function add(name, words, f, environment, size)
  tests["test_" .. name] = function()
    lu.skipIf(not terminal.is_there(), "there is no tmux")
    terminal.with("shell " .. words, environment, f, size)
  end
end

local function exit_code(t)
  return tonumber((t:see("ended with (%d+)")))
end

-- ---- the cluster ------------------------------------------------------------------------------

for _, mode in ipairs { "sim", "tcp", "process" } do
  add("FindTheLeaderCrashItSeeTheNext_" .. mode, "--nodes 5 --mode " .. mode, function(t)
    t:see "Try :leader, :status, :crash leader"
    local leader, term = t:ask(":leader", "c:wait_leader%(%)\nnode (%d) leads term (%d+)")
    t:ask(":crash leader", "c:crash%(c:leader%(%)%)\nnode " .. leader .. " has crashed")
    local nextone, later = t:ask(":leader", "\nnode (%d) leads term (%d+)")
    lu.assertNotEquals(nextone, leader)
    lu.assertTrue(tonumber(later) > tonumber(term))
    t:ask(":set key 42", "\nkey is 42; committed at index %d")
    t:ask("c:get 'key'", "\n42")
    t:ask(":status", "node " .. nextone .. " leads term %d.-\nnode .-\n +" .. leader .. " +crashed")
  end)
end

add("ANarrowTerminalAndAWideOne", "--nodes 5 --mode sim", function(t)
  t:ask(":leader", "\nnode %d leads term %d")
  for _, width in ipairs { 60, 140, 40 } do
    t:resize(width, 24)
    t:ask(":status", "5 nodes in the simulated world .-\n%S+ +role")
    for line in t:visible():gmatch "[^\n]+" do
      lu.assertTrue(#line <= width, line)
    end
  end
end, nil, { 80, 24 })

-- What went wrong, too: of Lua, of a command, of a call.
add("ErrorsFitANarrowTerminal", "--nodes 3 --mode sim", function(t)
  for line, said in pairs {
    ["c:disconnect('me')"] = 'an integer from 1, expected, got "me"',
    [":corals"] = "there is no command :corals (:help lists them)",
    [":set"] = "which key? usage: :set KEY VALUE; for example :set answer 42",
    ["c:restart"] = "a call has brackets: c:restart(); help(c.restart) tells about it",
  } do
    t:press("C-l")
    local told = t:ask(line, "\n(.+)")
    lu.assertStrContains(told:gsub("%s+", " "), said)
    for one in told:gmatch "[^\n]+" do
      lu.assertTrue(#one <= 30, one)
    end
  end
end, nil, { 30, 24 })

-- The longest pages are on one screen, with the line that asked for them.
add("HelpFitsTheScreen", "--mode sim", function(t)
  for _, page in ipairs { ":help", "help()", "help(raft.event)" } do
    t:press("C-l")
    t:ask(page, "\n%S.-\n.-%S")
    lu.assertStrContains(t:visible(), "raft> " .. page)
  end
end, nil, { 80, 24 })

add("BackAndOnAgain", "--mode sim --nodes 3", function(t)
  local leader = t:ask(":leader", "\nnode (%d) leads term 1")
  t:ask(":sleep 0.5", "\nit is [%d%.]+ s now")
  t:ask(":watch on", "watching")
  t:ask(":crash leader", "crashes")
  t:ask(":sleep 1", "becomes leader of term 2")
  t:ask(":back 1.25", "c = c:fork%(1%.25%).-it is [%d%.]+ s again")
  t:ask(":status", "node " .. leader .. " leads term 1.-\n +" .. leader .. "  leader")
  t:ask(":crash leader", "crashes") -- watched as before
end)

add("TheDiagramIsWrittenAndNamed", "--mode sim", function(t, folder)
  t:ask(":leader", "\nnode %d leads")
  t:ask(":view " .. folder .. "/run.txt", "the diagram is in " .. folder:gsub("%p", "%%%0") .. "/run%.txt")
  command.assert_has(command.read(folder .. "/run.txt"), "LEADER t1")
  t:ask(":view table", "LEADER t1")
  t:ask(":view " .. folder .. "/run.html", "run%.html: open it in a browser")
  command.assert_has(command.read(folder .. "/run.html"):sub(1, 200):lower(), "<!doctype html>")
end)

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

-- As over TCP, at the speed that was asked for; and it is a run like any other.
add("TheClockOfTheSimulatedWorldFollowsTheRealOne", "--mode sim", function(t, folder)
  t:ask(":watch on", "watching")
  t:ask(":speed 20", "its clock goes on, 20 times as fast")
  t:see("becomes leader of term 1\n")
  t:mark()
  t:type("c:after(10, function() c:crash(c:leader()) end)")
  t:press("Enter")
  t:type("half a line")
  t:see("crashes\n.-becomes leader of term 2\n.-raft> half a line$")
  t:press("C-c")
  t:ask(":speed off", "time passes only in calls")
  t:ask("t = c:now()")
  t:ask("c:now() == t", "\ntrue")
  t:ask(":save " .. folder .. "/run.lua", "written to")
  local hash = t:ask("c:trace_hash()", '\n"(%x+)"')
  t:ask(":back 1", "again")
  lu.assertEquals(command.run({ "run", folder .. "/run.lua" }).out, hash .. "\n")
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
    for position = 1, mode == "sim" and #endless or 2 do
      local line = endless[position]
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
  t:mark()
  t:type(":sleep 1000")
  t:press("Enter")
  t:see("c:sleep%(1000%)$")
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

add("CtrlDEndsItAndQuitSaysSo", "", function(t)
  t:ask("quit", "Ctrl%-D ends the shell")
  t:ask("exit()", "Ctrl%-D ends the shell")
  t:ask("exit = 5 print(exit + 1)", "\n6") -- a name of one's own is that
  t:ask("exit", "\n5")
  t:press("C-d")
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
  t:press("C-u")
  t:type(":cra")
  t:press("Tab")
  t:see("raft> :crash$")
  t:type("l")
  t:press("Tab")
  t:see("raft> :crash leader$")
  t:press("C-u")
  t:type(":pause 1,")
  t:press("Tab")
  t:see("\n1 +2 +3 +all +leader\nraft> :pause 1,$")
  t:type("2")
  t:press("Enter")
  t:see("nodes 1 and 2 are frozen until :resume\nraft>$")
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

return tests
