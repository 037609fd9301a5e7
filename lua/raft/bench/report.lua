--- Results as text and as JSON.
-- @module raft.bench.report

local core = require "raft.core"

local report = {}

-- Three digits that count, and a letter for thousands and millions.
local function number(value)
  local shown, letter = value, ""
  if math.abs(value) >= 1e6 then
    shown, letter = value / 1e6, " M"
  elseif math.abs(value) >= 1e4 then
    shown, letter = value / 1e3, " k"
  end
  local digits = math.abs(shown) >= 100 and 0 or math.abs(shown) >= 10 and 1 or 2
  return ("%." .. digits .. "f"):format(shown) .. letter
end

local function pad(text, width)
  return text .. (" "):rep(width - #text)
end

local function lead(text, width)
  return (" "):rep(width - #text) .. text
end

--- On what it was measured, in a line.
-- @tparam table about as raft.bench.machine describes it
-- @treturn string
function report.machine(about)
  return ("%s, %d cores, load %.1f"):format(about.cpu, about.cores, about.load)
end

--- One measurement as a table: median and spread of its repetitions.
-- @tparam table result
-- @treturn string
function report.table(result)
  local lines = { result.name .. ": " .. result.about, "" }
  local cells, widths = { { "", "median", "lowest", "highest", "unit" } }, {}
  for _, row in ipairs(result.rows) do
    cells[#cells + 1] = { row.what, number(row.median), number(row.low), number(row.high), row.unit }
  end
  for _, line in ipairs(cells) do
    for column, cell in ipairs(line) do
      widths[column] = math.max(widths[column] or 0, #cell)
    end
  end
  for _, line in ipairs(cells) do
    local shown = { "  " .. pad(line[1], widths[1]) }
    for column = 2, 4 do
      shown[column] = lead(line[column], widths[column])
    end
    shown[5] = line[5]
    lines[#lines + 1] = table.concat(shown, "  ")
  end
  lines[#lines + 1] = ("  (%d repetition%s)"):format(result.repetitions, result.repetitions == 1 and "" or "s")
  return table.concat(lines, "\n") .. "\n"
end

--- Everything as one JSON text.
-- @tparam table about
-- @tparam table results
-- @treturn string
function report.json(about, results)
  return core.json_encode { machine = about, version = core.version, measurements = results }
end

return report
