-- Swarm: which faults a run has, how likely each is and how often they come is drawn by the seed. And disks that lie
-- while members come and go.
local lu = require "luaunit"
local raft = require "raft"
local scenario = require "raft.scenario"
local clusters = require "spec.support.clusters"

local tests = {}

-- What a nemesis draws of a list, by the note that tells it.
local function mix(seed, options)
  return clusters.with({ nodes = 3, mode = "sim", seed = seed }, function(c)
    c:nemesis(options)
    local notes = c:events { kind = "note" }
    lu.assertEquals(#notes, 1)
    return notes[1].text:match "^nemesis: (.*)$"
  end)
end

local function count_of(text)
  local _, commas = text:gsub(", ", "")
  return commas + 1
end

function tests.test_TheSeedDrawsWhatARunHas()
  local different, single, seen = {}, 0, {}
  for seed = 1, 60 do
    local text = mix(seed, { swarm = true })
    lu.assertEquals(text, mix(seed, { swarm = true }))
    different[text] = true
    single = single + (count_of(text) == 1 and 1 or 0)
    for kind in text:gmatch "[%a_]+" do
      seen[kind] = (seen[kind] or 0) + 1
    end
  end
  local count = 0
  for _ in pairs(different) do
    count = count + 1
  end
  lu.assertTrue(count > 50, count)
  lu.assertTrue(single >= 3 and single <= 20, single)
  for _, kind in ipairs { "partition", "crash", "pause", "late_messages", "clock", "torn_writes", "lying_disk",
    "transfer", "compact", "change_members" } do
    lu.assertTrue(seen[kind] >= 3 and seen[kind] <= 80, ("%s %s"):format(kind, tostring(seen[kind])))
  end
end

function tests.test_OfAListToo()
  local seen = {}
  for seed = 1, 30 do
    for kind in mix(seed, { swarm = true, "crash", "pause", { "campaign", weight = 0 } }):gmatch "[%a_]+" do
      seen[kind] = true
    end
  end
  lu.assertTrue(seen.crash)
  lu.assertTrue(seen.pause)
  lu.assertNil(seen.campaign)
end

-- How often they come can be held fast, as can the faults.
function tests.test_WhatIsGivenIsNotDrawn()
  clusters.with({ nodes = 3, mode = "sim" }, function(c)
    local n = c:nemesis { swarm = true, every = 2, lasts = 1, { "pause", target = 2 } }
    c:sleep(9)
    n:stop()
    lu.assertEquals(#n.actions, 8)
    for _, action in ipairs(n.actions) do
      lu.assertEquals(action[2], 2)
    end
  end)
end

-- A single disk lies, and each configuration that is asked for has three voters at least: it is a minority of each.
-- Where the damage is found, another server takes its place in the end.
function tests.test_DisksLieWhileMembersComeAndGo()
  local lied, changed, liars = 0, 0, {}
  for seed = 1, 6 do
    local n
    scenario.run({ nodes = 4, mode = "sim", seed = seed, snapshot_every = 10, run = function(c)
      c:workload { kind = "register", rate = 100 }
      n = c:nemesis { every = { 0, 0.3 }, lasts = { 0.1, 0.5 }, { "lying_disk", weight = 2 },
        { mix = { "change_members", "change_one", "come_back", "change_then_crash" }, every = { 0, 1 } } }
      c:sleep(8)
    end }, raft.cluster)
    lied = lied + (n:effects().lying_disk or 0)
    for _, action in ipairs(n.actions) do
      local faults = action[1] == "disk" and action[3] or {}
      if faults.flip or faults.misdirect_write then
        liars[seed .. "/" .. action[2][1]] = true
      elseif action[1] == "change_members" then
        changed = changed + (action.had_effect and 1 or 0)
        lu.assertTrue(#action[2].voters >= 3)
      end
    end
  end
  local count = 0
  for _ in pairs(liars) do
    count = count + 1
  end
  lu.assertTrue(count >= 4 and count <= 6, count)
  lu.assertTrue(lied > 15, lied)
  lu.assertTrue(changed > 5, changed)
end

-- A change to one voter is in no log but that of a crashed node, where nothing else is committed so far.
function tests.test_DisksDoNotLieWhereAConfigurationMayComeInWhichTheyAreNoMinority()
  for _, changes in ipairs { true, false } do
    clusters.with({ nodes = 3, mode = "sim" }, function(c)
      local leader = c:wait_leader()
      assert(c:set("key", 1))
      c:disconnect(leader)
      for number = 1, 5 do
        assert(c:submit(leader, number))
      end
      if changes then
        lu.assertNil(c:change_members({ voters = { leader } }, { node = leader, timeout = 0.05 }))
      end
      c:crash(leader)
      c:wait_leader()
      local n = c:nemesis { every = 0.1, lasts = 0.1, "lying_disk" }
      c:sleep(2)
      n:stop()
      lu.assertEquals(n:effects().lying_disk ~= nil, not changes)
    end)
  end
end

return tests
