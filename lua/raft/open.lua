--- The clusters that are open in this process, oldest first, so that a test which failed half way
-- can be cleaned up and `raft.assert.eventually` knows whose time to let pass.
--
-- It keeps no cluster alive, and closes one only where it is asked to.
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

--- A cluster was shut down. Twice is fine.
-- @param cluster the handle
function open.remove(cluster)
  numbers[cluster] = nil
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
