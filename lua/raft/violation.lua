--- What a broken property raises: a table { property, message, time, nodes, replay } that prints as a sentence.
-- @module raft.violation

local violation = {}

local metatable = {
  __tostring = function(self)
    local nodes = #self.nodes > 0 and (" (nodes %s)"):format(table.concat(self.nodes, ", ")) or ""
    return ("%s is violated at %.6f s%s: %s%s"):format(self.property, self.time, nodes, self.message,
      self.replay and "\n  replay: " .. self.replay or "")
  end,
}

--- Gives a table its sentence.
-- @tparam table fields property, message, time (seconds), nodes (a list of ids)
-- @tparam ?string replay how to see it again
-- @treturn raft.violation
function violation.new(fields, replay)
  fields.replay = replay
  return setmetatable(fields, metatable)
end

local sentence_metatable = {
  __tostring = function(self)
    return self.message
  end,
}

--- What is raised where a node that stopped does not start again, though nothing was done to its disk that would excuse
-- it.
-- @tparam integer id
-- @tparam string how "does not start again", or what else is so
-- @tparam string reason the node's own, or what a restart of it said
-- @tparam number time seconds
-- @treturn table { property = "a node starts again", key, message, time, nodes = { id } }
function violation.no_start(id, how, reason, time)
  reason = tostring(reason):gsub("^node %d+ did not start: ", "")
  return setmetatable({
    property = "a node starts again", key = require("raft.failure").key(reason), time = time, nodes = { id },
    message = ("node %d %s: %s"):format(id, how, reason),
  }, sentence_metatable)
end

--- What is raised where a run has had as many events as it may have.
-- @tparam integer events
-- @tparam number time seconds
-- @treturn table { property = "hang", message, time, nodes = {} }
function violation.hang(events, time)
  return setmetatable({ property = "hang", key = "", time = time, nodes = {}, message =
    ("after %d events and %.3f virtual s the run is not at its end"):format(events, time) }, sentence_metatable)
end

return violation
