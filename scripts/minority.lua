-- Whatever befalls less than half of the voters, the others work on. Each round another minority is crashed, paused,
-- cut off, or can only send or only receive, while the minority before it comes back, behind in terms, logs and
-- members: an operation must succeed soon all the same. Where the leader was left alone, it stays.
--
--   scripts/raftbench run scripts/minority.lua --seed 7
--   scripts/raftbench run scripts/minority.lua --set nodes=5 --set parameters.rounds=20
local HIGHEST_ID = 9

local scenario = {
  name = "minority",
  keep_events = 2000,
  parameters = { rounds = "drawn" },
}

function scenario.options(draw, mode)
  return {
    nodes = draw { 3, 3, 4, 5, 5, 6, 7 },
    pre_vote = draw { true, true, false },
    check_quorum = draw { true, true, false },
    election_timeout = draw { { 0.150, 0.300 }, { 0.150, 0.300 }, { 0.3, 0.9 } },
    election_collisions = draw { 0, 0, 0.3 },
    window = draw { 1, 2, 64 },
    max_entries = draw { 1, 3, 1000 },
    snapshot_every = draw { math.huge, math.huge, 5, 30 },
    clock_drift = draw { false, false, 0.1, 0.5 } or nil,
    -- What is sent may come twice, and after what was sent later.
    link = draw { false, false, { duplicate = 0.3, reorder = 0.3 } } or nil,
    parameters = { rounds = mode == "sim" and draw { 4, 8, 12 } or 4 },
  }
end

local function pick(c, list)
  return #list > 0 and list[c:random(#list)] or nil
end

local function has(list, id)
  for _, one in ipairs(list) do
    if one == id then
      return true
    end
  end
  return false
end

