-- Traces for specs that look at diagrams in a browser.
local raft = require "raft"
local command = require "spec.support.command"

local M = {}

-- To a file: an election, commits, a crash, a partition, words that could end an element; and a second run. Returns
-- the leader that crashes, and the nodes' logs and statuses at the end of the first run.
function M.two_runs(path)
  local c = assert(raft.cluster { mode = "sim", seed = 7, name = "first <run>", trace = path })
  local leader = assert(c:wait_leader())
  for number = 1, 5 do
    assert(c:set("k", number))
  end
  c:note "a note with </script><b>bold</b> & \"quotes\""
  c:crash(leader)
  c:sleep(0.1)
  assert(c:wait_leader(10))
  assert(c:set("k", 6))
  c:restart(leader)
  c:partition({ 1 }, { 2, 3 })
  c:sleep(0.5)
  c:heal()
  c:sleep(0.3)
  local logs, statuses = { c:log(1), c:log(2), c:log(3) }, c:status()
  c:shutdown()
  local other = assert(raft.cluster { mode = "sim", seed = 8, name = "second", trace = path .. ".second" })
  assert(other:wait_leader())
  other:shutdown()
  command.write(path, command.read(path) .. command.read(path .. ".second"))
  return leader, logs, statuses
end

-- Events of a trace's first run, as its lines hold them.
function M.first_run(path)
  local list = {}
  for line in io.lines(path) do
    local event = raft.core.json_decode(line)
    if event.kind == "run" and #list > 0 then
      break
    end
    list[#list + 1] = event
  end
  return list
end

-- The page of a trace.
function M.page(trace, page)
  command.assert_code(command.run { "view", trace, "-o", page }, 0)
  return page
end

-- To a file: three nodes, and a leader that commits and tells the others, until there are so many events.
function M.many(path, events)
  local file = assert(io.open(path, "w"))
  local function line(...)
    file:write(string.format(...), "\n")
  end
  line '{"time":0,"node":0,"kind":"run","text":"many","value":{"mode":"sim","seed":1,"nodes":[1,2,3]}}'
  for id = 1, 3 do
    line('{"time":1,"node":%d,"kind":"start","term":1,"first":1,"last":0,"vote":1}', id)
  end
  line '{"time":2,"node":1,"kind":"role","peer":1,"term":1,"role":"leader"}'
  local index, number, time, written = 0, 0, 1000, 5
  while written < events do
    index, time = index + 1, time + 3000000
    line('{"time":%d,"node":1,"kind":"append","first":%d,"last":%d,"entries":1}', time, index, index)
    for peer = 2, 3 do
      number = number + 1
      line('{"time":%d,"node":1,"kind":"send","peer":%d,"message":"append","number":%d,"term":1,"prev_index":%d,'
        .. '"entries":1}', time, peer, number, index - 1)
    end
    for peer = 2, 3 do
      line('{"time":%d,"node":%d,"kind":"receive","peer":1,"message":"append","number":%d,"term":1,"prev_index":%d,'
        .. '"entries":1}', time + peer * 100000, peer, number + peer - 3, index - 1)
      line('{"time":%d,"node":%d,"kind":"append","first":%d,"last":%d,"entries":1}', time + peer * 100000, peer, index,
        index)
    end
    line('{"time":%d,"node":1,"kind":"commit","term":1,"index":%d,"prev_term":1,"flag":true}', time + 900000, index)
    written = written + 8
  end
  file:close()
end

return M
