--- Test results for people: a line for each test (with one seed) or each job (with many), failures in
-- full with the command that runs them again; in the end what failed, what was skipped and why, the slowest, the sums.
-- @module raft.test.text

local display = require "raft.view.display"

local text = {}

local SLOWEST_MOST = 5 -- so many are listed
local REPEATS_MOST = 3 -- failures of a kind, beyond its first, that are told by themselves
local SLOW_LEAST_NS = 10000000000 -- of a run under one seed, that it is worth listing the slowest

local Text = {}
Text.__index = Text

--- A reporter.
-- @tparam table options `write` function(text); `groups` (raft.test.groups) of all failures; `many` several seeds;
-- `jobs` how many there will be; `terminal` whether to show progress in place; `replay` function(record) → command line
-- @treturn table
function text.new(options)
  return setmetatable({
    options = options, done = 0, skips = {}, by_name = {}, tests = {}, repeats = {},
    job_sums = { passed = 0, failed = 0, skipped = 0, duration_ns = 0 },
  }, Text)
end

local function indented(block, indent)
  local clean = block:gsub("\n+$", ""):gsub("[^\n]+", display.clean)
  return indent .. clean:gsub("\n", "\n" .. indent)
end

local function print_line(self, line)
  if self.options.terminal then
    self.options.write("\r\27[K")
  end
  self.options.write(line .. "\n")
end

local function seconds(duration_ns)
  return string.format("%.3f s", duration_ns / 1e9)
end

-- What a test printed, where it is known: in a process of its own.
local function print_output(self, record)
  if record.output and record.output:find("%S") then
    print_line(self, "        printed:")
    print_line(self, indented(record.output, "        | "))
  end
end

-- A failure like an earlier one is one line; after a few of a kind they are only counted.
local function print_repeat(self, record)
  local first = record.same_as
  local count = (self.repeats[first] or 0) + 1
  self.repeats[first] = count
  if count <= REPEATS_MOST then
    print_line(self, ("FAILED  %s (seed %.0f): as under seed %.0f%s"):format(record.name, record.seed, first.seed,
      count == REPEATS_MOST and "; more of these are only counted" or ""))
  end
end

local function print_failure(self, record)
  if record.same_as then
    print_repeat(self, record)
    return
  end
  print_line(self, string.format("FAILED  %s (seed %.0f, %s)", record.name, record.seed, seconds(record.duration_ns)))
  print_line(self, indented(record.message or "no message", "        "))
  if record.trace and record.trace ~= "" then
    print_line(self, indented(record.trace, "        "))
  end
  print_output(self, record)
  if record.page then
    print_line(self, "        diagram: " .. display.clean(record.page))
  end
  if record.events then
    print_line(self, "        trace: " .. display.clean(record.events))
  end
  print_line(self, "        again: " .. self.options.replay(record))
end

-- How long each test took, over all seeds.
local function count_time(self, record)
  local test = self.by_name[record.name]
  if not test then
    test = { name = record.name, runs = 0, duration_ns = 0, longest_ns = -1, seed = 0 }
    self.by_name[record.name], self.tests[#self.tests + 1] = test, test
  end
  test.runs, test.duration_ns = test.runs + 1, test.duration_ns + record.duration_ns
  if record.duration_ns > test.longest_ns then
    test.longest_ns, test.seed = record.duration_ns, record.seed
  end
end

local function count_skip(self, record)
  local line = record.name .. (record.message and ": " .. record.message or "")
  local skip = self.skips[line]
  if not skip then
    skip = { line = line, count = 0 }
    self.skips[line], self.skips[#self.skips + 1] = skip, skip
  end
  skip.count = skip.count + 1
end

--- One test ended.
-- @tparam table record
function Text:record(record)
  count_time(self, record)
  if record.status == "skipped" then
    count_skip(self, record)
  end
  local sums = self.job_sums
  sums[record.status] = sums[record.status] + 1
  sums.duration_ns = sums.duration_ns + record.duration_ns
  if record.status == "failed" then
    print_failure(self, record)
  elseif not self.options.many then
    if record.status == "skipped" then
      print_line(self, "skipped " .. record.name .. (record.message and ": " .. record.message or ""))
    else
      print_line(self, string.format("ok      %s (%s)", record.name, seconds(record.duration_ns)))
    end
  end
end

--- One job ended.
-- @tparam table job {file, seed, seeds}
function Text:job(job)
  self.done = self.done + 1
  local sums = self.job_sums
  local seeds = self.options.many and string.format(", seeds %.0f..%.0f", job.seed, job.seed + job.seeds - 1) or ""
  local line = string.format("[%d/%d] %s%s: %d passed, %d failed, %d skipped (%s)", self.done, self.options.jobs,
    job.file, seeds, sums.passed, sums.failed, sums.skipped, seconds(sums.duration_ns))
  self.job_sums = { passed = 0, failed = 0, skipped = 0, duration_ns = 0 }
  if self.options.terminal and sums.failed == 0 and self.done < self.options.jobs then
    self.options.write("\r\27[K" .. line)
  else
    print_line(self, line)
  end
end

-- What failed: how to run it again stands where it failed.
local function print_failures(self)
  print_line(self, "\nFailed:")
  for _, group in ipairs(self.options.groups:all()) do
    print_line(self, ("  %s (%s%.0f)"):format(group.record.name,
      group.count > 1 and ("%d seeds, as seed "):format(group.count) or "seed ", group.record.seed))
  end
end

local function print_skips(self)
  print_line(self, "\nSkipped:")
  for _, skip in ipairs(self.skips) do
    print_line(self, indented(skip.line .. (skip.count > 1 and (" (%d times)"):format(skip.count) or ""), "  "))
  end
end

local function print_slowest(self)
  table.sort(self.tests, function(a, b)
    if a.duration_ns ~= b.duration_ns then
      return a.duration_ns > b.duration_ns
    end
    return a.name < b.name
  end)
  print_line(self, "\nSlowest:")
  for position = 1, math.min(SLOWEST_MOST, #self.tests) do
    local test = self.tests[position]
    local runs = test.runs > 1 and ("  (%d runs, the longest %s with seed %.0f)"):format(test.runs,
      seconds(test.longest_ns), test.seed) or ""
    print_line(self, ("  %9s  %s%s"):format(seconds(test.duration_ns), test.name, runs))
  end
end

--- All ended.
-- @tparam table sums {passed, failed, skipped}
-- @tparam integer duration_ns of the whole run
function Text:finish(sums, duration_ns)
  if sums.failed > 0 then
    print_failures(self)
  end
  if #self.skips > 0 and self.options.many then
    print_skips(self)
  end
  if #self.tests > SLOWEST_MOST and (self.options.many or duration_ns >= SLOW_LEAST_NS) then
    print_slowest(self)
  end
  local count = sums.passed + sums.failed + sums.skipped
  print_line(self, string.format("%d %s in %s", count, count == 1 and "test" or "tests", seconds(duration_ns)))
  self.options.write(string.format("%d passed, %d failed, %d skipped\n", sums.passed, sums.failed, sums.skipped))
end

return text
