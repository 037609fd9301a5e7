-- Bare cores, stepped by hand: a few replicas, their disks and the messages between them (core.cores), all of it in the
-- spec's hand. Nothing moves unless the spec says so.
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
  local net = setmetatable({ cores = core.cores(), ids = {}, options = {} }, Net)
  net.cores:keep_disks()
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
  all.voters = all.voters or self.ids
  self.options[id] = all
  self.cores:add(all)
end

-- The same once more, apart from this one.
function Net:copy()
  return setmetatable({ cores = self.cores:copy(), ids = self.ids, options = self.options }, Net)
end

-- ---- what they say of themselves ----------------------------------------------------------------

function Net:replica(id)
  return self.cores:replica(id)
end

function Net:status(id)
  return self:replica(id):status()
end

function Net:log(id)
  return self:replica(id):log()
end

-- Its terms in order: { 1, 1, 2 }.
function Net:terms(id)
  local terms = {}
  for i, entry in ipairs(self:log(id)) do
    terms[i] = entry.term
  end
  return terms
end

-- The entries that it has handed out, by index, as far as its log has them.
function Net:applied(id)
  local applied, last = {}, self.cores:state(id).applied
  for _, entry in ipairs(self:log(id)) do
    applied[entry.index] = entry.index <= last and entry or nil
  end
  return applied
end

-- The index up to which it has applied everything, itself or as a snapshot.
function Net:applied_index(id)
  return self.cores:state(id).applied
end

-- The index at which a read was answered, 0 where it failed; nil: it waits.
function Net:answer(id, read_id)
  return self.cores:state(id).reads[read_id]
end

function Net:members(id)
  return (self:replica(id):members())
end

function Net:hash(id, renaming)
  return self:replica(id):hash(renaming)
end

-- ---- events -------------------------------------------------------------------------------------

-- One event to one replica, with all that its update asks for. Gives the update.
function Net:step(id, event)
  return self.cores:step(id, event)
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

-- The same, where new voters are brought level first.
function Net:prepare(id, configuration)
  return self:change(id, { voters = configuration.voters, learners = configuration.learners, bring_level = true })
end

-- Asks it to hand leadership over; without a target to whom it thinks best.
function Net:transfer(id, target)
  return self:step(id, { kind = "transfer", target = target })
end

-- Everyone who has something to say when the loop goes idle says it.
function Net:flush()
  self.cores:flush()
end

-- ---- disks --------------------------------------------------------------------------------------

-- From now on its disk is done only when persisted(id) says so.
function Net:slow(id)
  self.cores:set_slow(id, true)
end

-- The sequence of the last persist that its disk was given.
function Net:asked(id)
  return self.cores:state(id).asked
end

-- Its disk has done what it was asked for so far (or up to `sequence`).
function Net:persisted(id, sequence)
  return self.cores:confirm(id, sequence)
end

-- It crashes, and starts again with what is on its disk.
function Net:crash(id)
  self.cores:crash(id, self.options[id])
end

-- ---- snapshots ----------------------------------------------------------------------------------

-- It takes a snapshot of what it has applied, `padding` bytes larger than it need be; its log is
-- needed from `first_index` on only (nil: not before the snapshot's end).
function Net:compact(id, first_index, padding)
  return self.cores:compact(id, first_index, padding)
end

-- Its slow disk has written the next piece of a snapshot that it receives (or fails to); nil: there
-- is none.
function Net:write_piece(id, fail)
  return self.cores:write_piece(id, fail)
end

-- ---- messages -----------------------------------------------------------------------------------

-- Cuts what goes from one to another; all of one's links.
function Net:cut(from, to)
  self.cores:cut(from, to)
end

function Net:isolate(id)
  for _, other in ipairs(self.ids) do
    self:cut(id, other)
    self:cut(other, id)
  end
end

function Net:heal()
  self.cores:heal()
end

-- Delivers the oldest message under way; gives it, or nil.
function Net:deliver()
  local message = self.cores:oldest()
  if message then
    self.cores:deliver(message.number)
  end
  return message
end

-- The same where it is of one of these kinds; any other is lost.
function Net:deliver_only(...)
  local message = self.cores:oldest()
  for _, kind in ipairs { ... } do
    if message and message.kind == kind then
      self.cores:deliver(message.number)
      return message
    end
  end
  if message then
    self.cores:drop(message.number)
  end
  return message
end

-- Until nothing is under way and nobody has anything to say.
function Net:settle()
  self.cores:settle()
end

-- How many messages are under way.
function Net:count()
  return self.cores:under_way()
end

-- Those of a kind (or any), from one (or any) to one (or any); they stay where they are.
function Net:under_way(kind, from, to)
  local found = {}
  for _, message in ipairs(self.cores:messages()) do
    if (not kind or message.kind == kind) and (not from or message.from == from) and (not to or message.to == to) then
      found[#found + 1] = message
    end
  end
  return found
end

-- Takes them out: they are lost, or the spec delivers them itself.
function Net:take(kind, from, to)
  local found = self:under_way(kind, from, to)
  for _, message in ipairs(found) do
    self.cores:drop(message.number)
  end
  return found
end

-- All that is under way is lost.
function Net:lose()
  self:take()
end

-- The oldest of these arrives.
function Net:deliver_one(kind, from, to)
  local message = self:under_way(kind, from, to)[1]
  lu.assertNotNil(message, kind)
  self.cores:deliver(message.number)
end

-- ---- time ---------------------------------------------------------------------------------------

-- Lets time pass, waking each replica (or only that one) when it asked for it; nothing is delivered.
function Net:pass(duration_ns, id)
  self.cores:pass(duration_ns, id)
end

-- The same, with what is said delivered at once.
function Net:run(duration_ns)
  for _ = 1, duration_ns / M.MS do
    self:pass(M.MS)
    self:settle()
  end
end

-- ---- options ------------------------------------------------------------------------------------

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
