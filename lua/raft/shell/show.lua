--- Values as a user at a prompt wants to read them: tables sorted, not too deep, not too long, fitted to a width.
-- @module raft.shell.show

local null = require("raft.core").null
local source = require "raft.script.source"

local show = {}

local DEPTH_MOST = 4
local ITEMS_MOST = 100

local function has_tostring(value)
  local metatable = getmetatable(value)
  return type(metatable) == "table" and metatable.__tostring ~= nil
end

local function plain(value)
  if value == null then
    return "raft.null"
  elseif type(value) == "string" then
    return source.quote(value)
  elseif type(value) == "number" and value == math.floor(value) and value > -2 ^ 53 and value < 2 ^ 53 then
    return ("%.0f"):format(value)
  end
  return tostring(value)
end

local write

local function key_text(key)
  if source.is_name(key) then
    return key
  end
  return "[" .. (type(key) == "table" and tostring(key) or plain(key)) .. "]"
end

-- One text for each field; the list part first.
local function fields(map, width, depth, above)
  local parts, count = {}, 0
  local length = source.length(map)
  for position = 1, math.min(length, ITEMS_MOST) do
    parts[position] = write(rawget(map, position), width, depth + 1, above)
  end
  for _, key in ipairs(source.keys(map)) do
    local in_list = type(key) == "number" and key >= 1 and key <= length and key == math.floor(key)
    if not in_list then
      count = count + 1
      if #parts < ITEMS_MOST then
        parts[#parts + 1] = key_text(key) .. " = " .. write(rawget(map, key), width, depth + 1, above)
      end
    end
  end
  if length + count > #parts then
    parts[#parts + 1] = ("... (%d more)"):format(length + count - #parts)
  end
  return parts
end

write = function(value, width, depth, above)
  if type(value) ~= "table" or has_tostring(value) then
    return plain(value)
  elseif next(value) == nil then
    return "{}"
  elseif above[value] then
    return "{...} (a table that contains itself)"
  elseif depth >= DEPTH_MOST then
    return "{...}"
  end
  above[value] = true
  local parts = fields(value, width, depth, above)
  above[value] = nil
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if #line + 2 * depth <= width and not line:find("\n", 1, true) then
    return line
  end
  local indent = ("  "):rep(depth + 1)
  return "{\n" .. indent .. table.concat(parts, ",\n" .. indent) .. "\n" .. ("  "):rep(depth) .. "}"
end

--- One value. A string of several lines is shown as it is.
-- @param value
-- @tparam integer width columns of the terminal
-- @treturn string
function show.value(value, width)
  if type(value) == "string" and value:find("\n", 1, true) then
    return (value:gsub("\n$", ""))
  end
  return write(value, width, 0, {})
end

-- What a call gives back where it failed: nil, message, code, detail.
local function failure(results)
  if results[1] == nil and type(results[2]) == "string" and type(results[3]) == "string" then
    return ("nil: %s (%s)"):format(results[2], results[3])
  end
  return nil
end

--- The results of a line.
-- @tparam table results with their number in `n`
-- @tparam integer width
-- @treturn string
function show.results(results, width)
  local failed = failure(results)
  if failed then
    return failed
  end
  local parts = {}
  for position = 1, results.n do
    parts[position] = show.value(results[position], width)
  end
  return table.concat(parts, ", ")
end

return show
