--- Commands and reads, and what was committed.
-- @module raft.cluster.commands

local arguments = require "raft.arguments"
local standing = require "raft.cluster.standing"
local null = require("raft.core").null

local commands = {}

local RETRY_S = 0.05

local TIMEOUT = 10 -- seconds
local TIMEOUT_NS = arguments.ns(TIMEOUT)

local no_options = {}

local writes = { node = true, timeout = true }
local reads = { node = true, timeout = true, read = true }

local function failed(self, outcome)
  return nil, outcome.message, outcome.code, standing.outcome_detail(self, outcome)
end

local function check_options(options, known)
  if options == nil then
    return no_options, TIMEOUT_NS
  end
  options = arguments.options("options", options, known)
  if options.node ~= nil then
    arguments.id("options.node", options.node)
  end
  return options, arguments.seconds("options.timeout", options.timeout, TIMEOUT)
end

-- Sends one request and waits for its answer. `client`: who asks, as check_may_wait has said.
local function request(self, client, kind, body, options, length_ns)
  local node = options.node or 0
  if kind == "propose" and client and client.session then
    return self.driver:await_for(client, self.core:request(kind, node, body, length_ns, client.session,
      client.repeat_ns))
  end
  return self.driver:await_for(client, self.core:request(kind, node, body, length_ns))
end

--- Hands a command to a node; does not wait.
-- @tparam integer id the node
-- @tparam raft.value command
-- @treturn ?integer its index; nil, message, code, detail
-- @treturn integer its term
function commands:submit(id, command)
  arguments.id("id", id)
  self.driver:not_in_step("submit")
  local index, term, code, detail = self.core:submit(id, command)
  if not index then
    return nil, term, code, standing.with_address(self, detail)
  end
  return index, term
end

--- Finds the leader, submits a command and waits until it is applied.
-- @tparam raft.value command
-- @tparam ?raft.command_options options `node`: ask that one only; `timeout` seconds
-- @treturn ?integer its index; nil, message, code, detail
-- @treturn raft.value the machine's result
function commands:propose(command, options)
  local checked, length_ns = check_options(options, writes)
  local client = self.driver:check_may_wait("propose")
  local outcome = request(self, client, "propose", command, checked, length_ns)
  if outcome.code then
    return failed(self, outcome)
  end
  local result = outcome.result
  if result == null then -- the machine had nothing to say
    result = nil
  end
  return outcome.index, result
end

local function read_kind(options)
  local read = options.read
  if read == nil then
    return "read"
  elseif read == "stale" or read == "lease" then
    return read
  end
  arguments.fail("options.read", '"lease", "stale" or nil', read)
end

--- Asks the machine; linearizable unless `options.read` is "stale". "lease": linearizable as long as clocks keep to
-- `clock_drift`, and mostly without asking a quorum.
-- @tparam raft.value question as the machine's query takes it
-- @tparam ?raft.read_options options `node`, `timeout`, `read`
-- @treturn ?raft.value the answer; nil, message, code, detail
function commands:query(question, options)
  if question == nil then
    arguments.fail("request", "a value", nil)
  end
  local checked, length_ns = check_options(options, reads)
  local kind = read_kind(checked)
  local client = self.driver:check_may_wait("query")
  local outcome = request(self, client, kind, question, checked, length_ns)
  if outcome.code then
    return failed(self, outcome)
  end
  return outcome.result
end

--- Sets a key of the "kv" machine.
-- @tparam raft.value key
-- @tparam raft.value value
-- @tparam ?raft.command_options options as for propose
-- @treturn ?integer the command's index; nil, message, code, detail
function commands:set(key, value, options)
  arguments.part("key", key)
  arguments.part("value", value)
  local index, message, code, detail = self:propose({ op = "set", key = key, value = value }, options)
  if not index then
    return nil, message, code, detail
  end
  return index
end

--- Deletes a key of the "kv" machine.
-- @tparam raft.value key
-- @tparam ?raft.command_options options as for propose
-- @treturn ?integer the command's index; nil, message, code, detail
function commands:delete(key, options)
  arguments.part("key", key)
  local index, message, code, detail = self:propose({ op = "delete", key = key }, options)
  if not index then
    return nil, message, code, detail
  end
  return index
end

--- The value of a key.
-- @tparam raft.value key
-- @tparam ?raft.read_options options as for query
-- @treturn ?raft.value the value; nil alone where the key is missing; nil, message, code, detail
function commands:get(key, options)
  arguments.part("key", key)
  local answer, message, code, detail = self:query({ op = "get", key = key }, options)
  if answer == nil and code then
    return nil, message, code, detail
  elseif type(answer) == "table" then
    return answer[1]
  end
  return nil
end

--- Sets a key if it has the value that is expected.
-- @tparam raft.value key
-- @tparam ?raft.value old nil: the key is absent
-- @tparam ?raft.value new nil: delete it
-- @tparam ?raft.command_options options as for propose
-- @treturn ?boolean whether it had; nil, message, code, detail
-- @treturn raft.value where not, the present value
function commands:cas(key, old, new, options)
  arguments.part("key", key)
  if old ~= nil then
    arguments.part("old", old)
  end
  if new ~= nil then
    arguments.part("new", new)
  end
  local index, result, code, detail = self:propose({ op = "cas", key = key, old = old, new = new }, options)
  if not index then
    return nil, result, code, detail
  elseif type(result) ~= "table" or result[1] then
    return true
  end
  return false, result[2]
