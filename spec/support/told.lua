-- A run told to the checker by hand, event by event.
local lu = require "luaunit"
local core = require("raft").core

local told = {}

local STATE, ENTRIES = 1, 2

-- ---- a run told by hand -------------------------------------------------------------------------

local Run = {}
Run.__index = Run

function told.run(options)
  return setmetatable({ checker = core.checker(options), time_ns = 0, sequence = {} }, Run)
end

function Run:event(kind, node, fields)
  local event = { kind = kind, node = node, time_ns = self.time_ns }
  self.time_ns = self.time_ns + 1000000
  for key, value in pairs(fields or {}) do
    event[key] = value
  end
  self.violation = self.checker:event(event)
  return self
end

-- Entries of these terms; the hash tells what is in them.
local function entries(terms, what)
  local list = {}
  for i, term in ipairs(terms) do
    list[i] = { term = term, hash = 1000003 * term + 7919 * i + (what or 0) + 1 }
  end
  return list
end

function Run:start(node, term, vote, terms, configurations)
  return self:start_with(node, 0, term, vote, terms, configurations)
end

-- With that directory: a disk of its own.
function Run:start_with(node, directory, term, vote, terms, configurations)
  terms = terms or {}
  self.sequence[node] = 0
  return self:event("start", node, { directory = directory, term = term or 0, vote = vote or 0, first = 1,
    last = #terms, entries = entries(terms), configurations = configurations })
end

function Run:crash(node)
  return self:event("stop", node, { text = "crash" })
end

function Run:role(node, role, term)
  return self:event("role", node, { role = role, term = term })
end

function Run:vote(node, candidate, term, last, last_term)
  return self:event("vote", node, { peer = candidate, term = term, last = last, prev_term = last_term })
end

-- Hard state written and durable.
function Run:state(node, term, vote)
  self.sequence[node] = self.sequence[node] + 1
  self:event("write", node, { what = STATE, sequence = self.sequence[node], term = term, vote = vote })
  return self:event("sync", node, { what = STATE, sequence = self.sequence[node], term = term, vote = vote })
end

-- The log from `first` on is now of these terms (`all`: the whole log's, of which [first ..] is new).
function Run:append(node, first, all, what, configurations)
  local whole = entries(all, what)
  local new = {}
  for i = first, #whole do
    new[#new + 1] = whole[i]
  end
  return self:event("append", node, { first = first, last = #whole, entries = new, configurations = configurations })
end

-- It says that it goes by that configuration.
function Run:members(node, configuration)
  return self:event("members", node, { index = configuration.index, configurations = { configuration } })
end

function Run:write(node, first, last)
  self.sequence[node] = self.sequence[node] + 1
  return self:event("write", node, { what = ENTRIES, sequence = self.sequence[node], first = first, last = last })
end

function Run:sync(node)
  return self:event("sync", node, { what = ENTRIES, sequence = self.sequence[node] })
end

function Run:durable(node, first, all)
  return self:append(node, first, all):write(node, first, #all):sync(node)
end

function Run:commit(node, index, counted, entry_term)
  return self:event("commit", node, { index = index, flag = counted, prev_term = entry_term })
end

function Run:apply(node, index, term, answer, hash)
  return self:event("apply", node, { index = index, prev_term = term, flag = true, answer_hash = answer or 1,
    hash = hash or 0 })
end

function Run:truncate(node, first, last)
  return self:event("truncate", node, { first = first, last = last })
end

-- A round of reads of that node; an answer to it; and what node 1 confirms.

function Run:round(node, number)
  for peer = 2, 3 do
    self:event("send", node, { peer = peer, message = "read", sequence = number, term = 2 })
  end
  return self
end

function Run:answer(peer, number, fields)
  fields = fields or {}
  return self:event("receive", 1, { peer = peer, message = "read_response", sequence = number,
    term = fields.term or 2, reject = fields.reject })
end

function Run:confirm(first, last, index)
  return self:event("confirm", 1, { first = first, last = last or first, index = index or 2 })
end

-- Three nodes of which 1 leads term 1; entries 1..3 are durable everywhere and committed.
function told.settled(options)
  local r = told.run(options)
  for id = 1, 3 do
    r:start(id):vote(id, 1, 1):state(id, 1, 1)
  end
  r:role(1, "leader", 1)
  for id = 1, 3 do
    r:durable(id, 1, { 1, 1, 1 })
  end
  r:event("match", 1, { peer = 2, index = 3 })
  r:commit(1, 3, true):commit(2, 3):commit(3, 3)
  for id = 1, 3 do
    for index = 1, 3 do
      r:apply(id, index, 1, 100 + index)
    end
  end
  lu.assertNil(r.violation)
  return r
end

function told.assert_violated(r, property, ...)
  lu.assertNotNil(r.violation, "no violation was seen")
  lu.assertEquals(r.violation.property, property)
  lu.assertIsString(r.violation.message)
  local nodes = {}
  for _, node in ipairs(r.violation.nodes) do
    nodes[node] = true
  end
  for _, node in ipairs { ... } do
    lu.assertTrue(nodes[node], ("node %d is not among those it tells of"):format(node))
  end
end

return told
