--- Where moments stand on an axis on which long silences are shortened: what happens within a millisecond and what
-- happens within a second can be told apart in one picture. The order of moments is kept, equal ones are one.
-- @module raft.view.ruler

local ruler = {}

local LONGEST = 3 -- a gap takes no more than so many times the room of one message's way
local LEAST = 0.12

local Ruler = {}
Ruler.__index = Ruler

local function middle(list, otherwise)
  if #list == 0 then
    return otherwise
  end
  table.sort(list)
  return list[math.floor((#list + 1) / 2)]
end

local function distinct(times)
  table.sort(times)
  local list = {}
  for _, time in ipairs(times) do
    if time ~= list[#list] then
      list[#list + 1] = time
    end
  end
  return list
end

--- An axis.
-- @tparam table times of all that is drawn, in any order; at least one; it is sorted
-- @tparam table ways how long messages were under way, in any order; it is sorted
-- @tparam number left where the first moment stands
-- @tparam number right where the last one stands
-- @treturn table with `x`, `times`, `breaks`
function ruler.new(times, ways, left, right)
  local list, gaps = distinct(times), {}
  for position = 2, #list do
    gaps[position - 1] = list[position] - list[position - 1]
  end
  local unit = math.max(1, middle(ways, middle({ (table.unpack or unpack)(gaps, 1, 200) }, 1))) -- luacheck: ignore
  local rooms, sum, shortened = {}, 0, {}
  for position, gap in ipairs(gaps) do
    local room = math.sqrt(gap / unit)
    shortened[position] = room > LONGEST
    rooms[position] = math.max(LEAST, math.min(room, LONGEST))
    sum = sum + rooms[position]
  end
  local scale, at, xs, breaks = sum > 0 and (right - left) / sum or 0, left, { left }, {}
  for position, room in ipairs(rooms) do
    if shortened[position] then
      breaks[#breaks + 1] = at + room * scale / 2
    end
    at = at + room * scale
    xs[position + 1] = at
  end
  return setmetatable({ times = list, xs = xs, breaks = breaks }, Ruler)
end

--- Where a moment stands.
-- @tparam number time
-- @treturn number
function Ruler:x(time)
  local list, low, high = self.times, 1, #self.times
  if time <= list[1] then
    return self.xs[1]
  elseif time >= list[high] then
    return self.xs[high]
  end
  while high - low > 1 do
    local between = math.floor((low + high) / 2)
    if list[between] <= time then
      low = between
    else
      high = between
    end
  end
  local part = (time - list[low]) / (list[high] - list[low])
  return self.xs[low] + part * (self.xs[high] - self.xs[low])
end

return ruler
