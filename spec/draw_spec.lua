-- How a cluster is drawn in a terminal: `:status`, and what the tour shows.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local command = require "spec.support.command"
local display = require "raft.view.display"
local draw = require "raft.shell.draw"

local tests = {}

local function plain(text)
  return (text:gsub("\27%[[%d;]*m", ""))
end

-- The drawing at every width; no line is wider, and without its colours it is the one without colour.
local function drawn(c, width)
  for one = 40, 200, 13 do
    local text = draw(c, one, false)
    for line in text:gmatch "[^\n]+" do
      lu.assertTrue(display.width(line) <= one, ("%d columns: %s"):format(one, line))
    end
    if c:mode() ~= "process" then -- whose time goes on
      lu.assertEquals(plain(draw(c, one, true)), text)
    end
  end
  return draw(c, width or 120, false)
end

local function set(c, count)
  for number = 1, count do
    assert(c:set("key", number))
  end
end

for _, mode in ipairs { "sim", "tcp", "process" } do
  tests["test_ALeaderAndACrashedNode_" .. mode] = function()
    clusters.with({ nodes = 3, mode = mode }, function(c)
      command.assert_match(drawn(c), "^3 nodes [^\n]*: no agreed leader\nnode  role")
      local leader, term = c:wait_leader()
      set(c, 4)
      local follower = leader % 3 + 1
      lu.assertEquals((c:check_committed({ op = "set", key = "key", value = 4 }, 3)), 3)
      c:crash(follower)
      local letter = string.char(64 + term)
      local text = drawn(c)
      command.assert_match(text, ("node %d leads term %d\n"):format(leader, term))
      command.assert_match(text, ("\n +%d  leader +%d +%d +5 +5  %s\n"):format(leader, term, leader, letter:rep(5)))
      command.assert_match(text, ("\n +%d  crashed +%d +%d +%%- +%%-  %s\n"):format(follower, term, leader,
        letter:rep(5)))
      command.assert_has(text, ("%s = term %d"):format(letter, term), "what its disk holds")
    end)
  end
end

function tests.test_TheLogOfAPausedProcessIsOutOfReach()
  clusters.with({ nodes = 3, mode = "process" }, function(c)
    local leader = c:wait_leader()
    set(c, 2)
    c:pause(leader % 3 + 1)
    command.assert_match(drawn(c), ("\n +%d  follower, paused [^\n]*%%(out of reach%%)\n"):format(leader % 3 + 1))
  end)
end

function tests.test_WhatIsNotCommittedIsInLowerCase()
  clusters.with({ nodes = 3, mode = "sim" }, function(c)
    local leader, term = c:wait_leader()
    set(c, 2)
    c:disconnect(leader)
    c:submit(leader, "never")
    c:wait_leader(10, term)
    set(c, 1)
    local text = drawn(c)
    command.assert_match(text, ("node %d believes that it leads term 1"):format(leader))
    command.assert_match(text, ("\n +%d  leader, cut off +1 +%d +3 +3  AAAa%%.\n"):format(leader, leader))
    command.assert_match(text, "\n +%d  leader +%d +%d +5 +5  AAA(%u)%1\n")
  end)
end

-- A strip that is too short shows the latest entries; what is in a snapshot only has a sign of its own.
function tests.test_TheLatestEntriesAndSnapshots()
  clusters.with({ nodes = 3, mode = "sim" }, function(c)
    local leader = c:wait_leader()
    set(c, 299)
    c:compact(leader)
    set(c, 2)
    c:sleep(0.2)
    local text = drawn(c, 60)
    command.assert_match(text, "\n +245 +250 +260 .* +300\n")
    command.assert_match(text, "\n +%d  leader [^\n]*\n  " .. ("#"):rep(56) .. "AA\n")
    command.assert_match(text, "\n  " .. ("A"):rep(58) .. "\n")
    command.assert_has(text, "# = in a snapshot only")
  end)
end

local faults = {
  { "partition: {1, 2} | {3, 4}", function(c) c:partition({ 1, 2 }, { 3, 4 }) end },
  { "partition: {1, 2, 4} | {3}", function(c) c:partition { 3 } end },
  { "links all: drop 20 %", function(c) c:link("*", "*", { drop = 0.2 }) end },
  { "links 2 -> *: delay 10 ms to 1.5 s", function(c) c:link(2, "*", { delay = { 0.01, 1.5 } }) end },
  { "links * -> 3: 1000 bytes/s", function(c) c:link("*", 3, { bandwidth = 1000 }) end },
  { "links 1 <-> 2, 3 -> 4: cut", function(c)
    c:link(1, 2, { cut = true })
    c:link(2, 1, { cut = true })
    c:link(3, 4, { cut = true })
  end },
  { "links client -> 2: duplicate 50 %, reorder 10 %", function(c)
    c:link("client", 2, { duplicate = 0.5, reorder = 0.1 })
  end },
  { "4  follower, cut off", function(c) c:disconnect(4) end },
  { "4  follower, paused", function(c) c:pause(4) end },
  { "clock of 2: rate 1.5", function(c) c:clock(2, { rate = 1.5 }) end },
  { "disk of 2: stall, sync_delay 0.25", function(c) c:disk(2, { stall = true, sync_delay = 0.25 }) end },
}

function tests.test_FaultsAreThereUntilTheyAreHealed()
  for _, fault in ipairs(faults) do
    clusters.with({ nodes = 4, mode = "sim", election_timeout = math.huge }, function(c)
      c:sleep(0.01)
      local before = draw(c, 120, false)
      command.assert_lacks(before, fault[1])
      fault[2](c)
      command.assert_has(drawn(c), fault[1])
      c:heal "all"
      lu.assertEquals(draw(c, 120, false), before)
    end)
  end
end

function tests.test_MembersThatAreNotAllNodes()
  clusters.with({ nodes = 3, mode = "sim" }, function(c)
    c:wait_leader()
    c:add_learners { 4 }
    command.assert_has(drawn(c), "members: voters 1, 2, 3; learners 4")
    c:remove_servers { (c:leader()) }
    c:wait_leader()
    command.assert_match(drawn(c), "\nremoved: %d")
  end)
end

function tests.test_ManyNodesAndLongNumbers()
  clusters.with({ nodes = 9, mode = "sim", state = { [1] = { term = 123456789012345, log = { 123456789012345 } } } },
    function(c)
      c:wait_leader()
      command.assert_has(drawn(c, 40), "123456789012345")
      command.assert_has(drawn(c, 40), "9 ")
    end)
end

-- Looking changes nothing.
function tests.test_LookingIsNotPartOfTheRun()
  local hashes = {}
  for turn = 1, 2 do
    hashes[turn] = clusters.with({ nodes = 3, mode = "sim" }, function(c)
      c:crash(1)
      for _ = 1, 10 do
        c:sleep(0.1)
        if turn == 2 then
          draw(c, 80, true)
        end
      end
      return c:trace_hash()
    end)
  end
  lu.assertEquals(hashes[1], hashes[2])
end

return tests
