--- Test records as lines of text, by which a child process tells its parent what happened, while it
-- happens: so that the parent knows which test was running when a child died.
-- @module raft.test.records

local records = {}

local fields = { "file", "name", "seed", "status", "duration_ns", "message", "trace", "loading", "events",
  "page", "at" }
local numbers = { seed = true, duration_ns = true, at = true }

local escapes = { ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r" }
local originals = { ["\\"] = "\\", n = "\n", t = "\t", r = "\r" }

--- A record as one line.
-- @tparam string what `begin` or `finish` (of a test), `done` (of all) or `interrupted` (by the user)
-- @tparam table record
-- @treturn string without a line end
function records.encode(what, record)
  local parts = { what }
  for _, field in ipairs(fields) do
    local value = record[field]
    if value ~= nil then
      local text = numbers[field] and string.format("%.0f", value) or tostring(value)
      parts[#parts + 1] = field .. "=" .. text:gsub("[\\\n\t\r]", escapes)
    end
  end
  return table.concat(parts, "\t")
end

--- The reverse.
-- @tparam string line
-- @treturn string `begin`, `finish`, `done` or `interrupted`
-- @treturn table the record
function records.decode(line)
  local what, rest = line:match("^(%a+)(.*)$")
  local record = {}
  for field, text in (rest or ""):gmatch("\t([%a_]+)=([^\t]*)") do
    local value = text:gsub("\\(.)", originals)
    record[field] = numbers[field] and tonumber(value) or value
  end
  return what, record
end

return records
