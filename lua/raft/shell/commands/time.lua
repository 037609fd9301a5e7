--- The shell's commands that let time pass.
-- @module raft.shell.commands.time

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

return time
