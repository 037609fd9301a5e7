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

local hang_metatable = {
  __tostring = function(self)
    return self.message
  end,
}

--- What is raised where a run has had as many events as it may have.
-- @tparam integer events
-- @tparam number time seconds
-- @treturn table { property = "hang", message, time, nodes = {} }
function violation.hang(events, time)
  return setmetatable({ property = "hang", key = "", time = time, nodes = {}, message =
    ("after %d events and %.3f virtual s the run is not at its end"):format(events, time) }, hang_metatable)
end

return violation
