-- `raftbench menu`: each of the twelve commands, what it says to wrong input, and how it ends.
local lu = require "luaunit"
local command = require "spec.support.command"
local menu = require "raft.menu"

local tests = {}

local HEAD_LINES = 13 -- a title and the twelve commands

local function answers_of(result)
  local answers = {}
  for position = HEAD_LINES + 1, #result.lines do
    answers[#answers + 1] = result.lines[position]
  end
  return answers
end

local function talk(mode, lines)
  local result = command.run { "menu", "--mode", mode, input = table.concat(lines, "\n") .. "\n" }
  lu.assertEquals(result.err, "")
  return result, answers_of(result)
end

-- Types each line and compares the answer with its pattern; nothing but the closing lines may follow.
local function converse(mode, exchange, closing)
  local lines = {}
  for position, pair in ipairs(exchange) do
    lines[position] = pair[1]
  end
  local result, answers = talk(mode, lines)
  for position, pair in ipairs(exchange) do
    local answer = answers[position] or "(nothing)"
    if not answer:find("^" .. pair[2] .. "$") then
      lu.fail(("'%s' was answered '%s', which is not '%s'; all it said:\n%s"):format(pair[1], answer, pair[2],
        result.out))
    end
  end
  local rest = { (table.unpack or unpack)(answers, #exchange + 1) } -- luacheck: ignore 113 143
  lu.assertEquals(rest, closing or { "the cluster is shut down" })
  command.assert_code(result, 0)
end

local function in_both(name, exchange, closing)
  for _, mode in ipairs { "sim", "tcp", "process" } do
    tests[("test_%s_%s"):format(name, mode)] = function()
      converse(mode, exchange, closing)
    end
  end
end

local created = "created a cluster of 3 nodes; node [1-3] leads in term %d+"
local no_cluster = " needs a cluster: create one first %(1 N%)"

function tests.test_TheCommandsAreListed()
  local result = talk("sim", { "10" })
  local names = {}
  for position = 2, HEAD_LINES do
    names[position - 1] = result.lines[position]:gsub("^%s*(%d+).-  +", "%1 ")
  end
  lu.assertEquals(names, {
    "1 create cluster", "2 set", "3 get", "4 disconnect", "5 reconnect", "6 crash", "7 restart", "8 shutdown",
    "9 check leader", "10 stop", "11 add servers", "12 remove servers",
  })
end

-- ---- each command's answer ----------------------------------------------------------------------

in_both("AllTwelveCommands", {
  { "1 3", created },
  { "2 key 42", "key = 42 %(index %d+%)" },
  { "3 key", "key = 42" },
  { "4 2", "node 2 is disconnected" },
  { "5 2", "node 2 is connected again" },
  { "6 3", "node 3 has crashed" },
  { "7 3", "node 3 runs again" },
  { "9", "node [1-3] leads in term %d+" },
  { "11 4 5", "added nodes 4, 5; the members are 1, 2, 3, 4, 5" },
  { "2 key again", "key = again %(index %d+%)" },
  { "12 4 5", "removed nodes 4, 5; the members are 1, 2, 3" },
  { "3 key", "key = again" },
  { "8", "the cluster is shut down" },
  { "10", "stopped" },
}, {})

in_both("OneServerAtATime", {
  { "1 1", "created a cluster of 1 node; node 1 leads in term %d+" },
  { "11 2", "added node 2; the members are 1, 2" },
  { "12 2", "removed node 2; the members are 1" },
  { "11 2", "added node 2; the members are 1, 2" },
})

in_both("ANewClusterAfterAShutdown", {
  { "1 1", "created .*" },
  { "2 key old", "key = old .*" },
  { "8", "the cluster is shut down" },
  { "1 3", created },
  { "3 key", "there is no key 'key'" },
})

in_both("WhatIsWrittenOutlivesACrash", {
  { "1 3", created },
  { "2 key kept", "key = kept .*" },
  { "6 1", "node 1 has crashed" },
  { "7 1", "node 1 runs again" },
  { "6 2", "node 2 has crashed" },
  { "9", "node [13] leads in term %d+" },
  { "3 key", "key = kept" },
})

in_both("Values", {
  { "1 1", "created .*" },
  { "2 k -7", "k = %-7 .*" },
  { "2 k 9007199254740993", "k = 9007199254740993 .*" },
  { "3 k", "k = 9007199254740993" },
  { "2 k 1.5", "k = 1%.5 .*" },
  { "3 k", "k = 1%.5" },
  { "2 k true", "k = true .*" },
  { "3 k", "k = true" },
  { "2 k false", "k = false .*" },
  { "3 k", "k = false" },
  { '2 k "two words"', "k = two words .*" },
  { "3 k", "k = two words" },
  { '2 "a key" \'7\'', "a key = 7 .*" },
  { "3 'a key'", "a key = 7" },
  { "2 k 4x", "k = 4x .*" },
  { "3   k  ", "k = 4x" },
  { '2 k ""', "k =  .*" },
  { "3 k", "k = " },
})

-- Only the leader takes what is meant for one peer; whoever it is, the two others name it.
for _, mode in ipairs { "sim", "tcp" } do
  tests["test_AnOptionalPeer_" .. mode] = function()
    local result, answers = talk(mode, { "1 3", "2 k v 1", "2 k v 2", "2 k v 3", "3 k 1", "3 k 2", "3 k 3" })
    command.assert_code(result, 0)
    local leader = answers[1]:match("node (%d) leads")
    for id = 1, 3 do
      local set, get = answers[1 + id], answers[4 + id]
      if id == tonumber(leader) then
        command.assert_match(set, "^k = v %(index %d+%)$")
        lu.assertEquals(get, "k = v")
      else
        lu.assertEquals(set, ("not set: node %d does not lead; node %s does"):format(id, leader))
        lu.assertEquals(get, ("not read: node %d does not lead; node %s does"):format(id, leader))
      end
    end
  end
end

function tests.test_ACrashedPeerIsNotAsked()
  converse("sim", {
    { "1 3", created },
    { "6 2", "node 2 has crashed" },
    { "2 k v 2", "not set: .*2.*" },
    { "3 k 2", "not read: .*2.*" },
  })
end

-- What cannot be done is said, and the menu goes on. (In the simulated world its ten seconds take no time.)
function tests.test_WithoutAQuorum()
  converse("sim", {
    { "1 3", created },
    { "4 1", "node 1 is disconnected" },
    { "4 2", "node 2 is disconnected" },
    { "4 3", "node 3 is disconnected" },
    { "2 k v", "not set: .+" },
    { "3 k", "not read: .+" },
    { "9", "one leader was expected, but .+" },
    { "11 4", "not added: .+" },
    { "5 1", "node 1 is connected again" },
    { "5 2", "node 2 is connected again" },
    { "9", "node [12] leads in term %d+" },
    { "2 k v", "k = v .*" },
  })
end

-- ---- wrong input --------------------------------------------------------------------------------

in_both("WrongLinesDoNotEndIt", {
  { "", "an empty line: .*" },
  { "   ", "an empty line: .*" },
  { "0", "'0' is not a command: the commands are the numbers 1 to 12" },
  { "13", "'13' is not a command: the commands are the numbers 1 to 12" },
  { "-1", "'%-1' is not a command: .*" },
  { "1.5 3", "'1%.5' is not a command: .*" },
  { "set k v", "'set' is not a command: .*" },
  { "\"1\" 3", "'1' is not a command: .*" },
  { "99999999999999999999 1", "'99999999999999999999' is not a command: .*" },
  { "1", "create cluster lacks an argument: 1 N" },
  { "1 0", "'0' is not a number of nodes from 1 to 99" },
  { "1 100", "'100' is not a number of nodes from 1 to 99" },
  { "1 three", "'three' is not a number of nodes from 1 to 99" },
  { "1 -3", "'%-3' is not a number of nodes from 1 to 99" },
  { "1 3 3", "create cluster has too many arguments: 1 N" },
  { "2 k \"v", "a closing quote is missing" },
  { "1 1", "created .*" },
}, nil)

in_both("MissingAndBadArguments", {
  { "1 3", created },
  { "2", "set lacks an argument: 2 KEY VALUE %[ID%]" },
  { "2 k", "set lacks an argument: 2 KEY VALUE %[ID%]" },
  { "2 k v 1 x", "set has too many arguments: 2 KEY VALUE %[ID%]" },
  { "2 k v x", "'x' is not a node id" },
  { "2 k v 9", "there is no node 9 %(there are 1, 2, 3%)" },
  { "3", "get lacks an argument: 3 KEY %[ID%]" },
  { "3 k x", "'x' is not a node id" },
  { "3 k 9", "there is no node 9 %(there are 1, 2, 3%)" },
  { "3 k", "there is no key 'k'" },
  { "4", "disconnect lacks an argument: 4 ID" },
  { "4 x", "'x' is not a node id" },
  { "4 9", "there is no node 9 %(there are 1, 2, 3%)" },
  { "5", "reconnect lacks an argument: 5 ID" },
  { "5 0", "'0' is not a node id" },
  { "6", "crash lacks an argument: 6 ID" },
  { "6 9", "there is no node 9 %(there are 1, 2, 3%)" },
  { "7", "restart lacks an argument: 7 ID" },
  { "7 1", "node 1 is running" },
  { "6 1", "node 1 has crashed" },
  { "6 1", "node 1 is crashed" },
  { "8 1", "shutdown has too many arguments: 8" },
  { "9 1", "check leader has too many arguments: 9" },
  { "10 1", "stop has too many arguments: 10" },
  { "11", "add servers lacks an argument: 11 ID%.%.%." },
  { "11 x", "'x' is not a node id" },
  { "11 3", "node 3 exists already" },
  { "11 4 3", "node 3 exists already" },
  { "11 4 4", "node 4 is named twice" },
  { "12", "remove servers lacks an argument: 12 ID%.%.%." },
  { "12 9", "node 9 is not a member" },
  { "12 3 3", "node 3 is named twice" },
  { "1 3", "there is a cluster already: nodes 1, 2, 3 %(8 shuts it down%)" },
  { "2 k v", "k = v .*" },
})

in_both("CommandsBeforeAClusterExists", {
  { "2 k v", "set" .. no_cluster },
  { "3 k", "get" .. no_cluster },
  { "4 1", "disconnect" .. no_cluster },
  { "5 1", "reconnect" .. no_cluster },
  { "6 1", "crash" .. no_cluster },
  { "7 1", "restart" .. no_cluster },
  { "8", "shutdown" .. no_cluster },
  { "9", "check leader" .. no_cluster },
  { "11 4", "add servers" .. no_cluster },
  { "12 3", "remove servers" .. no_cluster },
  { "10", "stopped" },
}, {})

function tests.test_BytesThatAreNoText()
  converse("sim", { { "\1\255\0", ".* is not a command: .*" }, { "1 1", "created .*" } })
end

-- ---- how it ends --------------------------------------------------------------------------------

function tests.test_StopShutsTheClusterDownAndReadsNoFurther()
  converse("sim", { { "1 3", created }, { "10", "stopped" } })
  local _, answers = talk("sim", { "10", "1 3" })
  lu.assertEquals(answers, { "stopped" })
end

function tests.test_TheEndOfInput()
  local result = command.assert_code(command.run { "menu", input = "" }, 0)
  lu.assertEquals(#result.lines, HEAD_LINES)
  lu.assertEquals(result.err, "")
  for _, mode in ipairs { "sim", "tcp" } do
    -- A last line without a line end is a line, too.
    result = command.assert_code(command.run { "menu", "--mode", mode, input = "1 1\n2 k v" }, 0)
    local answers = answers_of(result)
    lu.assertStrContains(answers[2], "k = v")
    lu.assertEquals(answers[3], "the cluster is shut down")
  end
end

for _, signal in ipairs { "INT", "TERM" } do
  for _, mode in ipairs { "sim", "tcp" } do
    tests[("test_%s_%s"):format(signal, mode)] = function()
      local result = command.run_until({ "menu", "--mode", mode, input = "1 3\n" }, "^created", signal)
      local answers = answers_of(result)
      lu.assertEquals({ answers[2], answers[3], answers[4] }, { "interrupted", "the cluster is shut down" })
      lu.assertEquals(result.err, "")
      command.assert_code(result, 0)
    end
  end

  -- Whatever a command waits for: here a leader cannot commit what it has appended.
  tests["test_WhileACommandWaits_" .. signal] = function()
    local result = command.run_until({ "menu", "--mode", "tcp", "--verbose",
      input = "1 3\n4 1\n4 2\n4 3\n2 k v 1\n2 k v 2\n2 k v 3\n" }, "appends entry 2", signal)
    command.assert_has(result.out, "node 3 is disconnected", "interrupted", "the cluster is shut down")
    command.assert_lacks(result.out, "k = v", "no answer")
    command.assert_code(result, 0)
  end
end

function tests.test_WrongUsage()
  for _, words in ipairs { { "menu", "extra" }, { "menu", "--mode", "moon" }, { "menu", "--nodes", "3" } } do
    local result = command.assert_code(command.run(words), 2)
    lu.assertEquals(result.out, "")
    lu.assertStrContains(result.err, "raftbench menu --help")
  end
  command.assert_code(command.run { "menu", "--trace", "/nowhere/trace" }, 3)
end

function tests.test_TheDefaultWorldIsTcp()
  local result = command.run { "menu", "--verbose", input = "1 1\n" }
  command.assert_has(result.err, 'mode="tcp"')
end

-- ---- in this process: what a child cannot easily be made to meet --------------------------------

-- Runs the menu over these lines with a cluster whose `set` is this function; its code and what it wrote.
local function run_here(lines, set)
  local position, written = 0, {}
  local function nothing() end
  local cluster = {
    wait_leader = function() return 1, 1 end,
    leader = function() return 1, 1 end,
    ids = function() return { 1 } end,
    set = set,
    shutdown = function() written[#written + 1] = "(shut down)\n" return true end,
    sleep = nothing,
  }
  local code = menu.run {
    make = function() return cluster end,
    mode = "sim", interactive = false,
    write = function(text) written[#written + 1] = text end,
    read_line = function()
      position = position + 1
      return lines[position]
    end,
  }
  table.remove(written, 1)
  return code, table.concat(written)
end

function tests.test_AViolationShutsTheClusterDownAndIsTheExitCode()
  local code, text = run_here({ "1 1", "2 k v", "9", "10" }, function()
    error(setmetatable({ property = "log matching", message = "they differ" }, {
      __tostring = function() return "log matching is violated: they differ" end }))
  end)
  lu.assertEquals(code, 1)
  command.assert_has(text, "violated an invariant", "log matching is violated: they differ", "(shut down)",
    "check leader needs a cluster", "stopped")
end

function tests.test_ItIsShutDownBeforeThatIsSaid()
  local function set() return 1 end
  for _, lines in ipairs { { "1 1", "10" }, { "1 1" }, { "1 1", "8" } } do
    local _, text = run_here(lines, set)
    command.assert_has(text, "(shut down)\nthe cluster is shut down\n")
  end
end

function tests.test_AnErrorIsToldWithoutOurFiles()
  local code, text = run_here({ "1 1", "2 k v", "10" }, function()
    error("the moon is full")
  end)
  lu.assertEquals(code, 0)
  command.assert_has(text, "\nthe moon is full\n", "stopped")
  command.assert_lacks(text, ".lua")
end

return tests
