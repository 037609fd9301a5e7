-- Encodings by themselves: values, JSON, checksums, frames, messages. Safe on any bytes.
local lu = require "luaunit"
local raft = require "raft"
local core = raft.core

local tests = {}

local function hex(bytes)
  return (bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

local function unhex(text)
  return (text:gsub("%x%x", function(byte)
    return string.char(tonumber(byte, 16))
  end))
end

-- A generator of our own, so that nothing depends on math.random's seeding.
local function generator(state)
  return function(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % n
  end
end

-- ---- values: deterministic CBOR (RFC 8949, 4.2) -------------------------------------------------

-- From the RFC's appendix A, and what we add to it.
local encodings = {
  { 0, "00" }, { 1, "01" }, { 10, "0a" }, { 23, "17" }, { 24, "1818" }, { 100, "1864" }, { 1000, "1903e8" },
  { 1000000, "1a000f4240" }, { 1000000000000, "1b000000e8d4a51000" }, { -1, "20" }, { -10, "29" }, { -100, "3863" },
  { -1000, "3903e7" }, { 1.5, "f93e00" }, { 65504.5, "fa477fe080" }, { 1.1, "fb3ff199999999999a" },
  { 100000.5, "fa47c35040" }, { 5.960464477539063e-8, "f90001" }, { 0.00006103515625, "f90400" },
  { -4.1, "fbc010666666666666" },
  { false, "f4" }, { true, "f5" }, { "", "60" }, { "a", "6161" }, { "IETF", "6449455446" }, { "\"\\", "62225c" },
  { "\195\188", "62c3bc" }, { "\255", "41ff" }, { {}, "80" }, { { 1, 2, 3 }, "83010203" },
  { { 1, { 2, 3 }, { 4, 5 } }, "8301820203820405" }, { { a = 1, b = { 2, 3 } }, "a26161016162820203" },
  { { aa = 1, b = 2 }, "a261620262616101" }, -- by encoded bytes: the shorter key first
  { 1.0, "01" }, { -0.0, "00" }, -- a whole float is an integer
}

function tests.test_EqualValuesAreTheseBytes()
  for _, case in ipairs(encodings) do
    lu.assertEquals(hex(core.value_encode(case[1])), case[2], lu.prettystr(case[1]))
    lu.assertEquals(core.value_decode(unhex(case[2])), case[1])
  end
  lu.assertEquals(hex(core.value_encode(raft.null)), "f6")
  lu.assertIs(core.value_decode("\246"), raft.null)
end

function tests.test_TheOrderOfAMapsMakingDoesNotMatter()
  local forward, backward = {}, {}
  for i = 1, 200 do
    forward["key" .. i] = i
    backward["key" .. (201 - i)] = 201 - i
  end
  lu.assertEquals(core.value_encode(forward), core.value_encode(backward))
end

function tests.test_OtherBytesAreNoValue()
  local bad = {
    "", "18", "1817", "190017", "1a00000001", "1b0000000000000001", -- not the shortest head
    "fa3fc00000", "fb3ff8000000000000", -- not the shortest float
    "f93c00", "f97e00", "f97c00", "f9fc00", -- a whole float, NaN, infinities
    "a2616201616102", "a2616101616102", -- keys out of order, twice
    "a10102", "5f", "9f0102ff", "bfff", "7f6161ff", -- a key that is no string, indefinite lengths
    "82", "8201", "a16161", "6261", "42ff", -- cut off
    "0001", "f4f4", -- something behind it
    "c074323031332d30332d32315432303a30343a30305a", "f0", "f818", "f7", "1c", "ff", -- tags, simple values, reserved
    "61ff", "6180", "41" .. "61", -- not UTF-8 as text; UTF-8 as bytes
    "9bffffffffffffffff", "5bffffffffffffffff", "bbffffffffffffffff", -- lengths beyond what is there
  }
  for _, text in ipairs(bad) do
    local value, problem = core.value_decode(unhex(text))
    lu.assertNil(value, text)
    lu.assertIsString(problem)
  end
  lu.assertNil((core.value_decode(("\129"):rep(200) .. "\0"))) -- too deep
end

function tests.test_AnyBytesAreSafeToDecode()
  local random = generator(1)
  for _ = 1, 20000 do
    local bytes = {}
    for i = 1, random(24) do
      bytes[i] = string.char(random(256))
    end
    local text = table.concat(bytes)
    local value = core.value_decode(text)
    if value ~= nil and not text:find("\160", 1, true) then -- an empty map is {} in Lua, as an empty array is
      lu.assertEquals(core.value_encode(value), text) -- there is one encoding only
    end
  end
end

-- ---- JSON of traces and histories ---------------------------------------------------------------

function tests.test_JsonRoundTrips()
  local values = { 0, -1, 0.1, 1e300, 5e-324, "", "text", "\"\\/\b\f\n\r\t",
    "\0\1\31",
    "gr\195\188\195\159e", "\240\159\152\128", "\255\0raw", true, false, { 1, { 2 } }, { a = { b = "c" } },
      { ["\195\188"] = 1 } }
  if math.maxinteger then
    for _, value in ipairs { 9007199254740993, -9007199254740993, math.maxinteger, math.mininteger } do
      values[#values + 1] = value
    end
  end
  for _, value in ipairs(values) do
    local text = core.json_encode(value)
    lu.assertNil(text:find("[%z\1-\31\127]")) -- no control character is left bare
    lu.assertEquals(core.json_decode(text), value, text)
  end
  lu.assertEquals(core.json_encode(raft.null), "null")
  lu.assertIs(core.json_decode("null"), raft.null)
end

function tests.test_JsonKeepsIntegersExact()
  if math.type then
    lu.assertEquals(core.json_encode(123456789012345678), "123456789012345678")
  else
    lu.assertErrorMsgContains("not exact in this Lua", core.json_encode, 123456789012345678)
    lu.assertErrorMsgContains("not exact in this Lua", core.json_encode, 2 ^ 53) -- 2^53 + 1 is the same number
  end
  lu.assertEquals(core.json_encode(9007199254740991), "9007199254740991")
  lu.assertEquals(core.json_encode(42), "42")
  lu.assertEquals(core.json_encode("\255"), '{"$bytes":"/w=="}')
end

function tests.test_JsonReadsWhatOthersWrite()
  lu.assertEquals(core.json_decode(' { "a" : [ 1 , 2.5e1 , "\\u00fc\\ud83d\\ude00" ] , "b" : { } } '),
    { a = { 1, 25, "\195\188\240\159\152\128" }, b = {} })
end

function tests.test_WhatIsNoJsonIsSaidWithItsPlace()
  for _, text in ipairs {
    "", "{", "[1,]", "[1 2]", '{"a"}', '{"a":1,}', "nul", "tru", "01", "1.", "1e", "+1", ".5", "-", '"', '"\\x"',
      '"\\u12"',
    '"\1"', "1 2", "[1]]", "NaN", "Infinity", "'a'", "{a:1}", '"\\ud800"', '{"a":1,"a":2}', "1e999",
    ("["):rep(1000) .. ("]"):rep(1000),
  } do
    local value, problem = core.json_decode(text)
    lu.assertNil(value, text:sub(1, 40))
    lu.assertStrContains(problem, "byte")
  end
end

-- ---- checksums ----------------------------------------------------------------------------------

function tests.test_Crc32cKnowsItsVectors()
  lu.assertEquals(core.crc32c(""), 0)
  lu.assertEquals(core.crc32c("123456789"), 0xe3069283)
  lu.assertEquals(core.crc32c(("\0"):rep(32)), 0x8a9136aa) -- RFC 3720, B.4
  lu.assertEquals(core.crc32c(("\255"):rep(32)), 0x62a8ab43)
end

-- Long ones go in three streams that are joined, and what is left over in parts.
function tests.test_Crc32cOfAnyLength()
  local bytes = {}
  for i = 1, 1447 do
    bytes[i] = string.char((i - 1) * 7 % 251)
  end
  local text = table.concat(bytes)
  for size, expected in pairs {
    [7] = 0xf16adce7, [479] = 0xd6632997, [480] = 0x2e0e5a6f,
    [508] = 0x0a585429, [967] = 0xab84321a, [1447] = 0x3373f47e,
  } do
    lu.assertEquals(core.crc32c(text:sub(1, size)), expected, size)
  end
end

-- ---- frames -------------------------------------------------------------------------------------

function tests.test_AFrameIsWholePartialOrBad()
  local frame = core.frame(2, 12345, "the body")
  lu.assertEquals(core.frame_check(frame), "whole")
  lu.assertEquals(core.frame_check(frame .. "and the next"), "whole")
  for size = 0, #frame - 1 do
    lu.assertEquals(core.frame_check(frame:sub(1, size)), "partial", size)
  end
end

function tests.test_EveryFlippedBitIsSeen()
  local frame = core.frame(2, 12345, "the body")
  for place = 1, #frame do
    for bit = 0, 7 do
      local byte = frame:byte(place)
      local flipped = math.floor(byte / 2 ^ bit) % 2 == 1 and byte - 2 ^ bit or byte + 2 ^ bit
      local damaged = frame:sub(1, place - 1) .. string.char(flipped) .. frame:sub(place + 1)
      lu.assertNotEquals(core.frame_check(damaged), "whole", ("byte %d bit %d"):format(place, bit))
    end
  end
end

function tests.test_AnOversizedLengthIsBadAtOnce()
  local verdict, problem = core.frame_check("\255\255\255\127" .. ("\0"):rep(24))
  lu.assertEquals(verdict, "bad")
  lu.assertIsString(problem)
  lu.assertEquals(core.frame_check("\1\0\0\0" .. ("\0"):rep(16)), "bad") -- shorter than its own head
end

function tests.test_GarbageIsNeverAWholeFrame()
  local random = generator(7)
  for _ = 1, 5000 do
    local bytes = {}
    for i = 1, 20 + random(30) do
      bytes[i] = string.char(random(256))
    end
    lu.assertNotEquals(core.frame_check(table.concat(bytes)), "whole")
  end
end

-- ---- messages -----------------------------------------------------------------------------------

local messages = {
  { kind = "pre_vote", from = 1, to = 2, term = 7, prev_index = 9, prev_term = 6 },
  { kind = "vote", from = 1, to = 2, term = 7, prev_index = 9, prev_term = 6, force = true },
  { kind = "pre_vote_response", from = 2, to = 1, term = 7, reject = true },
  { kind = "vote_response", from = 2, to = 1, to_directory = 2 ^ 52 + 1, term = 7 },
  { kind = "append_response", from = 2, to = 1, term = 7, index = 12 },
  { kind = "append_response", from = 2, to = 1, term = 7, index = 12, reject = true, hint_index = 8, hint_term = 3 },
  { kind = "read", from = 1, to = 2, term = 7, sequence = 99 },
  { kind = "read_response", from = 2, to = 1, term = 7, sequence = 99 },
  { kind = "append", from = 1, to = 2, term = 7, prev_index = 300, prev_term = 6, commit = 250, entries = {
    { index = 301, term = 6, kind = "command", command = { op = "set", key = "k", value = 1 } },
    { index = 302, term = 7, kind = "empty" },
    { index = 303, term = 7, kind = "command", command = ("x"):rep(1000) },
    { index = 304, term = 7, kind = "configuration",
      members = { voters = { 1, 2, 3 }, voters_old = { 1, 4 }, learners = { 9 } } },
  } },
  { kind = "append", from = 1, to = 2, term = 2 ^ 53, prev_index = 0, prev_term = 0, commit = 0, entries = {} },
}

-- Fields that a kind does not use are 0 after decoding.
local function complete(message)
  local all = { reject = false, force = false, quiet = false, prev_index = 0, prev_term = 0, commit = 0, index = 0,
    hint_index = 0, hint_term = 0, sequence = 0, entries = {}, from = 0, to = 0,
    from_directory = 0, to_directory = 0 }
  for key, value in pairs(message) do
    if key ~= "from" and key ~= "to" then -- those are the connection's
      all[key] = value
    end
  end
  return all
end

function tests.test_MessagesRoundTrip()
  for _, message in ipairs(messages) do
    local bytes = core.message_encode(message)
    local back = assert(core.message_decode(bytes))
    back.from, back.to = 0, 0
    lu.assertEquals(back, complete(message))
  end
end

function tests.test_ATruncatedMessageIsRefused()
  for _, message in ipairs(messages) do
    local bytes = core.message_encode(message)
    for size = 0, #bytes - 1 do
      local decoded, problem = core.message_decode(bytes:sub(1, size))
      lu.assertNil(decoded, ("%s cut to %d bytes"):format(message.kind, size))
      lu.assertIsString(problem)
    end
    lu.assertNil((core.message_decode(bytes .. "\0"))) -- nor with something behind it
  end
end

function tests.test_AnyBytesAreSafeToDecodeAsAMessage()
  local random = generator(3)
  for _, message in ipairs(messages) do
    local bytes = core.message_encode(message)
    for _ = 1, 300 do
      local place = 1 + random(#bytes)
      core.message_decode(bytes:sub(1, place - 1) .. string.char(random(256)) .. bytes:sub(place + 1))
    end
  end
  for _ = 1, 10000 do
    local bytes = {}
    for i = 1, random(40) do
      bytes[i] = string.char(random(256))
    end
    core.message_decode(table.concat(bytes))
  end
end

return tests
