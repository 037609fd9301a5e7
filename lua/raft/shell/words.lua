--- The words behind a command: node ids, values, names with values; and a call in Lua's words.
-- @module raft.shell.words

local source = require "raft.script.source"

local words = {}

local load_text = loadstring or load -- luacheck: ignore 113

local ID_DIGITS_MOST = 15 -- exact as a number in every Lua

--- The words of a line, by the spaces between them.
-- @tparam string text
-- @treturn string[]
function words.split(text)
  local list = {}
  for word in text:gmatch "%S+" do
    list[#list + 1] = word
  end
  return list
end

local function ids_words(cluster)
  local list = {}
  for position, id in ipairs(cluster:ids()) do
    list[position] = ("%d"):format(id)
  end
  return table.concat(list, ", ")
end

-- "1,2" as ids; nil and why not.
local function numbers(text, cluster)
  local list = {}
  for word in text:gmatch "[^,%s]+" do
    local id = #word <= ID_DIGITS_MOST and tonumber(word:match "^%d+$")
    if not id then
      return nil, ("%s is no node id (the nodes are %s)"):format(word, ids_words(cluster))
    end
    list[#list + 1] = id
  end
  if #list == 0 then
    return nil, ("%s names no node (they are %s)"):format(text, ids_words(cluster))
  end
  return list
end

--- Nodes: "2", "1,2", "1 2", "all", "leader".
-- @tparam string text
-- @param cluster
-- @treturn integer|integer[]|string what a call takes; nil and why not
-- @treturn string the same as source
function words.nodes(text, cluster)
  if text == "" then
    return nil, ("which node? (they are %s)"):format(ids_words(cluster))
  elseif text == "all" then
    return "all", '"all"'
  elseif text == "leader" then
    local leader = cluster:leader()
    if not leader then
      return nil, "no leader is agreed now (:leader waits for one)"
    end
    return leader, "c:leader()"
  end
  local list, why = numbers(text, cluster)
  if not list then
    return nil, why
  elseif #list == 1 then
    return list[1], ("%d"):format(list[1])
  end
  return list, source.write(list, {})
end

--- Several groups of nodes: "1,2 3,4,5".
-- @tparam string text
-- @param cluster
-- @treturn table list of lists; nil and why not
function words.groups(text, cluster)
  local groups = {}
  for _, word in ipairs(words.split(text)) do
    local list, why = numbers(word, cluster)
    if not list then
      return nil, why
    end
    groups[#groups + 1] = list
  end
  if #groups == 0 then
    return nil, "which groups?"
  end
  return groups
end

--- A value: a number, true, false, "a string", { a = 1 } as Lua has them; any other text is a string as it stands.
-- @tparam string text not empty
-- @treturn any
function words.value(text)
  if text:find "^[%d%.%-\"'{]" or text == "true" or text == "false" or text == "raft.null" then
    local chunk = load_text("local raft = ... return " .. text, "=value")
    if chunk and setfenv then -- luacheck: ignore 113
      setfenv(chunk, {}) -- luacheck: ignore 113
    end
    local fine, value = pcall(chunk or error, { null = require("raft.core").null })
    if fine and value ~= nil then
      return value
    end
  end
  return text
end

-- A word in quotes may hold spaces: it, and what is behind it.
local function first_word(text)
  local quote = text:match "^[\"']"
  if quote then
    local stop = text:find(quote, 2, true)
    if stop then
      return text:sub(1, stop), text:sub(stop + 1):match "^%s*(.-)%s*$"
    end
  end
  return text:match "^(%S*)%s*(.-)%s*$"
end

--- A key and what is behind it.
-- @tparam string text
-- @treturn any the key; nil: there is none
-- @treturn string the rest
function words.key(text)
  local word, rest = first_word(text)
  if word == "" then
    return nil, ""
  end
  return words.value(word), rest
end

--- Names with values: "drop=0.2 delay=0.01,0.05 cut".
-- @tparam string[] list
-- @tparam integer first the position of the first of them
-- @treturn table by name; nil and why not
function words.settings(list, first)
  local settings = {}
  for position = first, #list do
    local name, value = list[position]:match "^([%a_]+)=(.+)$"
    if not name and not list[position]:find "^[%a_]+$" then
      return nil, ("%s is neither a name nor NAME=VALUE"):format(list[position])
    elseif not name then
      settings[list[position]] = true
    elseif value:find "^[%d%.]+,[%d%.]+$" then
      local low, high = value:match "^([^,]+),(.+)$"
      settings[name] = { tonumber(low), tonumber(high) }
    else
      settings[name] = words.value(value)
    end
  end
  return settings
end

--- Seconds, or another number of at least 0.
-- @tparam string text
-- @treturn number nil: it is none
function words.number(text)
  local value = tonumber(text)
  return value and value >= 0 and value < math.huge and value or nil
end

--- A list in words: "node 2", "nodes 1 and 2", "all nodes".
-- @param nodes as words.nodes gives it
-- @treturn string
function words.of_nodes(nodes)
  if nodes == "all" then
    return "all nodes"
  elseif type(nodes) ~= "table" then
    return ("node %d"):format(nodes)
  end
  local list = {}
  for position, id in ipairs(nodes) do
    list[position] = ("%d"):format(id)
  end
  local last = table.remove(list)
  return "nodes " .. table.concat(list, ", ") .. " and " .. last
end

--- A call as it would be typed: `c:crash(2)`.
-- @tparam string of the cluster's name
-- @tparam string name
-- @tparam table arguments with their number in `n`
-- @tparam ?table texts arguments whose source is another, by position
-- @treturn string
function words.call(of, name, arguments, texts)
  local parts = {}
  for position = 1, arguments.n do
    parts[position] = texts and texts[position] or source.write(arguments[position], {}) or "..."
  end
  return ("%s:%s(%s)"):format(of, name, table.concat(parts, ", "))
end

return words
