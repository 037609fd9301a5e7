--- The clock of a simulated cluster that follows the real one at a prompt: slice by slice, each a call that is kept as
-- any other, so that the run can be done again.
-- @module raft.shell.pace

local core = require "raft.core"
local script = require "raft.script"

local pace = {}

local TICK_NS = 20000000 -- of the real clock

local Pace = {}
Pace.__index = Pace

--- A cluster's pace.
-- @param cluster
-- @tparam number speed seconds of its clock in a real one
-- @treturn table
function pace.new(cluster, speed)
  return setmetatable({ cluster = cluster, speed = speed, due_ns = core.clock_ns() + TICK_NS }, Pace)
end

--- How long it is until the next slice; 0: it is due.
-- @treturn ?integer nil: there is none any more
function Pace:left_ns()
  if self.cluster:is_closed() then
    return nil
  end
  return math.max(0, self.due_ns - core.clock_ns())
end

--- Lets the next slice pass. What it missed while something else ran it leaves out.
function Pace:tick()
  self.cluster:sleep(TICK_NS * self.speed / 1e9)
  self.due_ns = math.max(self.due_ns + TICK_NS, core.clock_ns())
end

--- The slice that was under way was interrupted.
function Pace:interrupted()
  script.interrupted(self.cluster)
end

return pace
