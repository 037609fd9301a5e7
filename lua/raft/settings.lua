--- `--set NAME=VALUE`: options of a scenario from the command line.
--
-- A value is a Lua expression (2, true, {0.1, 0.2}); anything else is a string. NAME may lead into
-- tables (link.drop=0.1).
-- @module raft.settings

local settings = {}

local function load_expression(text)
  local environment = { math = { huge = math.huge } }
  local chunk
  if setfenv then -- luacheck: ignore 113
    chunk = loadstring("return " .. text, "=--set") -- luacheck: ignore 113
    chunk = chunk and setfenv(chunk, environment) -- luacheck: ignore 113
  else
    chunk = load("return " .. text, "=--set", "t", environment)
  end
  return chunk
end

local function value_of(text)
  local chunk = load_expression(text)
  if chunk then
    local fine, value = pcall(chunk)
    if fine and value ~= nil and type(value) ~= "function" then
      return value
    end
  end
  return text
end

--- Reads one setting.
-- @tparam string text `NAME=VALUE`
-- @treturn table|nil {path = {names}, value}; nil and a message if it is not one
function settings.parse(text)
  local name, value = text:match("^([%a_][%w_.]*)=(.*)$")
  if not name or name:find("%.%.") or name:sub(-1) == "." then
    return nil, "--set needs NAME=VALUE, not '" .. text .. "'"
  end
  local path = {}
  for part in name:gmatch("[^.]+") do
    path[#path + 1] = part
  end
  return { path = path, value = value_of(value) }
end

--- Reads several.
-- @tparam table texts a list of `NAME=VALUE`
-- @treturn table|nil a list of what `parse` gives; nil and a message if one is not one
function settings.parse_all(texts)
  local list = {}
  for position, text in ipairs(texts) do
    local setting, problem = settings.parse(text)
    if not setting then
      return nil, problem
    end
    list[position] = setting
  end
  return list
end

--- The parameters that a spec or a plain script is given: what is set below `parameters`.
-- @tparam ?table texts a list of `parameters.NAME=VALUE`
-- @treturn table|nil by name; nil and a message where one is not of that form
function settings.parameters(texts)
  local list = {}
  for position, text in ipairs(texts or {}) do
    local setting, problem = settings.parse(text)
    if not setting then
      return nil, problem
    elseif setting.path[1] ~= "parameters" or #setting.path < 2 then
      return nil, ("--set %s: a spec has parameters only, as in --set parameters.%s"):format(text, text)
    end
    list[position] = setting
  end
  return settings.apply({ parameters = {} }, list).parameters
end

--- What is wrong with settings of a scenario's own parameters: it tells all that it has, with a value.
-- @tparam table options the scenario's
-- @tparam table list of parsed settings
-- @treturn ?string a message; nil: nothing
function settings.problem(options, list)
  local has = type(options.parameters) == "table" and options.parameters or {}
  for _, setting in ipairs(list) do
    local name = setting.path[2]
    if setting.path[1] == "run" then
      return "'run' is what the scenario does, and no option"
    elseif setting.path[1] == "parameters" and (not name or has[name] == nil) then
      local names = {}
      for each in pairs(has) do
        names[#names + 1] = tostring(each)
      end
      table.sort(names)
      return ("there is no parameter '%s'; there is %s"):format(tostring(name or ""),
        #names > 0 and table.concat(names, ", ") or "none")
    end
  end
  return nil
end

--- A copy of a table of options with settings put in; the tables that are led into are copied too.
-- @tparam table options
-- @tparam table list of parsed settings
-- @treturn table
function settings.apply(options, list)
  local function copy(from)
    local to = {}
    for key, value in pairs(type(from) == "table" and from or {}) do
      to[key] = value
    end
    return to
  end
  local result = copy(options)
  for _, setting in ipairs(list) do
    local place = result
    for position = 1, #setting.path - 1 do
      local key = setting.path[position]
      place[key] = copy(place[key])
      place = place[key]
    end
    place[setting.path[#setting.path]] = setting.value
  end
  return result
end

return settings
