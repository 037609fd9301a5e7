--- The lines of `go test -v` around a log: which tests there are, and how each ended.
-- @module raft.view.go_test

local go_test = {}

local MESSAGES_MOST = 3 -- of a test that failed
local PASSED_OVER = { "^=== %u+", "^PASS$", "^FAIL$", "^ok%s+%S", "^FAIL%s+%S+%s", "^%?%s+%S", "^exit status %d+$",
  "^coverage: " }

local Tests = {}
Tests.__index = Tests

--- A fresh reader.
-- @treturn table with `take`, and `runs`: list of {name, result = "PASS", "FAIL", "SKIP" or nil, message}
function go_test.new()
  return setmetatable({ runs = {}, of_name = {}, now = nil }, Tests)
end

local function begin(self, name)
  local run = { name = name }
  self.runs[#self.runs + 1] = run
  self.of_name[name], self.now = run, run
  return "run", #self.runs
end

-- What a test says of itself: its own file and line, and why.
local function add_message(run, text)
  run.messages = run.messages or {}
  if #run.messages < MESSAGES_MOST then
    run.messages[#run.messages + 1] = text
  end
  if run.result == "FAIL" then
    run.message = table.concat(run.messages, "; ")
  end
end

local function finish(self, result, name)
  local run = self.of_name[name]
  if run then
    run.result, self.now = result, run
    if result == "FAIL" and run.messages then
      run.message = table.concat(run.messages, "; ")
    elseif result == "SKIP" then
      run.message = "skipped"
    end
  end
  return "verdict"
end

--- Takes a line.
-- @tparam string line
-- @treturn ?string "run" where a test begins, "verdict" where one ends, "other" for what else is no line of a log; nil:
-- it is not of `go test`
-- @treturn ?integer of a run its place
function Tests:take(line)
  if line:find "^%d" then -- a log's own
    return nil
  end
  local name = line:match "^=== RUN%s+(%S.-)%s*$"
  if name then
    return begin(self, name)
  end
  local result, of = line:match "^%s*%-%-%- (%u+): (%S+)"
  if result == "PASS" or result == "FAIL" or result == "SKIP" then
    return finish(self, result, of)
  end
  local text = line:match "^%s+([%w_.-]+%.go:%d+: .*)$"
  if text and self.now then
    add_message(self.now, text)
    return "other"
  end
  for _, pattern in ipairs(self.now and PASSED_OVER or {}) do
    if line:find(pattern) then
      return "other"
    end
  end
  return nil
end

return go_test
