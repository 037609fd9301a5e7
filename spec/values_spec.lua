-- Values: what goes in comes back the same, through every log and machine.
local lu = require "luaunit"
local raft = require "raft"
local clusters = require "spec.support.clusters"

local tests = {}

local integer_type = math.type or function(value)
  return value % 1 == 0 and "integer" or "float"
end

local function check_round_trip(c, value)
  assert(c:set("key", value))
  local back = c:get("key")
  lu.assertEquals(type(back), type(value))
  lu.assertEquals(back, value)
  local _, _, code = c:propose({ tagged = value })
  lu.assertNil(code)
  c:check_committed({ tagged = value })
  return back
end

local function round_trips(name, values)
  clusters.add(tests, name, { nodes = 3 }, function(c)
    for _, value in ipairs(values) do
      check_round_trip(c, value)
    end
  end)
end

clusters.in_both(tests, "APlain42ComesBackAsTheInteger42", { nodes = 3 }, function(c)
  lu.assertEquals(integer_type(check_round_trip(c, 42)), "integer")
  lu.assertEquals(integer_type(check_round_trip(c, 42.0)), "integer") -- a whole float is one too
  lu.assertEquals(tostring(c:get("key")), "42")
end)

if math.type then
  round_trips("IntegersOf64BitsAreExact", {
    0, -1, 23, 24, 255, 256, 65535, 65536, 4294967295, 4294967296, -24, -25, -256, -257, 9007199254740992,
    9007199254740993, -9007199254740993, math.maxinteger, math.mininteger,
  })
end

round_trips("FloatsAreExact", { 0.5, -0.25, 0.1, 1e300, -1e-300, 5e-324, 1.7976931348623157e308, 3.14159, 1e19 })

round_trips("StringsOfAnyBytes", {
  "", "text", "grüße", "\0", "a\0b", "\255\254", "\128", ("x"):rep(70000), "\237\160\128", "\n\t\"\\",
})

round_trips("Tables", {
  {}, { 1, 2, 3 }, { { 1 }, { {} } }, { a = 1 }, { a = { b = { c = { "deep" } } } }, { "mixed", { 1.5, true, "x" } },
  { [""] = "empty key", ["\0"] = 1, ["ü"] = 2 },
})

round_trips("Booleans", { true, false })

clusters.add(tests, "EveryByteInAString", { nodes = 1 }, function(c)
  local bytes = {}
  for byte = 0, 255 do
    bytes[#bytes + 1] = string.char(byte)
  end
  check_round_trip(c, table.concat(bytes))
end)

clusters.add(tests, "NullIsKeptInsideTables", { nodes = 1 }, function(c)
  assert(c:set("key", { 1, raft.null, 3, map = nil }))
  lu.assertEquals(c:get("key"), { 1, raft.null, 3 })
  assert(c:set("key", { field = raft.null }))
  lu.assertIs(c:get("key").field, raft.null)
  assert(c:set("key", raft.null))
  lu.assertIs(c:get("key"), raft.null)
end)

clusters.add(tests, "AnyValueIsAKey", { nodes = 1 }, function(c)
  for i, key in ipairs { 1, "1", 1.5, true, { "a", 1 }, { a = 1 }, "\0\255" } do
    assert(c:set(key, i))
  end
  for i, key in ipairs { 1, "1", 1.5, true, { "a", 1 }, { a = 1 }, "\0\255" } do
    lu.assertEquals(c:get(key), i)
  end
end)

clusters.add(tests, "EqualityIsDeep", { nodes = 1 }, function(c)
  assert(c:propose({ b = { 2, 1 }, a = "x" }))
  lu.assertEquals(c:check_committed({ a = "x", b = { 2, 1 } }, 1), 1)
  c:check_not_committed({ a = "x", b = { 1, 2 } })
  c:check_not_committed({ a = "x" })
end)

clusters.add(tests, "WhatIsNoValueRaises", { nodes = 1 }, function(c)
  local cyclic = {}
  cyclic[1] = cyclic
  local not_values = {
    { 0 / 0, "NaN" }, { 1 / 0, "infinit" }, { -1 / 0, "infinit" }, { print, "function" },
    { coroutine.create(print), "thread" }, { io.stdout, "userdata" }, { { [1.5] = 1 }, "array" },
    { { 1, x = 2 }, "array" },
    { { [1] = 1, [3] = 3 }, "gaps" }, { cyclic, "deep" }, { { a = { b = print } }, "function" },
  }
  for _, case in ipairs(not_values) do
    clusters.assert_raises(function()
      c:set("key", case[1])
    end, "'value'", case[2])
    clusters.assert_raises(function()
      c:propose(case[1])
    end, "'command'", case[2])
  end
  lu.assertNil((c:get("key"))) -- and nothing was half applied
end)

clusters.add(tests, "ACommandIsNeverNil", { nodes = 1 }, function(c)
  c:check_one_leader()
  for _, name in ipairs { "propose", "check_committed", "check_not_committed" } do
    clusters.assert_raises(function()
      c[name](c, nil)
    end, "command")
  end
  clusters.assert_raises(function()
    c:submit(1, nil)
  end, "command")
end)

clusters.add(tests, "AnEntryIsAtMost16MiB", { nodes = 1 }, function(c)
  c:check_one_leader()
  local _, _, code = c:submit(1, ("x"):rep(17 * 2 ^ 20))
  lu.assertEquals(code, "too_large")
  assert(c:propose("and it goes on"))
end)

return tests
