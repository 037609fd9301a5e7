-- What `raftbench test` says of its tests: for people, in TAP and as JUnit's XML, with what each test printed; what
-- specs are given by the command line.
local lu = require "luaunit"
local command = require "spec.support.command"
local xml = require "spec.support.xml"
local runs = require "spec.support.runs"

local tests = {}

-- Adds a test of `raftbench test FILE ...`: f(run, path, folder), run(text, ...) writes the spec and runs it.
local function add(name, f)
  command.add(tests, name, function(folder)
    local path = folder .. "/some_spec.lua"
    f(function(text, ...)
      return command.run { "test", command.write(path, text), ... }
    end, path, folder)
  end)
end

-- ---- the forms of the results -------------------------------------------------------------------

add("Tap", function(run, path)
  for _, jobs in ipairs { "1", "2" } do
    local result = command.assert_code(run(runs.of_each_kind, "--output", "tap", "--jobs", jobs), 1)
    lu.assertEquals(result.lines[1], "TAP version 13")
    lu.assertEquals(result.lines[#result.lines], "# 2 passed, 2 failed, 1 skipped")
    local points, plan = {}, nil
    for position = 2, #result.lines - 1 do
      local line = result.lines[position]
      if line:find("^not ok ") or line:find("^ok ") then
        points[#points + 1] = line
      elseif line:find("^%d") then
        plan = line
      else
        command.assert_match(line, "^# ")
      end
    end
    lu.assertEquals(points, {
      "ok 1 - some.test_ends_early", "not ok 2 - some.test_fails", "ok 3 - some.test_is_skipped # SKIP not today",
      "ok 4 - some.test_passes", "not ok 5 - some.test_raises",
    })
    lu.assertEquals(plan, "1..5")
    command.assert_has(result.out, "# " .. path .. ":8: boom", "# again: ")
  end
end)

add("Junit", function(run, path)
  for _, jobs in ipairs { "1", "2" } do
    local result = command.assert_code(run(runs.of_each_kind, "--output", "junit", "--jobs", jobs), 1)
    lu.assertEquals(result.err, "2 passed, 2 failed, 1 skipped\n")
    local root = xml.parse(result.out)
    lu.assertEquals({ root.name, root.attributes.tests, root.attributes.failures, root.attributes.errors },
      { "testsuites", "5", "2", "0" })
    local suite = xml.find(root, "testsuite")[1]
    lu.assertEquals({ suite.attributes.name, suite.attributes.tests, suite.attributes.failures,
      suite.attributes.skipped }, { path, "5", "2", "1" })
    local names = {}
    for position, case in ipairs(xml.find(root, "testcase")) do
      lu.assertEquals(case.attributes.classname, "some")
      command.assert_match(case.attributes.time, "^%d+%.%d+$")
      names[position] = case.attributes.name
    end
    lu.assertEquals(names, { "test_ends_early", "test_fails", "test_is_skipped", "test_passes", "test_raises" })
    local failure = xml.find(root, "failure")[2]
    lu.assertEquals(failure.attributes.message, path .. ":8: boom")
    command.assert_has(failure.text, "again: ", "--seed 1")
    lu.assertEquals(xml.find(root, "skipped")[1].attributes.message, "not today")
  end
end)

local printing = [==[
print "while it is loaded"
return {
  test_a = function() io.write "<a> & " io.stdout:write "more\n" end,
  test_b = function() os.execute "echo of a child process" end,
  test_c = function() print "before it fails" error "boom" end,
  test_d = function() end,
}]==]

add("WhatATestPrintsIsInItsOwnElement", function(run)
  for _, jobs in ipairs { "1", "2" } do
    local result = command.assert_code(run(printing, "--output", "junit", "--jobs", jobs), 1)
    local texts = {}
    for position, case in ipairs(xml.find(xml.parse(result.out), "testcase")) do
      local out = xml.find(case, "system-out")[1]
      texts[position] = out and out.text or ""
    end
    lu.assertEquals(texts, { "while it is loaded\n<a> & more\n", "of a child process\n", "before it fails\n", "" })
    command.assert_has(run(printing, "--output", "tap", "--jobs", jobs).out, "# while it is loaded\n# <a> & more\n",
      "# of a child process\n", "not ok 3 - some.test_c\n# before it fails\n")
  end
end)

add("TheReportGoesIntoAFile", function(run, _, folder)
  local path = folder .. "/report.xml"
  local result = command.assert_code(run(printing, "-o", path), 1) -- the ending tells the form
  command.assert_has(result.out, "FAILED  some.test_c", "3 passed, 1 failed, 0 skipped")
  command.assert_lacks(result.out, "<?xml")
  lu.assertEquals(result.err, "")
  lu.assertEquals(xml.parse(command.read(path)).attributes.tests, "4")
  command.assert_has(command.assert_code(run(printing, "-o", folder .. "/none/x"), 3).err, "No such file")
end)

-- What is raised may say nothing, or raise when it is asked: that test has failed, the others run.
add("AnErrorThatCannotBeShown", function(run)
  local text = [==[
local function mute(f) error(setmetatable({}, { __tostring = f })) end
return {
  test_1 = function() mute(function() error "in __tostring" end) end,
  test_2 = function() mute(function() return {} end) end,
  test_3 = function() error(setmetatable({}, { __index = function() error "in __index" end })) end,
  test_4 = function() local c <close> = require("raft").cluster { nodes = 1 } mute(function() error() end) end,
  test_5 = function() end,
}]==]
  text = _VERSION == "Lua 5.4" and text or text:gsub(" <close>", "")
  for _, form in ipairs { "text", "tap", "junit" } do
    for _, jobs in ipairs { "1", "2" } do
      local result = command.assert_code(run(text, "--output", form, "--jobs", jobs), 1)
      command.assert_has(result.out .. result.err, "1 passed, 4 failed, 0 skipped", "that cannot be shown",
        "in __tostring")
    end
  end
end)

-- Whatever a message holds, the document stays well-formed and no terminal obeys it.
add("OddBytesInMessages", function(run)
  local text = [==[
local tests = {}
tests["test_<&>\"'"] = function()
  error("<b>&amp; ]]>" .. ' "quoted" ' .. "\0\1\27[31m \255\192\128 \239\191\191 \194\155 caf\195\169\r\n\tsecond line")
end
return tests]==]
  local junit = run(text, "--output", "junit")
  local root = xml.parse(junit.out)
  lu.assertEquals(xml.find(root, "testcase")[1].attributes.name, "test_<&>\"'")
  command.assert_has(xml.find(root, "failure")[1].text, '<b>&amp; ]]> "quoted" \\x00\\x01\\x1b[31m \\xff\\xc0\\x80',
    "caf\195\169", "\n second line")
  for _, form in ipairs { "text", "tap" } do
    local result = run(text, "--output", form)
    command.assert_has(result.out, "\\x00\\x01\\x1b[31m \\xff", "caf\195\169")
    lu.assertNil(result.out:find("[%z\1-\8\11-\31]"))
  end
end)

-- ---- valid, whatever a test prints --------------------------------------------------------------

-- To both streams, from Lua and from a process; what looks like results; a test that dies half way, which prints
-- without a line's end; a name that no form can hold as it is.
local hostile = [==[
local lu = require "luaunit"
local odd = "\0\1\27[31m \255\192\128 \239\191\191 ]]> & </system-out> <!-- caf\195\169\r\n"
local tests = {}
tests["test_1 # SKIP \1\255"] = function() print(odd) end
function tests.test_2_tap() print "not ok 7 - mine\n1..0\nBail out!\nTAP version 13\n  ---\n  ..." end
function tests.test_3_error() io.stderr:write("to the error output " .. odd) end
function tests.test_4_process() os.execute "echo from a process; echo and its error output >&2" end
function tests.test_5_much() io.write(("x"):rep(200000), "the end") end
function tests.test_6_fails() io.write "no end of a line" error(odd) end
function tests.test_7_skips() lu.skip(odd) end
function tests.test_8_closes() print "before it closes" io.stdout:flush() io.stdout:close() io.stderr:write "after" end
function tests.test_9_dies() io.stderr:write "last words ]]>" os.execute "kill -9 $PPID" end
function tests.test_z_never() end
return tests]==]

-- The first line of what a command prints; nil: the command is not there.
local function program(line)
  local pipe = io.popen(line .. " 2>/dev/null", "r")
  local found = pipe:read "*l"
  pipe:close()
  return found
end

local function outputs_of(root)
  local list = {}
  for _, case in ipairs(xml.find(root, "testcase")) do
    local out = xml.find(case, "system-out")[1]
    list[case.attributes.name:match "%d" or "z"] = out and out.text or ""
  end
  return list
end

add("JunitStaysValidWhateverIsPrinted", function(run, _, folder)
  local path = folder .. "/report.xml"
  local result = command.assert_code(run(hostile, "--output", "junit", "-o", path), 1)
  command.assert_has(result.out, "6 passed, 2 failed, 1 skipped", "the process was killed by signal 9")
  local printed = outputs_of(xml.parse(command.read(path)))
  command.assert_has(printed["1"], "\\x00\\x01\\x1b[31m \\xff\\xc0\\x80 ",
    "]]> & </system-out> <!-- caf\195\169")
  command.assert_has(printed["3"], "to the error output ")
  lu.assertEquals(printed["4"], "from a process\nand its error output\n")
  command.assert_match(printed["5"], "^x+\n%.%.%. %(%d+ bytes left out%)\nx+the end$")
  lu.assertTrue(#printed["5"] < 70000)
  lu.assertEquals(printed["6"], "no end of a line")
  -- Two pipes: in which order they are read is not certain.
  lu.assertTableContains({ "before it closes\nafter", "afterbefore it closes\n" }, printed["8"])
  command.assert_match(printed["9"], "^last words %]%]>")
  lu.assertNil(printed.z)
  if not program "command -v xmllint" then
    lu.skip "xmllint is not here (Debian: libxml2-utils)"
  end
  local answer = program(("{ xmllint --noout --schema spec/support/junit.xsd %s 2>&1; }"):format(path))
  lu.assertEquals(answer, path .. " validates")
end)

add("TapStaysValidWhateverIsPrinted", function(run, _, folder)
  local path = folder .. "/report.tap"
  command.assert_code(run(hostile, "--output", "tap", "-o", path), 1)
  local points = 0
  for line in io.lines(path) do
    lu.assertNil(line:find "[%z\1-\31\127]")
    if line:find "^ok " or line:find "^not ok " then
      points = points + 1
      lu.assertEquals(tonumber(line:match "ok (%d+) %- some%."), points)
    elseif line ~= "TAP version 13" and line ~= "1..9" then
      command.assert_match(line, "^# ")
    end
  end
  lu.assertEquals(points, 9)
  command.assert_has(command.read(path), "not ok 9 - some.test_9_dies\n# last words ]]>", "\n# the process was killed")
  if not program "perl -MTAP::Parser -e 'print 1'" then
    lu.skip "TAP::Parser is not here (Debian: perl)"
  end
  local script = [[my $p = TAP::Parser->new({ source => $ARGV[0] });
    while (my $r = $p->next) { $odd++ if $r->is_unknown }
    printf "%d %d %d %d %d", $p->tests_run, scalar $p->failed, scalar $p->skipped, scalar $p->parse_errors, $odd]]
  lu.assertEquals(program(("perl -MTAP::Parser -e %s %s"):format(command.quote(script), path)), "9 2 1 0 0")
end)

-- What cannot be written is no success, though every test has passed.
add("AFullDiskIsNoSuccess", function(run)
  local text = "return { test_it = function() end }"
  for _, form in ipairs { "text", "tap", "junit" } do
    local result = command.assert_code(run(text, "--output", form, "-o", "/dev/full"), 3)
    command.assert_has(result.err, "the results cannot be written to /dev/full: No space left on device")
  end
end)

add("JunitNamesTheSeeds", function(run)
  local root = xml.parse(run(runs.many, "--output", "junit", "--pattern", "_7$", "--seeds", "2").out:match("<%?xml.*$"))
  local names = {}
  for position, case in ipairs(xml.find(root, "testcase")) do
    names[position] = case.attributes.name
  end
  lu.assertEquals(names, { "test_7 (seed 1)", "test_7 (seed 2)" })
end)

-- ---- parameters and many seeds ------------------------------------------------------------------

add("SpecsTakeParameters", function(run, path)
  local text = [==[
local raft = require "raft"
local size = raft.parameters.size or 3
local deep = raft.parameters.deep
return { test_it = function()
  print(size .. " " .. tostring(deep and deep.name))
  error "shown"
end }]==]
  command.assert_has(run(text).out, "3 nil")
  for _, jobs in ipairs { "1", "2" } do
    local result = run(text, "--jobs", jobs, "--set", "parameters.size=5", "--set", "parameters.deep.name=x y")
    command.assert_has(result.out, "5 x y", "--set parameters.size=5 --set 'parameters.deep.name=x y'")
  end
  command.assert_has(command.run({ "run", path, "--set", "parameters.size=7" }).out, "7 nil")
  command.assert_has(command.assert_code(run(text, "--set", "size=5"), 2).err, "--set parameters.size=5")
end)

add("ManySeedsTellHowFarTheyAre_WhatWasSkipped_AndTheSlowest", function(run)
  local text = [==[
local lu = require "luaunit"
local tests = { test_skipped = function() lu.skip "no reason to run" end }
for number = 1, 6 do tests["test_" .. number] = function() end end
return tests]==]
  local result = run(text, "--seeds", "40")
  command.assert_has(result.out, "[1/4]", "seeds 1..10", "[4/4]", "seeds 31..40", "Skipped:",
    "  some.test_skipped: no reason to run (40 times)", "Slowest:", "(40 runs, the longest ")
  command.assert_has(result.out, "240 passed, 0 failed, 40 skipped")
end)

return tests
