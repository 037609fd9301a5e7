--- `raftbench new NAME`: a first project in a folder of its own. Its files are those in lua/raft/project.
-- @module raft.command.new

local common = require "raft.command.common"
local files = require "raft.files"
local quote = require "raft.quote"
local report = require "raft.report"

local new = {}

local OK, USAGE, CANNOT_RUN = 0, 2, 3

-- As they are called in the project, and in lua/raft/project.
local parts = {
  { "machine.lua", "machine.lua" },
  { "machine_spec.lua", "machine_spec.lua" },
  { "faults.lua", "faults.lua" },
  { "Makefile", "Makefile" },
  { "README.md", "README.md" },
  { ".gitignore", "gitignore" },
}

--- Adds this subcommand's options.
-- @param parser argparse's command
function new.describe(parser)
  parser:description "Make a first project: a state machine, its spec, a scenario with faults, a Makefile."
  parser:argument("NAME", "The folder to make; there must be none of that name."):argname("NAME"):target("name")
end

local function output_of(command)
  local pipe = io.popen(command .. " 2>/dev/null", "r")
  local line = pipe and pipe:read "*l"
  if pipe then
    pipe:close()
  end
  return line
end

-- How this command is started from anywhere: by its name where the shell finds it by that.
local function command_words(arguments)
  local words = common.again(arguments)
  local path = output_of("readlink -f -- " .. quote.word(words[#words])) or words[#words]
  if #words == 1 and output_of "readlink -f -- \"$(command -v raftbench)\"" == path then
    return "raftbench"
  end
  words[#words] = path
  return quote.command(words)
end

local function source_folder()
  return (debug.getinfo(1, "S").source:match "^@(.*)command/new%.lua$" or "") .. "project/"
end

-- Of a folder that is there already nothing is touched.
local function make_folder(name)
  local message = output_of("LC_ALL=C mkdir -- " .. quote.word(name) .. " 2>&1; echo")
  if message and message ~= "" then
    return nil, (message:gsub("^mkdir: ", ""))
  end
  return true
end

local function write_all(folder, values)
  for _, part in ipairs(parts) do
    local text, problem = files.read(source_folder() .. part[2])
    if not text then
      return nil, problem
    end
    local fine
    fine, problem = files.write(folder .. "/" .. part[1], (text:gsub("@(%u+)@", values)))
    if not fine then
      return nil, problem
    end
  end
  return true
end

--- Makes it.
-- @tparam table arguments parsed
-- @treturn integer the exit code
function new.run(arguments)
  local folder = arguments.name:gsub("(.)/+$", "%1")
  local name = folder:match "[^/]*$"
  if not name:find "^[%w_][%w_.-]*$" then
    report.problem(("'%s' is no name for a project: letters, digits, _, . and - make one"):format(name))
    return USAGE
  end
  local command = command_words(arguments)
  local fine, problem = make_folder(folder)
  if fine then
    command = command:gsub("[$#]", { ["$"] = "$$", ["#"] = "\\#" }) -- as make reads it
    fine, problem = write_all(folder, { NAME = name, RAFTBENCH = command })
  end
  if not fine then
    report.problem(problem)
    return CANNOT_RUN
  end
  print(("%s/ has a state machine, its spec, a scenario with faults, a Makefile and a README. Now:"):format(folder))
  print(("  cd %s && make test      # its specs, simulated and over TCP"):format(quote.word(folder)))
  print(("  cd %s && make fuzz      # the scenario under many seeds"):format(quote.word(folder)))
  return OK
end

return new
