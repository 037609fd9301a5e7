--- Nodes as processes of their own: how their program is started, and what it does.
--
-- A node's process is this same interpreter, told where the modules are that its parent has loaded from. It knows
-- nothing but the connection that it has inherited (descriptor 3), over which its cluster says all else.
-- @module raft.processes

local core = require "raft.core"
local strict = require "raft.strict"

local processes = {}

-- The interpreter; nil and a message where this program is none.
local function find_interpreter()
  local chosen = os.getenv "RAFTBENCH_LUA"
  if chosen and chosen ~= "" then
    return chosen
  end
  local path, problem = core.interpreter()
  if not path then
    return nil, problem
  end
  local name = path:match "[^/]*$"
  if name:find "^lua" then
    return path
  end
  return nil, ("this program, %s, is no Lua interpreter that could run them; set RAFTBENCH_LUA to one"):format(name)
end

--- The words that start another Lua that finds our modules where this one does, and runs a piece of Lua.
-- @tparam string code
-- @treturn ?table words; nil and a message where this program is no Lua interpreter
function processes.words(code)
  local interpreter, problem = find_interpreter()
  if not interpreter then
    return nil, problem
  end
  return { interpreter, "-e", ("package.path, package.cpath = %q, %q %s"):format(package.path, package.cpath, code) }
end

--- What raft.core needs to start the processes of a cluster.
-- @tparam table given the options of raft.cluster
-- @treturn ?table `command`: words; `directory`: nil for a temporary one; `machine`: "kv" or a module's name; nil,
-- message, "unsupported" where there can't be any, or they cannot have what is asked for
function processes.of(given)
  local words, problem = processes.words(
    ("os.exit(require('raft.processes').serve(%s), true)"):format(given.strict and "true" or ""))
  if not words then
    return nil, "nodes cannot be processes: " .. problem, "unsupported"
  elseif type(given.machine) == "function" then
    return nil, "a function of the script cannot be the machine of a node in a process of its own: give `machine` "
      .. "the name of a module that returns it", "unsupported"
  elseif given.state ~= nil then
    return nil, "what is on the disks at the start (`state`) cannot be given where each node is a process of its own",
      "unsupported"
  end
  return {
    command = words,
    machine = given.machine or "kv",
    directory = given.dir,
  }
end

-- A fresh machine of the module, as raft.cluster's option `machine` makes it.
local function make_machine(id, name)
  local made = require(name)
  if type(made) ~= "function" then
    error(("the module '%s' does not return a function(id)"):format(name), 0)
  end
  return made(id)
end

--- What a node's process does: it is one node of a cluster until that ends.
-- @tparam ?boolean is_strict whether its machine is (see raft.strict)
-- @treturn integer the exit status
function processes.serve(is_strict)
  return core.serve_process(is_strict and function(id, name)
    return strict.machine(make_machine(id, name))
  end or make_machine)
end

return processes
