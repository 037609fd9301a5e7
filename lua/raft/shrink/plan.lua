--- A plan: a run as data. The options of its cluster, a list of steps (timed calls), workloads as lists of timed
-- operations, and how the run ends. What shrinking takes away from, and what a printed script does.
--
-- A plan is never changed in place: each change gives a new one, which shares what is the same.
--
--     plan = { options, seed, steps, workloads, ends_ns, tail, events_most = more are a hang }
--     step = { name, count, arguments…, at_ns, client, session = its client's, undoes = the step that it ends }
--     tail = "live": all is healed, and the cluster must live · "check": histories are checked · "start": whatever has
--     stopped starts again, all through the run too; it is a failure where it says `reason` · false
-- @module raft.shrink.plan

local inputs = require "raft.inputs"
local source = require "raft.script.source"

local plan = {}

local STARTS_NS = 100000000 -- until who starts last has read its disk
local HELD_NS = 3600000000000 -- a message that is held for so long is lost

-- What each call is: a fault, an end of faults, an operation of a client, or a check.
local sorts = {}
local function sort_as(sort, names)
  for name in names:gmatch "[%a_]+" do
    sorts[name] = sort
  end
end
sort_as("operation", "submit propose set delete cas query get call")
sort_as("undo", "restart resume heal reconnect")
sort_as("check", "check_committed check_live check_one_leader")

--- What kind of step this is.
-- @tparam table step
-- @treturn string "fault", "undo", "operation", "check", or "election": what a timer would have begun
function plan.sort(step)
  return step.is_undo and "undo" or step.is_timer and "election" or sorts[step.name] or "fault"
end

--- A copy of a table, one level deep.
-- @tparam table from
-- @treturn table
function plan.shallow(from)
  local to = {}
  for key, value in pairs(from) do
    to[key] = value
  end
  return to
end

--- A plan that differs in some fields.
-- @tparam table old
-- @tparam table changes
-- @treturn table
function plan.with(old, changes)
  local new = plan.shallow(old)
  for key, value in pairs(changes) do
    new[key] = value
  end
  return new
end

--- The steps that a predicate wants, in order.
-- @tparam table steps
-- @tparam function wants
-- @treturn table
function plan.filter(steps, wants)
  local list = {}
  for position, step in ipairs(steps) do
    if wants(step, position) then
      list[#list + 1] = step
    end
  end
  return list
end

-- ---- from what was recorded ----------------------------------------------------------------------------------

-- Calls that had no effect and would have none: of nodes that are not there, of worlds that cannot do them.
local void = { unknown_node = true, unsupported = true, closed = true }

local function from_calls(steps, calls)
  for _, call in ipairs(calls) do
    local is_passed_check = sorts[call.name] == "check" and not call.raised and call.name ~= "check_live"
    if not void[call.code] and not is_passed_check then
      -- A callback's call comes after what its moment brings.
      steps[#steps + 1] = call.client == -1 and plan.with(call, { at_ns = call.at_ns + 1 }) or call
    end
  end
end

-- What an intercept did to a message: `delay` and `lose`.
local function from_fates(steps, fates)
  for _, fate in ipairs(fates) do
    local which = { from = fate.from, to = fate.to, kind = fate.kind }
    local first, again = fate.arrives_ns[1], fate.arrives_ns[2]
    if first and first - fate.at_ns < HELD_NS then
      which.by = (first - fate.at_ns) / 1e9
      which.again = again and (again - first) / 1e9 or nil
    end
    local at_ns = math.max(0, fate.at_ns - 1) -- before it is sent
    steps[#steps + 1] = { name = first and "delay" or "lose", count = 1, which, at_ns = at_ns, client = -1 }
  end
end

local function from_action(action)
  local step = { name = action[1], count = 0, at_ns = math.floor(action.at * 1e9 + 0.5), client = -2 }
  for place, value in pairs(action) do
    if type(place) == "number" and place > 1 then
      step[place - 1] = source.copy(value)
      step.count = math.max(step.count, place - 1)
    end
  end
  return step
end

-- What a nemesis did, by its own list.
local function from_nemesis(steps, nemesis)
  local made = {}
  if nemesis.has_base then
    steps[#steps + 1] = { name = "disk", count = 2, "all", nemesis.base_given, at_ns = 0, client = -2 }
  end
  for position, action in ipairs(nemesis.actions) do
    local step = from_action(action)
    made[position] = step
    local undoes = action.undoes and made[action.undoes] or nil
    if undoes then
      step.undoes, step.is_undo = undoes, true
    end
    step.is_idle = action.had_effect == false and not undoes or nil
    steps[#steps + 1] = step
  end
end

--- Sorts steps by their time; those of one moment stay in order.
-- @tparam table steps
-- @treturn table the same
function plan.sort_steps(steps)
  local place = {}
  for position, step in ipairs(steps) do
    place[step] = position
  end
  table.sort(steps, function(a, b)
    if a.at_ns ~= b.at_ns then
      return a.at_ns < b.at_ns
    end
    return place[a] < place[b]
  end)
  return steps
end

local function ids_of(what)
  if type(what) == "table" then
    return what
  end
  return { what }
end

local function shares_id(a, b)
  if a == "all" or b == "all" then
    return true
  end
  for _, id in ipairs(ids_of(a)) do
    for _, other in ipairs(ids_of(b)) do
      if id == other then
        return true
      end
    end
  end
  return false
end

-- What ends what, where nobody told: a restart the crash of the node before it, and so on.
local ends = { restart = "crash", resume = "pause", reconnect = "disconnect" }

local function is_default(step)
  return (step.name == "link" and step.count < 3) or (step.name == "disk" and step.count < 2)
end

local function find_undone(steps, position)
  local step = steps[position]
  local undone = ends[step.name] or (is_default(step) and step.name)
  if not undone then
    return nil
  end
  for before = position - 1, 1, -1 do
    local other = steps[before]
    if other.name == undone and not is_default(other) and shares_id(other[1], step[1])
      and (step.name ~= "link" or shares_id(other[2], step[2])) then
      return other
    end
  end
  return nil
end

--- Finds for each step what it ends, where nobody told.
-- @tparam table steps in order
function plan.pair_up(steps)
  for position, step in ipairs(steps) do
    if not step.undoes then
      step.undoes = find_undone(steps, position)
      step.is_undo = step.undoes and true or step.is_undo
    end
  end
end

-- What a workload did, as the options that do it again.
local function from_history(history)
  local run = history.run
  return {
    kind = run.kind, model = run.model ~= run.kind and run.model or nil, session = run.session,
    timeout = run.timeout ~= 1 and run.timeout or nil, perform = run.perform or nil, operations = history.operations,
  }
end

local function from_histories(histories)
  local list = {}
  for _, history in ipairs(histories) do
    if #history > 0 then
      list[#list + 1] = from_history(history)
    end
  end
  return list
end

local function last_operation_ns(workloads)
  local last = 0
  for _, workload in ipairs(workloads) do
    for _, operation in ipairs(workload.operations) do
      last = math.max(last, operation.at)
    end
  end
  return math.floor(last * 1e9 + 0.5)
end

--- The options of a recorded cluster, as a plan has them.
-- @tparam table recorded as raft.inputs keeps it
-- @treturn table
function plan.options_of(recorded)
  local options = source.copy(recorded.options)
  options.seed, options.mode, options.trace, options.name = nil, nil, nil, nil
  options.nodes = options.nodes or 3
  return options
end

local tails = { liveness = "live", linearizability = "check", ["a node starts again"] = "start" }

-- What does not change of the words in which a node says why it does not start: the longest piece without numbers.
local function reason_of(failure)
  local longest = ""
  for piece in failure.key:gmatch "[^#]+" do
    longest = #piece > #longest and piece or longest
  end
  return longest
end

--- A plan of what was recorded.
-- @tparam table recorded as raft.inputs keeps it
-- @tparam table failure { time, property } of the run
-- @treturn table plan
function plan.new(recorded, failure)
  local steps = {}
  from_calls(steps, recorded.calls)
  from_fates(steps, recorded.fates)
  for _, nemesis in ipairs(require("raft.nemesis").of(recorded.cluster)) do
    from_nemesis(steps, nemesis)
  end
  plan.sort_steps(steps)
  plan.pair_up(steps)
  local workloads = from_histories(require("raft.workload").of(recorded.cluster))
  local tail = tails[failure.property] or false
  local ends_ns = failure.time and math.floor(failure.time * 1e9 + 0.5) or inputs.end_ns(recorded)
  if tail == "check" then
    ends_ns = math.max(ends_ns, last_operation_ns(workloads))
  elseif tail == "start" then
    ends_ns = ends_ns + STARTS_NS
  end
  return {
    options = plan.options_of(recorded), seed = recorded.cluster.options.seed, steps = steps, workloads = workloads,
    ends_ns = ends_ns, tail = tail, reason = tail == "start" and reason_of(failure) or nil,
  }
end

-- ---- counting ------------------------------------------------------------------------------------------------

--- How much there is in a plan.
-- @tparam table of
-- @treturn table { faults, operations, elections, steps, nodes, seconds }
function plan.count(of)
  local count = { faults = 0, operations = 0, elections = 0, steps = #of.steps, seconds = of.ends_ns / 1e9, nodes = 0 }
  for _, step in ipairs(of.steps) do
    local sort = plan.sort(step)
    if sort == "fault" then
      count.faults = count.faults + 1
    elseif sort == "operation" then
      count.operations = count.operations + 1
    elseif sort == "election" then
      count.elections = count.elections + 1
    end
  end
  for _, workload in ipairs(of.workloads) do
    count.operations = count.operations + #workload.operations
  end
  count.nodes = type(of.options.nodes) == "table" and #of.options.nodes or of.options.nodes
  return count
end

--- What a plan has, in words.
-- @tparam table of
-- @treturn string
function plan.words(of)
  local count = plan.count(of)
  local function many(number, what)
    return ("%d %s%s"):format(number, what, number == 1 and "" or "s")
  end
  return ("%s, %s, %s%s, %.3g s"):format(many(count.faults, "fault"), many(count.operations, "operation"),
    count.elections > 0 and many(count.elections, "election") .. ", " or "", many(count.nodes, "node"), count.seconds)
end

--- A call as a script has it, with arguments from `first` to `last` of a list.
-- @tparam string name
-- @tparam table list
-- @tparam integer first
-- @tparam integer last
-- @treturn string
function plan.call_words(name, list, first, last)
  local arguments = {}
  for position = first, last do
    arguments[#arguments + 1] = source.write(list[position], { write_function = function() return "function" end })
      or "…"
  end
  return ("%s(%s)"):format(name, table.concat(arguments, ", "))
end

--- A plan with other operations of one workload.
-- @tparam table of
-- @tparam integer place the workload's
-- @tparam table operations
-- @treturn table
function plan.with_operations(of, place, operations)
  local workloads = plan.shallow(of.workloads)
  workloads[place] = plan.with(workloads[place], { operations = operations })
  return plan.with(of, { workloads = workloads })
end

--- A plan whose steps, operations and end are at other times; the order stays.
-- @tparam table of
-- @tparam function map map(ns) → ns, which never decreases
-- @treturn table
function plan.retime(of, map)
  local steps, made, workloads = {}, {}, {}
  for position, step in ipairs(of.steps) do
    made[step] = plan.with(step, { at_ns = map(step.at_ns), undoes = step.undoes and made[step.undoes] })
    steps[position] = made[step]
  end
  for place, workload in ipairs(of.workloads) do
    local operations = {}
    for position, operation in ipairs(workload.operations) do
      operations[position] = plan.with(operation, { at = map(math.floor(operation.at * 1e9 + 0.5)) / 1e9 })
    end
    workloads[place] = plan.with(workload, { operations = operations })
  end
  return plan.with(of, { steps = steps, workloads = workloads, ends_ns = map(of.ends_ns) })
end

--- The steps of each session, in order.
-- @tparam table of
-- @treturn table by the session's name
function plan.sessions(of)
  local sessions = {}
  for _, step in ipairs(of.steps) do
    if step.session then
      sessions[step.session] = sessions[step.session] or {}
      table.insert(sessions[step.session], step)
    end
  end
  return sessions
end

--- Whether a call waits.
-- @tparam string name
-- @treturn boolean
function plan.waits(name)
  return inputs.kind(name) == "waits"
end

return plan
