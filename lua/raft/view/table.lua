--- The timing diagram as text: for each run one table with a column for the time and one for each
-- node, its name, verdict and number of events, and the verdicts again at the end. Where so many columns
-- would be too narrow, one column names the node of each row instead.
--
-- It reads the events twice, in order, and keeps one row of them at a time.
-- @module raft.view.table

local choose = require "raft.view.choose"
local describe = require "raft.view.describe"
local display = require "raft.view.display"
local fold = require "raft.view.fold"
local grid = require "raft.view.grid"
local runs = require "raft.view.runs"

local table_view = {}

local HEADER_EVERY = 40
local COLUMN_LEAST = 9 -- nodes with narrower columns share one, below each other
local LISTED_WHAT = 3 -- the column of what happened, where nodes share one
local FOLD_LEAST = 8 -- fewer routine events wait for more before they get a row

-- The disk's work and the leader's bookkeeping: there with `all` only.
local quiet = { write = true, sync = true, match = true }
-- What no node did.
local across = { fault = true, note = true, violation = true, client = true }

local function seconds(time, scale)
  local micros = math.floor(time * (1e6 / scale) + 0.5) -- rounded, as seconds are in messages
  local whole = math.floor(micros / 1e6)
  return string.format("%.0f.%06.0f", whole, micros - whole * 1e6)
end

local Drawing = {}
Drawing.__index = Drawing

local function seed_words(seed)
  return type(seed) == "number" and describe.whole(seed) or display.clean(tostring(seed))
end

