-- The modules below lua/raft use each other in one direction: no circle between modules, and none between folders.
-- A module beside a folder of its name (raft.shell, raft.shell.*) is part of it.
local lu = require "luaunit"

local tests = {}

local function sources(folder)
  local list, pipe = {}, assert(io.popen("find " .. folder .. " -name '*.lua' | LC_ALL=C sort"))
  for path in pipe:lines() do
    if not path:find "/annotations/" then -- for editors, never loaded
      list[#list + 1] = path
    end
  end
  pipe:close()
  return list
end

-- A source without its comments, and with the strings that do not follow a `require` emptied.
local function code_of(text)
  local parts, position = {}, 1
  while position <= #text do
    local first = text:find("[%-\"'%[]", position)
    if not first then
      parts[#parts + 1] = text:sub(position)
      break
    end
    parts[#parts + 1] = text:sub(position, first - 1)
    local long = text:match("^%-?%-?%[(=*)%[", first)
    local quote = text:match("^[\"']", first)
    local last = first
    if text:find("^%-%-", first) or long then
      local _, ending
      if long then
        _, ending = text:find("]" .. long .. "]", first, true)
      else
        ending = text:find("\n", first, true)
      end
      last = ending or #text
    elseif quote then
      last = first + 1
      while text:sub(last, last) ~= quote do
        last = last + (text:sub(last, last) == "\\" and 2 or 1)
      end
      local is_required = table.concat(parts):sub(-20):find "require%s*%(?%s*$"
      parts[#parts + 1] = is_required and text:sub(first, last) or '""'
    else
      parts[#parts + 1] = text:sub(first, first)
    end
    position = last + 1
  end
  return table.concat(parts)
end

local function module_name(path)
  return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

local function folder_of(module)
  return module:match "^raft%.([%w_]+)" or "init"
end

-- module → the modules that it requires, one written as "raft.command." .. name is all below it.
local function read_uses()
  local uses, all = {}, sources "lua/raft"
  for _, path in ipairs(all) do
    local file = assert(io.open(path))
    local code = code_of(file:read "*a")
    file:close()
    local list = {}
    for name in code:gmatch "%f[%w_]require%s*%(?%s*\"([%w_.]+)\"" do
      for _, other in ipairs(all) do
        local module = module_name(other)
        if module == name or name:sub(-1) == "." and module:sub(1, #name) == name then
          list[module] = true
        end
      end
    end
    uses[module_name(path)] = list
  end
  return uses
end

local function by_folder(uses)
  local folders = {}
  for module, list in pairs(uses) do
    local folder = folder_of(module)
    folders[folder] = folders[folder] or {}
    for used in pairs(list) do
      if folder_of(used) ~= folder then
        folders[folder][folder_of(used)] = true
      end
    end
  end
  return folders
end

local function keys(set)
  local list = {}
  for key in pairs(set) do
    list[#list + 1] = key
  end
  table.sort(list)
  return list
end

-- The first circle, as "a → b → a"; nil: there is none.
local function find_circle(uses)
  local done = {}
  local function visit(name, path)
    for position, before in ipairs(path) do
      if before == name then
        return table.concat(path, " → ", position) .. " → " .. name
      end
    end
    if done[name] then
      return nil
    end
    path[#path + 1] = name
    for _, used in ipairs(keys(uses[name] or {})) do
      local circle = visit(used, path)
      if circle then
        return circle
      end
    end
    path[#path], done[name] = nil, true
    return nil
  end
  for _, name in ipairs(keys(uses)) do
    local circle = visit(name, {})
    if circle then
      return circle
    end
  end
  return nil
end

function tests.test_ACircleIsFound()
  lu.assertNil(find_circle { a = { b = true, c = true }, b = { c = true }, c = {} })
  lu.assertEquals(find_circle { a = { b = true }, b = { c = true }, c = { b = true } }, "b → c → b")
end

function tests.test_CommentsAndStringsAreNoRequires()
  local code = code_of('local a = require "raft.a" -- require "raft.b"\n' ..
    'write \'require "raft.c"\' --[[ require "raft.d" ]]')
  lu.assertStrContains(code, 'require "raft.a"')
  for _, name in ipairs { "raft.b", "raft.c", "raft.d" } do
    lu.assertNotStrContains(code, name)
  end
end

function tests.test_ModulesUseEachOtherInOneDirection()
  local uses = read_uses()
  lu.assertTrue(uses["raft.command.test"]["raft.test.runner"], "the requires are read")
  lu.assertTrue(uses["raft.cluster"]["raft.cluster.commands"], "those by a prefix too")
  lu.assertNil(find_circle(uses))
end

function tests.test_FoldersUseEachOtherInOneDirection()
  lu.assertNil(find_circle(by_folder(read_uses())))
end

return tests
