-- What users reach of Raftbench: found by making one of each, so that nothing is forgotten here. For
-- annotations.lua and the spec of what is documented.

local raft = require "raft"
local reference = require "raft.reference"
local script = require "raft.script"
local source = require "raft.script.source"

local public = {}

-- The functions in a table that have no name of Lua's own, in the order of their sources: list of {name, f}.
local function functions_of(methods)
  local list = {}
  for _, name in ipairs(source.keys(methods)) do
    if type(methods[name]) == "function" and not name:find "^__" then
      local info = debug.getinfo(script.unwrap(methods[name]), "S")
      list[#list + 1] = { name = name, f = methods[name], path = info.source, line = info.linedefined }
    end
  end
  table.sort(list, function(a, b)
    if a.path ~= b.path then
      return a.path < b.path
    elseif a.line ~= b.line then
      return a.line < b.line
    end
    return a.name < b.name
  end)
  return list
end

local function class(name, variable, separator, methods)
  return { name = name, variable = variable, separator = separator, functions = functions_of(methods) }
end

local function methods_of(object)
  local metatable = getmetatable(object) or debug.getmetatable(object)
  return metatable.methods or metatable.__index
end

-- A message is seen only by who intercepts it.
local function some_message(cluster)
  local found
  cluster:intercept(function(message)
    found = message
  end)
  cluster:wait_leader()
  cluster:intercept(nil)
  return assert(found, "no message was sent")
end

--- The classes in Lua: list of {name, variable, separator, functions = {{name, f, path, line}}}.
-- @treturn table
function public.classes()
  local cluster = assert(raft.cluster { nodes = 3, mode = "sim", seed = 1 })
  local client = cluster:client(function() end)
  local message = some_message(cluster)
  local node = assert(raft.node { id = 1, listen = "127.0.0.1:0", join = true })
  local attached = assert(raft.attach(require "luv"))
  local classes = {
    class("raft.module", "raft", ".", raft),
    class("raft.assert", "assertions", ".", raft.assert),
    class("raft.cluster", "cluster", ":", methods_of(cluster)),
    class("raft.client", "client", ":", methods_of(client)),
    class("raft.history", "history", ":", methods_of(require("raft.history").new())),
    class("raft.message", "message", ":", methods_of(message)),
    class("raft.nemesis", "nemesis", ":", methods_of(cluster:nemesis { "pause" })),
    class("raft.node", "node", ":", methods_of(node)),
    class("raft.attached", "attached", ":", methods_of(attached)),
  }
  attached:close()
  require("luv").run "nowait" -- luv 1.44 crashes at exit while a handle is still closing
  node:close()
  cluster:shutdown()
  return classes
end

--- The functions in C, as the library writes them: "core.frame", "replica:step". Sorted.
-- @treturn table list
function public.core_functions()
  local core = raft.core
  local list = {}
  local function add(prefix, methods)
    for _, one in ipairs(functions_of(methods)) do
      list[#list + 1] = prefix .. one.name
    end
  end
  add("core.", core)
  add("bench.", core.bench)
  add("replica:", methods_of(core.replica { voters = { 1 } }))
  add("cores:", methods_of(core.cores()))
  add("stream:", methods_of(core.stream(1, "one")))
  add("checker:", methods_of(core.checker()))
  add("log_reader:", methods_of(core.log_reader()))
  add("snapshot_reader:", methods_of(core.snapshot_reader()))
  table.sort(list)
  return list
end

--- What raft has beside functions: list of {name, text}, the text from the comment in init.lua.
-- @treturn table
function public.fields()
  local texts, text = {}, nil
  for line in io.lines "lua/raft/init.lua" do
    local name = line:match "^  ([%w_]+) = "
    if name then
      texts[name] = text
    end
    text = line:match "^  %-%-%- (.*)$"
  end
  local list = {}
  for _, name in ipairs(source.keys(raft)) do
    if type(raft[name]) ~= "function" then
      list[#list + 1] = { name = name, text = texts[name], value = raft[name] }
    end
  end
  return list
end

--- What is written above a function; see raft.reference.
-- @tparam table one of a class's functions
-- @treturn ?table
function public.entry(one)
  return reference.of_function(one.f)
end

--- The names of a function's parameters.
-- @tparam table entry
-- @treturn table list
function public.parameters(entry)
  local names = {}
  for name in entry.signature:gmatch "[%w_%.]+" do
    names[#names + 1] = name
  end
  return names
end

return public
