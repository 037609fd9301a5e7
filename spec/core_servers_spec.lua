-- The core's rules of who is who: a server is an id and a directory. Requests are judged by term and log, answers count
-- only from the server that the configuration lists, and a configuration concerns only whom it lists exactly.
local lu = require "luaunit"
local replicas = require "spec.support.replicas"

local tests = {}
local MS = replicas.MS

local function options(more)
  local all = {}
  for _, from in ipairs { replicas.still, more or {} } do
    for key, value in pairs(from) do
      all[key] = value
    end
  end
  return all
end

-- Replicas 1..3 with directories 101..103, which their first configuration lists, or those given.
local function three(directories)
  local each = {}
  for id = 1, 3 do
    each[id] = { directory = 100 + id, directories = directories or { 101, 102, 103 } }
  end
  return replicas.new(3, options(), each)
end

local function answer(net, kind, from, directory, more)
  local message = { kind = kind, from = from, from_directory = directory, to = 1, to_directory = 101,
    term = net:status(1).term }
  for key, value in pairs(more or {}) do
    message[key] = value
  end
  return net:receive(message)
end

local function directories(net, id)
  return net:replica(id):members().directories
end

-- ---- answers ----------------------------------------------------------------------------------------

function tests.test_AVoteCountsOnlyFromTheListedDirectory()
  local net = three()
  net:campaign(1, true)
  net:take "vote"
  answer(net, "vote_response", 2, 999)
  lu.assertEquals(net:status(1).role, "candidate")
  answer(net, "vote_response", 2, 102)
  lu.assertEquals(net:status(1).role, "leader")
end

function tests.test_AnAnswerOfALaterTermDeposesOnlyFromTheListedDirectory()
  local net = three()
  net:elect(1)
  local term = net:status(1).term
  for _, kind in ipairs { "append_response", "vote_response", "pre_vote_response", "read_response" } do
    answer(net, kind, 2, 999, { term = term + 5, reject = true, sequence = kind == "read_response" and 1 or 0 })
    answer(net, kind, 9, 109, { term = term + 5, reject = true, sequence = kind == "read_response" and 1 or 0 })
  end
  lu.assertEquals({ net:status(1).role, net:status(1).term }, { "leader", term })
  answer(net, "append_response", 2, 102, { term = term + 5, reject = true })
  lu.assertEquals({ net:status(1).role, net:status(1).term }, { "follower", term + 5 })
end

function tests.test_AnAcknowledgementCountsOnlyFromTheListedDirectory()
  local net = three()
  net:elect(1)
  net:isolate(1)
  local commit = net:status(1).commit_index
  local index = net:submit(1, "x").index
  net:flush()
  local update = answer(net, "append_response", 2, 999, { index = index })
  lu.assertEquals(net:status(1).commit_index, commit)
  lu.assertEquals({ update.other_id, update.other_directory }, { 2, 999 })
  answer(net, "append_response", 2, 102, { index = index })
  lu.assertEquals(net:status(1).commit_index, index)
end

function tests.test_ARoundOfReadsIsConfirmedOnlyByTheListedDirectory()
  local net = three()
  net:elect(1)
  net:step(1, { kind = "read", read_id = 7 })
  net:flush()
  local round = net:take("read")[1].sequence
  answer(net, "read_response", 2, 999, { sequence = round })
  lu.assertNil(net:answer(1, 7))
  answer(net, "read_response", 2, 102, { sequence = round })
  lu.assertEquals(net:answer(1, 7), net:status(1).commit_index)
end

function tests.test_AnAnswerToAFormerLifeDoesNotCount()
  local net = three()
  net:campaign(1, true)
  net:take "vote"
  answer(net, "vote_response", 2, 102, { to_directory = 555 })
  lu.assertEquals(net:status(1).role, "candidate")
end

function tests.test_AnAnswerSaysWhomItAnswers()
  local net = three()
  net:receive { kind = "vote", from = 9, from_directory = 909, to = 2, term = 5 }
  local response = net:take("vote_response")[1]
  lu.assertEquals({ response.to, response.to_directory, response.from_directory }, { 9, 909, 102 })
end

-- ---- requests ---------------------------------------------------------------------------------------

function tests.test_AVoteIsGivenToAServerNotToItsId()
  local net = three()
  net:receive { kind = "vote", from = 9, from_directory = 909, to = 2, term = 5 }
  lu.assertEquals({ net:status(2).vote, net:status(2).vote_directory }, { 9, 909 })
  net:take "vote_response"
  net:receive { kind = "vote", from = 9, from_directory = 910, to = 2, term = 5 }
  lu.assertTrue(net:take("vote_response")[1].reject)
  net:receive { kind = "vote", from = 9, from_directory = 909, to = 2, term = 5 }
  lu.assertFalse(net:take("vote_response")[1].reject)
