--- Filters of events: a function, or a table of fields that must be equal.
-- @module raft.filters

local arguments = require "raft.arguments"

local filters = {}

local function is_everything()
  return true
end

--- Turns a filter into what to subscribe to and a test of each event.
-- @tparam string name the argument's, for errors
-- @param filter a function(event), a table, or nil: all
-- @treturn ?string the kind of events; nil: all kinds
-- @treturn function matches(event)
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
      fields[#fields + 1] = { field, wanted }
    end
  end
  return filter.kind, function(event)
    for _, field in ipairs(fields) do
      if event[field[1]] ~= field[2] then
        return false
      end
    end
    return true
  end
end

return filters
