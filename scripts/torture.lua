-- Torture: clients write, each with a session and numbers that rise by one, while the nodes' processes are killed
-- (SIGKILL) at random moments, one by one or all at once, and started again from their directories. In the end every
-- write that was acknowledged is there, in order, exactly once, on every node.
--
--   scripts/raftbench run scripts/torture.lua --set parameters.time=600
--   make torture TIME=600
--
-- Each restart is reported: how long the node was down, how long its recovery took, and what it came back with.
-- --set dir="/some/disk/torture" puts the nodes' files there; --set nodes=5, --set snapshot_every=200 and so on are
-- options of raft.cluster. The machine is torture/numbers.lua.
local here = debug.getinfo(1, "S").source:match("^@(.*/)[^/]*$") or "./"
package.path = here .. "?.lua;" .. package.path -- nodes' processes look where this one does

local scenario = {
  name = "torture",
  mode = "process",
  nodes = 3,
  machine = "torture.numbers",
  snapshot_every = 2000,
  keep_events = 2000,
  parameters = {
    time = 60, -- seconds of killing
    clients = 8,
    every = { 0.05, 0.6 }, -- seconds between one kill and the next
    down = { 0, 0.4 }, -- how long the killed ones stay down
    all = 0.1, -- the chance that all are killed at once
    patience = 60, -- how long a client waits for an answer before it gives the run up
    quiet = false, -- no line for each restart
  },
}

local function fail(text, ...)
  error(text:format(...), 0)
end

local function between(c, range)
  return range[1] + (range[2] - range[1]) * c:random()
end

-- ---- clients ------------------------------------------------------------------------------------------------

-- The session repeats a command until it is answered, so that the next number is written only when this one is known
-- to be applied.
local function write(c, run, client)
  local number, last_index = 0, 0
  while not run.over do
    number = number + 1
    run.written[client] = number
    local index, result = c:propose({ client = client, number = number }, { timeout = run.patience })
    if not index then
      fail("write %d of client %d had no answer within %g s: %s", number, client, run.patience, tostring(result))
    elseif result ~= number then
      fail("write %d of client %d was applied as its write number %s (index %d)", number, client, tostring(result),
        index)
    elseif index <= last_index then
      fail("write %d of client %d was given index %d, and the one before it index %d", number, client, index,
        last_index)
    end
    last_index = index
    run.acknowledged[client] = number
  end
end

-- ---- killing ------------------------------------------------------------------------------------------------

local function victims(c, run)
  local ids = c:ids()
  if c:random() < run.all then
    return ids
  end
  return { ids[c:random(#ids)] }
end

local function report(c, run, id, restart)
  local status = c:status(id)
  restart.id, restart.first_index, restart.last_index = id, status.first_index, status.last_index
  run.restarts[#run.restarts + 1] = restart
  if not run.quiet then
    print(("%9.3f s  node %d was down for %3.0f ms and recovered in %3.0f ms: term %d, log %d to %d%s"):format(c:now(),
      id, restart.down * 1000, restart.took * 1000, status.term, status.first_index, status.last_index,
      restart.together and ", all were killed" or ""))
  end
end

local function kill(c, run)
  while not run.over do
    c:sleep(between(c, run.every))
    local ids = victims(c, run)
    assert(c:crash(ids))
    local killed = c:now()
    c:sleep(between(c, run.down))
    for _, id in ipairs(ids) do
      local began = c:now()
      assert(c:restart(id))
      report(c, run, id, { down = began - killed, took = c:now() - began, together = #ids > 1 })
    end
  end
end

-- ---- what must hold -----------------------------------------------------------------------------------------

-- On that node, once it has applied all that was committed.
local function check_node(c, run, id)
  local state = assert(c:query("state", { node = id, read = "stale" }))
  if state.wrong ~= "" then
    fail("node %d: %s", id, state.wrong)
  end
  for client = 1, run.clients do
    local count = state.counts[client] or 0
    if count < run.acknowledged[client] then
      fail("node %d has %d writes of client %d, but %d were acknowledged: %d are lost", id, count, client,
        run.acknowledged[client], run.acknowledged[client] - count)
    elseif count > run.written[client] then
      fail("node %d has %d writes of client %d, which has made %d", id, count, client, run.written[client])
    end
  end
end

local function are_level(c)
  local applied
  for _, id in ipairs(c:ids()) do
    local status = c:status(id)
    applied = applied or status.applied
    if status.applied ~= applied or status.commit ~= applied or status.last_index ~= applied then
      return false
    end
  end
  return true
end

local function check_all(c, run)
  assert(c:wait_until(function()
    return are_level(c)
  end, 60, "all nodes to have applied the same"))
  for _, id in ipairs(c:ids()) do
    check_node(c, run, id)
  end
end

local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

local function summary(c, run)
  local total, took, together = 0, {}, 0
  for client = 1, run.clients do
    total = total + run.acknowledged[client]
  end
  for position, restart in ipairs(run.restarts) do
    took[position] = restart.took
    together = together + (restart.together and 1 or 0)
  end
  print(("%d writes of %d clients were acknowledged in %.1f s; each is on all %d nodes, in order, exactly once.")
    :format(total, run.clients, c:now(), #c:ids()))
  print(("%d restarts after SIGKILL (%d of them with all nodes down); recovery took %.0f ms at the median, %.0f ms at "
    .. "most."):format(#took, together, median(took) * 1000, took[#took] * 1000))
end

function scenario.run(c, given)
  local run = { over = false, written = {}, acknowledged = {}, restarts = {} }
  for name, value in pairs(given.parameters) do
    run[name] = value
  end
  for client = 1, run.clients do
    run.written[client], run.acknowledged[client] = 0, 0
    c:client(function()
      write(c, run, client)
    end, { session = true, repeat_every = 0.5 })
  end
  local killer = c:client(function()
    kill(c, run)
  end)
  c:sleep(run.time)
  run.over = true
  assert(killer:wait(60))
  assert(c:wait_clients(2 * run.patience))
  check_all(c, run)
  summary(c, run)
end

return scenario
