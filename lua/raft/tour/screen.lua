--- Where the tour is shown: text wrapped to the terminal's width, a screen at a time where somebody reads it there.
--
-- It knows nothing of what is shown. What the reader answers comes back to the caller.
-- @module raft.tour.screen

local display = require "raft.view.display"

local screen = {}

local WIDTH_MOST = 100 -- columns: longer lines are hard to read
local KEPT_LINES = 2 -- of a screen, for the question and what stood last

local Screen = {}
Screen.__index = Screen

--- A screen.
-- @tparam table options `write` function(text); `width` columns; `colour`; of a terminal: `height` lines and `read`
-- function() → a line, nil at the end; `count` of the steps
-- @treturn table
function screen.new(options)
  return setmetatable({
    write = options.write, width = math.min(options.width, WIDTH_MOST), colour = options.colour,
    height = options.height, read = options.read, steps = options.count, count = 0,
  }, Screen)
end

--- A text in a terminal's colour, where there are colours.
-- @tparam string text
-- @tparam string code
-- @treturn string
function Screen:coloured(text, code)
  return self.colour and text ~= "" and ("\27[%sm%s\27[0m"):format(code, text) or text
end

local answers = { [""] = "next", n = "next", b = "back", q = "quit", quit = "quit", exit = "quit" }

--- Asks the reader. Without one it goes on.
-- @tparam string what Enter does
-- @treturn string|integer "next", "back", "quit", or a step's number
function Screen:ask(what)
  if not self.read then
    return "next"
  end
  while true do
    self.write(self:coloured(("Enter: %s · b: back · a number: that step · q: leave "):format(what), "7"))
    local line = self.read()
    self.count = 0
    if not line then
      self.write "\n"
      return "quit"
    end
    local word = line:match "^%s*(.-)%s*$":lower()
    local number = tonumber(word:match "^%d+$")
    if answers[word] or number and number >= 1 and number <= self.steps then
      return answers[word] or number
    end
  end
end

--- Shows lines; where they do not fit on what is left of the screen, the reader is asked first.
-- @tparam table lines at most as wide as the screen
-- @treturn ?string|integer what the reader wants instead of going on
function Screen:show(lines)
  if self.read and self.count > 0 and self.count + #lines > self.height - KEPT_LINES then
    local answer = self:ask "more"
    if answer ~= "next" then
      return answer
    end
  end
  for _, line in ipairs(lines) do
    self.write(line .. "\n")
    self.count = self.count + 1
  end
  return nil
end

--- A text as lines that fit.
-- @tparam string text
-- @tparam ?string indent
-- @treturn table
function Screen:wrapped(text, indent)
  local lines = display.wrap(text, self.width - #(indent or ""))
  for position, line in ipairs(lines) do
    lines[position] = (indent or "") .. line
  end
  return lines
end

return screen
