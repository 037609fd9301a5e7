--- Clients: functions that run as coroutines beside the main script.
-- @module raft.cluster.clients

local arguments = require "raft.arguments"
local never = require("raft.core").never
local script = require "raft.script"

local clients = {}

local REPEAT_S = 1

local Client = {}
Client.__index = Client
Client.__name = "raft.client"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

--- Runs a function beside the main script; calls that it makes wait without stopping the others.
-- @tparam fun(client:raft.client):any f f(client)
-- @tparam ?raft.client_options options `session = true`: its commands are applied exactly once, and sent again each
-- `repeat_every` seconds (1) until they are answered
-- @treturn raft.client the client, with `wait`
function clients:client(f, options)
  arguments.callable("f", f)
  options = arguments.options("options", options, { session = true, repeat_every = true })
  if options.session ~= nil and type(options.session) ~= "boolean" then
    arguments.fail("options.session", "a boolean", options.session)
  elseif options.repeat_every ~= nil and not options.session then
    arguments.raise "bad argument 'options.repeat_every' (only the commands of a session are sent again)"
  end
  local repeat_ns = arguments.seconds("options.repeat_every", options.repeat_every, REPEAT_S)
  if repeat_ns == 0 or repeat_ns == never then
    arguments.fail("options.repeat_every", "seconds above 0", options.repeat_every)
  end
  self.driver:not_in_step("client")
  local client = setmetatable({ cluster = self, session = false }, Client)
  if options.session then
    client.session, client.repeat_ns = self.core:new_session(), repeat_ns
  end
  self.driver:start_client(f, client)
  return client
end

-- What became of a client that has ended or was waited for.
local function outcome_of(driver, client, in_time, length_ns)
  if not in_time then
    return nil, ("the client did not end within %g s"):format(length_ns / 1e9), "timeout", {}
  elseif client.failure then
    driver:forget_raised(client.failure)
    error(client.failure.value, 0)
  end
  return true, unpack(client.results, 1, client.results.n)
end

--- Waits until it has ended. An error that ended it is raised.
-- @tparam[opt=10] ?number timeout seconds
-- @treturn ?boolean true; nil, message, "timeout", detail
-- @return what its function returned
function Client:wait(timeout)
  if getmetatable(self) ~= Client then
    arguments.raise "wait was called without its client: call it as client:wait()"
  end
  local cluster = self.cluster
  local length_ns = arguments.seconds("timeout", timeout, 10)
  cluster.driver:check_may_wait("client:wait")
  local returned = script.object_call(cluster.recording, self, (":wait(%s)"):format(script.seconds(timeout)))
  local in_time = cluster.driver:await_client(self, cluster:deadline_ns(length_ns))
  returned()
  return outcome_of(cluster.driver, self, in_time, length_ns)
end

--- Waits until all clients have ended, those too that begin meanwhile; called by one of them, all others. An error that
-- ended one of them is raised.
-- @tparam[opt=10] ?number timeout seconds
-- @treturn ?boolean true; nil, message, "timeout", detail
function clients:wait_clients(timeout)
  local length_ns = arguments.seconds("timeout", timeout, 10)
  local driver = self.driver
  driver:check_may_wait("wait_clients")
  local deadline_ns = self:deadline_ns(length_ns)
  while true do
    local running = driver:running_clients()
    if #running == 0 then
      return true
    elseif not driver:await_client(running[1], deadline_ns) then
      local left = #driver:running_clients()
      return nil, ("%d client%s did not end within %g s"):format(left, left == 1 and "" or "s", length_ns / 1e9),
        "timeout", {}
    end
    if running[1].failure then
      outcome_of(driver, running[1], true)
    end
  end
end

Client.__tostring = function(self)
  return self.finished and "raft.client (ended)" or "raft.client (running)"
end

return clients
