-- A small reader of XML that refuses what is not well-formed: for what the junit reporter writes.
local M = {}

local entities = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'" }

local function fail(what, text)
  error(("no well-formed XML: %s near '%s'"):format(what, text:sub(1, 60)), 0)
end

local function unescape(text)
  if text:find("<", 1, true) then
    fail("a < in text", text)
  elseif text:find("[%z\1-\8\11\12\14-\31]") or text:find("\239\191[\190\191]") then
    fail("a character that XML does not have", text)
  elseif text:find("]]>", 1, true) then
    fail("]]> in text", text)
  elseif utf8 and not utf8.len(text) then -- luacheck: ignore 113
    fail("no UTF-8", text)
  end
  return (text:gsub("&(#?%w*)(;?)", function(name, semicolon)
    local value = entities[name] or name:match("^#%d+$") and string.char(tonumber(name:sub(2)))
    if not value or semicolon == "" then
      fail("an odd entity", name)
    end
    return value
  end))
end

local function attributes(text)
  local map, rest = {}, text
  while rest:find("%S") do
    local name, value, after = rest:match('^%s+([%w_:-]+)="([^"]*)"(.*)$')
    if not name then
      fail("an attribute", rest)
    elseif map[name] then
      fail("an attribute twice", name)
    end
    map[name], rest = unescape(value), after
  end
  return map
end

-- The document's root: {name, attributes, text, ...children}.
function M.parse(text)
  local rest = text:match('^<%?xml version="1.0" encoding="UTF%-8"%?>%s*(.*)$') or fail("no declaration", text)
  local root = { children = {} }
  local open = { root }
  while rest:find("%S") do
    local words, tag, after = rest:match("^([^<]*)<([^>]*)>(.*)$")
    if not tag then
      fail("a tag", rest)
    end
    local top = open[#open]
    top.text = (top.text or "") .. unescape(words)
    local closing, name, fields, alone = tag:match("^(/?)([%w_:-]+)(.-)(/?)$")
    if not name then
      fail("a tag", tag)
    elseif closing == "/" then
      if top.name ~= name or fields:find("%S") then
        fail("a closing tag that closes nothing", tag)
      end
      open[#open] = nil
    else
      local node = { name = name, attributes = attributes(fields), children = {} }
      top.children[#top.children + 1] = node
      if alone == "" then
        open[#open + 1] = node
      end
    end
    rest = after
  end
  if #open ~= 1 or #root.children ~= 1 then
    fail("one root that is closed", text)
  end
  return root.children[1]
end

-- All nodes of a name below one, in order.
function M.find(node, name, list)
  list = list or {}
  for _, child in ipairs(node.children) do
    if child.name == name then
      list[#list + 1] = child
    end
    M.find(child, name, list)
  end
  return list
end

return M
