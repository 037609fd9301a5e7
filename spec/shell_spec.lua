-- The shell, by lines that come through a pipe; spec/terminal_spec.lua has what a user at a terminal sees and types.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local command = require "spec.support.command"

local tests = {}

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
  local result = pipe { "help()", "help(c.partition)", "help 'wait_leader'", "help(raft.cluster)", "help 'network'",
    "help(raft)", "help(nil)", "help 'nonsense'" }
  command.assert_code(result, 0)
  command.assert_has(result.out, "c:partition(...)", "Parts the nodes into groups that cannot talk", "c:wait_leader(",
    "timeout (number, default 10): seconds", "raft.cluster(", "c:intercept(f)", "raft.sorted(t)", "help was given nil",
    "there is no call 'nonsense'")
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do
    lines[#lines + 1] = line
  end
  return lines
end

-- With the line that asks for it and the next prompt a page of help is no longer than a screen.
function tests.test_EachPageOfHelpFitsAScreen()
  local pages = { ":help", "help()", "help(raft)", "help(c.crash)", "help(raft.event)" }
  for group in pipe({ ":help" }).out:gmatch "\n(%l+) +:" do
    pages[#pages + 1] = ":help " .. group
  end
  for subject in pipe({ "help()" }).out:gmatch "\n(%l+)  +%l" do
    pages[#pages + 1] = ("help %q"):format(subject)
  end
  lu.assertTrue(#pages > 20)
  pages[#pages + 1] = "help 'events'"
  pages[#pages + 1] = "help 'filters'"
  local questions = {}
  for _, page in ipairs(pages) do
    questions[#questions + 1] = page
    questions[#questions + 1] = "'end of a page'"
  end
  local out, count = pipe(questions).out, 0
  for page in out:gmatch '(.-)"end of a page"\n' do
    count = count + 1
    local lines = lines_of(page)
    lu.assertTrue(#lines >= 1 and #lines <= 22, page)
    command.assert_lacks(page, "there is no")
    for _, line in ipairs(lines) do
      lu.assertTrue(require("raft.view.display").width(line) <= 80, line)
    end
  end
  lu.assertEquals(count, #pages)
end

-- What is typed, and what is shown then: the Lua call, and what it did.
local typed = {
  { ":leader", "  c:wait_leader()\nnode 1 leads term 1\n" },
  { ":set answer 42", '  c:set("answer", 42)\nanswer is 42; committed at index 2\n' },
  { ":set 'two words' { a = 1 }", '  c:set("two words", { a = 1 })\n' },
  { ":get answer", '  c:get("answer")\n42\n' },
  { ":delete answer", '  c:delete("answer")\nanswer is deleted; committed at index 4\n' },
  { ":get answer", "answer has no value\n" },
  { ":pause 2,3", "  c:pause({ 2, 3 })\nnodes 2 and 3 are frozen until :resume\n" },
  { ":resume all", '  c:resume("all")\nall nodes go on\n' },
  { ":disconnect leader", "  c:disconnect(c:leader())\nnode 1: cut off until :reconnect or :heal\n" },
  { ":reconnect 1", "  c:reconnect(1)\nnode 1: reachable again\n" },
  { ":partition 1,2 3,4,5", "  c:partition({ 1, 2 }, { 3, 4, 5 })\npartition: {1, 2} | {3, 4, 5}\n" },
  { ":heal", "  c:heal()\nthe network is whole again\n" },
  { ":link 1 * drop=0.5 delay=0.01,0.02", '  c:link(1, "*", { delay = { 0.01, 0.02 }, drop = 0.5 })\n'
    .. "links 1 -> *: drop 50 %, delay 10 ms to 20 ms\n" },
  { ":link 1 *", '  c:link(1, "*")\nback to the default\n' },
  { ":link client 2 cut", '  c:link("client", 2, { cut = true })\nlinks client -> 2: cut\n' },
  { ":heal all", '  c:heal("all")\nevery fault has ended, and every node runs\n' },
  { ":submit leader hello", '  c:submit(1, "hello")\nnode 1 has it at index 5 in term 1; it is not committed yet\n' },
  { ":sleep 0.5", "  c:sleep(0.5)\nit is 0" },
  { ":log 2 2", '  c:log(2)\n... 3 entries before\n     4  term 1    committed  { key = "answer", op = "delete" }\n'
    .. '     5  term 1    committed  "hello"\n' },
  { ":trace role 1 last=1", '  c:events({ kind = "role", node = 1 })\n' },
  { ":trace send term=1 last=1", '  c:events({ kind = "send", term = 1 })\n' },
  { ":step 2", "  c:step(2)\n" },
  { ":nodes", "node 1: leader, sim:1\nnode 2: follower, follows node 1 in term 1, sim:2\n" },
  { ":compact all", "all nodes have a snapshot of now, and dropped the log before it\n" },
  { ":add 6,7", "  c:add_servers({ 6, 7 })\nnodes 6 and 7: now part of the cluster\n" },
  { ":remove 7", "  c:remove_servers({ 7 })\nnode 7: no longer part of the cluster\n" },
  { ":transfer 2", "  c:transfer_leader(2)\nnode 2 leads\n" },
  { ":campaign 3", "  c:campaign(3)\nnode 3 stands for election\n" },
  { ":crash 3;", "  c:crash(3)\nnode 3 has crashed; :restart starts it again, :status shows what its disk holds\n" },
  { ":fork", "  d = c:fork()\nd is a cluster of its own from here on" },
  { "d:crash(1)", "true\n" },
  { ":diff", "  raft.diff(c, d)\nnode  field" },
  { ":diff", "\n1     state       running " },
  { ":sleep 0.25", "  c:sleep(0.25)\n" },
  { "_ = c:now()", "" },
  { ":back 0.125", "  c = c:fork(0.125)\nit is 1." },
  { "c:script():match 'c:crash%(3%)\\nc:sleep%(0.125%)\\n' ~= nil", "true\n" },
  { ":restart 3", "  c:restart(3)\nnode 3 runs again\n" },
  -- Wrong use tells the right one.
  { ":crash", "which node? (they are 1, 2, 3, 4, 5, 6, 7)\nusage: :crash NODES; for example :crash 2" },
  { ":crash one", "one is no node id (the nodes are 1, 2, 3, 4, 5, 6, 7)\nusage: :crash NODES" },
  { ":crash ,", ", names no node (they are 1, 2, 3, 4, 5, 6, 7)\nusage: :crash NODES" },
  { ":crash 99999999999999999999", "99999999999999999999 is no node id (the nodes are 1, 2, 3" },
  { ":crash 9", "  c:crash(9)\nthere is no node 9 in this cluster" },
  { ":campaign 1,2", "one node at a time\nusage: :campaign NODE" },
  { ":set answer", "which value?\nusage: :set KEY VALUE" },
  { ":sleep a bit", "'a bit' is no number of seconds\nusage: :sleep SECONDS" },
  { ":link 1", "from where to where?\nusage: :link FROM TO FAULTS..." },
  { ":trace nonsense", "'nonsense' is no kind of events" },
  { ":trace term=many", "bad argument 'filter.term'" },
  { ":back 1000", "only 1." },
  { ":back a bit", "'a bit' is no number of seconds\nusage: :back SECONDS" },
  { ":diff nobody", "there is no cluster nobody (:fork nobody makes one)\nusage: :diff [NAME]" },
  { ":fork 1", "'1' is no name\nusage: :fork [NAME]" },
  { ":heal me", "me is nothing that can be healed\nusage: :heal [all]" },
  { ":save", "to which file?\nusage: :save FILE" },
  { ":watch perhaps", ":watch on, or :watch off\nusage: :watch [on|off]" },
  { ":crahs 2", "there is no command :crahs; did you mean :crash NODES?\n" },
  { ":nonsense", "there is no command :nonsense (:help lists them)\n" },
  { ":help nonsense", "there is no command :nonsense\nusage: :help [COMMAND|GROUP]" },
  { "crash 2", "a command begins with a colon: :crash 2\n" },
  { "status", "a command begins with a colon: :status\n" },
  { "step = 5", "" },
  { "step", "5\n" },
  { "c:leader", "a call has brackets: c:leader(); help(c.leader) tells about it\n" },
  { "quit", "Ctrl-D ends the shell, as :quit does\n" },
}

function tests.test_CommandsShowTheCallAndWhatItDid()
  local lines = {}
  for _, one in ipairs(typed) do
    lines[#lines + 1] = "'begin'"
    lines[#lines + 1] = one[1]
  end
  lines[#lines + 1] = "'begin'"
  local out, place = command.run({ "shell", "--mode", "sim", "--nodes", "5",
    input = table.concat(lines, "\n") .. "\n" }).out, 1
  for _, one in ipairs(typed) do
    local first, last = out:find('"begin"\n', place, true)
    local stop = out:find('"begin"\n', last, true)
    lu.assertNotNil(stop, one[1])
    command.assert_has(out:sub(last + 1, stop - 1), one[2])
    place = first + 1
  end
end

-- What a command's call raises has no place, but for a function of the user's own.
function tests.test_ErrorsOfCommands()
  local result = pipe { "x = c:client(function() c:sleep(1) error 'mine' end)", ":fork", ":sleep 2", "1 + 1" }
  command.assert_code(result, 1)
  command.assert_has(result.out, "  d = c:fork()\n1 client is running (of", "\nshell:1: mine\n", "\n2\n")
  command.assert_lacks(result.out, "raftbench:", "lua/raft")
end

-- The calls of commands are kept as those that are typed.
command.add(tests, "ASessionOfCommandsIsSaved", function(folder)
  local path = folder .. "/saved.lua"
  local session = command.run { "shell", "--mode", "sim", "--nodes", "3", input = ":leader\n:crash leader\n:leader\n"
    .. ":set k 1\n:sleep 0.1\n:save " .. path .. "\nc:trace_hash()\n" }
  command.assert_code(session, 0)
  local replay = command.assert_code(command.run { "run", path }, 0)
  lu.assertEquals(replay.out, session.out:match '"(%x+)"\n$' .. "\n")
end)

function tests.test_WhatIsNotWholeAtTheEndIsAnError()
  local result = pipe { "for i = 1, 2 do" }
  command.assert_code(result, 1)
  command.assert_match(result.out, "^shell:1: 'end' expected near '?<eof>")
end

function tests.test_CommandsWithoutACluster()
  local result = pipe { "c:shutdown()", ":crash 1", ":help crash", ":watch off" }
  command.assert_has(result.out, "there is no cluster: make one (c = raft.cluster", ":crash NODES\n",
    "no longer watching")
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
