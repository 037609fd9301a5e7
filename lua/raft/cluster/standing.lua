--- What stands still, and why: each node's state, role and term, what it waits for and what it was last refused. For
-- the messages of checks and time-outs.
-- @module raft.cluster.standing

local standing = {}

local function peers_behind(status)
  local behind = {}
  for _, id in ipairs(status.members.voters) do
    local peer = status.peers[id]
    if peer and id ~= status.id and peer.match < status.last_index then
      behind[#behind + 1] = ("%d has %d"):format(id, peer.match)
    end
  end
  return #behind > 0 and ": " .. table.concat(behind, ", ") or ""
end

local function leader_words(status)
  if status.commit == status.last_index then
    return ("committed %d"):format(status.commit)
  end
  return ("committed %d, and waits for a majority to have %d%s"):format(status.commit, status.last_index,
    peers_behind(status))
end

local function follower_words(self, status)
  local applied = ("applied %d, "):format(status.applied)
  if status.leader ~= 0 then
    local state = self.core:state(status.leader)
    return applied .. ("follows %d%s"):format(status.leader, state ~= "running" and (" (which is %s)"):format(
      state or "no node of this cluster") or "")
  elseif #status.members.voters == 0 then
    return applied .. "waits to be added"
  end
  return applied .. "knows of no leader"
end

local function refusal(status, now)
  local refused = status.refused
  if not refused then
    return ""
  end
  local term = refused.term > 0 and (" in term %d"):format(refused.term) or ""
  local reason = refused.reason ~= "" and (" (%s)"):format(refused.reason) or ""
  return ("; its %s was refused %.3g s ago by %d%s%s"):format(refused.what, now - refused.time, refused.by, term,
    reason)
end

local function sentence(self, status, now)
  if status.state == "failed" then
    return ("%d has failed: %s"):format(status.id, status.error or "no reason given")
  elseif status.state ~= "running" then
    return ("%d is %s"):format(status.id, status.state)
  end
  local words
  if status.role == "leader" then
    words = leader_words(status)
  elseif status.role == "candidate" or status.role == "pre_candidate" then
    words = ("waits for votes of %s"):format(table.concat(status.members.voters, ", "))
  else
    words = follower_words(self, status)
  end
  return ("%d is %s of term %d%s, %s%s"):format(status.id, status.role:gsub("_", "-"), status.term,
    self.core:is_connected(status.id) and "" or " (disconnected)", words,
    status.role ~= "leader" and refusal(status, now) or "")
end

--- What every node is, in one line.
-- @tparam table self the cluster
-- @treturn string
function standing.brief(self)
  local words = {}
  for position, id in ipairs(self.core:ids()) do
    local state = self.core:state(id)
    words[position] = ("%d is %s"):format(id, state)
    if state == "running" then
      words[position] = ("%d is %s of term %d%s"):format(id, self.core:status(id, "role"), self.core:status(id, "term"),
        self.core:is_connected(id) and "" or " (disconnected)")
    end
  end
  return table.concat(words, ", ")
end

--- What every node stands at, for messages.
-- @tparam table self the cluster
-- @treturn string a line for each
function standing.describe(self)
  local words, now = {}, self.core:now_ns() / 1e9
  for position, id in ipairs(self.core:ids()) do
    words[position] = sentence(self, self.core:status(id), now)
  end
  return table.concat(words, "\n  ")
end

-- Why a member has not applied up to an index; nil: it has.
local function blocking_reason(self, id, index)
  local state = self.core:state(id)
  if state == "running" then
    local applied = self.core:status(id, "applied")
    return applied < index and ("node %d has applied %d of %d"):format(id, applied, index) or nil
  elseif state ~= "crashed" and state ~= "paused" then
    return ("node %d is a member and %s"):format(id, state and "is " .. state or "was never started")
  end
end

--- The members that have not applied up to an index (those that are crashed or paused apart, which is the script's
-- doing); a sentence in place of a list where there is no leader whose members could be looked at.
-- @tparam table self the cluster
-- @tparam integer index
-- @treturn string[]
function standing.behind(self, index)
  local leader = self.core:leader()
  if not leader then
    return { "there is no agreed leader now" }
  end
  local members, list = self.core:status(leader, "members"), {}
  for _, group in ipairs { members.voters, members.learners } do
    for _, id in ipairs(group) do
      list[#list + 1] = blocking_reason(self, id, index)
    end
  end
  return list
end

--- Waits until a predicate is true: it is asked at once and when a node has changed (its role, members, state or what
-- it has applied), which is far less often than after each event.
-- @tparam table self the cluster
-- @tparam function predicate
-- @tparam integer deadline_ns
-- @return its value; nil: the deadline came first
function standing.await(self, predicate, deadline_ns)
  local value = predicate()
  while not value and not self.driver:await(self.core:wait_change(deadline_ns)).code do
    value = predicate()
  end
  return value or nil
end

--- A failure's detail, with the address of the leader where one is named.
-- @tparam table self the cluster
-- @tparam table detail
-- @treturn table the same
function standing.with_address(self, detail)
  if detail.leader then
    detail.address = self.core:status(detail.leader).address
  end
  return detail
end

--- What an outcome that is a failure tells besides its message and code.
-- @tparam table self the cluster
-- @tparam table outcome of the driver
-- @treturn table {unknown, leader, address}
function standing.outcome_detail(self, outcome)
  return standing.with_address(self, { unknown = outcome.unknown or nil, leader = outcome.leader })
end

--- A sentence on a node that has failed and was not started again; nil: there is none.
-- @tparam table self the cluster
-- @treturn ?string
function standing.failed(self)
  for _, id in ipairs(self.core:ids()) do
    if self.core:state(id) == "failed" then
      return ("node %d has failed and was not started again: %s"):format(id, self.core:status(id).error or "")
    end
  end
end

return standing
