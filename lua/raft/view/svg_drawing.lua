--- The drawing of a scene as SVG: time from left to right, a lane for each node, messages as arrows between lanes, what
-- was done to the cluster above them, the time below, and what the signs mean.
--
-- Labels are drawn where nothing else is and left out where there is no room. It decides nothing of what is shown.
-- @module raft.view.svg_drawing

local display = require "raft.view.display"
local describe = require "raft.view.describe"
local legend = require "raft.view.svg_legend"
local paper = require "raft.view.svg_paper"
local places = require "raft.view.places"
local ruler = require "raft.view.ruler"
local runs = require "raft.view.runs"
local style = require "raft.view.svg_style"

local drawing = {}

local LEFT, RIGHT = 66, 22 -- margins, in which the lanes' names and the ends of labels are
local LINE = 13
local BAR = 17 -- the height of a lane's bar
local PITCH = 84 -- from lane to lane
local ROWS_MOST = 5 -- of what was done
local TICK_EVERY = 86
local WORDS_WIDEST = 300 -- of a mark

local Drawing = setmetatable({}, paper.Paper)
Drawing.__index = Drawing

local escape, number, width_of, cut = paper.escape, paper.number, paper.width, paper.cut

-- ---- what was done: rows above the lanes --------------------------------------------------------------------

