-- raft.fuzz: campaigns made by a script, goals, situations, and how results add up.
local raft = require "raft"
local lu = require "luaunit"
local one = require "raft.fuzz.one"
local tally = require "raft.fuzz.tally"
local words = require "raft.fuzz.words"

local tests = {}

local function fuzz(scenario, options)
  local given = { scenario = scenario, seeds = 12, jobs = 2 }
  for name, value in pairs(options or {}) do
    given[name] = value
  end
  return raft.fuzz(given)
end

function tests.test_AReportTellsWhatWasDone()
  local report = assert(fuzz { run = function(c)
    c:wait_leader()
    c:sleep(1)
  end })
  lu.assertTrue(report.passed)
  lu.assertEquals(report.seeds, 12)
  lu.assertTrue(report.time > 12)
  lu.assertTrue(report.stats.elections >= 12)
  lu.assertTrue(report.situations > 3)
  lu.assertEquals(report.findings, {})
end

function tests.test_TheSeedThatShowsAFailureSoonestStandsForIt()
  local report = assert(fuzz({ run = function(c)
    c:sleep(20 - c:seed())
    assert(c:seed() % 4 ~= 0, "seed " .. c:seed() .. " is divisible")
    assert(c:seed() ~= 7, "seven is no good")
  end }, { keep_going = true }))
  lu.assertFalse(report.passed)
  lu.assertEquals(#report.findings, 2)
  local first, second = report.findings[1], report.findings[2]
  lu.assertEquals({ first.count, first.seed, first.property }, { 3, 12, "check" })
  lu.assertStrContains(first.text, "seed 12 is divisible")
  lu.assertTrue(first.time >= 8 and first.time < 9)
  lu.assertEquals({ second.count, second.seed }, { 1, 7 })
end

-- A campaign of eight seeds in four workers that ends at its first failure: seeds 3 to 8 fail at once; the second seed
-- is slow, and then `second` is called.
local function slow_second(second, options)
  local given = { jobs = 4, seeds = 8 }
  for name, value in pairs(options or {}) do
    given[name] = value
  end
  local report = assert(fuzz({ run = function(c)
    if c:seed() == 2 then
      local until_s = os.clock() + 0.4
      while os.clock() < until_s do end -- luacheck: ignore 542
      second()
    end
    assert(c:seed() < 3, "from three on")
  end }, given))
  lu.assertEquals(#report.findings, 1)
  return report.findings[1], report
end

function tests.test_ItEndsAtTheLowestSeedThatFails()
  local finding = slow_second(function() error "two is late" end)
  lu.assertEquals({ finding.seed, finding.count }, { 2, 1 })
  lu.assertStrContains(finding.text, "two is late")
  finding = slow_second(function() end)
  lu.assertEquals({ finding.seed, finding.count }, { 3, 1 })
  finding = slow_second(function() os.execute "kill -9 $PPID" end)
  lu.assertEquals({ finding.seed, finding.property }, { 2, "abort" })
end

function tests.test_TheLowestSeedIsNotWaitedForLongerThanARunMayTake()
  local function for_ever()
    while true do end -- luacheck: ignore 542
  end
  local finding = slow_second(for_ever, { patience = 2 })
  lu.assertEquals({ finding.seed, finding.property }, { 2, "hang" })
  local report
  finding, report = slow_second(for_ever, { time = 2 })
  lu.assertEquals(finding.seed, 3)
  lu.assertTrue(report.real_time < 20, report.real_time)
end

function tests.test_TheParentIsLeftAsItWas()
  local count = 0
  local c = assert(raft.cluster { mode = "sim", seed = 3 })
  c:wait_leader()
  local hash = c:trace_hash()
  local told = {}
  assert(fuzz({ run = function()
    count = count + 1
    error "at once"
  end }, { tell_finding = function(finding) told[#told + 1] = finding.seed end }))
  lu.assertEquals(count, 0)
  lu.assertEquals(#told, 1)
  lu.assertEquals(c:trace_hash(), hash)
  c:shutdown()
end

function tests.test_WrongOptionsAreNamed()
  local function problem_of(options)
    local called, message = pcall(raft.fuzz, options)
    lu.assertFalse(called)
    return message
  end
  lu.assertStrContains(problem_of { seeds = 3 }, "bad argument 'scenario'")
  lu.assertStrContains(problem_of { scenario = "x.lua", seeds = { 3, 1 } }, "bad argument 'seeds'")
  lu.assertStrContains(problem_of { scenario = "x.lua", sedes = 3 }, "there is no option 'sedes'")
  lu.assertStrContains(problem_of { scenario = "x.lua", set = { "=3" } }, "bad argument 'set'")
  lu.assertStrContains(select(2, raft.fuzz { scenario = "none.lua", seeds = 1, jobs = 1 }), "cannot read")
end

-- ---- goals --------------------------------------------------------------------------------------

local function goals_of(run, seed)
  local outcome = one.run { file = { nodes = 3, run = run }, seed = seed or 1 }
  lu.assertTrue(outcome.fine, outcome.failure and outcome.failure.text)
  return outcome.goals
end

function tests.test_AGoalIsAValueAFilterOrAFunction()
  local goals = goals_of(function(c)
    lu.assertFalse(c:sometimes("a value", false))
    lu.assertTrue(c:sometimes("a value", 7))
    lu.assertTrue(c:sometimes("a value", false)) -- it was
    lu.assertFalse(c:sometimes("an event", { kind = "stop", node = 2 }))
    c:sometimes("no such event", { kind = "install" })
    c:sometimes("a state", function() return c:status(3, "state") == "paused" end)
    c:sometimes("no such state", function() return c:status(1, "state") == "paused" end)
    c:crash(2)
    c:pause(3)
    c:sleep(0.1)
    lu.assertTrue(c:sometimes("an event", { kind = "stop", node = 2 }))
  end)
  lu.assertEquals(goals, { ["a value"] = true, ["an event"] = true, ["no such event"] = false, ["a state"] = true,
    ["no such state"] = false })
end

function tests.test_AGoalChangesNothing()
  local function hash(run)
    return one.run({ file = { nodes = 3, run = run }, seed = 1 }).hash
  end
  lu.assertEquals(hash(function(c)
    c:sometimes("a leader", { kind = "role", role = "leader" })
    c:sleep(1)
  end), hash(function(c) c:sleep(1) end))
end

-- ---- situations ---------------------------------------------------------------------------------

local function situations_of(run, options)
  local scenario = { nodes = 3, run = run }
  for name, value in pairs(options or {}) do
    scenario[name] = value
  end
  local outcome = one.run { file = scenario, seed = 1, situations = true }
  lu.assertTrue(outcome.fine, outcome.failure and outcome.failure.text)
  local set = {}
  for position = 1, #outcome.situations, 8 do
    set[outcome.situations:sub(position, position + 7)] = true
  end
  return set, #outcome.situations / 8, outcome
end

function tests.test_ASituationIsMetOnceAndTheSameRunMeetsTheSame()
  local function run(c)
    c:wait_leader()
    for number = 1, 50 do
      assert(c:set("a", number))
    end
  end
  local set, count, outcome = situations_of(run)
  local again, _, other = situations_of(run)
  local distinct = 0
  for one_of_them in pairs(set) do
    distinct = distinct + 1
    lu.assertTrue(again[one_of_them])
  end
  lu.assertEquals(distinct, count)
  lu.assertEquals(outcome.hash, other.hash)
  lu.assertEquals(outcome.hash, one.run({ file = { nodes = 3, run = run }, seed = 1 }).hash) -- looking changes nothing
end

-- How many of the situations of b are not among those of a.
local function new_in(a, b)
  local count = 0
  for one_of_them in pairs(b) do
    count = count + (a[one_of_them] and 0 or 1)
  end
  return count
end

function tests.test_WhatIsNewIsANewSituation()
  local function quiet(c)
    c:wait_leader()
    assert(c:set("a", 1))
  end
  local before = situations_of(quiet)
  local function more(f)
    return new_in(before, (situations_of(function(c)
      quiet(c)
      f(c)
      c:sleep(1)
    end)))
  end
  lu.assertTrue(more(function(c) c:crash(c:leader()) end) > 0)
  lu.assertTrue(more(function(c) c:disconnect(c:leader()) end) > 0)
  lu.assertTrue(more(function(c) c:pause(c:leader()) end) > 0)
  lu.assertTrue(more(function(c) assert(c:add_servers { 4 }) end) > 0)
  lu.assertTrue(more(function(c) c:compact(1) assert(c:set("a", 2)) end) > 0)
  lu.assertEquals(more(function(c) assert(c:set("a", 2)) end), 0)
end

-- ---- sums ---------------------------------------------------------------------------------------

function tests.test_TalliesAddUpInAnyOrder()
  local function failure(key, time)
    return { property = "check", key = key, text = key .. " at " .. time, time = time }
  end
  local outcomes = {}
  for seed = 1, 30 do
    outcomes[seed] = { seed = seed, time = seed, stats = { commits = 2, elections = 1 }, goals = { moon = seed == 9 },
      situations = (("%08d"):format(seed % 5)), failure = seed % 10 == 3 and failure("a", 40 - seed)
        or seed == 17 and failure("b", 5) or nil }
  end
  local function add(self, seed)
    self:add(outcomes[seed])
    if outcomes[seed].failure then
      self:fail(outcomes[seed].failure, seed)
    end
  end
  local whole, parts = tally.new(), { tally.new(), tally.new(), tally.new() }
  for seed = 1, 30 do
    add(whole, seed)
    add(parts[seed % 3 + 1], seed)
  end
  local merged = tally.new()
  for position = 3, 1, -1 do
    merged:merge(raft.core.json_decode(raft.core.json_encode(parts[position]:plain())))
  end
  local expected, found = whole:plain(), merged:plain()
  for _, each in ipairs { expected, found } do
    each.new_situations = nil -- of how many latest seeds, parts cannot tell
    for _, finding in ipairs(each.findings) do
      table.sort(finding.seeds)
    end
  end
  lu.assertEquals(found, expected)
  lu.assertEquals(found.findings[1].key, "b")
  lu.assertEquals({ found.findings[2].seed, found.findings[2].count }, { 23, 3 })
  lu.assertEquals(found.goals, { moon = 1 })
end

function tests.test_OfManySituationsTheNumberIsEstimated()
  local random = raft.core.stream(1, "situations")
  local parts, whole = { tally.new(), tally.new() }, tally.new()
  local count = 0
  for seed = 1, 80 do
    local list = {}
    for position = 1, 1000 do
      count = count + 1
      local bits = random:random(0, 2 ^ 24 - 1)
      list[position] = ("%05d"):format(count) .. string.char(math.floor(bits / 65536), math.floor(bits / 256) % 256,
        bits % 256)
    end
    local outcome = { seed = seed, stats = {}, situations = table.concat(list) }
    parts[seed % 2 + 1]:add(outcome)
    whole:add(outcome)
    whole:add(outcome) -- none is new
  end
  local number, is_estimate = whole:situation_count()
  lu.assertTrue(is_estimate)
  lu.assertTrue(math.abs(number - 80000) < 1600, number)
  lu.assertTrue(#whole:plain().situations <= 65536 * 8)
  local merged = tally.new()
  for _, part in ipairs(parts) do
    merged:merge(part:plain())
  end
  lu.assertEquals(merged:situation_count(), number)
end

function tests.test_HistoriesThatWereNotDecidedAreCounted()
  local sums = tally.new()
  sums:add { seed = 1, stats = { commits = 1 } }
  local campaign = { tally = sums, real_s = 1, title = "a campaign" }
  local function said()
    return words.line(campaign) .. "\n" .. words.summary(campaign, tostring)
  end
  lu.assertNotStrContains(said(), "undecided")
  sums:add { seed = 2, stats = { undecided = 1 } }
  lu.assertStrContains(words.line(campaign), " | 1 undecided history | no failure")
  sums:add { seed = 3, stats = { undecided = 2 } }
  lu.assertStrContains(said(), "  3 undecided histories: not judged, as they took too long")
end

return tests
