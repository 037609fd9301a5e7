-- Histories as files: ours in JSON lines, Jepsen's in EDN.
local lu = require "luaunit"
local raft = require "raft"
local clusters = require "spec.support.clusters"
local reader = require "raft.history.read"

local tests = {}
local null = raft.null

local function file_of(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

local function read(text, progress)
  local path = file_of(text)
  local results = { raft.read_history(path, progress) }
  os.remove(path)
  if not results[1] then
    results[2] = results[2]:gsub("^" .. path:gsub("%p", "%%%0"), "FILE")
  end
  return (table.unpack or unpack)(results, 1, 4)
end

-- Just what the entries say.
local function of(h, ...)
  local list = {}
  for position, entry in ipairs(h) do
    list[position] = {}
    for _, name in ipairs { ... } do
      list[position][#list[position] + 1] = entry[name] == nil and "-" or entry[name]
    end
  end
  return list
end

clusters.in_both(tests, "WhatIsWrittenIsReadAgain", { nodes = 3 }, function(c)
  local h = c:workload { kind = "set", count = 60, prefix = 'odd "key"\n\255' }
  assert(h:wait(60))
  local path = file_of ""
  assert(h:write(path))
  local again = assert(raft.read_history(path))
  os.remove(path)
  lu.assertEquals(#again, #h)
  for index, entry in ipairs(h) do
    lu.assertEquals(again[index], entry)
  end
end)

tests.test_JepsensMaps = function()
  local h = assert(read [=[
; a register
{:type :invoke, :f :write, :value 3, :time 10, :process 0, :index 0}
{:process :nemesis, :type :info, :f :start, :value {:cut #{"n1" "n2"}}, :time 11}
{:type :invoke, :f :read, :value nil, :time 12, :process 1}
{:type :info, :f :write, :value 3, :time 13, :process 0, :error [:timeout "late"]}
#jepsen.history.Op{:type :ok, :f :read, :value nil, :time 14, :process 1}
{:type :invoke, :f :cas, :value [3 4], :time 15, :process 1} {:type :fail, :f :cas, :value [3 4], :time 16, :process 1,
 :error :mismatch}]=])
  lu.assertEquals(of(h, "index", "process", "type", "f", "value", "time"), {
    { 1, 0, "invoke", "write", 3, 10 }, { 2, "nemesis", "info", "start", { cut = { "n1", "n2" } }, 11 },
    { 3, 1, "invoke", "read", "-", 12 }, { 4, 0, "info", "write", 3, 13 }, { 5, 1, "ok", "read", null, 14 },
    { 6, 1, "invoke", "cas", { 3, 4 }, 15 }, { 7, 1, "fail", "cas", { 3, 4 }, 16 },
  })
  lu.assertEquals(h[4].error, '["timeout","late"]')
  lu.assertEquals(h[7].error, "mismatch")
end

tests.test_OneVectorOfThem = function()
  local h = assert(read "[{:type :invoke :f :read :process 1} {:type :ok :f :read :process 1 :value 2}]")
  lu.assertEquals(of(h, "type", "value", "time"), { { "invoke", "-", 1 }, { "ok", 2, 2 } })
  h = assert(read '[{"type":"invoke","f":"read","process":1},{"type":"ok","f":"read","process":1,"value":2}]')
  lu.assertEquals(of(h, "type", "value", "time"), { { "invoke", "-", 1 }, { "ok", 2, 2 } })
end

tests.test_IndependentKeys = function()
  local h = assert(read [=[
{:type :invoke, :f :write, :value [7 1], :process 0}
{:type :invoke, :f :read, :value [8 nil], :process 1}
{:type :ok, :f :write, :value [7 1], :process 0}
{:type :ok, :f :read, :value [8 nil], :process 1}
{:type :invoke, :f :cas, :value [8 [1 2]], :process 1}]=])
  lu.assertEquals(of(h, "key", "value"), { { 7, 1 }, { 8, "-" }, { 7, 1 }, { 8, null }, { 8, { 1, 2 } } })
  -- A list that is read is no key and value.
  h = assert(read [=[
{:type :invoke, :f :read, :value nil, :process 0}
{:type :ok, :f :read, :value [1 2], :process 0}]=])
  lu.assertEquals(of(h, "key", "value"), { { "-", "-" }, { "-", { 1, 2 } } })
end

local function refused(text, message)
  local h, problem, code = read(text)
  lu.assertNil(h)
  lu.assertEquals(problem, "FILE:" .. message)
  lu.assertEquals(code, "storage")
end

tests.test_WhatIsWrongIsToldWithItsPlace = function()
  refused('{"type":"invoke","f":"read","process":1}\n{"type":ok}\n', "2:9: a value is expected")
  refused("{:type :invoke :f :read :process 1}\n\n  {:type :ok :f", "3:3: a bracket that is not closed")
  refused("{:type :begin :f :read :process 1}", "1:1: `type` is not invoke, ok, fail or info")
  refused("{:type :ok :f :read :process 1}", "1:1: process 1 is answered but has asked nothing")
  refused("7", "1:1: an entry is expected: a map of type, process, f, value")
  refused("{:type :invoke :process 1}", "1:1: `f`, the operation's name, is missing")
  refused("{:type :invoke :f :read}", "1:1: `process` is missing")
  refused("{:type :invoke :f :read :process 1 :time 1.5}", "1:1: `time` is not a whole number of nanoseconds")
  refused("{:type :invoke :f :read :process 1}\n{:type :invoke :f :read :process 1}",
    "2:1: process 1 asks before its operation of entry 1 has ended")
  refused("{:type :invoke :f :read :process 1}\n{:type :ok :f :write :process 1}",
    "2:1: process 1 asked for 'read' in entry 1 and is answered 'write'")
  local h, problem = raft.read_history "no/such/file"
  lu.assertNil(h)
  lu.assertStrContains(problem, "no/such/file")
end

tests.test_EmptyOnesAndProgress = function()
  lu.assertEquals(#assert(read "; nothing\n"), 0)
  local lines = {}
  for number = 1, 5000 do
    lines[number] = '{"type":"invoke","f":"read","process":' .. number .. "}"
  end
  local told = 0
  lu.assertEquals(#assert(read(table.concat(lines, "\n"), function(done, all)
    lu.assertTrue(done <= all)
    told = told + 1
  end)), 5000)
  lu.assertEquals(told, 1)
end

-- Any bytes give a history or a problem with its place, never an error of ours.
tests.test_AnyBytes = function()
  local stream = raft.core.stream(clusters.seed(), "bytes")
  local pieces = { "{", "}", "[", "]", ":type", " :invoke", " :ok", ":f", " :read", ":process", " 1", '"', "\\", "\n",
    ";", "#_", "#", "^", '"type":"ok"', ",", ":", "nil", "\0", "\255", "-", "1e9",
    '{"type":"invoke","f":"x","process":2}' }
  for _ = 1, 3000 do
    local parts = {}
    for position = 1, stream:random(0, 24) do
      parts[position] = pieces[stream:random(1, #pieces)]
    end
    local h, problem = reader.text(table.concat(parts), "FILE")
    lu.assertTrue(h ~= nil or problem:find "^FILE:%d+:%d+: " ~= nil, problem)
  end
end

return tests
