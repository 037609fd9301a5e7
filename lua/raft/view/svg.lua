--- `raftbench view --as svg`: a still picture of a stretch of one run, for a page or a paper.
--
-- It chooses the run and the stretch where none is named, and tells what it chose; raft.view.svg_drawing draws.
-- @module raft.view.svg

local choose = require "raft.view.choose"
local describe = require "raft.view.describe"
local drawing = require "raft.view.svg_drawing"
local runs = require "raft.view.runs"
local scene = require "raft.view.scene"

local svg = {}

local WIDTH = 860 -- what a README page has
local SECOND = 1.0 -- of a long trace, so much is shown
local BEFORE = { violation = 0.9, leader = 0.35, ending = 0.95 } -- how much of it is before the moment it is shown for
local DRAWN_MOST = 150 -- things; a stretch that nobody chose is made shorter until it has no more
local CROWDED = 1500 -- things in a stretch that was chosen: it is told that they cannot be told apart
local LATER = 1.0 -- seconds behind a stretch in which processes may still tell of it

-- ---- which run, and which stretch of it ---------------------------------------------------------------------

-- The first run that failed, else the first.
local function run_of(list)
  for position, run in ipairs(list) do
    if runs.verdict(run) == "FAILED" then
      return position
    end
  end
  return 1
end

-- The moment that tells most, and why.
local function moment_of(run)
  if run.violated then
    return run.violated, "the violation", BEFORE.violation
  elseif run.verdict == "failed" then
    return run.last, "the failure", BEFORE.ending
  elseif run.led then
    return run.led, "the first election", BEFORE.leader
  end
  return run.first, "the beginning", 0
end

-- Where nothing was chosen: a second around that moment.
local function telling_stretch(run, stretch, scale)
  local moment, why, before = moment_of(run)
  stretch.is_free, stretch.moment, stretch.reason = true, moment, why
  stretch.from, stretch.to = run.first, run.last
  if run.last - run.first > SECOND * scale then
    stretch.from = math.max(run.first, moment - before * SECOND * scale)
    stretch.to = math.min(run.last, stretch.from + SECOND * scale)
    stretch.why = why
  end
end

-- Makes a stretch shorter around its moment, until it has no more than the first so many of what its scene has.
local function shorten(stretch, found)
  local moment, parts = stretch.moment, {}
  local before, after = math.max(moment - stretch.from, 1), math.max(stretch.to - moment, 1)
  for _, time in ipairs(found:times()) do
    parts[#parts + 1] = time < moment and (moment - time) / before or (time - moment) / after
  end
  table.sort(parts)
  local part = math.min(1, parts[DRAWN_MOST] or 1)
  stretch.from, stretch.to = moment - before * part, moment + after * part
  stretch.why = stretch.reason
end

local function scene_of(events, place, stretch, scale)
  local found, position, run = scene.new(stretch), 0, nil
  for event in events() do
    if runs.begins(run, event) then
      run, position = true, position + 1
    end
    if position == place then
      found:take(event)
    end
    if position > place or position == place and event.time > stretch.to + LATER * scale then
      break
    end
  end
  return found:finish()
end

local function size_of(found)
  return #found:times()
end

-- ---- what the user is told ----------------------------------------------------------------------------------

local function seconds(time, scale)
  return (("%.3f"):format(time / scale):gsub("^%-(0%.000)$", "%1"))
end

local function tell_choice(tell, list, place, stretch, found, scale)
  if #list > 1 then
    tell(("there are %d runs in it; the picture shows one, %s (%s)"):format(#list, list[place].name,
      runs.verdict(list[place]):lower()))
  end
  if stretch.why then
    tell(("shown is from %s s to %s s, around %s; --from and --to choose another stretch"):format(
      seconds(stretch.from, scale), seconds(stretch.to, scale), stretch.why))
  end
  if size_of(found) > CROWDED then
    tell(("%d things are drawn, too many to tell apart: --from and --to choose a shorter stretch"):format(
      size_of(found)))
  end
end

-- ---- all ----------------------------------------------------------------------------------------------------

local function nodes_of(run, choice)
  local ids = {}
  for _, id in ipairs(run.nodes) do
    if choice:has_node(id) then
      ids[#ids + 1] = id
    end
  end
  return ids
end

local function head_of(run, stretch, choice, scale)
  local parts = {}
  if run.mode then
    parts[#parts + 1] = "mode " .. tostring(run.mode)
  end
  if run.seed then
    parts[#parts + 1] = "seed " .. (type(run.seed) == "number" and describe.whole(run.seed) or tostring(run.seed))
  end
  parts[#parts + 1] = ("%s s to %s s"):format(seconds(stretch.from, scale), seconds(stretch.to, scale))
  if choice.nodes or choice.kinds then
    parts[#parts + 1] = "a choice of " .. (choice.nodes and choice.kinds and "nodes and kinds" or choice.nodes
      and "nodes" or "kinds")
  end
  return table.concat(parts, ", ")
end

local function stretch_of(run, options, choice)
  local scale = options.scale or 1e9
  local stretch = { nodes = nodes_of(run, choice), all = options.all, choice = choice }
  if options.from or options.to then
    stretch.from = math.max(run.first, choice.from or run.first)
    stretch.to = math.min(run.last, choice.to or run.last)
  else
    telling_stretch(run, stretch, scale)
  end
  return stretch
end

--- Draws one run, or a stretch of it.
-- @tparam function events called again and again; each time it returns an iterator from the first event on
-- @tparam table options as raft.view.forms has them
-- @treturn integer how many events there are; 0: nothing was written
-- @treturn ?integer how many were asked for; nil: all; 0: nothing was written
function svg.render(events, options)
  local choice, scale, tell = choose.new(options), options.scale or 1e9, options.tell or function() end
  local name = (options.name or ""):match "[^/]+$" or "run" -- of a file without the folders
  local list = runs.scan(events(), name, choice)
  local total, shown = 0, 0
  for _, run in ipairs(list) do
    total, shown = total + run.events, shown + run.shown
  end
  if total == 0 or not choice.is_all and shown == 0 then
    return total, shown
  end
  local place = run_of(list)
  local stretch = stretch_of(list[place], options, choice)
  local found = scene_of(events, place, stretch, scale)
  if stretch.is_free and size_of(found) > DRAWN_MOST then
    shorten(stretch, found)
    found = scene_of(events, place, stretch, scale)
  end
  drawing.write(found, list[place], { width = WIDTH, scale = scale, write = options.write,
    head = head_of(list[place], stretch, choice, scale) })
  tell_choice(tell, list, place, stretch, found, scale)
  return total, choice.is_all and nil or shown
end

return svg
