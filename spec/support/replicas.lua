-- Bare cores, stepped by hand: a few replicas, their disks and the messages between them, all of it
-- in the spec's hand. Nothing moves unless the spec says so.
local lu = require "luaunit"
local core = require("raft").core

local M = {}

M.MS = 1000000 -- nanoseconds in a millisecond

local Net = {}
Net.__index = Net

local function copy(table)
  local result = {}
  for key, value in pairs(table or {}) do
    result[key] = value
  end
  return result
end

-- Replicas 1..count (or the ids given), with the options of core.replica; `each` has further ones by
-- id ({ [2] = { term = 3, log = {...} } }). Their disks answer at once, unless disks are slow(id).
function M.new(ids, options, each)
  local net = setmetatable({ now_ns = 0, nodes = {}, queue = {}, cuts = {}, ids = {} }, Net)
  for i = 1, type(ids) == "number" and ids or 0 do
    net.ids[i] = i
  end
  for i, id in ipairs(type(ids) == "table" and ids or {}) do
    net.ids[i] = id
  end
  for _, id in ipairs(net.ids) do
    net:add(id, options, each and each[id])
  end
  return net
end

-- One more; without voters in the options, all of the net's ids are.
function Net:add(id, options, more)
  local all = copy(options)
  for key, value in pairs(more or {}) do
    all[key] = value
  end
  all.id = id
  all.seed = all.seed or id
  all.now_ns = self.now_ns
  all.voters = all.voters or self.ids
  self.nodes[id] = { replica = core.replica(all), waiting = {}, durable = 0, asked = 0, applied = {}, reads = {} }
  self:step(id, { kind = "tick" }) -- it tells when it wants to be woken
end

function Net:status(id)
  return self.nodes[id].replica:status()
end

-- Its terms in order: { 1, 1, 2 }.
function Net:terms(id)
  local terms = {}
  for i, entry in ipairs(self.nodes[id].replica:log()) do
    terms[i] = entry.term
  end
  return terms
end

function Net:log(id)
  return self.nodes[id].replica:log()
end

function Net:hash(id, renaming)
  return self.nodes[id].replica:hash(renaming)
end

function Net:members(id)
  return (self.nodes[id].replica:members())
end

-- From now on its disk is done only when persisted(id) says so.
function Net:slow(id)
  self.nodes[id].slow = true
end

