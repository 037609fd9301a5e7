--- A cluster: many nodes in one world, for scripts and the shell. This file makes and ends it; its calls are in
-- raft.cluster.* by subject.
-- @module raft.cluster

local arguments = require "raft.arguments"
local core = require "raft.core"
local defaults = require "raft.defaults"
local driver = require "raft.driver"
local inputs = require "raft.inputs"
local open = require "raft.open"
local options = require "raft.options"
local report = require "raft.report"
local script = require "raft.script"

local cluster = {}

local Cluster = {}

for _, subject in ipairs { "time", "leaders", "commands", "network", "nodes", "members", "looking", "clients",
  "workloads", "nemeses", "goals", "fork" } do
  for name, method in pairs(require("raft.cluster." .. subject)) do
    assert(Cluster[name] == nil, name)
    Cluster[name] = method
  end
end

for name, method in pairs(script.methods) do
  Cluster[name] = method
end

-- What a script holds hands each call on to an inner object with the methods themselves, so that a call that one of
-- them makes is told from a script's own (raft.script keeps those).
local inner_metatable = { __index = Cluster }
local metatable = { __name = "raft.cluster" }
local recorded_metatable = {} -- of a cluster whose inputs are kept: the same, its methods apart

local runs_begun = 0 -- in the file that traces go to by default

-- A fork writes no trace: its origin's holds what it has done.
local function make(given, is_fork)
  local made, message, code = options.cluster(given)
  if not made then
    return nil, message, code
  end
  if is_fork then
    made.trace, made.reader, made.verbose = nil, nil, false
  end
  local handle
  handle, message, code = core.cluster(made)
  if not handle then
    return nil, message, code
  end
  runs_begun = runs_begun + (made.trace and made.append and 1 or 0)
  local broken = handle:violation()
  if broken then -- before anything has happened: what it was given is broken
    handle:close()
    arguments.raise("bad argument 'state' (%s)", broken.message)
  end
  local inner = setmetatable({
    core = handle, options = made, driver = driver.new(handle), changed_clocks = {}, changed_disks = {},
    another = make, run_number = made.trace and made.append and runs_begun or nil,
  }, inner_metatable)
  inner.recording = script.begin(given, made, inner.driver)
  inner.inputs = inputs.is_on() and not is_fork and inputs.new(given, inner) or nil
  local self = setmetatable({
    core = handle, options = made, driver = inner.driver, recording = inner.recording, inner = inner,
    inputs = inner.inputs,
  }, inner.inputs and recorded_metatable or metatable)
  inner.handle = self
  script.own(self)
  self.driver.replay = defaults.get("replay") or ("seed %d, mode %s"):format(made.seed, made.mode)
  core.set_replay(self.driver.replay)
  open.add(self)
  return self
end

--- Makes a cluster and starts its nodes.
-- @tparam ?raft.cluster_options given the options; see the README
-- @treturn raft.cluster the cluster; where the world cannot be made nil, message, code
function cluster.new(given)
  return make(given, false)
end

local function finish(self, passed, message)
  if self.core:is_closed() then
    return true
  end
  self.driver:not_in_step("shutdown")
  local problem = self.driver:close()
  if self.inputs then
    inputs.ended(self.inputs, self.core:now_ns())
  end
  local ok, raised = pcall(self.core.verdict, self.core, passed, message) -- readers of the trace may raise
  open.remove(self.handle)
  local fine, why, code = self.core:close(open.closing(self))
  if not ok or problem then
    error(problem or raised, 0)
  end
  return fine, why, code
end

--- Stops everything. Twice is fine.
-- @treturn ?boolean true; nil, message, code where the trace file could not be written whole
function Cluster:shutdown()
  local violation = not self.core:is_closed() and self.core:violation() or nil
  return finish(self, not violation, violation and violation.message or "")
end

--- Whether it was shut down.
-- @treturn boolean
function Cluster:is_closed()
  return self.core:is_closed()
end

--- The seed that decides everything in the simulated world.
-- @treturn integer
function Cluster:seed()
  return self.options.seed
end

--- The kind of its world.
-- @treturn string "sim", "tcp" or "process"
function Cluster:mode()
  return self.options.mode
end

--- What every cluster can do, by name, as scripts call it.
cluster.methods = script.wrap(Cluster)
metatable.__index = cluster.methods

metatable.__close = function(self, problem)
  if problem == nil then
    self:shutdown()
  else
    finish(self.inner, false, report.words(problem))
  end
end

metatable.__gc = function(self)
  if not self.core:is_closed() then
    self:shutdown()
  end
end

metatable.__tostring = function(self)
  if self.core:is_closed() then
    return "raft.cluster (closed)"
  end
  local count = #self.core:ids()
  local leader, term = self.core:leader()
  return ("raft.cluster (%d node%s, %s)"):format(count, count == 1 and "" or "s",
    leader and ("leader %d, term %d"):format(leader, term) or "no leader")
end

for name, value in pairs(metatable) do
  recorded_metatable[name] = value
end
recorded_metatable.__index = inputs.wrap(cluster.methods)

return cluster