-- Some of a list, in any order.
local function draw(c, list, count)
  local left, drawn = {}, {}
  for place, one in ipairs(list) do
    left[place] = one
  end
  for place = 1, math.min(count, #left) do
    drawn[place] = table.remove(left, c:random(#left))
  end
  return drawn
end

-- ---- what befalls a node --------------------------------------------------------------------------------------

-- Each: does it, and how it ends.
local faults = {
  crashed = { "crash", "restart" },
  paused = { "pause", "resume" },
  cut_off = { "disconnect", "reconnect" },
}

local function cut_one_way(c, id, is_deaf)
  for _, other in ipairs(c:ids()) do
    if other ~= id then
      c:link(is_deaf and other or id, is_deaf and id or other, { cut = true })
    end
  end
end

local function mend(c, id)
  for _, other in ipairs(c:ids()) do
    if other ~= id then
      c:link(id, other, nil)
      c:link(other, id, nil)
    end
  end
end

local function cut_again(c, id, run)
  if run.faults[id] == "deaf" or run.faults[id] == "mute" then
    cut_one_way(c, id, run.faults[id] == "deaf")
  end
end

-- A leader that hears nobody, or somebody who hears no leader, is what check_quorum is for. Without pre_vote the latter
-- stands again and again, and where its clock is faster than all others', nobody else ever comes to stand.
local function begin_fault(c, id, run)
  local names = { "crashed", "crashed", "paused", "cut_off", "cut_off", "mute" }
  names[#names + 1] = run.check_quorum and (run.pre_vote or not run.drift) and "deaf" or nil
  local name = pick(c, names)
  run.faults[id] = name
  if name == "crashed" and c:mode() == "sim" then
    c:disk(id, { torn_write = true }) -- by what it was just writing
  end
  if faults[name] then
    c[faults[name][1]](c, id)
  end
  cut_again(c, id, run)
end

local function end_fault(c, id, name)
  if faults[name] then
    local call = faults[name][2]
    if call ~= "restart" or c:status(id, "state") == "crashed" then
      c[call](c, id)
    end
  else
    mend(c, id)
  end
end

-- ---- rounds -----------------------------------------------------------------------------------------------------

-- Less than half of the voters; the leader is among them as often as not.
local function draw_minority(c, voters, leader)
  local left, list = {}, {}
  for _, id in ipairs(voters) do
    left[#left + 1] = id
  end
  local most = math.floor((#voters - 1) / 2)
  for place = 1, most > 0 and c:random(most) or 0 do
    local at = c:random(#left)
    for other, id in ipairs(left) do
      at = place == 1 and id == leader and c:random(3) == 1 and other or at
    end
    list[place] = table.remove(left, at)
  end
  return list
end

-- Asked again and again: whoever led a moment ago may have taken a command that it cannot finish.
local function works(c, run)
  local longest = run.election_timeout[2]
  local deadline = c:now() + 5 + 30 * longest
  run.written = run.written + 1
  while c:now() < deadline do
    if c:set("works", run.written, { timeout = 0.2 + 3 * longest }) then
      return true
    end
    c:sleep(0.001) -- who hands its leadership over refuses at once
  end
  return false
end

local function describe(run)
  local parts = {}
  for id, name in pairs(run.faults) do
    parts[#parts + 1] = ("node %d is %s"):format(id, name)
  end
  table.sort(parts)
  return #parts > 0 and table.concat(parts, ", ") or "all are well"
end

local function check_works(c, run)
  if not works(c, run) then
    local _, why = pcall(c.check_live, c, 1) -- says what stands still
    error(("no operation succeeds, although a majority is well\n  %s\n  %s"):format(describe(run), tostring(why)), 0)
  end
end

-- Members that a leader agreed on, none of them still coming; nil: there are none soon.
local function settled_members(c)
  for _ = 1, 50 do
    local members = c:members()
    -- What the leader has last may not be committed yet; once a later command is, it is.
    if members and not members.voters_old and not members.wanted
      and c:set("settled", members.voters, { timeout = 0.3 }) then
      return members
    end
    c:sleep(0.1)
  end
end

-- Reads go on at whoever believes that it leads, whether or not anybody hears it, and clocks differ as they may.
local function rely_on_leases(c, drift)
  for _, id in ipairs(c:mode() == "sim" and c:ids() or {}) do
    if c:random(2) == 1 then
      c:clock(id, { rate = 1 - drift * (c:random(2) == 1 and 1 or c:random()) })
    end
  end
  local mix = { read = 12, write = 1 }
  c:workload { kind = "register", clients = 2, rate = 60, mix = mix, ask = "known", read = "lease" }
end

-- The old minority comes back as another one goes.
local function swap(c, before, minority, run)
  for _, id in ipairs(minority) do
    if before[id] then
      run.faults[id], before[id] = before[id], nil
    else
      begin_fault(c, id, run)
    end
  end
  for id = 1, HIGHEST_ID do -- also of one that was removed meanwhile: it may come again
    if before[id] then
      end_fault(c, id, before[id])
    end
  end
  for _, id in ipairs(c:ids()) do
    cut_again(c, id, run)
  end
end

-- A leader that was cut off just now takes commands and changes of members that it cannot finish. Of one that is only
-- deaf others would hear, and finish the change.
local function mislead(c, run, members)
  for _, leader in ipairs(c:leaders()) do
    local fault = run.faults[leader.id]
    if fault and fault ~= "deaf" and members and #members.voters > 1 and c:random(2) == 1 then
      local voters = draw(c, members.voters, #members.voters - 1)
      c:change_members({ voters = voters, learners = members.learners }, { node = leader.id, timeout = 0.01 })
    end
    for number = 1, fault and c:random(0, 20) or 0 do
      c:submit(leader.id, { op = "set", key = "misled" .. number, value = leader.id })
    end
  end
end

-- Nobody has a later term than the leader's: nothing that was begun while it was away goes on.
local function is_latest(c, term)
  for _, id in ipairs(c:ids()) do
    if (c:status(id, "term") or 0) > term then
      return false
    end
  end
  return true
end

-- The leader and its term, if it has to stay; nil otherwise.
local function change_minority(c, run)
  local members = settled_members(c)
  local leader, term = c:leader()
  local before = run.faults
  local minority = members and draw_minority(c, members.voters, leader) or {}
  local stays = members and run.is_calm and has(members.voters, leader) and not before[leader]
    and not has(minority, leader)
  run.faults = {}
  swap(c, before, minority, run)
  mislead(c, run, members)
  run.is_calm = run.is_quiet
  return stays and is_latest(c, term) and leader or nil, term
end

-- ---- between two rounds -------------------------------------------------------------------------------------------

local acts = {}

-- Also whoever only believes that it leads takes commands, so that logs diverge.
function acts.diverge(c)
  for _, leader in ipairs(c:leaders()) do
    for number = 1, c:random(20) do
      c:submit(leader.id, { op = "set", key = "diverging" .. number, value = leader.id })
    end
  end
end

function acts.write(c)
  for number = 1, c:random(30) do
    c:set("key" .. number, number, { timeout = 0.5 })
  end
end

function acts.campaign(c, run)
  run.is_calm = false
  c:campaign(pick(c, c:ids()), { force = c:random(2) == 1 })
end

-- Whoever is cut off raises its term far above the others'.
function acts.campaign_again(c, run)
  run.is_calm = false
  local id = pick(c, c:ids())
  for _ = 1, c:random(10) do
    c:campaign(id, { force = true })
    c:sleep(0.05)
  end
end

-- Some restart at once, and are asked for their vote as soon as they are there.
function acts.bounce(c, run)
  run.is_calm = false
  local bounced = {}
  for _, id in ipairs(draw(c, c:ids(), c:random(2))) do
    if not run.faults[id] and c:crash(id) then
      bounced[#bounced + 1] = id
    end
  end
  for _, id in ipairs(bounced) do
    c:restart(id)
  end
  c:campaign(pick(c, c:ids()), { force = true })
end

function acts.transfer(c, run)
  run.is_calm = false
  c:transfer_leader(pick(c, c:ids()), { timeout = 1 })
end

function acts.compact(c)
  c:compact("all", { timeout = 0.5 })
end

-- Without either of these a server that was removed unawares may stand for ever (dissertation, 4.2.3).
local function change_one(c, run, call, ids, options)
  if run.pre_vote or run.check_quorum then
    run.is_calm = false
    c[call](c, ids, options or { timeout = 3 })
  end
end

local function free_id(c)
  for id = 1, HIGHEST_ID do
    local members = c:members()
    if members and not has(members.voters, id) and not has(members.learners, id) then
      return id
    end
  end
end

function acts.add(c, run)
  local members, id = c:members(), free_id(c)
  if id and members and #members.voters < 7 then
    change_one(c, run, c:random(2) == 1 and "add_servers" or "add_learners", { id })
  end
end

function acts.promote(c, run)
  local members = c:members()
  if members and #members.learners > 0 and #members.voters < 7 then
    change_one(c, run, "promote", { pick(c, members.learners) })
  end
end

-- Just when it becomes a voter it is away, and does not hear of that.
function acts.promote_and_lose(c, run)
  local members = c:members()
  local away = 1
  for _ in pairs(run.faults) do
    away = away + 1
  end
  if members and #members.voters < 7 and away <= math.floor(#members.voters / 2) then
    local id = pick(c, members.learners) or free_id(c)
    if run.faults[id] then
      return -- it was away when it was removed, and still is
    elseif not has(members.learners, id) then
      change_one(c, run, "add_learners", { id })
    end
    change_one(c, run, "promote", { id }, { wait = false })
    c:sleep(c:random() * 0.02)
    begin_fault(c, id, run)
  end
end

function acts.remove(c, run)
  local members = c:members()
  local ids = members and draw(c, members.voters, c:random(math.max(1, #members.voters - 1))) or {}
  if members and #ids < #members.voters then
    change_one(c, run, "remove_servers", ids)
  end
end

local names = { "write", "write", "diverge", "diverge", "diverge", "campaign", "campaign_again", "bounce", "transfer",
  "compact", "add", "promote", "promote_and_lose", "promote_and_lose", "remove" }

-- ---- the end ------------------------------------------------------------------------------------------------------

local function end_all(c, run)
  local before = run.faults
  run.faults = {}
  swap(c, before, {}, run)
end

-- With all of them well, members can be changed.
local function check_change(c, run)
  check_works(c, run)
  local members, why = settled_members(c), "a change is under way and does not end"
  local deadline = c:now() + 5 + 30 * run.election_timeout[2]
  while members and c:now() < deadline do
    local voters = draw(c, members.voters, math.max(1, #members.voters - 1))
    local fine, message = c:change_members({ voters = voters, learners = members.learners }, { timeout = 3 })
    if fine then
      return
    end
    why = message
    c:sleep(0.1)
    members = settled_members(c)
  end
  error("all are well, but members cannot be changed\n  " .. tostring(why), 0)
end

-- ---- the run --------------------------------------------------------------------------------------------------------

function scenario.run(c, given)
  local run = {
    written = 0, faults = {}, is_calm = false, pre_vote = given.pre_vote, check_quorum = given.check_quorum,
    is_quiet = given.pre_vote and given.check_quorum and not given.link and not given.clock_drift,
    election_timeout = given.election_timeout, drift = given.clock_drift,
  }
  check_works(c, run)
  if given.clock_drift then
    rely_on_leases(c, given.clock_drift)
  end
  for _ = 1, given.parameters.rounds do
    local leader, term = change_minority(c, run)
    check_works(c, run)
    if leader then
      c:sleep(2 * given.election_timeout[2])
      local now, term_now = c:leader()
      if now ~= leader or term_now ~= term then
        error(("node %d led in term %d and was left alone, but now %s leads, in term %s"):format(leader, term,
          tostring(now), tostring(term_now)), 0)
      end
    end
    for _ = 1, c:random(0, 2) do
      acts[pick(c, names)](c, run)
    end
    c:sleep(c:random() * 2 * given.election_timeout[2])
  end
  end_all(c, run)
  check_change(c, run)
end

return scenario
