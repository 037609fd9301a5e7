-- The page of a trace in a real browser: what is seen, clicked and typed.
local lu = require "luaunit"
local browser = require "spec.support.browser"
local command = require "spec.support.command"
local describe = require "raft.view.describe"
local pages = require "spec.support.pages"
local traces = require "spec.support.traces"

local tests, left = {}, 0
local settle, open, show_around, place_of, count, field, span =
  pages.settle, pages.open, pages.show_around, pages.place_of, pages.count, pages.field, pages.span

local EVENTS = 100000 -- of the page that must open fast; RAFTBENCH_PAGE_EVENTS names another number
local OPENS_S, TASK_MS = 10, 1000 -- far above what a quiet machine takes: 0.6 s, and 60 ms

-- What all tests look at, made by the first of them.
local shared
local missing = browser.missing()

local function prepare()
  if shared then
    return shared.browser
  end
  local b = browser.start()
  local folder = b.folder
  shared = { browser = b, folder = folder, trace = folder .. "/run.trace" }
  b:size(1400, 900)
  b:prefers "light"
  shared.leader, shared.logs, shared.statuses = traces.two_runs(shared.trace)
  shared.events = traces.first_run(shared.trace)
  shared.page = traces.page(shared.trace, folder .. "/run.html")
  return b
end

-- ---- looking ------------------------------------------------------------------------------------

-- The page of `shared`, as it opens.
local function look(b)
  open(b, shared.page)
end

-- The first event of the first run of which f is true: its position in the page, from 0.
local function position_of(f)
  for position, event in ipairs(shared.events) do
    if f(event) then
      return position - 1, event
    end
  end
  error "no such event"
end

local function add(name, body)
  left = left + 1
  tests["test_" .. name] = function()
    lu.skipIf(missing ~= nil, missing)
    local b = prepare()
    local fine, problem = pcall(body, b)
    local complaints = fine and b:complaints() or {}
    left = left - 1
    if left == 0 then -- else it ends with this process
      b:stop()
    end
    if not fine then
      error(problem, 0)
    end
    lu.assertEquals(complaints, {})
  end
end

-- ---- what is seen -------------------------------------------------------------------------------

add("ARunIsSeen", function(b)
  b:requests()
  look(b)
  for _, address in ipairs(b:requests()) do
    lu.assertStrMatches(address, "file://.*", 1, nil, "the page asks for nothing but itself")
  end
  lu.assertEquals(b:text "#name", "first <run>")
  lu.assertStrContains(b:text "#verdict", "passed")
  lu.assertStrContains(b:text "#meta", "seed 7")
  for id = 1, 3 do
    lu.assertStrContains(b:text(("[data-lane='%d']"):format(id)), "node " .. id)
  end
  lu.assertEquals(count(b, ".lane.node"), 3)
  lu.assertEquals(count(b, ".lane.plot"), 3)
  local colours = b:run [[const canvas = document.getElementById("canvas"), seen = new Set();
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    for (let at = 0; at < data.length; at += 4) seen.add(data[at] << 16 | data[at + 1] << 8 | data[at + 2]);
    return seen.size]]
  lu.assertTrue(colours > 20, "something is drawn")
end)

