--- What a nemesis leaves behind is brought into order once all is healed: members, and a server whose disk has lied.
-- @module raft.nemesis.settle

local settle = {}

local RETRY_S = 0.05
local PATIENCE_S = 1 -- so long may the cluster bring itself into order

-- The ids that the agreed leader lists; nil: there is none, or a change is under way.
local function listed(cluster)
  local members = cluster:members()
  if not members or members.voters_old or members.wanted then
    return nil
  end
  local ids = {}
  for _, group in ipairs { members.voters, members.learners } do
    for _, id in ipairs(group) do
      ids[#ids + 1] = id
    end
  end
  return ids, members
end

local function lists(ids, wanted)
  for _, id in ipairs(ids) do
    if id == wanted then
      return true
    end
  end
  return false
end

-- Removes a server that has failed and adds another under its id, as often as that is refused.
local function replace(cluster, id, timeout)
  local deadline, message, code = cluster:now() + timeout, nil, nil
  while cluster:now() < deadline do
    local ids = listed(cluster)
    if ids and not lists(ids, id) then
      local added, why, which = cluster:add_servers({ id }, { timeout = timeout })
      if added or cluster.core:state(id) ~= "failed" then
        return true
      end
      message, code = why, which
    elseif ids then
      local _, why, which = cluster:remove_servers({ id }, { timeout = timeout })
      message, code = why, which
    end
    cluster:sleep(RETRY_S)
  end
  return nil, ("no other server took the place of node %d, whose disk is damaged: %s"):format(id,
    message or "there was no leader to ask"), code or "timeout"
end

--- The one that lied is level, or another server under its id where its disk was found damaged.
-- @tparam table nemesis
-- @tparam number timeout seconds
-- @treturn ?boolean true; nil, message, code
function settle.disk(nemesis, timeout)
  local cluster, id = nemesis.cluster, nemesis.cluster.liar
  local fine, message, code = cluster:wait_until(function()
    local leader = cluster.core:leader()
    local ids = leader and listed(cluster)
    return ids and (cluster.core:state(id) == "failed" or not lists(ids, id)
      or cluster.core:state(id) == "running" and cluster.core:status(id, "applied")
        >= cluster.core:status(leader, "commit"))
  end, timeout, ("node %d, whose disk has lied, is level, or finds its disk damaged: that"):format(id))
  if not fine then
    return nil, message, code
  elseif cluster.core:state(id) ~= "failed" then
    return true
  end
  return replace(cluster, id, timeout)
end

-- What a running server knows of the members; nil: nothing, for it waits to be added.
local function known_members(core, id)
  local members = core:state(id) == "running" and core:status(id, "members")
  return members and #members.voters > 0 and members or nil
end

-- The latest configuration that a running server knows; nil: none knows it as committed, so that those whom it does
-- not list may be needed to agree on it. That asks for no leader: there may be none for long.
local function latest_committed(core)
  local latest, agreed = -1, nil
  for _, id in ipairs(core:ids()) do
    local members = known_members(core, id)
    local index = members and core:status(id, "members_index") or -1
    if index > latest then
      latest, agreed = index, nil
    end
    if members and index == latest and core:status(id, "commit") >= index then
      agreed = members
    end
  end
  return agreed
end

-- A server that was removed and was not told stands for election still. Without pre-vote it raises the term again and
-- again, and no leader stays (dissertation, 4.2.3): whoever removes a server stops it. Whether that is done, for the
-- latest configuration is committed.
local function stop_removed(cluster)
  local core = cluster.core
  local members = latest_committed(core)
  if not members then
    return false
  end
  local is_listed = {}
  for _, group in ipairs { members.voters, members.learners, members.voters_old or {} } do
    for _, id in ipairs(group) do
      is_listed[id] = true
    end
  end
  for _, id in ipairs(core:ids()) do
    if not is_listed[id] and known_members(core, id) then
      core:stop_removed(id)
    end
  end
  return true
end

-- Whether each that is listed is the server that is there now, but for one whose disk has lied.
local function are_themselves(cluster)
  local ids = listed(cluster)
  for _, id in ipairs(ids or {}) do
    local state = cluster.core:state(id)
    if state ~= "running" or not cluster:status(id, "member") then
      if state ~= "failed" or id ~= cluster.liar then
        return false
      end
    end
  end
  return ids ~= nil
end

--- Those that the leader lists are there, and each is the server that is listed. A change that timed out may still have
-- come, and list a node as it was before it was added again: the same members once more make it right.
-- @tparam table nemesis
-- @tparam number timeout seconds
-- @treturn ?boolean true; nil, message, code
function settle.members(nemesis, timeout)
  local cluster, message, code = nemesis.cluster, nil, nil
  local deadline = cluster:now() + 2 * timeout
  while cluster:now() < deadline do
    local waits_until = cluster:now() + PATIENCE_S
    while cluster:now() < waits_until do
      if stop_removed(cluster) and are_themselves(cluster) then
        return true
      end
      cluster:sleep(RETRY_S)
    end
    local ids, members = listed(cluster)
    if ids then
      local _, why, which =
        cluster:change_members({ voters = members.voters, learners = members.learners }, { timeout = 5 })
      message, code = why, which
    end
  end
  return nil, "the members could not be changed back after all faults were healed: "
    .. tostring(message or "there was no leader to ask"), code or "timeout"
end

return settle
