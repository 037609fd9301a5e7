-- What came of what in a trace: sends, and what was received or lost of them; and what a diagram leaves out.
local choose = require "raft.view.choose"
local command = require "spec.support.command"
local links = require "raft.view.links"
local lu = require "luaunit"
local views = require "spec.support.views"

local tests = {}

local function send(node, peer, number, fields)
  local event = { kind = "send", node = node, peer = peer, number = number, message = "append", term = 1 }
  for name, value in pairs(fields or {}) do
    event[name] = value
  end
  return event
end

local function receive(node, peer, number, fields)
  local event = send(node, peer, number, fields)
  event.kind = "receive"
  return event
end

local function drop(node, peer, number)
  return { kind = "drop", node = node, peer = peer, number = number, text = "cut" }
end

-- For each event the position of the send that it belongs to, or false.
local function causes_of(events)
  local seen, list = links.new(), {}
  for position, event in ipairs(events) do
    list[position] = seen:see(position, event) or false
  end
  return list
end

function tests.test_ReceivesAndDropsBelongToSends()
  lu.assertEquals(causes_of {
    send(1, 2, 1), send(1, 3, 2), send(2, 1, 1), receive(3, 1, 2), receive(2, 1, 1), drop(2, 1, 1), receive(1, 3, 7),
    drop(3, 1, 9), { kind = "receive", node = 1, message = "client_request", number = 5 },
  }, { false, false, false, 2, 1, 3, false, false, false })
end

function tests.test_WhatTheNetworkRepeatsBelongsToOneSend()
  lu.assertEquals(causes_of { send(1, 2, 1), receive(2, 1, 1), drop(1, 2, 1), receive(2, 1, 1) },
    { false, 1, 1, 1 })
end

function tests.test_ANodeThatBeginsAgainUsesANumberAgain()
  local function start(node, directory)
    return { kind = "start", node = node, directory = directory }
  end
  lu.assertEquals(causes_of { -- told apart by what the message says, and else in their order
    send(1, 2, 1, { term = 1 }), { kind = "stop", node = 1 }, start(1), send(1, 2, 1, { term = 2 }),
    receive(2, 1, 1, { term = 1 }), receive(2, 1, 1, { term = 2 }), send(1, 2, 1, { term = 2 }),
    receive(2, 1, 1, { term = 2 }),
  }, { false, false, false, false, 1, 4, false, 7 })
  lu.assertEquals(causes_of { -- or by the disk
    start(1, 11), send(1, 2, 1), start(1, 12), send(1, 2, 1), receive(2, 1, 1, { directory = 12 }),
    receive(2, 1, 1, { directory = 11 }),
  }, { false, false, false, false, 4, 2 })
end

function tests.test_ARunKnowsNothingOfTheOneBefore()
  lu.assertEquals(causes_of { send(1, 2, 1), { kind = "run", node = 0 }, receive(2, 1, 1) }, { false, false, false })
end

function tests.test_MemoryIsBounded()
  collectgarbage()
  local before, seen, wrong = collectgarbage "count", links.new(), 0
  for number = 1, 40000 do
    seen:see(2 * number, send(1, 2, number))
    if seen:see(2 * number + 1, receive(2, 1, number)) ~= 2 * number then
      wrong = wrong + 1
    end
    seen:see(number, send(1, 0, number)) -- what a client gets is not told
    seen:see(number, send(2, 3, number)) -- and these are held back
  end
  lu.assertEquals(wrong, 0)
  collectgarbage()
  local held = collectgarbage "count" - before
  lu.assertTrue(held < 24576, ("%.0f KiB"):format(held))
  lu.assertEquals(seen:see(0, receive(3, 2, 39999)), 39999)
  lu.assertNil(seen:see(0, receive(3, 2, 1)))
  lu.assertNil(seen:see(0, receive(2, 1, 1)))
end

