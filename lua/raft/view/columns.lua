--- Events as compact text, for a page to read: chunks of up to 8192, each of which can be read without the others.
--
-- A chunk is one line of JSON { events, strings, shapes } and a line of digits. A shape is a kind and the names of
-- the fields that its events have. An event is: its shape, the time since the event before it, its node, its words (a
-- string in which \1 stands for the peer, \2 for the index, \3 for first..last), how many events before it stands what
-- it came from (0: nothing), and its fields. A number is given as the difference to what that node's last event with
-- this field had, a text by its place among the strings. Digits are base 32, the lowest first: `A` to `Z`, `a` to `f`
-- where another follows, and `g` to `z`, `0` to `9`, `-`, `_` for the last one of a number. The lowest bit of signed
-- numbers is set where they are below 0.
--
-- It keeps one chunk in memory, and knows nothing of pages.
-- @module raft.view.columns

local describe = require "raft.view.describe"
local display = require "raft.view.display"

local columns = {}

columns.SIZE = 8192

local event_phrase -- the core's, when there is something to write

local EXACT = 2 ^ 53 -- whole numbers are exact below it, also in the page

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

local NUMBERS = { "peer", "number", "term", "index", "first", "last", "sequence", "prev_index", "prev_term", "commit",
  "vote", "entries" }
local TEXTS = { "message", "role", "what", "text", "directory", "vote_directory", "hash", "answer_hash", "state_hash" }
local FLAGS = { "reject", "flag" }

-- ---- digits -------------------------------------------------------------------------------------------------

local more_digits, last_digits = {}, {}
for value = 0, 31 do
  more_digits[value] = ALPHABET:sub(value + 1, value + 1)
  last_digits[value] = ALPHABET:sub(value + 33, value + 33)
end

local short = {} -- numbers below 32768 as text
for value = 0, 31 do
  short[value] = last_digits[value]
end
for value = 32, 32767 do
  local low = value % 32
  short[value] = more_digits[low] .. short[(value - low) / 32]
end

local function digits(value)
  local text = short[value]
  if text then
    return text
  end
  local low = value % 1024
  local first = low % 32
  return more_digits[first] .. more_digits[(low - first) / 32] .. digits((value - low) / 1024)
end

-- The sign is in the lowest bit; what stands above it is not doubled where that would no longer be exact.
local function signed(value)
  local sign = 0
  if value < 0 then
    value, sign = -value, 1
  end
  if value < 16384 then
    return short[2 * value + sign]
  end
  local low = value % 16
  return more_digits[2 * low + sign] .. digits((value - low) / 16)
end

-- ---- a chunk ------------------------------------------------------------------------------------------------

local Columns = {}
Columns.__index = Columns

--- A fresh one, for one run.
-- @tparam function write function(text): called with each chunk when it is full
-- @tparam function encode a value as JSON
-- @treturn table
function columns.new(write, encode)
  event_phrase = require("raft.core").event_phrase -- here: --help works before a build
  local self = setmetatable({ write = write, encode = encode, position = 0 }, Columns)
  self:begin()
  return self
end

function Columns:begin()
  self.strings, self.places, self.words, self.shapes, self.shape_places = {}, {}, {}, {}, {}
  self.parts, self.size, self.count, self.time, self.last = {}, 0, 0, 0, {}
end

-- The place of a text or a number among the strings.
local function place_of(self, value)
  local place = self.places[value]
  if not place then
    place = #self.strings
    self.strings[place + 1] = type(value) == "number" and describe.whole(value) or value
    self.places[value] = place
  end
  return place
end

-- What stands for the peer or the range of a phrase.
local function middle_of(event, peer, first, last)
  if peer then
    return "\1"
  elseif not first then
    return ""
  elseif first == event.index and last == first then
    return "\2"
  elseif first == event.first and last == event.last then
    return "\3"
  end
  return nil
end

-- The place of an event's words. Most phrases come more than once: they are looked up before they are made.
local function place_of_words(self, event)
  local before, after, peer, first, last = event_phrase(event)
  local middle = before and middle_of(event, peer, first, last)
  if not middle then
    return place_of(self, describe.text(describe.phrase(event)))
  end
  local key = before .. middle .. after
  local place = self.words[key]
  if not place then
    place = place_of(self, display.clean(before) .. middle .. display.clean(after))
    self.words[key] = place
  end
  return place
