-- Hard scenarios of snapshots: what may come between a snapshot and its install, told of whole clusters. (On bare
-- cores, one event at a time: core_snapshots_spec, core_snapshot_races_spec, core_snapshot_members_spec.)
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local compaction = require "spec.support.compaction"
local scenarios = require "spec.support.scenarios"

local tests = {}
local vary = scenarios.vary
local set_many = compaction.set_many

local function tell(name, variants, run)
  scenarios.tell(tests, name, variants, run)
end

-- What a follower missed is in nobody's log any more; the snapshot takes several messages.
local function leave_behind(c, id)
  c:disconnect(id)
  for i = 1, 20 do
    assert(c:set("wide" .. i, ("x"):rep(100)))
  end
  for _, other in ipairs(clusters.others(c, id)) do
    assert(c:compact(other))
  end
end

local function all_level(c, nodes)
  assert(c:propose("at last"))
  lu.assertTrue(c:check_committed("at last", nodes) >= nodes)
  c:check_live()
end

-- ---- snapshot_races -----------------------------------------------------------------------------

-- The leader falls when part of its snapshot has arrived: what the next one sends is another snapshot, and no piece of
-- the first gets into it, not even those that come late.
tell("snapshot_races_new_term_while_installing", vary { nodes = { 3, 5 }, pre_vote = { true, false },
  max_message = { 256, 1024 } }, function(c, options)
  local behind = clusters.next_id(c, c:check_one_leader())
  leave_behind(c, behind)
  local held, seen = {}, 0
  c:intercept(function(message)
    if message.kind == "snapshot" then
      seen = seen + 1
      if seen > 2 then
        held[#held + 1] = message
        return "hold"
      end
    end
  end)
  c:reconnect(behind)
  assert(c:wait_until(function()
    return seen > 2
  end))
  local old = held[1].from
  c:crash(old)
  c:intercept(nil)
  assert(c:wait_leader(nil, held[1].term))
  for _, message in ipairs(held) do
    message:deliver()
  end
  assert(c:restart(old))
  all_level(c, options.nodes)
end)

-- A leader that was cut off goes on appending what is never committed, past the index at which the others' snapshot
-- ends: its log differs there, and all of it goes.
tell("snapshot_races_divergent_log", vary { nodes = { 3, 5 }, pre_vote = { true, false } }, function(c, options)
  local old, term = c:check_one_leader()
  set_many(c, 3)
  c:partition(clusters.others(c, old))
  for i = 1, 30 do
    c:submit(old, "lost " .. i)
  end
  local leader = assert(c:wait_leader(nil, term))
  set_many(c, 5, "kept")
  for _, id in ipairs(clusters.others(c, old)) do
    assert(c:compact(id))
  end
  lu.assertTrue(c:status(leader).snapshot_index < c:status(old).last_index)
  c:heal()
  all_level(c, options.nodes)
  lu.assertEquals(assert(c:get("k5", { node = old, read = "stale" })), "kept5")
  c:check_not_committed("lost 30")
end)

-- Power fails on the follower while it installs, wherever it is then: it comes back with its log or with the snapshot.
tell("snapshot_races_power_cut_while_installing", vary { nodes = { 3 }, max_message = { 256, 1024 } },
  function(c, options)
    local behind = clusters.next_id(c, c:check_one_leader())
    leave_behind(c, behind)
    local last = 1 + options.seed % 6
    local seen = 0
    c:intercept(function(message)
      seen = seen + (message.kind == "snapshot" and 1 or 0)
    end)
    c:reconnect(behind)
    c:wait_until(function()
      return seen >= last
    end, 2)
    c:crash(behind)
    c:intercept(nil)
    set_many(c, 3)
    assert(c:restart(behind))
    all_level(c, options.nodes)
  end)

-- ---- joint_replace_leader, through a snapshot ---------------------------------------------------

-- A leader that is cut off has a joint configuration in its log, and in force; its own snapshot, from which it starts
-- again, holds the one before. The others go on and compact: their snapshot rolls the change back.
tell("joint_is_rolled_back_by_a_snapshot", vary { nodes = { 3, 5 }, pre_vote = { true, false } }, function(c, options)
  local old, term = c:check_one_leader()
  set_many(c, 3)
  local voters = c:members(old).voters
  c:partition(clusters.others(c, old))
  local down = clusters.next_id(c, old)
  local index = assert(c:change_members({ voters = { old, down } }, { node = old, wait = false }))
  assert(c:wait_until(function()
    return c:members(old).voters_old ~= nil
  end))
  assert(c:compact(old))
  c:sleep(0.05) -- its disk
  c:crash(old)
  assert(c:restart(old))
  assert(c:wait_until(function()
    return c:members(old).voters_old ~= nil
  end, 5))
  assert(c:wait_leader(nil, term))
  set_many(c, 20)
  for _, id in ipairs(clusters.others(c, old)) do
    assert(c:compact(id))
  end
  c:heal()
  all_level(c, options.nodes)
  lu.assertTrue(c:status(old).snapshot_index >= index)
  lu.assertEquals({ c:members(old).voters, c:members(old).voters_old }, { voters })
end)

return tests
