--- Runs one spec file under one seed, in this process, with LuaUnit, and tells a sink of each test.
--
-- Durations are those of a monotonic clock, the exit code is the caller's. Clusters that a test left
-- open are shut down after it. It prints nothing, and no test ends the process by os.exit.
-- @module raft.test.runner

local defaults = require "raft.defaults"
local exits = require "raft.test.exits"
local open = require "raft.open"
local order = require "raft.test.order"
local protect = require "raft.test.protect"
local report = require "raft.report"
local scenario = require "raft.scenario"
local spec = require "raft.test.spec"

local runner = {}

-- LuaUnit's reporter: an object that it calls. What it learns becomes records for the sink.
local Reporter = {}
Reporter.__index = Reporter

function Reporter.startSuite() end
function Reporter.startClass() end
function Reporter.endClass() end
function Reporter.endSuite() end
function Reporter.updateStatus() end

function Reporter:startTest(name)
  self.name = name
  defaults.set("name", name)
  math.randomseed(self.options.seed)
  local record = { file = self.options.file, name = name, seed = self.options.seed }
  local replay = self.options.replay(record)
  defaults.set("replay", replay)
  self.options.set_replay(replay)
  self.sink.begin(record)
  if self.options.kept then
    self.options.kept.begin()
  end
  self.started_ns = self.options.clock_ns()
end

local function message_of(node)
  local text = node.msg
  if type(text) ~= "string" then
    text = report.words(text)
  end
  return text
end

-- What became of it; its clusters are closed here.
local function judge(self, node, duration_ns)
  local failed = node:isFailure() or node:isError()
  local leftover = open.close_all(failed and message_of(node) or nil)
  local record = {
    file = self.options.file, name = self.name, seed = self.options.seed, duration_ns = duration_ns,
    status = failed and "failed" or node:isSkipped() and "skipped" or "passed",
  }
  if not node:isSuccess() then
    local message, trace = report.split_trace(message_of(node))
    record.message = report.without_replay(message, self.options.replay(record))
    record.trace = failed and report.user_trace((trace or "") .. "\n" .. (node.stackTrace or ""), message) or nil
  end
  if leftover and not failed then
    record.status, record.message = "failed", "shutting its cluster down: " .. leftover
  end
  return record
end

function Reporter:endTest(node)
  local record = judge(self, node, self.options.clock_ns() - self.started_ns)
  local kept = self.options.kept
  if kept and record.status == "failed" then
    kept:keep(record)
  end
  if kept then
    kept.finish()
  end
  defaults.set("name", nil)
  defaults.set("replay", nil)
  self.sink.finish(record)
  if record.status == "failed" then
    collectgarbage()
  end
end

-- The file's tests, one a line of the list, chosen and ordered.
local function choose(luaunit, list, options)
  local chosen = {}
  for _, item in ipairs(luaunit.LuaUnit.expandClasses(list)) do
    if order.matches(item[1], options.patterns) then
      chosen[#chosen + 1] = item
    end
  end
  return options.shuffle and order.shuffle(chosen, options.shuffle) or chosen
end

local function failed_to_load(outcome, options, sink)
  local name = spec.class_name(options.file) .. ".(loading)"
  sink.begin { file = options.file, name = name, seed = options.seed }
  sink.finish {
    file = options.file, name = name, seed = options.seed, duration_ns = 0, status = "failed", message = outcome.text,
    loading = true,
  }
end

local function load_tests(luaunit, options)
  local chunk, problem = loadfile(options.file)
  if not chunk then
    return { fine = false, text = problem }
  end
  local before = spec.global_names()
  local outcome = exits.while_loading(luaunit, function() return report.protect(chunk, options.file) end)
  local list = spec.collect(outcome.value, before, options.file)
  if outcome.fine and #list == 0 then
    return { fine = false, text = options.file .. ": there is no test in it (a table of tests, or global Test*)"
      .. (scenario.is(outcome.value) and "; it is a scenario: raftbench run or fuzz runs it" or "") }
  end
  outcome.list = list
  return outcome
end

--- Runs one file.
-- @tparam table options `file`, `seed`, `patterns` (list or nil), `shuffle` (seed or nil), `clock_ns`, `replay`
-- function(record) → command line, `set_replay` function(text) and `take_interrupt` function(): raft.core's; `kept`
-- (raft.test.kept): to keep what happened in tests that fail
-- @tparam table sink `begin(record)` and `finish(record)`: {file, name, seed, status = "passed" |
-- "failed" | "skipped", duration_ns, message, trace, events, page}
-- @treturn boolean false where the user interrupted it
function runner.run_file(options, sink)
  local luaunit = require "luaunit" -- reseeds math.random: each test seeds it again
  defaults.set("seed", options.seed)
  math.randomseed(options.seed)
  local reporter = setmetatable({ options = options, sink = sink }, Reporter)
  local outcome = load_tests(luaunit, options)
  if options.take_interrupt() then
    return false
  elseif not outcome.fine then
    failed_to_load(outcome, options, sink)
    return true
  end
  local unit = luaunit.LuaUnit.new()
  unit.outputType = { new = function() return reporter end }
  unit.setOutputType = function() end -- LUAUNIT_OUTPUT is not for us
  unit.protectedCall = function(_, instance, method, name)
    return protect.call(luaunit, instance, method, name)
  end
  local tests = choose(luaunit, outcome.list, options)
  if #tests == 0 then
    return true
  end
  -- An argument, because without one LuaUnit reads the command line.
  local fine, problem = exits.while_running(function() unit:runSuiteByInstances(tests, "--quiet") end)
  -- Before anything that is not ours runs again, such as LuaUnit: an interrupt ends it until it is taken.
  local interrupted = options.take_interrupt()
  unit:unregisterSuite()
  if interrupted then
    open.close_all("interrupted")
  elseif not fine then
    error(problem, 0)
  end
  return not interrupted
end

return runner
