--- A picture of why a history is not linearizable: one HTML file that needs nothing else. Lanes by client, the
-- operations around the return at which it ends, in the order of their calls and returns.
--
-- It draws what raft.linearizable has found, and decides nothing.
-- @module raft.history.picture

local core = require "raft.core"
local files = require "raft.files"
local page = require "raft.history.page"

local picture = {}

local DRAWN_MOST = 120 -- operations: more is no picture
local AFTER = 6 -- entries behind the return at which it ends
local STEPS_MOST = 300 -- of one order
local LABEL_MOST, STATE_MOST = 40, 200 -- characters

-- ---- words --------------------------------------------------------------------------------------------------

local function cut(text, most)
  if #text <= most then
    return text
  end
  local at = most - 3
  while at > 1 and text:byte(at + 1) >= 0x80 and text:byte(at + 1) < 0xc0 do -- not within a character
    at = at - 1
  end
  return text:sub(1, at) .. "..."
end

local function words(value, most)
  if value == nil or value == core.null then
    return "nothing"
  end
  return cut(core.value_words(value), most)
end

--- What stands in an operation's box.
-- @tparam table operation as raft.linearizable.operation gives it
-- @treturn string
function picture.label(operation)
  local value, text = operation.value, operation.f
  if operation.f == "cas" and type(value) == "table" then
    text = ("cas %s → %s"):format(words(value[1], 12), words(value[2], 12))
  elseif value ~= nil and operation.f ~= "read" then
    text = text .. " " .. words(value, LABEL_MOST)
  end
  if operation.outcome == "fail" then
    return text .. (operation.seen ~= nil and ": saw " .. words(operation.seen, 12) or ": refused")
  elseif operation.outcome == "ok" and operation.result ~= nil and operation.result ~= value
    and operation.f ~= "cas" then
    return cut(text .. (operation.f == "read" and " " or " → ") .. words(operation.result, LABEL_MOST), LABEL_MOST)
  end
  return cut(operation.outcome == "info" and text .. " ?" or text, LABEL_MOST)
end

local reads = { read = true, contains = true, get = true }

--- Of which kind it is, for its look.
-- @tparam table operation
-- @treturn string "read", "write" or "cas"
function picture.kind(operation)
  if reads[operation.f] then
    return "read"
  end
  return operation.f == "cas" and "cas" or "write"
end

local function same(a, b)
  return a == b or type(a) == "table" and type(b) == "table" and a ~= core.null and b ~= core.null
    and core.value_encode(a) == core.value_encode(b)
end

-- ---- what is drawn ------------------------------------------------------------------------------------------

-- The operations that the explanation speaks of, by the entries of their calls: those at the end first, so that the
-- cap leaves out what is long ago.
local function spoken_of(explanation)
  local known, kept, count = {}, {}, 0
  local function add(operation)
    if not known[operation.invoke] and count < DRAWN_MOST then
      known[operation.invoke], kept[operation.invoke], count = operation, true, count + 1
    end
  end
  add(explanation.operation)
  for _, operation in ipairs(explanation.certificate or {}) do
    add(operation)
  end
  for _, configuration in ipairs(explanation.configurations) do
    for _, candidate in ipairs(configuration.pending) do
      add(candidate.operation)
    end
  end
  local latest = {}
  for number, operation in ipairs(explanation.kept) do
    latest[number] = operation
  end
  table.sort(latest, function(x, y) return x.invoke > y.invoke end)
  for _, operation in ipairs(latest) do
    add(operation)
  end
  return known, kept, count, #latest > count
end

