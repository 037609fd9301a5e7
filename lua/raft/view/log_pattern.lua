--- How a line of a log is taken apart: by the form `time [id] message`, or by a pattern of the user's own with the
-- placeholders {time}, {id}, {message}, and {} for what does not matter. And times as logs write them.
-- @module raft.view.log_pattern

local log_pattern = {}

local SECOND = 1000000000
local DAY_S = 86400
local LONG_AGO = 1e8 -- seconds beyond are since 1970

-- ---- patterns -----------------------------------------------------------------------------------------------

local placeholders = {
  time = "(%d[%d:.,TZ+/-]*[ T]?[%d:.,Z+-]*)", id = "([%w_.:@-]+)", message = "(.-)", [""] = ".-",
}

local function escaped(text)
  return (text:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0"):gsub("%s+", "%%s+"))
end

-- The pattern that Lua knows, and which capture is what; nil and what is wrong.
local function compile(text)
  local parts, order, at = {}, {}, 1
  while true do
    local first, last, name = text:find("{([%a]*)}", at)
    parts[#parts + 1] = escaped(text:sub(at, (first or #text + 1) - 1))
    if not first then
      break
    elseif not placeholders[name] then
      return nil, ("there is no placeholder {%s}: there are {time}, {id}, {message} and {}"):format(name)
    end
    for _, before in ipairs(order) do
      if before == name then
        return nil, ("{%s} stands in it twice"):format(name)
      end
    end
    if name ~= "" then
      order[#order + 1] = name
    end
    local ends = text:sub(last + 1):find "^%s*$"
    parts[#parts + 1] = ends and name == "message" and "(.*)" or placeholders[name]
    at = last + 1
  end
  return table.concat(parts), order
end

--- Makes a pattern of what the user gave.
-- @tparam string text with {time}, {id} and {message}
-- @treturn ?function of a line to the time's text, the id, the message; nil where it does not match; nil and a message
-- where the pattern is none
function log_pattern.new(text)
  local pattern, order = compile(text)
  if not pattern then
    return nil, order
  end
  local place = {}
  for position, name in ipairs(order) do
    place[name] = position
  end
  for _, name in ipairs { "time", "id", "message" } do
    if not place[name] then
      return nil, ("there is no {%s} in it"):format(name)
    end
  end
  return function(line)
    local found = { line:match(pattern) }
    local time = found[place.time]
    return time and time:match "^(.-)%s*$", found[place.id], found[place.message]
  end
end

--- Takes a line of the form `time [id] message` apart.
-- @tparam string line
-- @treturn ?string the time's text; nil where the line is of another form
-- @treturn string the id
-- @treturn string the message
function log_pattern.plain(line)
  return line:match "^%s*(%-?%d[%d:.,TZ+/ -]*) %[([%w_.:@-]+)%] ?(.*)$"
end

-- ---- times --------------------------------------------------------------------------------------------------

local function fraction(digits)
  digits = digits:sub(1, 9)
  return digits == "" and 0 or tonumber(digits) * 10 ^ (9 - #digits)
end

-- Days since 1970-01-01 of a date of the Gregorian calendar.
local function days(year, month, day)
  year = month <= 2 and year - 1 or year
  local era = math.floor(year / 400)
  local of_era = year - era * 400
  local of_year = math.floor((153 * (month + (month > 2 and -3 or 9)) + 2) / 5) + day - 1
  return era * 146097 + of_era * 365 + math.floor(of_era / 4) - math.floor(of_era / 100) + of_year - 719468
end

local function of_day(text)
  local hours, minutes, seconds, rest = text:match "(%d%d?):(%d%d):(%d%d)[.,]?(%d*)"
  if not hours then
    return nil
  end
  return ((tonumber(hours) * 60 + tonumber(minutes)) * 60 + tonumber(seconds)) * SECOND + fraction(rest)
end

local function of_seconds(sign, whole, rest)
  local seconds = tonumber(whole)
  if seconds >= LONG_AGO then
    local day = math.floor(seconds / DAY_S)
    return (seconds - day * DAY_S) * SECOND + fraction(rest), "date", day
  end
  return (sign == "-" and -1 or 1) * (seconds * SECOND + fraction(rest)), "seconds"
end

--- A time as logs write it: seconds (0.123456), seconds since 1970, a time of day (15:04:05.000000), with a date before
-- it or not (2024/01/02 15:04:05, 2024-01-02T15:04:05.123Z). The zone does not matter.
-- @tparam string text
-- @treturn ?number nanoseconds, of a date those of its day; nil where it is no time
-- @treturn string "seconds", "day" or "date"
-- @treturn ?integer of a date the days since 1970
function log_pattern.time(text)
  local sign, whole, rest = text:match "^(%-?)(%d+)%.?(%d*)$"
  if whole and #whole <= 12 then
    return of_seconds(sign, whole, rest)
  end
  local clock = of_day(text)
  if not clock then
    return nil
  end
  local year, month, day = text:match "^(%d%d%d%d)[/-](%d%d?)[/-](%d%d?)[ T]"
  if year then
    return clock, "date", days(tonumber(year), tonumber(month), tonumber(day))
  elseif text:find "^%d%d?:%d%d:%d%d[.,]?%d*$" then
    return clock, "day"
  end
  return nil
end

log_pattern.DAY_NS = DAY_S * SECOND

return log_pattern
