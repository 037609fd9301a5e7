-- `raftbench view --as svg`: a still picture of a stretch of a run.
local command = require "spec.support.command"
local lu = require "luaunit"
local raft = require "raft"
local views = require "spec.support.views"

local tests = {}

local LETTER, SIZE = 6.02, 10 -- of a font of which all characters are equally wide

-- ---- reading a picture ----------------------------------------------------------------------------------------

local function attributes_of(text)
  local found = {}
  for name, value in text:gmatch '([%w_:-]+)="([^"]*)"' do
    found[name] = value
  end
  return found
end

-- Its elements in order, {name, attributes, text}; fails where it is no XML.
local function parse(text)
  local list, open, at = {}, {}, 1
  while true do
    local first, last, slash, name, rest, closed = text:find("<(/?)([%w]+)([^<>]-)(/?)>", at)
    if not first then
      break
    end
    local between = text:sub(at, first - 1)
    lu.assertNil(between:find "[<>]", between)
    if #open > 0 then
      open[#open].text = open[#open].text .. between
    end
    if slash == "/" then
      lu.assertEquals(name, table.remove(open).name)
    else
      local one = { name = name, attributes = attributes_of(rest), text = "" }
      list[#list + 1] = one
      if closed == "" then
        open[#open + 1] = one
      end
    end
    at = last + 1
  end
  lu.assertEquals(#open, 0)
  lu.assertNil(text:gsub("&%a+;", ""):find("&", 1, true))
  return list
end

local function has_class(one, class)
  return (" " .. (one.attributes.class or "") .. " "):find(" " .. class .. " ", 1, true) ~= nil
end

local function count_of(list, name, class)
  local count = 0
  for _, one in ipairs(list) do
    count = count + (one.name == name and has_class(one, class) and 1 or 0)
  end
  return count
end

local function texts_of(list)
  local texts = {}
  for _, one in ipairs(list) do
    if one.name == "text" and not has_class(one, "title") then
      texts[#texts + 1] = one
    end
  end
  return texts
end

local function box_of(one)
  local text = one.text:gsub("&%a+;", "x")
  local x, y, wide = tonumber(one.attributes.x), tonumber(one.attributes.y), views.columns(text) * LETTER
  local anchor = one.attributes["text-anchor"]
  local left = anchor == "end" and x - wide or anchor == "middle" and x - wide / 2 or x
  return { left, y - SIZE * 0.75, left + wide, y + SIZE * 0.2 }
end

-- No label covers another or leaves the picture.
local function check_labels(text, list)
  local width, height = text:match '<svg [^>]*viewBox="0 0 (%d+) (%d+)"'
  local boxes, texts = {}, texts_of(list)
  for position, one in ipairs(texts) do
    local box = box_of(one)
    lu.assertTrue(box[1] >= 0 and box[2] >= 0 and box[3] <= tonumber(width) and box[4] <= tonumber(height),
      one.text .. " leaves the picture")
    for before = 1, position - 1 do
      local other = boxes[before]
      if box[1] < other[3] and box[3] > other[1] and box[2] < other[4] and box[4] > other[2] then
        lu.fail(("'%s' covers '%s'"):format(one.text, texts[before].text))
      end
    end
    boxes[position] = box
  end
end

local function draw(path, ...)
  local result = command.assert_code(views.view(path, "--as", "svg", ...), 0)
  local list = parse(result.out)
  check_labels(result.out, list)
  return list, result
end

local function words_of(list)
  local words = {}
  for _, one in ipairs(texts_of(list)) do
    words[#words + 1] = one.text
  end
  return "|" .. table.concat(words, "|") .. "|"
end

-- ---- pictures ---------------------------------------------------------------------------------------------------

command.add(tests, "AnElection", function(folder)
  local path = folder .. "/trace"
  views.record(path, { nodes = 3, seed = 5, name = 'an <election> & "more"' }, function(c)
    c:check_one_leader()
    c:set("key", 1)
    c:sleep(0.2)
  end)
  local list, result = draw(path)
  lu.assertEquals(result.err, "")
  command.assert_has(words_of(list), "|node 1|", "|node 2|", "|node 3|", "|leader t1|", "|leader (L)|", "|votes|",
    "|entries|", "|commit index|", "|time, s|", "heartbeats and their answers are not drawn")
  command.assert_has(result.out, "an &lt;election&gt; &amp; &quot;more&quot;", "@media (prefers-color-scheme: dark)",
    'role="img"')
  local events, arrows, commits = views.read_events(path), 0, 0
  for _, event in ipairs(events) do
    local is_idle = event.message == "append" and not event.entries
    if event.kind == "receive" and event.peer and not event.message:find "^append" then
      arrows = arrows + 1
    elseif event.kind == "receive" and event.message == "append" and not is_idle then
      arrows = arrows + 1
    elseif event.kind == "commit" then
      commits = commits + 1
    end
  end
  local drawn = 0
  for _, one in ipairs(list) do
    drawn = drawn + (one.name == "path" and has_class(one, "arrow") and not has_class(one, "answer")
      and one.attributes.d:find "L" and 1 or 0)
    drawn = drawn + (has_class(one, "vote") and has_class(one, "answer") and 1 or 0)
  end
  lu.assertEquals(drawn, arrows)
  lu.assertEquals(count_of(list, "path", "commit"), commits + 1) -- one stands in the legend
end)

command.add(tests, "APartitionWithAStaleLeader", function(folder)
  local path = folder .. "/trace"
  views.record(path, { nodes = 5, seed = 11 }, function(c)
    local leader, term = c:check_one_leader()
    local others = {}
    for _, id in ipairs(c:ids()) do
      if id ~= leader then
        others[#others + 1] = id
      end
    end
    c:partition({ leader, others[1] }, { others[2], others[3], others[4] })
    c:submit(leader, "lost")
    c:wait_leader(nil, term)
    c:set("key", 2)
    c:note "both lead"
    c:heal()
    c:sleep(0.1)
  end)
  local list = draw(path)
  command.assert_match(words_of(list), "|partition%({%d, %d}, {%d, %d, %d}%)|")
  command.assert_has(words_of(list), "|heal()|", "|in the minority|", "|✎ both lead|", "|leader t1|", "|leader t2|",
    "|lost|", "|cut off|", "|removes ")
  lu.assertEquals(count_of(list, "rect", "leader"), 3) -- and the legend's
  lu.assertEquals(count_of(list, "rect", "cut"), 3)
  lu.assertTrue(count_of(list, "path", "lost") >= 6)
end)

command.add(tests, "CrashesPausesAndMembers", function(folder)
  local path = folder .. "/trace"
  views.record(path, { nodes = 3, seed = 4 }, function(c)
    local leader = c:check_one_leader()
    c:add_servers { 4 }
    c:crash(4)
    c:sleep(0.05)
    c:restart(4)
    c:pause(leader)
    c:sleep(0.05)
    c:resume(leader)
    c:sleep(0.05)
  end)
  local list = draw(path)
  command.assert_has(words_of(list), "|crashed|", "|members ", " (joint)|", "|paused|", "|crash(4)|", "|restart(4)|",
    "|learner (N)|", "|not running|")
  list = draw(path, "--nodes", "1,2")
  command.assert_has(words_of(list), "|node 1|", "|node 2|", "a choice of nodes")
  command.assert_lacks(words_of(list), "|node 3|", "|crash(4)|")
  list = draw(path, "--kind", "role")
  lu.assertEquals(count_of(list, "path", "commit"), 0)
  lu.assertEquals(count_of(list, "path", "arrow"), 0)
  command.assert_has(words_of(list), "|leader t1|", "a choice of kinds")
end)

command.add(tests, "AViolationIsWhatALongTraceIsShownFor", function(folder)
  local path = folder .. "/trace"
  local c = raft.cluster { mode = "sim", nodes = 3, seed = 5, trace = path, machine = function(id)
    local count = 0
    return { apply = function()
      count = count + 1
      return count == 3 and id or count
    end }
  end }
  pcall(function()
    c:check_one_leader()
    c:sleep(5)
    for number = 1, 4 do
      c:propose(number)
    end
    c:sleep(1)
  end)
  c:shutdown()
  local list, result = draw(path)
  command.assert_has(words_of(list), "|‼ machines answer alike|")
  command.assert_match(result.err, "shown is from %d%.%d+ s to %d%.%d+ s, around the violation; %-%-from and %-%-to ")
  command.assert_match(words_of(list), "|the machine of node %d answers the command at index %d")
  lu.assertEquals(count_of(list, "circle", "lost"), 1)
end)

command.add(tests, "OfALongTraceTheFirstElectionIsShown", function(folder)
  local path = folder .. "/trace"
  views.record(path, { nodes = 3, seed = 2 }, function(c)
    c:check_one_leader()
    c:sleep(10)
  end)
  local list, result = draw(path)
  command.assert_match(result.err, "^raftbench: [^\n]+/trace: shown is from 0%.%d+ s to 1%.%d+ s, around the first "
    .. "election; %-%-from and %-%-to choose another stretch\n$")
  command.assert_has(words_of(list), "|leader t1|")
  list, result = draw(path, "--from", "5", "--to", "6")
  lu.assertEquals(result.err, "")
  command.assert_has(words_of(list), "|leader t1|", "5.000 s to 6.000 s") -- what was before is known
  lu.assertEquals(count_of(list, "path", "arrow"), 0)
  list = draw(path, "--from", "5", "--to", "6", "--all")
  lu.assertTrue(count_of(list, "path", "heartbeat") > 20)
end)

-- A node that never starts has a lane all the same where something was sent to it.
command.add(tests, "MessagesToANodeThatNeverStarts", function(folder)
  local path = command.write(folder .. "/trace", [[
{"time":0,"node":0,"kind":"run","text":"one","value":{"mode":"sim","seed":1,"nodes":[1,2]}}
{"time":1000,"node":1,"kind":"start","term":0}
{"time":1500,"node":1,"kind":"send","peer":2,"message":"vote","number":1,"term":1}
{"time":2000,"node":1,"kind":"drop","peer":2,"message":"vote","number":1,"text":"cut"}
]])
  command.assert_has(words_of(draw(path)), "|node 1|", "|node 2|", "|lost|")
end)

command.add(tests, "OfSeveralRunsTheFirstThatFailed", function(folder)
  local lines = {}
  for _, name in ipairs { "one", "two", "three" } do
    for _, line in ipairs(views.small) do
      line = line:gsub('"small"', ('"%s"'):format(name))
      lines[#lines + 1] = name ~= "one" and line:gsub('"passed":true', '"passed":false') or line
    end
  end
  local path = command.write(folder .. "/trace", table.concat(lines, "\n"))
  local _, result = draw(path)
  command.assert_has(result.err, "there are 3 runs in it; the picture shows one, two (failed)")
  command.assert_has(result.out, "<title id=\"rb-title\">two: FAILED</title>")
end)

command.add(tests, "ToAFileByItsEndingAndFromACluster", function(folder)
  local c = raft.cluster { mode = "tcp", nodes = 3 }
  c:check_one_leader()
  local text = c:view "svg"
  check_labels(text, parse(text))
  lu.assertEquals(c:view("svg", folder .. "/run.svg"), folder .. "/run.svg")
  c:shutdown()
  local trace = command.write(folder .. "/trace", table.concat(views.small, "\n"))
  command.assert_code(views.view(trace, "-o", folder .. "/small.svg"), 0)
  lu.assertEquals(command.read(folder .. "/small.svg"), views.view(trace, "--as", "svg").out)
  local empty = command.write(folder .. "/empty", "")
  command.assert_code(views.view(empty, "-o", folder .. "/none.svg"), 3)
  lu.assertNil(io.open(folder .. "/none.svg")) -- a file that would hold nothing is not made
end)

return tests
