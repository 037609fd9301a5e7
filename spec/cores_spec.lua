-- Bare cores under one harness: what is under way, disks and time are in the hand of whoever drives them; and states
-- that hash alike behave alike, which is tried on thousands of random short runs.
local lu = require "luaunit"
local core = require("raft").core
local clusters = require "spec.support.clusters"
local replicas = require "spec.support.replicas"

local tests = {}
local MS = replicas.MS

local function led_by(id)
  local net = replicas.new(3, replicas.still)
  net:elect(id)
  return net
end

-- ---- the harness --------------------------------------------------------------------------------

function tests.test_AMessageIsDeliveredLostOrDeliveredTwice()
  local net = led_by(1)
  local cores = net.cores
  net:submit(1, "x")
  net:flush()
  local kept, lost = net:under_way("append", 1, 2)[1], net:under_way("append", 1, 3)[1]
  cores:drop(lost.number)
  lu.assertEquals(cores:deliver(kept.number, true).appended_last, 2)
  lu.assertEquals(cores:deliver(kept.number).appended_last, 0) -- it has it
  lu.assertErrorMsgContains("no message", cores.deliver, cores, kept.number)
  lu.assertEquals(#net:under_way("append_response", 2, 1), 2)
  net:settle()
  lu.assertEquals(net:terms(2), { 1, 1 })
  lu.assertEquals(net:terms(3), { 1 })
end

function tests.test_AMessageStaysWhatItIsWhenItsSenderLosesTheEntries()
  local net = led_by(1)
  net:isolate(1)
  net:submit(1, "replaced")
  net:flush()
  local old = net:under_way("append", 1, 2)[1]
  net:elect(2) -- what is under way from 1 is lost
  net:heal()
  net.cores:send(old)
  net:heartbeat(2)
  net:settle()
  net:submit(2, "other")
  net:settle()
  lu.assertEquals(net:terms(1), { 1, 2, 2 })
  lu.assertEquals(old.entries[1].command, "replaced")
end

function tests.test_WhatWaitsForADiskLeavesWhenItIsConfirmed()
  local net = led_by(1)
  net:slow(2)
  net:submit(1, "x")
  net:flush()
  net:deliver_one("append", 1, 2)
  lu.assertEquals(#net:under_way("append_response", 2), 0)
  lu.assertEquals(net.cores:state(2).durable, net:asked(2) - 1)
  lu.assertNotNil(net:persisted(2))
  lu.assertEquals(#net:under_way("append_response", 2), 1)
  lu.assertNil(net:persisted(2)) -- nothing more
end

function tests.test_TimePassesWhenItIsLet()
  local net = replicas.new(3, { pre_vote = false, check_quorum = false })
  net:settle()
  lu.assertEquals({ net.cores:now_ns(), net:status(1).term }, { 0, 0 })
  net:pass(1000 * MS, 2) -- only it wakes
  lu.assertEquals(net.cores:now_ns(), 1000 * MS)
  lu.assertEquals({ net:status(1).role, net:status(2).role }, { "follower", "candidate" })
end

function tests.test_WrongCallsAreErrorsInWords()
  local net = led_by(1)
  local cores = net.cores
  for message, call in pairs {
    ["no replica 9"] = function() cores:step(9, { kind = "tick" }) end,
    ["there is a replica 1"] = function() cores:add { id = 1, voters = { 1 } } end,
    ["use cores:confirm"] = function() cores:step(1, { kind = "persisted", sequence = 1 }) end,
    ["must not go back"] = function() cores:step(1, { kind = "tick", now_ns = -1 }) end,
    ["no persist of it"] = function() cores:confirm(1, 99) end,
    ["stepped by the cores"] = function() cores:replica(1):step { kind = "tick" } end,
    ["copied with the cores"] = function() cores:replica(1):copy() end,
    ["within the range of time"] = function() cores:pass(-1) end,
  } do
    lu.assertErrorMsgContains(message, call)
  end
end

-- ---- states that hash alike behave alike --------------------------------------------------------

-- A generator of its own, so that a run is the same in every Lua.
local function generator(seed)
  local state = seed % 2147483646 + 1
  return function(bound)
    state = state * 16807 % 2147483647
    return math.floor(state / 2147483647 * bound) + 1
  end
end

-- Few entries and few messages at once, so that different runs meet often.
local OPTIONS = {
  election_timeout_min_ns = core.never, election_timeout_max_ns = core.never, check_quorum = false, pre_vote = false,
  max_entries = 2, window = 2,
}

-- Replica 1 leads, and all is quiet; then some disks are slow.
local function three(draw)
  local cores = core.cores()
  for id = 1, 3 do
    local options = { id = id, voters = { 1, 2, 3 }, seed = id }
    for key, value in pairs(OPTIONS) do
      options[key] = value
    end
    cores:add(options)
  end
  cores:step(1, { kind = "campaign", force = true })
  cores:settle()
  local slow = draw(8)
  for id = 1, 3 do
    cores:set_slow(id, slow == id or slow == 4)
  end
  return cores
end

-- What one replica may be told, but for messages.
local function draw_input(draw)
  local kind = draw(24)
  if kind <= 2 then
    return { kind = "campaign", force = true }
  elseif kind <= 5 then
    return { kind = "submit", entries = { { command = "x" } } }
  elseif kind <= 8 then
    return { kind = "read", read_id = 1 }
  elseif kind <= 14 then
    return { kind = "heartbeat" }
  end
  return { kind = "flush" }
end

-- Something happens somewhere; gives it in words.
local function happen(cores, draw)
  local messages = cores:messages()
  local id, kind = draw(3), draw(10)
  local message = messages[draw(math.max(1, #messages))]
  if message and (kind >= 5 or #messages > 6) then
    if kind >= 8 then
      cores:drop(message.number)
      return "drop " .. message.hash
    end
    cores:deliver(message.number, kind == 5)
    return "deliver " .. message.hash
  elseif kind == 1 then
    cores:confirm(id)
    return "confirm " .. id
  end
  local input = draw_input(draw)
  id = draw(2) == 1 and id or 1
  cores:step(id, input)
  return input.kind .. id
end

-- A message as it is told from others, but for the number of its round.
local function outline(message)
  return table.concat({ message.kind, message.from, message.to, message.term, message.prev_index, message.prev_term,
    message.commit, message.index, message.hint_index, message.hint_term, #message.entries, tostring(message.reject),
    tostring(message.quiet), tostring(message.sequence ~= 0) }, " ")
end

-- What an update tells of what follows, but for numbers that only count.
local function told(update)
  if not update then
    return "nothing"
  end
  local parts = { update.refusal, update.index, update.apply_first, update.apply_last,
    tostring(update.wants_flush), tostring(update.role_changed), tostring(update.voted), update.truncated_from,
    update.appended_first, update.appended_last, update.match_peer, update.match_index, #update.reads, #update.notices }
  for _, list in ipairs { update.messages, update.messages_after } do
    for _, message in ipairs(list) do
      parts[#parts + 1] = outline(message)
    end
  end
  return table.concat(parts, "; ")
end

-- The latest round of heartbeats of a leader.
local function round_of(cores, id)
  return cores:copy():step(id, { kind = "heartbeat" }).messages[1].sequence - 1
end

-- Puts a message under way that means to the replica there what `message` means to it here: for a leader one of a round
-- that stands to its others as that one does. Gives its number; nil where there is no such round.
local function put_alike(cores, id, message)
  local leads = cores:replica(id):status().role == "leader"
  if not leads or message.sequence == 0 then
    return (cores:send(message))
  elseif message.kind == "read_response" then
    for _, other in ipairs(cores:messages()) do
      if other.hash == message.hash then
        return other.number
      end
    end
    return nil
  end
  local twin = {}
  for key, value in pairs(message) do
    twin[key] = value
  end
  for sequence = 1, round_of(cores, id) do
    twin.sequence = sequence
    local number, hash = cores:send(twin)
    if hash == message.hash then
      return number
    end
    cores:drop(number)
  end
  return nil
end

-- What a server might answer to this; nil where it is no request.
local function answer_to(message, reject)
  local answer = { from = message.to, to = message.from, term = message.term, sequence = message.sequence,
    reject = reject, entries = {} }
  if message.kind == "append" then
    answer.kind = "append_response"
    answer.commit = message.commit
    answer.index = message.prev_index + (reject and 0 or #message.entries)
    answer.hint_index = reject and math.max(0, message.prev_index - 1) or 0
    answer.hint_term = answer.hint_index > 0 and message.prev_term or 0
  elseif message.kind == "read" or message.kind == "vote" then
    answer.kind = message.kind .. "_response"
  else
    return nil
  end
  return answer
end

-- A replica of two wholes: what is done to it in one is done to it in the other.
local Pair = {}
Pair.__index = Pair

function Pair:notes(update, update_too)
  for _, list in ipairs { "messages", "messages_after" } do
    for i, message in ipairs(update and update[list] or {}) do
      self.sent[#self.sent + 1] = { message, update_too and update_too[list][i] }
    end
  end
  return told(update), told(update_too)
end

function Pair:disk(draw)
  local state, state_too = self.one:state(self.id), self.other:state(self.id)
  local more = draw(state.asked - state.durable)
  return "confirm", self:notes(self.one:confirm(self.id, state.durable + more),
    self.other:confirm(self.id, state_too.durable + more))
end

-- One of those under way in the first whole; nil where the second cannot come to it.
function Pair:arrival(message)
  local number = put_alike(self.other, self.id, message)
  if number then
    return outline(message), self:notes(self.one:deliver(message.number), self.other:deliver(number))
  end
end

-- Somebody answers what it said since it is looked at.
function Pair:answer(draw)
  local pair = self.sent[draw(#self.sent)]
  local reject = draw(3) == 1
  local answer = pair[2] and answer_to(pair[1], reject)
  if answer then
    return "answer to " .. outline(pair[1]), self:notes(
      self.one:step(self.id, { kind = "message", message = answer }),
      self.other:step(self.id, { kind = "message", message = answer_to(pair[2], reject) }))
  end
end

function Pair:input(draw)
  local input = draw_input(draw)
  return input.kind, self:notes(self.one:step(self.id, input), self.other:step(self.id, input))
end

function Pair:arriving()
  local messages = {}
  for _, message in ipairs(self.one:messages()) do
    if message.to == self.id then
      messages[#messages + 1] = message
    end
  end
  return messages
end

-- Gives what it was, and what both say to it.
function Pair:next(draw)
  local messages, state, kind = self:arriving(), self.one:state(self.id), draw(6)
  if kind == 1 and state.asked > state.durable then
    return self:disk(draw)
  elseif kind <= 2 and #messages > 0 then
    return self:arrival(messages[draw(#messages)])
  elseif kind <= 5 and #self.sent > 0 then
    return self:answer(draw)
  end
  return self:input(draw)
end

-- From here on the replica says the same in both, and they stay alike.
local function follow(one, other, id, draw)
  local pair = setmetatable({ one = one, other = other, id = id, sent = {} }, Pair)
  for _ = 1, 12 do
    local what, said, said_too = pair:next(draw)
    if what and said ~= said_too then
      lu.assertEquals(said_too, said, what)
    elseif one:replica(id):hash() ~= other:replica(id):hash() then
      lu.fail("they differ after " .. tostring(what))
    end
  end
end

-- Calls `met(cores, path, draw)` after each event of so many random short runs; `path` tells how they came there.
local function run_at_random(runs, met)
  for seed = 1, runs do
    local draw = generator(seed)
    local cores = three(draw)
    local path = ""
    for _ = 1, 25 do
      path = path .. ", " .. happen(cores, draw)
      met(cores, path, draw)
    end
  end
end

function tests.test_ReplicasThatHashAlikeBehaveAlike()
  local seen, count = { {}, {}, {} }, 0
  run_at_random(2 * clusters.seed_count(), function(cores, path, draw)
    local id = draw(3) > 1 and 1 or 2
    local hash = cores:replica(id):hash()
    local twin = seen[id][hash]
    if not twin or draw(4) == 1 then
      seen[id][hash] = { cores = cores:copy(), path = path } -- the latest: a run may have gone on for long before it
    end
    if twin and twin.path ~= path then
      count = count + 1
      follow(cores:copy(), twin.cores:copy(), id, draw)
      follow(twin.cores:copy(), cores:copy(), id, draw)
    end
  end)
  lu.assertTrue(count > 5 * clusters.seed_count(), count .. " times a state was reached by another way")
end

function tests.test_WholesThatHashAlikeStayAlike()
  local seen, count = {}, 0
  run_at_random(8 * clusters.seed_count(), function(cores, path, draw)
    local hash = cores:hash()
    local twin = seen[hash]
    if not twin then
      seen[hash] = { cores = cores:copy(), path = path }
    elseif twin.path ~= path then
      count = count + 1
      local one, other = cores:copy(), twin.cores:copy()
      local messages = one:messages()
      local message = messages[draw(math.max(1, #messages))]
      for _, too in ipairs(other:messages()) do
        if message and too.hash == message.hash then
          lu.assertEquals(told(one:deliver(message.number)), told(other:deliver(too.number)))
          message = nil
        end
      end
      lu.assertNil(message, "different messages are under way")
      lu.assertEquals(one:hash(), other:hash())
    end
  end)
  lu.assertTrue(count > 4 * clusters.seed_count(), count .. " times a state was reached by another way")
end

return tests
