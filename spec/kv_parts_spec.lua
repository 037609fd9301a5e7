-- Commands of the "kv" machine that change a part of a value: strings that grow, lists, queues, sets.
local lu = require "luaunit"
local raft = require "raft"
local clusters = require "spec.support.clusters"

local tests = {}

local function ask(c, op, key, value)
  local _, result = assert(c:propose { op = op, key = key, value = value })
  return result
end

clusters.in_all(tests, "ListsAndQueues", { nodes = 3 }, function(c)
  lu.assertNil(ask(c, "push", "list", 1))
  lu.assertNil(ask(c, "push", "list", { "two" }))
  lu.assertNil(ask(c, "push", "list", 1))
  lu.assertEquals(c:get "list", { 1, { "two" }, 1 })
  lu.assertEquals(ask(c, "pop", "list"), { 1 })
  lu.assertEquals(ask(c, "pop", "list"), { { "two" } })
  lu.assertEquals(ask(c, "pop", "list"), { 1 })
  lu.assertEquals(ask(c, "pop", "list"), {})
  lu.assertEquals(ask(c, "pop", "nothing"), {})
  lu.assertEquals(c:get "list", {})
end)

clusters.add(tests, "SetsHoldAnElementOnce", { nodes = 1, mode = "sim" }, function(c)
  lu.assertTrue(ask(c, "add", "set", 1))
  lu.assertTrue(ask(c, "add", "set", "1"))
  lu.assertFalse(ask(c, "add", "set", 1))
  lu.assertEquals(c:get "set", { 1, "1" })
  lu.assertTrue(ask(c, "remove", "set", 1))
  lu.assertFalse(ask(c, "remove", "set", 1))
  lu.assertFalse(ask(c, "remove", "no set", 1))
  lu.assertEquals(c:get "set", { "1" })
end)

clusters.add(tests, "StringsGrow", { nodes = 1, mode = "sim" }, function(c)
  lu.assertNil(ask(c, "append", "text", "ab"))
  lu.assertNil(ask(c, "append", "text", "\255\0c"))
  lu.assertEquals(c:get "text", "ab\255\0c")
end)

-- What cannot be done is answered so and changes nothing.
clusters.add(tests, "WhatDoesNotFitIsRefused", { nodes = 1, mode = "sim" }, function(c)
  local function refused(op, key, value)
    lu.assertIsString((ask(c, op, key, value) or {}).error, op)
  end
  assert(c:set("number", 7))
  for _, op in ipairs { "append", "push", "add", "remove" } do
    refused(op, "number", "x")
    refused(op, "absent", nil)
  end
  refused("pop", "number")
  lu.assertEquals(c:get "number", 7)
  local deep = 1
  while not raft.core.value_problem { { { { deep } } } } do
    deep = { deep }
  end
  lu.assertNil(ask(c, "push", "deep", deep))
  refused("push", "deep", { { deep } })
  lu.assertEquals(c:get "deep", { deep })
end)

-- Lists are in snapshots as any value, and a node that has one goes on with it.
clusters.in_both(tests, "TheyAreInSnapshots", { nodes = 3 }, function(c)
  for number = 1, 20 do
    ask(c, "push", "list", number)
    ask(c, "append", "text", number .. " ")
  end
  local leader = c:wait_leader()
  assert(c:compact "all")
  c:crash(clusters.next_id(c, leader))
  assert(c:restart(clusters.next_id(c, leader)))
  ask(c, "push", "list", 21)
  lu.assertEquals(ask(c, "pop", "list"), { 1 })
  clusters.wait_level(c)
  lu.assertEquals(#c:get("list", { node = clusters.next_id(c, leader), read = "stale" }), 20)
end)

return tests