end

function tests.test_AVoteIsKeptWithItsDirectory()
  local net = three()
  local update = net:receive { kind = "vote", from = 9, from_directory = 909, to = 2, term = 5 }
  lu.assertEquals({ update.persist.vote, update.persist.vote_directory }, { 9, 909 })
  local again = replicas.new({ 2 }, options(), { [2] = { directory = 102, voters = { 1, 2, 3 }, term = 5, vote = 9,
    vote_directory = 909 } })
  again:receive { kind = "vote", from = 9, from_directory = 910, to = 2, term = 5 }
  lu.assertTrue(again:take("vote_response")[1].reject)
end

-- Whatever a message says is no reason to stop.
function tests.test_ASecondLeaderOfATermIsNotObeyed()
  local net = three()
  net:elect(1)
  local term = net:status(1).term
  local entries = { { term = term, command = "forged" } }
  for to = 1, 2 do
    for _, from in ipairs { { 77, 707 }, { 1, 999 } } do
      if from[1] ~= to then
        local last = net:status(to).last_index
        local update = net:receive { kind = "append", from = from[1], from_directory = from[2], to = to, term = term,
          prev_index = last, prev_term = net:status(to).last_term, entries = entries, commit = last + 1 }
        lu.assertEquals(update.notices[1].text, ("append: a second leader of term %d"):format(term))
        lu.assertEquals({ net:status(to).last_index, net:status(to).leader }, { last, 1 })
      end
    end
  end
end

-- ---- oneself ----------------------------------------------------------------------------------------

function tests.test_AFirstConfigurationWithoutDirectoriesListsOneself()
  local net = three {}
  lu.assertTrue(net:status(1).member)
  lu.assertEquals(directories(net, 1), { 101, 0, 0 })
end

function tests.test_AnotherDirectoryUnderTheOwnIdIsNotOneself()
  local net = three { 101, 102, 999 }
  lu.assertEquals({ net:status(3).member, net:status(3).role }, { false, "learner" })
  net:campaign(3, true)
  lu.assertEquals(net:status(3).role, "learner")
  net:elect(1) -- which neither asks its own id nor counts it
end

-- A log that lists another server of its id as a voter, and then removes that one.
local function former_life(directory)
  return { directory = directory, voters = {}, term = 2, log = {
    { term = 1, members = { voters = { 1, 2, 3 }, directories = { 101, 102, 103 } } },
    { term = 1, members = { voters = { 1, 2 }, voters_old = { 1, 2, 3 }, directories = { 101, 102, 103 } } },
  } }
end

function tests.test_AConfigurationOfAFormerLifeDoesNotConcernTheNext()
  local net = replicas.new({ 3 }, options(), { [3] = former_life(303) })
  lu.assertEquals({ net:status(3).member, net:status(3).role }, { false, "learner" })
  net = replicas.new({ 3 }, options(), { [3] = former_life(103) })
  lu.assertEquals({ net:status(3).member, net:status(3).role }, { true, "follower" })
end

-- In an entry a directory that is not known is nobody's: it may be an earlier server's of that id.
function tests.test_AnEntryWithoutItsDirectoryIsNotOneself()
  local net = replicas.new({ 3 }, options(), { [3] = { directory = 303, voters = {}, term = 1, log = {
    { term = 1, members = { voters = { 1, 2, 3 }, directories = { 101, 102, 0 } } },
  } } })
  lu.assertEquals({ net:status(3).member, net:status(3).role }, { false, "learner" })
end

-- But one of the first members is that member also in an entry of a leader that has not met it yet: else it would
-- neither campaign nor count its own vote, and a majority that needs it would have no leader.
function tests.test_AFirstMemberWhoseDirectoryIsNotKnownYetVotesForItself()
  local net = replicas.new({ 3 }, options(), { [3] = {
    directory = 303, directories = { 101, 102 }, voters = { 1, 2, 3 }, term = 1, log = {
      { term = 1, kind = "empty" },
      { term = 1, members = { voters = { 1, 2, 3 }, directories = { 101, 102, 0 } } },
  } } })
  lu.assertEquals({ net:status(3).member, net:status(3).role }, { true, "follower" })
  net:campaign(3, true)
  net:receive { kind = "vote_response", from = 2, from_directory = 102, to = 3, to_directory = 303,
    term = net:status(3).term }
  lu.assertEquals(net:status(3).role, "leader")
end

-- ---- directories that are filled in -----------------------------------------------------------------