end

-- In a Lua whose numbers are doubles a directory's number is not exact: as text it can be written all the same.
local function writable(value)
  if type(value) == "number" and math.abs(value) >= EXACT and math.floor(value) == value then
    return ("%.0f"):format(value)
  elseif type(value) ~= "table" then
    return value
  end
  local copy = {}
  for key, item in pairs(value) do
    copy[key] = writable(item)
  end
  return copy
end

-- What the lists above cannot hold: a value, and numbers that are too large to be exact.
local function rest_of(self, event, large)
  local rest = large or {}
  rest.value = event.value
  if not math.type then -- luacheck: ignore 143
    rest = writable(rest)
  end
  return next(rest) ~= nil and self.encode(rest) or nil
end

local function shape_of(self, event, present)
  local names = { event.kind }
  for _, list in ipairs { NUMBERS, TEXTS, FLAGS } do
    for _, name in ipairs(list) do
      if present[name] then
        names[#names + 1] = name
      end
    end
  end
  if present.rest then
    names[#names + 1] = "rest"
  end
  self.shapes[#self.shapes + 1] = names
  return #self.shapes - 1
end

-- The numbers of an event to `parts` from place `size` on; returns the new size, a mask of those that are there, and
-- those that are too large.
local function add_numbers(event, parts, size, last)
  local mask, bit, large = 0, 1, nil
  for number = 1, #NUMBERS do
    local value = event[NUMBERS[number]]
    if type(value) == "number" and value < EXACT then
      size, mask = size + 1, mask + bit
      parts[size] = signed(value - (last[number] or 0))
      last[number] = value
    elseif value then
      large = large or {}
      large[NUMBERS[number]] = type(value) == "number" and describe.whole(value) or value
    end
    bit = bit * 2
  end
  return size, mask, bit, large
end

local function add_texts(self, event, parts, size, mask, bit)
  for number = 1, #TEXTS do
    local value = event[TEXTS[number]]
    if value then
      size, mask = size + 1, mask + bit
      parts[size] = digits(place_of(self, value))
    end
    bit = bit * 2
  end
  for number = 1, #FLAGS do
    if event[FLAGS[number]] then
      mask = mask + bit
    end
    bit = bit * 2
  end
  return size, mask, bit
end

--- Adds an event.
-- @tparam table event as a trace's JSON line holds it
-- @tparam ?integer cause the position of what it came from, from 1
function Columns:add(event, cause)
  self.position = self.position + 1
  local parts, head, node = self.parts, self.size, event.node
  local last = self.last[node]
  if not last then
    last = {}
    self.last[node] = last
  end
  local size, mask, bit, large = add_numbers(event, parts, head + 5, last)
  size, mask, bit = add_texts(self, event, parts, size, mask, bit)
  local rest = (event.value ~= nil or large) and rest_of(self, event, large)
  if rest then
    size, mask = size + 1, mask + bit
    parts[size] = digits(place_of(self, rest))
  end
  local of_kind = self.shape_places[event.kind]
  if not of_kind then
    of_kind = {}
    self.shape_places[event.kind] = of_kind
  end
  local shape = of_kind[mask]
  if not shape then
    shape = shape_of(self, event, setmetatable({ rest = rest }, { __index = function(_, name)
      return event[name] and not (large and large[name])
    end }))
    of_kind[mask] = shape
  end
  parts[head + 1] = digits(shape)
  parts[head + 2] = signed(event.time - self.time)
  parts[head + 3] = digits(node)
  parts[head + 4] = digits(place_of_words(self, event))
  parts[head + 5] = digits(cause and self.position - cause or 0)
  self.time, self.size, self.count = event.time, size, self.count + 1
  if self.count == columns.SIZE then
    self:flush()
  end
end

--- Writes what is there.
function Columns:flush()
  if self.count == 0 then
    return
  end
  self.write(self.encode { events = self.count, strings = self.strings, shapes = self.shapes } .. "\n"
    .. table.concat(self.parts, "", 1, self.size))
  self:begin()
end

return columns
