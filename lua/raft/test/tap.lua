--- Test results in the Test Anything Protocol, version 13.
-- @module raft.test.tap

local display = require "raft.view.display"

local tap = {}

local Tap = {}
Tap.__index = Tap

--- A reporter.
-- @tparam table options `write` function(text); `many` several seeds; `replay` function(record) → command line
-- @treturn table
function tap.new(options)
  options.write("TAP version 13\n")
  return setmetatable({ options = options, count = 0 }, Tap)
end

local function comment(self, block)
  local clean = block:gsub("\n+$", ""):gsub("[^\n]+", display.clean)
  self.options.write("# " .. clean:gsub("\n", "\n# ") .. "\n")
end

local function description(self, record)
  local name = record.name:gsub("[#\n]", " ")
  return self.options.many and string.format("%s (seed %.0f)", name, record.seed) or name
end

--- One test ended.
-- @tparam table record
function Tap:record(record)
  self.count = self.count + 1
  local word = record.status == "failed" and "not ok" or "ok"
  local line = string.format("%s %d - %s", word, self.count, description(self, record))
  if record.status == "skipped" then
    line = line .. " # SKIP " .. (record.message or ""):gsub("\n", " ")
  end
  self.options.write(line .. "\n")
  if record.output then
    comment(self, record.output)
  end
  if record.status == "failed" then
    comment(self, record.message or "no message")
    if record.trace then
      comment(self, record.trace)
    end
    comment(self, "again: " .. self.options.replay(record))
  end
end

--- One job ended.
-- @tparam table _ the job
-- @tparam ?string output what the child printed, where something failed
function Tap:job(_, output)
  if output and output:find("%S") then
    comment(self, output)
  end
end

--- All ended.
-- @tparam table sums {passed, failed, skipped}
function Tap:finish(sums)
  self.options.write(string.format("1..%d\n", self.count))
  self.options.write(string.format("%d passed, %d failed, %d skipped\n", sums.passed, sums.failed, sums.skipped))
end

return tap
