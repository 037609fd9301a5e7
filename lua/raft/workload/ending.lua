--- What a scenario asks of a workload once all is healed: its keys are read once more, so that what was lost is missed;
-- and where not one of its commands, or of its reads, has succeeded, one more of them has to.
--
-- It repairs nothing, and judges no history.
-- @module raft.workload.ending

local client = require "raft.workload.client"
local violation = require "raft.violation"

local ending = {}

local TIMEOUT = 10 -- s
local PAUSE = 0.05 -- s, before it is asked again
local READ_LAST = 50 -- keys that are read once more: those used last

-- A client that looks for the leader, after all the others: its number is 0.
local function reader_of(run)
  local reader = { run = run, is_background = true, leave = function() run.handle:leave() end }
  run.driver:give_handle(reader)
  local session = run.session and run.core:new_session() or 0
  run.core:workload_start(run.handle, 0, session, reader.handle)
  return reader
end

-- → the entry of its answer.
local function ask(run, reader, operation)
  local need = run.core:workload_ask(run.handle, operation)
  if need == "perform" then
    client.perform(run, 0)
  else
    run.driver:await_call(function(f) reader.serve = f end)
  end
  if run.handle:need(0) == "failed" then
    error(run.handle:failure(), 0)
  end
  return run.handle:entry(run.handle:asked_last(0))
end

-- How many keys there are at most: sets and lists are read whole, and go on to new ones.
local function most_keys(run)
  local are_fixed = not (run.perform or run.generator or run.given or run.changes_keys)
  return are_fixed and math.min(READ_LAST, #run.keys) or READ_LAST
end

local function read_all(run, reader)
  local handle, seen, keys, most = run.handle, {}, {}, most_keys(run)
  local position = handle:count()
  while position > 0 and #keys < most do
    local key = handle:entry(position).key
    if key ~= nil and not seen[key] then
      seen[key], keys[#keys + 1] = true, key
    end
    position = position - 1
  end
  for _, key in ipairs(keys) do
    ask(run, reader, { f = "read", key = key, timeout = TIMEOUT })
  end
end

-- "commands", "reads"; "operations" where only the script knows which are which.
local function class_of(run, f)
  local kind = not run.perform and run.operations and run.operations[f]
  return kind and (kind.is_read and "reads" or "commands") or "operations"
end

-- Of each class: how many were asked, the last of them, and whether one has succeeded.
local function sums_of(run)
  local sums = {}
  for _, name in ipairs { "commands", "reads", "operations" } do
    sums[#sums + 1] = { name = name, asked = 0, last = 0 }
    sums[name] = sums[#sums]
  end
  for _, tally in ipairs(run.handle:tallies()) do
    local sum = sums[class_of(run, tally.f)]
    sum.asked, sum.has_succeeded = sum.asked + tally.asked, sum.has_succeeded or tally.has_succeeded
    sum.last = math.max(sum.last, tally.last)
  end
  return sums
end

-- Drawn anew where the workload draws: a value is written once.
local function ask_again(run, reader, last)
  local operation = { f = last.f, key = last.key, value = last.value, read = last.read, timeout = TIMEOUT }
  if not (run.perform or run.generator or run.given) then
    operation.key, operation.value = run.handle:draw_again(last.f)
  end
  return ask(run, reader, operation)
end

local function is_served(entry)
  return entry.type == "ok" or entry.error == "mismatch"
end

-- Again and again for a while: a leader that hands over its leadership is busy just then, and one that is removed
-- may be gone before it answers.
local function one_more(run, reader, last)
  local cluster = run.cluster
  local deadline_ns = cluster:deadline_ns(TIMEOUT * 1e9)
  local entry = ask_again(run, reader, last)
  while not is_served(entry) and cluster.core:now_ns() < deadline_ns do
    cluster.driver:await(cluster.core:wait_time(cluster:deadline_ns(PAUSE * 1e9)))
    entry = ask_again(run, reader, last)
  end
  return entry
end

local function check_served(run, reader)
  for _, sum in ipairs(sums_of(run)) do
    local entry = sum.asked > 0 and not sum.has_succeeded and one_more(run, reader, run.handle:entry(sum.last))
    if entry and not is_served(entry) then
      error(violation.new({
        property = "a workload is served", key = sum.name, time = run.cluster.core:now_ns() / 1e9, nodes = {},
        message = ("not one of %d %s of workload %d (%s) has succeeded, nor has one more (%s) now that all is "
          .. "healed: %s"):format(sum.asked, sum.name, run.number, run.kind or "performed", entry.f,
          tostring(entry.error)),
      }, run.cluster.driver.replay), 0)
    end
  end
end

--- Asks it. Raises a violation where nothing that it asked for is ever served.
-- @tparam table run the workload, whose clients have ended
function ending.ask(run)
  local reader = reader_of(run)
  if not run.may_fail then
    check_served(run, reader)
  end
  if run.operations and run.operations.read and not run.perform then
    read_all(run, reader)
  end
end

return ending
