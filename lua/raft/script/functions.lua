--- Functions as Lua source: the text that stands in the file they came from, or that was typed at the prompt.
--
-- A function that depends on more than its own text and on what every script has is refused, with the reason.
-- @module raft.script.functions

local functions = {}

local load_text = loadstring or load -- luacheck: ignore 113
local environment_of = rawget(_G, "getfenv")

local standard = {} -- the names that every script has
for name in ("_G _VERSION arg assert bit bit32 collectgarbage coroutine debug dofile error getfenv getmetatable io "
  .. "ipairs jit load loadfile loadstring math module next os package pairs pcall print rawequal rawget rawlen rawset "
  .. "require select setfenv setmetatable string table tonumber tostring type unpack utf8 xpcall"):gmatch "[%w_]+" do
  standard[name] = true
end

local typed = {} -- by chunk name: the list of lines that were typed there

--- Tells the lines of a chunk that is no file.
-- @tparam string chunk its name, as debug.getinfo gives it
-- @tparam table lines a list, which may go on growing
function functions.set_lines(chunk, lines)
  typed[chunk] = lines
end

local function lines_of_file(path)
  local file = io.open(path, "r")
  if not file then
    return nil
  end
  local lines = {}
  for line in file:lines() do
    lines[#lines + 1] = line
  end
  file:close()
  return lines
end

local function lines_of_text(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\r?\n" do
    lines[#lines + 1] = line
  end
  return lines
end

-- All lines of the chunk that a function came from; nil: they are not known.
function functions.lines(chunk)
  if typed[chunk] then
    return typed[chunk]
  elseif chunk:sub(1, 1) == "@" then
    return lines_of_file(chunk:sub(2))
  elseif chunk:sub(1, 1) ~= "=" then
    return lines_of_text(chunk)
  end
  return nil
end

-- "function a.b:c(x)" as an expression.
local function without_name(text)
  local rest = text:match "^function%s*[%w_%.]*%s*(%(.*)$"
  if rest then
    return "function" .. rest
  end
  rest = text:match "^function%s*[%w_%.]*:[%w_]+%s*%((.*)$"
  if rest then
    return "function(self" .. (rest:find "^%s*%)" and "" or ", ") .. rest
  end
  return nil
end

local function places(line, word)
  local list, at = {}, 0
  while true do
    at = line:find("%f[%w_]" .. word .. "%f[^%w_]", at + 1)
    if not at then
      return list
    end
    list[#list + 1] = at
  end
end

local function is_alike(f, text)
  local made = load_text("return " .. text)
  local one = made and made()
  if type(one) ~= "function" then
    return false
  end
  local a, b = debug.getinfo(f, "u"), debug.getinfo(one, "u")
  return a.nparams == b.nparams and a.isvararg == b.isvararg
end

-- The texts on these lines that may be the function: one for each "function" on the first.
local function candidates(f, lines, first, last)
  local head = table.concat(lines, "\n", first, last)
  local ends = #head - #lines[last]
  local found = {}
  for _, start in ipairs(places(lines[first], "function")) do
    for _, stop in ipairs(places(lines[last], "end")) do
      local text = ends + stop > start and without_name(head:sub(start, ends + stop + 2))
      if text and load_text("return " .. text) then
        if is_alike(f, text) then
          found[#found + 1] = text
        end
        break
      end
    end
  end
  return found
end

-- Code is the same where its dump is, but for the lines that it names: so it is loaded at the same place.
local function same_code(f, text, first)
  local one = load_text(("\n"):rep(first - 1) .. "return " .. text)()
  return string.dump(f, true) == string.dump(one, true)
end

local function text_of(f, info)
  local lines = functions.lines(info.source)
  if not lines or not lines[info.lastlinedefined] then
    return nil, "its source is not at hand"
  end
  local found = candidates(f, lines, info.linedefined, info.lastlinedefined)
  if #found > 1 then
    local same = {}
    for _, text in ipairs(found) do
      if same_code(f, text, info.linedefined) then
        same[#same + 1] = text
      end
    end
    found = #same > 0 and same or found
  end
  if #found == 1 or (found[2] and found[1] == found[2]) then
    return found[1]
  end
  return nil, #found == 0 and "its source has changed" or "several functions stand on its line"
end

-- What a function that is reachable from a loaded module is called.
local function loaded_name(f)
  local names = {}
  for name in pairs(package.loaded) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local module = package.loaded[name]
    if module == f then
      return ("require(%q)"):format(name)
    elseif type(module) == "table" and name ~= "_G" and name:sub(1, 5) ~= "raft." then
      for key, value in pairs(module) do
        if value == f and type(key) == "string" and key:find "^[%a_][%w_]*$" then
          return standard[name] and name .. "." .. key or ("require(%q).%s"):format(name, key)
        end
      end
    end
  end
  for name in pairs(standard) do
    if rawget(_G, name) == f then
      return name
    end
  end
  return nil
end

-- The text without strings and comments, so that only code is left.
local function code_of(text)
  text = text:gsub("%-%-%[(=*)%[.-%]%1%]", " "):gsub("%-%-[^\n]*", " ")
  return (text:gsub('\\.', "  "):gsub('"[^"\n]*"', '""'):gsub("'[^'\n]*'", "''"):gsub("%[(=*)%[.-%]%1%]", '""'))
end

local function declared_in(code)
  local declared = {}
  local function add(list)
    for name in list:gmatch "[%a_][%w_]*" do
      declared[name] = true
    end
  end
  for list in code:gmatch "%f[%w_]local%s+([%w_%s,]+)" do
    add((list:gsub("^function%s+", "")))
  end
  for list in code:gmatch "%f[%w_]function[%w_%.:%s]*(%b())" do
    add(list)
  end
  for list in code:gmatch "%f[%w_]for%s+([%w_%s,]-)%s*[=i]" do
    add(list)
  end
  return declared
end

-- The first global that a function uses and a script of its own would lack.
local function lacking_global(text, environment, is_known)
  local code = code_of(text)
  local declared = declared_in(code)
  for before, name, after in code:gmatch "()%f[%w_]([%a_][%w_]*)()" do
    local is_field = code:sub(1, before - 1):find "[%.:]%s*$" and not code:sub(1, before - 1):find "%.%.%s*$"
    local is_key = code:find("^%s*=[^=]", after) and code:sub(1, before - 1):find "[{,]%s*$"
    if not is_field and not is_key and not declared[name] and not standard[name] then
      local value = environment[name]
      if value ~= nil and not is_known(name, value) then
        return name
      end
    end
  end
  return nil
end

local function environment_and_local(f, info, is_known)
  local environment = environment_of and environment_of(f) or _G
  for position = 1, info.nups do
    local name, value = debug.getupvalue(f, position)
    if name == "_ENV" then
      environment = value
    elseif not is_known(name, value) then
      return nil, name
    end
  end
  return environment
end

--- A function as Lua source.
-- @tparam function f
-- @tparam function is_known is_known(name, value): whether every script of this kind has that value by that name
-- @treturn string nil, and why it cannot be written
function functions.write(f, is_known)
  local info = debug.getinfo(f, "Su")
  local name = loaded_name(f)
  if name then
    return name
  elseif info.what ~= "Lua" then
    return nil, "it is given a function that is written in C, or a whole file"
  end
  local place = ("the function of %s:%d "):format(info.short_src, info.linedefined)
  local text, why = text_of(f, info)
  if not text then
    return nil, place .. "cannot be read: " .. why
  end
  local environment, outer = environment_and_local(f, info, is_known)
  if not environment then
    return nil, place .. ("uses the local '%s'"):format(outer)
  end
  local global = lacking_global(text, environment, is_known)
  if global then
    return nil, place .. ("uses the global '%s'"):format(global)
  end
  return text
end

return functions
