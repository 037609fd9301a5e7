--- `raft.assert`: the cluster's checks as assertions in LuaUnit's manner. What does not hold is raised
-- as LuaUnit's failure, with the line of the test that asked.
--
-- LuaUnit itself is not needed: without it they raise plain errors.
-- @module raft.assert

local open = require "raft.open"
local report = require "raft.report"

local assertions = {}

local TIMEOUT_S = 10
local PAUSE_S = 0.010

-- Raises a failure at the line of whoever called the function that called this one.
local function fail(message, level)
  local luaunit = package.loaded.luaunit
  local prefix = type(luaunit) == "table" and luaunit.FAILURE_PREFIX or ""
  error(prefix .. message, (level or 1) + 2)
end

-- An error's words without position and LuaUnit's own mark.
local function plain(raised)
  local text = report.words(raised):gsub("^[^\n]-:%d+: ", "")
  local luaunit = package.loaded.luaunit
  local prefix = type(luaunit) == "table" and luaunit.FAILURE_PREFIX
  if prefix and text:sub(1, #prefix) == prefix then
    text = text:sub(#prefix + 1)
  end
  return text
end

-- An error that must reach whoever drives the cluster: an invariant broke, the user stopped it. That it does not live
-- is what check_live was asked.
local function is_final(raised)
  if type(raised) == "table" then
    return raised.property ~= nil and raised.property ~= "liveness"
  end
  return type(raised) == "string" and raised:find("interrupted", 1, true) ~= nil
end

-- Calls a check of the cluster's and turns its error into a failure.
local function check(cluster, name, ...)
  local kind = type(cluster)
  local method = (kind == "table" or kind == "userdata") and cluster[name]
  if not method then
    error("a cluster is expected as the first argument", 3)
  end
  local function finish(fine, first, ...)
    if fine then
      return first, ...
    elseif is_final(first) then
      error(first, 0)
    end
    fail(plain(first), 2)
  end
  return finish(pcall(method, cluster, ...))
end

--- There is one leader, agreed by its quorum, and no two in a term.
-- @tparam raft.cluster cluster
-- @treturn integer its id
-- @treturn integer its term
function assertions.one_leader(cluster)
  local id, term = check(cluster, "check_one_leader")
  return id, term
end

--- No connected running node believes itself leader.
-- @tparam raft.cluster cluster
function assertions.no_leader(cluster)
  check(cluster, "check_no_leader")
end

--- A command is applied on so many running, connected nodes, and logs agree.
-- @tparam raft.cluster cluster
-- @tparam raft.value command
-- @tparam ?integer count nil: on any
-- @tparam ?number timeout seconds
-- @treturn integer on how many
-- @treturn integer its index
function assertions.committed(cluster, command, count, timeout)
  local found, index = check(cluster, "check_committed", command, count, timeout)
  return found, index
end

--- No node has applied a command.
-- @tparam raft.cluster cluster
-- @tparam raft.value command
function assertions.not_committed(cluster, command)
  check(cluster, "check_not_committed", command)
end

--- The cluster elects, catches up and answers.
-- @tparam raft.cluster cluster
-- @tparam ?number timeout seconds
function assertions.live(cluster, timeout)
  check(cluster, "check_live", timeout)
end

--- What clients saw is linearizable; what is not decided in time is a failure, too.
-- @tparam raft.history|table history of c:workload, or a list of entries as raft.linearizable takes it
-- @tparam ?string|table model nil: that of the workload
-- @tparam[opt=10] ?number timeout real seconds
function assertions.linearizable(history, model, timeout)
  if model == nil and type(history) == "table" then
    model = history.model
  end
  local verdict, explanation = require("raft.linearizable").check(history, model, { timeout = timeout or TIMEOUT_S })
  if verdict == false then
    fail(tostring(explanation))
  elseif verdict == nil then
    fail("whether the history is linearizable was not decided: " .. tostring(explanation))
  end
end

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local function pack(...)
  return { ... }, select("#", ...)
end

-- Whether an attempt succeeded; otherwise what it said.
local function judge(fine, ...)
  if not fine then
    local raised = ...
    if is_final(raised) then
      error(raised, 0)
    end
    return false, raised
  elseif select("#", ...) > 0 and not (...) then
    local _, message = ...
    if message == nil then
      return false, (...) == nil and "it returned nil (a key that is missing reads as nil, too)" or "it returned false"
    end
    return false, type(message) == "string" and message or report.words(message)
  end
  return true
end

-- LuaUnit ends a test by errors, too: a skip or an early success is not for us to try again.
local function is_verdict(raised)
  local luaunit = package.loaded.luaunit
  if type(luaunit) ~= "table" or type(raised) ~= "string" then
    return false
  end
  for _, prefix in ipairs { luaunit.SKIP_PREFIX or false, luaunit.SUCCESS_PREFIX or false } do
    if prefix and raised:find(prefix, 1, true) then
      return true
    end
  end
  return false
end

--- Tries again until it works, letting the cluster's time pass in between. A function that returns
-- something works once that is true; one that returns nothing works once it raises no error.
-- @tparam fun():any f tried at once, and then every 10 ms of the cluster's time
-- @tparam[opt=10] ?number timeout seconds of the cluster's clock
-- @tparam ?raft.cluster cluster whose time passes; nil: the one opened last
-- @return what f returned
function assertions.eventually(f, timeout, cluster)
  if type(f) ~= "function" then
    error("f: a function is expected, not a " .. type(f), 2)
  elseif timeout ~= nil and (type(timeout) ~= "number" or not (timeout >= 0)) then
    error("timeout: seconds are expected", 2)
  end
  cluster = cluster or open.latest()
  if not cluster then
    error("there is no open cluster to wait in", 2)
  end
  local deadline, tries = cluster:now() + (timeout or TIMEOUT_S), 0
  while true do
    tries = tries + 1
    local results, count = pack(pcall(f))
    local fine, problem = judge(unpack(results, 1, count))
    if fine then
      return unpack(results, 2, count)
    elseif is_verdict(problem) then
      error(problem, 0)
    elseif cluster:now() >= deadline then
      fail(string.format("not within %g s: %s (tried %d time%s)", timeout or TIMEOUT_S, plain(problem), tries,
        tries == 1 and "" or "s"))
    end
    cluster:sleep(PAUSE_S)
  end
end

return assertions
