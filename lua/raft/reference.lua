--- What the documentation of a function says, read from the comments above it in its source: what `help` shows is what
-- the reference is made from.
-- @module raft.reference

local script = require "raft.script"

local reference = {}

-- The paragraphs that introduce a comment's tags: "@tparam[opt=10] ?number timeout seconds".
local function parse_tag(text)
  local tag, modifier, rest = text:match "^@(%a+)(%b[])%s*(.*)$"
  if not tag then
    tag, rest = text:match "^@(%a+)%s*(.*)$"
  end
  return tag, modifier and modifier:sub(2, -2) or "", rest or ""
end

local function parameter(tag, modifier, rest)
  local kind
  if tag == "tparam" then
    kind, rest = rest:match "^(%S+)%s*(.*)$"
  end
  local name, text = (rest or ""):match "^(%S+)%s*(.*)$"
  local is_optional = modifier:find("opt", 1, true) ~= nil or kind ~= nil and kind:sub(1, 1) == "?"
  kind = kind and kind:gsub("^%?", "") or nil
  local otherwise = modifier:match "opt=(.*)"
  local notes = {}
  if kind then
    notes[#notes + 1] = (kind:gsub("^fun%(.*", "function"))
  end
  if otherwise then
    notes[#notes + 1] = "default " .. otherwise
  elseif rest ~= nil and (modifier:find("opt", 1, true)) then
    notes[#notes + 1] = "may be left out"
  end
  return {
    name = name or "?", notes = table.concat(notes, ", "), text = text or "", kind = kind, is_optional = is_optional,
    otherwise = otherwise,
  }
end

-- A block of comment lines (without their dashes) as { text, parameters, results }.
local function parse(block)
  local parts, entry = {}, { text = {}, parameters = {}, results = {}, returns = {} }
  for _, line in ipairs(block) do
    if line:find "^@" or #parts == 0 then
      parts[#parts + 1] = line
    else
      parts[#parts] = parts[#parts] .. "\n" .. line
    end
  end
  for _, part in ipairs(parts) do
    local tag, modifier, rest = parse_tag(part:gsub("\n", " "):gsub("%s+", " "))
    if not tag then
      entry.text = part
    elseif tag == "tparam" or tag == "param" then
      entry.parameters[#entry.parameters + 1] = parameter(tag, modifier, rest)
    elseif tag == "treturn" then
      entry.results[#entry.results + 1] = rest:gsub("^%?", ""):gsub("^(%S+)%s*(.*)$", "(%1) %2"):gsub("%s+$", "")
      entry.returns[#entry.returns + 1] = { kind = rest:match "^%S+", text = rest:match "^%S+%s*(.*)$" }
    elseif tag == "return" then
      entry.results[#entry.results + 1] = rest
      entry.returns[#entry.returns + 1] = { text = rest }
    end
  end
  entry.text = type(entry.text) == "string" and entry.text or ""
  return entry
end

local files = {} -- path → its lines

local function lines_of(path)
  if files[path] == nil then
    local file = io.open(path, "r")
    local lines = {}
    if file then
      for line in file:lines() do
        lines[#lines + 1] = line
      end
      file:close()
    end
    files[path] = lines
  end
  return files[path]
end

-- The comment that ends above a line, without dashes; nil: there is none.
local function block_above(lines, number)
  local first = number
  while first > 1 and lines[first - 1]:find "^%s*%-%-" do
    first = first - 1
  end
  if first == number then
    return nil
  end
  local block = {}
  for position = first, number - 1 do
    block[#block + 1] = lines[position]:gsub("^%s*%-+ ?", "")
  end
  block.is_ldoc = lines[first]:find "^%s*%-%-%-" ~= nil
  return block
end

--- What is written above a function.
-- @tparam function f
-- @treturn table { text, parameters = { {name, notes, text, kind, is_optional, otherwise} }, results (in words),
-- returns = { {kind, text} }, signature, is_ldoc (three dashes) }; nil: it has no comment, or its source is not at hand
function reference.of_function(f)
  local info = debug.getinfo(script.unwrap(f), "S")
  if info.source:sub(1, 1) ~= "@" then
    return nil
  end
  local lines = lines_of(info.source:sub(2))
  local head = lines[info.linedefined]
  local block = head and block_above(lines, info.linedefined)
  if not block then
    return nil
  end
  local entry = parse(block)
  entry.signature = head:match "%b()" or "()"
  entry.is_ldoc = block.is_ldoc
  return entry
end

--- The comment that opens the file in which a function stands: its first paragraph.
-- @tparam function f
-- @treturn string "" where there is none
function reference.of_file(f)
  local info = debug.getinfo(script.unwrap(f), "S")
  if info.source:sub(1, 1) ~= "@" then
    return ""
  end
  local block = {}
  for _, line in ipairs(lines_of(info.source:sub(2))) do
    local text = line:match "^%-%-%-? ?(.*)$"
    if not text or text == "" or text:find "^@" then
      break
    end
    block[#block + 1] = text
  end
  return table.concat(block, " ")
end

--- The first sentence of a text.
-- @tparam string text
-- @treturn string
function reference.first_sentence(text)
  local flat = text:gsub("%s+", " ")
  return flat:match "^(.-[%.!%?])%s+%u" or flat
end

return reference
