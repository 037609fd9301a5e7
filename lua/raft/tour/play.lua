--- Plays one step of the tour: does the calls that it shows, and shows what came of them.
--
-- A step is a list. Its items are: a text, `${expression}` in it being filled in; `lua` = calls, that are made;
-- `answer` = an expression, whose value is shown; `status` = true: the cluster `c` as it is; `excerpt` =
-- { from, to, nodes, kinds } of its timing diagram, the first three being expressions; `command` = what a command line
-- would be, and `does` = function(variables) → lines, which does the same.
-- @module raft.tour.play

local core = require "raft.core"
local draw = require "raft.shell.draw"
local excerpt = require "raft.view.excerpt"
local open = require "raft.open"

local EXCERPT_MOST = 30 -- lines

local load_in = setfenv -- luacheck: ignore 113
  and function(text, variables)
    return setfenv(assert(loadstring(text, "=tour")), variables) -- luacheck: ignore 113
  end
  or function(text, variables)
    return assert(load(text, "=tour", "t", variables))
  end

local function evaluate(text, variables)
  return load_in("return " .. text, variables)()
end

local function filled(text, variables)
  return (text:gsub("%${(.-)}", function(expression)
    local value = evaluate(expression, variables)
    return type(value) == "number" and ("%.3f"):format(value):gsub("%.?0+$", "") or tostring(value)
  end))
end

local function say(screen, item, variables)
  return screen:show(screen:wrapped(filled(item, variables)))
end

local function calls(screen, text, mark)
  local lines = {}
  for line in text:gmatch "[^\n]+" do
    local indent = line:match "^ *"
    for number, piece in ipairs(screen:wrapped(line:sub(#indent + 1), (" "):rep(#indent + 4))) do
      piece = piece:sub(5)
      lines[#lines + 1] = "  " .. screen:coloured((number == 1 and mark or "·") .. " " .. piece, "1")
    end
  end
  return lines
end

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    lines[#lines + 1] = line
  end
  return lines
end

local show = {}

function show.lua(screen, item, variables)
  local text = item.lua:gsub("^%s*\n", ""):gsub("%s+$", "")
  local answer = screen:show(calls(screen, text, ">"))
  if not answer then
    load_in(text, variables)()
  end
  return answer
end

function show.answer(screen, item, variables)
  local lines = calls(screen, item.answer, ">")
  local value = evaluate(item.answer, variables)
  local is_text = type(value) == "string" and value:find "\n"
  for _, line in ipairs(lines_of(is_text and value or core.value_words(value))) do
    for _, piece in ipairs(screen:wrapped(line, "    ")) do
      lines[#lines + 1] = piece
    end
  end
  return screen:show(lines)
end

function show.status(screen, _, variables)
  return screen:show(lines_of(draw(variables.c, screen.width, screen.colour)))
end

function show.excerpt(screen, item, variables)
  local options = item.excerpt
  return screen:show(excerpt(variables.c, {
    width = screen.width, lines = EXCERPT_MOST, kinds = options.kinds,
    nodes = options.nodes and evaluate(options.nodes, variables),
    from = options.from and evaluate(options.from, variables), to = options.to and evaluate(options.to, variables),
  }))
end

function show.command(screen, item, variables)
  local answer = screen:show(calls(screen, filled(item.command, variables), "$"))
  if answer then
    return answer
  end
  local lines = {}
  for _, text in ipairs(item.does(variables)) do
    for _, line in ipairs(screen:wrapped(text, "    ")) do
      lines[#lines + 1] = line
    end
  end
  return screen:show(lines)
end

local kinds = { "lua", "answer", "status", "excerpt", "command" }

local function show_item(screen, item, variables)
  if type(item) == "string" then
    return say(screen, item, variables)
  end
  for _, kind in ipairs(kinds) do
    if item[kind] then
      return show[kind](screen, item, variables)
    end
  end
  error "an item of the tour without a kind"
end

--- Plays it.
-- @tparam table screen raft.tour.screen
-- @tparam table step
-- @tparam string heading
-- @tparam table variables what its calls find, besides Lua's own
-- @treturn ?string|integer what the reader wants instead of its end
return function(screen, step, heading, variables)
  local environment = setmetatable({}, { __index = function(_, name)
    local value = variables[name]
    if value == nil then
      value = _G[name]
    end
    return value
  end })
  local answer = screen:show { screen:coloured(heading, "1;4"), "" }
  for position = 1, #step do
    answer = answer or show_item(screen, step[position], environment)
    if not answer and position < #step then
      answer = screen:show { "" }
    end
  end
  open.close_all()
  return answer
end
