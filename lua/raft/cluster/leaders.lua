--- Who leads.
-- @module raft.cluster.leaders

local arguments = require "raft.arguments"
local standing = require "raft.cluster.standing"

local leaders = {}

local TIMEOUTS_TO_AGREE = 20 -- longest election time-outs that an agreement may take

--- The agreed leader now.
-- @treturn ?integer its id; nil: none
-- @treturn ?integer its term
function leaders:leader()
  local id, term = self.core:leader()
  if id then
    return id, term
  end
  return nil
end

--- All that believe they lead, cut off or not.
-- @treturn raft.leadership[] list of {id, term}
function leaders:leaders()
  return self.core:leaders()
end

--- Runs until a running node that is not disconnected leads, and a quorum that it reaches both ways names it in its
-- term.
-- @tparam[opt=10] ?number timeout seconds
-- @tparam[opt=0] ?integer above in a later term than this
-- @treturn ?integer its id; nil, message, "timeout"
-- @treturn integer its term
function leaders:wait_leader(timeout, above)
  local length_ns = arguments.seconds("timeout", timeout, 10)
  above = above == nil and 0 or above
  if not arguments.is_integer(above) or above < 0 then
    arguments.fail("above", "a term", above)
  end
  self.driver:check_may_wait("wait_leader")
  local outcome = self.driver:await(self.core:wait_leader(above, self:deadline_ns(length_ns)))
  if outcome.code then
    return nil, ("no leader%s within %g s: %s"):format(above > 0 and " above term " .. above or "", length_ns / 1e9,
      standing.brief(self)), "timeout", {}
  end
  return outcome.index, outcome.term
end

--- Checks that there is one leader.
-- @treturn integer its id; raises an error if two lead in one term, or none is agreed within 20 longest election
-- time-outs
-- @treturn integer its term
function leaders:check_one_leader()
  self.driver:check_may_wait("check_one_leader")
  local length_s = self.options.election_max * TIMEOUTS_TO_AGREE
  local id, term = self:wait_leader(length_s)
  local by_term = {}
  for _, leader in ipairs(self:leaders()) do
    if by_term[leader.term] then
      arguments.raise("one leader in a term was expected, but nodes %d and %d both lead in term %d",
        by_term[leader.term], leader.id, leader.term)
    end
    by_term[leader.term] = leader.id
  end
  if not id then
    arguments.raise("one leader was expected, but none was agreed within %g s: %s", length_s, standing.brief(self))
  end
  return id, term
end

--- Checks that no connected running node believes itself leader; raises an error if one does.
function leaders:check_no_leader()
  for _, leader in ipairs(self:leaders()) do
    if self.core:is_connected(leader.id) then
      arguments.raise("no leader was expected, but node %d leads in term %d", leader.id, leader.term)
    end
  end
end

--- Fires a node's election timer now.
-- @tparam raft.ids id a node's id, a list of ids or "all"; a number that follows is ignored
-- @tparam ?raft.campaign_options options `force = true`: without pre-vote, and voters do not hold back for a live
-- leader
-- @treturn ?boolean true; nil, message, code, detail
function leaders:campaign(id, options)
  options = arguments.options("options", type(options) == "table" and options or nil, { force = true })
  if options.force ~= nil and type(options.force) ~= "boolean" then
    arguments.fail("options.force", "a boolean", options.force)
  end
  return self:control(id, function(one)
    return self.core:campaign(one, options.force == true)
  end)
end

--- Hands leadership over: the leader brings that node level, takes no commands meanwhile ("busy"), and tells it to
-- campaign at once; waits until it is the agreed leader. What has not come about within one election time-out is given
-- up ("timeout"), and the leader takes commands again.
-- @tparam integer id a voter
-- @tparam ?raft.timeout_options options `timeout` seconds, 10 if not given
-- @treturn ?integer its id; nil, message, code, detail ("not_member": it is no voter)
-- @treturn integer the term in which it leads
function leaders:transfer_leader(id, options)
  arguments.id("id", id)
  options = arguments.options("options", type(options) == "table" and options or nil, { timeout = true })
  local length_ns = arguments.seconds("options.timeout", options.timeout, 10)
  self.driver:check_may_wait("transfer_leader")
  local deadline_ns = self:deadline_ns(length_ns)
  local ticket, problem, problem_code, what = self.core:transfer(id, deadline_ns)
  if not ticket then
    return nil, problem, problem_code, what
  end
  local outcome = self.driver:await(ticket)
  if outcome.code then
    return nil, outcome.message, outcome.code, standing.outcome_detail(self, outcome)
  end
  local agreed = standing.await(self, function()
    return self.core:leader() == id
  end, deadline_ns)
  if not agreed then
    return nil, ("node %d took leadership over, but is not agreed on within %g s: %s"):format(id, length_ns / 1e9,
      standing.brief(self)), "timeout", { unknown = true }
  end
  return self:leader()
end

return leaders
