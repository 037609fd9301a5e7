--- Pass 7: milder words for what is left: a pause for a crash, a cut for a pause, one node for a list of them, fewer
-- fields of a link's or a disk's faults, chances of 0 or 1, no options.
-- @module raft.shrink.milder

local plans = require "raft.shrink.plan"
local source = require "raft.script.source"

local milder = {}

-- A fault and what ends it, in milder words.
local words = {
  crash = { { "pause", "resume" }, { "disconnect", "reconnect" } },
  pause = { { "disconnect", "reconnect" } },
}
local ending = { restart = true, resume = true, reconnect = true }

-- The plan with another fault in a fault's place, and what ends that.
local function reworded(plan, old, fault, undo)
  local new = plans.with(old, { name = fault })
  local steps = {}
  for position, step in ipairs(plan.steps) do
    if step == old then
      step = new
    elseif step.undoes == old and ending[step.name] then
      step = plans.with(step, { name = undo, undoes = new, count = math.min(step.count, 1) })
    end
    steps[position] = step
  end
  return plans.with(plan, { steps = steps })
end

local function other_words(work, place)
  local step = work.plan.steps[place]
  for _, pair in ipairs(words[step.name] or {}) do
    if work:try_nicer(reworded(work.plan, step, pair[1], pair[2])) then
      return
    end
  end
end

local function with_argument(step, place, value)
  local new = plans.with(step, { [place] = value })
  if value == nil then
    new[place] = nil
    new.count = place - 1
  end
  return new
end

-- One id for a list of them.
local function fewer_ids(work, place)
  local step = work.plan.steps[place]
  local ids = step[1]
  if type(ids) ~= "table" or #ids == 0 or step.name == "partition" or step.name:find("_", 1, true) then
    return
  end
  for _, id in ipairs(ids) do
    if work:try_instead(step, with_argument(step, 1, id)) then
      return
    end
  end
end

-- The faults of a link or a disk: which argument they are.
local faults_place = { link = 3, disk = 2, clock = 2 }

local function fewer_fields(work, place)
  local at = faults_place[work.plan.steps[place].name]
  local faults = at and work.plan.steps[place][at]
  if type(faults) ~= "table" then
    return
  end
  for _, name in ipairs(source.keys(faults)) do
    local step = work.plan.steps[place]
    local less = plans.shallow(step[at])
    less[name] = nil
    local went = next(less) ~= nil and work:try_instead(step, with_argument(step, at, less))
    if not went and (name == "drop" or name == "duplicate") and step[at][name] < 1 then
      local more = plans.with(step[at], { [name] = 1 })
      work:try_instead(step, with_argument(step, at, more))
    end
  end
end

-- Time-outs and the like at a call's end.
local function fewer_options(work, place)
  local step = work.plan.steps[place]
  local last = step[step.count]
  if plans.sort(step) == "fault" and faults_place[step.name] == step.count then
    return
  elseif step.count > 1 and type(last) == "table" and (last.timeout or last.wait ~= nil or last.node or last.force) then
    local new = with_argument(step, step.count, nil)
    if not work:try_instead(step, new) and last.timeout then
      local rest = plans.shallow(last)
      rest.timeout = nil
      work:try_instead(step, with_argument(step, step.count, rest))
    end
  end
  step = work.plan.steps[place]
  if step.session then
    local new = plans.shallow(step)
    new.session = nil
    work:try_instead(step, new)
  end
end

local plain = { cas = true, delete = true, propose = true }

-- Any command for the one it was; a machine of the user's own knows no "set".
local function plain_command(work, place)
  local step = work.plan.steps[place]
  if (work.plan.options.machine or "kv") == "kv" and plain[step.name] then
    work:try_instead(step, plans.with({ "x", place, name = "set", count = 2 }, {
      at_ns = step.at_ns, client = step.client,
    }))
  end
end

--- Milder words for each step, from the last to the first.
-- @tparam table work
function milder.all(work)
  for _, change in ipairs { other_words, fewer_ids, fewer_fields, fewer_options, plain_command } do
    for place = #work.plan.steps, 1, -1 do
      if work.oracle:is_spent() then
        return
      elseif work.plan.steps[place] then
        change(work, place)
      end
    end
  end
end

--- Steps that wait, in the main script where they need no client of their own.
-- @tparam table work
function milder.direct(work)
  local function direct(step)
    return plans.waits(step.name) and not step.session and plans.with(step, { is_direct = true }) or step
  end
  local steps, made = {}, {}
  for position, step in ipairs(work.plan.steps) do
    steps[position] = direct(step)
    made[step] = steps[position]
  end
  for position, step in ipairs(steps) do
    if step.undoes then
      steps[position] = plans.with(step, { undoes = made[step.undoes] or step.undoes })
    end
  end
  if work:try_nicer(plans.with(work.plan, { steps = steps })) then
    return
  end
  for place = 1, #work.plan.steps do
    local step = work.plan.steps[place]
    if step and not step.is_direct and direct(step) ~= step and not work.oracle:is_spent() then
      work:try_instead(step, direct(step))
    end
  end
end

return milder
