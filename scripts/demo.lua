-- A tour: five real nodes on loopback TCP, what befalls them, and that nothing committed is lost.
--
--   scripts/raftbench run scripts/demo.lua --mode tcp
--
-- The same script runs in the simulated world with --mode sim, in no time at all.
local raft = require "raft"
local excerpt = require "raft.view.excerpt"
local terminal = require "raft.view.terminal"

local c = raft.cluster { nodes = 5, name = "demo" }
local in_tcp = c:status(1).address:find("^127%.") ~= nil

local function tell(text, ...)
  print(("%8.3f s  %s"):format(c:now(), text:format(...)))
  c:note(text:format(...))
end

local function list(ids)
  return table.concat(ids, ", ")
end

-- Everybody but these, in order.
local function others(...)
  local without, rest = {}, {}
  for _, id in ipairs { ... } do
    without[id] = true
  end
  for _, id in ipairs(c:ids()) do
    if not without[id] and c:is_alive(id) then
      rest[#rest + 1] = id
    end
  end
  return rest
end

tell("Five nodes start, %s.", in_tcp and "each with a TCP port of its own" or "in the simulated world")
if in_tcp then
  for _, id in ipairs(c:ids()) do
    print(("%12s node %d listens on %s"):format("", id, c:status(id).address))
  end
end

local leader, term = c:check_one_leader()
tell("Node %d is elected, in term %d.", leader, term)

assert(c:set("greeting", "hello"))
assert(c:set("count", 1))
tell('Two writes commit. greeting = "%s", count = %d.', assert(c:get("greeting")), assert(c:get("count")))

local cut_at = c:now()
tell("The leader is cut off: its connections close.")
c:disconnect(leader)
local index = c:submit(leader, { op = "set", key = "greeting", value = "from a minority" })
if index then
  tell("It still takes a write, at index %d. That can never commit.", index)
end
local old = leader
leader, term = assert(c:wait_leader(nil, term))
tell("The others elect node %d, in term %d.", leader, term)
assert(c:set("greeting", "hello again"))
local matched, present = c:cas("count", 1, 2)
tell("They go on: count is compared with 1 and set to 2: %s.", matched and "done" or "it was " .. tostring(present))

c:reconnect(old)
tell("Node %d comes back, and follows.", old)
assert(c:wait_until(function()
  return c:status(old).leader == leader and c:status(old).applied == c:status(leader).applied
end, nil, "the old leader to catch up"))
c:check_not_committed { op = "set", key = "greeting", value = "from a minority" }
tell("The minority's write is gone from its log; greeting = \"%s\".", assert(c:get("greeting")))

local back_at = c:now()
local rest = others(leader)
c:crash(rest[1])
c:crash(leader)
tell("Two nodes crash, the leader among them: %d and %d. What was not on their disks is lost.", rest[1], leader)
local crashed = { rest[1], leader }
leader, term = assert(c:wait_leader(nil, term))
assert(c:set("count", 3))
tell("Node %d leads the other three, in term %d, and count = 3 commits.", leader, term)
for _, id in ipairs(crashed) do
  assert(c:restart(id))
end
local count = c:check_committed({ op = "set", key = "count", value = 3 }, 5)
tell("Both start again from their disks and catch up: count = 3 is applied on %d nodes.", count)

assert(c:add_servers { 6, 7 })
tell("Nodes 6 and 7 are added in one change. Voters: %s.", list(c:members().voters))
local gone = { leader, others(leader)[1] }
table.sort(gone)
assert(c:remove_servers(gone))
leader, term = assert(c:wait_leader())
tell("Nodes %s are removed in one change, the leader among them. Voters: %s.", list(gone), list(c:members().voters))
tell("Node %d leads, in term %d.", leader, term)

assert(c:set("greeting", "goodbye"))
count = c:check_committed({ op = "set", key = "greeting", value = "goodbye" }, 5)
c:check_one_leader()
c:check_live()
tell('A last write is applied on %d nodes: greeting = "%s", count = %d.', count, assert(c:get("greeting")),
  assert(c:get("count")))

local total = 0
for _, id in ipairs(c:ids()) do
  total = total + (c:stats(id).messages.total or 0)
end
-- The most telling second: the leader is cut off, another one is elected, and the first one comes back.
local telling = excerpt(c, {
  width = terminal.width(), lines = 60, from = cut_at, to = math.min(back_at, cut_at + 1) - 1e-6,
  nodes = { 1, 2, 3, 4, 5 },
  kinds = { "note", "fault", "role", "vote", "append", "truncate", "commit" },
})
c:shutdown()
print(("\nAll that was promised held: one leader in a term, nothing committed was lost, all logs agree (%d messages).")
  :format(total))
print("\nFrom the cut of the leader to its return (elections, logs, commits):")
print(table.concat(telling, "\n") .. "\n")