function tests.test_TheLeaderFillsInWhomItMetInOneEntry()
  local net = three {}
  net:elect(1)
  net:run(200 * MS)
  for id = 1, 3 do
    lu.assertEquals(directories(net, id), { 101, 102, 103 }, id)
    local kinds = {}
    for i, entry in ipairs(net:log(id)) do
      kinds[i] = entry.kind
    end
    lu.assertEquals(kinds, { "empty", "configuration" })
    lu.assertEquals(net:status(id).commit_index, 2)
  end
end

function tests.test_WhoDoesNotAnswerIsFilledInLater()
  local net = three {}
  net:isolate(3)
  net:elect(1)
  lu.assertEquals(directories(net, 1), { 101, 0, 0 }) -- the other may answer in a moment
  net:run(200 * MS)
  lu.assertEquals(directories(net, 1), { 101, 102, 0 })
  net:heal()
  net:run(400 * MS)
  lu.assertEquals(directories(net, 3), { 101, 102, 103 })
end

-- What one disk has acknowledged is not taken for another's, also before it is filled in.
function tests.test_WhatADiskHasIsNotAnothers()
  local net = three {}
  net:isolate(3)
  net:elect(1)
  lu.assertEquals(directories(net, 1), { 101, 0, 0 }) -- the third may answer in a moment
  local update = answer(net, "append_response", 2, 999, { reject = true, index = net:status(1).commit_index })
  lu.assertEquals({ update.other_id, update.other_directory }, { 2, 999 })
  net:heartbeat(1)
  lu.assertEquals(directories(net, 1), { 101, 102, 0 })
end

-- From then on another disk in its place counts for nothing.
function tests.test_OnceFilledInAnotherDiskDoesNotCount()
  local net = three {}
  net:elect(1)
  net:run(200 * MS)
  net:isolate(1)
  local index = net:submit(1, "x").index
  net:flush()
  answer(net, "append_response", 2, 999, { index = index })
  lu.assertEquals(net:status(1).commit_index, index - 1)
end

function tests.test_AChangeDoesNotWaitForIt()
  local net = three {}
  net:add(4, options { voters = {}, directory = 104 })
  net.ids = { 1, 2, 3, 4 }
  net:campaign(1, true)
  net:take "vote"
  answer(net, "vote_response", 2, 102)
  for _, kind in ipairs { "append", "append_response" } do
    for _, message in ipairs(net:take(kind)) do
      net:receive(message)
    end
  end
  lu.assertEquals(directories(net, 1), { 101, 102, 103 }) -- appended, and not committed
  lu.assertTrue(net:status(1).commit_index < net:status(1).last_index)
  lu.assertEquals(net:change(1, { voters = { 1, 2, 3, 4 } }).refusal, "accepted")
  net:run(400 * MS)
  lu.assertEquals(net:members(1).voters, { 1, 2, 3, 4 })
  lu.assertNil(net:members(1).voters_old)
  lu.assertEquals(directories(net, 4), { 101, 102, 103, 104 })
end

-- Added by its address alone: its answers count, and it acts as a member once the configuration names it.
function tests.test_AServerAddedWithoutItsDirectory()
  local net = three()
  net:add(4, options { voters = {}, directory = 104 })
  net.ids = { 1, 2, 3, 4 }
  net:elect(1)
  local update = net:change(1, { voters = { 1, 4 } })
  lu.assertEquals(update.refusal, "accepted")
  while net:members(4).voters[1] == nil do
    net:flush()
    net:deliver()
  end
  lu.assertFalse(net:status(4).member)
  net:run(400 * MS)
  lu.assertEquals(directories(net, 1), { [1] = 101, [4] = 104 }) -- in the final configuration already
  lu.assertTrue(net:status(4).member)
  lu.assertEquals(net:members(4).voters, { 1, 4 })
end

function tests.test_AMemberIsNotReplacedInItsPlace()
  local net = three()
  net:elect(1)
  lu.assertEquals(net:change(1, { voters = { 1, 2, 3 }, directories = { 101, 102, 999 } }).refusal, "bad_configuration")
  lu.assertEquals(net:change(1, { voters = { 1, 2, 3 }, directories = { 101, 102, 103 } }).refusal, "accepted")
end

-- Removed and added again at once: what is under way from its former life does not count for the next.
function tests.test_AServerThatComesBackBeginsWithNothing()
  local net = three()
  net:elect(1)
  net:run(100 * MS)
  net:change(1, { voters = { 1, 2 } })
  net:run(100 * MS)
  net:isolate(3)
  net:change(1, { voters = { 1, 2, 3 }, directories = { [3] = 303 } })
  net:run(20 * MS)
  local last = net:status(1).last_index
  answer(net, "append_response", 3, 103, { index = last, commit = last })
  lu.assertEquals(net:status(1).peers[3].match_index, 0)
  answer(net, "append_response", 3, 303, { index = last })
  lu.assertEquals(net:status(1).peers[3].match_index, last)
end

return tests
