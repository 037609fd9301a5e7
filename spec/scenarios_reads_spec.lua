-- Hard scenarios of linearizable reads: leaders that do not know, or cannot know, what is committed.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local scenarios = require "spec.support.scenarios"

local tests = {}

local variants = scenarios.vary {
  nodes = { 3, 4, 5, 7 }, pre_vote = { true, false }, check_quorum = { true, false },
}

local function tell(name, run, others)
  scenarios.tell(tests, name, others or variants, run)
end

local function assert_no_answer(value, message, code)
  lu.assertNil(value, tostring(message))
  clusters.assert_one_of(code, { "not_leader", "no_leader", "timeout" })
end

-- The old leader has acknowledged a write and fails before anybody else has heard that it is committed. The new leader
-- has it in its log, but cannot know, until an entry of its own term is committed: it does not answer with what it has.
tell("linearizable_reads_new_leader", function(c)
  assert(c:set("key", "old"))
  clusters.wait_level(c)
  local old, old_term = c:check_one_leader()
  local settled = c:status(old).last_index
  c:intercept(function(message)
    if message.kind == "append" and message.commit > settled then
      return "drop"
    end
  end)
  local index = assert(c:set("key", "new"))
  c:crash(old)
  c:intercept(nil)
  c:intercept(function(message)
    return message.kind == "append" and #message.entries > 0 and "drop" or nil
  end)
  local leader = assert(c:wait_leader(nil, old_term))
  lu.assertEquals(c:log(leader)[index].command, { op = "set", key = "key", value = "new" })
  lu.assertEquals(assert(c:get("key", { node = leader, read = "stale" })), "old")
  assert_no_answer(c:get("key", { node = leader, timeout = 0.3 }))
  c:intercept(nil)
  lu.assertEquals(assert(c:get("key")), "new")
end)

-- A deposed leader in a minority has no quorum to ask.
tell("linearizable_reads_deposed_leader", function(c, options)
  local old, term = c:check_one_leader()
  assert(c:set("key", "old"))
  c:partition { old, options.nodes > 4 and clusters.next_id(c, old) or nil }
  local new = assert(c:wait_leader(nil, term))
  assert(c:set("key", "new", { node = new }))
  assert_no_answer(c:get("key", { node = old, timeout = 0.3 }))
  lu.assertEquals(assert(c:get("key", { node = old, read = "stale" })), "old")
  c:heal()
  lu.assertEquals(assert(c:get("key")), "new")
end)

-- One that was paused for two seconds finds reads waiting that were asked before, and some that came meanwhile.
tell("linearizable_reads_paused_leader", function(c)
  local old, term = c:check_one_leader()
  assert(c:set("key", "old"))
  local readers = {}
  local function read_there()
    readers[#readers + 1] = c:client(function()
      return c:get("key", { node = old, timeout = 4 })
    end)
  end
  c:pause(old)
  read_there()
  local new = assert(c:wait_leader(nil, term))
  assert(c:set("key", "new", { node = new }))
  read_there()
  c:sleep(2)
  c:resume(old)
  read_there()
  for _, reader in ipairs(readers) do
    local value, message, code = clusters.result(reader)
    if value ~= nil then
      lu.assertEquals(value, "new")
    else
      assert_no_answer(value, message, code)
    end
  end
  lu.assertEquals(assert(c:get("key")), "new")
end)

-- Half is no quorum: of an even number, a leader with one half of the others' voices neither answers nor commits, and
-- neither does anybody in the other half.
tell("linearizable_reads_half", function(c, options)
  local old = c:check_one_leader()
  assert(c:set("key", "old"))
  local half = { old }
  while #half < options.nodes / 2 do
    half[#half + 1] = clusters.next_id(c, half[#half])
  end
  c:partition(half)
  for _, id in ipairs(c:ids()) do
    assert_no_answer(c:get("key", { node = id, timeout = 0.3 }))
  end
  c:submit(old, { op = "set", key = "key", value = "new" })
  c:sleep(0.5)
  c:check_not_committed { op = "set", key = "key", value = "new" }
  lu.assertNil(c:leader())
  c:heal()
  assert(c:set("key", "newest"))
  lu.assertEquals(assert(c:get("key")), "newest")
end, scenarios.vary { nodes = { 2, 4, 6 }, pre_vote = { true, false }, check_quorum = { true, false } })

-- While a change of members is joint, a majority of the new set alone is not enough: the old one may have gone on
-- without it (scylladb #29226).
tell("linearizable_reads_joint", function(c, options)
  assert(c:set("key", "old"))
  clusters.wait_level(c)
  local old, term = c:check_one_leader()
  c:partition(clusters.others(c, old))
  local voters = { old }
  for place = 1, options.nodes - 1 do
    voters[#voters + 1] = 10 + place
  end
  local index = assert(c:change_members({ voters = voters }, { node = old, wait = false }))
  assert(c:wait_until(function()
    return (c:status(11).last_index or 0) >= index
  end))
  lu.assertNotNil(c:members(11).voters_old)
  local new = assert(c:wait_leader(nil, term))
  assert(c:set("key", "new", { node = new }))
  assert_no_answer(c:get("key", { node = old, timeout = 0.3 }))
  c:heal()
  lu.assertEquals(assert(c:get("key")), "new")
end)

return tests
