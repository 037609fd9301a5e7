--- The paper of an SVG picture: elements one after the other, numbers and texts as XML has them, and how wide a text is
-- in a font of which all characters are equally wide.
-- @module raft.view.svg_paper

local display = require "raft.view.display"

local svg_paper = {}

local LETTER = 6.1 -- the width of a character of 10 pixels
svg_paper.LETTER = LETTER

local Paper = {}
Paper.__index = Paper

--- What drawings are made of, to inherit from: `add` and `text`.
svg_paper.Paper = Paper

--- A text as XML has it.
-- @tparam string text any bytes
-- @treturn string
function svg_paper.escape(text)
  return (display.clean(text):gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }))
end

--- A number with one digit behind the point at most.
-- @tparam number value
-- @treturn string
function svg_paper.number(value)
  return (("%.1f"):format(value):gsub("%.0$", ""))
end

--- How wide a text is.
-- @tparam string text
-- @treturn number pixels
function svg_paper.width(text)
  return display.width(display.clean(text)) * LETTER
end

--- A text that is no wider.
-- @tparam string text
-- @tparam number width pixels
-- @treturn string
function svg_paper.cut(text, width)
  text = display.clean(text)
  if display.width(text) * LETTER <= width then
    return text
  end
  local lines = display.wrap(text, math.max(2, math.floor(width / LETTER) - 1))
  return lines[1] .. "…"
end

--- Adds an element.
-- @tparam string text a format, where there is more
-- @param ... what it is filled with
function Paper:add(text, ...)
  self.parts[#self.parts + 1] = select("#", ...) > 0 and text:format(...) or text
end

--- Adds a text.
-- @tparam number x
-- @tparam number y its base line
-- @tparam string class
-- @tparam string text
-- @tparam ?string anchor "middle" or "end"
function Paper:text(x, y, class, text, anchor)
  self:add('<text x="%s" y="%s" class="%s"%s>%s</text>', svg_paper.number(x), svg_paper.number(y), class,
    anchor and (' text-anchor="%s"'):format(anchor) or "", svg_paper.escape(text))
end

return svg_paper
