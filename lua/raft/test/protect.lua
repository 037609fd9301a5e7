--- Calls a test, or its setUp, and tells what became of it, in LuaUnit's place: its own protectedCall takes
-- time quadratic in a message's length, and stumbles over a % in the test's name.
--
-- It reports nothing and ends nothing.
-- @module raft.test.protect

local report = require "raft.report"

local protect = {
  latest = nil, -- what the last test that did not pass has raised, as it was
}

-- An error's first line as what stands before one of LuaUnit's marks (places) and how long both are; nil: it is not
-- marked so.
local function find_mark(text, mark)
  if text:sub(1, #mark) == mark then
    return "", #mark
  end
  local place = text:match("^[^\n]*"):match("^(.*:%d+: )" .. mark:gsub("%p", "%%%0"))
  return place, place and #place + #mark
end

-- The words of what is no string; a table without any is shown as LuaUnit shows tables.
local function words_of(luaunit, raised)
  local fine, text = pcall(function()
    local metatable = getmetatable(raised)
    local has_words = type(raised) == "table" and (raised.message or raised.property)
      or type(metatable) == "table" and metatable.__tostring
    return not has_words and luaunit.prettystr(raised) or nil
  end)
  return fine and text or report.words(raised)
end

-- The status and the words of what was raised.
local function judge(luaunit, raised)
  local status = luaunit.NodeStatus
  if type(raised) ~= "string" then
    return status.ERROR, words_of(luaunit, raised)
  elseif find_mark(raised, luaunit.SUCCESS_PREFIX) then
    return status.SUCCESS
  end
  local _, skip_length = find_mark(raised, luaunit.SKIP_PREFIX)
  if skip_length then
    return status.SKIP, raised:sub(skip_length + 1)
  end
  local place, length = find_mark(raised, luaunit.FAILURE_PREFIX)
  if length then
    return status.FAIL, place .. raised:sub(length + 1)
  end
  return status.ERROR, raised
end

--- Calls it.
-- @param luaunit the module
-- @param instance the class's table, or nil for a bare function
-- @tparam function method
-- @tparam ?string name how a traceback names it
-- @treturn table {status, msg, trace} as LuaUnit's updateStatus takes it
function protect.call(luaunit, instance, method, name)
  local fine, problem = xpcall(function()
    if instance then
      method(instance)
    else
      method()
    end
  end, function(raised)
    return { raised = raised, trace = debug.traceback("", 2) }
  end)
  if fine then
    return { status = luaunit.NodeStatus.SUCCESS }
  elseif type(problem) ~= "table" then
    problem = { raised = problem } -- not even the handler could run
  end
  protect.latest = problem.raised
  local status, message = judge(luaunit, problem.raised)
  if status == luaunit.NodeStatus.SUCCESS then
    return { status = status }
  end
  local trace = (problem.trace or ""):gsub("in %a+ 'method'", function()
    return name and "in '" .. name .. "'"
  end)
  return { status = status, msg = message, trace = trace }
end

return protect
