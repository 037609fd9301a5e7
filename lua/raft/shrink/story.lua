--- Shrinking as a user sees it: a line that tells how far it is, then the property, the events that led to its failure,
-- the diagram, and a script that fails every time.
-- @module raft.shrink.story

local cause = require "raft.shrink.cause"
local causes = require "raft.shrink.causes"
local core = require "raft.core"
local failures = require "raft.failure"
local files = require "raft.files"
local plans = require "raft.shrink.plan"
local report = require "raft.report"
local shrink = require "raft.shrink"
local terminal = require "raft.view.terminal"
local trial = require "raft.shrink.trial"

local story = {}

local HANGS_S = 5 -- where that is the failure
local LINE_EVERY_S, PLAIN_LINE_EVERY_S = 0.1, 10 -- on a terminal, elsewhere
local JUMPS_MOST = 2
local WINDOWS_MOST = 3
local CERTAIN = 0.9
local ALIKE = 0.1 -- chances that differ less are told as one

-- ---- while it goes on ------------------------------------------------------------------------------------------

local function clock()
  return core.clock_ns() / 1e9
end

-- A line that is written over on a terminal; elsewhere one every ten seconds.
local function progress()
  local live, latest = terminal.is_terminal(2), clock()
  local every_s = live and LINE_EVERY_S or PLAIN_LINE_EVERY_S
  local function line(text, ...)
    if clock() - latest > every_s then
      latest = clock()
      io.stderr:write(live and "\r\27[K" or "", text:format(...), live and "" or "\n")
    end
  end
  local function tell(work)
    line("shrinking, replay %d, %s: %s", work.oracle.replays, work.pass, plans.words(work.plan))
  end
  return {
    told = tell, replayed = tell,
    told_scripted = function(faults, replays)
      line("shrinking the script's own faults, replay %d: %d", replays, faults)
    end,
    finish = function()
      io.stderr:write(live and "\r\27[K" or "")
    end,
  }
end

-- ---- the whole ---------------------------------------------------------------------------------------------------

local function say(text, ...)
  io.stdout:write(select("#", ...) > 0 and text:format(...) or text, "\n")
end

local meanings = {
  kept = "with the same inputs later", redrawn = "with later inputs at other times, to other nodes",
  both = "whatever inputs come later",
}

-- What comes of it where the message that an event began with is lost, once.
local function without_words(without)
  if not without then
    return ""
  elseif without.count == 0 then
    return ("; where that message is lost none of %d fails"):format(without.all)
  end
  return ("; where that message is lost %d of %d fail all the same"):format(without.count, without.all)
end