-- Operations of that key which were under way near its end, the latest first.
local function add_neighbours(history, explanation, known, count, describe)
  local last = math.min(#history, explanation.operation.complete + AFTER)
  local behind = {}
  for position = last, 1, -1 do
    local entry = history[position]
    local process = entry.process
    if count >= DRAWN_MOST then
      return true
    elseif entry.type ~= "invoke" then
      behind[process] = entry
    else
      local ended = behind[process]
      behind[process] = nil
      local nothing = ended and ended.type == "fail" and ended.error ~= "mismatch" -- it had no effect
      if process ~= "nemesis" and not known[position] and not nothing and same(entry.key, explanation.key) then
        known[position], count = describe(history, position), count + 1
      end
    end
  end
  return false
end

-- The key is in the headline.
local function without_key(text, explanation)
  local key = explanation.key ~= nil and (" (key %s)"):format(words(explanation.key, 60)) or ""
  if key ~= "" and text:sub(-#key) == key then
    return text:sub(1, -#key - 1)
  end
  return text
end

-- Which of the certificate's numbers an operation has: "2, 3".
local function marks_of(explanation, position)
  local numbers = {}
  for number, operation in ipairs(explanation.certificate or {}) do
    if operation.invoke == position then
      numbers[#numbers + 1] = number
    end
  end
  return #numbers > 0 and table.concat(numbers, ",") or nil
end

--- What the lane of a process is called.
-- @tparam table history
-- @param process as in its entries
-- @treturn string
function picture.lane(history, process)
  local clients = history.clients
  if not clients or type(process) ~= "number" then
    return "process " .. tostring(process)
  elseif process <= 0 then
    return process == 0 and "last reads" or ("last reads, process %d"):format(process)
  end
  local client = (process - 1) % clients + 1
  return process <= clients and "client " .. client or ("client %d, process %d"):format(client, process)
end

local function drawn(history, explanation, known, kept)
  local positions, list, lanes, by_process = {}, {}, {}, {}
  for position in pairs(known) do
    positions[#positions + 1] = position
  end
  table.sort(positions)
  local processes = {}
  for _, position in ipairs(positions) do
    local process = known[position].process
    if not by_process[process] then
      by_process[process] = true
      processes[#processes + 1] = process
    end
  end
  table.sort(processes, function(a, b)
    if type(a) ~= type(b) then
      return type(a) == "number"
    end
    return a < b
  end)
  for number, process in ipairs(processes) do
    by_process[process], lanes[number] = number - 1, picture.lane(history, process)
  end
  for _, position in ipairs(positions) do
    local operation = known[position]
    local ended = operation.outcome ~= "info" and operation.complete or nil
    list[#list + 1] = {
      id = position, invoke = position, complete = ended, lane = by_process[operation.process],
      label = picture.label(operation), text = without_key(operation.text, explanation), kind = picture.kind(operation),
      unknown = operation.outcome == "info" or nil, kept = kept[position] or nil,
      marks = marks_of(explanation, position), began = history[position].time or position,
      ended = ended and (history[ended].time or ended) or nil,
    }
  end
  return list, lanes
end

-- By the operations that are drawn, the longest order that holds each: lists of { operation, state }, and the first
-- one's number; and what each operation in them did.
local function longest_of(explanation, known)
  local longest, texts = {}, {}
  for position, steps in pairs(explanation.longest) do
    if known[position] then
      local first = math.max(1, #steps - STEPS_MOST + 1)
      local list = {}
      for number = first, #steps do
        local operation = steps[number].operation
        list[#list + 1] = { operation.invoke, words(steps[number].state, STATE_MOST) }
        texts[tostring(operation.invoke)] = without_key(operation.text, explanation)
      end
      longest[tostring(position)] = { first = first, steps = list }
    end
  end
  return next(longest) and longest or core.null, next(texts) and texts or core.null
end

-- ---- the page -----------------------------------------------------------------------------------------------

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function escape(text)
  return (text:gsub('[&<>"]', entities))
end

local function numbers_marked(text)
  return (escape(text):gsub("%%(%d)", '<span class="num">%1</span>'))
end

local function why(explanation)
  local lines = { "<h2>Why not</h2>" }
  if explanation.certificate then
    lines[#lines + 1] = ('<p>%s</p><ul class="plain">'):format(numbers_marked(explanation.reason or ""))
    local told = {}
    for _, operation in ipairs(explanation.certificate) do
      local marks = marks_of(explanation, operation.invoke)
      if not told[marks] then
        told[marks] = true
        lines[#lines + 1] = ('<li><span class="num">%s</span> %s</li>'):format(marks,
          escape(without_key(operation.text, explanation)))
      end
    end
    lines[#lines + 1] = "</ul>"
    return table.concat(lines, "\n")
  end
  for number, configuration in ipairs(explanation.configurations) do
    if number > 5 then
      lines[#lines + 1] = ('<p class="faint">and %d states more</p>'):format(#explanation.configurations - 5)
      break
    end
    lines[#lines + 1] = ("<p>Before that the state could be <code>%s</code>, with these still to come:</p><ul>"):format(
      escape(words(configuration.state, STATE_MOST)))
    for _, candidate in ipairs(configuration.pending) do
      lines[#lines + 1] = ('<li>%s <span class="faint">%s</span></li>'):format(
        escape(without_key(candidate.operation.text, explanation)), escape(candidate.why))
    end
    lines[#lines + 1] = "</ul>"
  end
  return table.concat(lines, "\n")
end

local legend = [[
<span class="key"><i style="background:var(--read);border-color:var(--read-edge)"></i>reads</span>
<span class="key"><i style="background:var(--write);border-color:var(--write-edge)"></i>changes</span>
<span class="key"><i style="background:var(--cas);border-color:var(--cas-edge)"></i>cas</span>
<span class="key"><i style="border-color:var(--faint);border-style:dashed"></i>unknown: it may have come later</span>
<span class="key"><i style="background:var(--bad-back);border-color:var(--bad)"></i>where it ends</span>
]]

-- Who returned before who began, as the reason says it of the certificate's operations: "%1 returned before %2 began,
-- and that before %3 began".
local function pairs_before(explanation)
  local certificate, list, last = explanation.certificate or {}, {}, nil
  local function add(first, second)
    if certificate[first] and certificate[second] then
      list[#list + 1] = { certificate[first].invoke, certificate[second].invoke }
    end
    last = second
  end
  local reason = explanation.reason or ""
  for first, second in reason:gmatch "%%(%d) returned before %%(%d) began" do
    add(tonumber(first), tonumber(second))
  end
  for second in reason:gmatch "and that before %%(%d) began" do
    add(last, tonumber(second))
  end
  return list
end

--- The picture as text.
-- @tparam raft.history history
-- @tparam raft.explanation explanation what raft.linearizable gave with its "no"
-- @tparam ?string name what the history is called
-- @treturn string
function picture.html(history, explanation, name)
  local describe = require("raft.linearizable").operation
  local known, kept, count, is_cut = spoken_of(explanation)
  is_cut = add_neighbours(history, explanation, known, count, describe) or is_cut
  local operations, lanes = drawn(history, explanation, known, kept)
  local longest, texts = longest_of(explanation, known)
  local data = core.json_encode {
    operations = operations, lanes = lanes, failing = explanation.operation.invoke,
    before = pairs_before(explanation), longest = longest, texts = texts,
  }
  local key = explanation.key ~= nil and (" at key <code>%s</code>"):format(escape(words(explanation.key, 60))) or ""
  local parts = {
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    ("<title>Not linearizable: %s</title><style>%s</style></head><body>"):format(escape(name or "a history"),
      page.style),
    ("<h1><b>Not linearizable</b>%s</h1>"):format(key),
    ('<p class="faint">%s · %d entries%s</p>'):format(escape(name or "a history"), #history,
      history.kind and " · " .. escape(history.kind) or ""),
    ("<p>All can be explained until just before entry %d, where this returned: <b>%s</b></p>"):format(
      explanation.operation.complete, escape(without_key(explanation.operation.text, explanation))),
    '<div class="bar">', legend,
    '<label class="key"><input type="checkbox" id="only"> only the operations that are needed to see it</label></div>',
    '<div id="picture"><div id="names"></div><div id="scroll"></div></div>',
    ('<p class="faint">Time goes to the right by rank: what returned before something was called stands to its left.'
      .. "%s</p>"):format(is_cut and (" %d operations are drawn; what was before is left out."):format(#operations)
      or ""),
    ('<div class="panels"><div class="panel">%s</div><div class="panel" id="chosen"></div></div>'):format(
      why(explanation)),
    ('<script type="application/json" id="data">%s</script>'):format((data:gsub("<", "\\u003c"))),
    ("<script>%s</script></body></html>\n"):format(page.script),
  }
  return table.concat(parts, "\n")
end

--- Writes the picture.
-- @tparam raft.history history
-- @tparam raft.explanation explanation
-- @tparam string path
-- @tparam ?string name what the history is called
-- @treturn ?string the path; nil, message
function picture.write(history, explanation, path, name)
  local written, problem = files.write(path, picture.html(history, explanation, name))
  if not written then
    return nil, "the picture cannot be written: " .. problem
  end
  return path
end

return picture
