--- The shell's own commands, which begin with a colon.
--
-- Each is { usage, text, run = function(session, argument) → what to show }.
-- @module raft.shell.commands

local source = require "raft.script.source"
local watch = require "raft.shell.watch"

local commands = {}

local NEEDS_CLUSTER = "there is no cluster: make one (c = raft.cluster { mode = \"tcp\" })"

local function row(cells, widths)
  local parts = {}
  for position, cell in ipairs(cells) do
    parts[position] = cell .. (" "):rep(widths[position] - #cell)
  end
  return (table.concat(parts, "  "):gsub("%s+$", ""))
end

local function cells_of(cluster, status)
  local function whole(value)
    return value and value ~= 0 and ("%d"):format(value) or "-"
  end
  local is_running = status.state == "running"
  local log = (status.last_index or 0) > 0 and ("%d..%d"):format(status.first_index or 1, status.last_index) or "empty"
  return {
    whole(status.id), is_running and tostring(status.role) or "-",
    status.state .. (is_running and not cluster:is_connected(status.id) and ", cut off" or ""),
    whole(status.term), whole(status.leader), whole(status.commit), whole(status.applied), log,
  }
end

local function status_table(cluster)
  local rows = { { "node", "role", "state", "term", "leader", "commit", "applied", "log" } }
  for _, status in ipairs(cluster:status()) do
    rows[#rows + 1] = cells_of(cluster, status)
  end
  local widths = {}
  for _, cells in ipairs(rows) do
    for position, cell in ipairs(cells) do
      widths[position] = math.max(widths[position] or 0, #cell)
    end
  end
  local lines = {}
  for position, cells in ipairs(rows) do
    lines[position] = row(cells, widths)
  end
  return table.concat(lines, "\n")
end

commands.status = {
  usage = ":status", text = "shows a table of the cluster's nodes",
  run = function(session)
    local cluster = session:cluster()
    return cluster and status_table(cluster) or NEEDS_CLUSTER
  end,
}

commands.watch = {
  usage = ":watch [on|off]", text = "shows elections, crashes and commits as they happen",
  run = function(session, argument)
    local wanted = argument
    if argument == "" then
      wanted = session.watch and "off" or "on"
    elseif argument ~= "on" and argument ~= "off" then
      return ":watch on, or :watch off"
    end
    session:stop_watching()
    local cluster = session:cluster()
    if wanted == "off" then
      return "no longer watching"
    elseif not cluster then
      return NEEDS_CLUSTER
    end
    session.watch = watch.open(cluster, function(text) session.lines:write(text) end)
    return "watching " .. tostring(cluster)
  end,
}

commands.save = {
  usage = ":save FILE", text = "writes the calls so far as a script",
  run = function(session, argument)
    local cluster = session:cluster()
    if argument == "" then
      return ":save needs the name of a file"
    elseif not cluster then
      return NEEDS_CLUSTER
    end
    local path, refused = cluster:script(argument)
    if not path then
      return refused
    end
    local lines = { "written to " .. path .. ": run it with raftbench run " .. path }
    for _, why in ipairs(refused) do
      lines[#lines + 1] = "  could not be written: " .. why
    end
    return table.concat(lines, "\n")
  end,
}

commands.help = {
  usage = ":help", text = "this",
  run = function()
    local lines = {
      "Type Lua: an expression shows its value, and _ is the last one. c is the cluster; help() lists",
      "its calls, help(c.crash) describes one. Tab completes, Ctrl-C ends what runs; Ctrl-D or exit ends the shell.",
    }
    for _, name in ipairs(source.keys(commands)) do
      lines[#lines + 1] = ("  %-16s %s"):format(commands[name].usage, commands[name].text)
    end
    return table.concat(lines, "\n")
  end,
}

commands.quit = {
  usage = ":quit", text = "ends the shell",
  run = function(session)
    session.ended = true
  end,
}

return commands
