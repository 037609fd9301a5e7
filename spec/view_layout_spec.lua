-- The timing diagram's layout: widths, wrapping, UTF-8, and the folding of what is routine.
local lu = require "luaunit"
local command = require "spec.support.command"
local raft = require "raft"
local views = require "spec.support.views"

local tests = {}

-- ---- widths -------------------------------------------------------------------------------------

command.add(tests, "EveryLineFitsAnyWidth", function(folder)
  local path = folder .. "/trace"
  for nodes, step in pairs { [1] = 7, [3] = 1, [5] = 3, [9] = 13, [25] = 40 } do
    views.record(path, { nodes = nodes, name = "a name of many words: Grüße, 世界" }, views.some_faults)
    local events = views.read_events(path)
    for width = 40, 200, step do
      views.check_fit(views.draw(events, { width = width }), width)
    end
    for _, width in ipairs { 40, 80, 200 } do
      views.check_fit(views.draw(events, { width = width, all = true }), width)
    end
    events[#events] = nil -- the closing lines name what has no verdict
    views.check_fit(views.draw(events, { width = 40 }), 40)
  end
end)

command.add(tests, "ManyNodesInAWideTerminalHaveAColumnEach", function(folder)
  local path = folder .. "/trace"
  views.record(path, { nodes = 9 }, views.some_faults)
  local text = views.show(path, "--width", "200")
  command.assert_match(text, "│     time │ node 1 +│ node 2 +│.*│ node 9 +│\n")
end)

command.add(tests, "TheTerminalsWidthIsTaken", function(folder)
  local path = command.write(folder .. "/trace", table.concat(views.small, "\n"))
  for _, width in ipairs { 58, 70, 90 } do
    local result = command.run { "view", path, env = { COLUMNS = width } }
    local taken = views.columns(result.lines[1])
    lu.assertTrue(taken > width - 3 and taken <= width, result.lines[1])
  end
  for _, width in ipairs { "x", "0", "-5" } do -- and nonsense is not
    lu.assertEquals(views.columns(command.run { "view", path, env = { COLUMNS = width } }.lines[1]), 80)
  end
end)

function tests.test_AVeryNarrowTerminalHarmsNothing()
  local events = {}
  for position, line in ipairs(views.small) do
    events[position] = raft.core.json_decode(line)
  end
  for width = 1, 39 do
    local text = views.draw(events, { width = width })
    command.assert_has(text, "PASSED")
    if width >= 28 then
      views.check_fit(text, width)
    end
  end
end

-- Words, of which a list of ids is none.
local function words_in(set, text)
  for word in text:gmatch "%a[%a-]*" do
    set[word] = true
  end
end

command.add(tests, "NarrowColumnsHaveShorterWordsAndNoneIsBroken", function(folder)
  local path = folder .. "/trace"
  for _, nodes in ipairs { 3, 5, 7 } do
    views.record(path, { nodes = nodes }, views.some_faults)
    local events, known = views.read_events(path), { time = true, node = true, what = true }
    for _, event in ipairs(events) do
      for _, is_brief in ipairs { false, true } do
        local before, after = raft.core.event_phrase(event, is_brief)
        words_in(known, before .. " " .. after)
      end
    end
    words_in(known, views.draw(events, { width = 500 })) -- the head's and the heartbeats'
    for _, width in ipairs { 60, 80, 100, 140 } do
      local text, drawn = views.draw(events, { width = width }), {}
      views.check_fit(text, width)
      words_in(drawn, text:gsub("%-\n", "-"))
      for word in pairs(drawn) do
        lu.assertTrue(known[word] == true, ("%d nodes, %d columns: '%s'"):format(nodes, width, word))
      end
    end
  end
end)

function tests.test_AListOfPeersIsShortWhereItMustBe()
  local all = { 1, 2, 3, 4, 5, 6, 7, 8 }
  local events = { { time = 0, node = 0, kind = "run", text = "peers", value = { nodes = all } } }
  for _, peer in ipairs { 8, 3, 4, 2, 6, 5 } do
    events[#events + 1] = { time = 0, node = 1, kind = "send", peer = peer, message = "pre_vote", term = 2 }
  end
  command.assert_has(views.draw(events, { width = 300 }), "│ → 2,3,4,5,6,8 pre-vote t2 ")
  command.assert_has(views.draw(events, { width = 110 }), "│ → 2..6,8  │", "│ pre-vote  │")
end

-- ---- wrapping and UTF-8 -------------------------------------------------------------------------

-- What stands beside a time, over the lines that it takes.
local function note_lines(text)
  local lines, inside = {}, false
  for line in text:gmatch("[^\n]+") do
    local words = line:match("^│ +[%d.]+ │ ✎ (.-)%s*│$")
    if words then
      inside = true
    elseif inside then
      words = line:match("^│ +│ (.-)%s*│$")
      inside = words ~= nil
    end
    lines[#lines + 1] = words
  end
  return lines
end

local function draw_note(text, width)
  local drawn = views.draw({
    { time = 0, node = 0, kind = "run", text = "notes", value = { nodes = { 1, 2, 3 } } },
    { time = 0, node = 0, kind = "note", text = text },
  }, { width = width })
  views.check_fit(drawn, width)
  return note_lines(drawn)
end

function tests.test_LongTextsAreWrappedAtSpaces()
  local words = {}
  for number = 1, 80 do
    words[number] = ("word%d"):format(number)
  end
  local text = table.concat(words, " ")
  for width = 60, 140, 8 do
    local lines = draw_note(text, width)
    lu.assertTrue(#lines >= 4)
    lu.assertEquals(table.concat(lines, " "), text) -- nothing is lost, and no word is cut
  end
end

function tests.test_LongWordsAreCut()
  for _, word in ipairs { ("x"):rep(500), ("世界"):rep(120), ("o\204\136ß🙂"):rep(60) } do
    for width = 60, 140, 8 do
      local lines = draw_note(word, width)
      lu.assertTrue(#lines >= 2)
      lu.assertEquals(table.concat(lines), word)
    end
  end
end

function tests.test_CellsAreWrappedToo()
  local text = views.draw({
    { time = 0, node = 0, kind = "run", text = "cells", value = { nodes = { 1, 2, 3 } } },
    { time = 0, node = 2, kind = "stop", text = "the disk is full of things that nobody needs" },
  }, { width = 60 })
  views.check_fit(text, 60)
  local parts = {}
  for line in text:gmatch("[^\n]+") do
    local first, second, third = line:match("^│ [%d. ]+ │ (.-)%s*│ (.-)%s*│ (.-)%s*│$")
    if first then
      lu.assertEquals({ first, third }, { "", "" })
      parts[#parts + 1] = second
    end
  end
  lu.assertTrue(#parts >= 3)
  lu.assertEquals(table.concat(parts, " "), "stops: the disk is full of things that nobody needs")
end

function tests.test_NothingReachesTheTerminalThatItWouldObey()
  local text = "red \27[31m bell \7 back \8 next\nline tab\tend \127 csi \194\155 turn \226\128\174"
  lu.assertEquals(table.concat(draw_note(text, 200), " "),
    "red \\x1b[31m bell \\x07 back \\x08 next line tab end \\x7f csi \\xc2\\x9b turn \\xe2\\x80\\xae")
  lu.assertEquals(table.concat(draw_note("cut \228\184 lone \255 long \192\128 half \237\160\128", 200), " "),
    "cut \\xe4\\xb8 lone \\xff long \\xc0\\x80 half \\xed\\xa0\\x80")
end

command.add(tests, "TheNameIsCleanedToo", function(folder)
  local path = folder .. "/trace"
  views.record(path, { nodes = 1, name = "evil \27[2J \255" }, function() end)
  local text = views.show(path, "--width", "80")
  views.check_fit(text, 80)
  command.assert_has(text, "evil \\x1b[2J \\xff: PASSED")
end)

command.add(tests, "ColoursOnlyForATerminal", function(folder)
  local path = command.write(folder .. "/trace", table.concat(views.small, "\n"))
  command.assert_lacks(views.show(path), "\27")
  local events = {}
  for position, number in ipairs { 1, 4, 13 } do
    events[position] = raft.core.json_decode(views.small[number])
  end
  local coloured = views.draw(events, { width = 58, colour = true })
  command.assert_has(coloured, "\27[")
  lu.assertEquals((coloured:gsub("\27%[[%d;]+m", "")), views.draw(events, { width = 58 })) -- they take no room
end)

-- ---- folding ------------------------------------------------------------------------------------

local function heartbeats(count)
  local events = { { time = 0, node = 0, kind = "run", text = "quiet", value = { nodes = { 1, 2, 3 } } } }
  for number = 1, count do
    local time = number * 50000000
    for peer = 2, 3 do
      local id = 2 * number + peer
      events[#events + 1] = { time = time, node = 1, kind = "send", peer = peer, message = "append", number = id,
        term = 1 }
      if peer == 2 then
        events[#events + 1] = { time = time + 1, node = 2, kind = "receive", peer = 1, message = "append", number = id,
          term = 1 }
        events[#events + 1] = { time = time + 2, node = 2, kind = "sync", sequence = number }
      else
        events[#events + 1] = { time = time + 1, node = 1, kind = "drop", peer = 3, number = id, text = "cut" }
      end
    end
  end
  return events
end

function tests.test_HeartbeatsAreFolded()
  local text = views.draw(heartbeats(500), { width = 80 })
  command.assert_has(text, "♥ 1000 sent, 500", "♥ 500 heard")
  lu.assertTrue(views.check_fit(text, 80) < 20)
  command.assert_lacks(text, "append", "synced")
end

-- A few at the end, too, which stand below what came after them.
function tests.test_TheTimesOfRowsNeverGoBack()
  local events = heartbeats(1)
  events[#events + 1] = { time = events[#events].time + 1000000, node = 0, kind = "note", text = "later" }
  local text, latest = views.draw(events, { width = 80 }), 0
  command.assert_has(text, "♥ 2 sent", "later")
  for time in text:gmatch "\n│ +([%d.]+) │" do
    lu.assertTrue(tonumber(time) >= latest, text)
    latest = tonumber(time)
  end
end

function tests.test_AllShowsEach()
  local text = views.draw(heartbeats(50), { width = 80, all = true })
  lu.assertEquals(select(2, text:gsub("→ 2,3 beat", "")), 0) -- a lost one stands between them
  lu.assertEquals(select(2, text:gsub("→ [23] beat", "")), 100)
  lu.assertEquals(select(2, text:gsub("← 1 beat", "")), 50)
  lu.assertEquals(select(2, text:gsub("synced", "")), 50)
  command.assert_lacks(text, "♥")
end

function tests.test_WhatIsNotRoutineIsNeverFolded()
  local events = heartbeats(20)
  table.insert(events, 30, { time = 8 * 50000000, node = 3, kind = "role", role = "candidate", term = 2 })
  local count = #events
  events[count + 1] = { time = events[count].time + 1, node = 1, kind = "send", peer = 2, message = "append",
    number = 999, entries = 2, prev_index = 6, term = 1 }
  local text = views.draw(events, { width = 80 })
  command.assert_has(text, "candidate t2", "→ 2 append 7..8 t1")
  local sent = 0
  for number in text:gmatch("♥ (%d+) sent") do
    sent = sent + number
  end
  lu.assertEquals(sent, 40)
end

command.add(tests, "AnIdleClusterIsShort", function(folder)
  local path = folder .. "/trace"
  local count = views.record(path, { nodes = 3 }, function(c)
    c:check_one_leader()
    c:sleep(20)
  end)
  lu.assertTrue(count > 2000)
  local _, lines = views.show(path, "--width", "100")
  lu.assertTrue(#lines < 100, #lines .. " lines")
  _, lines = views.show(path, "--width", "100", "--all")
  lu.assertTrue(#lines > 2000)
end)

return tests
