-- `raftbench tour`: each step shows what its text says, the same each time, fitted to the width; how the reader moves.
local lu = require "luaunit"
local command = require "spec.support.command"
local display = require "raft.view.display"
local terminal = require "spec.support.terminal"
local tour = require "raft.tour"

local tests = {}

local kept

-- What the whole tour prints, as a list of its steps' texts.
local function steps()
  if not kept then
    kept = {}
    local out = command.assert_code(command.run { "tour", "--width", "100" }, 0).out
    local rest = out
    for number = 1, tour.count() do
      local from = rest:find(number .. "/10  " .. tour.title(number), 1, true)
      lu.assertNotNil(from, "step " .. number)
      local following = number < tour.count() and rest:find((number + 1) .. "/10  ", from, true) or #rest + 1
      kept[number] = rest:sub(from, following - 1)
    end
  end
  return kept
end

-- Each step has these, in this order.
local shown = {
  { "no agreed leader", "> leader, term = c:check_one_leader()", "candidate t1", "votes for 1 t1", "LEADER t1",
    "Node 1 leads term 1" },
  { '> c:set("apples", 3)', "appends 2", "COMMIT 2", "applies 2", "A = term 1", '> c:get "apples"\n    3' },
  { "> c:crash(leader)", "crash(1)", "LEADER t2", "1  crashed", "AABB" },
  { "> c:campaign({ 2, 3 }, { force = true })", "votes for itself t2", "votes for itself t2", "> c:leaders()\n    {}",
    "leads term 3" },
  { "> c:partition { leader, friend }", "believes that it leads term 1", "AAa", "partition: {1, 2} | {3, 4, 5}",
    "removes 3", '> c:get "apples"\n    4', "AABB" },
  { "> c:change_members { voters = { 3, 4, 5 } }", "(joint)", "members 3,4,5", "stops: removed", "removed: 1, 2" },
  { "> c:disk(slow, { sync_delay = 1 })", "AAa", "> c:crash(slow)", "AA.", "starts t1 log 1..2", "synced 3", "AAA" },
  { "$ raftbench fuzz ", "tour/forgets.lua", "FOUND: machines answer alike (seed 1" },
  { "--shrink", "from 11 faults", "to   1 fault", "snapshot at 10", "installs snapshot at 10", "c:campaign(1)",
    "c:link(1, 3, { cut = true })" },
  { '> c:get("apples", { node = leader, read = "stale" })\n    3', "raft.linearizable(history", "false",
    "The history is not linearizable", "been replaced by that of (2)", "end of the tour" },
}

for number, texts in ipairs(shown) do
  tests[("test_Step%02d"):format(number)] = function()
    local text, at = steps()[number], 1
    for _, part in ipairs(texts) do
      local _, last = text:find(part, at, true)
      if not last then
        lu.fail(("there is no '%s' behind what came before it in:\n%s"):format(part, text))
      end
      at = last + 1
    end
  end
end

function tests.test_ItFitsTheWidth_AndIsTheSameEachTime()
  for _, width in ipairs { 60, 100 } do
    local result = command.assert_code(command.run { "tour", "--width", tostring(width) }, 0)
    lu.assertEquals(result.err, "")
    for _, line in ipairs(result.lines) do
      lu.assertTrue(display.width(line) <= width, line)
    end
    lu.assertNil(result.out:find "\27")
    if width == 100 then
      lu.assertEquals(result.out, table.concat(steps()))
    end
  end
end

function tests.test_OneStep_AndWrongOnes()
  local out = command.assert_code(command.run { "tour", "9", "--width", "100" }, 0).out
  lu.assertEquals(out, steps()[9])
  command.assert_has(command.assert_code(command.run { "tour", "11" }, 2).err, "the tour has 10 steps")
  command.assert_code(command.run { "tour", "0" }, 2)
  command.assert_code(command.run { "tour", "x" }, 2)
end

function tests.test_TheEnvironmentChangesNothing()
  local out = command.assert_code(command.run { "tour", "1", "--width", "100",
    env = { RAFTBENCH_SEED = "7", RAFTBENCH_MODE = "tcp" } }, 0).out
  lu.assertEquals(out, steps()[1])
end

-- The reader's answers, one after the other; which steps were begun.
local function read(answers, height)
  local texts, position, asked = {}, 0, 0
  tour.run(require("raft.tour.screen").new {
    write = function(text) texts[#texts + 1] = text end, width = 80, colour = false, height = height or 1000,
    count = tour.count(),
    read = function()
      position, asked = position + 1, asked + 1
      return answers[position]
    end,
  }, 1, tour.count())
  local list = {}
  for number in table.concat(texts):gmatch "(%d+)/10  " do
    list[#list + 1] = tonumber(number)
  end
  return list, asked
end

function tests.test_TheReaderGoesOnBackAndToAStep()
  lu.assertEquals({ read { "q" } }, { { 1 }, 1 })
  lu.assertEquals((read { "", "b", "b", "n", "7", "", "Q" }), { 1, 2, 1, 1, 2, 7, 8 })
  lu.assertEquals((read { "nonsense", "0", "11", "2", nil }), { 1, 2 }) -- asked again; the end of input leaves
  lu.assertEquals((read { "10", "" }), { 1, 10 })
end

function tests.test_AScreenAtATime()
  local list, asked = read({ "", "", "", "", "4", "q" }, 20)
  lu.assertEquals(list[1], 1)
  lu.assertEquals(list[#list], 4)
  lu.assertEquals(asked, 6)
end

function tests.test_InATerminal()
  if not terminal.is_there() then
    lu.skip "tmux is not here (Debian: apt install tmux)"
  end
  terminal.with("tour", {}, function(t)
    t:see "1/10  An election"
    t:see "Enter: more"
    t:mark()
    t:press "Enter"
    t:see "Node 1 leads term 1"
    t:see "Enter: step 2, Replication"
    t:mark()
    t:type "10"
    t:press "Enter"
    t:see "10/10  A read that is too old"
    t:see "Enter: "
    t:mark()
    t:type "q"
    t:press "Enter"
    t:see "ended with 0"
  end, { 80, 24 }, "Enter: ")
end

return tests
