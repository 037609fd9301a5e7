--- Values back from the words that logs have for them: numbers, strings, true, false, nil and tables, as Lua writes
-- them on one line. It runs nothing.
-- @module raft.view.notation

local notation = {}

local DEPTH_MOST = 8

local constants = { ["true"] = true, ["false"] = false }

-- Each returns a value, the place behind it, and true; nothing where there is none.
local read_value

local function skip(text, at)
  return text:match("^%s*()", at)
end

local function read_table(text, at, depth)
  local list, count = {}, 0
  at = skip(text, at + 1)
  while text:sub(at, at) ~= "}" do
    local name, behind = text:match("^([%a_][%w_-]*)=()", at)
    local value, next_at, fine = read_value(text, behind or at, depth + 1)
    if not fine then
      return
    elseif name then
      list[name] = value
    else
      count = count + 1
      list[count] = value
    end
    at = skip(text, next_at)
    if text:sub(at, at) == "," then
      at = skip(text, at + 1)
    elseif text:sub(at, at) ~= "}" then
      return
    end
  end
  return list, at + 1, true
end

read_value = function(text, at, depth)
  local first = text:sub(at, at)
  if first == "{" and depth < DEPTH_MOST then
    return read_table(text, at, depth)
  elseif first == '"' then
    local string, behind = text:match('^"([^"]*)"()', at)
    return string, behind, behind ~= nil
  end
  local word, behind = text:match("^([%w.+-]+)()", at)
  if not word then
    return
  elseif constants[word] ~= nil or word == "nil" or word == "null" then
    return constants[word], behind, true
  end
  local number = tonumber(word)
  return number, behind, number ~= nil and number == number
end

--- The value of a text that is nothing else.
-- @tparam string text
-- @treturn boolean whether it is one
-- @return the value
function notation.value(text)
  local value, behind, fine = read_value(text, skip(text, 1), 0)
  if not fine or skip(text, behind) <= #text then
    return false
  end
  return true, value
end

--- The arguments of a call: what stands between its parentheses.
-- @tparam string text
-- @treturn ?table list, with their number in `n`; nil where it is no list of values
function notation.arguments(text)
  local list, at = { n = 0 }, skip(text, 1)
  while at <= #text do
    local value, behind, fine = read_value(text, at, 0)
    if not fine then
      return nil
    end
    list.n = list.n + 1
    list[list.n] = value
    at = skip(text, behind)
    if text:sub(at, at) == "," then
      at = skip(text, at + 1)
    elseif at <= #text then
      return nil
    end
  end
  return list
end

return notation
