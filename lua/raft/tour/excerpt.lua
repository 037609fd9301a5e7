--- A stretch of a cluster's timing diagram, without the table's head and foot: as the tour shows it.
-- @module raft.tour.excerpt

local core = require "raft.core"
local forms = require "raft.view.forms"

local LINES_MOST = 30

-- The table's lines, without what stands above the first row and below the last one.
local function rows_of(text)
  local rows, inside = {}, false
  for line in text:gmatch "([^\n]*)\n" do
    if not inside and line:find "^[^┬]*├.*┬" then
      inside = true
      line = line:gsub("├", "┌"):gsub("┤", "┐")
    elseif inside and line:find "├.*┴" then
      rows[#rows + 1] = line:gsub("├", "└"):gsub("┤", "┘")
      break
    end
    if inside then
      rows[#rows + 1] = line
    end
  end
  return rows
end

--- Draws one.
-- @tparam raft.cluster cluster
-- @tparam table options `width`, `colour`, and what is chosen: `from`, `to`, `nodes`, `kinds`
-- @treturn table lines
return function(cluster, options)
  local lines, parts = cluster.core:event_lines(false), {}
  forms.render("table", function()
    local position = 0
    return function()
      position = position + 1
      return lines[position] and core.json_decode(lines[position])
    end
  end, {
    write = function(text) parts[#parts + 1] = text end, tell = function() end, name = "", width = options.width,
    colour = options.colour, from = options.from, to = options.to, nodes = options.nodes, kinds = options.kinds,
  })
  local rows = rows_of(table.concat(parts))
  if #rows > LINES_MOST then
    local left_out = #rows - LINES_MOST + 1
    for position = #rows, LINES_MOST, -1 do
      rows[position] = nil
    end
    rows[LINES_MOST] = ("  … %d more lines"):format(left_out)
  end
  return rows
end
