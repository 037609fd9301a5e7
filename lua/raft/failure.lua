--- What went wrong in a run, as a property, a text for people, and a key: two runs failed alike where property and key
-- are equal.
--
-- It runs nothing and prints nothing.
-- @module raft.failure

local report = require "raft.report"

local failure = {}

-- How Lua's own errors begin.
local lua_errors = { "^attempt to ", "^bad argument ", "^stack overflow", "^not enough memory", "^C stack overflow",
  "^error in error handling", "^module '", "^number has no integer" }

--- A text without what differs between two runs that fail alike: numbers, lists of them, hashes and addresses.
-- @tparam string text
-- @treturn string
function failure.key(text)
  local key = text:gsub("0x%x+", "#")
  key = key:gsub("%f[%x]%x%x%x%x%x%x%x%x+%f[%X]", "#")
  key = key:gsub("%-?%d+%.?%d*", "#"):gsub("#e%-?#", "#")
  key = key:gsub("{(#[#, ]*)}", "#"):gsub("#,? and #", "#")
  repeat
    local count
    key, count = key:gsub("#, #", "#")
  until count == 0
  return (key:gsub("nodes #", "node #"))
end

-- The first line that says something.
local function first_line(text)
  return text:match "[^\n]*%S[^\n]*" or ""
end

--- What a failure says, on one line: its first line, and the next where that ends with a colon.
-- @tparam string text
-- @treturn string
function failure.headline(text)
  local first, second = text:match "^([^\n]*:)\n%s*([^\n]+)"
  return first and first .. " " .. second or text:match "[^\n]*"
end

-- "file:line: " of a user's file and what follows it.
local function split_place(line)
  local place, rest = line:match "^([^%s:][^:\n]*:%d+): (.*)$"
  return place, rest or line
end

-- What a violation is about; which command a machine answered differently, and what, differs from run to run.
local function key_of_message(message)
  return failure.key((first_line(message):gsub("; the command is .*$", "")))
end

local function of_table(raised, shown)
  return {
    property = raised.property, text = shown, time = raised.time, nodes = raised.nodes,
    key = raised.key or key_of_message(tostring(raised.message or "")),
  }
end

local function of_words(words, shown)
  local place, rest = split_place(first_line(words))
  if not place then
    place = split_place(first_line(shown))
  end
  local property = "check"
  for _, pattern in ipairs(lua_errors) do
    property = rest:find(pattern) and "error" or property
  end
  local key = failure.key(rest)
  return { property = property, text = shown, key = place and place:match "[^/]*$" .. ": " .. key or key }
end

--- What was raised.
-- @param raised the error's value
-- @tparam ?string shown how it is shown to people; nil: its own words
-- @treturn table { property, text, key, time, nodes }: property is an invariant's name, "linearizability", "liveness",
-- "check" or "error"
function failure.of(raised, shown)
  shown = shown or report.words(raised)
  if type(raised) == "table" and type(raised.property) == "string" then
    return of_table(raised, shown)
  end
  return of_words((report.split_trace(report.words(raised))), shown)
end

--- A run that ended its process, or was ended.
-- @tparam string how in words, as raft.workers tells it
-- @tparam string text the end of what the process printed
-- @treturn table { property = "abort", text, key }
function failure.died(how, text)
  local condition, place = text:match "assertion failed: ([^\n]*)\n  at ([^\n]*)"
  if condition then
    local file, name = place:match "^([^:]*):%d+ in (.*)$"
    return { property = "abort", text = ("assertion failed: %s\n  at %s"):format(condition, place),
      key = ("%s (%s in %s)"):format(condition, file or place, name or "?") }
  end
  local shown = "the process " .. how
  text = text:gsub("raftbench: ended by signal %d+\n  replay: [^\n]*\n?", "") -- who tells of it says so, too
  if text:find "%S" then
    shown = shown .. "; it printed:\n" .. text:gsub("%s+$", "")
  end
  local sanitizer = text:match "ERROR: (%w+Sanitizer: [%w%-]+)" or text:match "runtime error: ([^\n]*)"
  return { property = "abort", text = shown, key = how .. (sanitizer and ": " .. failure.key(sanitizer) or "") }
end

--- A run that did not end.
-- @tparam string text what is known of it
-- @treturn table { property = "hang", text, key }
function failure.hung(text)
  return { property = "hang", text = text, key = "" }
end

--- Whether two runs failed alike.
-- @tparam ?table a failure
-- @tparam ?table b failure
-- @treturn boolean
function failure.is_same(a, b)
  return a ~= nil and b ~= nil and a.property == b.property and a.key == b.key
end

return failure
