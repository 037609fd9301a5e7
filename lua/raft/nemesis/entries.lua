--- What a nemesis is given, checked and put into one form: faults, functions, and lists of them.
--
-- An entry is { fault = kind, given = options }, { call = function }, or { mix | sequence | stagger = entries }; each
-- may have `every`, `lasts` and `weight`.
-- @module raft.nemesis.entries

local arguments = require "raft.arguments"
local kinds = require "raft.nemesis.kinds"
local pick = require "raft.nemesis.pick"
local source = require "raft.script.source"

local entries = {}

local groups = { mix = true, sequence = true, stagger = true }
local common = { every = true, lasts = true, weight = true }

local function is_number(value)
  return type(value) == "number" and value >= 0 and value < math.huge
end

local function is_interval(value)
  return is_number(value) or type(value) == "table" and is_number(value[1]) and is_number(value[2])
    and value[1] <= value[2]
end

--- An interval of seconds, checked.
-- @tparam string name
-- @param value
-- @return it
function entries.interval(name, value)
  if value ~= nil and not is_interval(value) then
    arguments.fail(name, "seconds or {min, max}", value)
  end
  return value
end

local function check_common(name, given)
  entries.interval(name .. ".every", given.every)
  entries.interval(name .. ".lasts", given.lasts)
  if given.weight ~= nil and not is_number(given.weight) then
    arguments.fail(name .. ".weight", "a number, 0 or more,", given.weight)
  end
end

local is_policy = {}
for _, policy in ipairs(pick.policies) do
  is_policy[policy] = true
end

local function check_target(name, target)
  if target ~= nil and type(target) ~= "function" and not is_policy[target]
    and not (arguments.is_integer(target) and target >= 1) then
    arguments.fail(name, ("an id, a function or one of %s"):format(table.concat(pick.policies, ", ")), target)
  end
end

local function check_option(name, wanted, value)
  if wanted == true then
    check_target(name, value)
    return
  end
  local test = wanted[2]
  if type(test) == "table" then
    if not test[value] then
      arguments.fail(name, "one of " .. table.concat(source.keys(test), ", "), value)
    end
  elseif not (test == "interval" and is_interval or test)(value) then
    arguments.fail(name, wanted[1], value)
  end
end

local function check_fault(name, given)
  local kind = kinds[given[1]]
  if not kind then
    arguments.raise("bad argument '%s' (there is no fault '%s'; there is %s)", name, tostring(given[1]),
      table.concat(source.keys(kinds), ", "))
  end
  for option, value in pairs(given) do
    if option ~= 1 and not common[option] then
      local wanted = kind.options[option]
      if not wanted then
        arguments.raise("bad argument '%s' (the fault '%s' has no option '%s')", name, given[1], tostring(option))
      end
      check_option(name .. "." .. option, wanted, value)
    end
  end
  if kind.check then
    kind.check(given)
  end
  return { fault = given[1], kind = kind, given = given }
end

local parse_list

local function parse(name, given)
  if type(given) == "string" then
    given = { given }
  elseif type(given) == "function" then
    return { call = given }
  elseif type(given) ~= "table" then
    arguments.fail(name, "the name of a fault, a table or a function", given)
  end
  check_common(name, given)
  local entry
  for word in pairs(groups) do
    if given[word] ~= nil then
      entry = { [word] = parse_list(name .. "." .. word, given[word]), group = word }
      for option in pairs(given) do
        if option ~= word and not common[option] then
          arguments.raise("bad argument '%s' (there is no option '%s' beside '%s')", name, tostring(option), word)
        end
      end
    end
  end
  if not entry and type(given[1]) == "function" then
    entry = { call = given[1] }
  end
  entry = entry or check_fault(name, given)
  entry.every, entry.lasts, entry.weight = given.every, given.lasts, given.weight
  return entry
end

function parse_list(name, list)
  if type(list) ~= "table" or #list == 0 then
    arguments.fail(name, "a list of faults", list)
  end
  local parsed = {}
  for place, one in ipairs(list) do
    parsed[place] = parse(("%s[%d]"):format(name, place), one)
  end
  return parsed
end

--- The entries of a list.
-- @tparam string name the argument's, for messages
-- @tparam table list
-- @treturn table
function entries.parse(name, list)
  return parse_list(name, list)
end

--- Whether one of these, or of theirs, is of a kind that has this mark.
-- @tparam table list entries
-- @tparam string mark
-- @treturn boolean
function entries.has(list, mark)
  for _, entry in ipairs(list) do
    local of_group = entry.group and entry[entry.group]
    if entry.kind and entry.kind[mark] and entry.weight ~= 0 or of_group and entries.has(of_group, mark) then
      return true
    end
  end
  return false
end

return entries
