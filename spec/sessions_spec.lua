-- Sessions: what a client asks for is applied exactly once, whatever is lost, sent again or crashes meanwhile.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"

local tests = {}
local in_both = clusters.in_both

-- Counts each command that is applied, by its text.
local function tally()
  local counts = {}
  return {
    apply = function(command)
      counts[command] = (counts[command] or 0) + 1
      return counts[command]
    end,
    query = function(command)
      return counts[command] or 0
    end,
    snapshot = function()
      local lines = {}
      for command, count in require("raft").sorted(counts) do
        lines[#lines + 1] = ("%d %s\n"):format(count, command)
      end
      return table.concat(lines)
    end,
    restore = function(next_chunk)
      local text, chunk = "", next_chunk()
      while chunk do
        text, chunk = text .. chunk, next_chunk()
      end
      counts = {}
      for count, command in text:gmatch "(%d+) ([^\n]*)\n" do
        counts[command] = tonumber(count)
      end
    end,
  }
end

local function deaf(c)
  c:link("*", "client", { cut = true })
end

local function hearing(c)
  c:link("*", "client", nil)
end

-- A client whose command is applied, and that does not learn of it.
local function ask_in_vain(c, repeat_every)
  local before, index
  local client = c:client(function()
    before = assert(c:propose("before"))
    return c:propose("once", { timeout = 60 })
  end, { session = true, repeat_every = repeat_every })
  local stop = c:on({ kind = "append" }, function(event)
    if before and event.last > before and not index then
      index = event.last
      deaf(c)
    end
  end)
  assert(c:wait_event(function(event)
    return index and event.kind == "apply" and event.index == index
  end))
  stop()
  return client, index
end

-- More others than are remembered come and go.
local function crowd(c)
  local left = 10001
  for _ = 1, 500 do
    c:client(function()
      while left > 0 do
        left = left - 1
        local one = c:client(function()
          assert(c:propose("other", { timeout = 60 }))
        end, { session = true, repeat_every = 60 })
        assert(one:wait(60))
      end
    end)
  end
  while left > 0 do
    c:sleep(0.1)
  end
  c:sleep(0.5)
end

-- ---- clients of a cluster ----------------------------------------------------------------------------

in_both(tests, "ALostAnswerIsAskedForAgain", { nodes = 3, machine = tally }, function(c)
  c:check_one_leader()
  local client, index = ask_in_vain(c, 0.3)
  c:sleep(0.7)
  hearing(c)
  local answered, result = clusters.result(client)
  lu.assertTrue(answered > index) -- by another entry
  lu.assertEquals(result, 1)
  lu.assertEquals(assert(c:query("once")), 1)
end)

in_both(tests, "TheLeaderDiesBetweenApplyingAndAnswering", { nodes = 3, machine = tally }, function(c)
  local leader = c:check_one_leader()
  local armed = false
  c:on({ kind = "apply", node = leader }, function()
    if armed then
      c:crash(leader)
      armed = false
    end
  end)
  local client = c:client(function()
    assert(c:propose("first"))
    armed = true
    return c:propose("once")
  end, { session = true })
  local _, result = clusters.result(client)
  lu.assertEquals(c:status(leader).state, "crashed")
  lu.assertEquals(result, 1)
  assert(c:restart(leader))
  lu.assertEquals(assert(c:query("once")), 1)
end)

-- Who answers the second time has never applied the command: it came with a snapshot, and so did the session.
in_both(tests, "ASnapshotBringsTheSessions", { nodes = 3, machine = tally }, function(c)
  local leader = c:check_one_leader()
  local behind = clusters.next_id(c, leader)
  c:crash(behind)
  local client, index = ask_in_vain(c, 1)
  assert(c:wait_until(function()
    return c:status(leader, "applied") >= index
  end))
  assert(c:compact(leader))
  assert(c:restart(behind))
  assert(c:wait_event({ kind = "restore", node = behind }))
  assert(c:wait_until(function()
    return c:status(behind, "applied") >= index
  end))
  c:crash(leader)
  assert(c:wait_leader())
  if c:leader() ~= behind then
    assert(c:transfer_leader(behind))
  end
  hearing(c)
  local _, result = clusters.result(client)
  lu.assertEquals(result, 1)
  lu.assertEquals(assert(c:query("once")), 1)
end)

-- ---- sessions that have expired ------------------------------------------------------------------------

-- Its answer is lost, and so is all memory of it: it is not applied a second time, and the client is told.
in_both(tests, "AnExpiredSessionIsTold", { nodes = 3, machine = tally, keep_events = 1000 }, function(c)
  local leader = c:check_one_leader()
  local client = ask_in_vain(c, 60)
  hearing(c)
  crowd(c)
  c:crash(leader) -- so that it asks again at once
  local ok, index, message, code, detail = client:wait(60)
  lu.assertTrue(ok)
  lu.assertNil(index)
  lu.assertStrContains(message, "expired")
  lu.assertEquals({ code, detail.unknown }, { "session_expired", true })
  lu.assertEquals(assert(c:query("once")), 1)
end)

-- What was never sent before is asked for in a new session, without a word.
in_both(tests, "AnIdleClientGoesOnInANewSession", { nodes = 3, machine = tally, keep_events = 1000 }, function(c)
  c:check_one_leader()
  local go = false
  local client = c:client(function()
    assert(c:propose("before"))
    while not go do
      c:sleep(0.1)
    end
    local _, result = assert(c:propose("after"))
    return result
  end, { session = true })
  crowd(c)
  go = true
  lu.assertEquals(clusters.result(client), 1)
  lu.assertEquals(assert(c:query("after")), 1)
  lu.assertEquals(assert(c:query("other")), 10001)
end)

return tests
