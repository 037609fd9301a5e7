-- The invariant checker goes by servers (id and directory), not by ids: what one promised binds it alone and counts for
-- it alone.
local lu = require "luaunit"
local told = require "spec.support.told"

local assert_violated, run = told.assert_violated, told.run

local tests = {}

-- Nodes 1..3 of directories 101..103, which their configuration lists; each holds entries of these terms.
local function servers(terms)
  local r = run()
  local configuration = { index = 0, voters = { 1, 2, 3 }, directories = { 101, 102, 103 } }
  for id = 1, 3 do
    r:start_with(id, 100 + id, terms and 1 or 0, 0, terms, { configuration })
  end
  lu.assertNil(r.violation)
  return r
end

local function vote(r, node, candidate, directory, term)
  r:event("vote", node, { peer = candidate, directory = directory, term = term, last = 1, prev_term = 1 })
  for _, kind in ipairs { "write", "sync" } do
    r.sequence[node] = r.sequence[node] + (kind == "write" and 1 or 0)
    r:event(kind, node, { what = 1, sequence = r.sequence[node], term = term, vote = candidate,
      vote_directory = directory })
  end
  return r
end

function tests.test_AnotherDiskMayBeginWithNothing()
  lu.assertNil(told.settled():crash(3):start_with(3, 999).violation)
end

function tests.test_TheSameDiskMayNot()
  assert_violated(told.settled():crash(3):start(3, 1, 1), "committed entries are kept", 3)
end

function tests.test_AnotherDiskVotesAgain()
  local r = vote(servers { 1 }, 1, 2, 102, 5)
  r:crash(1)
  lu.assertNil(vote(r:start_with(1, 999), 1, 3, 103, 5).violation)
end

function tests.test_AVoteForAnIdIsOneForItsServer()
  local r = vote(servers { 1 }, 1, 2, 102, 5)
  assert_violated(vote(r, 1, 2, 999, 5), "one vote in a term", 1, 2)
end

function tests.test_TheVoteOfAnotherDiskMakesNoMajority()
  local r = servers { 1 }
  r:crash(2):start_with(2, 999)
  vote(vote(r, 1, 1, 101, 2), 2, 1, 101, 2)
  assert_violated(r:event("role", 1, { role = "leader", term = 2 }), "a leader has a majority of votes", 1)
end

function tests.test_WhatIsOnAnotherDiskMakesNoMajority()
  local r = servers { 1 }
  vote(vote(r, 1, 1, 101, 2), 3, 1, 101, 2)
  r:event("role", 1, { role = "leader", term = 2 })
  r:crash(2):start_with(2, 999)
  r:durable(1, 2, { 1, 2 }):durable(2, 1, { 1, 2 })
  assert_violated(r:commit(1, 2, true), "what is committed is on a majority of disks", 1)
end

-- A match of a former life is true of its own disk, whatever is in its place.
function tests.test_AMatchIsOfAServer()
  local r = servers { 1 }
  vote(vote(r, 1, 1, 101, 2), 3, 1, 101, 2)
  r:event("role", 1, { role = "leader", term = 2 })
  r:durable(1, 2, { 1, 2 }):durable(2, 2, { 1, 2 })
  r:crash(2):start_with(2, 999)
  lu.assertNil(r:event("match", 1, { peer = 2, directory = 102, index = 2 }).violation)
  assert_violated(r:event("match", 1, { peer = 2, directory = 999, index = 2 }), "match index is true", 1, 2)
end

-- Whoever answered: the leader's configuration lists 2 as the server of directory 999 by now.
function tests.test_AMatchIsOfTheServerThatIsListed()
  local function matched(directory)
    local r = servers { 1, 1, 1 }
    vote(vote(r, 1, 1, 101, 2), 3, 1, 101, 2)
    r:event("role", 1, { role = "leader", term = 2 }):durable(1, 4, { 1, 1, 1, 2 })
    r:durable(3, 4, { 1, 1, 1, 2 }):commit(1, 4, true)
    r:crash(2):start_with(2, 999)
    local listed = { index = 5, voters = { 1, 2, 3 }, directories = { 101, directory, 103 } }
    r:append(1, 5, { 1, 1, 1, 2, 2 }, nil, { listed }):members(1, listed):write(1, 5, 5):sync(1)
    lu.assertNil(r.violation)
    return r:event("match", 1, { peer = 2, directory = 102, index = 3 })
  end
  assert_violated(matched(999), "match index is true", 1, 2)
  lu.assertNil(matched(102).violation)
end

function tests.test_TwoServersOfAnIdLeadATerm()
  local r = servers { 1 }
  vote(vote(r, 1, 1, 101, 2), 3, 1, 101, 2)
  r:event("role", 1, { role = "leader", term = 2 })
  r:crash(1):start_with(1, 999)
  assert_violated(r:event("role", 1, { role = "leader", term = 2 }), "election safety", 1)
end

return tests
