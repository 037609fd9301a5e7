--- Test results as JUnit's XML, one suite for each file, with what each test printed. The document is written at the
-- end; the sums go to standard error, so that what is on standard output is the document alone.
-- @module raft.test.junit

local display = require "raft.view.display"

local junit = {}

-- What a failed test's element says: as much as people are told.
local function details_of(record, replay)
  local lines = { record.message or "" }
  local function add(line)
    lines[#lines + 1] = line
  end
  if record.trace then
    add(record.trace)
  end
  if record.same_as then
    add(("as under seed %.0f"):format(record.same_as.seed))
  end
  if record.page then
    add("diagram: " .. record.page)
  end
  if record.events then
    add("trace: " .. record.events)
  end
  add("again: " .. replay)
  return table.concat(lines, "\n")
end

local Junit = {}
Junit.__index = Junit

--- A reporter.
-- @tparam table options `write` and `write_error` function(text); `many` several seeds; `replay` function(record)
-- → command line
-- @treturn table
function junit.new(options)
  return setmetatable({ options = options, suites = {}, by_file = {} }, Junit)
end

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["\n"] = "&#10;" }

-- XML 1.0 has no way to write most control characters, U+FFFE and U+FFFF, escaped or not, and its text is UTF-8.
local function escaped(words)
  local text = words:gsub("[^\n]+", display.clean):gsub("\239\191[\190\191]", "?")
  return (text:gsub('[&<>"\n]', entities))
end

--- One test ended.
-- @tparam table record
function Junit:record(record)
  local suite = self.by_file[record.file]
  if not suite then
    suite = { file = record.file, records = {}, failed = 0, skipped = 0, duration_ns = 0 }
    self.by_file[record.file] = suite
    self.suites[#self.suites + 1] = suite
  end
  suite.records[#suite.records + 1] = record
  suite.duration_ns = suite.duration_ns + record.duration_ns
  if record.status ~= "passed" then
    suite[record.status] = suite[record.status] + 1
  end
end

--- One job ended: there is nothing to say of it.
function Junit.job()
end

local function write_case(self, record)
  local class, name = record.name:match("^([^.]*)%.(.*)$")
  local shown = name or record.name
  if self.options.many then
    shown = string.format("%s (seed %.0f)", shown, record.seed)
  end
  self.options.write(string.format('    <testcase classname="%s" name="%s" time="%.3f"', escaped(class or record.file),
    escaped(shown), record.duration_ns / 1e9))
  local inside = {}
  local message = escaped(record.message or "")
  if record.status == "skipped" then
    inside[1] = '<skipped message="' .. message .. '"/>'
  elseif record.status == "failed" then
    local details = details_of(record, self.options.replay(record))
    inside[1] = '<failure message="' .. message .. '">' .. escaped(details) .. "</failure>"
  end
  if record.output then
    inside[#inside + 1] = "<system-out>" .. escaped(record.output) .. "</system-out>"
  end
  if #inside == 0 then
    self.options.write("/>\n")
  else
    self.options.write(">\n      " .. table.concat(inside, "\n      ") .. "\n    </testcase>\n")
  end
end

--- All ended.
-- @tparam table sums {passed, failed, skipped}
-- @tparam integer duration_ns of the whole run
function Junit:finish(sums, duration_ns)
  local total = sums.passed + sums.failed + sums.skipped
  self.options.write('<?xml version="1.0" encoding="UTF-8"?>\n')
  self.options.write(string.format('<testsuites tests="%d" failures="%d" errors="0" time="%.3f">\n', total, sums.failed,
    duration_ns / 1e9))
  for _, suite in ipairs(self.suites) do
    self.options.write(string.format('  <testsuite name="%s" tests="%d" failures="%d" errors="0" skipped="%d" '
      .. 'time="%.3f">\n', escaped(suite.file), #suite.records, suite.failed, suite.skipped, suite.duration_ns / 1e9))
    for _, record in ipairs(suite.records) do
      write_case(self, record)
    end
    self.options.write("  </testsuite>\n")
  end
  self.options.write("</testsuites>\n")
  self.options.write_error(string.format("%d passed, %d failed, %d skipped\n", sums.passed, sums.failed, sums.skipped))
end

return junit
