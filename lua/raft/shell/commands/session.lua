--- The shell's commands for the session itself.
-- @module raft.shell.commands.session

local session_commands = { title = "session" }

table.insert(session_commands, {
  name = "save", usage = ":save FILE", example = ":save session.lua",
  text = "writes the calls so far as a script that does them again",
  run = function(session, cluster, rest)
    if rest == "" then
      return nil, "to which file?"
    end
    local path, refused = session:call(cluster, "script", { rest, n = 1 })
    if not path then
      return refused
    end
    local lines = { "written to " .. path .. ": run it with raftbench run " .. path }
    for _, why in ipairs(refused) do
      lines[#lines + 1] = "  could not be written: " .. why
    end
    return table.concat(lines, "\n")
  end,
})

table.insert(session_commands, {
  name = "help", usage = ":help [COMMAND|GROUP]", example = ":help, :help crash, :help faults",
  text = "tells about the commands", takes = "commands", alone = true,
  run = function(session, _, rest)
    local text = session:help(rest)
    if not text then
      return nil, ("there is no command :%s"):format((rest:gsub("^:", "")))
    end
    return text
  end,
})

table.insert(session_commands, {
  name = "quit", usage = ":quit", text = "ends the shell, as Ctrl-D does", alone = true,
  run = function(session)
    session.ended = true
  end,
})

return session_commands
