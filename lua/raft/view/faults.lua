--- The arguments of faults as a script would write them: a trace holds chances, times and rates as
-- exact integers.
--
-- What it does not know, or what is not as it should be, it leaves to the caller.
-- @module raft.view.faults

local faults = {}

local CHANCE_ONE = 2 ^ 32 -- of the integers that stand for chances
local NS, PPB = 1e9, 1e9

local function is_numbers(list, first, last)
  for position = first, last do
    if type(list[position]) ~= "number" then
      return false
    end
  end
  return true
end

local function fraction(number, whole)
  return string.format("%.9g", number / whole)
end

local calls = {}

-- {from, to}, or with drop, duplicate, reorder, delay_min, delay_max, bandwidth, cut besides
function calls.link(value, render)
  local ends = render(value[1]) .. ", " .. render(value[2])
  if #value == 2 then
    return ends .. ", nil"
  elseif #value ~= 9 or not is_numbers(value, 3, 8) then
    return nil
  end
  local parts = {}
  for position, name in ipairs { "drop", "duplicate", "reorder" } do
    if value[position + 2] > 0 then
      parts[#parts + 1] = name .. "=" .. fraction(value[position + 2], CHANCE_ONE)
    end
  end
  local low, high = value[6], value[7]
  if high > 0 then
    local delay = fraction(low, NS)
    parts[#parts + 1] = "delay=" .. (low == high and delay or "{" .. delay .. ", " .. fraction(high, NS) .. "}")
  end
  if value[8] > 0 then
    parts[#parts + 1] = "bandwidth=" .. string.format("%.0f", value[8])
  end
  if value[9] == true then
    parts[#parts + 1] = "cut=true"
  end
  return ends .. ", {" .. table.concat(parts, ", ") .. "}"
end

-- {id, rate in parts of 10^9, offset in ns}
function calls.clock(value, render)
  if #value ~= 3 or not is_numbers(value, 2, 3) then
    return nil
  end
  return string.format("%s, {rate=%s, offset=%s}", render(value[1]), fraction(value[2], PPB), fraction(value[3], NS))
end

-- A list of {id, group}
function calls.partition(value, render)
  local groups, list = {}, {}
  for position = 1, #value do
    local pair = value[position]
    if type(pair) ~= "table" or not is_numbers(pair, 1, 2) then
      return nil
    end
    local group = groups[pair[2]]
    if not group then
      group = {}
      groups[pair[2]] = group
      list[#list + 1] = group
    end
    group[#group + 1] = render(pair[1])
  end
  for position, group in ipairs(list) do
    list[position] = "{" .. table.concat(group, ", ") .. "}"
  end
  return table.concat(list, ", ")
end

--- The arguments of a fault in words.
-- @tparam string call its name
-- @param value its arguments, as the trace holds them
-- @tparam function render writes one value
-- @treturn string|nil nil where nothing is known of it
function faults.arguments(call, value, render)
  local describe = type(value) == "table" and calls[call]
  return describe and describe(value, render) or nil
end

return faults
