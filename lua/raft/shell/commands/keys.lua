--- The shell's commands for keys, and for commands to single nodes.
-- @module raft.shell.commands.keys

local show = require "raft.shell.show"
local words = require "raft.shell.words"

local keys = { title = "keys" }

local function key_words(key)
  return type(key) == "string" and key or show.value(key, 80)
end

-- A command about a key: run(session, cluster, key, what stands behind it).
local function about_key(command)
  local run = command.run
  function command.run(session, cluster, rest)
    local key, text = words.key(rest)
    if key == nil then
      return nil, "which key?"
    end
    return run(session, cluster, key, text)
  end
  table.insert(keys, command)
end

about_key {
  name = "set", usage = ":set KEY VALUE", example = ":set answer 42", text = "sets a key, through the leader",
  run = function(session, cluster, key, text)
    if text == "" then
      return nil, "which value?"
    end
    local value = words.value(text)
    local index, problem = session:call(cluster, "set", { key, value, n = 2 })
    return index and ("%s is %s; committed at index %d"):format(key_words(key), show.value(value, 80), index) or problem
  end,
}

about_key {
  name = "get", usage = ":get KEY", example = ":get answer", text = "reads a key, as fresh as the cluster knows it",
  run = function(session, cluster, key)
    local value, problem, code = session:call(cluster, "get", { key, n = 1 })
    if value == nil and code then
      return problem
    end
    return value == nil and ("%s has no value"):format(key_words(key)) or show.value(value, session:width())
  end,
}

about_key {
  name = "delete", usage = ":delete KEY", example = ":delete answer", text = "deletes a key",
  run = function(session, cluster, key)
    local index, problem = session:call(cluster, "delete", { key, n = 1 })
    return index and ("%s is deleted; committed at index %d"):format(key_words(key), index) or problem
  end,
}

table.insert(keys, {
  name = "submit", usage = ":submit NODE COMMAND",
  example = ':submit 2 hello, :submit leader {op="set", key=1, value=2}',
  text = "hands a command to one node, and does not wait", takes = "nodes",
  more = "Only a leader takes it; :log shows whether it stays",
  run = function(session, cluster, rest)
    local word, text = rest:match "^(%S*)%s*(.*)$"
    local node, as_source = words.nodes(word, cluster)
    if node == nil then
      return nil, as_source
    elseif type(node) ~= "number" or text == "" then
      return nil, text == "" and "which command?" or "one node at a time"
    end
    -- c:leader() gives a term, too, which would stand before the command.
    local called = { node, words.value(text), n = 2 }
    local index, term = session:call(cluster, "submit", called)
    return index and ("node %d has it at index %d in term %d; it is not committed yet"):format(node, index, term)
      or term
  end,
})

return keys
