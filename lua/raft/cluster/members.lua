--- Members: who belongs to the cluster, and changing it.
-- @module raft.cluster.members

local arguments = require "raft.arguments"
local standing = require "raft.cluster.standing"

local members = {}

local known = { node = true, timeout = true, wait = true, stop = true }

--- The members: of the agreed leader, or as a node sees them.
-- @tparam ?integer id
-- @treturn ?raft.members {voters, learners}, voters_old while joint, and wanted = {voters, learners, added} while new
-- voters are brought level; nil, message, "no_leader", detail
function members:members(id)
  if id ~= nil then
    if not self:knows("id", id) then
      return self:unknown_node(id)
    end
  else
    id = self.core:leader()
    if not id then
      return nil, "there is no agreed leader to ask for the members", "no_leader", {}
    end
  end
  local status = self.core:status(id)
  if not status.members then
    return nil, ("node %d is %s"):format(id, status.state), "node_down", {}
  end
  return status.members
end

local function as_set(list)
  local set = {}
  for _, id in ipairs(list) do
    set[id] = true
  end
  return set
end

local function position_in(before, id)
  return as_set(before.voters)[id] and "voter" or as_set(before.learners)[id] and "learner" or nil
end

-- Which of the members in force are no longer wanted.
local function leaving(before, wanted)
  local stays, list = as_set(wanted.voters), {}
  for id in pairs(as_set(wanted.learners)) do
    stays[id] = true
  end
  for _, group in ipairs { before.voters, before.learners } do
    for _, id in ipairs(group) do
      if not stays[id] then
        list[#list + 1] = id
      end
    end
  end
  return list
end

-- A new node of an empty disk for each wanted server that is no member, whatever of its id was there before: its
-- directory is then in the change. A member whose node was removed is another server than the one that is there.
-- Gives the directories of those that it has started, by id.
local function start_new(self, wanted, before)
  local is_member, started = as_set(before.voters), {}
  for _, list in ipairs { before.learners, before.voters_old or {} } do
    for _, id in ipairs(list) do
      is_member[id] = true
    end
  end
  for _, group in ipairs { wanted.voters, wanted.learners } do
    for _, id in ipairs(group) do
      local state = self.core:state(id)
      local has_left = state == "removed" or state == "stopping"
      local start = not is_member[id] and self.core.add_node or has_left and self.core.restart
      if start then
        local fine, message, code, detail = start(self.core, id)
        if not fine then
          return nil, message, code, detail
        end
        started[id] = self.core:directory(id)
      end
    end
  end
  return started
end

-- Removed servers stop by themselves once they know; what has not after one longest election time-out is stopped here.
-- `gone`: their directories by id: somebody may have added that id again meanwhile, which is another server.
local function stop_removed(self, gone)
  local function is_there(id)
    return self.core:directory(id) == gone[id]
  end
  local function await_none(running)
    standing.await(self, function()
      for id in pairs(gone) do
        local state = is_there(id) and self.core:state(id)
        if state == "stopping" or running and state == "running" then
          return false
        end
      end
      return true
    end, self:deadline_ns(arguments.ns(self.options.election_max)))
  end
  await_none(true)
  for _, id in ipairs(self:ids()) do
    if gone[id] and is_there(id) and self.core:state(id) ~= "removed" then
      self.core:stop_removed(id)
    end
  end
  await_none(false)
end

-- Those of the given servers that the agreed leader does not list.
local function not_members(self, directories)
  local list, leader = {}, self.core:leader()
  local in_force = leader and self.core:status(leader, "members")
  if in_force then
    local listed = as_set(in_force.voters)
    for _, id in ipairs(in_force.learners) do
      listed[id] = true
    end
    for id, directory in pairs(directories) do
      list[id] = not listed[id] and directory or nil
    end
  end
  return list
end

-- Why a change was not done in time, as far as the agreed leader tells.
local function pending(self)
  local leader = self.core:leader()
  local in_force = leader and self.core:status(leader, "members")
  if not in_force then
    return ""
  elseif in_force.voters_old then
    return "; the new members have to agree on it still"
  elseif not in_force.wanted then
    return ""
  end
  local is_voter, coming = as_set(in_force.voters), {}
  for _, id in ipairs(in_force.wanted.voters) do
    coming[#coming + 1] = not is_voter[id] and ("node %d is being brought level"):format(id) or nil
  end
  return "; it goes on: " .. table.concat(coming, ", ")
end

local function change(self, wanted, options, before)
  local gone = {}
  for _, id in ipairs(leaving(before, wanted)) do
    gone[id] = self.core:directory(id)
  end
  local started, message, code, detail = start_new(self, wanted, before)
  if not started then
    return nil, message, code, detail
  end
  if options.wait == false then
    local node = options.node or self.core:leader()
    if not node then
      return nil, "there is no agreed leader to take the change of members", "no_leader", {}
    end
    local index, term, refused, what = self.core:begin_change(node, wanted.voters, wanted.learners)
    if not index then
      return nil, term, refused, standing.with_address(self, what)
    end
    return index, term
  end
  local ticket, problem, problem_code, what =
    self.core:change(options.node or 0, wanted.voters, wanted.learners, options.deadline_ns)
  if not ticket then
    return nil, problem, problem_code, what
  end
  local outcome = self.driver:await(ticket)
  if outcome.code then
    if outcome.code == "timeout" and not outcome.unknown then
      stop_removed(self, not_members(self, started)) -- what was given up
    end
    local more = outcome.code == "timeout" and outcome.unknown and pending(self) or ""
    return nil, outcome.message .. more, outcome.code, standing.outcome_detail(self, outcome)
  end
  if options.stop ~= false then
    stop_removed(self, gone)
  end
  return outcome.index, outcome.term
end

local function check_options(self, options)
  options = arguments.options("options", options, known)
  if options.node ~= nil then
    arguments.id("options.node", options.node)
  end
  local length_ns = arguments.seconds("options.timeout", options.timeout, 10)
  if options.wait ~= false then
    self.driver:check_may_wait("a change of members")
  end
  self.driver:not_in_step("a change of members")
  return {
    node = options.node, wait = options.wait, stop = options.stop, length_s = length_ns / 1e9,
    deadline_ns = self:deadline_ns(length_ns), -- of all its waits together
  }
end

-- The members in force at the leader that takes the change, once there is one.
local function present(self, options)
  if options.node then
    return self:members(options.node)
  end
  if not self.core:leader() and options.wait ~= false then
    local outcome = self.driver:await(self.core:wait_leader(0, options.deadline_ns))
    if outcome.code then
      return nil, ("no leader took the change of members within %g s"):format(options.length_s), "no_leader", {}
    end
  end
  return self:members()
end

--- Changes the members to exactly these, any number at once, through joint consensus. New voters are brought level
-- first, as learners; where one does not come level in time the change is given up ("timeout"): the members are those
-- of before, and the nodes that were started for it stop.
-- @tparam raft.wanted_members wanted { voters = {ids}, learners = {ids} }
-- @tparam ?raft.change_options options `node`, `timeout`, `wait = false` (→ index, term at once; new voters are not
-- brought level first), `stop = false` (removed nodes run on)
-- @treturn ?integer the index of the change; nil, message, code, detail
-- @treturn integer its term
function members:change_members(wanted, options)
  if type(wanted) ~= "table" then
    arguments.fail("wanted", "a table { voters, learners }", wanted)
  end
  for name in pairs(wanted) do
    if name ~= "voters" and name ~= "learners" then
      arguments.raise("bad argument 'wanted' (there is no '%s')", tostring(name))
    end
  end
  local voters = arguments.ids("wanted.voters", wanted.voters)
  local learners = arguments.ids("wanted.learners", wanted.learners or {}, true)
  for _, id in ipairs(learners) do
    if as_set(voters)[id] then
      arguments.fail("wanted.learners", "ids that are not voters", id)
    end
  end
  local checked = check_options(self, options)
  local before, message, code, detail = present(self, checked)
  if not before then
    return nil, message, code, detail
  end
  return change(self, { voters = voters, learners = learners }, checked, before)
end

-- The members in force with some taken out and some put in.
local function adjusted(before, out, voters, learners)
  local gone = as_set(out)
  local wanted = { voters = {}, learners = {} }
  for name, list in pairs(wanted) do
    for _, id in ipairs(before[name]) do
      if not gone[id] then
        list[#list + 1] = id
      end
    end
  end
  for _, id in ipairs(voters) do
    wanted.voters[#wanted.voters + 1] = id
  end
  for _, id in ipairs(learners) do
    wanted.learners[#wanted.learners + 1] = id
  end
  return wanted
end

local function add(self, ids, options, as_learners)
  local before, message, code, detail = present(self, options)
  if not before then
    return nil, message, code, detail
  end
  for _, id in ipairs(ids) do
    local position = position_in(before, id)
    if position then
      return nil, ("node %d is a %s already"):format(id, position), "already_member", {}
    end
  end
  return change(self, adjusted(before, {}, as_learners and {} or ids, as_learners and ids or {}), options, before)
end

--- Starts new nodes and makes them voters, in one change.
-- @tparam integer[] ids
-- @tparam ?raft.change_options options as for change_members
-- @treturn ?integer the index of the change; nil, message, code, detail
-- @treturn integer its term
function members:add_servers(ids, options)
  arguments.ids("ids", ids)
  return add(self, ids, check_options(self, options), false)
end

--- Starts new nodes that follow without a vote.
-- @tparam integer[] ids
-- @tparam ?raft.change_options options as for change_members
-- @treturn ?integer the index of the change; nil, message, code, detail
-- @treturn integer its term
function members:add_learners(ids, options)
  arguments.ids("ids", ids)
  return add(self, ids, check_options(self, options), true)
end

--- Removes members, the leader too if it is among them, in one change; they stop.
-- @tparam integer[] ids
-- @tparam ?raft.change_options options as for change_members
-- @treturn ?integer the index of the change; nil, message, code, detail
-- @treturn integer its term
function members:remove_servers(ids, options)
  arguments.ids("ids", ids)
  options = check_options(self, options)
  local before, message, code, detail = present(self, options)
  if not before then
    return nil, message, code, detail
  end
  for _, id in ipairs(ids) do
    if not position_in(before, id) then
      return nil, ("node %d is not a member"):format(id), "not_member", {}
    end
  end
  local wanted = adjusted(before, ids, {}, {})
  if #wanted.voters == 0 then
    arguments.fail("ids", "a change that leaves at least one voter", table.concat(ids, ", "))
  end
  return change(self, wanted, options, before)
end

--- Makes learners voters.
-- @tparam integer[] ids
-- @tparam ?raft.change_options options as for change_members
-- @treturn ?integer the index of the change; nil, message, code, detail
-- @treturn integer its term
function members:promote(ids, options)
  arguments.ids("ids", ids)
  options = check_options(self, options)
  local before, message, code, detail = present(self, options)
  if not before then
    return nil, message, code, detail
  end
  for _, id in ipairs(ids) do
    local position = position_in(before, id)
    if position ~= "learner" then
      return nil, ("node %d is %s"):format(id, position and "a voter already" or "no member"),
        position and "already_member" or "not_member", {}
    end
  end
  return change(self, adjusted(before, ids, ids, {}), options, before)
end

return members
