-- What `raftbench test` keeps of failed tests: traces and pages, and which of them.
local lu = require "luaunit"
local command = require "spec.support.command"
local kept_files = require "raft.test.kept"
local open = require "raft.open"
local raft = require "raft"
local views = require "spec.support.views"

local tests = {}
local unpack = table.unpack or unpack -- luacheck: ignore 113 143

-- Adds a test of `raftbench test FILE --keep DIR ...`: f(run, kept, place), run(text, ...) writes the spec and runs it;
-- kept() is the sorted names of what is in DIR.
local function add(name, f)
  command.add(tests, name, function(folder)
    local path, place = folder .. "/some_spec.lua", folder .. "/kept here"
    f(function(text, ...)
      return command.run { "test", command.write(path, text), "--keep", place, ... }
    end, function()
      local pipe = io.popen(("ls -A '%s' 2>/dev/null"):format(place), "r")
      local names = command.lines(pipe:read "*a")
      pipe:close()
      return names
    end, place)
  end)
end

local failing = [[
local raft = require "raft"
return {
  test_fails = function() local c = raft.cluster() c:note "of the open one" c:check_one_leader() error "boom" end,
  test_passes = function() raft.cluster():check_one_leader() end,
  test_shut = function()
    for number = 1, 5 do
      local c = raft.cluster { nodes = 1, seed = number }
      c:check_one_leader()
      c:shutdown()
    end
    error "after it"
  end,
  test_without = function() error "no cluster" end,
}]]

