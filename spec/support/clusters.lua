-- What the specs share: a cluster around a function, over many seeds, in both worlds.
local lu = require "luaunit"
local defaults = require "raft.defaults"
local raft = require "raft"

local M = {}

local unpack = table.unpack or unpack

-- The runner's, else RAFTBENCH_SEED.
function M.seed()
  return defaults.get("seed") or 1
end

function M.mode()
  return defaults.get("mode") or "sim"
end

-- How many seeds a spec that goes over seeds runs in the simulated world.
function M.seed_count()
  return tonumber(os.getenv("RAFTBENCH_SPEC_SEEDS")) or 100
end

-- A copy of a table with the fields of others over it.
function M.merge(...)
  local merged = {}
  for i = 1, select("#", ...) do
    for key, value in pairs((select(i, ...)) or {}) do
      merged[key] = value
    end
  end
  return merged
end

-- LuaUnit knows its own failures by how they begin, so what is added goes to the end.
local function explain(problem, options)
  local text = type(problem) == "string" and problem or tostring(problem)
  if text:find("LuaUnit test", 1, true) then
    text = text:gsub("\nstack traceback:.*", "")
  else
    text = debug.traceback(text, 3)
  end
  return ("%s\n  (in a %s cluster of seed %s)"):format(text, options.mode or M.mode(),
    options.seed or M.seed())
end

-- f(c) with a cluster that is shut down whatever happens; gives what f gives.
function M.with(options, f)
  local c = raft.cluster(options)
  local results = { xpcall(function()
    return f(c)
  end, function(problem)
    return explain(problem, options)
  end) }
  c:shutdown()
  if not results[1] then
    error(results[2], 0)
  end
  return unpack(results, 2)
end

-- The same over so many seeds from the run's on in the simulated world, once over TCP.
function M.over_seeds(options, f)
  local mode = options.mode or M.mode()
  local first = M.seed()
  local last = first + (mode == "sim" and M.seed_count() or 1) - 1
  for seed = first, last do
    M.with(M.merge(options, { seed = seed }), f)
  end
end

-- Adds test_NAME_MODE for each mode of a list: the same script in several worlds.
local function in_each(modes, tests, name, options, f)
  for _, mode in ipairs(modes) do
    tests[("test_%s_%s"):format(name, mode)] = function()
      M.with(M.merge(options, { mode = mode }), f)
    end
  end
end

-- In the simulated world and over TCP.
function M.in_both(tests, name, options, f)
  in_each({ "sim", "tcp" }, tests, name, options, f)
end

-- And where each node is a process of its own.
function M.in_all(tests, name, options, f)
  in_each({ "sim", "tcp", "process" }, tests, name, options, f)
end

-- Adds test_NAME: in the default world.
function M.add(tests, name, options, f)
  tests["test_" .. name] = function()
    M.with(options, f)
  end
end

-- ---- assertions ---------------------------------------------------------------------------------

-- assert_refused(code, c:submit(...)): gives the message and the detail.
function M.assert_refused(code, value, message, got, detail)
  lu.assertNil(value, "expected nil and " .. code)
  lu.assertEquals(got, code, tostring(message))
  lu.assertIsString(message)
  return message, detail
end

-- What a client's function returned, once it has ended.
function M.result(client, timeout)
  return select(2, assert(client:wait(timeout)))
end

-- f raises, and its message has each of these texts in it.
function M.assert_raises(f, ...)
  local ok, problem = pcall(f)
  lu.assertFalse(ok, "expected an error")
  local text = tostring(problem)
  for i = 1, select("#", ...) do
    local part = select(i, ...)
    lu.assertStrContains(text, part)
  end
  return problem
end

function M.assert_one_of(value, allowed)
  for _, each in ipairs(allowed) do
    if value == each then
      return
    end
  end
  lu.fail(("%s is none of %s"):format(lu.prettystr(value), table.concat(allowed, ", ")))
end

-- ---- waits --------------------------------------------------------------------------------------

-- The next id after this one among the cluster's, wrapping round.
function M.next_id(c, id)
  local ids = c:ids()
  for position, each in ipairs(ids) do
    if each == id then
      return ids[position % #ids + 1]
    end
  end
  error("no node " .. tostring(id))
end

-- The ids other than those given, in order.
function M.others(c, ...)
  local without, rest = {}, {}
  for _, id in ipairs { ... } do
    without[id] = true
  end
  for _, id in ipairs(c:ids()) do
    if not without[id] then
      rest[#rest + 1] = id
    end
  end
  return rest
end

-- Until every node has a connection to every other: what is sent before is lost.
function M.wait_connected(c)
  local wanted = #c:ids() * (#c:ids() - 1)
  return assert(c:wait_until(function()
    return #c:events { kind = "connect" } >= wanted
  end, nil, "all connections"))
end

-- Until this node has found no leader and tried to become one.
function M.wait_tried(c, id)
  return assert(c:wait_until(function()
    local role = c:status(id).role
    return role == "candidate" or role == "pre_candidate"
  end, nil, ("node %d to stand for election"):format(id)))
end

function M.wait_term_above(c, id, term)
  return assert(c:wait_until(function()
    return c:status(id).term > term
  end, nil, ("node %d's term to rise above %d"):format(id, term)))
end

function M.wait_follows(c, id, leader)
  return assert(c:wait_until(function()
    return c:status(id).leader == leader
  end, nil, ("node %d to follow %d"):format(id, leader)))
end

-- Until nobody believes itself leader (with check-quorum, leaders that are cut off step down).
function M.wait_no_leaders(c)
  return assert(c:wait_until(function()
    return #c:leaders() == 0
  end, nil, "all leaders to step down"))
end

-- Until all these nodes (default: all that run) have applied as far as the furthest of them.
function M.wait_level(c, ids)
  return assert(c:wait_until(function()
    local first
    for _, id in ipairs(ids or c:ids()) do
      if c:is_alive(id) then
        local status = c:status(id)
        first = first or status
        if status.applied ~= first.applied or status.last_index ~= first.last_index
          or status.applied ~= status.last_index then
          return false
        end
      end
    end
    return true
  end, nil, "all nodes to have the same log, applied"))
end

return M
