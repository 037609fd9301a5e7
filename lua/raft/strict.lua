--- Machines under the option `strict`: what can differ from one node to another raises inside `apply`.
--
-- While `apply` runs, the functions in the tables `os` and `math`, and the globals `pairs` and `next`, are replaced.
-- A function that was kept in a local before that is not seen.
-- @module raft.strict

local strict = {}

local next, pcall, error, type, getmetatable = next, pcall, error, type, getmetatable
local ordered_pairs = pairs

local TIME = "each node applies the command at another time: put the time into the command"
local CHANCE = "each node draws another number: put what was drawn into the command"
local PLACE = "another node may answer otherwise: put what it gives into the command"

local forbidden = {
  { os, "os", { time = TIME, clock = TIME, date = TIME, getenv = PLACE, tmpname = PLACE } },
  { math, "math", { random = CHANCE, randomseed = CHANCE } },
}

local function has_several(t)
  local first = next(t)
  return first ~= nil and next(t, first) ~= nil
end

local function refuse(name, why)
  error(("%s inside apply (this cluster's machines are strict): %s"):format(name, why), 3)
end

local ORDER = "the order of a table's keys differs from one node to another: iterate by raft.sorted(t), or by ipairs "
  .. "where it is a list"

local function strict_pairs(t)
  local meta = getmetatable(t)
  local has_own = type(meta) == "table" and meta.__pairs ~= nil
  if type(t) == "table" and not has_own and has_several(t) then
    refuse("pairs", ORDER)
  end
  return ordered_pairs(t)
end

local function strict_next(t, key)
  if key == nil and type(t) == "table" and has_several(t) then
    refuse("next", ORDER)
  end
  return next(t, key)
end

-- What is replaced: { table, name, instead }.
local replaced = { { _G, "pairs", strict_pairs }, { _G, "next", strict_next } }
for _, group in ipairs(forbidden) do
  local from, prefix = group[1], group[2]
  for name, why in ordered_pairs(group[3]) do
    replaced[#replaced + 1] = { from, name, function()
      refuse(prefix .. "." .. name, why)
    end }
  end
end

local depth, originals = 0, {}

local function enter()
  depth = depth + 1
  if depth > 1 then
    return
  end
  for position = 1, #replaced do
    local one = replaced[position]
    originals[position] = one[1][one[2]]
    one[1][one[2]] = one[3]
  end
end

local function leave(fine, ...)
  depth = depth - 1
  if depth == 0 then
    for position = 1, #replaced do
      local one = replaced[position]
      one[1][one[2]] = originals[position]
    end
  end
  if not fine then
    error((...), 0)
  end
  return ...
end

local watched = setmetatable({}, { __mode = "k" })

--- Makes a machine's `apply` strict, in place.
-- @tparam raft.machine machine anything else is left as it is
-- @treturn raft.machine the same
function strict.machine(machine)
  local apply = type(machine) == "table" and machine.apply
  if type(apply) ~= "function" or watched[apply] then
    return machine
  end
  local function watch(...)
    enter()
    return leave(pcall(apply, ...))
  end
  watched[watch] = true
  machine.apply = watch
  return machine
end

--- The same for what makes machines.
-- @tparam ?fun(id: integer): raft.machine make nil: "kv", which needs none of it
-- @treturn ?function
function strict.maker(make)
  return make and function(id)
    return strict.machine(make(id))
  end
end

return strict
