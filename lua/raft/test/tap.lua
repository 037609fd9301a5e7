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
  local name = display.clean((record.name:gsub("[#\n]", " ")))
  return self.options.many and string.format("%s (seed %.0f)", name, record.seed) or name
end

--- One test ended.
-- @tparam table record
function Tap:record(record)
  self.count = self.count + 1
  local word = record.status == "failed" and "not ok" or "ok"
  local line = string.format("%s %d - %s", word, self.count, description(self, record))
  if record.status == "skipped" then
    line = line .. " # SKIP " .. display.clean(((record.message or ""):gsub("\n", " ")))
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
    if record.same_as then
      comment(self, ("as under seed %.0f"):format(record.same_as.seed))
    end
    if record.page then
      comment(self, "diagram: " .. record.page)
    end
    if record.events then
      comment(self, "trace: " .. record.events)
    end
    comment(self, "again: " .. self.options.replay(record))
  end
end

--- One job ended: there is nothing to say of it.
function Tap.job()
end

--- All ended.
-- @tparam table sums {passed, failed, skipped}
function Tap:finish(sums)
  self.options.write(string.format("1..%d\n", self.count))
  self.options.write(string.format("# %d passed, %d failed, %d skipped\n", sums.passed, sums.failed, sums.skipped))
end

return tap
