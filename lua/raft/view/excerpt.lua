--- A stretch of a cluster's timing diagram, without the table's head and foot: as the tour and the
-- demo show it.
-- @module raft.view.excerpt

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
-- @tparam table options `width`, `lines` at most, and what is chosen: `from`, `to`, `nodes`, `kinds`
-- @treturn table lines
return function(cluster, options)
  local rows = rows_of(cluster:view("table", nil, {
    width = options.width, from = options.from, to = options.to, nodes = options.nodes, kinds = options.kinds,
  }))
  if options.lines and #rows > options.lines then
    local left_out = #rows - options.lines + 1
    for position = #rows, options.lines, -1 do
      rows[position] = nil
    end
    rows[options.lines] = ("  … %d more lines"):format(left_out)
  end
  return rows
end
