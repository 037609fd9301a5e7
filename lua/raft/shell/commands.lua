--- The shell's own commands, which begin with a colon.
--
-- Each is { usage, text, run = function(session, argument) → what to show }.
-- @module raft.shell.commands

local draw = require "raft.shell.draw"
local source = require "raft.script.source"
local terminal = require "raft.view.terminal"
local watch = require "raft.shell.watch"

local commands = {}

local NEEDS_CLUSTER = "there is no cluster: make one (c = raft.cluster { mode = \"tcp\" })"

commands.status = {
  usage = ":status", text = "draws the cluster: roles, logs, faults",
  run = function(session)
    local cluster = session:cluster()
    return cluster and draw(cluster, terminal.width(), terminal.wants_colour()) or NEEDS_CLUSTER
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
