--- One line of the menu as words, and words as ids, keys and values.
--
-- It knows no command.
-- @module raft.menu.words

local words = {}

local escapes = { n = "\n", t = "\t", r = "\r" }

-- A quoted word that starts at `position`; its end, or nil where the closing quote is missing.
local function read_quoted(line, position)
  local quote, parts = line:sub(position, position), {}
  position = position + 1
  while position <= #line do
    local letter = line:sub(position, position)
    if letter == quote then
      return table.concat(parts), position + 1
    elseif letter == "\\" then
      position = position + 1
      letter = line:sub(position, position)
      letter = escapes[letter] or letter
    end
    parts[#parts + 1] = letter
    position = position + 1
  end
  return nil
end

--- Splits a line at spaces; "two words" in quotes are one.
-- @tparam string line
-- @treturn table|nil a list of {text, quoted}; nil and a message where a quote is not closed
function words.split(line)
  local list, position = {}, 1
  while true do
    position = line:find("%S", position)
    if not position then
      return list
    end
    if line:find("^[\"']", position) then
      local text, after = read_quoted(line, position)
      if not text then
        return nil, "a closing quote is missing"
      end
      list[#list + 1] = { text = text, quoted = true }
      position = after
    else
      local text = line:match("^%S+", position)
      list[#list + 1] = { text = text, quoted = false }
      position = position + #text
    end
  end
end

--- A word as a node's id.
-- @tparam table word
-- @treturn integer|nil
function words.id(word)
  local number = not word.quoted and word.text:match("^%d+$") and tonumber(word.text)
  return number and number >= 1 and number < 2 ^ 53 and number or nil
end

-- Whether a number is what its digits say: where Lua has no integers, from 2^53 on it may be another.
local function is_exact(text, number)
  return math.type or not text:find("^[+-]?%d+$") or math.abs(number) < 2 ^ 53 -- luacheck: ignore 143
end

--- A word as a value: numbers, true and false are what they look like, the rest are strings.
-- @tparam table word
-- @return the value
function words.value(word)
  if word.quoted then
    return word.text
  elseif word.text == "true" or word.text == "false" then
    return word.text == "true"
  end
  local number = word.text:find("^[+-]?%.?%d") and tonumber(word.text)
  if number and number - number == 0 and is_exact(word.text, number) then
    return number
  end
  return word.text
end

--- A value as the user would type it.
-- @param value what a key holds
-- @treturn string
function words.show(value)
  if type(value) == "string" then
    return value
  end
  return require("raft.core").value_words(value) -- here, so that --help works before a build
end

return words