command.add(tests, "InARealTrace", function(folder)
  local path = folder .. "/trace"
  views.record(path, { nodes = 3 }, function(c)
    c:link("*", "*", { duplicate = 0.3, drop = 0.1, reorder = 0.2 })
    views.some_faults(c)
    c:add_servers { 4 }
    c:remove_servers { 4 }
    c:add_servers { 4 } -- from an empty disk, and with numbers from 1
    c:set("key", 2)
  end)
  local events, seen, count = views.read_events(path), links.new(), 0
  for position, event in ipairs(events) do
    local cause = seen:see(position, event)
    if (event.kind == "receive" or event.kind == "drop") and event.peer then
      local from, to = event.node, event.peer
      if event.kind == "receive" then
        from, to = to, from
        lu.assertEquals(events[cause].message, event.message)
        lu.assertEquals(events[cause].term, event.term)
      end
      lu.assertEquals({ events[cause].node, events[cause].peer }, { from, to })
      count = count + 1
    else
      lu.assertNil(cause)
    end
  end
  lu.assertTrue(count > 100)
end)

-- ---- what is shown ------------------------------------------------------------------------------

function tests.test_AStretchOfTimeSomeNodesSomeKinds()
  local choice = choose.new { from = 1, to = 2.5, nodes = { 1, 3 }, kinds = { "role", "fault" } }
  local function has(time, node, kind)
    return choice:takes { time = time, node = node, kind = kind }
  end
  lu.assertTrue(has(1e9, 1, "role"))
  lu.assertTrue(has(2.5e9, 3, "role"))
  lu.assertTrue(has(2e9, 0, "fault"))
  lu.assertFalse(has(1e9 - 1, 1, "role"))
  lu.assertFalse(has(2.5e9 + 1, 1, "role"))
  lu.assertFalse(has(2e9, 2, "role"))
  lu.assertFalse(has(2e9, 1, "vote"))
  lu.assertTrue(has(0, 0, "run"))
  lu.assertTrue(has(9e9, 0, "verdict"))
  lu.assertEquals(choice:total(), 3)
  lu.assertEquals(choice:words(), "from 1 s to 2.5 s; nodes 1, 3; kinds role, fault")
  lu.assertEquals(choose.new({ from = 0.25, nodes = { 2 } }):words(), "from 0.25 s on; node 2")
  lu.assertEquals(choose.new({ to = 10, kinds = { "role" } }):words(), "up to 10 s; kind role")
  lu.assertNil(choose.new({}):words())
  lu.assertNil(choose.new({}):total())
end

command.add(tests, "OfATableTheSame", function(folder)
  local path = command.write(folder .. "/trace", table.concat(views.small, "\n") .. "\n")
  local text = views.show(path, "--width", "80", "--from", "1.5", "--to", "1.5013", "--nodes", "1")
  command.assert_has(text, "│ shown: 8 of them, from 1.5 s to 1.5013 s; node 1 ", "LEADER t4", "▶ crash(1)")
  command.assert_lacks(text, "node 2 ", "← 1 append")
  text = views.show(path, "--width", "80", "--kind", "write,role")
  command.assert_has(text, "shown: 2 of them, kinds write, role", "LEADER t4", "writes 1..3")
  command.assert_lacks(text, "→ 2 append")
end)

command.add(tests, "WhatCannotBeShown", function(folder)
  local path = command.write(folder .. "/trace", table.concat(views.small, "\n") .. "\n")
  for _, case in ipairs {
    { 2, "there is no kind of event 'leader'; there are start, stop, role,", "--kind", "role,leader" },
    { 2, "--from is later than --to", "--from", "2", "--to", "1" },
    { 2, "'one' is not a number of seconds", "--from", "one" },
    { 2, "'x' is not the number of a node", "--nodes", "1,x" },
    { 2, "--as table shows no history", "--history", "h" },
    { 2, "--model is the model of a --history", "--model", "kv" },
    { 3, "/trace: none of its 13 events is among those that were asked for", "--from", "100" },
  } do
    local result = command.assert_code(views.view(path, (table.unpack or unpack)(case, 3)), case[1]) -- luacheck: ignore
    command.assert_has(result.err, case[2])
  end
end)

return tests
