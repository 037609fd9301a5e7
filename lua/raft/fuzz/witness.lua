--- A second run of a seed in a fresh process: what it comes to must be the same, for a run depends on nothing but the
-- scenario, its settings and its seed.
--
-- Another process has other addresses, and in Lua 5.4 other orders of `pairs`: what depends on them shows.
-- @module raft.fuzz.witness

local core = require "raft.core"
local one = require "raft.fuzz.one"
local processes = require "raft.processes"
local quote = require "raft.quote"
local settings = require "raft.settings"

local witness = {}

local MARK = "\nraftbench witness: " -- before what it tells, among what scripts may print
local MARK_EVENTS = 1000
local TRIES = 4 -- to see again two runs that differ

local function request(given, trace)
  return { file = given.file, seed = given.seed, set = given.set, events_most = given.events_most, trace = trace,
    parent = core.process_id() }
end

--- What the second process does: runs it once and prints what came of it.
-- @tparam string json { file, seed, set, events_most, trace, parent }
-- @treturn integer the exit status
function witness.serve(json)
  local given = core.json_decode(json)
  core.end_with_parent(given.parent)
  given.settings = settings.parse_all(given.set or {})
  local outcome, problem = one.run(given)
  local failure = outcome and outcome.failure
  io.stdout:write(MARK, core.json_encode {
    problem = problem, hash = outcome and outcome.hash, marks = outcome and outcome.marks,
    failure = failure and { property = failure.property, key = failure.key, text = failure.text } or nil,
  }, "\n")
  io.stdout:flush()
  return 0
end

--- Runs a seed in a process of its own.
-- @tparam table given `file`: a path, `seed`, `set`: list of "NAME=VALUE", `events_most`
-- @tparam ?string trace where to write its trace
-- @treturn ?table { hash, marks, failure, problem }; nil and a message where it died or cannot be started
function witness.ask(given, trace)
  local words, problem = processes.words(("os.exit(require('raft.fuzz.witness').serve(%q), true)"):format(
    core.json_encode(request(given, trace))))
  if not words then
    return nil, problem
  end
  local pipe = assert(io.popen("exec " .. quote.command(words) .. " 2>&1 </dev/null", "r"))
  local text = pipe:read "*a"
  pipe:close()
  local _, to = text:find(MARK, 1, true)
  if not to then
    return nil, text
  end
  return core.json_decode(text:sub(to + 1):match "[^\n]*")
end

-- ---- where two runs part ------------------------------------------------------------------------

-- The number of the first line in which two files differ, and both lines.
local function first_difference(path, other_path)
  local file, other = assert(io.open(path)), assert(io.open(other_path))
  local number, line, other_line = 1, file:read "*l", other:read "*l"
  while line == other_line and line ~= nil do
    number, line, other_line = number + 1, file:read "*l", other:read "*l"
  end
  file:close()
  other:close()
  if line == other_line then
    return nil
  end
  return number, line, other_line
end

local function words_of(line)
  local event = line and core.json_decode(line)
  if not event then
    return "it has ended"
  end
  event.time = (event.time or 0) / 1e9
  return core.event_line(event)
end

-- Runs it in pairs of fresh processes until two part again.
local function see_again(given)
  local paths = { os.tmpname(), os.tmpname() }
  local number, line, other_line
  for _ = 1, TRIES do
    for _, path in ipairs(paths) do
      assert(io.open(path, "w")):close()
      witness.ask(given, path)
    end
    number, line, other_line = first_difference(paths[1], paths[2])
    if number then
      break
    end
  end
  os.remove(paths[1])
  os.remove(paths[2])
  return number, line, other_line
end

-- The first of two lists of marks that differs, as the events that it stands for.
local function first_mark(marks, other)
  local position = 1
  while marks:sub(position, position + 7) == other:sub(position, position + 7) and position <= #marks do
    position = position + 8
  end
  return (position - 1) / 8 * MARK_EVENTS
end

--- Says where two runs of one seed parted.
-- @tparam table given as for `ask`
-- @tparam string marks of the one
-- @tparam string other_marks of the other
-- @treturn string for people
function witness.explain(given, marks, other_marks)
  local from = first_mark(marks, other_marks)
  local text = ("two runs of the same seed differ: the first event that does is among events %d to %d"):format(from + 1,
    from + MARK_EVENTS)
  local number, line, other_line = see_again(given)
  if not number then
    return text .. ("\n(%d further pairs of runs were alike)"):format(TRIES)
  end
  local one_words, other_words = words_of(line), words_of(other_line)
  if one_words == other_words then
    one_words, other_words = line, other_line -- in what no sentence tells
  end
  return ("two runs of the same seed differ; done twice more, they do so from event %d on:\n  one:   %s\n"
    .. "  other: %s"):format(number, one_words, other_words)
end

return witness
