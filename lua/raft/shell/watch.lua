--- What happens in a cluster, as lines for a user who watches it: elections, crashes, faults, commits. The words are
-- the trace's (src/trace).
-- @module raft.shell.watch

local watch = {}

local Watch = {}
Watch.__index = Watch

local KINDS = { "role", "start", "stop", "commit", "members", "fault", "install", "notice", "note", "violation" }

-- What is worth a line, of the kinds where not all is.
local is_shown = {
  role = function(self, event)
    local led = self.leads[event.node]
    self.leads[event.node] = event.role == "leader" or nil
    return event.role == "leader" or event.role == "candidate" or led
  end,
  stop = function(self, event)
    self.leads[event.node] = nil
    return true
  end,
  -- What these do shows in other events.
  fault = function(_, event)
    return event.call ~= "crash" and event.call ~= "restart"
  end,
}

--- Writes what was held back: commits, which are told together.
function Watch:flush()
  local commits = self.commits
  if commits then
    self.commits = nil
    local range = commits.first == commits.last and ("%d"):format(commits.last)
      or ("%d to %d"):format(commits.first, commits.last)
    self.write(("%.6f [-] committed: %s (first seen by node %d)\n"):format(commits.time, range, commits.node))
  end
end

local function commit(self, event)
  if event.index <= self.committed then
    return -- told when the first node saw it
  end
  local first = self.committed + 1
  self.committed = event.index
  if self.commits and self.commits.node == event.node then
    self.commits.last = event.index
  else
    self:flush()
    self.commits = { first = first, last = event.index, node = event.node, time = event.time }
  end
end

--- Tells of one event.
-- @tparam table event
function Watch:event(event)
  if event.kind == "commit" then
    commit(self, event)
    return
  end
  local test = is_shown[event.kind]
  if not test or test(self, event) then
    self:flush()
    self.write(tostring(event) .. "\n")
  end
end

--- Ends it.
function Watch:close()
  self:flush()
  if not self.cluster:is_closed() then
    self.cluster.core:off(self.reader)
  end
end

--- Begins to watch a cluster.
-- @param cluster
-- @tparam function write_line where lines go
-- @treturn table with `flush` and `close`
function watch.open(cluster, write_line)
  local self = setmetatable({ cluster = cluster, write = write_line, leads = {}, committed = 0 }, Watch)
  for _, status in ipairs(cluster:status()) do
    self.leads[status.id] = status.role == "leader" or nil
    self.committed = math.max(self.committed, status.commit or 0)
  end
  self.reader = cluster.core:on(KINDS, function(event)
    self:event(event)
  end)
  return self
end

return watch
