--- Several jobs at a time, each a child process of its own: a command line, what it printed, and the
-- records that it left.
--
-- `xargs -P` keeps the children going and prints a line when one ends; it is all the parent waits for. They are
-- started anew, and are no copies of this process (raft.workers): each has its own order of `pairs`, and closes its Lua
-- state at its end, where a leak checker looks.
-- @module raft.test.jobs

local records = require "raft.test.records"

local jobs = {}

local function temporary_folder()
  local pipe = io.popen("mktemp -d", "r")
  local folder = pipe and pipe:read("*l")
  if pipe then
    pipe:close()
  end
  if not folder or folder == "" then
    error("mktemp cannot make a temporary folder", 0)
  end
  return folder
end

local function write_file(path, text)
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  assert(file:close())
end

local function read_file(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a") or ""
  if file then
    file:close()
  end
  return text
end

-- A child that ended otherwise than by finishing its tests: the test that was running has failed.
local function died(job, running, status)
  local how = status > 128 and "was killed by signal " .. (status - 128) or "ended with status " .. status
  return {
    file = job.file, seed = running and running.seed or job.seed, duration_ns = 0, status = "failed",
    name = running and running.name or "(process)", message = "the process " .. how,
  }
end

local function deliver(folder, number, job, status, sink)
  local running, failed = nil, false
  for line in read_file(folder .. "/" .. number .. ".records"):gmatch("[^\n]+") do
    local what, record = records.decode(line)
    if what == "begin" then
      running = record
    elseif what == "finish" then
      running = nil
      failed = failed or record.status == "failed"
      sink.record(record)
    end
  end
  if running or status > 1 or (status == 1 and not failed) then
    failed = true
    sink.record(died(job, running, status))
  end
  sink.job(job, failed and read_file(folder .. "/" .. number .. ".output") or nil)
end

--- Runs jobs.
-- @tparam table list jobs {file, seed, …}
-- @tparam integer at_once how many at a time
-- @tparam function command_line (job, records path, number) → what the shell runs
-- @tparam table sink `record(record)` for each test, `job(job, output or nil)` at each job's end
-- @treturn boolean false where not all jobs came to their end
function jobs.run(list, at_once, command_line, sink)
  local folder = temporary_folder()
  for number, job in ipairs(list) do
    local base = folder .. "/" .. number
    write_file(base .. ".sh", command_line(job, base .. ".records", number) .. "\n")
  end
  local script = 'sh "$0/$1.sh" >"$0/$1.output" 2>&1 </dev/null; echo "$1 $?"'
  local shell = string.format("seq 1 %d | xargs -P %d -n 1 sh -c '%s' '%s'", #list, at_once, script, folder)
  local pipe = assert(io.popen(shell, "r"))
  local ended = 0
  local fine, problem = pcall(function()
    for line in pipe:lines() do
      local number, status = line:match("^(%d+) (%d+)$")
      if number then
        ended = ended + 1
        deliver(folder, number, list[tonumber(number)], tonumber(status), sink)
      end
    end
  end)
  pipe:close()
  os.execute("rm -rf '" .. folder .. "'")
  if not fine then
    error(problem, 0)
  end
  return ended == #list
end

return jobs
