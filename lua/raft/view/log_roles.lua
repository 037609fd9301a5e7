--- The role and the term that a message of somebody else's program tells, where its words are those of the field.
-- @module raft.view.log_roles

local log_roles = {}

local roles = {
  follower = "follower", candidate = "candidate", leader = "leader", learner = "learner", dead = "down",
  ["pre-candidate"] = "pre_candidate", precandidate = "pre_candidate", shutdown = "down", stopped = "down",
}

-- What stands before a role that begins.
local before = { "becom%a+ an? (%a[%a-]+)", "becom%a+ (%a[%a-]+)", "became an? (%a[%a-]+)", "became (%a[%a-]+)",
  "entering (%a[%a-]+) state", "in state (%a[%a-]+)", "to state (%a[%a-]+)", "state[=:] ?\"?(%a[%a-]+)" }

--- Reads a message.
-- @tparam string message
-- @treturn ?string the role that begins, as our events call it, or "down"; nil: none
-- @treturn ?integer the term, where one is told
function log_roles.read(message)
  local text = message:lower()
  local role
  if text:find("bec", 1, true) or text:find("state", 1, true) then
    for _, pattern in ipairs(before) do
      local word = text:match(pattern)
      role = role or word and roles[word]
    end
  end
  local term = text:match "term\"?[ =:]+\"?(%d+)"
  return role, term and #term < 16 and tonumber(term) or nil
end

-- The event of the role that a line tells; `terms`: by node the latest that it has told.
local function event_of(line, terms)
  if line.role == "down" then
    return { kind = "stop", node = line.node, time = line.time, text = "" }
  end
  return { kind = "role", node = line.node, time = line.time, role = line.role, term = terms[line.node] }
end

--- The events of a log with those of roles put before what tells them, for forms that draw a node's life. Their term is
-- the latest that the node has told; nil: none.
-- @tparam function events begins an iterator
-- @treturn function the same
function log_roles.added(events)
  return function()
    local next_event, waiting, terms = events(), nil, {}
    return function()
      local event = waiting
      waiting = nil
      if event then
        return event
      end
      event = next_event()
      if event and event.kind == "run" then
        terms = {}
      end
      if not event or event.kind ~= "log" then
        return event
      end
      terms[event.node] = event.term or terms[event.node]
      if not event.role then
        return event
      end
      waiting = event
      return event_of(event, terms)
    end
  end
end

return log_roles
