--- Calls that repeat, kept as a loop: a script that waits by asking again and again has few lines, however long it
-- waits. Loops that repeat with what is between them are a loop again.
--
-- A loop is { loop = {calls and loops}, count, start_ns, end_ns, start_steps }.
-- @module raft.script.fold

local fold = {}

local LENGTH_MOST = 4 -- calls in a loop's body
local COUNT_LEAST = 3 -- times that make a loop of it

local function is_same_value(a, b, depth)
  if a == b then
    return true
  elseif type(a) ~= "table" or type(b) ~= "table" or depth > 20 or getmetatable(a) or getmetatable(b) then
    return false
  end
  for key, value in pairs(a) do
    if not is_same_value(value, b[key], depth + 1) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

local is_same_call
function is_same_call(a, b)
  if a.loop or b.loop then
    local is_same = a.loop and b.loop and a.count == b.count and #a.loop == #b.loop
    for position = 1, is_same and #a.loop or 0 do
      is_same = is_same and is_same_call(a.loop[position], b.loop[position])
    end
    return is_same or false
  elseif a.name ~= b.name or a.text ~= b.text or a.count ~= b.count then
    return false
  elseif a.place or b.place or a.raised or b.raised or a.interrupted or b.interrupted
    or a.end_steps or b.end_steps then
    return false
  end
  for position = 1, a.count or 0 do
    if not is_same_value(a[position], b[position], 0) then
      return false
    end
  end
  return true
end

-- Whether the calls from `first` on are those of a body, one after the other without time between them.
local function fits(calls, first, body, body_first, length, gap_ns)
  for position = 0, length - 1 do
    local call = calls[first + position]
    local before = calls[first + position - 1]
    local is_next = before.end_ns and call.start_ns - before.end_ns < gap_ns
    if not is_next or not is_same_call(call, body[body_first + position]) then
      return false
    end
  end
  return true
end

-- The last `length` calls once more are what a loop before them does.
local function join(calls, length, gap_ns)
  local last = #calls
  local before = calls[last - length]
  if not (before and before.loop and #before.loop == length)
    or not fits(calls, last - length + 1, before.loop, 1, length, gap_ns) then
    return false
  end
  before.count, before.end_ns = before.count + 1, calls[last].end_ns
  for position = last, last - length + 1, -1 do
    calls[position] = nil
  end
  return true
end

-- The last calls are the same few, often enough.
local function begin(calls, length, gap_ns)
  local last = #calls
  local first = last - COUNT_LEAST * length + 1
  if first < 1 then
    return false
  end
  for turn = COUNT_LEAST - 1, 1, -1 do
    if not fits(calls, first + turn * length, calls, first, length, gap_ns) then
      return false
    end
  end
  for position = first, first + length - 1 do
    if calls[position].place or not calls[position].end_ns then
      return false
    end
  end
  local loop = {
    loop = {}, count = COUNT_LEAST, start_ns = calls[first].start_ns, end_ns = calls[last].end_ns,
    start_steps = calls[first].start_steps,
  }
  for position = 1, length do
    loop.loop[position] = calls[first + position - 1]
  end
  for position = last, first, -1 do
    calls[position] = nil
  end
  calls[first] = loop
  return true
end

-- Whether it is worth looking: most calls are not what was before.
local function may_repeat(before, call)
  if before.loop or call.loop then
    return true
  end
  local a, b = before[2], call[2]
  return before.name == call.name and (a == b or type(a) == "table" and type(b) == "table")
end

--- The last call has ended: it becomes part of a loop where it repeats what was before.
-- @tparam table calls the list
-- @tparam integer gap_ns so much time between two calls is no loop
function fold.last(calls, gap_ns)
  local last = #calls
  local call = calls[last]
  for length = 1, LENGTH_MOST do
    local before = calls[last - length]
    if before and may_repeat(before, call) and (join(calls, length, gap_ns) or begin(calls, length, gap_ns)) then
      return
    end
  end
end

return fold
