-- What the machine does, and what it keeps whatever happens to single nodes.
local lu = require "luaunit"
local raft = require "raft"
local machine = require "machine"

local function put(c, item, count)
  local _, answer = assert(c:propose { op = "put", item = item, count = count })
  return answer
end

local function take(c, item, count)
  local _, answer = assert(c:propose { op = "take", item = item, count = count })
  return answer
end

return {
  test_what_is_there_can_be_taken = function()
    local c = raft.cluster { nodes = 3, machine = machine }
    lu.assertEquals(put(c, "apples", 5), 5)
    lu.assertEquals(take(c, "apples", 2), 3)
    lu.assertEquals(take(c, "apples", 4), { refused = 3 })
    lu.assertEquals(c:query "apples", 3)
    lu.assertEquals(c:query "pears", 0)
  end,

  test_a_leaders_crash_loses_nothing = function()
    local c = raft.cluster { nodes = 3, machine = machine }
    put(c, "apples", 5)
    local leader = c:check_one_leader()
    c:crash(leader)
    lu.assertEquals(take(c, "apples", 1), 4)            -- at the next leader
    c:restart(leader)
    raft.assert.committed(c, { op = "take", item = "apples", count = 1 }, 3)
  end,

  test_a_node_that_was_away_gets_a_snapshot = function()
    local c = raft.cluster { nodes = 3, machine = machine }
    c:check_one_leader()
    c:crash(3)
    put(c, "apples", 5)
    put(c, "pears", 7)
    for _, id in ipairs { 1, 2 } do
      assert(c:compact(id))                             -- the log is gone: node 3 needs the snapshot
    end
    c:restart(3)
    c:transfer_leader(3)                                -- now its own machine answers
    lu.assertEquals(c:query "apples", 5)
    lu.assertEquals(c:query "pears", 7)
  end,
}
