--- Completion of names: globals, fields and methods, through metatables' `__index` chains.
-- @module raft.shell.complete

local source = require "raft.script.source"

local complete = {}

local CHAIN_MOST = 20

local keywords = {}
for word in ("and break do else elseif end false for function if in local nil not or repeat return then true until "
  .. "while"):gmatch "%a+" do
  keywords[#keywords + 1] = word
end

local function index_of(value)
  local metatable = getmetatable(value)
  return type(metatable) == "table" and metatable.__index or nil
end

-- What a cluster holds beside its methods is ours.
local function hides_fields(value)
  local metatable = getmetatable(value)
  return type(metatable) == "table" and metatable.__name == "raft.cluster"
end

-- All names of a value that begin so, with what they name.
local function names_of(value, prefix, only_functions)
  local found = {}
  for _ = 1, CHAIN_MOST do
    if type(value) == "table" and not hides_fields(value) then
      for key, field in pairs(value) do
        local fits = source.is_name(key) and key:sub(1, #prefix) == prefix and found[key] == nil
        if fits and not (only_functions and type(field) ~= "function") then
          found[key] = field
        end
      end
    end
    value = index_of(value)
    if type(value) ~= "table" then
      break
    end
  end
  return found
end

-- The value of "a.b" in an environment; nil: there is none.
local function value_of(path, environment)
  local value = environment
  for name in path:gmatch "[%a_][%w_]*" do
    if value == nil then
      return nil
    end
    value = value[name]
  end
  return value
end

local function common_prefix(names)
  local prefix = names[1]
  for _, name in ipairs(names) do
    while name:sub(1, #prefix) ~= prefix do
      prefix = prefix:sub(1, -2)
    end
  end
  return prefix
end

local function columns(names, width)
  local longest = 0
  for _, name in ipairs(names) do
    longest = math.max(longest, #name + 2)
  end
  local in_row = math.max(1, math.floor(width / longest))
  local rows, row = {}, {}
  for position, name in ipairs(names) do
    row[#row + 1] = name .. (" "):rep(longest - #name)
    if #row == in_row or position == #names then
      rows[#rows + 1] = (table.concat(row):gsub("%s+$", ""))
      row = {}
    end
  end
  return table.concat(rows, "\n") .. "\n"
end

local function answer(found, prefix, width)
  local names = source.keys(found)
  if #names == 0 then
    return nil
  elseif #names == 1 then
    return names[1]:sub(#prefix + 1) .. (type(found[names[1]]) == "function" and "(" or "")
  end
  local more = common_prefix(names):sub(#prefix + 1)
  return more, more == "" and columns(names, width) or nil
end

--- Completes a word of a command's line.
-- @tparam string[] list the words that can stand there
-- @tparam string prefix what there is of it
-- @tparam string before the whole line up to the cursor
-- @tparam integer width of the terminal
-- @treturn ?string what to insert
-- @treturn ?string what to show above the line
function complete.words(list, prefix, before, width)
  local found, count = {}, 0
  for _, word in ipairs(list) do
    if word:sub(1, #prefix) == prefix and not found[word] then
      found[word], count = true, count + 1
    end
  end
  local insertion, choices = answer(found, prefix, width)
  local is_name = before:find "^%s*:[%a_]*$" ~= nil
  return insertion and count == 1 and is_name and insertion .. " " or insertion, choices
end

--- Completes a line of Lua.
-- @tparam string before what is before the cursor
-- @tparam table environment of what is typed
-- @tparam integer width of the terminal
-- @treturn ?string what to insert
-- @treturn ?string what to show above the line
function complete.line(before, environment, width)
  local path, separator, prefix = before:match "([%a_][%w_%.]*)([%.:])([%w_]*)$"
  if path then
    local value = value_of(path, environment)
    return answer(value == nil and {} or names_of(value, prefix, separator == ":"), prefix, width)
  end
  prefix = before:match "[%a_][%w_]*$" or ""
  local earlier = before:sub(1, #before - #prefix)
  if earlier:find "[%.:]$" or (prefix == "" and earlier:find "%S") then
    return nil
  end
  local found = names_of(environment, prefix)
  for _, word in ipairs(keywords) do
    if prefix ~= "" and word:sub(1, #prefix) == prefix then
      found[word] = true
    end
  end
  return answer(found, prefix, width)
end

return complete