end

local function show(command)
  return require("raft.core").json_encode(command)
end

--- Checks that a command is applied: on how many running, connected nodes, their logs agreeing.
-- @tparam raft.value command
-- @tparam ?integer count run until so many have
-- @tparam[opt=10] ?number timeout seconds
-- @treturn integer on how many; raises an error where none has, or fewer than `count`, or logs differ
-- @treturn integer the lowest index at which it was applied
function commands:check_committed(command, count, timeout)
  arguments.value("command", command)
  if count ~= nil and (not arguments.is_integer(count) or count < 1) then
    arguments.fail("count", "a number of nodes from 1", count)
  end
  local length_ns = arguments.seconds("timeout", timeout, 10)
  local seen, index
  if count then
    self.driver:check_may_wait("check_committed")
    local outcome = self.driver:await(self.core:wait_committed(command, count, self:deadline_ns(length_ns)))
    if outcome.code and outcome.code ~= "timeout" then
      arguments.raise(outcome.message)
    end
    seen, index = outcome.count or 0, outcome.index
  else
    local message
    seen, message = self.core:committed(command)
    if not seen then
      arguments.raise(message)
    end
    index = message
  end
  if seen == 0 or (count and seen < count) then
    local wanted = count and (" on %d node%s"):format(count, count == 1 and "" or "s") or ""
    arguments.raise("%s was expected to be committed%s, but %s has applied it%s", show(command), wanted,
      seen == 0 and "no running, connected node" or "only " .. seen,
      count and (" within %g s"):format(length_ns / 1e9) or "")
  end
  return seen, index
end

--- Checks that no node has applied a command; raises an error where one has.
-- @tparam raft.value command
function commands:check_not_committed(command)
  arguments.value("command", command)
  local seen, index = self.core:committed(command)
  if not seen then
    arguments.raise(index)
  elseif seen > 0 then
    arguments.raise("%s was expected not to be committed, but %d node%s applied it at index %d", show(command), seen,
      seen == 1 and " has" or "s have", index)
  end
end

--- What a node has applied since it started, as far as its log holds it.
-- @tparam integer id
-- @treturn ?raft.commit[] list of {index, term, command}; {index, term, snapshot = true} where it began with a
-- snapshot, or one was installed; nil, message, "unknown_node", detail
function commands:commits(id)
  if not self:knows("id", id) then
    return self:unknown_node(id)
  end
  return self.core:commits(id)
end

-- An operation that is no harm to the machine: one that is written in Lua may know no command of ours, so that it is
-- read from and asked nothing, which works where a leader has committed in its term.
local function operate_once(self, timeout)
  if not self.options.machine then
    return self:propose({ op = "noop" }, { timeout = timeout })
  end
  local client = self.driver:check_may_wait("check_live")
  local outcome = request(self, client, "read", nil, no_options, arguments.seconds("timeout", timeout))
  if outcome.code then
    return failed(self, outcome)
  end
  return outcome.index
end

-- Again and again while there is time: a leader may be handing leadership over, or be busy otherwise.
local function operate(self, left)
  local index, problem = operate_once(self, left())
  while not index and left() > RETRY_S do
    self:sleep(RETRY_S)
    index, problem = operate_once(self, left())
  end
  return index, problem
end

local not_alive_metatable = {
  __tostring = function(failure)
    return ("the cluster does not live: %s\n  %s"):format(failure.message, failure.standing)
  end,
}

local function not_alive(self, why, ...)
  error(setmetatable({
    property = "liveness", message = why:format(...), standing = standing.describe(self), time = self:now(),
    nodes = {},
  }, not_alive_metatable), 0)
end

--- Checks that the cluster lives: no node has failed, a leader comes, an operation succeeds, all running members catch
-- up. Heals nothing. Raises an error that says what stands still and why: a table {property = "liveness", message,
-- time, nodes, standing} with __tostring.
-- @tparam[opt=10] ?number timeout seconds
function commands:check_live(timeout)
  local length_ns = arguments.seconds("timeout", timeout, 10)
  self.driver:check_may_wait("check_live")
  local deadline_ns = self:deadline_ns(length_ns)
  local function left()
    return math.max(0, deadline_ns - self.core:now_ns()) / 1e9
  end
  local function check_none_failed()
    local failure = standing.failed(self)
    if failure then
      not_alive(self, "%s", failure)
    end
  end
  check_none_failed()
  if self.driver:await(self.core:wait_leader(0, deadline_ns)).code then
    check_none_failed()
    not_alive(self, "%s", ("no leader within %g s"):format(length_ns / 1e9))
  end
  local index, problem = operate(self, left)
  check_none_failed()
  if not index then
    not_alive(self, "an operation did not succeed: %s", tostring(problem))
  end
  local caught_up = standing.await(self, function()
    return standing.failed(self) ~= nil or #standing.behind(self, index) == 0
  end, deadline_ns)
  check_none_failed()
  if not caught_up then
    not_alive(self, "%s", table.concat(standing.behind(self, index), ", "))
  end
end

return commands
