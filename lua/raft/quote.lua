--- Words as the system's shell (sh) takes them.
-- @module raft.quote

local quote = {}

--- A word, quoted where that is needed.
-- @tparam string word
-- @treturn string
function quote.word(word)
  if word:find("^[%w_@%%+=:,./-]+$") then
    return word
  end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- Words as one command.
-- @tparam table words
-- @treturn string
function quote.command(words)
  local parts = {}
  for position, word in ipairs(words) do
    parts[position] = quote.word(word)
  end
  return table.concat(parts, " ")
end

return quote
