--- A cluster as it is now, drawn for a terminal: each node's role and term, its log as a strip of cells, and the
-- faults in force.
--
-- A cell is one entry: its letter is its term's, a capital where it is committed, so that nothing is told by colour
-- alone. All strips show the same indexes, one below the other. It changes nothing, and lets no time pass.
-- @module raft.shell.draw

local display = require "raft.view.display"
local faults = require "raft.faults"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local STRIP_LEAST = 20 -- columns; where fewer are left beside the table, a strip has a line of its own
local STRIP_MOST = 200
local RULER_STEP = 10
local LETTERS = 26
local COMPACTED, NOTHING = "#", "."
local OUT_OF_REACH = "(out of reach)" -- in place of a strip

local cell_colours = { "97;44", "30;42", "30;43", "97;45", "30;46", "97;41" }
local UNCOMMITTED = ";4" -- underlined
local DIM, BOLD = "2", "1"
local role_colours = { leader = "1;32", candidate = "33", pre_candidate = "33" }
local state_colours = { crashed = "31", failed = "31", paused = "33", starting = "33" }

local Drawing = {}
Drawing.__index = Drawing

function Drawing:coloured(text, code)
  if not self.colour or not code or text == "" then
    return text
  end
  return ("\27[%sm%s\27[0m"):format(code, text)
end

-- ---- what there is to draw ---------------------------------------------------------------------

-- One node: its status, and of a stopped one what its disk holds.
local function look_at(cluster, status)
  local node = { id = status.id, state = status.state, role = status.role, status = status }
  local held = status
  if not status.role then
    held = cluster.core:stored(status.id)
    node.is_stored, node.is_out_of_reach = held ~= nil, held == nil
    held = held or {}
  end
  node.term, node.vote = held.term, held.vote
  node.commit, node.applied = status.commit, status.applied
  node.first, node.last = held.first_index or 1, held.last_index or 0
  return node
end

