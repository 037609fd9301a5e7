--- Values as Lua source that gives them again.
-- @module raft.script.source

local pairs = pairs -- see raft.strict

local null = require("raft.core").null

local source = {}

local DEPTH_MOST = 50
local WIDTH, REMARK_WIDTH = 100, 116

local reserved = {}
for word in ("and break do else elseif end false for function goto if in local nil not or repeat return then true "
  .. "until while"):gmatch "%a+" do
  reserved[word] = true
end

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\\"] = "\\\\", ['"'] = '\\"' }

--- A string in quotes, on one line, of bytes that every terminal and editor shows.
-- @tparam string text
-- @treturn string
function source.quote(text)
  local quoted = text:gsub('[%c\\"\127]', function(byte)
    return escapes[byte] or ("\\%03d"):format(byte:byte())
  end)
  return '"' .. quoted .. '"'
end

--- A remark of several lines, wrapped.
-- @tparam string text
-- @treturn string
function source.remark(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    local words = "--"
    for word in line:gmatch "%S+" do
      if #words + #word + 1 > REMARK_WIDTH then
        lines[#lines + 1], words = words, "--"
      end
      words = words .. " " .. word
    end
    lines[#lines + 1] = words
  end
  return table.concat(lines, "\n")
end

local function number(value)
  if value ~= value then
    return "(0 / 0)"
  elseif value == math.huge then
    return "math.huge"
  elseif value == -math.huge then
    return "-math.huge"
  elseif value == math.floor(value) and value > -2 ^ 53 and value < 2 ^ 53 then
    return ("%.0f"):format(value)
  elseif math.type and math.type(value) == "integer" then -- luacheck: ignore 143
    return value == math.mininteger and "math.mininteger" or ("%d"):format(value) -- luacheck: ignore 143
  end
  for digits = 14, 17 do
    local text = ("%." .. digits .. "g"):format(value)
    if tonumber(text) == value then
      return text
    end
  end
end

--- Whether a string can stand as a name: after a dot, or as a table's key without brackets.
-- @param key
-- @treturn boolean
function source.is_name(key)
  return type(key) == "string" and key:find "^[%a_][%w_]*$" ~= nil and not reserved[key]
end

local rank = { number = 1, string = 2, boolean = 3 }

--- The keys of a table in an order that is always the same.
-- @tparam table map
-- @treturn table list
function source.keys(map)
  local keys = {}
  for key in pairs(map) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b)
    local rank_a, rank_b = rank[type(a)] or 4, rank[type(b)] or 4
    if rank_a ~= rank_b then
      return rank_a < rank_b
    elseif rank_a < 3 then
      return a < b
    end
    return tostring(a) < tostring(b)
  end)
  return keys
end

--- How many items a table's list has, up to the first that is missing.
-- @tparam table map
-- @treturn integer
function source.length(map)
  local length = 0
  while rawget(map, length + 1) ~= nil do
    length = length + 1
  end
  return length
end

-- A function's text as its file has it, moved to where it is to stand; the text of long strings stays as it is.
local function indented(text, depth)
  if not text:find "\n" or text:find "%[=*%[" or text:find "\\\n" then
    return text
  end
  local base = text:match "\n([ \t]*)[^\n]*$"
  return (text:gsub("\n([ \t]*)([^\n]*)", function(indent, rest)
    local inner = indent:sub(1, #base) == base and indent:sub(#base + 1) or indent
    return "\n" .. (rest == "" and "" or ("  "):rep(depth) .. inner .. rest)
  end))
end

local write

-- The parts of a table, one a field; nil and why.
local function fields(map, context, depth)
  local parts, count = {}, source.length(map)
  for position = 1, count do
    local text, why = write(map[position], context, depth)
    if not text then
      return nil, why
    end
    parts[position] = text
  end
  for _, key in ipairs(source.keys(map)) do
    local in_list = type(key) == "number" and key >= 1 and key <= count and key == math.floor(key)
    if not in_list then
      local name, why = key, nil
      if not source.is_name(key) then
        name, why = write(key, context, depth)
        name = name and "[" .. name .. "]"
      end
      local text
      if name then
        text, why = write(map[key], context, depth)
      end
      if not text then
        return nil, why
      end
      parts[#parts + 1] = name .. " = " .. text
    end
  end
  return parts
end

write = function(value, context, depth)
  local kind = type(value)
  if value == null then
    return "raft.null"
  elseif kind == "string" then
    return source.quote(value)
  elseif kind == "number" then
    return number(value)
  elseif kind == "boolean" or value == nil then
    return tostring(value)
  elseif kind == "function" then
    local text, why = context.write_function(value)
    return text and indented(text, depth), why
  elseif value == context.handle then
    return "c"
  elseif kind ~= "table" then
    return nil, "it holds a " .. kind
  elseif depth >= DEPTH_MOST then
    return nil, "it holds a table that contains itself, or is nested too deep"
  end
  local parts, why = fields(value, context, depth + 1)
  if not parts then
    return nil, why
  elseif #parts == 0 then
    return "{}"
  end
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if #line <= WIDTH and not line:find("\n", 1, true) then
    return line
  end
  local indent = ("  "):rep(depth + 1)
  return "{\n" .. indent .. table.concat(parts, ",\n" .. indent) .. ",\n" .. ("  "):rep(depth) .. "}"
end

--- A value as Lua source.
-- @param value
-- @tparam table context `write_function`(f) → source, or nil and why; `handle`: the cluster, which is named c
-- @tparam[opt=0] ?integer depth of indentation
-- @treturn string nil and why where it cannot be written
function source.write(value, context, depth)
  return write(value, context, depth or 0)
end

--- A copy that later changes of the original do not reach; functions and objects are kept as they are.
-- @param value
-- @treturn any
function source.copy(value)
  local copied = {}
  local function copy(one)
    if type(one) ~= "table" or getmetatable(one) ~= nil then
      return one
    elseif copied[one] then
      return copied[one]
    end
    local to = {}
    copied[one] = to
    for key, field in pairs(one) do
      to[key] = copy(field)
    end
    return to
  end
  return copy(value)
end

return source
