--- The menu's twelve commands. Each takes the session and its words and returns the answer.
--
-- An error raised by the cluster is the caller's to show; these only say what they know better.
-- @module raft.menu.commands

local words = require "raft.menu.words"

local LEADER_WAIT_S = 10

local function join(ids)
  local parts = {}
  for position, id in ipairs(ids) do
    parts[position] = string.format("%.0f", id)
  end
  return table.concat(parts, ", ")
end

local function nodes_word(ids)
  return (#ids == 1 and "node " or "nodes ") .. join(ids)
end

-- What a call that may return nil, message, code, detail says, in one sentence.
local function refusal(message, code, detail)
  local text = tostring(message or "it did not work")
  local leader = type(detail) == "table" and detail.leader
  if code == "not_leader" and leader and not text:find(tostring(leader), 1, true) then
    text = text .. string.format(" (the leader is node %s)", words.show(leader))
  end
  if type(detail) == "table" and detail.unknown then
    text = text .. "; it may still take effect"
  end
  return text
end

local function leader_words(id, term)
  return string.format("node %s leads in term %s", words.show(id), words.show(term))
end

local function create(session, list)
  local count = words.id(list[1])
  if not count or count > session.nodes_most then
    return string.format("'%s' is not a number of nodes from 1 to %d", list[1].text, session.nodes_most)
  elseif session.cluster then
    return "there is a cluster already: " .. nodes_word(session.cluster:ids()) .. " (8 shuts it down)"
  end
  local cluster, problem = session.make { nodes = count, mode = session.mode, name = "menu" }
  if not cluster then
    return "not created: " .. tostring(problem)
  end
  session.cluster = cluster
  local id, message = cluster:wait_leader(LEADER_WAIT_S)
  local text = string.format("created a cluster of %d nodes", count)
  if count == 1 then
    text = "created a cluster of 1 node"
  end
  if not id then
    return text .. "; it has no leader yet: " .. tostring(message)
  end
  return text .. "; " .. leader_words(session.cluster:leader())
end

local function peer_option(session, word)
  if not word then
    return true, nil
  end
  local id = words.id(word)
  if not id then
    return false, "'" .. word.text .. "' is not a node id"
  elseif not session:knows(id) then
    return false, session:unknown(id)
  end
  return true, { node = id }
end

local function set(session, list)
  local fine, options = peer_option(session, list[3])
  if not fine then
    return options
  end
  local key, value = list[1].text, words.value(list[2])
  local index, message, code, detail = session.cluster:set(key, value, options)
  if not index then
    return "not set: " .. refusal(message, code, detail)
  end
  return string.format("%s = %s (index %s)", key, words.show(value), words.show(index))
end

local function get(session, list)
  local fine, options = peer_option(session, list[2])
  if not fine then
    return options
  end
  local value, message, code, detail = session.cluster:get(list[1].text, options)
  if value == nil then
    if message == nil then
      return "there is no key '" .. list[1].text .. "'"
    end
    return "not read: " .. refusal(message, code, detail)
  end
  return list[1].text .. " = " .. words.show(value)
end

-- A command that takes one id: the name of the cluster's method, and what to say.
local function on_one(method, done, wanted_state)
  return function(session, list)
    local id = words.id(list[1])
    if not id then
      return "'" .. list[1].text .. "' is not a node id"
    elseif not session:knows(id) then
      return session:unknown(id)
    end
    local status = session.cluster:status(id)
    local state = type(status) == "table" and status.state
    if wanted_state and state and not wanted_state[state] then
      return string.format("node %s is %s", words.show(id), state)
    end
    local outcome, message, code, detail = session.cluster[method](session.cluster, id)
    if outcome == nil and message then
      return refusal(message, code, detail)
    end
    return string.format("node %s %s", words.show(id), done)
  end
end

local function shutdown(session)
  session:close()
  return "the cluster is shut down"
end

local function check_leader(session)
  return leader_words(session.cluster:check_one_leader())
end

local function read_ids(list)
  local ids, seen = {}, {}
  for position, word in ipairs(list) do
    local id = words.id(word)
    if not id then
      return nil, "'" .. word.text .. "' is not a node id"
    elseif seen[id] then
      return nil, string.format("node %s is named twice", words.show(id))
    end
    seen[id] = true
    ids[position] = id
  end
  return ids
end

local function members_words(session)
  local members = session.cluster:members()
  return members and "; the members are " .. join(members.voters) or ""
end

local function add_servers(session, list)
  local ids, problem = read_ids(list)
  if not ids then
    return problem
  end
  for _, id in ipairs(ids) do
    if session:is_member(id) then
      return string.format("node %s exists already", words.show(id))
    end
  end
  local index, message, code, detail = session.cluster:add_servers(ids)
  if not index then
    return "not added: " .. refusal(message, code, detail)
  end
  return "added " .. nodes_word(ids) .. members_words(session)
end

local function remove_servers(session, list)
  local ids, problem = read_ids(list)
  if not ids then
    return problem
  end
  for _, id in ipairs(ids) do
    if not session:is_member(id) then
      return string.format("node %s is not a member", words.show(id))
    end
  end
  local index, message, code, detail = session.cluster:remove_servers(ids)
  if not index then
    return "not removed: " .. refusal(message, code, detail)
  end
  return "removed " .. nodes_word(ids) .. members_words(session)
end

-- In the order of their numbers. least and most: how many words follow; free: works without a cluster.
return {
  { name = "create cluster", usage = "N", least = 1, most = 1, free = true, run = create },
  { name = "set", usage = "KEY VALUE [ID]", least = 2, most = 3, run = set },
  { name = "get", usage = "KEY [ID]", least = 1, most = 2, run = get },
  { name = "disconnect", usage = "ID", least = 1, most = 1, run = on_one("disconnect", "is disconnected") },
  { name = "reconnect", usage = "ID", least = 1, most = 1, run = on_one("reconnect", "is connected again") },
  { name = "crash", usage = "ID", least = 1, most = 1,
    run = on_one("crash", "has crashed", { running = true, paused = true }) },
  { name = "restart", usage = "ID", least = 1, most = 1,
    run = on_one("restart", "runs again", { crashed = true, failed = true }) },
  { name = "shutdown", usage = "", least = 0, most = 0, run = shutdown },
  { name = "check leader", usage = "", least = 0, most = 0, run = check_leader },
  { name = "stop", usage = "", least = 0, most = 0, free = true, ends = true, run = function() return "stopped" end },
  { name = "add servers", usage = "ID...", least = 1, most = math.huge, run = add_servers },
  { name = "remove servers", usage = "ID...", least = 1, most = math.huge, run = remove_servers },
}
