--- One client of a workload: draws or is given an operation, waits for its time, asks, and records what came of it.
--
-- What it asks for is one command or query of raft.workload.kinds, or the script's own `perform`. It never decides
-- what a workload consists of.
-- @module raft.workload.client

local core = require "raft.core"

local null = core.null
local floor, max = math.floor, math.max
local random = core.stream(0, "for its method").random -- found once: called some times for each operation

local client = {}

local REST_LEAST, REST_MOST = 5000000, 50000000 -- ns, after a refusal
local STAYS_MOST = 40 -- operations that a client asks one node, which it takes for the leader
local KNOWN_TIMEOUT = 0.15 -- of the time-out: who is cut off answers nothing, and is asked the more
local AT_ONCE = 1000000 -- ns, after an answer that took no time: the world has to go on

-- ---- whom it asks -------------------------------------------------------------------------------------------

local function any_node(run, self)
  local ids = run.core:ids()
  return ids[random(self.stream, 1, #ids)]
end

-- The node that it takes for the leader: one of those that believe it themselves, cut off or not.
local function believed_leader(run, self)
  local leaders = run.cluster:leaders()
  local node = #leaders > 0 and leaders[random(self.stream, 1, #leaders)].id or any_node(run, self)
  self.stays = random(self.stream, 1, STAYS_MOST)
  return node
end

local function choose_node(run, self)
  if self.asks == "any" then
    return any_node(run, self)
  end
  self.stays = (self.stays or 0) - 1
  if self.stays < 0 then
    self.node = believed_leader(run, self)
  end
  return self.node
end

-- It is no leader: the one that it names, or another.
local function was_refused(self, outcome)
  if self.asks == "known" and outcome.code ~= "busy" then
    self.node = outcome.leader
    self.stays = outcome.leader and random(self.stream, 1, STAYS_MOST) or 0
  end
end

-- ---- the entries --------------------------------------------------------------------------------------------

local function new_tally(run, f)
  local tally = { asked = 0, last = false, has_succeeded = false }
  run.tallies[f] = tally
  return tally
end

local function invoke(run, self, operation)
  local history = run.history
  local index = #history + 1
  local time, node, timeout, read = run.now_ns(run.core), operation.node, operation.timeout, operation.read
  local entry
  if timeout or read then
    entry = {
      index = index, process = self.process, type = "invoke", f = operation.f, key = operation.key,
      value = operation.value, time = time, node = node, timeout = timeout, read = read,
    }
  else -- most: half the memory
    entry = {
      index = index, process = self.process, type = "invoke", f = operation.f, key = operation.key,
      value = operation.value, time = time, node = node,
    }
  end
  history[index] = entry
  self.pending = entry
  local tally = run.tallies[entry.f] or new_tally(run, entry.f)
  tally.asked, tally.last = tally.asked + 1, entry
  return entry
end

local function complete(run, self, entry)
  self.pending = false
  if run.is_closed then -- what came later is unknown for good
    return
  end
  local history, kind = run.history, entry.type
  local index = #history + 1
  entry.index, entry.time = index, run.now_ns(run.core)
  if kind == "ok" and entry.value == nil then
    entry.value = null
  end
  history[index] = entry
  if kind == "info" then -- as far as anybody knows that process still waits
    self.process = self.process + run.clients
  elseif kind == "ok" or entry.error == "mismatch" then
    run.tallies[entry.f].has_succeeded = true
    if run.notes then
      run:note(entry)
    end
  end
end

-- ---- asking -------------------------------------------------------------------------------------------------

--- What is asked of the cluster, until the next is made; a command that is looked for in the logs later is like no
-- other.
-- @tparam table run
-- @tparam table kind of raft.workload.kinds
-- @tparam table operation
-- @tparam table asked its entry
-- @treturn raft.value
function client.body(run, kind, operation, asked)
  local body = kind.body(operation)
  if not kind.is_read then
    body.id = run.locates and asked.index or nil
  end
  return body
end

-- What cannot have had an effect has failed, as has a read without an answer.
local function note_failure(entry, operation, code, unknown, is_read)
  entry.type, entry.error = unknown and not is_read and "info" or "fail", code
  entry.value = operation.value
end

local function ask(run, self, operation, asked, entry)
  local kind, thread = run.operations[operation.f], self.thread
  local is_read, timeout = kind.is_read, operation.timeout
  local length_ns = timeout and floor(timeout * 1e9 + 0.5) or run.timeout_ns
  local node, body = operation.node or 0, client.body(run, kind, operation, asked)
  local holder = thread or self -- of the session
  local request = run.request
  local ticket
  if is_read then
    ticket = request(run.core, operation.read or "read", node, body, length_ns)
  elseif holder.session then
    ticket = request(run.core, "propose", node, body, length_ns, holder.session, holder.repeat_ns)
  else
    ticket = request(run.core, "propose", node, body, length_ns)
  end
  local outcome = run.driver:await_for(thread, ticket)
  local code = outcome.code
  if code == "unsupported" then -- all such operations would fail, and the history would show nothing
    error(("workload %q: %s cannot be asked here: %s"):format(run.kind, operation.f, outcome.message), 0)
  elseif code then
    note_failure(entry, operation, code, outcome.unknown, is_read)
    was_refused(self, outcome)
    return
  end
  entry.log_index = outcome.index
  local result = outcome.result
  if type(result) == "table" and result.error ~= nil then -- the machine has refused it
    note_failure(entry, operation, result.error, false)
  else
    kind.answered(entry, operation, result)
  end
end

local function judge_performed(entry, operation, is_read, index, result, code, detail)
  if index == nil then
    local unknown = type(detail) ~= "table" or detail.unknown
    note_failure(entry, operation, code or tostring(result), unknown, is_read)
  elseif index == false then
    entry.type, entry.error, entry.seen, entry.value = "fail", "mismatch", result, operation.value
  else
    entry.log_index = type(index) == "number" and index or nil
    entry.value = operation.value
    if operation.value ~= nil then
      entry.result = result
    else
      entry.value = result
    end
  end
end

-- ---- its life -----------------------------------------------------------------------------------------------

local function sleep_until(run, self, time_ns)
  local ticket = run.wait_time(run.core, time_ns)
  self.sleeps = ticket
  run.driver:await_for(self.thread, ticket)
  self.sleeps = false
end

-- → the entries of its call and its return.
local function ask_once(run, self, operation)
  local asked = invoke(run, self, operation)
  local entry = {
    index = 0, process = asked.process, type = "ok", f = operation.f, key = operation.key, value = nil, time = 0,
  }
  if run.perform then
    judge_performed(entry, operation, operation.f == "read", run.perform(self.number, operation, run.cluster.handle))
  else
    ask(run, self, operation, asked, entry)
  end
  complete(run, self, entry)
  return asked, entry
end

--- Asks for one thing, which is recorded, and waits for its answer.
-- @function ask_once
-- @tparam table run
-- @tparam table self the client
-- @tparam table operation
client.ask_once = ask_once

local function perform(run, self, operation)
  local asked, entry = ask_once(run, self, operation)
  if #run.history >= run.judge_at then
    run.judge(run)
  end
  if run.over or run.given then -- what is done again has its times
    return
  elseif entry.type == "fail" and entry.error ~= "mismatch" then
    sleep_until(run, self, entry.time + random(self.stream, REST_LEAST, REST_MOST))
  elseif entry.time == asked.time then
    sleep_until(run, self, entry.time + AT_ONCE)
  end
end

-- ---- where its operations come from: `time` says when it asks next (nil: never), `operation` what it asks then ----

-- Clients at a rate make up for little of what they were late.
local function next_time(run, self, now_ns)
  local at_ns, gap_ns = now_ns, run.gap_ns
  if gap_ns then
    at_ns = max((self.next_ns or now_ns) + random(self.stream, 0, 2 * gap_ns), now_ns - 2 * gap_ns)
    self.next_ns = at_ns
  end
  return at_ns < run.end_ns and at_ns or nil
end

local function draw_name(run, stream)
  local names, weights = run.names, run.weights
  if names[2] then
    local at = random(stream, 1, run.weight)
    for position = 1, #weights do
      at = at - weights[position]
      if at <= 0 then
        return names[position]
      end
    end
  end
  return names[1]
end

-- A client has one operation at a time, whose table it uses again where no script sees it.
local function new_operation(self)
  local operation = { f = false, key = false, value = false, read = nil, node = nil, timeout = nil }
  self.operation = operation
  return operation
end

local function draw(run, self)
  local stream, asks = self.stream, self.asks
  local name = draw_name(run, stream)
  local kind = run.operations[name]
  local key, value = kind.draw(run, stream)
  local operation = not run.perform and self.operation or new_operation(self)
  operation.f, operation.key, operation.value = name, key, value
  operation.read = kind.is_read and run.read or nil
  if asks ~= "leader" then
    operation.node = choose_node(run, self)
    operation.timeout = asks == "known" and run.timeout * KNOWN_TIMEOUT or nil
  end
  return operation
end

local function generate(run, self)
  self.asked = self.asked + 1
  local operation = run.generator(self.number, self.asked)
  if operation ~= nil then
    run:check_operation(operation)
  end
  return operation
end

local function given_time(_, self)
  local operation = self.given[self.asked + 1]
  return operation and floor(operation.at * 1e9 + 0.5)
end

local function given(_, self)
  self.asked = self.asked + 1
  return self.given[self.asked]
end

--- Drawn from its stream, by the kind's mix.
client.drawn = { time = next_time, operation = draw }
--- The script's own generator.
client.generated = { time = next_time, operation = generate }
--- A list of what it did before.
client.repeated = { time = given_time, operation = given }

--- What a client does until there is nothing left to do.
-- @tparam table run the workload
-- @tparam table self the client: number, process, stream, asks, asked = 0
-- @tparam table source where its operations come from
function client.run(run, self, source)
  local handle, clock, next_at, next_operation = run.core, run.now_ns, source.time, source.operation
  while not run.over and run.left > 0 do
    local now_ns = clock(handle)
    local at_ns = next_at(run, self, now_ns)
    if not at_ns then
      break
    elseif at_ns > now_ns then
      sleep_until(run, self, at_ns)
    end
    if run.over or run.left <= 0 then
      break
    end
    local operation = next_operation(run, self)
    if not operation then
      break
    end
    run.left = run.left - 1
    perform(run, self, operation)
  end
end

return client
