--- Filters of events: a function, or a table of fields that must be equal.
-- @module raft.filters

local arguments = require "raft.arguments"

local filters = {}

-- The fields that an event can have and a filter can ask for, by what they hold. A number that an event does not have
-- counts as 0, a boolean as false.
local kind_of_field = {}
for kind, names in pairs {
  number = "time node peer candidate term number index first last entries prev_index prev_term commit vote sequence "
    .. "hash answer_hash state_hash directory vote_directory",
  string = "role message what reason call property name text",
  boolean = "reject flag",
} do
  for name in names:gmatch "%S+" do
    kind_of_field[name] = kind
  end
end

-- Fields that hold tables or what a script gave: they are compared by a function of the script's own.
local compared_by_hand = { members = true, arguments = true, entry = true, value = true }

local otherwise_of = { number = 0, boolean = false }

local article_of = { number = "a number", string = "a string", boolean = "a boolean" }

--- Names of all fields that events have.
-- @treturn table set: name -> true
function filters.fields()
  local all = { kind = true }
  for name in pairs(kind_of_field) do
    all[name] = true
  end
  for name in pairs(compared_by_hand) do
    all[name] = true
  end
  return all
end

local function check_field(argument, field, wanted)
  local kind = kind_of_field[field]
  local name = ("%s.%s"):format(argument, tostring(field))
  if compared_by_hand[field] then
    arguments.raise("bad argument '%s' (it holds more than one value: compare it in a filter that is a function)", name)
  elseif not kind then
    arguments.raise("bad argument '%s' (no event has the field '%s')", argument, tostring(field))
  elseif type(wanted) ~= kind then
    arguments.fail(name, article_of[kind], wanted)
  end
  return { field, wanted, otherwise_of[kind] }
end

-- A kind of events, or a list of kinds; whether there are such, raft.core says.
local function check_kinds(argument, kinds)
  if type(kinds) == "table" then
    for _, kind in ipairs(kinds) do
      if type(kind) ~= "string" then
        arguments.fail(argument .. ".kind", "the name of a kind of events, or a list of them,", kind)
      end
    end
  elseif kinds ~= nil and type(kinds) ~= "string" then
    arguments.fail(argument .. ".kind", "the name of a kind of events, or a list of them,", kinds)
  end
  return kinds
end

local function is_everything()
  return true
end

--- Turns a filter into what to subscribe to and a test of each event.
-- @tparam string name the argument's, for errors
-- @param filter a function(event), a table, or nil: all
-- @treturn ?string the kind of events, or a list of kinds; nil: all kinds
-- @treturn function matches(event)
-- @treturn ?integer the node that all events which match have; nil: any
-- @treturn ?string the same of the message
function filters.compile(name, filter)
  if filter == nil then
    return nil, is_everything
  elseif type(filter) == "function" then
    return nil, filter
  elseif type(filter) ~= "table" then
    arguments.fail(name, "a function or a table of fields", filter)
  end
  local fields = {}
  for field, wanted in pairs(filter) do
    if field ~= "kind" then
      fields[#fields + 1] = check_field(name, field, wanted)
    end
  end
  local node = arguments.is_integer(filter.node) and filter.node > 0 and filter.node or nil
  return check_kinds(name, filter.kind), function(event)
    for _, field in ipairs(fields) do
      local value = event[field[1]]
      if value == nil then
        value = field[3]
      end
      if value ~= field[2] then
        return false
      end
    end
    return true
  end, node, filter.message
end

return filters
