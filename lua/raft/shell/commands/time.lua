--- The shell's commands that let time pass.
-- @module raft.shell.commands.time

local archive = require "raft.script.archive"
local pace = require "raft.shell.pace"
local source = require "raft.script.source"
local words = require "raft.shell.words"

local time = { title = "time" }

table.insert(time, {
  name = "sleep", usage = ":sleep SECONDS", example = ":sleep 0.5", text = "lets the world run for so long",
  run = function(session, cluster, rest)
    local seconds = words.number(rest)
    if not seconds then
      return nil, rest == "" and "how long?" or ("'%s' is no number of seconds"):format(rest)
    end
    local _, problem = session:call(cluster, "sleep", { seconds, n = 1 })
    return problem or ("it is %.6g s now"):format(cluster:now())
  end,
})

table.insert(time, {
  name = "step", usage = ":step [N]", example = ":step, :step 10",
  text = "lets the next event of a simulated world happen, or the next N, and shows them",
  run = function(session, cluster, rest)
    local count = rest == "" and 1 or tonumber(rest)
    if not count or count < 1 or count ~= math.floor(count) then
      return nil, ("'%s' is no number of events"):format(rest)
    end
    local events, problem = session:call(cluster, "step", { count, n = 1 })
    if not events then
      return problem
    end
    local lines = {}
    for position, event in ipairs(events) do
      lines[position] = tostring(event)
    end
    lines[#lines + 1] = ("it is %.6f s now"):format(cluster:now())
    return table.concat(lines, "\n")
  end,
})

table.insert(time, {
  name = "speed", usage = ":speed [N|off]", example = ":speed 10, :speed 0.1, :speed off", takes = { "off" },
  text = "lets a simulated cluster's clock follow the real one, N times as fast, while the prompt waits",
  more = "Without a number: as fast as the real one",
  run = function(session, cluster, rest)
    if rest == "off" then
      session.lines:set_pace(nil)
      return "time passes only in calls"
    end
    local speed = rest == "" and 1 or words.number(rest)
    if not speed or speed == 0 then
      return nil, ("'%s' is no speed"):format(rest)
    elseif cluster:mode() ~= "sim" then
      return "time passes as the real clock does; another speed is an option of a cluster: raft.cluster { speed = 10 }"
    end
    session.lines:set_pace(pace.new(cluster, speed))
    return ("its clock goes on, %g times as fast as the real one; :watch shows what happens, :speed off ends it")
      :format(speed)
  end,
})

local takes_function = { on = true, after = true, intercept = true, serve = true }

-- What a fork lacks, where the cluster had such.
local function left_behind(cluster)
  for call in archive.all(cluster.recording) do
    if takes_function[call.name] then
      return "; what was given to c:on, c:after, c:intercept and c:serve stayed behind"
    end
  end
  return ""
end

table.insert(time, {
  name = "back", usage = ":back SECONDS", example = ":back 0.5",
  text = "takes a simulated cluster back by so long: c is then one where all was done again up to that moment",
  more = "The former one is shut down; :fork first, if you want to keep it",
  run = function(session, cluster, rest)
    local seconds = words.number(rest)
    if not seconds then
      return nil, rest == "" and "how long?" or ("'%s' is no number of seconds"):format(rest)
    elseif seconds > cluster:now() then
      return ("only %.6g s have passed"):format(cluster:now())
    end
    local name = session:name_of(cluster)
    local earlier, problem = session:call(cluster, "fork", { seconds, n = 1 }, nil, name .. " = ")
    if not earlier then
      return problem
    end
    local behind = left_behind(cluster)
    session:replace(cluster, earlier)
    return ("it is %.6g s again%s"):format(earlier:now(), behind)
  end,
})

table.insert(time, {
  name = "fork", usage = ":fork [NAME]", example = ":fork, :fork e",
  text = "makes a second cluster d (or NAME) that goes on from this moment by itself",
  more = ":diff tells where they part",
  run = function(session, cluster, rest)
    local name = rest == "" and "d" or rest
    if not source.is_name(name) then
      return nil, ("'%s' is no name"):format(name)
    end
    local other, problem = session:call(cluster, "fork", { n = 0 }, nil, name .. " = ")
    if not other then
      return problem
    end
    session.environment[name] = other
    return ("%s is a cluster of its own from here on: %s:crash(1), :diff %s%s"):format(name, name, name,
      left_behind(cluster))
  end,
})

table.insert(time, {
  name = "diff", usage = ":diff [NAME]", example = ":diff, :diff e",
  text = "shows where the cluster and d (or NAME) differ: node, field, both values",
  run = function(session, cluster, rest)
    local name = rest == "" and "d" or rest
    local other = session.environment[name]
    if not session.is_cluster(other) or other:is_closed() then
      return nil, ("there is no cluster %s (:fork %s makes one)"):format(name, name)
    end
    local own = session:name_of(cluster)
    session:tell(("  raft.diff(%s, %s)"):format(own, name))
    local list = require("raft.diff").of(cluster, other)
    list.names = { own, name }
    return tostring(list)
  end,
})

return time
