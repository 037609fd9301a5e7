--- Text in a terminal's columns: display width, wrapping and padding of UTF-8, and making harmless
-- what a terminal would obey.
--
-- It knows nothing of traces or tables, and writes nothing.
-- @module raft.view.display

local display = {}

-- Code points of no width, and of two columns. First and last of each range, ascending.
local zero_ranges = {
  0x0300, 0x036F, 0x0483, 0x0489, 0x0591, 0x05BD, 0x0610, 0x061A, 0x064B, 0x065F, 0x200B, 0x200F,
  0x20D0, 0x20FF, 0x2060, 0x2064, 0xFE00, 0xFE0F, 0xFE20, 0xFE2F, 0xFEFF, 0xFEFF, 0xE0100, 0xE01EF,
}
local wide_ranges = {
  0x1100, 0x115F, 0x231A, 0x231B, 0x23E9, 0x23EC, 0x2614, 0x2615, 0x26A1, 0x26A1, 0x2705, 0x2705,
  0x274C, 0x274C, 0x2E80, 0x303E, 0x3041, 0xA4CF, 0xA960, 0xA97C, 0xAC00, 0xD7A3, 0xF900, 0xFAFF,
  0xFE30, 0xFE6F, 0xFF00, 0xFF60, 0xFFE0, 0xFFE6, 0x1F300, 0x1F64F, 0x1F680, 0x1F6FF,
  0x1F900, 0x1F9FF, 0x1FA70, 0x1FAFF, 0x20000, 0x2FFFD, 0x30000, 0x3FFFD,
}

local function in_ranges(ranges, point)
  for position = 1, #ranges, 2 do
    if point < ranges[position] then
      return false
    elseif point <= ranges[position + 1] then
      return true
    end
  end
  return false
end

-- The code point that starts at `position` and how many bytes it has; nil where the bytes are no UTF-8.
local function decode(text, position)
  local lead = text:byte(position)
  if lead < 0x80 then
    return lead, 1
  end
  local size, point, least
  if lead >= 0xC2 and lead <= 0xDF then
    size, point, least = 2, lead - 0xC0, 0x80
  elseif lead >= 0xE0 and lead <= 0xEF then
    size, point, least = 3, lead - 0xE0, 0x800
  elseif lead >= 0xF0 and lead <= 0xF4 then
    size, point, least = 4, lead - 0xF0, 0x10000
  else
    return nil
  end
  for offset = 1, size - 1 do
    local byte = text:byte(position + offset)
    if not byte or byte < 0x80 or byte > 0xBF then
      return nil
    end
    point = point * 64 + (byte - 0x80)
  end
  if point < least or point > 0x10FFFF or (point >= 0xD800 and point <= 0xDFFF) then
    return nil
  end
  return point, size
end

local function is_control(point)
  return point < 0x20 or (point >= 0x7F and point < 0xA0) or (point >= 0x202A and point <= 0x202E)
    or (point >= 0x2066 and point <= 0x2069)
end

--- Makes a text safe to print: line ends become spaces, control characters and bytes that are not
-- UTF-8 are written as `\xNN`.
-- @tparam string text any bytes
-- @treturn string UTF-8 without control characters
function display.clean(text)
  if not text:find("[^\32-\126]") then
    return text
  end
  local parts, position = {}, 1
  while position <= #text do
    local point, size = decode(text, position)
    if not point or is_control(point) then
      if point == 10 or point == 9 then
        parts[#parts + 1] = " "
      else
        for offset = position, position + (size or 1) - 1 do
          parts[#parts + 1] = string.format("\\x%02x", text:byte(offset))
        end
      end
    else
      parts[#parts + 1] = text:sub(position, position + size - 1)
    end
    position = position + (size or 1)
  end
  return table.concat(parts)
end

-- The characters of a clean text: a list of strings and one of their widths.
local function characters(text)
  local list, widths, position = {}, {}, 1
  while position <= #text do
    local point, size = decode(text, position)
    size = size or 1
    list[#list + 1] = text:sub(position, position + size - 1)
    if not point then
      widths[#widths + 1] = 1
    elseif in_ranges(zero_ranges, point) then
      widths[#widths + 1] = 0
    else
      widths[#widths + 1] = in_ranges(wide_ranges, point) and 2 or 1
    end
    position = position + size
  end
  return list, widths
end

--- How many columns a clean text takes.
-- @tparam string text without control characters
-- @treturn integer columns
function display.width(text)
  if not text:find("[^\32-\126]") then
    return #text
  end
  local plain = text:gsub("\226\134[\128-\191]", "x") -- arrows, which most phrases have, are one column wide
  if not plain:find("[^\32-\126]") then
    return #plain
  end
  local _, widths = characters(text)
  local sum = 0
  for position = 1, #widths do
    sum = sum + widths[position]
  end
  return sum
end

-- Behind these a word may go on in the next line.
local breaks = { [","] = true, ["-"] = true, ["/"] = true, [":"] = true, ["_"] = true, [";"] = true }

-- Where a line of a word ends that begins at `first`: as far as it fits, or behind the last break before that.
local function piece_end(list, widths, first, width)
  local sum, last, after_break = 0, first - 1, nil
  while last < #list and (sum + widths[last + 1] <= width or last < first) do
    last = last + 1
    sum = sum + widths[last]
    if breaks[list[last]] then
      after_break = last
    end
  end
  return last < #list and after_break or last
end

-- Cuts a word that is wider than a line; returns whole pieces and the rest with its width.
local function cut_word(word, width, lines)
  local list, widths = characters(word)
  local first = 1
  while true do
    local last = piece_end(list, widths, first, width)
    local piece = table.concat(list, "", first, last)
    if last == #list then
      return piece, display.width(piece)
    end
    lines[#lines + 1] = piece
    first = last + 1
  end
end

--- Breaks a clean text into lines of at most `width` columns, at spaces where it can.
-- @tparam string text without control characters
-- @tparam integer width at least 2
-- @treturn table a list of lines, at least one
function display.wrap(text, width)
  if #text <= width then
    return { text }
  end
  local lines, line, line_width = {}, nil, 0
  for word in text:gmatch("%S+") do
    local word_width = display.width(word)
    if line and line_width + 1 + word_width <= width then
      line, line_width = line .. " " .. word, line_width + 1 + word_width
    else
      if line then
        lines[#lines + 1] = line
      end
      if word_width > width then
        line, line_width = cut_word(word, width, lines)
      else
        line, line_width = word, word_width
      end
    end
  end
  lines[#lines + 1] = line or ""
  return lines
end

local INDENT_MOST = 12 -- of lines that go on below a beginning

--- Breaks those lines of a text that are wider than `width` columns, each below its own beginning. Lines in columns,
-- with two spaces within, and those with control characters are left as they are.
-- @tparam string text
-- @tparam integer width
-- @treturn string
function display.fit(text, width)
  return (text:gsub("[^\n]+", function(line)
    local indent, rest = line:match "^( *)(.*)$"
    if display.width(display.clean(line)) <= width or rest:find "  " or rest:find "%c" then
      return line
    end
    indent = indent:sub(1, math.min(INDENT_MOST, math.floor(width / 2)))
    return indent .. table.concat(display.wrap(rest, width - #indent), "\n" .. indent)
  end))
end

--- Fills a clean text up with spaces.
-- @tparam string text without control characters
-- @tparam integer width columns wanted
-- @tparam ?boolean right true: spaces before it
-- @treturn string the text, never cut
function display.pad(text, width, right)
  local spaces = string.rep(" ", width - display.width(text))
  return right and spaces .. text or text .. spaces
end

return display
