--- The arguments of faults as a script would write them, where those have names in a trace.
--
-- What it does not know, or what is not as it should be, it leaves to the caller.
-- @module raft.view.faults

local faults = {}

-- "{name=value, ...}" of those that are there, in this order.
local function fields(value, names, render)
  local parts = {}
  for _, name in ipairs(names) do
    if value[name] ~= nil then
      parts[#parts + 1] = name .. "=" .. render(value[name])
    end
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

local calls = {}

-- {from, to} and the faults that are on, or default = true
function calls.link(value, render)
  if value.from == nil or value.to == nil then
    return nil
  end
  local of_link = value.default == true and "nil"
    or fields(value, { "drop", "duplicate", "reorder", "delay", "bandwidth", "cut" }, render)
  return ("%s, %s, %s"):format(render(value.from), render(value.to), of_link)
end

function calls.clock(value, render)
  return value.node ~= nil and render(value.node) .. ", " .. fields(value, { "rate", "offset" }, render) or nil
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
