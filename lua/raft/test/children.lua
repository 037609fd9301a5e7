--- The command lines of child processes that run tests: those of jobs, and that of a test which has died, once more.
-- @module raft.test.children

local defaults = require "raft.defaults"
local files = require "raft.files"
local jobs = require "raft.test.jobs"
local order = require "raft.test.order"
local quote = require "raft.quote"

local children = {}

local AGAIN_S, AGAIN_BYTES_MOST = 60, 64 * 1024 * 1024 -- of a test that runs once more, and of a file that it writes
local BLOCK_BYTES = 512 -- that ulimit counts
local TIMED_OUT = 124 -- what timeout says

-- The words; the child's records go to records_path, its trace, where there is one, to trace.
local function words_of(arguments, job, records_path, trace)
  local words = {}
  for position, word in ipairs(arguments.restart) do
    words[position] = word
  end
  local function add(...)
    for _, word in ipairs { ... } do
      words[#words + 1] = word
    end
  end
  add("test", "--seed", string.format("%.0f", job.seed), "--seeds", string.format("%.0f", job.seeds))
  add("--records", records_path)
  if arguments.keep then
    add("--keep", arguments.keep)
  end
  for _, text in ipairs(arguments.set or {}) do
    add("--set", text)
  end
  if defaults.get("mode") then
    add("--mode", defaults.get("mode"))
  end
  if arguments.shuffle then
    add("--shuffle", string.format("%.0f", arguments.shuffle))
  end
  for _, pattern in ipairs(arguments.pattern or {}) do
    add("--pattern", pattern)
  end
  if trace then
    add("--trace", trace)
  end
  if arguments.trace_at_once then
    add "--trace-at-once"
  end
  add("--", job.file)
  return words
end

--- What runs a job, as raft.test.jobs takes it.
-- @tparam table arguments of `raftbench test`
-- @treturn function (job, path of its records, its number) → command line; a trace's name has the number behind it
function children.command_line(arguments)
  return function(job, records_path, number)
    local trace = arguments.trace and arguments.trace .. "." .. number
    return "exec " .. quote.command(words_of(arguments, job, records_path, trace))
  end
end

--- What runs a test that has died once more, by itself and for a minute at most.
-- @tparam table record of the test
-- @tparam table arguments of `raftbench test`
-- @treturn function (path): writes a trace of the run there → whether the test has died; nil: it had not ended
function children.again(record, arguments)
  return function(trace)
    local folder = files.temporary_folder()
    local alone = {
      restart = arguments.restart, set = arguments.set, pattern = { order.exactly(record.name) },
      keep = folder .. "/kept", trace_at_once = true,
    }
    local words = words_of(alone, { file = record.file, seed = record.seed, seeds = 1 }, folder .. "/records", trace)
    local outcome = os.execute(("(trap '' XFSZ; ulimit -f %d; timeout --foreground -k 2 %d %s; [ $? != %d ]) "
      .. "</dev/null >/dev/null 2>&1"):format(AGAIN_BYTES_MOST / BLOCK_BYTES, AGAIN_S, quote.command(words), TIMED_OUT))
    local died = nil
    if outcome == true or outcome == 0 then
      died = jobs.has_died(folder .. "/records")
    end
    os.execute("rm -rf " .. quote.word(folder))
    return died
  end
end

return children
