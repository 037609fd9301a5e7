-- Workers: children of this process that run a function in a copy of it.
local raft = require "raft"
local workers = require "raft.workers"
local lu = require "luaunit"
local processes = require "spec.support.processes"

local core = raft.core

local tests = {}

-- All events until every worker has ended.
local function run_out(list)
  local records, ended, left = {}, {}, #list
  while left > 0 do
    for _, event in ipairs(workers.wait(list, 10)) do
      if event.record ~= nil then
        records[#records + 1] = event.record
      else
        ended[#ended + 1], left = event.ended, left - 1
      end
    end
  end
  return records, ended
end

function tests.test_WhatItTellsArrivesInOrder()
  local worker = assert(workers.start(function(tell)
    for number = 1, 1000 do
      tell { number = number, text = ("x"):rep(number) }
    end
    return 3
  end))
  local records, ended = run_out { worker }
  lu.assertEquals(#records, 1000)
  lu.assertEquals(records[1000], { number = 1000, text = ("x"):rep(1000) })
  lu.assertEquals(ended[1].status, 3)
end

function tests.test_ItTakesWhatIsSent()
  local worker = assert(workers.start(function(tell, take)
    for order in take do
      tell { square = order.number * order.number }
    end
  end))
  for number = 1, 3 do
    lu.assertTrue(worker:send { number = number })
    lu.assertEquals(workers.wait({ worker }, 10)[1].record, { square = number * number })
  end
  worker:kill()
  lu.assertEquals(workers.wait({ worker }, 10)[1].ended.signal, 9)
  lu.assertEquals(workers.wait({ worker }, 0), {})
  lu.assertFalse(worker:send { number = 4 })
end

function tests.test_AForkedOneGoesOnWhereItIs()
  local answer = workers.call(function()
    local told = {}
    for number = 1, 3 do
      local child = workers.fork()
      if child == false then
        return { number, #told } -- the end of the worker is its child's too
      end
      told[number] = workers.wait({ child }, 10)[1].record.value
      child:kill()
    end
    return told
  end, 10)
  lu.assertEquals(answer.value, { { 1, 0 }, { 2, 1 }, { 3, 2 } })
end

function tests.test_OnlyAWorkerIsForkedWhereItIs()
  lu.assertErrorMsgContains("only a worker", workers.fork)
end

function tests.test_WhatItDoesChangesNothingHere()
  local here = { 1 }
  local c = assert(raft.cluster { mode = "sim", seed = 5 })
  c:wait_leader()
  local before = c:trace_hash()
  local answer = workers.call(function()
    here[1] = 2
    c:crash(c:leader())
    c:sleep(1)
    return c:trace_hash()
  end, 10)
  lu.assertEquals(here, { 1 })
  lu.assertEquals(c:trace_hash(), before)
  c:crash(c:leader())
  c:sleep(1)
  lu.assertEquals(c:trace_hash(), answer.value)
  c:shutdown()
end

function tests.test_ItLeavesSocketsAlone()
  local c = assert(raft.cluster { mode = "tcp", nodes = 3 })
  assert(c:set("a", 1))
  lu.assertEquals(workers.call(function()
    c = nil
    collectgarbage()
    return collectgarbage() == 0
  end, 10).value, true)
  assert(c:set("b", 2))
  lu.assertEquals(c:get "b", 2)
  c:shutdown()
end

function tests.test_HowItDiedIsTold()
  local answer = workers.call(function()
    io.stderr:write "the last words\n"
    error "of no use"
  end, 10)
  lu.assertEquals(answer.died, "ended with status 1")
  lu.assertStrContains(answer.text, "the last words\n")
  lu.assertStrContains(answer.text, "of no use")
  local killed = workers.call(function()
    os.execute "kill -KILL $PPID"
    os.execute "sleep 10"
  end, 10)
  lu.assertEquals(killed.died, "was killed by signal 9 (killed)")
end

function tests.test_OneThatHangsIsEnded()
  local started_ns = core.clock_ns()
  local answer = workers.call(function()
    print "round and round"
    while true do
      started_ns = started_ns + 1
    end
  end, 1)
  lu.assertTrue(answer.hung)
  lu.assertStrContains(answer.text, "round and round")
  lu.assertTrue(core.clock_ns() - started_ns < 10e9)
end

-- Of a parent, too, that keeps what it prints (LuaJIT ends a line with a call of its own).
function tests.test_LinesOfOneThatHangsAreWrittenAtOnce()
  local text = workers.call(function()
    io.stdout:setvbuf "full"
    print "kept back"
    return workers.call(function()
      print "round and round"
      while true do
        os.execute "sleep 1"
      end
    end, 0.3).text
  end, 10).value
  lu.assertEquals(text, "round and round\n")
end

function tests.test_OfWhatItPrintsTheEndIsKept()
  local answer = workers.call(function()
    for number = 1, 100000 do
      print("line " .. number)
    end
    error "enough"
  end, 10)
  lu.assertTrue(#answer.text <= 16384)
  lu.assertStrContains(answer.text, "line 100000\n")
  lu.assertStrContains(answer.text, "enough")
end

function tests.test_WhatWasWrittenAndNotFlushedIsWrittenOnce()
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:setvbuf "full"
  file:write "once\n"
  lu.assertEquals(workers.call(function()
    return 1
  end, 10).value, 1)
  file:close()
  lu.assertEquals(assert(io.open(path)):read "*a", "once\n")
  os.remove(path)
end

function tests.test_NoneOutlivesItsParent()
  local answer = workers.call(function()
    local inner = workers.start(function(tell)
      tell(true)
      while true do
        os.execute "sleep 1"
      end
    end)
    workers.wait({ inner }, 10)
    return inner.pid
  end, 10)
  local pid = answer.value
  lu.assertTrue(pid > 0)
  -- It ends with its parent; somebody else may still have to wait for it.
  processes.wait("it to end", function()
    return processes.has_ended(pid)
  end, 10)
end

return tests
