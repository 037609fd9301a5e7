--- Nemeses: faults that come and go by a schedule, drawn from a stream of their own, recorded as plain actions.
-- @module raft.nemesis

local arguments = require "raft.arguments"
local core = require "raft.core"
local effects = require "raft.nemesis.effects"
local entries = require "raft.nemesis.entries"
local hand = require "raft.nemesis.hand"
local late = require "raft.nemesis.late"
local replay = require "raft.nemesis.replay"
local schedule = require "raft.nemesis.schedule"
local script = require "raft.script"
local swarm = require "raft.nemesis.swarm"
local violation = require "raft.violation"

local nemesis = {}

local EVERY, LASTS = { 1, 4 }, { 0.5, 3 }
local SETTLE_S = 60

local Nemesis = {} -- what scripts call
local Inner = {} -- what faults and schedules call

local of_cluster = setmetatable({}, { __mode = "k" }) -- cluster → list of its nemeses

--- The nemeses of a cluster, in the order in which they were made.
-- @tparam table cluster the inner one
-- @treturn table list
function nemesis.of(cluster)
  return of_cluster[cluster] or {}
end

-- ---- clients ------------------------------------------------------------------------------------------------

--- Runs a function as a client that nobody else waits for.
-- @tparam function f
-- @treturn table the client
function Inner:spawn(f)
  local client = { cluster = self.cluster, session = false, is_background = true }
  self.cluster.driver:start_client(f, client)
  return client
end

--- Waits until a client has ended.
-- @tparam table client
function Inner:join(client)
  self.cluster.driver:await_client(client, core.never)
end

--- Lets time pass.
-- @tparam number s seconds
function Inner:sleep(s)
  self.cluster:sleep(s)
end

--- Waits for a time of the world's clock, and for what else is due just then.
-- @tparam number at seconds
function Inner:sleep_until(at)
  local at_ns = math.floor(at * 1e9 + 0.5)
  if self.cluster.core:now_ns() < at_ns then
    for _ = 1, 2 do
      self.cluster.driver:await(self.cluster.core:wait_time(at_ns))
    end
  end
end

-- ---- faults -------------------------------------------------------------------------------------------------

