--- What callbacks ask a cluster for: done after the present step of the world, in the order in which it was asked.
--
-- It knows nothing of waiting. `self` is a driver: { core, deferred = list, chained = count }.
-- @module raft.driver.deferred

local arguments = require "raft.arguments"
local is_entered = require("raft.core").is_entered

local deferred = {}

local CHAINED_MAX = 1000 -- callbacks that cause one another; what is not without end is far below

--- Does what callbacks have asked for. That may call callbacks, which ask for more: each counts on from what caused it,
-- so that one that causes itself is told from many that do not.
-- @tparam table self
function deferred.run(self)
  local list = self.deferred
  self.deferred = {}
  for _, asked in ipairs(list) do
    self.chained = asked.chained
    local fine, problem = pcall(asked.f)
    self.chained = 0
    if not fine then
      error(problem, 0)
    end
  end
end

local function run_after(self, ...)
  if self.deferred[1] then
    deferred.run(self)
  end
  return ...
end

--- Does something now, or after the present step where a callback asks for it.
-- @tparam table self
-- @tparam function f
-- @return what f returns; true where it was put off
function deferred.control(self, f)
  if is_entered(self.core) then
    if self.chained >= CHAINED_MAX then
      arguments.raise("this callback has caused itself %d times in a row: what it asks for makes events that call it "
        .. "again", CHAINED_MAX)
    end
    self.deferred[#self.deferred + 1] = { f = f, chained = self.chained + 1 }
    self.core:interrupt()
    return true
  end
  return run_after(self, f())
end

return deferred
