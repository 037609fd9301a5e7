--- Inputs drawn anew: what a run's script does from a moment on, at other times and to other nodes. Which failure is
-- likely whatever comes next?
--
-- The calls are the same, in the same order, so that a restart still follows its crash; what ends a fault that has
-- begun still ends that one. Elections that were calls (raft.shrink.freeze) go on as timers would have them.
-- @module raft.shrink.redraw

local core = require "raft.core"
local nodes = require "raft.shrink.nodes"
local plans = require "raft.shrink.plan"

local redraw = {}

local NEARLY = 0.5 -- so many pauses keep about their length
local PAUSE_NS = 200000000 -- others are drawn up to this, or twice their length
local ELECTIONS = 4 -- more, where timers fire no more

-- A permutation of the ids; nil where they are not 1..n.
local function permutation(stream, count)
  if type(count) ~= "number" then
    return nil
  end
  local ids = {}
  for id = 1, count do
    ids[id] = id
  end
  for place = count, 2, -1 do
    local other = stream:random(1, place)
    ids[place], ids[other] = ids[other], ids[place]
  end
  return ids
end

local function pause(stream, length_ns)
  if stream:random() < NEARLY then
    return math.floor(length_ns * (0.5 + stream:random()))
  end
  return math.floor(stream:random() * math.max(PAUSE_NS, 2 * length_ns))
end

-- What ends a fault that has begun, operations and checks stay with their nodes.
local function is_bound(step, is_left)
  local sort = plans.sort(step)
  return sort == "operation" or sort == "check" or step.undoes and not is_left[step.undoes]
end

local function add_elections(list, stream, count, at_ns)
  for _ = 1, ELECTIONS do
    at_ns = at_ns + PAUSE_NS + pause(stream, PAUSE_NS)
    list[#list + 1] = { name = "campaign", count = 1, stream:random(1, count), at_ns = at_ns, client = 0 }
  end
end

--- The steps that are left, drawn anew.
-- @tparam table plan
-- @tparam integer done how many steps are done
-- @tparam integer now_ns
-- @tparam integer key what is drawn depends on it alone
-- @treturn table steps in order
function redraw.steps(plan, done, now_ns, key)
  local stream = core.stream(key, "redraw")
  local count = plan.options.nodes
  local ids, list, is_left = permutation(stream, count), {}, {}
  local before_ns, at_ns = now_ns, now_ns
  plans.pair_up(plan.steps)
  for place = done + 1, #plan.steps do
    local step = plan.steps[place]
    is_left[step] = true
    at_ns = at_ns + pause(stream, math.max(0, step.at_ns - before_ns))
    before_ns = math.max(before_ns, step.at_ns)
    if step.session then
      list[#list + 1] = step
    else
      local other = ids and not is_bound(step, is_left) and nodes.renamed(step, function(id) return ids[id] end) or step
      list[#list + 1] = plans.with(other, { at_ns = at_ns })
    end
  end
  if ids and plan.options.election_timeout == math.huge then
    add_elections(list, stream, count, at_ns)
  end
  return list
end

return redraw
