-- Makes lua/raft/annotations/*.lua, by which editors complete and explain Raftbench, from the comments in lua/raft:
-- `make annotations`. types.lua and core.lua there are written by hand. A spec checks that they are up to date.

local public = require "scripts.dev.public"
local reference = require "raft.reference"

local annotations = {}

local HEAD = "-- For editors (lua-language-server), never loaded. Made by `make annotations` from the comments "
  .. "in lua/raft: edit those."

local function optional(kind)
  if kind:find "|" then
    return kind .. "|nil"
  elseif kind:find "^fun%(" then
    return "(" .. kind .. ")?"
  end
  return kind .. "?"
end

local function flat(text)
  return (text:gsub("%s+", " "))
end

-- What is returned, one line each; where it can fail, message, code and detail besides.
local function returns_of(entry)
  local lines, first = {}, nil
  for position, one in ipairs(entry.returns) do
    local kind = one.kind or "any"
    if kind:sub(1, 1) == "?" then
      kind = optional(kind:sub(2))
    end
    first = first or flat(one.text)
    if position == 2 and first:find("nil, message", 1, true) then
      kind = (kind:find "^fun%(" and "(" .. kind .. ")" or kind) .. "|string"
    end
    lines[position] = ("---@return %s%s"):format(kind, one.text ~= "" and " # " .. flat(one.text) or "")
  end
  if first and first:find("nil, message", 1, true) then
    local has_code = first:find 'message, code' or first:find 'message, "'
    local has_detail = first:find "detail"
    local rest = { "string? message", has_code and "string? code", has_detail and "raft.detail? detail" }
    for position, more in ipairs(rest) do
      if more and position >= #lines then
        lines[#lines + 1] = "---@return " .. more
      end
    end
  end
  return lines
end

local function function_lines(class, one)
  local entry = assert(public.entry(one), one.name .. ": nothing is written above it")
  local lines, documented = {}, {}
  for line in entry.text:gmatch "[^\n]+" do
    lines[#lines + 1] = "---" .. line
  end
  for _, parameter in ipairs(entry.parameters) do
    documented[parameter.name] = parameter
  end
  for _, name in ipairs(public.parameters(entry)) do
    local parameter = documented[name] or {}
    local text = flat(parameter.text or "")
    if parameter.otherwise then
      text = text .. (text ~= "" and ", " or "") .. parameter.otherwise .. " if not given"
    end
    lines[#lines + 1] = ("---@param %s%s %s%s"):format(name, parameter.is_optional and name ~= "..." and "?" or "",
      parameter.kind or "any", text ~= "" and " " .. text or "")
  end
  for _, line in ipairs(returns_of(entry)) do
    lines[#lines + 1] = line
  end
  lines[#lines + 1] = ("function %s%s%s%s end"):format(class.variable, class.separator, one.name, entry.signature)
  lines[#lines + 1] = ""
  return lines
end

local function add_all(to, lines)
  for _, line in ipairs(lines) do
    to[#to + 1] = line
  end
end

local function field_lines()
  local kinds, lines = { assert = "raft.assert", core = "raft.core", null = "lightuserdata" }, {}
  for _, field in ipairs(public.fields()) do
    lines[#lines + 1] = ("---@field %s %s %s"):format(field.name, kinds[field.name] or type(field.value),
      field.text or "")
  end
  return lines
end

-- The functions of a class, each file's under what its comment says.
local function class_lines(class, fields)
  local lines = { "---@class " .. class.name }
  add_all(lines, fields or {})
  add_all(lines, { ("local %s = {}"):format(class.variable), "" })
  local path
  for _, one in ipairs(class.functions) do
    if one.path ~= path and class.name == "raft.cluster" then
      add_all(lines, { "-- " .. reference.first_sentence(reference.of_file(one.f)), "" })
    end
    path = one.path
    add_all(lines, function_lines(class, one))
  end
  return lines
end

local files = { -- file -> the classes in it
  { path = "lua/raft/annotations/raft.lua", meta = "raft", classes = { "raft.module", "raft.assert" }, gives = "raft" },
  { path = "lua/raft/annotations/cluster.lua", meta = "_", classes = { "raft.cluster" } },
  {
    path = "lua/raft/annotations/clients.lua", meta = "_",
    classes = { "raft.client", "raft.history", "raft.message" },
  },
  { path = "lua/raft/annotations/node.lua", meta = "_", classes = { "raft.node", "raft.attached" } },
}

local function render(file, classes)
  local lines = { "---@meta " .. file.meta, HEAD, "" }
  for _, name in ipairs(file.classes) do
    add_all(lines, class_lines(classes[name], name == "raft.module" and field_lines() or nil))
  end
  if file.gives then
    lines[#lines + 1] = "return " .. file.gives
  else
    lines[#lines] = nil -- the last function's empty line
  end
  return table.concat(lines, "\n") .. "\n"
end

--- What the files should hold.
-- @treturn table list of {path, text}
function annotations.render()
  local classes, list = {}, {}
  for _, class in ipairs(public.classes()) do
    classes[class.name] = class
  end
  for _, file in ipairs(files) do
    list[#list + 1] = { path = file.path, text = render(file, classes) }
  end
  return list
end

--- Writes them.
function annotations.write()
  for _, file in ipairs(annotations.render()) do
    local handle = assert(io.open(file.path, "w"))
    assert(handle:write(file.text))
    assert(handle:close())
  end
end

return annotations
