--- What a nemesis leaves behind is brought into order once all is healed: members, and a server whose disk has lied.
-- @module raft.nemesis.settle

local settle = {}

local function came(cluster, id, leader)
  local state = cluster.core:state(id)
  return state == "failed" or state == "removed"
    or cluster.core:status(id, "applied") >= cluster.core:status(leader, "commit")
end

--- The one that lied is level, or another server under its id where its disk was found damaged.
-- @tparam table nemesis
-- @tparam number timeout seconds
-- @treturn ?boolean true; nil, message, code
function settle.disk(nemesis, timeout)
  local cluster, id = nemesis.cluster, nemesis.liar
  local leader, message, code = cluster:wait_leader(timeout)
  if not leader then
    return nil, message, code
  end
  local fine
  fine, message, code = cluster:wait_until(function()
    local state = cluster.core:state(id)
    if state == "failed" or state == "removed" then
      return true
    end
    local agreed = cluster.core:leader()
    return agreed and state == "running" and came(cluster, id, agreed)
  end, timeout, ("node %d, whose disk has lied, comes level or finds its disk damaged: that"):format(id))
  if not fine then
    return nil, message, code
  elseif cluster.core:state(id) ~= "failed" then
    return true
  end
  fine, message, code = cluster:remove_servers({ id }, { timeout = timeout })
  if fine or code == "not_member" then
    fine, message, code = cluster:add_servers({ id }, { timeout = timeout })
  end
  return fine and true, message, code
end

--- The members that the leader has are agreed on again, and each is where it is now.
-- @tparam table nemesis
-- @tparam number timeout seconds
-- @treturn ?boolean true; nil, message, code
function settle.members(nemesis, timeout)
  local cluster, message, code = nemesis.cluster, nil, nil
  local deadline = cluster:now() + 2 * timeout
  while cluster:now() < deadline do
    cluster:wait_leader(10)
    local members = cluster:members()
    if members and not members.voters_old and not members.wanted then
      local fine
      fine, message, code =
        cluster:change_members({ voters = members.voters, learners = members.learners }, { timeout = 5 })
      if fine then
        return true
      end
    end
    cluster:sleep(0.2)
  end
  return nil, "the members could not be changed back after all faults were healed: "
    .. tostring(message or "there was no leader to ask"), code or "timeout"
end

return settle
