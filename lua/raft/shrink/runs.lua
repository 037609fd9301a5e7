--- What can be run again, be looked at from its beginning and be branched: a plan, or a script with few of its faults.
--
-- Each is a function run(hooks): `begin`: begin(c) when its cluster is there; `reached`: reached(steps) is asked after
-- each step of the cluster's world, how many there were so far, until it gives { key }: what is drawn from then on is
-- as of another seed; `ended`: ended(failure, time), in its own seconds; `ends_ns`: when it ends at last. A plan's also
-- takes `is_redrawn` and `lose`, as raft.shrink.replay has them.
-- @module raft.shrink.runs

local failures = require "raft.failure"
local inputs = require "raft.inputs"
local replay = require "raft.shrink.replay"
local scripted = require "raft.shrink.scripted"

local runs = {}

--- A plan under its own seed.
-- @tparam table plan
-- @treturn function
function runs.of_plan(plan)
  return function(hooks)
    replay.run(plan, plan.seed, nil, {
      reached = hooks.reached, is_redrawn = hooks.is_redrawn, ends_ns = hooks.ends_ns, lose = hooks.lose,
      ended = function(raised, time)
        hooks.ended(raised ~= nil and failures.of(raised) or nil, time)
      end,
    }, hooks.begin)
  end
end

-- Asks after each step, without a client: the script has numbers for its own, and may wait for all.
local function ask_each(c, hooks)
  local function ask()
    local branch = hooks.reached(c.core:world_events())
    if branch then
      c.core:rekey(branch.key)
    end
    return branch ~= nil
  end
  if not ask() then
    c.driver:ask_each_event(ask)
  end
end

--- A script with few of its faults.
-- @tparam function run as shrink.run takes it
-- @tparam table result as scripted.shrink gives it
-- @treturn function
function runs.of_script(run, result)
  return function(hooks)
    local filter = scripted.filter(result.calls, result.actions, result.network)
    function filter.made(c, place)
      if place ~= result.place then -- of the clusters that it makes, the one that failed
        return
      end
      hooks.begin(c)
      if hooks.ends_ns then
        c:after(hooks.ends_ns / 1e9 - c:now(), function() hooks.ended(nil, c:now()) end)
      end
      ask_each(c, hooks)
    end
    local function ended(failure)
      hooks.ended(failure, inputs.end_ns(inputs.latest()) / 1e9)
    end
    inputs.begin(filter)
    ended(run(nil, ended))
    inputs.stop()
  end
end

return runs
