--- Errors as a user wants to read them: the message, where in the user's own files it was raised and
-- from where that was called; none of our own Lua frames, no C names.
--
-- It writes to standard error and never ends the process.
-- @module raft.report

local report = {}

local FRAMES_MOST = 12

-- The folder that holds our own Lua files, as chunk names show it.
local own_folder = debug.getinfo(1, "S").source:match "^@(.*)report%.lua$"

local function is_own(source)
  if own_folder and source:sub(2, #own_folder + 1) == own_folder then
    return true
  end
  return source:find("luaunit%.lua$") ~= nil or source:find("argparse%.lua$") ~= nil
    or source:find("scripts/raftbench$") ~= nil or source:find("bin/raftbench$") ~= nil
end

--- Writes one line (or more) to standard error, after the command's name.
-- @tparam string message
function report.problem(message)
  io.stdout:flush()
  io.stderr:write("raftbench: ", message, "\n")
end

local function frame_text(info)
  local place = info.short_src .. ":" .. info.currentline
  if info.what == "main" then
    return place
  elseif info.name and info.namewhat ~= "" then
    return place .. " in " .. info.name
  end
  return place
end

local function user_frames(level)
  local frames = {}
  while #frames < FRAMES_MOST do
    local info = debug.getinfo(level, "Sln")
    if not info then
      break
    end
    if info.what ~= "C" and info.currentline > 0 and info.source:sub(1, 1) == "@" and not is_own(info.source) then
      frames[#frames + 1] = { place = info.short_src .. ":" .. info.currentline, text = frame_text(info) }
    end
    level = level + 1
  end
  return frames
end

--- Where the user's own code is: the innermost line and those that called it. For handlers of errors.
-- @treturn ?string a line for each; nil: nowhere
function report.where()
  local lines = {}
  for position, frame in ipairs(user_frames(3)) do
    lines[position] = frame.text
  end
  return #lines > 0 and table.concat(lines, "\n  from ") or nil
end

-- A message's own "file:line:" and what follows. A position of ours is dropped: it helps no user.
local function split_position(message)
  local place, rest = message:match("^([^\n]-:%d+): (.*)$")
  if not place then
    return nil, (message:gsub("^%[C%]: ", ""))
  end
  if is_own("@" .. place:gsub(":%d+$", "")) then
    return nil, rest
  end
  return place, rest
end

local function words_of_table(value)
  local metatable = getmetatable(value)
  local text
  if type(metatable) == "table" and metatable.__tostring then
    text = tostring(value)
  else
    text = tostring(value.message or value.property or "an error that is a table without a message")
  end
  if type(value.replay) == "string" and not text:find(value.replay, 1, true) then
    text = text .. "\nreplay: " .. value.replay
  end
  return text
end

local function words_of_other(value)
  return "an error that is not a string: " .. tostring(value)
end

--- What an error value says, in words: always a string, whatever the value's own functions do.
-- @param value what was raised
-- @treturn string
function report.words(value)
  if type(value) == "string" then
    return value
  end
  local fine, text = pcall(type(value) == "table" and words_of_table or words_of_other, value)
  if fine and type(text) == "string" then
    return text
  end
  local why = not fine and type(text) == "string" and ": " .. text:match "^[^\n]*" or ""
  return ("an error (a %s) that cannot be shown%s"):format(type(value), why)
end

--- Takes the line that tells how to run it again out of an error's words: whoever shows the error tells it itself.
-- @tparam string text
-- @tparam string command
-- @treturn string
function report.without_replay(text, command)
  local from, to = text:find("replay: " .. command, 1, true)
  if not from then
    return text
  end
  return (text:sub(1, from - 1):gsub("%s*$", "")) .. text:sub(to + 1)
end

--- Takes the traceback out of an error's words that carry one, as a client's do.
-- @tparam string text
-- @treturn string what is left
-- @treturn string|nil the traceback's lines
function report.split_trace(text)
  if not text:find("\nstack traceback:\n", 1, true) then
    return text
  end
  local message, trace, inside = {}, {}, false
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    if line == "stack traceback:" then
      inside = true
    elseif inside and line:sub(1, 1) == "\t" then
      trace[#trace + 1] = line
    else
      inside = false
      message[#message + 1] = line
    end
  end
  return table.concat(message, "\n"), table.concat(trace, "\n")
end

local function whole_text(value, frames)
  local words, trace = report.split_trace(report.words(value))
  local place, rest = split_position(words)
  local lines = {}
  if not place and frames[1] then
    place = frames[1].place
  end
  lines[1] = place and place .. ": " .. rest or rest
  for position, frame in ipairs(frames) do
    if position > 1 or frame.place ~= place then
      lines[#lines + 1] = "  from " .. frame.text
    end
  end
  local traced = report.user_trace(trace, words)
  if traced then
    table.insert(lines, 2, traced)
  end
  return table.concat(lines, "\n")
end

--- A traceback's lines that are the user's own, without the one that the message itself names.
-- @tparam string|nil traceback
-- @param message the error
-- @treturn string|nil nil where nothing is left
function report.user_trace(traceback, message)
  local lines, named = {}, type(message) == "string" and message:match("^([^\n]-:%d+):")
  for line in (traceback or ""):gmatch("[^\n]+") do
    local place = line:match("^%s+([^\n]-:%d+):")
    if place and place ~= named and not is_own("@" .. place:gsub(":%d+$", "")) then
      lines[#lines + 1] = "  from " .. line:gsub("^%s+", "")
    end
  end
  return #lines > 0 and table.concat(lines, "\n") or nil
end

--- The module that could not be loaded, if that is what an error is about.
-- @param value what was raised
-- @treturn nil|string a message
function report.missing_module(value)
  local text = report.words(value)
  local name = text:match("module '([%w_.]+)' not found")
  if not name then
    return nil
  elseif name == "raft" or name == "raft.core" then
    return "the module '" .. name .. "' was not found: build the project first (make), or install it"
  end
  return "the module '" .. name .. "' was not found"
end

--- Calls a function and tells what became of it.
-- @tparam function f
-- @param ... its arguments
-- @treturn table {fine = true, value}, or {fine = false, error, text, missing, interrupted}
function report.protect(f, ...)
  local arguments, count = { ... }, select("#", ...)
  local unpack = table.unpack or unpack -- luacheck: ignore 113 143
  local frames
  local fine, value = xpcall(function()
    return f(unpack(arguments, 1, count))
  end, function(raised)
    frames = user_frames(3)
    return raised
  end)
  if fine then
    return { fine = true, value = value }
  end
  local words = report.words(value)
  local missing = report.missing_module(value)
  return {
    fine = false, error = value, missing = missing, text = missing or whole_text(value, frames or {}),
    interrupted = words:find("interrupted!", 1, true) ~= nil or words == "interrupted",
  }
end

return report
