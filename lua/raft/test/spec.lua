--- What a spec file offers: a table of LuaUnit tests that it returns, or global Test* classes and
-- test* functions that it sets.
--
-- It loads and lists; it runs no test.
-- @module raft.test.spec

local spec = {}

local function is_test_name(name)
  return type(name) == "string" and name:sub(1, 4):lower() == "test"
end

local function sorted_names(map)
  local names = {}
  for name, value in pairs(map) do
    if is_test_name(name) and (type(value) == "function" or type(value) == "table") then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

--- The global tests that are there already.
-- @treturn table name -> value
function spec.global_names()
  local names = {}
  for _, name in ipairs(sorted_names(_G)) do
    names[name] = _G[name]
  end
  return names
end

--- A file's name as the class of its bare test functions.
-- @tparam string path
-- @treturn string without folders, endings and dots
function spec.class_name(path)
  local name = path:gsub("^.*/", ""):gsub("%.lua$", ""):gsub("_spec$", "")
  return (name:gsub("[^%w_-]", "_"))
end

-- The tests of a returned table: functions make one class of the file's name, tables are classes.
local function from_table(value, path, list)
  local has_functions = false
  for _, name in ipairs(sorted_names(value)) do
    if type(value[name]) == "function" then
      has_functions = true
    else
      list[#list + 1] = { (name:gsub("%.", "_")), value[name] }
    end
  end
  if has_functions then
    table.insert(list, 1, { spec.class_name(path), value })
  end
end

--- Lists a loaded file's tests, and removes the globals that it set, so that the next file is not
-- taken for them.
-- @param value what the file returned
-- @tparam table before what `global_names` gave before it was loaded
-- @tparam string path the file
-- @treturn table a list of {name, table or function}, as LuaUnit takes them
function spec.collect(value, before, path)
  local list = {}
  if type(value) == "table" then
    from_table(value, path, list)
  end
  for _, name in ipairs(sorted_names(_G)) do
    if _G[name] ~= before[name] then
      list[#list + 1] = { name, _G[name] }
      _G[name] = before[name]
    end
  end
  return list
end

--- The spec files of a folder and the folders in it: `*_spec.lua`. Where there is none: all `*.lua` of the folder.
-- @tparam string folder
-- @tparam function quote makes a word safe for the shell
-- @treturn table sorted paths
function spec.files(folder, quote)
  local specs, others = {}, {}
  folder = folder:gsub("(.)/+$", "%1")
  local pipe = io.popen("LC_ALL=C find " .. quote(folder) .. "/ -name '*.lua' 2>/dev/null | LC_ALL=C sort", "r")
  if pipe then
    for path in pipe:lines() do
      path = path:gsub("^" .. folder:gsub("%p", "%%%0") .. "/+", folder .. "/")
      if path:find("_spec%.lua$") then
        specs[#specs + 1] = path
      elseif not path:find("/", #folder + 2, true) then
        others[#others + 1] = path
      end
    end
    pipe:close()
  end
  return #specs > 0 and specs or others
end

return spec
