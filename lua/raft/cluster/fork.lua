--- A second cluster that goes on from a moment of this one.
-- @module raft.cluster.fork

local arguments = require "raft.arguments"
local nemesis = require "raft.nemesis"
local replay = require "raft.script.replay"

local fork = {}

local function check(self)
  if self.options.mode ~= "sim" then
    return nil, ("a cluster %s cannot be forked: its world cannot be made once more"):format(
      self.options.mode == "tcp" and "over TCP" or "of processes"), "unsupported", {}
  elseif self.recording.aside.why then
    return nil, "this run cannot be done again: " .. self.recording.aside.why, "unsupported", {}
  end
  if self.driver:check_may_wait "c:fork" then
    arguments.raise "c:fork works in the main script, not in a client: it would be one of those that run"
  end
  local count = #self.driver:running_clients()
  for _, one in ipairs(nemesis.of(self)) do
    count = count + (one.is_over and 0 or 1)
  end
  if count > 0 then
    arguments.raise("%d client%s running (of c:client, a workload or a nemesis): wait for them, or stop them, before "
      .. "you fork", count, count == 1 and " is" or "s are")
  end
  return true
end

-- Clients are left behind, and nemeses, whose faults stay as they are. Whether there were any.
local function leave(inner)
  for _, one in ipairs(nemesis.of(inner)) do
    one.is_over = true
  end
  return inner.driver:leave_clients()
end

-- A new cluster in which all was done again. nil, message, code, detail, where it came to something else.
local function again(self, options)
  local c, message, code = self.another(self.recording.options, true)
  if not c then
    return nil, message, code, {}
  end
  options.leave = leave
  self.recording.is_locked, self.recording.is_off = true, true
  local fine, sample = pcall(replay.run, self, c, options)
  self.recording.is_locked, self.recording.is_off = false, false
  if not fine then
    c:shutdown()
    if tostring(sample):find "^interrupted" then
      error(sample, 0)
    end
    return nil, "the run cannot be done again: " .. tostring(sample):match "^[^\n]*", "unsupported", {}
  end
  return c, sample
end

local PARTS = "done again, the run comes to something else: a function or a machine of yours that depends on more than "
  .. "its arguments, or a call that was made past the cluster"

local function at_present(self)
  local c, message, code, detail = again(self, {})
  if not c then
    return nil, message, code, detail
  elseif c:trace_hash() ~= self.core:trace_hash() then
    c:shutdown()
    return nil, PARTS, "unsupported", {}
  end
  return c
end

-- What was done again up to an earlier moment has to be the beginning of what was done again whole.
local function at_earlier(self, until_ns)
  local c, message, code, detail = again(self, { until_ns = until_ns })
  if not c then
    return nil, message, code, detail
  end
  local count = c.core:trace_count()
  local whole, sample, problem_code = again(self, { samples_at = count })
  if not whole then
    c:shutdown()
    return nil, sample, problem_code, {}
  end
  local is_same = whole:trace_hash() == self.core:trace_hash() and (sample == c:trace_hash()
    or count == whole.core:trace_count())
  whole:shutdown()
  if not is_same then
    c:shutdown()
    return nil, PARTS, "unsupported", {}
  end
  return c
end

--- A second cluster that goes on from this moment by itself, or from one in the past: all calls are done again in a
-- simulated world of its own, and the trace's hash is compared. A Lua machine is made afresh; functions given to `on`,
-- `after`, `intercept`, `serve` and `trace` stay behind, and clients that ran at an earlier moment.
-- @tparam[opt=0] ?number ago seconds
-- @treturn ?raft.cluster nil, message, "unsupported", detail: over TCP, and where the run cannot be done again. An
-- error is raised while clients are running
function fork:fork(ago)
  local ago_ns = arguments.seconds("ago", ago, 0)
  local fine, message, code, detail = check(self)
  if not fine then
    return nil, message, code, detail
  elseif ago_ns == 0 then
    return at_present(self)
  elseif ago_ns > self.core:now_ns() then
    arguments.fail("ago", ("seconds, at most the %g that have passed,"):format(self.core:now_ns() / 1e9), ago)
  end
  return at_earlier(self, self.core:now_ns() - ago_ns)
end

return fork
