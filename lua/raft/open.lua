--- The clusters that are open in this process, oldest first, so that a test which failed half way
-- can be cleaned up and `raft.assert.eventually` knows whose time to let pass.
--
-- It keeps no cluster alive, and closes one only where it is asked to. A test runner can have the events of the last
-- closed ones kept.
-- @module raft.open

local open = {}

local numbers = setmetatable({}, { __mode = "k" }) -- cluster -> its place
local last = 0

--- A cluster begins.
-- @param cluster the handle that the script holds
function open.add(cluster)
  last = last + 1
  numbers[cluster] = last
end

--- How many clusters there have been in this process.
-- @treturn integer
function open.count()
  return last
end

--- A cluster was shut down. Twice is fine.
-- @param cluster the handle
function open.remove(cluster)
  numbers[cluster] = nil
end

local closed, closed_most = {}, 0

--- From now on the recent events of the last clusters that are closed are kept; those that were are let go.
-- @tparam integer most how many clusters; 0: none from now on
function open.keep_closed(most)
  for _, cluster in ipairs(closed) do
    cluster.core:close()
  end
  closed, closed_most = {}, most
end

local closing -- who is told

--- Has a function called with each cluster that is about to be closed.
-- @tparam ?function f f(its inner object); nil: nobody from now on
function open.on_closing(f)
  closing = f
end

--- A cluster is about to be closed.
-- @tparam table cluster its inner object
-- @treturn boolean whether its events are to be kept
function open.closing(cluster)
  if closing then
    closing(cluster)
  end
  if closed_most == 0 then
    return false
  elseif #closed == closed_most then
    table.remove(closed, 1).core:close()
  end
  closed[#closed + 1] = cluster
  return true
end

--- The clusters that were closed and whose events are kept.
-- @treturn table a list of inner objects, the one closed first before the others
function open.closed()
  return closed
end

--- All open clusters.
-- @treturn table a list, the oldest first
function open.all()
  local list = {}
  for cluster in pairs(numbers) do
    list[#list + 1] = cluster
  end
  table.sort(list, function(a, b) return numbers[a] < numbers[b] end)
  return list
end

--- The cluster that was opened last.
-- @return the handle, or nil
function open.latest()
  local list = open.all()
  return list[#list]
end

--- Shuts a cluster down as leaving a `<close>` scope would, so that its verdict tells of the error.
-- What shutting down itself says (a trace that could not be written whole) is raised.
-- @param cluster the handle
-- @param problem what went wrong; nil: nothing
function open.close(cluster, problem)
  open.remove(cluster)
  local metatable = getmetatable(cluster)
  local close = type(metatable) == "table" and metatable.__close
  if problem ~= nil and close then
    close(cluster, problem)
    return
  end
  local fine, message = cluster:shutdown()
  if fine == nil and message then
    error(message, 0)
  end
end

--- Shuts all open clusters down, the latest first.
-- @param problem what went wrong; nil: nothing
-- @treturn nil|string what shutting down itself said, where it failed
function open.close_all(problem)
  local list, first = open.all(), nil
  for position = #list, 1, -1 do
    local fine, message = pcall(open.close, list[position], problem)
    if not fine then
      first = first or tostring(message)
    end
  end
  return first
end

return open
