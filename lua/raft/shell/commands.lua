--- The shell's own commands, which begin with a colon: who knows them, and how one is run.
--
-- Each stands for calls that could be typed as well, and shows them. A command is { name, group, usage, text, example,
-- takes = what is completed behind it, run = function(session, cluster, rest) → what to show; nil and why not:
-- usage is told then }. `alone`: it needs no cluster.
-- @module raft.shell.commands

local display = require "raft.view.display"

local commands = {}

local NEEDS_CLUSTER = "there is no cluster: make one (c = raft.cluster { mode = \"tcp\" })"

local by_name, names, groups = {}, {}, {}

for _, subject in ipairs { "looking", "faults", "keys", "members", "time", "session" } do
  local group = require("raft.shell.commands." .. subject)
  groups[#groups + 1] = group
  for _, command in ipairs(group) do
    assert(not by_name[command.name], command.name)
    command.group = group.title
    by_name[command.name] = command
    names[#names + 1] = command.name
  end
end
table.sort(names)

--- A command.
-- @tparam string name without the colon
-- @treturn ?table
function commands.get(name)
  return by_name[name]
end

--- The names of all, sorted.
-- @treturn string[]
function commands.names()
  return names
end

-- How many letters differ, at most: one lost, one too many, two in the wrong order.
local function is_near(a, b)
  if math.abs(#a - #b) > 1 then
    return false
  end
  local start = 1
  while start <= #a and a:sub(start, start) == b:sub(start, start) do
    start = start + 1
  end
  local rest_a, rest_b = a:sub(start), b:sub(start)
  return rest_a:sub(2) == rest_b or rest_b:sub(2) == rest_a or rest_a:sub(2) == rest_b:sub(2)
    or rest_a:sub(3) == rest_b:sub(3) and rest_a:sub(1, 2) == rest_b:sub(1, 2):reverse()
end

-- The command that may be meant: the only one that begins so, or one that is nearly the same.
local function meant(name)
  local begun
  for _, one in ipairs(names) do
    if one:sub(1, #name) == name then
      begun = begun == nil and one or false
    end
  end
  if begun then
    return begun
  end
  for _, one in ipairs(names) do
    if is_near(name, one) then
      return one
    end
  end
  return nil
end

local function unknown(name)
  local other = meant(name)
  return ("there is no command :%s%s"):format(name, other and ("; did you mean %s?"):format(by_name[other].usage)
    or " (:help lists them)")
end

-- A name, and behind it words that go on below each other.
local function hanging(name, text, indent, width)
  local lines = display.wrap(text, math.max(20, width - indent))
  for position, line in ipairs(lines) do
    lines[position] = (position == 1 and name .. (" "):rep(indent - #name) or (" "):rep(indent)) .. line
  end
  return table.concat(lines, "\n")
end

--- Runs a line that begins with a colon.
-- @tparam table session
-- @tparam string line
-- @treturn ?string what to show
function commands.run(session, line)
  local name, rest = line:match "^%s*:([%a_]+)%s*(.-)[%s;]*$"
  local command = by_name[name]
  if not command then
    return unknown(name)
  end
  local cluster = session:cluster()
  if not cluster and not command.alone then
    return NEEDS_CLUSTER
  end
  local answer, why = command.run(session, cluster, rest)
  if answer == nil and why then
    local width = session:width()
    return table.concat(display.wrap(why, width), "\n") .. "\n"
      .. hanging("usage: ", command.usage .. (command.example and "; for example " .. command.example or ""), 7, width)
  end
  return answer
end

local function names_of(group)
  local list = {}
  for position, command in ipairs(group) do
    list[position] = ":" .. command.name
  end
  return table.concat(list, " ")
end

local function of_all(width)
  local lines = {
    "Type Lua, or a command, which begins with a colon and shows the Lua call it stands for.", "",
  }
  for _, group in ipairs(groups) do
    lines[#lines + 1] = hanging(group.title, names_of(group), 10, width)
  end
  lines[#lines + 1] = ""
  for _, line in ipairs {
    ":help crash tells about a command, :help faults about a group.",
    "An expression shows its value, and _ is the last one. c is the cluster; help() lists its calls.",
    "Tab completes names and node ids. Ctrl-C ends what runs; Ctrl-D ends the shell.",
  } do
    lines[#lines + 1] = line
  end
  for position, line in ipairs(lines) do
    lines[position] = line:find "^[A-Z:]" and table.concat(display.wrap(line, width), "\n") or line
  end
  return table.concat(lines, "\n")
end

local function of_group(group, width)
  local lines, longest = {}, 0
  for _, command in ipairs(group) do
    longest = math.max(longest, #command.usage)
  end
  longest = math.min(longest, 26)
  for _, command in ipairs(group) do
    if #command.usage > longest then
      lines[#lines + 1] = command.usage
      lines[#lines + 1] = hanging("", command.text, longest + 2, width)
    else
      lines[#lines + 1] = hanging(command.usage, command.text, longest + 2, width)
    end
  end
  return table.concat(lines, "\n")
end

--- What there is to read about the commands.
-- @tparam string what a command's name, a group's, or "": all
-- @tparam integer width of the terminal
-- @treturn ?string nil: there is no such command
function commands.help(what, width)
  local name = what:gsub("^:", "")
  if name == "" then
    return of_all(width)
  elseif by_name[name] then
    local command = by_name[name]
    return table.concat(display.wrap(command.usage, width), "\n") .. "\n"
      .. hanging("  ", command.text .. (command.more and ". " .. command.more or ""), 2, width)
      .. (command.example and "\n" .. hanging("  ", "for example " .. command.example, 2, width) or "")
  end
  for _, group in ipairs(groups) do
    if group.title == name then
      return of_group(group, width)
    end
  end
  return nil
end

-- What can stand behind a command, as a list of words.
local function choices(command, cluster)
  local takes, list = command.takes, {}
  if takes == "commands" then
    for _, group in ipairs(groups) do
      list[#list + 1] = group.title
    end
    for _, name in ipairs(names) do
      list[#list + 1] = name
    end
  elseif type(takes) == "function" then
    list = takes(cluster)
  elseif type(takes) == "table" then
    list = takes
  elseif takes == "nodes" and cluster then
    for _, id in ipairs(cluster:ids()) do
      list[#list + 1] = ("%d"):format(id)
    end
    list[#list + 1] = "all"
    list[#list + 1] = "leader"
  end
  return list
end

--- Words that may end a line that begins with a colon.
-- @tparam string before what is before the cursor
-- @tparam ?table cluster
-- @treturn string[] words
-- @treturn string the beginning of them that is there
function commands.complete(before, cluster)
  local begun = before:match "^%s*:([%a_]*)$"
  if begun then
    return names, begun
  end
  local name, prefix = before:match "^%s*:([%a_]+)%s.-([^%s,]*)$"
  local command = by_name[name]
  return command and choices(command, cluster) or {}, prefix or ""
end

return commands
