--- A child that runs one plan after the other: an abort or a hang of a candidate ends the child and is that candidate's
-- failure, and the next runs in a new child.
-- @module raft.shrink.server

local branches = require "raft.shrink.branches"
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

local function run_one(plan, seed, tell)
  local raised, time = replay.run(plan, seed, nil, nil, nil, function(ns)
    tell { reached_ns = ns }
  end)
  tell { failure = raised ~= nil and failures.of(raised) or nil, time = time, is_done = true }
end

local function serve(writer)
  return function(tell, take)
    while true do
      local asked = take()
      local plan = writer:read(asked.plan)
      if not asked.branches then
        run_one(plan, asked.seed, tell)
      elseif branches.run(plan, asked.seed, asked.branches, tell, take) then
        return
      else
        tell { is_done = true }
      end
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

-- Has the child do what is asked: the record with which it was done, each before it goes to `told`; nil and how the
-- child ended, or that it hung.
local function ask(self, asked, told)
  local worker = ready(self)
  worker:send(asked)
  while true do
    local events = workers.wait({ worker }, HUNG_S)
    if #events == 0 then
      self:close()
      return nil, failures.hung(("no end within %d s of real time"):format(HUNG_S))
    end
    for _, event in ipairs(events) do
      if event.ended then
        self.worker = false
        return nil, failures.died(workers.how(event.ended), event.ended.text)
      elseif event.record.is_done then
        return event.record
      end
      told(event.record)
    end
  end
end

--- Runs a plan.
-- @tparam string written as raft.shrink.text writes it
-- @tparam integer seed
-- @treturn ?table its failure; nil: none
-- @treturn ?number when it ended, in virtual seconds; nil: it is not known
function Server:run(written, seed)
  local reached_s
  local record, failure = ask(self, { plan = written, seed = seed }, function(told)
    reached_s = told.reached_ns / 1e9
  end)
  if record then
    return record.failure, record.time
  end
  return failure, reached_s and reached_s + (failure.property == "hang" and 0 or AFTER_S)
end

--- Runs branches of a plan's run.
-- @tparam string written
-- @tparam integer seed
-- @tparam table asked as raft.shrink.branches takes it
-- @treturn table for each stop in order: list of { is_failed, time, last }; as many as there was time for
function Server:branches(written, seed, asked)
  local list = {}
  ask(self, { plan = written, seed = seed, branches = asked }, function(told)
    list[told.stop] = told.outcomes
  end)
  return list
end

--- Ends the child.
function Server:close()
  if self.worker then
    self.worker:kill()
    self.worker = false
  end
end

return server
