-- Bare cores under one harness: what is under way, disks and time are in the hand of whoever drives them; and states
-- that hash alike behave alike, which is tried on thousands of random short runs.
local lu = require "luaunit"
local core = require("raft").core
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
    ["cores:confirm says"] = function() cores:step(1, { kind = "persisted", sequence = 1 }) end,
    ["must not go back"] = function() cores:step(1, { kind = "tick", now_ns = -1 }) end,
    ["no persist of it"] = function() cores:confirm(1, 99) end,
    ["stepped by the cores"] = function() cores:replica(1):step { kind = "tick" } end,
    ["copied with the cores"] = function() cores:replica(1):copy() end,
    ["no time that passes"] = function() cores:pass(-1) end,
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
    return state % bound + 1
  end
end

local RUNS = 1000

local OPTIONS = {
  election_timeout_min_ns = core.never, election_timeout_max_ns = core.never, check_quorum = false, pre_vote = false,
  max_entries = 1, window = 2,
}

local function three()
  local cores = core.cores()
  for id = 1, 3 do
    local options = { id = id, voters = { 1, 2, 3 }, seed = id }
    for key, value in pairs(OPTIONS) do
      options[key] = value
    end
    cores:add(options)
    cores:set_slow(id, true)
  end
  return cores
end

-- What can happen next, as events that can be done to another whole too: messages by their hashes.
local function draw_event(cores, draw)
  local id = draw(3)
  local messages = cores:messages()
  local kind = draw(20)
  if #messages > 0 and (kind <= 10 or #messages > 8) then
    return { "deliver", messages[draw(#messages)].hash, kind == 1 }
  elseif #messages > 0 and kind <= 13 then
    return { "drop", messages[draw(#messages)].hash }
  elseif kind <= 15 then
    local state = cores:state(id)
    return { "confirm", id, draw(math.max(1, state.asked - state.durable)) }
  elseif kind == 16 then
    return { "step", id, { kind = "campaign", force = true } }
  elseif kind == 17 then
    return { "step", id, { kind = "heartbeat" } }
  elseif kind == 18 then
    return { "step", id, { kind = "submit", entries = { { command = "x" } } } }
  elseif kind == 19 then
    return { "step", id, { kind = "read", read_id = 1 } }
  end
  return { "step", id, { kind = "flush" } }
end

local function number_of(cores, hash)
  for _, message in ipairs(cores:messages()) do
    if message.hash == hash then
      return message.number
    end
  end
  lu.fail "states with one hash have different messages under way"
end

-- What the event's update tells of what follows, but for numbers that only count.
local function told(update)
  if not update then
    return "nothing"
  end
  return table.concat({ tostring(update.fatal), update.refusal, update.index, update.apply_first, update.apply_last,
    tostring(update.wants_flush), #update.messages, #update.messages_after, #update.reads,
    tostring(update.role_changed), tostring(update.voted), tostring(update.commit_changed), update.truncated_from,
    update.appended_first, update.appended_last, update.match_peer, update.match_index }, " ")
end

local function happen(cores, event)
  local kind, what, more = event[1], event[2], event[3]
  if kind == "deliver" then
    return told(cores:deliver(number_of(cores, what), more))
  elseif kind == "drop" then
    cores:drop(number_of(cores, what))
    return "dropped"
  elseif kind == "confirm" then
    local state = cores:state(what)
    return told(cores:confirm(what, math.min(state.durable + more, state.asked)))
  end
  return told(cores:step(what, more))
end

local function words(event)
  local more = event[3]
  return ("%s %s %s"):format(event[1], event[2], type(more) == "table" and more.kind or tostring(more))
end

local function assert_alike(one, other, event)
  local said, said_too = happen(one, event), happen(other, event)
  if said ~= said_too then
    lu.assertEquals(said, said_too, words(event))
  end
  for id = 1, 3 do
    if one:replica(id):hash() ~= other:replica(id):hash() then
      lu.fail(("replica %d differs after %s"):format(id, words(event)))
    end
  end
  if one:hash() ~= other:hash() then
    lu.fail("what is under way differs after " .. words(event))
  end
end

-- Runs meet in a state by different ways: what comes next must be the same from there.
function tests.test_StatesThatHashAlikeBehaveAlike()
  local seen, met = {}, 0
  for seed = 1, RUNS do
    local draw = generator(seed)
    local cores = three()
    cores:step(1, { kind = "campaign", force = true })
    for id = 1, 3 do
      cores:confirm(id)
    end
    local path = {}
    for i = 1, 25 do
      local event = draw_event(cores, draw)
      path[i] = words(event)
      happen(cores, event)
      local hash = cores:hash()
      local twin = seen[hash]
      if not twin then
        seen[hash] = { cores = cores:copy(), path = table.concat(path, ", ") }
      elseif twin.path ~= table.concat(path, ", ") then
        met = met + 1
        local one, other = cores:copy(), twin.cores:copy()
        for _ = 1, 8 do
          assert_alike(one, other, draw_event(one, draw))
        end
      end
    end
  end
  lu.assertTrue(met > RUNS, met .. " states were reached by two ways")
end

return tests
