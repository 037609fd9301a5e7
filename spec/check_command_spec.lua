-- `raftbench check`: verdicts on histories from files, and the picture of a "no".
local lu = require "luaunit"
local command = require "spec.support.command"
local picture = require "raft.history.picture"
local raft = require "raft"

local tests = {}

local GOOD = [[
{:type :invoke, :f :write, :value 1, :process 0}
{:type :ok, :f :write, :value 1, :process 0}
{:type :invoke, :f :read, :value nil, :process 1}
{:type :ok, :f :read, :value 1, :process 1}
]]

local STALE = GOOD .. [[
{:type :invoke, :f :write, :value 2, :process 0}
{:type :ok, :f :write, :value 2, :process 0}
{:type :invoke, :f :read, :value nil, :process 1}
{:type :ok, :f :read, :value 1, :process 1}
]]

local function check(folder, text, ...)
  return command.run { "check", command.write(folder .. "/history", text), ... }
end

command.add(tests, "Verdicts", function(folder)
  local result = check(folder, GOOD, "--model", "register")
  command.assert_code(result, 0)
  lu.assertStrContains(result.out, "linearizable (2 operations)")
  result = check(folder, STALE, "--model", "register")
  command.assert_code(result, 1)
  lu.assertStrContains(result.out, "not linearizable: all can be explained until just before entry 8")
  lu.assertStrContains(result.out, "process 1: read 1")
end)

command.add(tests, "AsJson", function(folder)
  local good = raft.core.json_decode(check(folder, GOOD, "--model", "register", "--json").out)
  lu.assertEquals(good, { valid = true, operations = 2 })
  local result = check(folder, STALE, "--model", "register", "--json")
  command.assert_code(result, 1)
  local bad = raft.core.json_decode(result.out)
  lu.assertFalse(bad.valid)
  lu.assertEquals({ bad.operations, bad.entry }, { 4, 7 })
  lu.assertStrContains(bad.why, "read 1")
end)

command.add(tests, "AModelOfOnesOwn", function(folder)
  local model = command.write(folder .. "/counter.lua", [[
    return { init = 0, step = function(state, operation)
      return (not operation.known or operation.result == state) and state + 1 or nil
    end }]])
  local text = "{:type :invoke :f :next :process 1}\n{:type :ok :f :next :process 1 :value %d}\n"
  command.assert_code(check(folder, text:format(0), "--model", model), 0)
  command.assert_code(check(folder, text:format(7), "--model", model), 1)
  command.write(model, "return {}")
  local result = check(folder, text:format(0), "--model", model)
  command.assert_code(result, 3)
  lu.assertStrContains(result.err, "returns no model")
end)

command.add(tests, "WhatCannotBeChecked", function(folder)
  local result = check(folder, "{:type :invoke", "--model", "register")
  command.assert_code(result, 3)
  lu.assertStrContains(result.err, "history:1:1: a bracket that is not closed")
  result = check(folder, GOOD, "--model", "log")
  command.assert_code(result, 2)
  lu.assertStrContains(result.err, "there is no model 'log'")
  command.assert_code(check(folder, GOOD), 2)
  command.assert_code(command.run { "check", folder .. "/none", "--model", "kv" }, 3)
  result = check(folder, GOOD, "--model", "queue")
  command.assert_code(result, 3)
  lu.assertStrContains(result.err, "history: entry 1: the model \"queue\" has no operation 'write'")
  result = check(folder, "", "--model", "register")
  command.assert_code(result, 3)
  lu.assertStrContains(result.err, "it holds no operation")
end)

-- A picture needs nothing from elsewhere, and its data is in it.
local function check_picture(html)
  for _, word in ipairs { "http:", "https:", "src=", "@import", "url(", "<link" } do
    local found = html:gsub("http://www%.w3%.org/2000/svg", ""):find(word, 1, true)
    lu.assertNil(found, word)
  end
  local data = assert(raft.core.json_decode(html:match '<script type="application/json" id="data">(.-)</script>'))
  local by_id = {}
  for _, operation in ipairs(data.operations) do
    by_id[operation.id] = operation
  end
  lu.assertNotNil(by_id[data.failing])
  return data, by_id