-- The same words as in the table, and all that the trace tells.
add("EveryEventIsThere", function(b)
  look(b)
  local said = b:run "const run = raftbench.current.run; return Array.from(run.kind, (_, at) => run.say(at))"
  lu.assertEquals(#said, #shared.events)
  for position, event in ipairs(shared.events) do
    lu.assertEquals(said[position], describe.text(describe.phrase(event)))
  end
  for position = 1, #shared.events, 97 do
    local fields = b:run("return raftbench.fields(arguments[0])", position - 1)
    for name, value in pairs(shared.events[position]) do
      lu.assertEquals(type(value) == "table" and value or tostring(fields[name]),
        type(value) == "table" and fields[name] or tostring(value), name)
    end
  end
end)

add("AClickOnAnArrowShowsWhatItIs", function(b)
  look(b)
  local position, event = position_of(function(one) return one.message == "append" and (one.entries or 0) > 0 end)
  lu.assertEquals(event.kind, "send")
  show_around(b, position, 4e6)
  local place = place_of(b, position)
  b:point(place[1], place[2])
  settle(b)
  lu.assertEquals(b:run "return raftbench.current.chosen", position)
  lu.assertEquals(field(b, "kind"), "send")
  lu.assertEquals(field(b, "peer"), tostring(event.peer))
  lu.assertEquals(field(b, "entries"), tostring(event.entries))
  b:click "#event [data-link=effect]"
  settle(b)
  lu.assertEquals(field(b, "kind"), "receive")
  lu.assertEquals(field(b, "number"), tostring(event.number))
  local causes = b:run "return [...document.querySelectorAll('#event [data-link=cause]')].map(one => one.dataset.event)"
  lu.assertEquals(causes, { tostring(position) })
  lu.assertTrue(count(b, "#event [data-link=effect]") > 0, "the follower does something with it")
  b:press "Backspace"
  settle(b)
  lu.assertEquals(b:run "return raftbench.current.chosen", position)
end)

-- A message that is lost is told to be, and a sync comes from its write.
add("WhatCameOfWhat", function(b)
  look(b)
  local lost = position_of(function(one) return one.kind == "drop" end)
  b:run("raftbench.choose(arguments[0])", lost)
  settle(b)
  lu.assertStrContains(b:text "#event [data-link=cause]", "→")
  local sync = position_of(function(one) return one.kind == "sync" and one.last end)
  b:run("raftbench.choose(arguments[0])", sync)
  settle(b)
  lu.assertStrContains(b:text "#event [data-link=cause]", "writes")
end)

add("TheSliderShowsEachMoment", function(b)
  look(b)
  local card = ("#state [data-node='%d']"):format(shared.leader)
  lu.assertNotEquals(b:text(card .. " .role"), "crashed")
  for id = 1, 3 do -- at the end: as the cluster itself said
    local cells = b:run(([[const cells = [...document.querySelectorAll("#state [data-node='%d'] .cell")];
      return cells.map(cell => Number(cell.textContent))]]):format(id))
    local terms = {}
    for place, entry in ipairs(shared.logs[id]) do
      terms[place] = entry.term
    end
    lu.assertEquals(cells, terms)
    local is, says = b:run("return raftbench.stateAfter(arguments[0])", #shared.events - 1)[id], shared.statuses[id]
    lu.assertEquals({ is.term, is.vote, is.leader, is.commit, is.applied },
      { says.term, says.vote, says.leader, says.commit, says.applied })
  end
  local at, event = position_of(function(one) return one.kind == "stop" end)
  b:run("raftbench.setMoment(arguments[0])", event.time + 1e6)
  settle(b)
  lu.assertEquals(b:text(card .. " .role"), "crashed")
  lu.assertStrContains(b:text(("[data-lane='%d']"):format(shared.leader)), "crashed")
  b:set("#time", 0)
  settle(b)
  lu.assertEquals(b:text(card .. " .role"), "not started")
  b:set("#time", math.floor(shared.events[at].time / shared.events[#shared.events].time * 10000) - 10)
  settle(b)
  lu.assertEquals(b:text(card .. " .role"), "leader")
  local moment, commit = b:run "return raftbench.current.time", 0
  for _, one in ipairs(shared.events) do
    if one.kind == "commit" and one.node == shared.leader and one.time <= moment then
      commit = one.index
    end
  end
  lu.assertTrue(commit > 0)
  lu.assertEquals(b:run(("return document.querySelector(\"%s\").dataset.commit"):format(card)), tostring(commit))
end)

add("Filters", function(b)
  look(b)
  b:click "#nodes [data-node='2']"
  settle(b)
  lu.assertEquals(count(b, ".lane.node"), 2)
  lu.assertEquals(count(b, "[data-lane='2']"), 0)
  b:click "#nodes [data-node='2']"
  local vote = position_of(function(one) return one.kind == "vote" end)
  show_around(b, vote, 10e6)
  local function votes()
    return b:run [=[const run = raftbench.current.run;
      return raftbench.paint.arrows.filter(one => /vote/.test(run.messages[run.message[one.at]])).length]=]
  end
  lu.assertTrue(votes() > 0)
  b:click "#kinds [data-kind=votes]"
  settle(b)
  lu.assertEquals(votes(), 0)
  lu.assertEquals(count(b, "#kinds [data-kind=votes][aria-pressed=false]"), 1)
  b:click "#kinds [data-kind=votes]"
  b:set("#term-from", 99)
  settle(b)
  lu.assertEquals(b:run "return raftbench.paint.marks.filter(one => raftbench.say(one.at).includes('votes')).length", 0)
end)

add("Search", function(b)
  look(b)
  local expected = 0
  for _, event in ipairs(shared.events) do
    expected = expected + (describe.text(describe.phrase(event)):find("votes for", 1, true) and 1 or 0)
  end
  b:type("#query", "votes for")
  b:press "Enter"
  b:wait(("return document.getElementById('found').textContent === '1 of %d'"):format(expected))
  lu.assertEquals(field(b, "kind"), "vote")
  b:click "#find-next"
  b:wait(("return document.getElementById('found').textContent === '2 of %d'"):format(expected))
  b:click "#find-back"
  b:wait(("return document.getElementById('found').textContent === '1 of %d'"):format(expected))
  b:run "document.getElementById('query').value = ''"
  b:type("#query", "</script>")
  b:press "Enter"
  b:wait "return document.getElementById('found').textContent === '1 of 1'"
  settle(b)
  lu.assertEquals(field(b, "text"), "a note with </script><b>bold</b> & \"quotes\"")
  b:run "document.getElementById('query').value = ''"
  b:type("#query", "node:2 kind:commit")
  b:press "Enter"
  b:wait "return / of /.test(document.getElementById('found').textContent)"
  settle(b)
  lu.assertEquals({ field(b, "node"), field(b, "kind") }, { "2", "commit" })
end)

-- ---- what is pressed and dragged ----------------------------------------------------------------

add("TheKeyboard", function(b)
  look(b)
  local whole = span(b)
  b:press("+", "+")
  settle(b)
  lu.assertTrue(span(b) < whole / 2)
  local from = b:run "return raftbench.view.from"
  b:press "Right"
  settle(b)
  lu.assertTrue(b:run "return raftbench.view.from" > from)
  b:press "0"
  settle(b)
  lu.assertAlmostEquals(span(b), whole, 1)
  b:press "o" -- each instant as wide as the others
  settle(b)
  lu.assertEquals(count(b, "#order[aria-pressed=true]"), 1)
  lu.assertTrue(b:run [[const { current, view } = raftbench, { instants, instantCount } = current.run;
    return instantCount > 50 && Math.abs(view.high - view.low - instantCount) < instantCount / 3]])
  b:press "o"
  settle(b)
  lu.assertAlmostEquals(span(b) / whole, 1, 0.1)
  b:press("e")
  settle(b)
  lu.assertEquals({ field(b, "kind"), field(b, "role") }, { "role", "leader" })
  local chosen = b:run "return raftbench.current.chosen"
  b:press("]", "]", "[")
  settle(b)
  lu.assertTrue(b:run "return raftbench.current.chosen" > chosen)
  b:press "?"
  lu.assertStrContains(b:text "#keys", "the next violation")
  b:press "Escape"
  lu.assertEquals(count(b, "dialog[open]"), 0)
  b:press("3")
  settle(b)
  lu.assertTrue(count(b, "#near [data-link=near]") > 20)
  b:press("Escape")
  lu.assertEquals(b:run "return raftbench.current.chosen", -1)
  b:press "/"
  lu.assertEquals(b:run "return document.activeElement.id", "query")
end)

add("TheMouse", function(b)
  look(b)
  local whole = span(b)
  b:wheel(600, 300, -400)
  settle(b)
  local zoomed = span(b)
  lu.assertTrue(zoomed < whole)
  local from = b:run "return raftbench.view.from"
  b:point(700, 150, 500, 150)
  settle(b)
  lu.assertTrue(b:run "return raftbench.view.from" > from)
  lu.assertAlmostEquals(span(b), zoomed, 1)
  b:click "#fit"
  settle(b)
  lu.assertAlmostEquals(span(b), whole, 1)
end)

add("LightAndDark", function(b)
  look(b)
  local function back()
    return b:run "return getComputedStyle(document.body).backgroundColor"
  end
  lu.assertEquals(back(), "rgb(255, 255, 255)")
  b:prefers "dark"
  local dark = back()
  lu.assertNotEquals(dark, "rgb(255, 255, 255)")
  b:prefers "light"
  b:press "t"
  lu.assertEquals(back(), dark)
  b:click "#theme"
  lu.assertEquals(back(), "rgb(255, 255, 255)")
end)

-- Here its first frame is held back.
add("TheDiagramIsNeverBlack", function(b)
  look(b)
  local seen = b:run [=[
    const ask = window.requestAnimationFrame, held = [], { canvas, pen } = raftbench.paint;
    window.requestAnimationFrame = draw => held.push(draw);
    return raftbench.openRun(0).then(() => {
      const [red, green, blue] = pen.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
      window.requestAnimationFrame = ask;
      held.forEach(draw => ask(draw));
      return [`rgb(${red}, ${green}, ${blue})`, getComputedStyle(document.body).backgroundColor];
    });]=]
  lu.assertEquals(seen[1], seen[2])
  settle(b)
end)

add("ANarrowWindow", function(b)
  b:size(360, 740)
  look(b)
  lu.assertTrue(b:run "return document.scrollingElement.scrollWidth" <= 360, "nothing stands beyond its edge")
  lu.assertFalse(b:run "return document.querySelector('#kinds .chip').checkVisibility()")
  b:click "#filters"
  lu.assertTrue(b:run "return document.querySelector('#kinds .chip').checkVisibility()")
  b:size(1400, 900)
end)

add("ALogWithoutTerms", function(b)
  local log = command.write(shared.folder .. "/some.log", "1.0 [1] becomes Follower\n1.5 [2] becomes Leader; term=3\n")
  open(b, traces.page(log, shared.folder .. "/log.html"))
  local seen = b:run [=[return [...document.querySelectorAll(".card h3")].map(one => one.textContent)
      .concat(raftbench.view.rows.filter(row => row.type === "node").map(row => row.said.textContent.trim()));]=]
  lu.assertEquals(seen, { "Fnode 1follower", "Lnode 2leadert3", "follower", "leader t3" })
end)

add("SeveralRuns", function(b)
  look(b)
  lu.assertEquals(count(b, "#run option"), 2)
  b:set("#run", 1)
  b:wait "return raftbench.current.run && raftbench.current.run.name === 'second'"
  settle(b)
  lu.assertEquals(b:text "#name", "second")
  lu.assertStrContains(b:text "#meta", "seed 8")
end)

-- Where one takes its time to be read, and another is chosen meanwhile.
add("TheRunThatWasChosenLastIsShown", function(b)
  look(b)
  local name = b:run [=[
    const read = Run.prototype.read;
    Run.prototype.read = async function (...given) {
      if (this.name !== "second") await new Promise(resolve => setTimeout(resolve, 100));
      return read.apply(this, given);
    };
    return Promise.all([raftbench.openRun(0), raftbench.openRun(1)]).then(() => {
      Run.prototype.read = read;
      return raftbench.current.run.name;
    });]=]
  lu.assertEquals({ name, b:text "#name" }, { "second", "second" })
  settle(b)
end)

-- The address names what is chosen, so that it can be sent to somebody.
add("TheAddressNamesTheEvent", function(b)
  look(b)
  b:run "raftbench.choose(20)"
  local address = b:run "return location.hash"
  lu.assertEquals(address, "#run=1&event=21")
  b:open "/dev/null"
  open(b, shared.page .. address)
  lu.assertEquals(b:run "return raftbench.current.chosen", 20)
  lu.assertEquals(field(b, "kind"), shared.events[21].kind)
end)

-- A part of a trace: what was left out is nowhere.
add("APart", function(b)
  local page = shared.folder .. "/part.html"
  command.assert_code(command.run {
    "view", shared.trace, "-o", page, "--nodes", "2", "--from", "0.2", "--to", "0.6",
  }, 0)
  open(b, page)
  lu.assertEquals(count(b, ".lane.node"), 1)
  lu.assertStrContains(b:text "#meta", "from 0.2 s to 0.6 s; node 2")
  lu.assertTrue(b:run "return raftbench.current.run.story.last" <= 0.6e9)
end)

-- ---- what went wrong ----------------------------------------------------------------------------

-- A machine that is not deterministic: the page opens where that was noticed.
add("AViolation", function(b)
  local path = command.write(shared.folder .. "/odd.lua", [[
    return { nodes = 3, machine = function(id) return { apply = function() return id end } end,
      run = function(c) c:propose(1) end }]])
  local page = shared.folder .. "/odd.html"
  command.assert_code(command.run { "run", path, "--html", page }, 1)
  open(b, page)
  lu.assertStrContains(b:text "#verdict", "failed")
  lu.assertStrContains(b:text "#alert-text", "machines answer alike")
  lu.assertEquals(field(b, "kind"), "violation")
  local function is_seen()
    return b:run [[const { current, view } = raftbench, time = current.run.time[current.chosen];
      return time > view.from && time < view.to && view.to - view.from < 1e9]]
  end
  lu.assertTrue(is_seen())
  b:run "raftbench.showAll(); raftbench.choose(-1)"
  b:press "v"
  settle(b)
  lu.assertEquals(field(b, "text"), "machines answer alike")
  b:click "#alert-show"
  settle(b)
  lu.assertTrue(is_seen())
end)

add("HistoriesAndWhyTheyAreNotLinearizable", function(b)
  local path = command.write(shared.folder .. "/stale.lua", [[
    return { nodes = 3, run = function(c)
      c:workload { kind = "register", rate = 200, read = "stale", ask = "any" }
      c:sleep(1)
    end }]])
  local page = shared.folder .. "/stale.html"
  command.assert_code(command.run { "run", path, "--seed", "1", "--html", page }, 1)
  open(b, page)
  lu.assertTrue(count(b, ".lane.client") >= 5)
  lu.assertStrContains(b:text ".lane.group", "not linearizable")
  lu.assertStrContains(b:text "#alert-text", "not linearizable")
  lu.assertStrContains(b:text "#event", "can no longer be explained")
  b:click "#alert-why"
  lu.assertStrContains(b:run "return document.querySelector('#why iframe').srcdoc", "<b>Not linearizable</b>")
  b:press "Escape"
end)

-- ---- how fast -----------------------------------------------------------------------------------

local OBSERVE = [[window.tasks = [];
new PerformanceObserver(list => list.getEntries().forEach(task => window.tasks.push(task.duration)))
  .observe({ entryTypes: ["longtask"] });]]

-- Zooms, pans and moves the moment, a frame after the other.
local USE = [[const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)));
return (async () => {
  window.tasks = [];
  const { story } = raftbench.current.run;
  for (let turn = 0; turn < 25; turn++) { raftbench.zoom(0.7, 600); await frame(); }
  for (let turn = 0; turn < 20; turn++) { raftbench.pan(200); await frame(); }
  for (let turn = 0; turn < 25; turn++) { raftbench.zoom(1 / 0.7, 600); await frame(); }
  for (let turn = 0; turn <= 10; turn++) { raftbench.setMoment(story.last * turn / 10); await frame(); }
  return Math.max(0, ...window.tasks);
})()]]

add("ManyEvents", function(b)
  local events = tonumber(os.getenv "RAFTBENCH_PAGE_EVENTS") or EVENTS
  local trace = shared.folder .. "/many.trace"
  traces.many(trace, events)
  local began = os.time()
  local page = traces.page(trace, shared.folder .. "/many.html")
  local made = os.time() - began
  local script = b:ask("POST", "/goog/cdp/execute", { cmd = "Page.addScriptToEvaluateOnNewDocument",
    params = { source = OBSERVE } })
  open(b, page)
  b:ask("POST", "/goog/cdp/execute", { cmd = "Page.removeScriptToEvaluateOnNewDocument", params = script })
  local opened = b:run "return Number(document.documentElement.dataset.ready)"
  local opening = b:run "return Math.max(0, ...window.tasks)"
  local using = b:run(USE)
  print(("%d events: written in %d s, opened in %.0f ms (longest task %.0f ms), longest task in use %.0f ms"):format(
    events, made, opened, opening, using))
  lu.assertEquals(b:run "return raftbench.current.run.count" >= events, true)
  lu.assertTrue(opened < OPENS_S * 1000 * math.max(1, events / 100000), "it opens in " .. opened .. " ms")
  lu.assertTrue(using < TASK_MS, "a task of " .. using .. " ms")
  os.remove(trace)
  os.remove(page)
end)

return tests
