--- Several jobs at a time, each a child process of its own: a command line, what it printed, and the
-- records that it left.
--
-- Standard output and error of a child go to one file, whoever writes there: Lua, C, a process that a test starts. The
-- records say how far it had come at each test's end, so that each test is given what was printed since the last one's.
--
-- `xargs -P` keeps the children going and prints a line when one ends; it is all the parent waits for. They are
-- started anew, and are no copies of this process (raft.workers): each has its own order of `pairs`, and closes its Lua
-- state at its end, where a leak checker looks.
-- @module raft.test.jobs

local files = require "raft.files"
local records = require "raft.test.records"

local jobs = {}

local OUTPUT_MOST = 65536 -- bytes that a test printed and that are kept
local SIGNALS_MOST = 64

-- What is in a file from one place to another (nil: the end): of more than is kept, the beginning and the end.
local function slice(path, from, to)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  to = math.min(to or math.huge, file:seek "end")
  local size, text = to - from, nil
  file:seek("set", from)
  if size > OUTPUT_MOST then
    local half = OUTPUT_MOST / 2
    local head = file:read(half) or ""
    file:seek("set", to - half)
    text = ("%s\n... (%.0f bytes left out)\n%s"):format(head, size - OUTPUT_MOST, file:read(half) or "")
  elseif size > 0 then
    text = file:read(size)
  end
  file:close()
  return text
end

-- How a child ended, from its status as the shell has it.
local function words_of(status)
  if status > 128 and status <= 128 + SIGNALS_MOST then
    return "was killed by signal " .. (status - 128)
  end
  return "ended with status " .. status
end

-- A child that ended otherwise than by finishing its tests: the test that was running has failed.
local function died(job, running, status)
  return {
    file = job.file, seed = running and running.seed or job.seed, duration_ns = 0, status = "failed",
    name = running and running.name or "(process)", message = "the process " .. words_of(status),
    died = running ~= nil,
  }
end

-- Tells what a job has done. status: how its process ended; nil: the user has ended it.
local function deliver(folder, number, job, status, sink)
  local output = folder .. "/" .. number .. ".output"
  local running, is_done, failed, told = nil, false, false, 0
  for line in (files.read(folder .. "/" .. number .. ".records") or ""):gmatch("[^\n]+") do
    local what, record = records.decode(line)
    if what == "begin" then
      running = record
    elseif what == "finish" then
      running = nil
      failed = failed or record.status == "failed"
      record.output = record.at and slice(output, told, record.at)
      told = record.at or told
      sink.record(record)
    elseif what == "done" then
      is_done = true
    end
  end
  if status and (not is_done or status > 1 or (status == 1 and not failed)) then
    local record = died(job, running, status)
    record.output = slice(output, told)
    sink.record(record)
  end
  if status then
    sink.job(job)
  end
  os.remove(output)
end

--- Whether a test died in a child that has ended: what it was running is told as begun and not as finished.
-- @tparam string path the records that the child left
-- @treturn boolean
function jobs.has_died(path)
  local running = false
  for line in (files.read(path) or ""):gmatch("[^\n]+") do
    running = records.decode(line) == "begin"
  end
  return running
end

-- Ends what still runs: in order within two seconds, then at once. A signal to this process alone reaches no child.
local ending = [[
kill %s 2>/dev/null
running=$(cat %s/*.pid 2>/dev/null)
kill $running 2>/dev/null
looks=0
while kill -0 $running 2>/dev/null && [ $looks -lt 20 ]; do
  looks=$((looks + 1))
  sleep 0.1
done
kill -9 $running 2>/dev/null
]]

--- Runs jobs.
-- @tparam table list jobs {file, seed, …}
-- @tparam integer at_once how many at a time
-- @tparam function command_line (job, records path, number) → what the shell runs
-- @tparam table sink `record(record)` for each test, with what it printed in `output` and `died` where it ended its
-- process; `job(job)` at each job's end
-- @tparam function take_interrupt raft.core's: whether the user has ended it
-- @treturn boolean false where not all jobs came to their end
function jobs.run(list, at_once, command_line, sink, take_interrupt)
  local folder = files.temporary_folder()
  local numbers = {}
  for number, job in ipairs(list) do
    local base = folder .. "/" .. number
    numbers[number] = number .. "\n"
    local text = ("echo $$ >%s.pid\n%s\n"):format(base, command_line(job, base .. ".records", number))
    assert(files.write(base .. ".sh", text))
  end
  assert(files.write(folder .. "/numbers", table.concat(numbers)))
  local script = 'sh "$0/$1.sh" >>"$0/$1.output" 2>&1 </dev/null; status=$?; rm -f "$0/$1.pid"; echo "$1 $status"'
  local shell = string.format("echo $$; exec xargs -P %d -n 1 sh -c '%s' '%s' <'%s/numbers'", at_once, script, folder,
    folder)
  local pipe = assert(io.popen(shell, "r"))
  local starter = tonumber(pipe:read "*l")
  local ended, has_ended = 0, {}
  local fine, problem = pcall(function()
    for line in pipe:lines() do
      local number, status = line:match("^(%d+) (%d+)$")
      if number then
        number = tonumber(number)
        ended, has_ended[number] = ended + 1, true
        deliver(folder, number, list[number], tonumber(status), sink)
      end
    end
  end)
  if (not fine or ended < #list) and starter then
    os.execute(ending:format(starter, folder))
    for number, job in ipairs(list) do
      if not has_ended[number] then
        deliver(folder, number, job, nil, sink)
      end
    end
  end
  pipe:close()
  os.execute("rm -rf '" .. folder .. "'")
  if not fine and not take_interrupt() then
    error(problem, 0)
  end
  return ended == #list
end

return jobs
