--- The clients of workloads: they go on in C, each known by a handle, and come back where they need the script.
--
-- A client is a table with `serve(client)`, which is called then, or a coroutine's, which is resumed; and with
-- `leave(client)`. `self` is a driver.
-- @module raft.driver.askers

local askers = {}

--- A client, perhaps one with a coroutine of its own, is found by its handle from now on.
-- @tparam table client
function askers:give_handle(client)
  self.askers[#self.askers + 1] = client
  client.handle = #self.askers
end

--- Takes in a client without a coroutine.
-- @tparam table client
function askers:add_asker(client)
  self:begin_client(client)
  self:give_handle(client)
end

--- It needs the script.
-- @tparam table client
function askers:serve(client)
  if client.finished then -- an error has ended it in the midst of what it did
    return
  elseif client.thread then
    self:resume(client)
  else
    client.serve(client)
  end
end

--- A client without a coroutine has ended.
-- @tparam table client
-- @param problem an error's value; nil: none
function askers:end_asker(client, problem)
  self:ended(client, problem ~= nil and { value = problem } or nil)
end

--- Those without a coroutine that have not ended, added to a list.
-- @tparam table list
-- @treturn table the list
function askers:add_running(list)
  for _, client in ipairs(self.askers) do
    if not (client.thread or client.finished or client.is_background) then
      list[#list + 1] = client
    end
  end
  return list
end

--- All end where they are.
function askers:leave_askers()
  for _, client in ipairs(self.askers) do
    client.leave(client)
    client.finished = true
  end
end

return askers
