-- The write-ahead log at work: one sync for all that waits, segments one after the other, what was cut off stays away.
-- (Every crash is in crash_matrix_spec, damage in storage_spec, the reader's fuzzer is spec/fuzz/wal.c.)
local clusters = require "spec.support.clusters"
local command = require "spec.support.command"
local lu = require "luaunit"

local tests = {}

-- What comes while a write is under way goes into the next one.
clusters.add(tests, "WhatWaitsSharesASync_sim", { nodes = 1, mode = "sim" }, function(c)
  c:wait_leader()
  c:sleep(0.1)
  local before = c:stats(1).syncs
  for number = 1, 100 do
    assert(c:submit(1, number))
  end
  c:sleep(1e-6) -- the disk is busy with these, as it takes 100 us or more
  for number = 1, 50 do
    assert(c:submit(1, number))
  end
  assert(c:wait_until(function()
    return c:status(1).commit == c:status(1).last_index
  end))
  lu.assertEquals(c:stats(1).syncs - before, 2)
end)

command.add(tests, "ClientsShareSyncs_tcp", function(folder)
  clusters.with({ nodes = 3, mode = "tcp", dir = folder }, function(c)
    local leader = c:wait_leader()
    local before, done, clients = c:stats(leader).syncs, 0, {}
    for number = 1, 64 do
      clients[number] = c:client(function()
        for value = 1, 20 do
          assert(c:set(number, value))
          done = done + 1
        end
      end)
    end
    for _, client in ipairs(clients) do
      assert(client:wait(60))
    end
    lu.assertEquals(done, 64 * 20)
    local commits_a_sync = done / (c:stats(leader).syncs - before)
    lu.assertTrue(commits_a_sync >= 20, "commits a sync: " .. commits_a_sync)
  end)
end)

-- A simulated segment has 8 to 64 KiB: here are many of them, with entries that are larger than one, too.
clusters.add(tests, "ManySegmentsAndLargeEntries", { nodes = 3, mode = "sim" }, function(c)
  c:wait_leader()
  for number = 1, 60 do
    assert(c:set(number, ("%d "):format(number):rep(number % 20 == 0 and 40000 or 2000)))
    if number % 15 == 0 then
      c:crash "all"
      assert(c:restart "all")
      c:wait_leader()
    end
  end
  for number = 1, 60 do
    lu.assertEquals(#c:get(number), #("%d "):format(number) * (number % 20 == 0 and 40000 or 2000))
  end
end)

-- A vote and a term are on the disk before they are told: an election after a crash is in a higher term.
clusters.add(tests, "TermAndVoteStay", { nodes = 3, mode = "sim" }, function(c)
  c:wait_leader()
  local term = 0
  for _ = 1, 10 do
    c:crash "all"
    assert(c:restart "all")
    for id = 1, 3 do
      lu.assertTrue(c:status(id).term >= term)
    end
    c:wait_leader()
    local leader = c:leader()
    term = c:status(leader).term
  end
end)

-- What was cut off by a leader's next one is not there after a restart.
clusters.add(tests, "ATruncatedTailStaysAway", { nodes = 3, mode = "sim" }, function(c)
  local old = c:wait_leader()
  assert(c:set("a", 1))
  c:disconnect(old)
  for _ = 1, 5 do
    c:submit(old, "never committed")
  end
  c:sleep(0.1)
  c:wait_leader()
  assert(c:set("a", 2))
  c:reconnect(old)
  clusters.wait_level(c)
  local before = c:status(old).last_index
  c:crash(old)
  assert(c:restart(old))
  lu.assertEquals(c:status(old).last_index, before)
  for _, entry in ipairs(c:log(old)) do
    lu.assertNotEquals(entry.command, "never committed")
  end
end)

return tests