--- A fault begins.
-- @tparam table c its hand
function Inner:begin_fault(c)
  self.faults[#self.faults + 1] = c
end

--- A fault ends: what it has done is taken back.
-- @tparam table c its hand
function Inner:end_fault(c) -- luacheck: no self
  local undo = c.undo
  c.undo = nil
  if undo then
    undo()
  end
  hand.take_back(c, hand.left(c))
  hand.close(c)
end

--- A kind of fault that this world cannot express is left out, which is said once.
-- @tparam string kind
-- @tparam string why
function Inner:leave_out(kind, why)
  if not self.left_out[kind] then
    self.left_out[kind] = why
    self.cluster:note(("nemesis: the fault '%s' is left out: %s"):format(kind, why))
  end
end

--- Whether a node's disk has had a fault in its present life, or has one.
local function has_bad_disk(self, id)
  return self.disk_hit[id] or self.in_force["disk/" .. id] ~= nil
end

--- A node that has crashed, or failed by what was done to its disk, starts again. One whose disk has lied stays away
-- where that is found; one whose disk fails still is started again when that has ended.
-- @tparam table c a fault's hand
-- @tparam integer id
function Inner:bring_up(c, id)
  local handle = self.cluster.core
  local state = handle:state(id)
  if state ~= "crashed" and not (state == "failed" and has_bad_disk(self, id)) then
    return
  end
  local started, message, code = c:restart(id)
  if started then
    self.disk_hit[id] = self.in_force["disk/" .. id] and true or nil
  elseif code == "storage" and (id == self.cluster.liar or self.in_force["disk/" .. id]) or code == "closed"
    or code == "not_member" or code == "timeout" and handle:state(id) ~= "failed" then
    return
  else
    error(violation.no_start(id, "does not start again", message, self.cluster:now()), 0)
  end
end

-- ---- its end ------------------------------------------------------------------------------------------------

--- Takes back all that it has done and that is still in force. Nothing happens any more.
-- @tparam table self
function nemesis.undo(self)
  if self.is_over then
    return
  end
  self.is_over = true
  late.stop(self)
  for place = #self.faults, 1, -1 do
    local c = self.faults[place]
    if c.undo then
      local undo = c.undo
      c.undo = nil
      c.is_recorded = false
      undo()
    end
    hand.close(c)
  end
  local c = hand.new(self, "stop")
  c.is_recorded = false
  local names = {}
  for place, name in ipairs(self.names_in_force) do
    names[place] = name
  end
  self.base_disk = nil
  hand.take_back(c, names)
  if self.has_base then
    c:disk("all", nil)
  end
  for _, id in ipairs(self.cluster.core:ids()) do
    self:bring_up(c, id)
  end
end

local inner_of = setmetatable({}, { __mode = "k" }) -- what scripts hold → what is behind it

local function behind(self, call)
  local inner = inner_of[self]
  if not inner then
    arguments.raise("%s was called without its nemesis: call it as n:%s()", call, call)
  end
  return inner
end

--- Ends it: no more faults come, and all that it has done and that is still in force is taken back: what it cut is
-- whole, what it crashed runs again; members are as the last change that was agreed on left them.
-- @treturn ?boolean true; nil, message, code, detail where the cluster cannot be brought back in a minute
function Nemesis:stop()
  local inner = behind(self, "stop")
  inner.cluster.driver:check_may_wait "n:stop"
  local returned = script.object_call(inner.cluster.recording, self, ":stop()")
  nemesis.undo(inner)
  local fine, message, code = nemesis.settle(inner)
  returned()
  if not fine then
    return nil, message, code, {}
  end
  return true
end

--- How many faults of each kind have changed something so far.
-- @treturn table<string,integer> by the fault's name
function Nemesis:effects()
  local inner = behind(self, "effects")
  for _, name in ipairs(inner.names_in_force) do
    effects.settle(inner, inner.in_force[name])
  end
  for _, kept in ipairs(inner.lates) do
    effects.late(inner, kept)
  end
  local counts = {}
  for _, c in ipairs(inner.faults) do
    if c.had_effect then
      counts[c.kind] = (counts[c.kind] or 0) + 1
    end
  end
  return counts
end

--- Once all is healed: brings members and disks into order. A change that timed out may still have come, and list a
-- node where it was before it was added again; a server whose disk has lied is another one when it comes back.
-- @tparam table self
-- @treturn ?boolean true; nil, message, code
function nemesis.settle(self)
  if self.is_settled then
    return true
  end
  self.is_settled = true
  local settle = require "raft.nemesis.settle"
  local fine, message, code = true, nil, nil
  if self.changes_members then
    fine, message, code = settle.members(self, SETTLE_S)
  end
  if fine and self.cluster.liar then
    fine, message, code = settle.disk(self, SETTLE_S)
  end
  return fine, message, code
end

-- ---- its beginning ------------------------------------------------------------------------------------------

local known = { swarm = true, every = true, lasts = true, time = true, actions = true, symbolic = true, disk = true }

local function check(given)
  if type(given) ~= "table" then
    arguments.fail("options", "a table of options and faults", given)
  end
  for key in pairs(given) do
    if not known[key] and not (arguments.is_integer(key) and key >= 1 and key <= #given) then
      arguments.raise("bad argument 'options' (there is no option '%s')", tostring(key))
    end
  end
  if given.actions ~= nil and #given > 0 then
    arguments.raise "bad argument 'options' (either faults or actions to be done again)"
  end
  for _, name in ipairs { "symbolic", "swarm" } do
    if given[name] ~= nil and type(given[name]) ~= "boolean" then
      arguments.fail("options." .. name, "a boolean", given[name])
    end
  end
  entries.interval("options.every", given.every)
  entries.interval("options.lasts", given.lasts)
end

-- Notices of simulated disks tell what a fault of theirs has done.
local function watch_disks(self)
  self.cluster:on({ kind = "notice" }, function(event)
    local kept = self.in_force["disk/" .. event.node] or self.last_disk[event.node]
    if kept and event.text and event.text:find "^disk" then
      effects.seen(kept)
    end
  end)
end

local function new(cluster)
  local list = nemesis.of(cluster)
  of_cluster[cluster] = list
  local self = {
    cluster = cluster, actions = {}, kept = setmetatable({}, { __mode = "k" }), faults = {}, in_force = {},
    names_in_force = {}, lates = {}, left_out = {}, disk_hit = {}, last_disk = {}, is_over = false,
    first_count = #cluster:ids(),
    stream = core.stream(cluster.options.seed, ("nemesis/%d"):format(#list + 1)),
  }
  list[#list + 1] = setmetatable(self, { __index = Inner })
  return self
end

-- Draws what is left to be drawn, and begins.
local function start_faults(self, given, list)
  local every, lasts, at_once = EVERY, LASTS, false
  if given.swarm then
    local stream = core.stream(self.cluster.options.seed, ("nemesis/%d/swarm"):format(#nemesis.of(self.cluster)))
    list, every, lasts = swarm.draw(stream, list)
    at_once = given.every == nil and stream:random() < 0.5
    if given.disk == nil then
      self.base_disk = swarm.disk(stream, self.cluster.options)
    end
    self.cluster:note(("nemesis: %s"):format(swarm.describe(list)))
  end
  self.cluster.has_lies = self.cluster.has_lies or entries.has(list, "lies")
  self.changes_members = entries.has(list, "changes_members")
  schedule.start(self, list, given.every or every, given.lasts or lasts, at_once)
  return list
end

--- Makes a nemesis and starts it.
-- @tparam table cluster the inner one
-- @tparam table given options
-- @treturn table what scripts hold
function nemesis.new(cluster, given)
  given = type(given) == "string" and { given } or given
  check(given)
  local time_ns = given.time and arguments.seconds("options.time", given.time)
  local list = given.actions and replay.check(given.actions)
    or entries.parse("options", given.swarm and #given == 0 and swarm.stock or given)
  cluster.driver:not_in_step "nemesis"
  local self = new(cluster)
  self.symbolic, self.base_disk = given.symbolic, given.disk
  watch_disks(self)
  if given.actions then
    self.changes_members = replay.changes_members(list)
  else
    list = start_faults(self, given, list)
  end
  if self.base_disk then
    self.has_base, self.base_given = true, self.base_disk
    cluster:disk("all", self.base_disk)
  end
  if given.actions then
    replay.start(self, list)
  end
  if time_ns then
    self:spawn(function()
      self:sleep(time_ns / 1e9)
      nemesis.undo(self)
    end)
  end
  self.handle = setmetatable({ actions = self.actions, left_out = self.left_out }, {
    __name = "raft.nemesis", __index = Nemesis,
    __tostring = function()
      return ("raft.nemesis (%d actions%s)"):format(#self.actions, self.is_over and ", stopped" or "")
    end,
  })
  inner_of[self.handle] = self
  return self.handle
end

return nemesis