function Net:post(messages)
  for _, message in ipairs(messages) do
    self.queue[#self.queue + 1] = message
  end
end

-- Messages whose persists are durable may leave.
function Net:release(id)
  local node = self.nodes[id]
  local still = {}
  for _, waiting in ipairs(node.waiting) do
    if waiting.sequence <= node.durable then
      self:post(waiting.messages)
    else
      still[#still + 1] = waiting
    end
  end
  node.waiting = still
end

-- One event to one replica, with all that an update asks a node to do. Gives the update.
function Net:step(id, event)
  local node = self.nodes[id]
  event.now_ns = event.now_ns or self.now_ns
  local update = node.replica:step(event)
  lu.assertNil(update.fatal)
  self:post(update.messages)
  local sequence = update.messages_after_sequence
  if update.persist then
    lu.assertTrue(update.persist.sequence > node.asked)
    node.asked = update.persist.sequence
    sequence = update.persist.sequence
  end
  if #update.messages_after > 0 then
    node.waiting[#node.waiting + 1] = { sequence = sequence, messages = update.messages_after }
  end
  self:release(id)
  for index = update.apply_first, update.apply_first > 0 and update.apply_last or -1 do
    lu.assertEquals(index, #node.applied + 1)
    node.applied[index] = node.replica:log()[index]
  end
  for _, read in ipairs(update.reads) do
    node.reads[read.read_id] = read.index
  end
  node.wants_flush = update.wants_flush
  node.deadline_ns = update.deadline_ns
  if not node.slow and node.durable < node.asked then
    self:persisted(id)
  end
  return update
end

-- Its disk has done what it was asked for so far (or up to `sequence`).
function Net:persisted(id, sequence)
  local node = self.nodes[id]
  node.durable = sequence or node.asked
  return self:step(id, { kind = "persisted", sequence = node.durable })
end

function Net:flush()
  for _, id in ipairs(self.ids) do
    if self.nodes[id].wants_flush then
      self:step(id, { kind = "flush" })
    end
  end
end

-- Cuts what goes from one to another ("both" ways with a third argument); all of one's links.
function Net:cut(from, to)
  self.cuts[from .. ">" .. to] = true
end

function Net:isolate(id)
  for _, other in ipairs(self.ids) do
    self:cut(id, other)
    self:cut(other, id)
  end
end

function Net:heal()
  self.cuts = {}
end

-- Delivers the oldest message under way; gives it, or nil.
function Net:deliver()
  local message = table.remove(self.queue, 1)
  if message and self.nodes[message.to] and not self.cuts[message.from .. ">" .. message.to] then
    self:step(message.to, { kind = "message", message = message })
  end
  return message
end

-- Until nothing is under way and nobody has anything to say.
function Net:settle()
  for _ = 1, 10000 do
    if not self:deliver() then
      self:flush()
      if #self.queue == 0 then
        return
      end
    end
  end
  lu.fail("the replicas never stop talking")
end

-- The messages under way of a kind, from one (or any) to one (or any); they stay where they are.
function Net:under_way(kind, from, to)
  local found = {}
  for _, message in ipairs(self.queue) do
    if message.kind == kind and (not from or message.from == from) and (not to or message.to == to) then
      found[#found + 1] = message
    end
  end
  return found
end

-- Takes them out: they are lost, or the spec delivers them itself.
function Net:take(kind, from, to)
  local found = self:under_way(kind, from, to)
  local taken = {}
  for _, message in ipairs(found) do
    taken[message] = true
  end
  local rest = {}
  for _, message in ipairs(self.queue) do
    if not taken[message] then
      rest[#rest + 1] = message
    end
  end
  self.queue = rest
  return found
end

-- The oldest of these arrives.
function Net:settle_one(kind, from, to)
  local message = self:under_way(kind, from, to)[1]
  lu.assertNotNil(message, kind)
  for i, other in ipairs(self.queue) do
    if other == message then
      table.remove(self.queue, i)
      break
    end
  end
  return self:receive(message)
end

function Net:receive(message)
  return self:step(message.to, { kind = "message", message = message })
end

function Net:campaign(id, force)
  return self:step(id, { kind = "campaign", force = force })
end

-- Makes it the leader, with all messages delivered.
function Net:elect(id)
  self:campaign(id, true)
  self:settle()
  lu.assertEquals(self:status(id).role, "leader")
end

-- Sends its heartbeats now, if it leads.
function Net:heartbeat(id)
  return self:step(id, { kind = "heartbeat" })
end

function Net:read(id, read_id)
  return self:step(id, { kind = "read", read_id = read_id })
end

function Net:submit(id, ...)
  local entries = {}
  for i, command in ipairs { ... } do
    entries[i] = { command = command }
  end
  return self:step(id, { kind = "submit", entries = entries })
end

function Net:change(id, configuration)
  return self:step(id, { kind = "change", configuration = configuration })
end

-- Lets time pass, waking each replica when it asked for it; nothing is delivered.
function Net:pass(duration_ns, ids)
  local until_ns = self.now_ns + duration_ns
  while true do
    local next_ns, next_id
    for _, id in ipairs(ids or self.ids) do
      local deadline_ns = self.nodes[id].deadline_ns
      if deadline_ns and deadline_ns <= until_ns and (not next_ns or deadline_ns < next_ns) then
        next_ns, next_id = deadline_ns, id
      end
    end
    if not next_ns then
      self.now_ns = until_ns
      return
    end
    self.now_ns = math.max(next_ns, self.now_ns)
    self:step(next_id, { kind = "tick" })
  end
end

-- The same, with what is said delivered at once.
function Net:run(duration_ns)
  local until_ns = self.now_ns + duration_ns
  while self.now_ns < until_ns do
    self:pass(M.MS)
    self:settle()
  end
end

-- A log of commands with these terms.
function M.log(terms)
  local log = {}
  for i, term in ipairs(terms) do
    log[i] = { term = term, command = ("%d in %d"):format(i, term) }
  end
  return log
end

-- Options for replicas that do nothing by themselves.
M.still = {
  election_timeout_min_ns = core.never, election_timeout_max_ns = core.never, pre_vote = false, check_quorum = false,
}

return M