add("OfEachFailureTheTraceAndThePage", function(run, kept, place)
  for _, jobs in ipairs { "1", "2" } do
    local result = command.assert_code(run(failing, "--jobs", jobs, "--seed", "3"), 1)
    lu.assertEquals(kept(), { ".kept", "some.test_fails-3.html", "some.test_fails-3.trace", "some.test_shut-3.html",
      "some.test_shut-3.trace" })
    for _, name in ipairs { "some.test_fails-3", "some.test_shut-3" } do
      local lines = "        diagram: %s/%s.html\n        trace: %s/%s.trace\n        again: "
      command.assert_has(result.out, lines:format(place, name, place, name))
    end
    local list = views.read_events(place .. "/some.test_fails-3.trace")
    lu.assertEquals({ list[1].kind, list[1].text, list[#list].kind }, { "run", "some.test_fails", "verdict" })
    command.assert_has(list[#list].value.message, "boom")
    lu.assertEquals(list[#list].value.passed, false)
    local seeds = {}
    for _, event in ipairs(views.read_events(place .. "/some.test_shut-3.trace")) do
      seeds[#seeds + 1] = event.kind == "run" and event.value.seed or nil
    end
    lu.assertEquals(seeds, { 3, 4, 5 }) -- the last ones
    local page = command.read(place .. "/some.test_fails-3.html")
    lu.assertNotNil(page:lower():find "^<!doctype html>.*</html>%s*$")
    command.assert_has(page, "of the open one", "boom")
    local view = command.assert_code(command.run { "view", place .. "/some.test_fails-3.trace" }, 0)
    command.assert_has(view.out, "FAILED")
  end
end)

add("OneReplayCommandOnly_AlsoOfABrokenInvariant", function(run)
  local result = command.assert_code(run [[
local raft = require "raft"
return { test_it = function()
  local made = 0
  local c = raft.cluster { machine = function()
    made = made + 1
    local number = made
    return { apply = function() return number end } -- answers differ
  end }
  c:propose(1)
  c:check_committed(1, 3)
end }]], 1)
  local _, count = result.out:gsub("raftbench test ", "")
  lu.assertEquals(count, 1)
  command.assert_has(result.out, "answers", "        trace: ")
  local text = command.read(result.out:match "trace: ([^\n]*)")
  command.assert_has(text, '"kind":"violation"')
end)

add("OfManySeedsTheFirstOfEachKind", function(run, kept)
  local text = [[
local raft = require "raft"
return { test_it = function()
  local c = raft.cluster()
  local seed = c:seed()
  c:check_one_leader()
  if seed % 2 == 0 then error("even: " .. seed) elseif seed == 5 then error "five" end
end }]]
  for _, words in ipairs { { "--jobs", "1" }, { "--jobs", "3" } } do
    local result = command.assert_code(run(text, "--seeds", "12", unpack(words)), 1)
    local list, traces = kept(), {}
    for _, name in ipairs(list) do
      traces[#traces + 1] = name:match "^(.*)%.trace$"
    end
    lu.assertEquals(#list, 5)
    lu.assertEquals(#traces, 2) -- of seed 5 and of an even one
    local even = traces[1] == "some.test_it-5" and traces[2] or traces[1]
    command.assert_match(table.concat(traces, " "), "it%-5")
    local _, named = result.out:gsub("\n        trace: ", "")
    lu.assertEquals(named, 2)
    command.assert_has(result.out, ("as under seed %s\n"):format(even:match "%d+$"))
  end
end)

local dying = [[
local raft = require "raft"
local function die(name)
  local c = raft.cluster()
  c:check_one_leader()
  c:note("last words of " .. name)
  os.execute "kill -%s $PPID"
  c:sleep(60)
end
return {
  test_dies = function() die "it" end,
  test_later = function() die "the later" end,
}]]

-- A test that ends its process runs once more, with a trace to which each event is written as it happens.
add("OfATestThatDiesWhatItDidUntilThen", function(run, kept, place)
  local result = command.assert_code(run(dying:format "KILL", "--jobs", "2", "--seeds", "2", "--pattern", "dies"), 1)
  local seed = result.out:match "trace: [^\n]*some%.test_dies%-(%d)%.trace"
  local name = "some.test_dies-" .. seed
  lu.assertEquals(kept(), { ".kept", name .. ".html", name .. ".trace" })
  local list = views.read_events(place .. "/" .. name .. ".trace")
  lu.assertEquals({ list[1].text, list[1].value.seed, list[#list].text },
    { "some.test_dies", tonumber(seed), "last words of it" })
  command.assert_has(command.read(place .. "/" .. name .. ".html"), "last words of it")
  command.assert_has(result.out, "was killed by signal 9", "diagram: ")
  command.assert_lacks(result.out, "run once more")
end)

add("OfOneThatDiesOnceThatItDidSo", function(run, kept, place)
  local text = dying:format("KILL"):gsub("local c = ", ("local file = io.open(%q, 'a') if file:seek 'end' > 0 then "
    .. "return end file:write 'x' file:close() %%0"):format(place .. " was here"))
  local result = command.assert_code(run(text, "--output", "tap", "--pattern", "dies"), 1)
  command.assert_has(result.out, "the process was killed by signal 9\n# run once more, by itself, it did not")
  lu.assertEquals(kept(), { ".kept" })
end)

-- Where it is the command's own process, that tells at least what it was doing.
add("ADeathOfTheCommandNamesTheTest", function(run)
  if os.getenv "ASAN_OPTIONS" then
    lu.skip "AddressSanitizer has a word for it of its own"
  end
  local result = run(dying:format "SEGV", "--seed", "3")
  command.assert_has(result.err, "raftbench: ended by signal 11\n  replay: ",
    " --mode sim --seed 3 --pattern '^some%.test_dies$'")
  lu.assertTrue(result.code > 3, result.code)
end)

-- At most so many failures: the sizes of what is kept are bounded.
add("NotMoreThanTwenty", function(run, kept)
  local text = [[
local raft = require "raft"
local tests = {}
for number = 1, 30 do
  tests["test_" .. number] = function() raft.cluster { nodes = 1 }:check_one_leader() error "boom" end
end
return tests]]
  for _, jobs in ipairs { "1", "2" } do
    command.assert_has(run(text, "--jobs", jobs).out, "0 passed, 30 failed, 0 skipped")
    lu.assertEquals(#kept(), 41)
  end
end)

add("ARunReplacesItsOwnFilesAndNothingElse", function(run, kept, place)
  command.assert_code(run(failing), 1)
  local mine = { ".hidden", "mine.trace", "some.test_fails-1.txt" }
  for _, name in ipairs(mine) do
    command.write(place .. "/" .. name, "mine")
  end
  command.assert_code(run(failing, "--pattern", "passes"), 0)
  lu.assertEquals(kept(), mine)
  command.write(place .. "/some.test_fails-1.trace", "mine")
  local result = command.assert_code(run(failing, "--pattern", "fails"), 1)
  command.assert_has(result.out, "some.test_fails-1-2.trace")
  lu.assertEquals(command.read(place .. "/some.test_fails-1.trace"), "mine")
  command.assert_code(run(failing, "--pattern", "passes"), 0)
  command.write(place .. "/some.test_fails-1-2.html", "mine") -- a page alone is kept, too
  result = command.assert_code(run(failing, "--pattern", "fails"), 1)
  command.assert_has(result.out, "some.test_fails-1-3.trace")
  lu.assertEquals(command.read(place .. "/some.test_fails-1-2.html"), "mine")
  command.assert_code(run(failing, "--pattern", "passes"), 0)
  lu.assertEquals(kept(), { ".hidden", "mine.trace", "some.test_fails-1-2.html", "some.test_fails-1.trace",
    "some.test_fails-1.txt" })
end)

-- Two processes may keep failures of one name at a time: here the other does so while the first reads its events.
command.add(tests, "TwoThatKeepAtOnceTakeTwoNames", function(place)
  local function keep()
    local record = { file = "some_spec.lua", name = "some.test_it", seed = 1, status = "failed", message = "boom" }
    kept_files.new(place, error):keep(record)
    return record.events, record.page
  end
  open.keep_closed(2)
  local c = raft.cluster { mode = "sim", name = "the first" }
  c:shutdown()
  local inner, other = open.closed()[1], nil
  local core = inner.core
  inner.core = setmetatable({ event_lines = function(_, ...)
    inner.core = core
    other = { keep() }
    return core:event_lines(...)
  end, close = function() core:close() end }, { __index = core })
  local mine = { keep() }
  open.keep_closed(0)
  lu.assertNotEquals(mine[1], other[1])
  lu.assertNotEquals(mine[2], other[2])
  for _, path in ipairs { mine[1], other[1], mine[2], other[2] } do
    command.assert_has(command.read(path), "the first")
  end
end)

add("AFolderOfItsOwnGoes_NoneIsMadeWhereNothingFails", function(run, kept, place)
  command.assert_code(run(failing), 1)
  lu.assertEquals(#kept(), 5)
  command.assert_code(run(failing, "--pattern", "passes"), 0)
  lu.assertNil(io.open(place))
end)

-- The index names what is removed: no names with a way out of the folder.
add("TheIndexRemovesNothingOutside", function(run, _, place)
  os.execute(("mkdir '%s'"):format(place))
  local outside = place .. ".trace"
  command.write(outside, "mine")
  command.write(place .. "/.kept", "head\n../kept here.trace\n/etc/passwd.trace\n.hidden.trace\nnotes.txt\n")
  command.write(place .. "/notes.txt", "mine")
  command.write(place .. "/.hidden.trace", "mine")
  command.assert_code(run(failing, "--pattern", "passes"), 0)
  for _, path in ipairs { outside, place .. "/notes.txt", place .. "/.hidden.trace" } do
    lu.assertEquals(command.read(path), "mine")
  end
end)

add("WhereNothingCanBeKept_ItIsToldOnce", function(run, _, place)
  command.write(place, "a file, no folder")
  for _, jobs in ipairs { "1", "2" } do
    local result = command.assert_code(run(failing, "--jobs", jobs), 1)
    local _, count = (result.out .. result.err):gsub("failed tests cannot be kept in ", "")
    lu.assertEquals(count, 1)
    command.assert_has(result.out, "1 passed, 3 failed, 0 skipped")
    command.assert_lacks(result.out, "trace: ")
  end
end)

-- Of a long test the last events, behind a head that says what they are of.
add("OfALongTestTheLastEvents", function(run, _, place)
  command.assert_code(run [[
local raft = require "raft"
return { test_it = function()
  local c = raft.cluster { nodes = 3, keep_events = 100 }
  c:check_one_leader()
  c:sleep(10)
  error "boom"
end }]], 1)
  local list = views.read_events(place .. "/some.test_it-1.trace")
  lu.assertEquals(#list, 101)
  lu.assertEquals({ list[1].kind, list[1].text, list[1].value.nodes, list[1].time, list[#list].kind },
    { "run", "some.test_it", { 1, 2, 3 }, list[2].time, "verdict" })
end)

add("JunitAndTapNameThem", function(run, _, place)
  for _, form in ipairs { "junit", "tap" } do
    command.assert_has(run(failing, "--output", form).out, "trace: " .. place .. "/some.test_fails-1.trace",
      "diagram: " .. place .. "/some.test_fails-1.html")
  end
end)

return tests