local function deeds_of(scene)
  local list = {}
  for _, mark in ipairs(scene.marks) do
    if mark.kind == "violation" then
      list[#list + 1] = { from = mark.time, first = true, class = "bad strong",
        text = "‼ " .. tostring(mark.event.text) }
    elseif mark.kind == "note" then
      list[#list + 1] = { from = mark.time, text = mark.text, class = "dim" }
    end
  end
  for _, fault in ipairs(scene.faults) do
    list[#list + 1] = { from = fault.from, to = fault.to, began = fault.began, text = fault.text, class = "text" }
  end
  table.sort(list, function(a, b)
    if a.first ~= b.first then
      return a.first == true
    elseif a.from ~= b.from then
      return a.from < b.from
    end
    return a.text < b.text
  end)
  return list
end

-- The row and place of each; those for which there is no room have none.
local function place_deeds(self, list)
  local rows, free = 0, places.new(4, self.width - 4)
  for _, deed in ipairs(list) do
    deed.text = cut(deed.text, 330)
    local x, wide = self.ruler:x(deed.from), width_of(deed.text) + 12
    local last = deed.to and self.ruler:x(deed.to) or x
    local boxes = {}
    for row = 1, ROWS_MOST do
      local top = (row - 1) * 16
      boxes[#boxes + 1] = { x - 3, top, math.max(x + wide, last + 2), top + 14 }
      boxes[#boxes + 1] = { x - wide, top, math.max(x + 3, last + 2), top + 14 }
    end
    local taken = free:try(boxes)
    if taken then
      deed.row, deed.turned = math.floor((taken + 1) / 2), taken % 2 == 0
      rows = math.max(rows, deed.row)
    end
  end
  return rows
end

local function draw_deeds(self, list, top)
  local unnamed = 0
  for _, deed in ipairs(list) do
    local x = self.ruler:x(deed.from)
    if deed.row then
      local y = top + (deed.row - 1) * 16
      if deed.to and deed.to > deed.from then
        self:add('<path class="axis" d="M%s %sH%s" stroke-width="1.5" fill="none"/>', number(x), number(y + 13),
          number(self.ruler:x(deed.to)))
      end
      self:add('<path class="%s" d="M%s %sV%s" stroke-width="1"%s/>', deed.first and "lost violation" or "line",
        number(x), number(y + 3), number(self.bottom), deed.first and "" or ' stroke-dasharray="2 3"')
      self:text(deed.turned and x - 4 or x + 4, y + 10, deed.class .. " halo", deed.text, deed.turned and "end" or nil)
      self:add('<path class="fault" d="M%s %sh7l-3.5 5z"/>', number(x - 3.5), number(y + 1))
    else
      unnamed = unnamed + 1
    end
  end
  return unnamed
end

-- ---- lanes --------------------------------------------------------------------------------------------------

local letters = { leader = "L", follower = "F", candidate = "C", pre_candidate = "P", learner = "N" }
local names = { pre_candidate = "pre-candidate" }
local patterned = { candidate = true, pre_candidate = true }

local function down_words(why)
  return why == "crash" and "crashed" or why == "shutdown" and "shut down" or why == "removed" and "removed"
    or (why or "") == "" and "down" or "stopped: " .. why
end

-- What stands in a piece's bar: the longest that has room.
local function piece_words(piece, room)
  local forms
  if not piece.up then
    forms = { down_words(piece.why), "down", "×" }
  elseif not piece.role then
    forms = { "?" }
  else
    local term = piece.term and " t" .. describe.whole(piece.term) or "" -- a log may not tell it
    local paused = piece.paused and " paused" or ""
    local name, letter = names[piece.role] or piece.role, letters[piece.role] or "?"
    forms = { name .. term .. paused, letter .. term .. paused, letter .. term, letter }
  end
  for _, form in ipairs(forms) do
    if width_of(form) + 5 <= room then
      return form
    end
  end
  return nil
end

local function draw_piece(self, piece, y)
  local x, last = self.ruler:x(piece.from), self.ruler:x(piece.to)
  local role = piece.up and (letters[piece.role] and piece.role or "unknown") or "down"
  local box = ('x="%s" y="%s" width="%s" height="%d"'):format(number(x), number(y - BAR / 2), number(last - x), BAR)
  self:add('<rect class="bar %s" %s/>', role, box)
  if patterned[role] then
    self:add('<rect fill="url(#rb-%s)" %s opacity=".55"/>', role, box)
  end
  if piece.up and piece.paused then
    self:add('<rect fill="url(#rb-pause)" %s/>', box)
  end
  local words = piece_words(piece, last - x)
  if words then
    local class = role == "leader" and "on-leader strong" or role == "down" and "bad" or "text"
    self:text(x + 4, y + 3.5, class .. ((patterned[role] or piece.paused) and " halo" or ""), words)
  end
  self.used[role] = true
  self.used.pause = self.used.pause or piece.paused
end

local function draw_cut(self, pieces, y)
  local since, last, why
  local function flush()
    if since and last > since then
      local x, ending, half = self.ruler:x(since), self.ruler:x(last), PITCH / 2 - 8
      self:add('<rect class="cut" x="%s" y="%s" width="%s" height="%s"/>', number(x), number(y - half),
        number(ending - x), number(2 * half))
      self:add('<path class="cut-edge" d="M%s %sV%sM%s %sV%s" fill="none" stroke-dasharray="3 2"/>', number(x),
        number(y - half), number(y + half), number(ending), number(y - half), number(y + half))
      local words = why == "partition" and "in the minority" or "disconnected"
      local box = { x + 3, y + half - 12, x + 5 + width_of(words), y + half }
      if box[3] < ending and self.places:try { box } then
        self:text(x + 4, y + half - 3, "bad", words)
      end
      self.used.cut = true
    end
    since = nil
  end
  for _, piece in ipairs(pieces) do
    if piece.cut and since and why == piece.cut and last == piece.from then
      last = piece.to
    else
      flush()
      if piece.cut then
        since, last, why = piece.from, piece.to, piece.cut
      end
    end
  end
  flush()
end

-- Pieces that differ only in being cut off are one bar.
local function bars_of(pieces)
  local bars = {}
  for _, piece in ipairs(pieces) do
    local last = bars[#bars]
    if last and last.to == piece.from and last.up == piece.up and last.role == piece.role and last.term == piece.term
      and last.paused == piece.paused and last.why == piece.why then
      last.to = piece.to
    else
      bars[#bars + 1] = { from = piece.from, to = piece.to, up = piece.up, role = piece.role, term = piece.term,
        paused = piece.paused, why = piece.why }
    end
  end
  return bars
end

local function draw_ground(self, scene, run)
  for _, id in ipairs(scene.ids) do
    draw_cut(self, scene.nodes[id].pieces, self.lanes[id])
  end
  for _, id in ipairs(scene.ids) do
    local y = self.lanes[id]
    self:text(8, y + 3.5, "text strong", cut("node " .. runs.node_name(run, id), LEFT - 10))
    self:add('<path class="line" d="M%s %sH%s" fill="none"/>', number(LEFT), number(y), number(self.width - RIGHT))
  end
end

local function draw_lanes(self, scene)
  for _, id in ipairs(scene.ids) do
    for _, piece in ipairs(bars_of(scene.nodes[id].pieces)) do
      draw_piece(self, piece, self.lanes[id])
    end
  end
end

-- ---- messages -----------------------------------------------------------------------------------------------

local function class_of(message)
  local name = message.event.message or ""
  if name:find "vote" then
    return "vote"
  elseif name == "append" and (message.event.entries or 0) == 0 then
    return "heartbeat"
  elseif name:find "^append" then
    return "append"
  end
  return "other"
end

-- From bar to bar.
local function ends_of(self, message, came)
  local from, to = self.lanes[message.from], self.lanes[message.to]
  local half = from < to and BAR / 2 or -BAR / 2
  return self.ruler:x(message.sent_at), from + half, self.ruler:x(came), to - half
end

local function label_of(message)
  local text = describe.text(describe.phrase(message.event, true), true):gsub("^→ [%w,.]+ ", "")
  local name = message.event.message or ""
  if name == "append_response" and not message.event.reject or name == "append" and (message.event.entries or 0) == 0
    or name:find "^read" then
    return nil
  end
  return (text:gsub("^append (%d[%d.]*) t%d+$", "append %1"))
end

-- A label beside a line, where there is room.
local function label_line(self, label, x1, y1, x2, y2, class)
  local wide, boxes, spots = width_of(label), {}, {}
  for _, part in ipairs { 0.3, 0.45, 0.6, 0.75, 0.2 } do
    local x, y = x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
    for _, side in ipairs { 4, -4 - wide } do
      boxes[#boxes + 1] = { x + side - 2, y - 6, x + side + wide + 2, y + 6 }
      spots[#spots + 1] = { x + side, y + 3.5 }
    end
  end
  local taken = self.places:try(boxes)
  if taken then
    self.labels[#self.labels + 1] = { spots[taken][1], spots[taken][2], class, label }
  end
end

local function draw_arrow(self, message, came, class)
  local x1, y1, x2, y2 = ends_of(self, message, came)
  self:add('<path class="arrow %s%s" d="M%s %sL%s %s" marker-end="url(#rb-%s)"/>', class,
    (message.event.message or ""):find "_response$" and " answer" or "", number(x1), number(y1), number(x2), number(y2),
    class)
  return x1, y1, x2, y2
end

-- A lost one ends in a cross before the lane that it was to reach.
local function draw_lost(self, message)
  local x1, y1, x2, y2 = ends_of(self, message, math.max(message.lost_at, message.sent_at))
  local lanes = math.abs(self.lanes[message.from] - self.lanes[message.to]) / PITCH
  local x, y = math.max(x2, x1 + 6 + 4 * lanes), y2 + (y1 < y2 and -1 or 1) * (PITCH - BAR) * 0.42
  x = math.min(x, self.width - RIGHT)
  self:add('<path class="lost" d="M%s %sL%s %s"/>', number(x1), number(y1), number(x), number(y))
  self:add('<path class="lost" d="M%s %sl7 7m0 -7l-7 7" stroke-width="2"/>', number(x - 3.5), number(y - 3.5))
  self.places:take { x - 4, y - 4, x + 4, y + 4 }
  self.used.lost = true
  return x1, y1, x, y
end

-- Equal messages to several nodes have one label.
local function label_key(message, label)
  return ("%s %s %s"):format(message.from, message.sent_at, label)
end

local function draw_messages(self, scene)
  local labelled = {}
  for _, message in ipairs(scene.messages) do
    local class, x1, y1, x2, y2 = class_of(message), nil, nil, nil, nil
    for _, came in ipairs(message.came) do
      if came <= scene.to then
        x1, y1, x2, y2 = draw_arrow(self, message, came, class)
        self.used[class] = true
        self.used.answer = self.used.answer or (message.event.message or ""):find "_response$" ~= nil
      end
    end
    if message.lost and message.lost_at <= scene.to then
      x1, y1, x2, y2 = draw_lost(self, message)
    end
    local label = x1 and label_of(message)
    if label and not labelled[label_key(message, label)] then
      labelled[label_key(message, label)] = true
      self.wanted[#self.wanted + 1] = { label, x1, y1, x2, y2, message.lost and "bad halo" or "dim halo" }
    end
  end
end

-- ---- marks --------------------------------------------------------------------------------------------------

local function draw_commit(self, mark, x, y)
  self:add('<path class="commit" d="M%s %sl4 4l-4 4l-4 -4z"/>', number(x), number(y + BAR / 2 - 4))
  self.used.commit = true
  return describe.whole(mark.event.index or 0)
end

local function draw_other(self, mark, x, y)
  self:add('<rect class="commit" x="%s" y="%s" width="5" height="5"/>', number(x - 2.5), number(y + BAR / 2 - 2.5))
  return cut(mark.brief, WORDS_WIDEST)
end

-- Marks under the bars; their words where there is room.
local function draw_marks(self, scene)
  for _, mark in ipairs(scene.marks) do
    local y = self.lanes[mark.node]
    if y and mark.kind ~= "violation" and mark.kind ~= "note" then
      local x = self.ruler:x(mark.time)
      local words = (mark.kind == "commit" and draw_commit or draw_other)(self, mark, x, y)
      local wide, top = width_of(words), y + BAR / 2 + 4
      local taken = self.places:try { { x - wide / 2, top, x + wide / 2, top + 11 }, { x, top, x + wide, top + 11 },
        { x, top + 11, x + wide, top + 22 }, { x - wide, top, x, top + 11 } }
      if taken then
        local from = taken == 1 and x - wide / 2 or taken == 4 and x - wide or x
        self.labels[#self.labels + 1] = { from, top + (taken == 3 and 20 or 9), "text halo", words }
      end
    elseif y and mark.kind == "violation" then
      self:add('<circle class="lost" cx="%s" cy="%s" r="13" stroke-width="2"/>', number(self.ruler:x(mark.time)),
        number(y))
    end
  end
end

-- ---- the time -----------------------------------------------------------------------------------------------

local function draw_axis(self, y)
  self:add('<path class="axis" d="M%d %sH%d" fill="none"/>', LEFT, number(y), self.width - RIGHT)
  local last = -math.huge
  for position, time in ipairs(self.ruler.times) do
    local x, words = self.ruler.xs[position], ("%.4f"):format(time / self.scale)
    if x - last >= TICK_EVERY and x + width_of(words) / 2 < self.width - 4 then
      last = x
      self:add('<path class="axis" d="M%s %sv4" fill="none"/>', number(x), number(y))
      self:text(x, y + 15, "dim", words, "middle")
    end
  end
  for _, x in ipairs(self.ruler.breaks) do
    self:add('<path class="axis" d="M%s %sl3 -8m2 0l-3 8" fill="none"/>', number(x - 4), number(y + 4))
  end
  self:text(8, y + 4, "dim", "time, s")
end

-- ---- all ----------------------------------------------------------------------------------------------------

-- Without lanes on which nothing is.
local function lanes_of(scene)
  local ids, has_messages = {}, {}
  for _, message in ipairs(scene.messages) do
    has_messages[message.from], has_messages[message.to] = true, true
  end
  for _, id in ipairs(scene.ids) do
    if #scene.nodes[id].pieces > 0 or scene.nodes[id].is_marked or has_messages[id] then
      ids[#ids + 1] = id
    end
  end
  return ids
end

local function times_of(scene)
  local times, ways = { scene.from, scene.to }, {}
  local function add(time)
    if time >= scene.from and time <= scene.to then
      times[#times + 1] = time
    end
  end
  for _, node in pairs(scene.nodes) do
    for _, piece in ipairs(node.pieces) do
      add(piece.from)
      add(piece.to)
    end
  end
  for _, message in ipairs(scene.messages) do
    add(message.sent_at)
    for _, came in ipairs(message.came) do
      add(came)
      ways[#ways + 1] = came - message.sent_at
    end
  end
  for _, mark in ipairs(scene.marks) do
    add(mark.time)
  end
  for _, fault in ipairs(scene.faults) do
    add(fault.from)
    add(fault.to)
  end
  return times, ways
end

local function notes_of(self, scene, unnamed)
  local notes = {}
  if #self.ruler.breaks > 0 then
    notes[#notes + 1] = "Time is not to scale: long silences are shortened (//)."
  end
  if scene.left_out > 0 then
    notes[#notes + 1] = scene.left_out == 1 and "A heartbeat and its answer are not drawn."
      or ("%d heartbeats and their answers are not drawn."):format(scene.left_out)
  end
  if unnamed > 0 then
    notes[#notes + 1] = ("%d %s not named, for want of room."):format(unnamed,
      unnamed == 1 and "call or note is" or "calls and notes are")
  end
  return notes
end

local function draw_head(self, run, head)
  local verdict, y = runs.verdict(run), 22
  self:add('<text x="8" y="%d" class="title text">%s<tspan class="%s" dx="10">%s</tspan></text>', y, escape(run.name),
    verdict == "FAILED" and "bad" or "dim",
    runs.is_judged(run) and verdict or "")
  self:text(self.width - 10, y, "dim", head, "end")
  local lines = run.message and display.wrap(display.clean(run.message:match "^[^\n]*"),
    math.floor((self.width - 16) / paper.LETTER)) or {}
  for position = 1, math.min(#lines, 3) do
    y = y + LINE + 1
    self:text(8, y, "bad", lines[position] .. (position == 3 and #lines > 3 and "…" or ""))
  end
  return y + 12
end

local function place_labels(self)
  for _, one in ipairs(self.wanted) do
    label_line(self, (table.unpack or unpack)(one)) -- luacheck: ignore
  end
  for _, label in ipairs(self.labels) do
    self:text(label[1], label[2], label[3], label[4])
  end
end

local function finish(self, run, head, height)
  local parts = {
    ('<svg xmlns="http://www.w3.org/2000/svg" class="rb" width="%d" height="%d" viewBox="0 0 %d %d" role="img" '
      .. 'aria-labelledby="rb-title rb-desc">'):format(self.width, height, self.width, height),
    ('<title id="rb-title">%s: %s</title>'):format(escape(run.name),
      runs.is_judged(run) and runs.verdict(run) or "a log"),
    ('<desc id="rb-desc">Timing diagram of a Raft cluster, %s. Time runs from left to right, each lane is a node, '
      .. "arrows are messages.</desc>"):format(escape(head)),
    "<style>" .. style.sheet() .. "</style>", "<defs>" .. style.definitions() .. "</defs>",
    ('<rect class="page" width="%d" height="%d" rx="6"/>'):format(self.width, height),
  }
  return table.concat(parts, "\n") .. "\n" .. table.concat(self.parts, "\n") .. "\n</svg>\n"
end

--- Draws a scene.
-- @tparam table scene made by raft.view.scene
-- @tparam table run from raft.view.runs
-- @tparam table options `width`, `scale` units of time in a second, `head` words beside the name, `write` function(
-- text)
function drawing.write(scene, run, options)
  local self = setmetatable({ parts = {}, width = options.width, scale = options.scale, used = {}, labels = {},
    wanted = {}, lanes = {} }, Drawing)
  scene.ids = lanes_of(scene)
  local times, ways = times_of(scene)
  self.ruler = ruler.new(times, ways, LEFT, options.width - RIGHT)
  local top = draw_head(self, run, options.head)
  local deeds = deeds_of(scene)
  local rows = place_deeds(self, deeds)
  local first = top + rows * 16 + 34
  for position, id in ipairs(scene.ids) do
    self.lanes[id] = first + (position - 1) * PITCH
  end
  self.bottom = first + (#scene.ids - 1) * PITCH + 40
  self.places = places.new(LEFT - 20, options.width - 4)
  for _, id in ipairs(scene.ids) do
    self.places:take { LEFT, self.lanes[id] - BAR / 2, options.width - RIGHT, self.lanes[id] + BAR / 2 + 2 }
  end
  local unnamed = draw_deeds(self, deeds, top)
  draw_ground(self, scene, run)
  draw_messages(self, scene)
  draw_lanes(self, scene)
  draw_marks(self, scene)
  place_labels(self)
  draw_axis(self, self.bottom)
  local bottom = legend.draw(self, self.bottom + 40, notes_of(self, scene, unnamed))
  options.write(finish(self, run, options.head, bottom))
end

return drawing
