--- Commands of the shell that call a cluster's method with one node, some, or all.
-- @module raft.shell.on_nodes

local words = require "raft.shell.words"

--- Makes such a command.
-- @tparam string name
-- @tparam string text what it does
-- @tparam function done done(which in words, whether several) → what it did
-- @tparam ?table options `call` the method, where it has another name; `one`: it takes one node only
-- @treturn table the command
local function on_nodes(name, text, done, options)
  options = options or {}
  return {
    name = name, usage = (options.one and ":%s NODE" or ":%s NODES"):format(name),
    example = (options.one and ":%s 2" or ":%s 2, :%s 1,3, :%s leader, :%s all"):format(name, name, name, name),
    text = text, takes = "nodes",
    run = function(session, cluster, rest)
      local which, as_source = words.nodes(rest, cluster)
      if which == nil then
        return nil, as_source
      elseif options.one and type(which) ~= "number" then
        return nil, "one node at a time"
      end
      local fine, problem = session:call(cluster, options.call or name, { which, n = 1 }, { as_source })
      return fine and done(words.of_nodes(which), type(which) ~= "number") or problem
    end,
  }
end

return on_nodes
