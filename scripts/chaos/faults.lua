-- The troubles of chaos.lua: partitions of every shape, crashes, pauses, bad links, late messages, drifting clocks, and
-- members that come and go; and leadership that is handed over.
local here = debug.getinfo(1, "S").source:match("^@(.*/)[^/]*$") or ""
local disks = dofile(here .. "disks.lua")

local faults = { disks = disks }

local MEMBERS_MOST = 7

local function pick(c, list)
  return list[c:random(#list)]
end

local function shuffled(c)
  local ids = c:ids()
  for place = #ids, 2, -1 do
    local other = c:random(place)
    ids[place], ids[other] = ids[other], ids[place]
  end
  return ids
end

-- The leader, or as likely anybody.
local function leader_or_any(c)
  return c:random(2) == 1 and c:leader() or pick(c, c:ids())
end

-- ---- partitions ----------------------------------------------------------------------------------------------

local function cut_both(c, a, b)
  c:link(a, b, { cut = true })
  c:link(b, a, { cut = true })
end

local partitions = {}

function partitions.halves(c)
  local ids, first = shuffled(c), {}
  for place = 1, math.ceil(#ids / 2) do
    first[place] = ids[place]
  end
  c:partition(first)
end

function partitions.leader_alone(c)
  c:partition { c:leader() or pick(c, c:ids()) }
end

function partitions.leader_with_one(c)
  local leader = c:leader() or pick(c, c:ids())
  local other = pick(c, c:ids())
  c:partition(other == leader and { leader } or { leader, other })
end

-- Two halves that only one node reaches.
function partitions.bridge(c)
  local ids = shuffled(c)
  local middle = math.ceil(#ids / 2)
  for left = 1, middle - 1 do
    for right = middle + 1, #ids do
      cut_both(c, ids[left], ids[right])
    end
  end
end

-- Each node reaches its two neighbours only; or, in a chain, the ends only one.
local function neighbours(c, closed)
  local ids = shuffled(c)
  for left = 1, #ids do
    for right = left + 2, #ids do
      if not (closed and left == 1 and right == #ids) then
        cut_both(c, ids[left], ids[right])
      end
    end
  end
end

function partitions.ring(c)
  neighbours(c, true)
end

function partitions.chain(c)
  neighbours(c, false)
end

-- One node hears nobody, or is heard by nobody.
function partitions.one_way(c)
  local id = leader_or_any(c)
  if c:random(2) == 1 then
    c:link(id, "*", { cut = true })
  else
    c:link("*", id, { cut = true })
  end
end

-- Any direction of any link.
function partitions.sieve(c)
  local ids, chance = c:ids(), c:random() * 0.6
  for _, from in ipairs(ids) do
    for _, to in ipairs(ids) do
      if from ~= to and c:random() < chance then
        c:link(from, to, { cut = true })
      end
    end
  end
end

local shapes = { "halves", "leader_alone", "leader_with_one", "bridge", "ring", "chain", "one_way", "sieve" }

-- ---- the troubles ----------------------------------------------------------------------------------------------

local troubles = {}

function troubles.partition(c)
  partitions[pick(c, shapes)](c)
end

function troubles.heal(c)
  c:intercept(nil)
  c:heal()
end

function troubles.crash(c)
  c:crash(leader_or_any(c))
end

-- Does it to about half of the nodes.
local function to_half(c, act)
  for _, id in ipairs(c:ids()) do
    if c:random(2) == 1 then
      act(c, id)
    end
  end
end

function troubles.crash_many(c)
  to_half(c, c.crash)
end

function troubles.restart(c, run)
  faults.restart_all(c, run)
end

-- The power fails everywhere and is back at once, or nearly.
function troubles.power_cut(c, run)
  for _, id in ipairs(c:ids()) do
    c:crash(id)
  end
  c:sleep(c:random(2) == 1 and 0 or c:random() * 0.3)
  faults.restart_all(c, run)
end

-- The next node that votes, appends and so on is crashed in the same instant, before its disk has it, and is restarted
-- soon.
function troubles.ambush(c, run)
  local kind = pick(c, { "vote", "append", "truncate", "role", "sync", "match" })
  local victim
  local stop = c:on({ kind = kind }, function(event)
    if not victim then
      victim = event.node
      c:crash(victim)
    end
  end)
  for _ = 1, 20 do
    c:sleep(0.05)
    if victim or run.over then
      break
    end
  end
  stop()
  if victim and c:random(2) == 1 and c:status(victim, "state") == "crashed" then
    c:restart(victim)
  end
end

function troubles.pause(c)
  c:pause(leader_or_any(c))
end

function troubles.pause_many(c)
  to_half(c, c.pause)
  c:sleep(c:random() * 0.5)
  for _, id in ipairs(c:ids()) do
    c:resume(id)
  end
end

function troubles.bad_links(c)
  c:link("*", "*", {
    drop = c:random() * 0.3, duplicate = c:random() * 0.3, reorder = c:random() * 0.5, delay = { 0, c:random() * 0.1 },
  })
end

function troubles.slow_link(c)
  c:link(pick(c, c:ids()), "*", { bandwidth = c:random(1000, 100000), delay = c:random() * 0.5 })
end

-- Answers, or all that one node sends, come when another leads.
function troubles.late_answers(c)
  local delay = 0.2 + c:random() * 1.5
  if c:random(2) == 1 then
    c:link("*", "client", { delay = { 0, delay } })
  else
    c:link(leader_or_any(c), "*", { delay = { delay / 2, delay } })
  end
end

function troubles.lost_answers(c)
  c:link("client", "*", { drop = c:random() * 0.3, duplicate = c:random() * 0.5 })
  c:link("*", "client", { drop = c:random() * 0.5, delay = { 0, c:random() * 0.2 } })
end

-- Some messages are kept back; the deliver_held brings them when leaders and members have changed, some of them twice.
function troubles.late_messages(c)
  local gap_most = c:random(10, 100) -- messages that pass between two that do not
  local pass = c:random(gap_most)
  c:intercept(nil)
  c:after(0.2 + c:random() * 2, function()
    c:intercept(nil)
  end)
  c:intercept(function()
    pass = pass - 1
    if pass <= 0 then
      pass = c:random(gap_most)
      return "hold"
    end
  end)
end

-- As wrong as can be; or, where there are lease reads, as wrong as may be.
function troubles.clock(c, run)
  if run.leases then
    c:clock(pick(c, c:ids()), { rate = 1 - run.leases * c:random() })
    return
  end
  c:clock(pick(c, c:ids()), { rate = 0.5 + c:random() * 1.5, offset = c:random() * 2 - 1 })
end

function troubles.campaign(c)
  c:campaign(pick(c, c:ids()), { force = c:random(2) == 1 })
end

-- Leaders that alternate faster than they can finish anything.
function troubles.alternate(c)
  for _ = 1, c:random(3, 12) do
    c:campaign(pick(c, c:ids()), { force = true })
    c:sleep(c:random() * 0.06)
  end
end

-- To anybody, also to one that cannot lead or be reached; sometimes to several, one after the other.
function troubles.transfer(c, run)
  for _ = 1, c:random(3) == 1 and c:random(2, 5) or 1 do
    if run.over then
      return
    end
    c:transfer_leader(pick(c, c:ids()), { timeout = 0.1 + c:random() * 0.8 })
  end
end

-- Something happens to the leader or to the target while leadership is handed over.
function troubles.transfer_broken(c)
  local target = pick(c, c:ids())
  local victim = c:random(2) == 1 and target or c:leader() or target
  local act = pick(c, { c.crash, c.pause, c.disconnect })
  c:after(c:random() * 0.03, function()
    act(c, victim)
  end)
  c:transfer_leader(target, { timeout = 0.1 + c:random() * 0.8 })
  c:sleep(0.03) -- it has happened by then
  if c:random(2) == 1 and c:status(victim, "state") == "paused" then
    c:resume(victim)
  end
end

-- Of one node, some, or all; waited for or not.
function troubles.compact(c)
  local which = c:random(4)
  if which == 1 then
    c:compact("all", { timeout = 0.5 })
  elseif which == 2 then
    c:compact(leader_or_any(c), { timeout = 0.001 })
  else
    c:compact(pick(c, c:ids()), { timeout = 1 })
  end
end

-- A crash in the middle of taking a snapshot, of sending one, or right after it was installed.
function troubles.ambush_snapshot(c, run)
  local kind, fired = pick(c, { "snapshot", "install", "restore", "install" }), false
  local stop = c:on({ kind = kind }, function(event)
    if not fired then
      fired = true
      c:crash(c:random(2) == 1 and event.node or leader_or_any(c))
    end
  end)
  c:compact(pick(c, c:ids()), { timeout = 0.5 })
  for _ = 1, 20 do
    if fired or run.over then
      break
    end
    c:sleep(0.05)
  end
  stop()
end

local kinds = {
  "partition", "partition", "partition", "partition", "heal", "heal", "crash", "crash", "crash_many", "restart",
  "restart", "restart", "power_cut", "ambush", "ambush", "pause", "pause_many", "bad_links", "slow_link",
  "lost_answers", "late_answers", "late_messages", "clock", "campaign", "alternate", "slow_disk", "slow_disk",
  "transfer", "transfer", "transfer_broken", "stalled_disk", "full_disk", "failing_disk", "torn_writes", "torn_writes",
  "lying_disk", "compact", "compact", "ambush_snapshot",
}
for name, act in pairs(disks.troubles) do
  troubles[name] = act
end

local function trouble(c, run)
  while not run.over do
    c:sleep(c:random() * 0.7)
    if not run.over then
      troubles[pick(c, kinds)](c, run)
    end
  end
end

-- Delivers held messages late, twice or never.
local function deliver_held(c, run)
  while not run.over do
    c:sleep(c:random() * 0.6)
    for _, message in ipairs(c:held()) do
      if c:random(3) == 1 then
        message:deliver()
        if c:random(3) == 1 then
          message:deliver()
        end
      elseif c:random(10) == 1 then
        message:drop()
      end
    end
  end
  for _, message in ipairs(c:held()) do
    message:drop()
  end
end

-- ---- members -----------------------------------------------------------------------------------------------------

local function some_members(c)
  local wanted = { voters = {}, learners = {} }
  for id = 1, math.min(#c:ids() + 2, MEMBERS_MOST + 2) do
    local luck = c:random(10)
    if luck <= 5 and #wanted.voters < MEMBERS_MOST then
      wanted.voters[#wanted.voters + 1] = id
    elseif luck == 6 then
      wanted.learners[#wanted.learners + 1] = id
    end
  end
  return #wanted.voters > 0 and wanted or nil
end

-- Asked of a leader that only a few can hear: it takes the change into its log and cannot commit it.
local function ask_cut_off(c, wanted)
  local leader = c:leader()
  if leader then
    partitions[pick(c, { "leader_alone", "leader_with_one" })](c)
    c:change_members(wanted, { node = leader, timeout = 0.3 + c:random() })
    if c:random(2) == 1 then
      c:heal()
    end
  end
end

-- New members are crashed while they catch up, or the leader that they catch up from.
local function change_then_crash(c, wanted)
  if c:change_members(wanted, { wait = false, timeout = 1 }) then
    for _ = 1, c:random(3) do
      c:sleep(c:random() * 0.1)
      local id = c:random(3) == 1 and c:leader() or pick(c, wanted.voters)
      c:crash(id)
      c:sleep(c:random() * 0.1)
      if c:status(id, "state") == "crashed" then
        c:restart(id)
      end
    end
  end
end

local function without(list, id)
  local rest = {}
  for _, one in ipairs(list) do
    rest[#rest + 1] = one ~= id and one or nil
  end
  return rest
end

-- One is removed and comes back at once with an empty disk; then what its former life answered arrives.
local function come_back(c)
  local leader, members = c:leader(), c:members()
  local id = members and pick(c, members.voters)
  if not leader or not members or members.voters_old or id == leader or #members.voters == 1 then
    return
  end
  c:intercept(nil)
  c:intercept(function(message)
    return message.from == id and c:random(2) == 1 and "hold" or nil
  end)
  c:sleep(c:random() * 0.2)
  local rest = { voters = without(members.voters, id), learners = without(members.learners, id) }
  if c:change_members(rest, { timeout = 1 }) then
    c:change_members({ voters = members.voters, learners = members.learners }, { wait = false, timeout = 1 })
    for _, message in ipairs(c:held()) do
      if message.from == id then
        message:deliver()
      end
    end
  end
  c:intercept(nil)
end

-- Who only learns becomes a voter, or somebody comes to learn.
local function promote(c)
  local members = c:members()
  if members and #members.learners > 0 and #members.voters < MEMBERS_MOST then
    c:promote({ pick(c, members.learners) }, { timeout = 1 + c:random() * 4 })
  else
    c:add_learners({ c:random(MEMBERS_MOST + 2) }, { timeout = 1 })
  end
end

-- One is added that is crashed or cut off before it is level, for a while or for good; leadership may move meanwhile.
local function add_and_break(c)
  local id = c:random(MEMBERS_MOST + 2)
  local stop = c:on({ kind = "append", node = id }, function()
    if c:random(3) == 1 then
      c[pick(c, { "crash", "disconnect" })](c, id)
    end
  end)
  if c:random(3) == 1 then
    c:after(c:random() * 0.1, function()
      c:campaign(pick(c, c:ids()), { force = true })
    end)
  end
  c:add_servers({ id }, { timeout = 1 + c:random() * 5 })
  c:sleep(0.1)
  stop()
end

-- Members come and go, ids that were removed come back, some only learn.
local function churn(c, run)
  while not run.over do
    c:sleep(c:random() * 2.5)
    local wanted = some_members(c)
    if not run.over and wanted then
      local luck = c:random(13)
      if luck == 1 then
        ask_cut_off(c, wanted)
      elseif luck >= 12 then
        add_and_break(c)
      elseif luck >= 10 then
        promote(c)
      elseif luck == 9 then
        come_back(c)
      elseif luck <= 3 then
        change_then_crash(c, wanted)
      else
        c:change_members(wanted, { timeout = 1.5 })
      end
    end
  end
end

-- ---- for chaos.lua -----------------------------------------------------------------------------------------------

-- Whatever does not run goes on.
function faults.restart_all(c, run)
  for _, id in ipairs(c:ids()) do
    local state = c:status(id, "state")
    if state == "paused" then
      c:resume(id)
    elseif state == "crashed" or state == "failed" then
      disks.restart(c, run, id)
    elseif state == "removed" then
      c:restart(id) -- refused, unless it is a member again
    end
  end
end

-- Starts them all, until run.over.
function faults.start(c, run)
  for _, body in ipairs { trouble, deliver_held, run.churn and churn or nil } do
    run.clients[#run.clients + 1] = c:client(function()
      body(c, run)
    end)
  end
end

return faults
