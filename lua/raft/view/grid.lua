--- The drawing of one table: borders, a header that comes again, rows of wrapped cells, lines across.
--
-- It is given texts and writes lines at once; it knows nothing of events.
-- @module raft.view.grid

local display = require "raft.view.display"

local grid = {}

local COLUMN_LEAST, COLUMN_MOST = 6, 40
local MARGINS, BETWEEN = 4, 3 -- columns that the outer borders take, and each border between two cells

local colours = {
  leader = "\27[32;1m", candidate = "\27[33m", pre_candidate = "\27[33m", down = "\27[31;2m", dim = "\27[2m",
  failed = "\27[31;1m", passed = "\27[32;1m", bold = "\27[1m", learner = "\27[36m",
}

local Grid = {}
Grid.__index = Grid

--- How wide columns that share a table's width would be.
-- @tparam integer width of the table
-- @tparam table fixed widths of the columns before them, at least one
-- @tparam integer count how many share
-- @treturn integer columns; below 1 where there is no room
function grid.share(width, fixed, count)
  local free = width - MARGINS + BETWEEN - BETWEEN * (#fixed + count)
  for position = 1, #fixed do
    free = free - fixed[position]
  end
  return math.floor(free / math.max(count, 1))
end

--- A table.
-- @tparam table options `write` function(text), `width` columns, `colour` boolean, `header_every` lines,
-- `fixed` widths of the first columns, `titles` of all columns, `wide` whether a column may be wider than 40
-- @treturn table
function grid.new(options)
  local each = grid.share(options.width, options.fixed, #options.titles - #options.fixed)
  each = math.max(COLUMN_LEAST, options.wide and each or math.min(COLUMN_MOST, each))
  local widths, inner = {}, -BETWEEN
  for position = 1, #options.titles do
    widths[position] = options.fixed[position] or each
    inner = inner + BETWEEN + widths[position]
  end
  return setmetatable({
    write = options.write, colour = options.colour, header_every = options.header_every,
    titles = options.titles, widths = widths, inner = inner, lines = 0,
  }, Grid)
end

--- A text in the colour of that name, where colours are on.
-- @tparam string text
-- @tparam string|nil name as in `colours`
-- @treturn string
function Grid:paint(text, name)
  local code = self.colour and name and colours[name]
  return code and code .. text .. "\27[0m" or text
end

local function border(self, left, middle, right)
  local parts = {}
  for position = 1, #self.widths do
    parts[position] = string.rep("─", self.widths[position] + 2)
  end
  self.write(left .. table.concat(parts, middle) .. right .. "\n")
end

local function full_lines(self, text, colour)
  for _, line in ipairs(display.wrap(text, self.inner)) do
    self.write("│ " .. self:paint(display.pad(line, self.inner), colour) .. " │\n")
  end
end

--- The top: lines over the whole width.
-- @tparam table texts a list of {text, colour or nil}
function Grid:top(texts)
  self.write("┌" .. string.rep("─", self.inner + 2) .. "┐\n")
  for _, text in ipairs(texts) do
    full_lines(self, text[1], text[2])
  end
  border(self, "├", "┬", "┤")
  self:header()
end

--- The columns' titles.
function Grid:header()
  local cells = {}
  for position = 1, #self.titles do
    cells[position] = { { self.titles[position], "bold" } }
  end
  self:draw(cells)
  border(self, "├", "┼", "┤")
  self.lines = 0
end

function Grid:draw(cells)
  local columns, height = {}, 1
  for position = 1, #self.widths do
    local lines = {}
    for _, part in ipairs(cells[position] or {}) do
      for number, line in ipairs(display.wrap(part[1], self.widths[position])) do
        lines[#lines + 1] = { line, part[2], number }
      end
    end
    columns[position] = lines
    height = math.max(height, #lines)
  end
  for number = 1, height do
    local parts = {}
    for position = 1, #self.widths do
      local line = columns[position][number] or { "" }
      parts[position] = self:paint(display.pad(line[1], self.widths[position], position == 1), line[2])
    end
    self.write("│ " .. table.concat(parts, " │ ") .. " │\n")
  end
  self.lines = self.lines + height
end

local function before_row(self)
  if self.header_every and self.lines >= self.header_every then
    border(self, "├", "┼", "┤")
    self:header()
  end
end

--- A row.
-- @tparam table cells for each column nil or a list of {text, colour or nil}
function Grid:row(cells)
  before_row(self)
  self:draw(cells)
end

--- A row whose text runs across all columns but the first.
-- @tparam string first the first column's text
-- @tparam string text
-- @tparam ?string colour
function Grid:across(first, text, colour)
  before_row(self)
  local width = self.inner - self.widths[1] - BETWEEN
  if width < COLUMN_LEAST then
    self:draw { { { first .. " " .. text, colour } } }
    return
  end
  local left = first
  for _, line in ipairs(display.wrap(text, width)) do
    self.write("│ " .. display.pad(left, self.widths[1], true) .. " │ " .. self:paint(display.pad(line, width), colour)
      .. " │\n")
    left = ""
    self.lines = self.lines + 1
  end
end

--- The end, with a last line over the whole width.
-- @tparam string text
-- @tparam ?string colour
function Grid:bottom(text, colour)
  border(self, "├", "┴", "┤")
  full_lines(self, text, colour)
  self.write("└" .. string.rep("─", self.inner + 2) .. "┘\n")
end

return grid
