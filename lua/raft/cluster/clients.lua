--- Clients: functions that run as coroutines beside the main script.
-- @module raft.cluster.clients

local arguments = require "raft.arguments"
local script = require "raft.script"

local clients = {}

local Client = {}
Client.__index = Client

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

--- Runs a function beside the main script; calls that it makes wait without stopping the others.
-- @tparam fun(client:raft.client):any f f(client)
-- @tparam ?raft.client_options options `session = true`: its commands are applied exactly once
-- @treturn raft.client the client, with `wait`
function clients:client(f, options)
  arguments.callable("f", f)
  options = arguments.options("options", options, { session = true })
  self.driver:not_in_step("client")
  local client = setmetatable({ cluster = self, session = false }, Client)
  if options.session then
    self.last_session = (self.last_session or 0) + 1
    client.session, client.sequence = self.last_session, 0
  end
  self.driver:start_client(f, client)
  return client
end

--- Waits until it has ended.
-- @tparam[opt=10] ?number timeout seconds
-- @return what its function returned; nil, message, "timeout"
function Client:wait(timeout)
  local cluster = self.cluster
  local length_ns = arguments.seconds("timeout", timeout, 10)
  cluster.driver:check_may_wait("client:wait")
  local words = timeout and timeout < math.huge and ("%.17g"):format(timeout) or timeout and "math.huge" or ""
  local returned = script.object_call(cluster.recording, self, (":wait(%s)"):format(words))
  local in_time = cluster.driver:await_client(self, cluster:deadline_ns(length_ns))
  returned()
  if not in_time then
    return nil, ("the client did not end within %g s"):format(length_ns / 1e9), "timeout", {}
  elseif self.failure then
    cluster.driver:was_told(self.failure)
    error(self.failure.value, 0)
  end
  return unpack(self.results, 1, self.results.n)
end

Client.__tostring = function(self)
  return self.finished and "raft.client (ended)" or "raft.client (running)"
end

return clients
