-- raft.linearizable: what it says of histories that a person can judge. The proofs against exhaustive search are in
-- linear_twins_spec.lua.
local lu = require "luaunit"
local raft = require "raft"
local histories = require "raft.bench.histories"

local tests = {}

-- "1 invoke write 7; 1 ok write 7": a history, entry by entry: process, type, f, and what else there is: a value, or
-- NAME=VALUE, in Lua's notation.
local function history(text)
  local entries = {}
  for line in text:gmatch "[^;\n]+" do
    local process, kind, f, rest = line:match "^%s*(%S+)%s+(%S+)%s+(%S+)%s*(.-)%s*$"
    if process then
      local entry = { process = tonumber(process) or process, type = kind, f = f }
      for word in rest:gmatch "%S+" do
        local name, value = word:match "^(%a[%w_]*)=(.*)$"
        local read = assert(load("local null = ... return " .. (value or word)))
        entry[name or "value"] = read(raft.null)
      end
      entries[#entries + 1] = entry
    end
  end
  return entries
end

local function assert_yes(text, model)
  lu.assertEquals({ raft.linearizable(history(text), model) }, { true })
end

local function assert_no(text, model)
  local verdict, explanation = raft.linearizable(history(text), model)
  lu.assertFalse(verdict)
  lu.assertStrContains(tostring(explanation), "not linearizable")
  return explanation
end

function tests.test_ARegisterThatIsReadWhileItIsWritten()
  assert_yes("1 invoke write 1; 2 invoke read; 2 ok read null; 1 ok write 1", "register")
  assert_yes("1 invoke write 1; 2 invoke read; 2 ok read 1; 1 ok write 1", "register")
end

function tests.test_AStaleReadIsNone()
  local explanation = assert_no([[
    1 invoke write 1; 1 ok write 1; 1 invoke write 2; 1 ok write 2
    3 invoke write 9; 3 ok write 9; 3 invoke read; 3 ok read 9
    4 invoke write 1000; 2 invoke read; 2 ok read 1]], "register")
  lu.assertEquals(explanation.rung, "distinct")
  lu.assertEquals(explanation.operation.text, "process 2: read 1")
  lu.assertEquals(explanation.operation.complete, 11)
  lu.assertEquals(#explanation.kept, 3)
  local said = {}
  for number, operation in ipairs(explanation.certificate) do
    said[number] = operation.text
  end
  lu.assertEquals(said, { "process 1: write 1", "process 3: write 9", "process 2: read 1" })
  local longest = explanation.longest[5]
  lu.assertEquals(#longest, 2)
  lu.assertEquals(longest[2].operation.text, "process 3: write 9")
  lu.assertEquals(longest[2].state, 9)
  lu.assertStrContains(tostring(explanation), "process 1: write 1, entries 1 to 2")
end

-- A search through all that 50 clients may have done takes longer than anybody waits.
function tests.test_AStaleReadInALongHistoryOfRepeatedValues()
  local entries = histories.make("register", { clients = 50, operations = 20000, values = 5, mostly_reads = true })
  lu.assertTrue(raft.linearizable(entries, "register"))
  local place = histories.plant_stale_read(entries, 5)
  local verdict, explanation = raft.linearizable(entries, "register", { timeout = 60 })
  lu.assertFalse(verdict)
  lu.assertEquals(explanation.operation.complete, place)
  lu.assertTrue(#explanation.kept < 30, #explanation.kept)
  local kept = {} -- which is not linearizable either
  for _, operation in ipairs(explanation.kept) do
    kept[operation.invoke], kept[operation.complete or 0] = true, true
  end
  local rest = {}
  for number, entry in ipairs(entries) do
    if kept[number] then
      rest[#rest + 1] = entry
    end
  end
  lu.assertFalse(raft.linearizable(rest, "register"))
end

function tests.test_TwoValuesThatAreEachBeforeTheOther()
  local explanation = assert_no([[
    1 invoke write 1; 2 invoke write 2; 1 ok write 1; 2 ok write 2
    3 invoke read; 3 ok read 1; 3 invoke read; 3 ok read 2; 3 invoke read; 3 ok read 1]], "register")
  lu.assertEquals(#explanation.certificate, 4)
  explanation = assert_no([[
    1 invoke write 1; 2 invoke write 2; 3 invoke read; 3 ok read 1; 4 invoke read; 4 ok read 2
    3 invoke read; 4 invoke read; 3 ok read 1; 4 ok read 2; 1 ok write 1; 2 ok write 2
    3 invoke read; 3 ok read 1; 4 invoke read; 4 ok read 2]], "register")
  lu.assertStrContains(tostring(explanation), "returned before")
end

-- What an unknown dequeue took has to be gone, which is all that is known of it.
function tests.test_AnUnknownDequeueOfAQueueThatWasFoundEmpty()
  local text = "1 invoke enqueue 1; 1 ok enqueue 1; 2 invoke dequeue; 2 info dequeue; " ..
    "3 invoke dequeue; 3 ok dequeue null"
  assert_yes(text, "queue")
  assert_no(text .. "; 3 invoke dequeue; 3 ok dequeue 1", "queue")
  assert_no((text:gsub("2 invoke dequeue; 2 info dequeue; ", "")), "queue")
end

-- Until the last dequeue returned, the unknown one may have taken the value.
function tests.test_WhereAQueueEndsIsToldExactly()
  local explanation = assert_no("1 invoke enqueue 1; 2 invoke dequeue; 1 ok enqueue 1; 3 invoke dequeue; " ..
    "3 ok dequeue null; 3 invoke dequeue; 3 ok dequeue 1", "queue")
  lu.assertEquals(explanation.operation.complete, 7)
end

function tests.test_AnUnknownWriteMayTakeEffectLate()
  local text = "1 invoke write 1; 1 info write 1; 2 invoke read; 2 ok read null; 2 invoke read; 2 ok read 1"
  assert_yes(text, "register")
  assert_no(text .. "; 2 invoke read; 2 ok read null", "register")
end

function tests.test_AFailedWriteIsNotSeen()
  assert_no("1 invoke write 1; 1 fail write 1; 2 invoke read; 2 ok read 1", "register")
end

function tests.test_ARefusedCasIsARead()
  local text = "1 invoke write 1; 1 ok write 1; 2 invoke cas {2,3}; 2 fail cas error='mismatch' %s"
  assert_yes(text:format "seen=1", "cas-register")
  assert_no(text:format "seen=4", "cas-register")
  assert_yes(text:format "", "cas-register")
  assert_no(text:format("") .. "; 3 invoke cas {1,2}; 3 ok cas {1,2}; 3 invoke cas {2,9}; 3 fail cas error='mismatch'",
    "cas-register")
end

function tests.test_KeysAreApart()
  local text = "1 invoke write key='a' 1; 1 ok write 1; 1 invoke write key='b' 2; 1 ok write 2; " ..
    "2 invoke read key='a'; 2 ok read %d"
  assert_yes(text:format(1), "kv")
  local explanation = assert_no(text:format(2), "kv")
  lu.assertEquals(explanation.key, "a")
end

function tests.test_KvAppendsToStrings()
  local text = "1 invoke append 'x'; 1 ok append; 2 invoke append 'y'; 2 ok append; 3 invoke read; 3 ok read %s"
  assert_yes(text:format "'xy'", "kv")
  assert_no(text:format "'yx'", "kv")
end

function tests.test_ASet()
  assert_yes("1 invoke add 1; 1 ok add 1; 1 invoke contains 1; 1 ok contains 1 result=true", "set")
  assert_no("1 invoke add 1; 1 ok add 1; 1 invoke contains 1; 1 ok contains 1 result=false", "set")
  assert_yes("1 invoke add 2; 1 ok add 2; 1 invoke add 1; 1 ok add 1; 1 invoke read; 1 ok read {2,1}", "set")
  assert_no("1 invoke add 2; 1 ok add 2; 1 invoke add 1; 1 ok add 1; 1 invoke read; 1 ok read {1}", "set")
end

function tests.test_AQueue()
  local text = "1 invoke enqueue 1; 1 ok enqueue 1; 1 invoke enqueue 2; 1 ok enqueue 2; " ..
    "2 invoke dequeue; 2 ok dequeue %s"
  assert_yes(text:format "1", "queue")
  assert_no(text:format "2", "queue")
  assert_no(text:format "null", "queue")
end

function tests.test_AListThatIsAppendedTo()
  local text = "1 invoke append 1; 2 invoke append 2; 1 ok append 1; 2 ok append 2; 3 invoke read; 3 ok read %s"
  assert_yes(text:format "{2,1}", "append")
  assert_no(text:format "{1}", "append")
end

local counter = {
  init = 0,
  step = function(state, operation)
    if operation.f == "add" then
      return state + operation.value
    end
    return operation.result == state and state or nil
  end,
}

function tests.test_AModelOfOnesOwn()
  local text = "1 invoke add 3; 2 invoke add 4; 1 ok add; 3 invoke read; 3 ok read %d; 2 ok add; " ..
    "3 invoke read; 3 ok read 7"
  assert_yes(text:format(3), counter)
  local explanation = assert_no(text:format(5), counter)
  lu.assertEquals(explanation.rung, "general")
  lu.assertEquals(explanation.operation.text, "process 3: read 5")
  lu.assertEquals(#explanation.configurations > 0, true)
end

function tests.test_AnErrorInAModelIsRaised()
  lu.assertErrorMsgContains("no such luck", raft.linearizable, history "1 invoke x 1; 1 ok x 1",
    { init = 0, step = function() error "no such luck" end })
end

function tests.test_AMalformedHistoryNamesTheEntry()
  local function problem(text, model)
    local fine, message = pcall(raft.linearizable, history(text), model or "register")
    lu.assertFalse(fine)
    return message
  end
  lu.assertStrContains(problem "1 ok write 1", "entry 1: process 1 ends an operation, but has none under way")
  lu.assertStrContains(problem "1 invoke write 1; 1 invoke write 2", "entry 2: process 1 begins an operation")
  lu.assertStrContains(problem "1 invoke write 1; 1 ok read 1", "entry 2: process 1 ends an operation 'read'")
  lu.assertStrContains(problem "1 invoke enqueue 1", "entry 1: the model \"register\" has no operation 'enqueue'")
  lu.assertStrContains(problem("1 invoke cas 1", "kv"), "entry 1: the value of a cas is {old, new}")
  lu.assertStrContains(problem "1 begin write 1", "entry 1: its type is")
end

function tests.test_WhatIsNotAClientsIsSkipped()
  assert_yes("1 invoke write 1; nemesis info kill; 1 ok write 1", "register")
end

-- Appends that were never read come in any order: the states are as many as the orders.
function tests.test_ALimitIsNeverAYes()
  local entries = {}
  for process = 1, 12 do
    entries[#entries + 1] = { process = process, type = "invoke", f = "append", value = process, key = "k" }
  end
  for process = 1, 12 do
    entries[#entries + 1] = { process = process, type = "ok", f = "append" }
  end
  local order = {
    init = {},
    step = function(state, operation)
      if operation.f == "never" then
        return nil
      end
      state[#state + 1] = operation.value
      return state
    end,
  }
  entries[#entries + 1] = { process = 1, type = "invoke", f = "never" }
  entries[#entries + 1] = { process = 1, type = "ok", f = "never" }
  local verdict, message, code = raft.linearizable(entries, order, { timeout = 0.05 })
  lu.assertNil(verdict)
  lu.assertEquals(message, "not decided: the limit of time was reached")
  lu.assertEquals(code, "timeout")
  verdict, message, code = raft.linearizable(entries, order, { memory = 1000000 })
  lu.assertNil(verdict)
  lu.assertEquals(message, "not decided: the limit of memory was reached")
  lu.assertEquals(code, "timeout")
end

return tests
