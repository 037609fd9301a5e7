--- The inputs of a run: every call that changes a cluster's world, of the main script, of clients and of callbacks,
-- with its time and who made it. What shrinking takes away from.
--
-- Clusters made after `inputs.begin` are recorded; all others pay nothing. A nemesis and a workload keep what they did
-- themselves. Calls may also be left out, by who made them and their number: then they change nothing.
-- @module raft.inputs

local source = require "raft.script.source"

local inputs = {}

local CALLS_MOST = 200000 -- a run that makes more is not recorded whole

-- The calls that change the world, and whether they wait.
local changes = {}
for name in ("campaign clock crash disconnect disk heal link partition pause reconnect resume "
  .. "submit"):gmatch "[%a_]+" do
  changes[name] = "at once"
end
for name in ("add_learners add_servers call cas change_members check_committed check_live check_one_leader compact "
  .. "delete get promote propose query remove_servers restart set transfer_leader"):gmatch "[%a_]+" do
  changes[name] = "waits"
end

-- Calls whose second argument is the first one's companion, as a leader's term: c:crash(c:leader()).
local takes_id = {}
for name in ("campaign crash disconnect pause reconnect restart resume transfer_leader compact"):gmatch "[%a_]+" do
  takes_id[name] = true
end

local wanted = false -- what inputs.begin was given
local latest = false -- the inputs of the cluster that was made last

--- Whether a call waits for something, or is done when it returns; nil: it changes nothing.
-- @tparam string name
-- @treturn ?string "waits" or "at once"
function inputs.kind(name)
  return changes[name]
end

--- Records the clusters that are made from now on.
-- @tparam ?table filter `leaves_out`: leaves_out(key, name) → whether a call, known by "client:number", changes
-- nothing; `actions`: what each nemesis does in place of what it is told, a list of actions for each; `network`: the
-- seed of the network, the disks and the timers, where it is another than the run's; `made`: made(cluster, place) is
-- told of each cluster that is made, and which it is
function inputs.begin(filter)
  wanted = { filter = filter or {}, count = 0 }
end

--- Records no more clusters.
function inputs.stop()
  wanted = false
end

--- Whether clusters are recorded.
-- @treturn boolean
function inputs.is_on()
  return wanted ~= false
end

--- The inputs of the recorded cluster that was made last.
-- @treturn ?table { options, calls, fates, is_full, cluster, ended_ns, place }: `calls` is a list of { name, count,
-- arguments…, at_ns, end_ns, client, number, session, code, raised }, `fates` what an intercept did to single messages;
-- nil: there is none
function inputs.latest()
  return latest or nil
end

--- The inputs of a cluster that begins now.
-- @tparam table given its options
-- @tparam table inner the cluster
-- @treturn table
function inputs.new(given, inner)
  wanted.count = wanted.count + 1
  latest = {
    options = source.copy(given or {}), calls = {}, fates = {}, by_frame = setmetatable({}, { __mode = "k" }),
    place = wanted.count, numbers = {}, filter = wanted.filter, nemeses = 0, cluster = inner, is_full = false,
  }
  if wanted.filter.network then
    inner.core:rekey(wanted.filter.network)
  end
  if wanted.filter.made then
    wanted.filter.made(inner, latest.place)
  end
  return latest
end

-- Who calls: a client's number, 0 for the main script, -1 for a callback.
local function caller(driver)
  local client = driver.current
  if client then
    return client.number, client
  elseif driver.busy or driver:is_inside() then
    return -1
  end
  return 0
end

local function begin(list, inner, name, ...)
  local who, client = caller(inner.driver)
  local number = (list.numbers[who] or 0) + 1
  list.numbers[who] = number
  local leaves_out = list.filter.leaves_out
  if leaves_out and leaves_out(who .. ":" .. number, name) then
    return nil, true
  end
  local count = select("#", ...)
  if takes_id[name] and type((select(2, ...))) ~= "table" then
    count = math.min(count, 1)
  end
  local call = {
    name = name, count = count, at_ns = inner.core:now_ns(), client = who, number = number,
    session = client and client.session and who or nil, raised = true, ...
  }
  for position = 1, select("#", ...) do
    call[position] = position <= count and source.copy(call[position]) or nil
  end
  if #list.calls >= CALLS_MOST then
    list.is_full = true
  else
    list.calls[#list.calls + 1] = call
  end
  return call
end

local function finish(call, inner, fine, ...)
  call.raised = nil
  if not inner.core:is_closed() then
    call.end_ns = inner.core:now_ns()
  end
  if fine == nil then
    call.code = (select(2, ...))
  end
  return fine, ...
end

-- What a call that is left out gives: as much as one that had no effect. One that would have waited waits a little, so
-- that a client that calls again and again lets time pass.
local function leave_out(inner, name)
  if changes[name] == "waits" then
    if not (inner.driver:is_inside() or inner.driver.busy) then
      inner:sleep(0.001)
    end
    return nil, "left out", "timeout", {}
  end
  return true
end

local function wrap(name, call)
  return function(self, ...)
    local list, inner = self.inputs, self.inner
    local client = inner.driver.current
    if inner.core:is_closed() or client and client.performs then -- a workload's own functions do it again
      return call(self, ...)
    end
    local kept, is_left_out = begin(list, inner, name, ...)
    if is_left_out then
      return leave_out(inner, name)
    end
    return finish(kept, inner, call(self, ...))
  end
end

-- A nemesis that does what the filter says.
local function wrap_nemesis(call)
  return function(self, given)
    local list = self.inputs
    list.nemeses = list.nemeses + 1
    local actions = list.filter.actions and list.filter.actions[list.nemeses]
    if not actions or type(given) ~= "table" then
      return call(self, given)
    end
    return call(self, { actions = actions, disk = given.disk, time = given.time })
  end
end

--- The methods of a recorded cluster.
-- @tparam table methods as a script calls them
-- @treturn table by name
function inputs.wrap(methods)
  local wrapped = {}
  for name, method in pairs(methods) do
    wrapped[name] = changes[name] and wrap(name, method) or method
  end
  wrapped.nemesis = wrap_nemesis(methods.nemesis)
  return wrapped
end

--- The cluster is shut down.
-- @tparam table list its inputs
-- @tparam integer now_ns
function inputs.ended(list, now_ns)
  list.ended_ns = now_ns
end

--- When a recorded run ended, or where it has come to.
-- @tparam table list its inputs
-- @treturn integer nanoseconds
function inputs.end_ns(list)
  return list.ended_ns or list.cluster.core:now_ns()
end

--- An intercept has decided what becomes of a message.
-- @tparam table list the cluster's inputs
-- @tparam table message
-- @tparam userdata frame
-- @param verdict "drop", "hold" or seconds
-- @tparam integer now_ns
function inputs.judged(list, message, frame, verdict, now_ns)
  local fate = {
    at_ns = now_ns, from = message.from, to = message.to, kind = message.kind,
    arrives_ns = type(verdict) == "number" and { now_ns + math.floor(verdict * 1e9 + 0.5) } or {},
  }
  list.fates[#list.fates + 1] = fate
  list.by_frame[frame] = fate
end

--- A held message is delivered.
-- @tparam table list the cluster's inputs
-- @tparam userdata frame
-- @tparam integer now_ns
function inputs.delivered(list, frame, now_ns)
  local fate = list.by_frame[frame]
  if fate then
    fate.arrives_ns[#fate.arrives_ns + 1] = now_ns
  end
end

return inputs