local function look_at_all(cluster)
  local nodes, removed = {}, {}
  for _, status in ipairs(cluster:status()) do
    if status.state == "removed" then
      removed[#removed + 1] = status.id
    else
      nodes[#nodes + 1] = look_at(cluster, status)
    end
  end
  return nodes, removed
end

-- The node that knows most to be committed.
local function most_committed(nodes)
  local best
  for _, node in ipairs(nodes) do
    if node.commit and node.commit > (best and best.commit or 0) then
      best = node
    end
  end
  return best
end

-- The terms of each node's entries from `first` to `last`.
function Drawing:read_terms(first, last)
  for _, node in ipairs(self.nodes) do
    local terms = not node.is_out_of_reach and last >= first and self.cluster.core:terms(node.id, first, last)
    node.terms = terms or {}
    node.is_out_of_reach = node.is_out_of_reach or (last >= first and not terms)
    for index = math.max(first, node.first), math.min(last, node.last) do
      -- The log of a process that is paused cannot be read.
      node.is_out_of_reach = node.is_out_of_reach or node.terms[index - first + 1] == 0
    end
  end
end

-- A stopped node knows no commit index: an entry on its disk is committed where the running nodes know it so.
function Drawing:is_committed(node, position, index)
  if node.commit then
    return index <= node.commit
  end
  local best = self.best
  return best ~= nil and index <= best.commit
    and (index < best.first or node.terms[position] == best.terms[position])
end

-- ---- strips -----------------------------------------------------------------------------------

local function place_of(term)
  return (term - 1) % LETTERS
end

local function letter_of(term)
  return string.char(("a"):byte() + place_of(term))
end

local function colour_of(term)
  return cell_colours[(term - 1) % #cell_colours + 1]
end

-- The character of one cell, and its colour.
function Drawing:cell(node, position, index)
  local term = node.terms[position]
  if term and term > 0 then
    self.shown[term] = true
    local is_committed = self:is_committed(node, position, index)
    return is_committed and letter_of(term):upper() or letter_of(term),
      colour_of(term) .. (is_committed and "" or UNCOMMITTED)
  elseif index < node.first and node.last > 0 then
    self.has_compacted = true
    return COMPACTED, DIM
  end
  return NOTHING, DIM
end

-- Cells side by side that look the same are coloured at once.
function Drawing:strip(node, first, last)
  if node.is_out_of_reach then
    return OUT_OF_REACH
  end
  local parts, run, run_colour = {}, "", nil
  for index = first, last do
    local character, colour = self:cell(node, index - first + 1, index)
    if colour ~= run_colour then
      parts[#parts + 1] = self:coloured(run, run_colour)
      run, run_colour = "", colour
    end
    run = run .. character
  end
  parts[#parts + 1] = self:coloured(run, run_colour)
  return table.concat(parts)
end

-- Indexes above the strips: each stands where its cell does. Few entries need none.
local function ruler(first, last)
  if last < RULER_STEP then
    return "log"
  end
  local text = ("%d"):format(first)
  for index = first + 1, last do
    local column = index - first
    local label = ("%d"):format(index)
    if index % RULER_STEP == 0 and column > #text and column + #label <= last - first + 1 then
      text = text .. (" "):rep(column - #text) .. label
    end
  end
  return text
end

-- ---- the table --------------------------------------------------------------------------------

local function number(value)
  return value and value > 0 and ("%d"):format(value) or "-"
end

local function role_words(node, is_cut_off)
  local words = node.role and node.role:gsub("_", "-") or node.state
  if node.role and node.state ~= "running" then
    words = words .. ", " .. node.state
  end
  return words .. (is_cut_off and ", cut off" or "")
end

function Drawing:cells(node)
  return { ("%d"):format(node.id), role_words(node, self.faults.disconnected[node.id]), number(node.term),
    number(node.vote), number(node.commit), number(node.applied) }
end

function Drawing:headings()
  if self.width < 60 then
    return { "id", "role", "term", "vote", "com", "app" }
  end
  return { "node", "role", "term", "vote", "commit", "applied" }
end

local function widths_of(rows)
  local widths, sum = {}, 0
  for _, cells in ipairs(rows) do
    for position, cell in ipairs(cells) do
      widths[position] = math.max(widths[position] or 0, #cell)
    end
  end
  for _, width in ipairs(widths) do
    sum = sum + width
  end
  return widths, sum
end

function Drawing:row(cells, widths, gap, colour)
  local parts = {}
  for position, cell in ipairs(cells) do
    local padding = (" "):rep(widths[position] - #cell)
    local is_words = position == 2
    parts[position] = is_words and self:coloured(cell, colour) .. padding or padding .. cell
  end
  return table.concat(parts, gap)
end

local function colour_of_node(node)
  return state_colours[node.state] or role_colours[node.role]
end

-- ---- layout -----------------------------------------------------------------------------------

function Drawing:add(text)
  self.lines[#self.lines + 1] = (text:gsub("%s+$", ""))
end

-- Words that may need several lines.
function Drawing:add_wrapped(text)
  for position, line in ipairs(display.wrap(text, self.width - 2)) do
    self:add((position > 1 and "  " or "") .. line)
  end
end

-- The indexes that strips of so many columns show: the latest.
function Drawing:window(columns)
  local last = 0
  for _, node in ipairs(self.nodes) do
    last = math.max(last, node.last)
  end
  local count = math.min(columns, STRIP_MOST)
  return math.max(1, last - count + 1), last
end

function Drawing:add_beside(rows, widths, gap, columns)
  local first, last = self:window(columns)
  self:read_terms(first, last)
  self:add(self:row(rows[1], widths, gap) .. "  " .. ruler(first, last))
  for position, node in ipairs(self.nodes) do
    local strip = last > 0 and self:strip(node, first, last) or "(empty)"
    self:add(self:row(rows[position + 1], widths, gap, colour_of_node(node)) .. "  " .. strip)
  end
end

-- Each node's strip below its row; where even the row has no room, it is a sentence.
function Drawing:add_below(rows, widths, gap, has_room)
  local first, last = self:window(self.width - 2)
  self:read_terms(first, last)
  if has_room then
    self:add(self:row(rows[1], widths, gap))
  end
  if last > 0 then
    self:add("  " .. ruler(first, last))
  end
  for position, node in ipairs(self.nodes) do
    local cells = rows[position + 1]
    if has_room then
      self:add(self:row(cells, widths, gap, colour_of_node(node)))
    else
      self:add_wrapped(("%s %s: term %s, vote %s, commit %s, applied %s"):format(unpack(cells)))
    end
    if last > 0 then
      self:add("  " .. self:strip(node, first, last))
    end
  end
end

function Drawing:add_nodes()
  local rows = { self:headings() }
  for _, node in ipairs(self.nodes) do
    rows[#rows + 1] = self:cells(node)
  end
  local widths, sum = widths_of(rows)
  local gap = self.width < 60 and " " or "  "
  local table_width = sum + #gap * (#widths - 1)
  local left = self.width - table_width - 2
  local _, last = self:window(0)
  if left >= math.min(STRIP_LEAST, math.max(#OUT_OF_REACH, last)) then
    self:add_beside(rows, widths, gap, left)
  else
    self:add_below(rows, widths, gap, table_width <= self.width)
  end
end

-- ---- the lines above and below ----------------------------------------------------------------

local world_words = { sim = "in the simulated world", tcp = "over TCP", process = "as processes over TCP" }

function Drawing:add_title()
  local cluster = self.cluster
  local leader, term = cluster:leader()
  local count = #self.nodes
  local text = ("%d node%s %s at %.3f s: %s"):format(count, count == 1 and "" or "s", world_words[cluster:mode()],
    cluster:now(), leader and ("node %d leads term %d"):format(leader, term) or "no agreed leader")
  for _, other in ipairs(cluster:leaders()) do
    if other.id ~= leader then
      text = text .. ("; node %d believes that it leads term %d"):format(other.id, other.term)
    end
  end
  for _, line in ipairs(display.wrap(text, self.width)) do
    self:add(self:coloured(line, BOLD))
  end
end

-- The letters that are to be seen, and what they mean.
function Drawing:add_legend()
  local items, terms = {}, {}
  for term in pairs(self.shown) do
    terms[#terms + 1] = term
  end
  table.sort(terms)
  for _, term in ipairs(terms) do
    items[#items + 1] = { ("%s = term %d"):format(letter_of(term):upper(), term), colour_of(term), 1 }
  end
  if #terms > 0 then
    table.insert(items, 1, { "log entries:" })
    items[#items + 1] = { "lower case = not committed" }
  end
  if self.has_compacted then
    items[#items + 1] = { COMPACTED .. " = in a snapshot only" }
  end
  for _, node in ipairs(self.nodes) do
    if node.is_stored then
      items[#items + 1] = { "of a stopped node: what its disk holds" }
      break
    end
  end
  local line, line_width = "", 0
  for _, item in ipairs(items) do
    local text, colour, letters = item[1], item[2], item[3] or 0
    if line_width > 0 and line_width + 2 + #text > self.width then
      self:add(line)
      line, line_width = "", 0
    end
    local gap = line_width > 0 and "  " or ""
    line = line .. gap .. self:coloured(text:sub(1, letters), colour) .. text:sub(letters + 1)
    line_width = line_width + #gap + #text
  end
  if line_width > 0 then
    self:add(line)
  end
end

local function list_words(ids)
  local words = {}
  for position, id in ipairs(ids) do
    words[position] = ("%d"):format(id)
  end
  return table.concat(words, ", ")
end

function Drawing:add_members()
  local members = self.cluster:members()
  if members and members.voters then
    local is_usual = #members.voters == #self.nodes and not members.voters_old
    if not is_usual then
      self:add_wrapped("members: voters " .. list_words(members.voters)
        .. (#(members.learners or {}) > 0 and "; learners " .. list_words(members.learners) or "")
        .. (members.voters_old and "; still counted: the former voters " .. list_words(members.voters_old) or ""))
    end
  end
  if #self.removed > 0 then
    self:add_wrapped("removed: " .. list_words(self.removed))
  end
end

function Drawing:add_errors()
  for _, node in ipairs(self.nodes) do
    if node.status.error then
      self:add_wrapped(("node %d: %s"):format(node.id, display.clean(node.status.error)))
    end
  end
end

--- Draws a cluster.
-- @tparam raft.cluster cluster
-- @tparam integer width columns of the terminal
-- @tparam boolean colour whether it may be coloured
-- @treturn string lines of at most `width` columns
local function draw(cluster, width, colour)
  local self = setmetatable({ cluster = cluster, width = math.max(width, 40), colour = colour, lines = {},
    shown = {}, faults = cluster.core:faults() }, Drawing)
  self.nodes, self.removed = look_at_all(cluster)
  self.best = most_committed(self.nodes)
  self:add_title()
  self:add_nodes()
  self:add_legend()
  self:add_members()
  self:add_errors()
  for _, line in ipairs(faults.words(cluster, self.faults)) do
    self:add_wrapped(line)
  end
  return table.concat(self.lines, "\n")
end

return draw
