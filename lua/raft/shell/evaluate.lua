--- What was typed, compiled and run: several lines where one is not whole, errors at the user's own lines.
-- @module raft.shell.evaluate

local report = require "raft.report"

local evaluate = {}

--- What the lines that were typed are called in messages: shell:LINE.
evaluate.CHUNK = "=shell"

local FRAMES_MOST = 8
local AT_END = "<eof>'?$"

local load_in = setfenv -- luacheck: ignore 113
  and function(text, environment)
    local chunk, problem = loadstring(text, evaluate.CHUNK) -- luacheck: ignore 113
    return chunk and setfenv(chunk, environment), problem -- luacheck: ignore 113
  end
  or function(text, environment)
    return load(text, evaluate.CHUNK, "t", environment)
  end

--- Compiles an expression or statements.
-- @tparam string text
-- @tparam integer line the number of its first line in this session
-- @tparam table environment
-- @treturn function nil where that is not possible
-- @treturn string why not
-- @treturn boolean whether more lines may make it whole
function evaluate.compile(text, line, environment)
  local above = ("\n"):rep(line - 1)
  local expression = text:match "^%s*return%f[^%w_](.*)$" or text
  local is_expression, lacking = load_in(above .. "return " .. expression, environment)
  if is_expression then
    -- An argument, for a call behind `return` would leave no frame of the user's line.
    local chunk = load_in(above .. "return (...)(" .. expression .. "\n)", environment)
    if chunk then
      return chunk
    end
  end
  local chunk, problem = load_in(above .. text, environment)
  if chunk then
    return chunk
  end
  if lacking and lacking:find(AT_END) then
    return nil, lacking, true
  end
  return nil, problem, problem:find(AT_END) ~= nil
end

-- The folders of our own files, as chunk names show them.
local own_folder = debug.getinfo(1, "S").source:match "^(.*/)shell/[^/]*$"

local function is_own(source)
  return source:sub(1, #own_folder) == own_folder
end

local function user_frames(level)
  local frames = {}
  while #frames < FRAMES_MOST do
    local info = debug.getinfo(level, "Sln")
    if not info or info.source:find "shell/evaluate%.lua$" then
      break
    elseif info.what ~= "C" and info.currentline > 0 and not is_own(info.source) then
      local name = info.name and info.namewhat ~= "" and info.what ~= "main" and " in " .. info.name or ""
      local place = info.short_src .. ":" .. info.currentline
      frames[#frames + 1] = { place = place, text = place .. name }
    end
    level = level + 1
  end
  return frames
end

-- The message, its place (a line of the user's own, or nil), and the user's part of a traceback that hangs on it.
local function take_apart(value, frames)
  local words, traceback = report.words(value), nil
  if type(value) == "string" then
    local message, rest = words:match "^(.-)\nstack traceback:\n(.*)$"
    words, traceback = message or words, rest
  end
  local place, message = words:match "^([^\n]-:%d+): (.*)$"
  if place and is_own("@" .. place) then
    words, place = message, nil
  elseif place then
    words = message
  end
  words = words:gsub("^%[C%]: ", "")
  if not place and frames[1] and type(value) == "string" then
    place = frames[1].place
  end
  return words, place, report.user_trace(traceback, place and place .. ": " or "")
end

-- The line that was typed, if it is not the last one.
local function quoted_line(place, lines)
  local number = place and tonumber(place:match "^shell:(%d+)$")
  if number and lines[number] and number < #lines then
    return ("  %d: %s"):format(number, lines[number])
  end
  return nil
end

--- An error as a user at the prompt wants to read it.
-- @param value what was raised
-- @tparam table frames where
-- @tparam table lines what was typed in this session
-- @treturn string
function evaluate.describe(value, frames, lines)
  local words, place, trace = take_apart(value, frames)
  local texts = { place and place .. ": " .. words or words }
  texts[#texts + 1] = quoted_line(place, lines)
  for position, frame in ipairs(frames) do
    if frame.place ~= place and position > 1 then
      texts[#texts + 1] = "  from " .. frame.text
    end
  end
  texts[#texts + 1] = trace
  return table.concat(texts, "\n")
end

local function pack(fine, ...)
  return fine, { n = select("#", ...), ... }
end

local function all(...)
  return ...
end

--- Runs what was compiled.
-- @tparam function chunk
-- @treturn table its results with their number in `n`; nil: it raised
-- @return what was raised
-- @treturn table where: frames for `describe`
function evaluate.run(chunk)
  local frames
  local fine, results = pack(xpcall(function()
    return chunk(all)
  end, function(raised)
    frames = user_frames(3)
    return raised
  end))
  if not fine then
    return nil, results[1], frames or {}
  end
  return results
end

return evaluate
