--- A child that runs one plan after the other: an abort or a hang of a candidate ends the child and is that candidate's
-- failure, and the next runs in a new child.
-- @module raft.shrink.server

local failures = require "raft.failure"
local replay = require "raft.shrink.replay"
local workers = require "raft.workers"

local server = {}

local AFTER_S = 0.5 -- after its last step a run that ends its process goes on for so long at most, mostly
local HUNG_S = 20 -- a replay that takes so long hangs

local Server = {}
Server.__index = Server

--- A server; its child begins with the first plan.
-- @tparam table writer of raft.shrink.text
-- @treturn table
function server.new(writer)
  return setmetatable({ writer = writer, worker = false, kept = 0 }, Server)
end

local function serve(writer)
  return function(tell, take)
    while true do
      local asked = take()
      local raised, time = replay.run(writer:read(asked.plan), asked.seed, nil, nil, nil, function(ns)
        tell { reached_ns = ns }
      end)
      tell { failure = raised ~= nil and failures.of(raised) or nil, time = time }
    end
  end
end

-- A child that knows all functions that plans have.
local function ready(self)
  if self.worker and self.kept == #self.writer.kept then
    return self.worker
  end
  self:close()
  collectgarbage()
  local problem
  self.worker, problem = workers.start(serve(self.writer))
  self.kept = #self.writer.kept
  if not self.worker then
    self.worker = false
    error("no child can be made to run a candidate in: " .. tostring(problem), 0)
  end
  return self.worker
end

--- Runs a plan.
-- @tparam string written as raft.shrink.text writes it
-- @tparam integer seed
-- @treturn ?table its failure; nil: none
-- @treturn ?number when it ended, in virtual seconds; nil: it is not known
function Server:run(written, seed)
  local worker = ready(self)
  worker:send { plan = written, seed = seed }
  local reached_s
  while true do
    local events = workers.wait({ worker }, HUNG_S)
    if #events == 0 then
      self:close()
      return failures.hung(("no end within %d s of real time"):format(HUNG_S)), reached_s
    end
    for _, event in ipairs(events) do
      if event.record and event.record.reached_ns then
        reached_s = event.record.reached_ns / 1e9
      elseif event.record then
        return event.record.failure, event.record.time
      elseif event.ended then
        self.worker = false
        return failures.died(workers.how(event.ended), event.ended.text), reached_s and reached_s + AFTER_S
      end
    end
  end
end

--- Ends the child.
function Server:close()
  if self.worker then
    self.worker:kill()
    self.worker = false
  end
end

return server
