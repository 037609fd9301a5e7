--- Keeps a spec from ending the process that runs it: a call of os.exit in a test is that test's failure, and LuaUnit's
-- usual last line, `os.exit(lu.LuaUnit.run())`, runs nothing by itself.
--
-- It runs no test. What a test does to the process by other means (a signal, an exit in C) is for others to see.
-- @module raft.test.exits

local exits = {}

local runs = { "run", "runSuite", "runSuiteByNames", "runSuiteByInstances" } -- LuaUnit's own

local is_over = {} -- what os.exit raises while a file is loaded

local function words_of(code)
  return ("os.exit(%s) was called: a test ends by returning, or where an assertion fails"):format(
    code == nil and "" or tostring(code))
end

--- Calls what loads a spec file: there, os.exit ends the loading and LuaUnit runs nothing.
-- @param luaunit the module
-- @tparam function load → what raft.report's protect gives
-- @treturn table the same; an exit is no error
function exits.while_loading(luaunit, load)
  local exit, kept = os.exit, {}
  os.exit = function() error(is_over, 0) end -- luacheck: ignore 122
  for _, name in ipairs(runs) do
    kept[name] = luaunit.LuaUnit[name]
    luaunit.LuaUnit[name] = function() return 0 end
  end
  local outcome = load()
  for _, name in ipairs(runs) do
    luaunit.LuaUnit[name] = kept[name]
  end
  os.exit = exit -- luacheck: ignore 122
  if outcome.error == is_over then
    return { fine = true }
  end
  return outcome
end

--- Calls what runs tests: there, os.exit raises an error in whoever calls it.
-- @tparam function f
-- @return what pcall gives of it
function exits.while_running(f)
  local exit = os.exit
  os.exit = function(code) error(words_of(code), 2) end -- luacheck: ignore 122
  local fine, problem = pcall(f)
  os.exit = exit -- luacheck: ignore 122
  return fine, problem
end

return exits