-- Those of both curves, the greatest of each first; one that is on both is told once.
local function jumps_of(result)
  local list, of_event = {}, {}
  for _, curve in ipairs { "kept", result.redrawn and "redrawn" } do
    for place = 1, math.min(JUMPS_MOST, #result[curve]) do
      local jump = result[curve][place]
      local known = of_event[jump.event.step]
      if known and math.abs(known.jump.before - jump.before) < ALIKE then
        known.meaning = meanings.both
      else
        of_event[jump.event.step] = { jump = jump, meaning = meanings[curve] }
        list[#list + 1] = of_event[jump.event.step]
      end
    end
  end
  return list
end

local function show_flat(result, curve)
  local first = result.moments[1][curve]
  if #result[curve] == 0 and first and first.chance >= CERTAIN then
    say("  %s: %.0f %% from the beginning", meanings[curve], first.chance * 100)
  elseif #result[curve] == 0 then
    say("  %s: at no single event", meanings[curve])
  end
end

-- A window in words: between which events a fault must come.
local function window_words(window)
  local words = "it fails with " .. plans.call_words(window.step.name, window.step, 1, window.step.count)
  if window.after then
    words = ("%s, only after %s (%.6f s)"):format(words, window.after.text, window.after.time)
  end
  if window.before then
    words = ("%s%s before %s (%.6f s)"):format(words, window.after and "," or ", only", window.before.text,
      window.before.time)
  end
  return words
end

-- Where the state of the node that failed came from, in words.
local function origin_words(origin)
  local parts, without = {}, origin.without
  for place, event in ipairs(origin.events) do
    parts[place] = ("%s (%.6f s)"):format(event.text, event.time)
  end
  return ("node %d goes on from %s: %s%s"):format(origin.node, origin.from, table.concat(parts, ", then "),
    without and ("; where that is lost on its way %s of %d fails as soon"):format(
      without.count == 0 and "none" or without.count, without.all) or "")
end

--- Prints at which events the failure became likely.
-- @tparam table found as shrink.run gives it
-- @tparam ?boolean with_curve
function story.show_cause(found, with_curve)
  local result = causes.of(found)
  say("\nWhen it became likely (%d runs that go on with other random numbers):", result.runs)
  if result.is_loosened then
    say("  (nodes and times below are those of the same run with its elections and delays left to chance)")
  end
  for _, one in ipairs(jumps_of(result)) do
    say("  %s\n    %s%s", cause.words(one.jump), one.meaning, without_words(one.jump.without))
  end
  show_flat(result, "kept")
  if result.redrawn then
    show_flat(result, "redrawn")
  end
  for place = 1, math.min(WINDOWS_MOST, #result.windows) do
    say("  %s", window_words(result.windows[place]))
  end
  if result.ending then
    say("  at last, in %d of %d branches that were watched failing, at: %s%s", result.ending.count, result.ending.all,
      result.ending.text, without_words(result.ending.without))
  end
  if result.origin then
    say("  %s", origin_words(result.origin))
  end
  if with_curve then
    local kept, redrawn = result.longer_ns.kept / 1e9, (result.longer_ns.redrawn or 0) / 1e9
    say("\nHow likely it was, event by event, at most %.3g s%s later than it failed:", kept,
      result.redrawn and (" (kept) and %.3g s (redrawn)"):format(redrawn) or "")
    for _, line in ipairs(cause.curve(result)) do
      say("  %s", line)
    end
  end
end

local function save(found, path, command)
  local fine, problem = files.write(path, found.script)
  if fine then
    say("written to %s: %s run %s", path, command or "raftbench", path)
  else
    report.problem("the script cannot be written: " .. problem)
  end
end

-- Where only the script itself fails so: with which of its faults.
local function show_scripted(found, path, command, with_curve)
  local result = found.scripted
  local effort = ("(%d replays, %.1f s)"):format(found.replays, found.seconds)
  if result.before == 0 then
    say("\nShrunk no further: the script itself fails so, and it makes no faults %s", effort)
  else
    say("\nShrunk: the script itself, which fails so %s", result.count > 0 and "with these of its faults alone"
      or "without any of its faults")
    say("  from %d fault%s to %d %s", result.before, result.before == 1 and "" or "s", result.count, effort)
  end
  say("  %s%s", failures.headline(found.text or found.failure.text), result.count > 0 and "\n" or "")
  for _, fault in ipairs(result.made) do
    say("  %9.6f s  %s", fault.at, fault.name)
  end
  if found.failure.property ~= "hang" then
    story.show_cause(found, with_curve)
  end
  if found.script then
    say("\n%s", found.script)
    save(found, path, command)
  end
end

local function show(found, path, command, with_curve)
  say "\nShrunk:"
  say("  %s", failures.headline(found.text or found.failure.text))
  say("  from %s\n  to   %s (%d replays, %.1f s)", plans.words(found.before), plans.words(found.plan), found.replays,
    found.seconds)
  say("  it fails so under %d of 20 other seeds of the network", found.sure)
  for _, other in ipairs(found.others) do
    say("  seen on the way: %s", failures.headline(other.failure.text))
  end
  say "\nWhat led to it:"
  for _, line in ipairs(found.events or {}) do
    say("  %s", line)
  end
  if not found.plan.events_most then
    story.show_cause(found, with_curve)
  end
  say("\n%s", found.diagram or "")
  say("%s", found.script)
  local again = trial.run(found.script, "sim", found.plan.events_most and HANGS_S)
  if #found.refused > 0 then
    say("The script does not stand alone: %s", table.concat(found.refused, "; "))
  elseif not trial.is_it(again, found) then
    say("The script does not fail in the same way%s", again and ": " .. failures.headline(again.text) or "")
  end
  save(found, path, command)
  if #found.refused == 0 and not found.plan.events_most then
    say("%s", trial.over_tcp(found))
  end
end

--- Shrinks a run that fails, and tells of it.
-- @tparam table given `run`: run() → what came of it, a failure as raft.failure has it, nil: none; `path`: where the
-- script goes; `command`: how this command is called; `is_scenario`; `is_hang`; `replays`, `seconds`; `curve`:
-- how likely the failure was, event by event; `again`: { file, seed, set }
-- @treturn ?table as shrink.run; nil where it could not be shrunk, which was told
function story.tell(given)
  local line = progress()
  local found, why = shrink.run {
    run = given.run, replays = given.replays, seconds = given.seconds, told = line.told, replayed = line.replayed,
    is_scenario = given.is_scenario, is_hang = given.is_hang, again = given.again, told_scripted = line.told_scripted,
  }
  line.finish()
  if not found then
    report.problem("this failure cannot be shrunk: " .. why)
    return nil
  end
  if found.scripted then
    show_scripted(found, given.path, given.command, given.curve)
  else
    show(found, given.path, given.command, given.curve)
  end
  return found
end

return story