end

command.add(tests, "APicture", function(folder)
  local path = folder .. "/picture.html"
  command.assert_code(check(folder, STALE, "--model", "register", "--html", path), 1)
  local data, by_id = check_picture(command.read(path))
  lu.assertEquals({ data.failing, #data.operations, #data.lanes }, { 7, 4, 2 })
  lu.assertEquals(by_id[7].label, "read 1")
  lu.assertEquals(by_id[5].label, "write 2")
  lu.assertEquals(data.before, { { 1, 5 }, { 5, 7 } })
  local result = check(folder, STALE, "--model", "register", "--html", folder .. "/no/such")
  command.assert_code(result, 3)
  lu.assertStrContains(result.err, "cannot be written")
  command.assert_code(check(folder, GOOD, "--model", "register", "--html", folder .. "/none.html"), 0)
  lu.assertNil(io.open(folder .. "/none.html"))
end)

-- A scenario whose history is not linearizable says how to see why.
command.add(tests, "APictureOfARun", function(folder)
  local path = command.write(folder .. "/stale.lua", [[
    return { nodes = 3, run = function(c)
      c:workload { kind = "register", rate = 200, read = "stale", ask = "any" }
      c:sleep(2)
    end }]])
  local result = command.run { "run", path, "--seed", "1" }
  command.assert_code(result, 1)
  lu.assertStrContains(result.err, "is not linearizable")
  lu.assertStrContains(result.err, "--html FILE")
  result = command.run {
    "run", path, "--seed", "1", "--html", folder .. "/why.html", "--history", folder .. "/why.jsonl",
  }
  command.assert_code(result, 1)
  local kept = command.read(folder .. "/why.html"):match 'class="picture"[^>]*>%s*(.-)%s*</script>'
  check_picture(assert(raft.core.json_decode(kept)))
  command.assert_code(command.run { "check", folder .. "/why.jsonl", "--model", "register" }, 1)
end)

-- Words from a history are words in the page too; and no more is drawn than an eye can take.
tests.test_APictureOfMuch = function()
  local h, at = { clients = 3 }, 0
  local function add(process, kind, f, value)
    at = at + 1
    h[#h + 1] = { index = at, process = process, type = kind, f = f, key = "</script>&<b>", value = value, time = at }
  end
  for number = 1, 2000 do
    add(1, "invoke", "write", number .. "<i>")
    add(1, "ok", "write", number .. "<i>")
  end
  add(2, "invoke", "read", nil)
  add(2, "ok", "read", "7<i>")
  local fine, explanation = raft.linearizable(h, "register")
  lu.assertFalse(fine)
  local html = picture.html(h, explanation, "<x>")
  lu.assertNil(html:find("<i>", 1, true))
  lu.assertNil(html:find("<x>", 1, true))
  lu.assertStrContains(html, "120 operations are drawn")
  local data, by_id = check_picture(html)
  lu.assertEquals(#data.operations, 120)
  lu.assertEquals(by_id[data.failing].label, 'read "7<i>"')
end

-- Of several clusters each has its own clients' history beside it.
command.add(tests, "TheHistoriesOfSeveralClusters", function(folder)
  local path = command.write(folder .. "/three.lua", [[
    local raft = require "raft"
    for _, clients in ipairs { 2, 0, 3 } do
      local c = raft.cluster { mode = "sim", nodes = 3 }
      if clients > 0 then
        c:workload { kind = "register", clients = clients, count = 10 }:wait()
      end
      c:check_live()
      c:shutdown()
    end]])
  command.assert_code(command.run { "run", path, "--html", folder .. "/three.html" }, 0)
  local lanes = {}
  for text in command.read(folder .. "/three.html"):gmatch 'class="run"[^>]*>%s*(.-)%s*</script>' do
    lanes[#lanes + 1] = {}
    for _, group in ipairs(raft.core.json_decode(text).clients) do
      table.insert(lanes[#lanes], #group.lanes)
    end
  end
  lu.assertEquals(lanes, { { 2 }, {}, { 3 } })
end)

return tests