local function head_texts(run, drawing)
  local verdict = runs.verdict(run)
  local count = run.is_log and run.lines or run.events
  local counted = ("%d %s%s"):format(count, run.is_log and "line" or "event", count == 1 and "" or "s")
  local colour = verdict == "PASSED" and "passed" or verdict == "FAILED" and "failed" or nil
  local parts = {}
  if run.mode then
    parts[#parts + 1] = "mode " .. display.clean(tostring(run.mode))
  end
  if run.seed then
    parts[#parts + 1] = "seed " .. seed_words(run.seed)
  end
  parts[#parts + 1] = seconds(run.last - run.first, drawing.options.scale) .. " s"
  local texts = {
    { display.clean(run.name) .. ": " .. (runs.is_judged(run) and verdict .. ", " or "") .. counted, colour or "bold" },
    { table.concat(parts, ", ") },
  }
  local chosen = drawing.options.choice:words()
  if chosen then
    texts[#texts + 1] = { ("shown: %d of them, %s"):format(run.shown, chosen) }
  end
  if run.began then
    texts[#texts + 1] = { "time 0 is " .. display.clean(run.began) }
  end
  if not drawing.options.all and not run.is_log then
    texts[#texts + 1] = { "♥ heartbeats folded; writes, syncs and matches left out (--all shows each)", "dim" }
  end
  return texts
end

local function new_drawing(run, options)
  local drawing = setmetatable({ run = run, options = options, fold = fold.new(), roles = {}, columns = {} }, Drawing)
  local titles, longest = { "time" }, 4
  for _, id in ipairs(run.nodes) do
    if options.choice:has_node(id) then
      local name = display.clean(runs.node_name(run, id))
      titles[#titles + 1] = "node " .. name
      drawing.columns[id] = #titles
      longest = math.max(longest, display.width(name))
    end
  end
  local count = #titles - 1
  local fixed = { math.max(8, #seconds(run.last, options.scale)) }
  drawing.listed = count == 0 or grid.share(options.width, fixed, count) < COLUMN_LEAST
  if drawing.listed then
    titles, fixed[2] = { "time", "node", "what" }, longest
  end
  drawing.grid = grid.new {
    write = options.write, width = options.width, colour = options.colour, header_every = options.header_every,
    fixed = fixed, titles = titles, wide = drawing.listed,
  }
  drawing.grid:top(head_texts(run, drawing))
  return drawing
end

-- A row: `time` as a cell, and for each node its cell. `order`: the nodes, in the order of their events.
function Drawing:draw_row(time, cells, order)
  if self.listed then
    for _, id in ipairs(order) do
      self.grid:row { { time }, { { display.clean(runs.node_name(self.run, id)) } }, cells[id] }
    end
    return
  end
  local row = { { time } }
  for id, parts in pairs(cells) do
    row[self.columns[id]] = parts
  end
  self.grid:row(row)
end

function Drawing:flush_row()
  local row = self.row
  if not row then
    return
  end
  self.row = nil
  local cells = {}
  for id, phrases in pairs(row.cells) do
    local parts = {}
    local width = self.grid.widths[self.listed and LISTED_WHAT or self.columns[id]]
    for position, phrase in ipairs(phrases) do
      parts[position] = { describe.fit(phrase, width), self.roles[id] }
    end
    cells[id] = parts
  end
  self:draw_row({ seconds(row.time, self.options.scale) }, cells, row.order)
end

function Drawing:flush_fold(least)
  if self.fold.count < least then
    return
  end
  local texts, last = self.fold:flush()
  local cells, order = {}, {}
  for _, id in ipairs(self.run.nodes) do
    if texts[id] then
      cells[id] = { { texts[id], "dim" } }
      order[#order + 1] = id
    end
  end
  local is_late = self.latest and last and last < self.latest -- a few, that no row before has told
  if #order > 0 then
    self:draw_row({ is_late and "" or seconds(last, self.options.scale), "dim" }, cells, order)
  end
end

function Drawing:note_role(event)
  if event.kind == "role" then
    self.roles[event.node] = event.role
  elseif event.kind == "log" then
    self.roles[event.node] = event.role or self.roles[event.node]
  elseif event.kind == "stop" then
    self.roles[event.node] = "down"
  elseif event.kind == "start" then
    self.roles[event.node] = nil
  end
end

-- Events of one instant share a row, each node's in the order of the trace.
function Drawing:add_to_row(event)
  local row = self.row
  if row and (row.time ~= event.time or (row.cells[event.node] and row.latest ~= event.node)) then
    self:flush_row()
    row = nil
  end
  if not row then
    self:flush_fold(FOLD_LEAST)
    row = { time = event.time, cells = {}, order = {} }
    self.row = row
  end
  if not row.cells[event.node] then
    row.cells[event.node] = {}
    row.order[#row.order + 1] = event.node
  end
  row.latest = event.node
  describe.add(row.cells[event.node], describe.phrase(event))
  self:note_role(event)
end

-- Whether an event is not drawn as one: it was not asked for, or is counted with its like.
function Drawing:leaves_out(event)
  local options = self.options
  if event.kind == "run" or event.kind == "verdict" then
    return true
  elseif not options.choice:takes(event) then
    self.fold:pass(event)
    self:note_role(event)
    return true
  elseif options.all then
    return false
  end
  return quiet[event.kind] and not options.choice:names_kind(event.kind) or self.fold:take(event)
end

function Drawing:take(event)
  if self:leaves_out(event) then
    return
  end
  self.latest = event.time
  if across[event.kind] or not self.columns[event.node] then
    self:flush_row()
    self:flush_fold(FOLD_LEAST)
    local colour = event.kind == "violation" and "failed" or event.kind == "fault" and "bold" or nil
    self.grid:across(seconds(event.time, self.options.scale), describe.banner(event), colour)
  else
    self:add_to_row(event)
  end
end

function Drawing:finish()
  self:flush_row()
  self:flush_fold(1)
  local verdict, run = runs.verdict(self.run), self.run
  if not runs.is_judged(run) then
    self.grid:bottom("end of " .. display.clean(run.name))
    return
  end
  local text = verdict .. " " .. display.clean(run.name)
  if run.message then
    text = text .. ": " .. display.clean(run.message)
  elseif verdict == "NO VERDICT" then
    text = text .. ": the trace ends before its run did"
  end
  self.grid:bottom(text, verdict == "PASSED" and "passed" or "failed")
end

local function closing(list, options)
  local function write_line(text, indent)
    for _, line in ipairs(display.wrap(text, options.width - #indent)) do
      options.write(indent .. line .. "\n")
    end
  end
  local passed, failed, open, names, count = 0, 0, 0, {}, 0
  for _, run in ipairs(list) do
    local verdict = runs.verdict(run)
    local is_judged = runs.is_judged(run)
    count = count + (is_judged and 1 or 0)
    if verdict == "PASSED" then
      passed = passed + 1
    elseif is_judged then
      failed = failed + (verdict == "FAILED" and 1 or 0)
      open = open + (verdict == "NO VERDICT" and 1 or 0)
      names[#names + 1] = display.clean(run.name) .. (verdict == "FAILED" and "" or " (no verdict)")
    end
  end
  if count == 0 then
    return
  end
  local sums = string.format("%d %s: %d passed, %d failed", count, count == 1 and "run" or "runs", passed, failed)
  write_line(sums .. (open > 0 and string.format(", %d without a verdict", open) or ""), "")
  for _, name in ipairs(names) do
    write_line(name, "  ")
  end
end

--- Draws all runs of a trace.
-- @tparam function events called twice; each time it returns an iterator from the first event on.
-- An event is a table as a trace's JSON line holds it
-- @tparam table options `write` function(text); `width` columns; `colour` boolean; `all` boolean: fold and
-- leave out nothing; `scale` units of `time` in a second (1e9; 1 for what `c:events` returns);
-- `header_every` lines (40); `name` of a run that has none; `is_part` boolean: no sums of passed and failed runs below;
-- `from`, `to`, `nodes`, `kinds` of what is shown, as raft.view.choose takes them
-- @treturn integer how many events there were; 0: nothing was written
-- @treturn ?integer how many of them were asked for; nil: all
function table_view.render(events, options)
  local settings = {
    write = options.write, width = options.width or 80, colour = options.colour, all = options.all,
    scale = options.scale or 1e9, header_every = options.header_every or HEADER_EVERY, choice = choose.new(options),
  }
  local list = runs.scan(events(), options.name ~= "" and options.name or "run", settings.choice)
  local total, position, drawing = 0, 0, nil
  for event in events() do
    if runs.begins(drawing, event) then
      if drawing then
        drawing:finish()
        settings.write("\n")
      end
      position = position + 1
      drawing = new_drawing(list[position], settings)
    end
    total = total + 1
    drawing:take(event)
  end
  if drawing then
    drawing:finish()
    if not options.is_part then
      closing(list, settings)
    end
  end
  return total, settings.choice:total()
end

return table_view
