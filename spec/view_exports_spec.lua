-- `raftbench view --as shiviz` and `--as perfetto`: what those tools accept.
local command = require "spec.support.command"
local lu = require "luaunit"
local raft = require "raft"
local views = require "spec.support.views"

local tests = {}

local function export(form, path, ...)
  local result = command.assert_code(views.view(path, "--as", form, ...), 0)
  return result.out, result.err
end

-- A trace with all that is hard: repeated and overtaken messages, lost ones, lives of a node, new members.
local function record(path, name)
  return views.record(path, { nodes = 3, name = name }, function(c)
    c:link("*", "*", { duplicate = 0.2, drop = 0.1, reorder = 0.2 })
    views.some_faults(c)
    c:add_servers { 4 }
    c:pause(4)
    c:sleep(0.2)
    c:resume(4)
    c:remove_servers { 4 }
    c:add_servers { 4 }
    c:note 'looks like a clock: {"n1":1}'
    c:note "=== looks like a delimiter ==="
  end)
end

-- ---- ShiViz -----------------------------------------------------------------------------------------------------

local PATTERN = [[(?<event>.*)\n(?<time>\d+\.\d+) (?<host>\S+) (?<clock>\{.*\})]]

-- The runs of a log, each {name, events}, an event {text, host, clock}: read by the rules of ShiViz's own parser.
local function read_runs(text)
  local lines, list, position = command.lines(text), {}, 3
  lu.assertEquals({ lines[1], lines[2] }, { PATTERN, "=== (?<trace>.*) ===" })
  while lines[position] do
    local name = lines[position]:match "^=== (.*) ===$"
    if name then
      list[#list + 1] = { name = name, events = {} }
      position = position + 1
    else
      lu.assertNil(lines[position]:find "===")
      lu.assertNil(lines[position]:find "^%d+%.%d+ %S+ {.*}$") -- it would be taken for a second line
      local time, host, clock = (lines[position + 1] or ""):match "^(%d+%.%d+) (%S+) ({.*})$"
      lu.assertNotNil(time, lines[position])
      table.insert(list[#list].events,
        { text = lines[position], host = host, clock = raft.core.json_decode(clock), time = tonumber(time) })
      position = position + 2
    end
  end
  return list
end

-- The arrows of a run, "host:count > host:count", after all of ShiViz's checks.
local function arrows_of(run)
  lu.assertTrue(#run.events > 0, run.name)
  local hosts, arrows, latest = {}, {}, {}
  for _, event in ipairs(run.events) do
    hosts[event.host] = hosts[event.host] or {}
    local own = hosts[event.host]
    lu.assertEquals(event.clock[event.host], #own + 1) -- it starts at 1 and rises by 1
    own[#own + 1] = event
  end
  for _, event in ipairs(run.events) do
    local known = latest[event.host] or {}
    latest[event.host] = known
    for host, count in pairs(event.clock) do
      lu.assertNotNil(hosts[host], host)
      lu.assertTrue(count >= 1 and count <= #hosts[host], host .. " has no such event")
      if host ~= event.host and count > (known[host] or 0) then
        known[host] = count
        arrows[#arrows + 1] = { from = hosts[host][count], to = event }
      end
    end
  end
  return arrows, hosts
end

command.add(tests, "ShivizHasAnEventForEachSendAndReceive", function(folder)
  local path = folder .. "/trace"
  record(path, "hard")
  local text, told = export("shiviz", path, "--all")
  lu.assertEquals(told, "")
  local list = read_runs(text)
  lu.assertEquals({ #list, list[1].name }, { 1, "hard" })
  local arrows, hosts = arrows_of(list[1])
  local events = views.read_events(path)
  lu.assertEquals(#list[1].events, #events - 1) -- how it begins is told by the delimiter
  local ids = {}
  for host in pairs(hosts) do
    ids[#ids + 1] = host
  end
  table.sort(ids)
  lu.assertEquals(ids, { "n1", "n2", "n3", "n4", "world" })
  for _, arrow in ipairs(arrows) do
    lu.assertEquals(arrow.from.text:match "^→ (%d+) ", arrow.to.host:match "^n(%d+)$")
    lu.assertEquals(arrow.to.text:match "^← (%d+) ", arrow.from.host:match "^n(%d+)$")
    lu.assertEquals(arrow.from.text:match "^→ %d+ (.*)", arrow.to.text:match "^← %d+ (.*)")
    lu.assertTrue(arrow.from.time <= arrow.to.time)
  end
  local delivered, seen = 0, {}
  for _, event in ipairs(events) do
    local key = event.kind == "receive" and event.peer and ("%d %d %d"):format(event.node, event.peer, event.number)
    delivered = delivered + (key and not seen[key] and 1 or 0)
    seen[key or ""] = true
  end
  -- What overtook another has no arrow, nor has what a node sent with a number of an earlier life.
  lu.assertTrue(#arrows > delivered * 0.8 and #arrows <= delivered, ("%d of %d"):format(#arrows, delivered))
  command.assert_has(text, "\n✗ ", " lost: drop\n", 'clock: {"n1":1}\n', "✎ == looks like a delimiter ==\n")
end)

command.add(tests, "ShivizHasRunsOfDifferentNamesAndNoEmptyOne", function(folder)
  local lines = {}
  for _, name in ipairs { "same", "same", "=== other ===", "" } do
    for _, line in ipairs(views.small) do
      lines[#lines + 1] = line:gsub('"small"', ('"%s"'):format(name))
    end
  end
  lines[#lines + 1] = views.small[1]
  local path = command.write(folder .. "/trace", table.concat(lines, "\n"))
  local text, told = export("shiviz", path)
  command.assert_has(told, "4 heartbeats, their answers, writes, syncs and matches are left out; --all writes each")
  local names = {}
  for position, run in ipairs(read_runs(text)) do
    names[position] = run.name
    lu.assertEquals(#arrows_of(run), 1)
  end
  lu.assertEquals(names, { "same", "same (2)", "== other ==", path:gsub("===+", "==") .. "" })
  local list = read_runs((export("shiviz", path, "--nodes", "2", "--from", "1")))
  for _, run in ipairs(list) do
    lu.assertEquals(#arrows_of(run), 0)
  end
end)

-- ---- Chrome's trace events ----------------------------------------------------------------------------------------

local function read_trace(text)
  local events = raft.core.json_decode(text).traceEvents
  local threads, names, flows = {}, {}, {}
  for _, event in ipairs(events) do
    lu.assertTrue(type(event.pid) == "number" and event.pid % 1 == 0 and type(event.tid) == "number", event.name)
    lu.assertTrue(type(event.ts) == "number" and event.ts >= 0 and type(event.name) == "string")
    local key = event.pid .. "." .. event.tid
    threads[key] = threads[key] or {}
    if event.ph == "X" then
      lu.assertTrue(event.dur > 0)
      table.insert(threads[key], event)
    elseif event.ph == "M" and event.name == "process_name" then
      names[event.pid] = event.args.name
    elseif event.ph == "s" or event.ph == "f" then
      flows[event.id] = flows[event.id] or {}
      lu.assertNil(flows[event.id][event.ph])
      flows[event.id][event.ph] = event
    end
  end
  return { events = events, threads = threads, names = names, flows = flows }
end

local function nanoseconds(micros)
  return math.floor(micros * 1000 + 0.5)
end

-- Slices of a thread follow each other or lie within each other.
local function check_nesting(trace)
  for _, slices in pairs(trace.threads) do
    table.sort(slices, function(a, b)
      if a.ts ~= b.ts then
        return a.ts < b.ts
      end
      return a.dur > b.dur
    end)
    local open = {}
    for _, slice in ipairs(slices) do
      local from, to = nanoseconds(slice.ts), nanoseconds(slice.ts) + nanoseconds(slice.dur)
      while #open > 0 and open[#open] <= from do
        open[#open] = nil
      end
      lu.assertTrue(#open == 0 or to <= open[#open], slice.name .. " is partly within another")
      open[#open + 1] = to
    end
  end
end

-- The one slice in which an end of an arrow is.
local function slice_at(trace, event)
  local found
  for _, slice in ipairs(trace.threads[event.pid .. "." .. event.tid]) do
    if slice.ts <= event.ts and event.ts <= slice.ts + slice.dur * 0.9 then
      lu.assertNil(found)
      found = slice
    end
  end
  lu.assertNotNil(found)
  return found
end

local function check_flows(trace)
  local count = 0
  for _, flow in pairs(trace.flows) do
    count = count + 1
    lu.assertEquals({ flow.s.name, flow.s.cat, flow.f.bp }, { flow.f.name, flow.f.cat, "e" })
    local from, to = slice_at(trace, flow.s), slice_at(trace, flow.f)
    lu.assertEquals(from.name:match "^→ %d+ (.*)", to.name:match "^← %d+ (.*)")
    lu.assertEquals("node " .. from.name:match "^→ (%d+)", trace.names[to.pid])
    lu.assertEquals("node " .. to.name:match "^← (%d+)", trace.names[from.pid])
    lu.assertTrue(from.ts < to.ts)
  end
  return count
end

command.add(tests, "PerfettoHasItsArrowsInsideSlices", function(folder)
  local path = folder .. "/trace"
  record(path, "hard")
  local trace = read_trace((export("perfetto", path)))
  check_nesting(trace)
  local delivered, shown = 0, {}
  for _, event in ipairs(views.read_events(path)) do
    delivered = delivered + (event.kind == "receive" and event.peer and 1 or 0)
  end
  lu.assertEquals(check_flows(trace), delivered)
  for _, event in ipairs(trace.events) do
    shown[event.name] = event
  end
  lu.assertEquals(shown["commit index"].ph, "C")
  lu.assertEquals({ shown["leader t1"].ph, shown["leader t1"].tid }, { "X", 0 })
  lu.assertTrue(shown["leader t1"].dur > 1000)
  lu.assertEquals({ shown.crashed.ph, shown.paused.ph, shown.paused.tid }, { "X", "X", 0 })
  lu.assertEquals({ shown["▶ heal()"].ph, shown["▶ heal()"].s, shown.passed.ph }, { "i", "g", "i" })
  -- A part: what was before is known, and no arrow ends where nothing is.
  trace = read_trace((export("perfetto", path, "--from", "0.3", "--to", "0.9", "--nodes", "1,2")))
  check_nesting(trace)
  check_flows(trace)
  for _, event in ipairs(trace.events) do
    if event.ph ~= "M" and event.name ~= "passed" then
      lu.assertTrue(event.ts >= 0.3e6 and event.ts + (event.dur or 0) <= 0.9e6 + 2, event.name)
    end
  end
end)

command.add(tests, "PerfettoOfRealTime", function(folder)
  local path = folder .. "/trace"
  views.record(path, { nodes = 3, mode = "tcp" }, function(c)
    c:check_one_leader()
    for number = 1, 20 do
      c:set("key", number)
    end
  end)
  local trace = read_trace((export("perfetto", path)))
  check_nesting(trace)
  lu.assertTrue(check_flows(trace) > 80)
end)

command.add(tests, "PerfettoShowsOperationsAndViolations", function(folder)
  local c = raft.cluster { mode = "sim", nodes = 3, trace = folder .. "/trace" }
  c:check_one_leader()
  local history = c:workload { kind = "register", clients = 3, time = 0.3 }
  history:wait()
  history:write(folder .. "/history")
  local so_far = read_trace(c:view "perfetto")
  c:shutdown()
  local trace = read_trace((export("perfetto", folder .. "/trace", "--history", folder .. "/history", "--model",
    "register")))
  for _, one in ipairs { trace, so_far } do
    local open, count = {}, 0
    for _, event in ipairs(one.events) do
      if event.ph == "b" then
        lu.assertNil(open[event.id])
        open[event.id], count = event.name, count + 1
      elseif event.ph == "e" then
        lu.assertEquals(event.name, open[event.id])
        open[event.id] = nil
      end
    end
    lu.assertNil(next(open))
    lu.assertEquals(count, #history / 2)
  end
  local violated = command.write(folder .. "/violated", table.concat({ views.small[1],
    '{"time":5,"node":2,"kind":"violation","text":"election safety","value":"two leaders"}' }, "\n"))
  command.assert_has((export("perfetto", violated)),
    '"ph":"i","pid":2,"tid":2,"ts":0.005,"s":"g","name":"‼ VIOLATION of election safety: \\"two leaders\\""')
end)

command.add(tests, "TheEndingTellsTheForm", function(folder)
  local trace = command.write(folder .. "/trace", table.concat(views.small, "\n"))
  for form, ending in pairs { shiviz = "shiviz", perfetto = "json" } do
    local path = folder .. "/small." .. ending
    command.assert_code(views.view(trace, "-o", path), 0)
    lu.assertEquals(command.read(path), (export(form, trace)))
  end
end)

return tests
