--- The end of a driver's clients: those that are left, and what becomes of them.
-- @module raft.driver.ending

local ending = {}

--- The clients that have not ended, the one that asks left out, and those that nobody waits for.
-- @treturn table a list, the oldest first
function ending:running_clients()
  local list = {}
  for _, client in pairs(self.clients) do
    if client ~= self.current and not client.is_background then
      list[#list + 1] = client
    end
  end
  self:add_running(list)
  table.sort(list, function(a, b) return a.number < b.number end)
  return list
end

-- Ends all clients that wait, the latest first, without resuming them: the first error that was raised by something to
-- be closed in them.
local function close_clients(self)
  local close = rawget(coroutine, "close") -- Lua 5.4: runs what is to be closed in them
  local list, busy, first = {}, self.busy, nil
  for thread, client in pairs(self.clients) do
    if coroutine.status(thread) == "suspended" then
      list[#list + 1] = client
    end
  end
  table.sort(list, function(a, b) return a.number > b.number end)
  self.busy = "a client that is being closed"
  for _, client in ipairs(list) do
    if close then
      local fine, problem = close(client.thread)
      first = first or not fine and problem or nil
    end
    self.clients[client.thread] = nil
  end
  self.busy = busy
  return first
end

--- Ends all clients that wait, the latest first, without resuming them; nothing can be waited for any more.
-- @return what the first error was that was raised by something to be closed in them
function ending:close()
  self.is_closed = true
  local first = close_clients(self)
  self.waits, self.predicates, self.deferred, self.askers = {}, {}, {}, {}
  return first
end

--- Ends all clients; what they waited for goes on by itself.
-- @treturn boolean whether there were any
function ending:leave_clients()
  if next(self.clients) == nil and #self:add_running({}) == 0 then
    return false
  end
  close_clients(self)
  self:leave_askers()
  for slot, wait in pairs(self.waits) do
    if wait.client or wait.thread then -- one of a client, or the client itself
      self.waits[slot] = nil
    end
  end
  for position = #self.predicates, 1, -1 do
    if self.predicates[position].client then
      table.remove(self.predicates, position)
    end
  end
  return true
end

--- Forgets the error of a client that the next turn would raise: it was interrupted at the prompt.
function ending:forget_failure()
  self.failure = false
end

--- An error that ended a client was raised by a call that waited for it: if that was the main script's, it needs no
-- other.
-- @tparam table failure
function ending:forget_raised(failure)
  if failure == self.failure and not self:client() then
    self.failure = false
  end
end

return ending
