--- The shell's commands for leaders, members and snapshots.
-- @module raft.shell.commands.members

local on_nodes = require "raft.shell.on_nodes"
local words = require "raft.shell.words"

local members = { title = "members" }

table.insert(members, on_nodes("campaign", "lets a node stand for election now", function(which)
  return which .. " stands for election"
end, { one = true }))
table.insert(members, on_nodes("transfer", "hands leadership over to a node", function(which)
  return which .. " leads"
end, { one = true, call = "transfer_leader" }))
table.insert(members, on_nodes("compact", "takes snapshots, drops the logs that they cover", function(which, is_many)
  return ("%s %s a snapshot of now, and dropped the log before it"):format(which, is_many and "have" or "has")
end))

-- A change of members.
local function add_change(name, text, call, done)
  table.insert(members, {
    name = name, usage = (":%s NODES"):format(name), example = name == "add" and ":add 6,7" or ":remove 1", text = text,
    takes = name == "remove" and "nodes" or nil,
    run = function(session, cluster, rest)
      local which, as_source = words.nodes(rest, cluster)
      if which == nil then
        return nil, as_source
      elseif type(which) == "string" then
        return nil, "which of them?"
      end
      local list = type(which) == "table" and which or { which }
      local fine, problem = session:call(cluster, call, { list, n = 1 })
      return fine and words.of_nodes(which) .. done or problem
    end,
  })
end

add_change("add", "starts new nodes and makes them voters", "add_servers", ": now part of the cluster")
add_change("remove", "removes members", "remove_servers", ": no longer part of the cluster")

return members
