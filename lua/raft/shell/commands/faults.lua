--- The shell's commands for faults: of nodes and of the network.
-- @module raft.shell.commands.faults

local in_force = require "raft.faults"
local on_nodes = require "raft.shell.on_nodes"
local words = require "raft.shell.words"

local faults = { title = "faults" }

local function verb(is_many, one, many)
  return is_many and many or one
end

local function add(name, text, done)
  table.insert(faults, on_nodes(name, text, done))
end

add("crash", "stops nodes at once: what was not synced is lost", function(which, is_many)
  return ("%s %s crashed; :restart starts %s again, :status shows what %s"):format(which, verb(is_many, "has", "have"),
    verb(is_many, "it", "them"), verb(is_many, "its disk holds", "their disks hold"))
end)
add("restart", "starts crashed nodes again from their disks", function(which, is_many)
  return ("%s %s again"):format(which, verb(is_many, "runs", "run"))
end)
add("pause", "freezes nodes: what arrives waits", function(which, is_many)
  return ("%s %s frozen until :resume"):format(which, verb(is_many, "is", "are"))
end)
add("resume", "lets frozen nodes go on", function(which, is_many)
  return ("%s %s on"):format(which, verb(is_many, "goes", "go"))
end)
add("disconnect", "cuts nodes' links to all others", function(which)
  return which .. ": cut off until :reconnect or :heal"
end)
add("reconnect", "restores nodes' links", function(which)
  return which .. ": reachable again"
end)

table.insert(faults, {
  name = "partition", usage = ":partition NODES NODES...", example = ":partition 1,2 3,4,5",
  text = "parts the nodes into groups that cannot talk", takes = "nodes",
  more = "Nodes in no group form one more; :heal ends it",
  run = function(session, cluster, rest)
    local groups, why = words.groups(rest, cluster)
    if not groups then
      return nil, why
    end
    groups.n = #groups
    local fine, problem = session:call(cluster, "partition", groups)
    return fine and table.concat(in_force.words(cluster), "\n") or problem
  end,
})

local function end_of(word)
  return word == "*" and "*" or word == "client" and "client" or tonumber(word)
end

table.insert(faults, {
  name = "link", usage = ":link FROM TO FAULTS...", example = ":link 1 2 drop=0.2 delay=0.01,0.05, :link * 3 cut",
  text = "sets the faults of one direction of a link", takes = "nodes",
  more = "FROM and TO are node ids, * (every node) or client; no fault: back to the default. Faults: drop, duplicate, "
    .. "reorder (0 to 1), delay (seconds), bandwidth (bytes a second), cut",
  run = function(session, cluster, rest)
    local list = words.split(rest)
    local from, to = end_of(list[1]), end_of(list[2])
    if not from or not to then
      return nil, "from where to where?"
    end
    local settings, why = words.settings(list, 3)
    if not settings then
      return nil, why
    end
    local given = next(settings) ~= nil and settings or nil
    local fine, problem = session:call(cluster, "link", { from, to, given, n = given and 3 or 2 })
    return fine and (given and table.concat(in_force.words(cluster), "\n") or "back to the default") or problem
  end,
})

table.insert(faults, {
  name = "heal", usage = ":heal [all]", example = ":heal, :heal all",
  text = "ends partition, cuts and link faults; all: crashes, pauses, disks and clocks too", takes = { "all" },
  run = function(session, cluster, rest)
    if rest ~= "" and rest ~= "all" then
      return nil, ("%s is nothing that can be healed"):format(rest)
    end
    local is_all = rest == "all"
    local fine, problem = session:call(cluster, "heal", { is_all and "all" or nil, n = is_all and 1 or 0 })
    return fine and (is_all and "every fault has ended, and every node runs" or "the network is whole again")
      or problem
  end,
})

return faults
