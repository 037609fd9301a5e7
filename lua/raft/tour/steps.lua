--- The steps of the tour, in their order: what raft.tour.play plays.
--
-- Each stands alone: it makes its own clusters, always under the same seeds, so that what it says of them is so.
-- @module raft.tour.steps

local bug = require "raft.tour.bug"

local elections = { "role", "vote", "fault" }

return {
  {
    title = "An election",
    "A cluster of three nodes in the simulated world: it has a clock of its own, and whatever happens is decided "
      .. "by one seed. So this tour shows the same each time.",
    { lua = [[
c = raft.cluster { nodes = 3 }
c:sleep(0.01)]] },
    { status = true },
    "Nobody leads. Each node waits to hear of a leader, for a time that it has drawn. The first whose time is "
      .. "over asks the others: whether it could win (as a pre-candidate), then for their votes. A majority makes it "
      .. "the leader of a new term.",
    { lua = "leader, term = c:check_one_leader()" },
    { excerpt = { kinds = elections } },
    "Node ${leader} leads term ${term}, after ${c:now()} s of the cluster's own clock.",
  },
  {
    title = "Replication",
    { lua = [[
c = raft.cluster { nodes = 3 }
leader = c:check_one_leader()
c:sleep(0.05)
began = c:now()]] },
    "A command goes to the leader. It appends it to its log and sends it to the others; once a majority has it on "
      .. "disk it is committed, and each node applies it to its state machine: here a store of keys and values.",
    { lua = [[
c:set("apples", 3)
c:sleep(0.01)]] },
    { excerpt = { from = "began", kinds = { "append", "sync", "commit", "apply" } } },
    "In the strips below a letter is one log entry. It is a capital once the node knows that it is committed. The "
      .. "first entry is empty: a new leader begins its term with it.",
    { status = true },
    { lua = [[
c:set("pears", 5)
c:check_committed({ op = "set", key = "pears", value = 5 }, 3)]] },
    { status = true },
    { answer = 'c:get "apples"' },
  },
  {
    title = "Losing the leader",
    { lua = [[
c = raft.cluster { nodes = 5 }
leader, term = c:check_one_leader()
c:set("apples", 3)
began = c:now()]] },
    "The leader's process ends. The others miss its heartbeats, and elect another one.",
    { lua = [[
c:crash(leader)
second, later = c:wait_leader()]] },
    { excerpt = { from = "began", kinds = elections } },
    { status = true },
    "Node ${second} leads in term ${later}; nothing that was committed is lost. The crashed node comes back with "
      .. "what is on its disk, and the leader sends it what it has missed.",
    { lua = [[
c:set("apples", 4)
c:restart(leader)
c:check_committed({ op = "set", key = "apples", value = 4 }, 5)]] },
    { status = true },
  },
  {
    title = "A split vote",
    "Four nodes, one of which is down. A majority of four is three: all that are left. Two of them ask for votes "
      .. "in the same moment.",
    { lua = [[
c = raft.cluster { nodes = 4, pre_vote = false }
leader = c:check_one_leader()
c:crash(leader)
began = c:now()]] },
    { lua = [[
c:campaign({ 2, 3 }, { force = true })
c:sleep(0.05)]] },
    { excerpt = { from = "began", kinds = elections } },
    "Each candidate votes for itself, and a node votes once in a term. Nobody has three votes, so this term has "
      .. "no leader:",
    { answer = "c:leaders()" },
    "The candidates wait for a time that each draws anew, which is why they hardly ever split twice. The first "
      .. "one to wake asks again, in the next term.",
    { lua = "leader, term = c:wait_leader()" },
    "Node ${leader} leads term ${term}.",
    { status = true },
  },
  {
    title = "A partition, and a leader that does not know",
    { lua = [[
c = raft.cluster { nodes = 5 }
leader, term = c:check_one_leader()
c:set("apples", 3)
friend = leader % 5 + 1
began = c:now()]] },
    "The network falls apart: the leader and one more node here, three there.",
    { lua = [[
c:partition { leader, friend }
c:submit(leader, { op = "set", key = "apples", value = 0 })
second = c:wait_leader(10, term)]] },
    { status = true },
    "Two nodes believe that they lead, in different terms. The old leader has taken a command, but reaches no "
      .. "majority: its entry is a small letter. The new one can commit:",
    { lua = [[
c:set("apples", 4)
healed = c:now()
c:heal()
c:check_committed({ op = "set", key = "apples", value = 4 }, 5)]] },
    { excerpt = { from = "healed", kinds = { "role", "append", "truncate", "fault" } } },
    "When they meet again, the higher term wins: the old leader follows, and its entry goes from the logs. Nobody "
      .. "was told that it had been committed.",
    { lua = 'c:check_not_committed { op = "set", key = "apples", value = 0 }' },
    { answer = 'c:get "apples"' },
    { status = true },
  },
  {
    title = "A change of members",
    { lua = [[
c = raft.cluster { nodes = 3 }
leader = c:check_one_leader()
c:set("apples", 3)
began = c:now()]] },
    "Two nodes join, the leader and another go: all in one change. On the way both majorities count, that of the "
      .. "old members and that of the new ones (joint consensus), so that there are never two leaders.",
    { lua = [[
c:change_members { voters = { 3, 4, 5 } }
second = c:wait_leader()]] },
    { excerpt = { from = "began", nodes = "{ 1, 3, 4 }", kinds = { "start", "stop", "members", "role" } } },
    { status = true },
    "Members are ordinary log entries. The leader led until the change without it was committed, then stopped; "
      .. "node ${second} leads now. The new ones have all that was there before:",
    { answer = 'c:get "apples"' },
  },
  {
    title = "A disk that loses what was not synced",
    { lua = [[
c = raft.cluster { nodes = 3 }
leader = c:check_one_leader()
c:set("apples", 3)
slow = leader % 3 + 1
c:sleep(0.1)
began = c:now()]] },
    "Node ${slow} has a slow disk: what it writes is safe only a second later. Then the power fails there.",
    { lua = [[
c:disk(slow, { sync_delay = 1 })
c:set("apples", 4)
c:sleep(0.02)]] },
    { status = true },
    { lua = "c:crash(slow)" },
    { status = true },
    "Its last entry is gone: it was not yet on the disk. That does no harm, because a node promises nothing "
      .. "before its disk has it. The entry was committed by the two others, and the node gets it once more.",
    { lua = [[
c:disk(slow, nil)
c:restart(slow)
c:check_committed({ op = "set", key = "apples", value = 4 }, 3)]] },
    { excerpt = { from = "began", kinds = { "append", "sync", "commit", "stop", "start", "fault" } } },
    { status = true },
  },
  {
    title = "A bug is caught",
    "A state machine that adds numbers and counts them, with a mistake: its snapshots hold the sum, but not the "
      .. "count. Most tests pass all the same. A scenario lets five nodes work while some crash and the network "
      .. "fails; fuzz runs it under one seed after the other.",
    { command = "raftbench fuzz ${bug}", does = bug.find },
    "While a run goes on, every event is checked: here, that all machines give the same answer to the same "
      .. "command. A node that was restored from a snapshot gave another one. The run under that seed is the same "
      .. "each time, so it can be looked at.",
  },
  {
    title = "The bug is made small",
    "What led to it, and what did not? Raftbench does the run again and again, each time with less in it, as long "
      .. "as it fails in the same way.",
    { command = "raftbench run ${bug} --seed ${seed} --shrink", does = bug.shrink },
    "What is left is written as a script that stands alone, and fails each time, until the mistake is mended. In "
      .. "short:",
    { command = "cat repro-forgets-${seed}.lua", does = bug.script },
  },
  {
    title = "A read that is too old, made on purpose",
    { lua = [[
c = raft.cluster { nodes = 5 }
leader, term = c:check_one_leader()
c:set("apples", 3)]] },
    "A history is what clients saw: when each asked, and what it was told. It is linearizable where one store "
      .. "alone could have answered so, each operation taking effect between question and answer. Stale reads, which "
      .. "ask one node and nobody else, break that promise. First the leader is cut off, and the others write:",
    { lua = [[
c:disconnect(leader)
second = c:wait_leader(10, term)
c:set("apples", 4)]] },
    { answer = 'c:get("apples", { node = leader, read = "stale" })' },
    "The value is 4, and a client that asks the old leader is told 3. As a history:",
    { lua = [[
history = {
  { process = 1, type = "invoke", f = "write", value = 3 },
  { process = 1, type = "ok", f = "write", value = 3 },
  { process = 2, type = "invoke", f = "write", value = 4 },
  { process = 2, type = "ok", f = "write", value = 4 },
  { process = 3, type = "invoke", f = "read" },
  { process = 3, type = "ok", f = "read", value = 3 },
}
is_linearizable, explanation = raft.linearizable(history, "register")]] },
    { answer = "is_linearizable" },
    { answer = "tostring(explanation)" },
    "The same by itself: c:workload lets clients ask, and a scenario checks what they saw. Reads are linearizable "
      .. "unless a script asks for others. That is the end of the tour. From here: raftbench shell is a prompt with "
      .. "a live cluster, raftbench new NAME makes a project of your own.",
  },
}
