-- What the specs of the shell share: a command in a real terminal, which tmux is. All waiting is for text on the
-- screen.
local lu = require "luaunit"
local command = require "spec.support.command"

local M = {}

local Terminal = {}
Terminal.__index = Terminal

local LOOKS_MOST = 600
local WIDTH, HEIGHT = 100, 50

local function output_of(text)
  local pipe = assert(io.popen(text, "r"))
  local answer = pipe:read("*a")
  pipe:close()
  return answer
end

-- The interpreter that runs this, and the command.
local function raftbench()
  local first = 0
  while arg and arg[first - 1] do
    first = first - 1
  end
  return (first < 0 and command.quote(arg[first]) .. " " or "") .. "scripts/raftbench"
end

-- Whether there is a tmux.
function M.is_there()
  return output_of("command -v tmux") ~= ""
end

function Terminal:tmux(words)
  local socket = command.quote(self.folder .. "/tmux")
  return output_of(("env -u TMUX -u LD_PRELOAD tmux -S %s -f /dev/null %s 2>&1"):format(socket, words))
end

-- Everything that is to be seen or has scrolled away, without what is empty below.
function Terminal:screen()
  return (self:tmux("capture-pane -p -J -S -2000"):gsub("%s+$", ""))
end

local function look(self, f, what)
  local screen
  for _ = 1, LOOKS_MOST do
    screen = self:screen()
    local found = f(screen)
    if found then
      return found
    end
    os.execute("sleep 0.02")
  end
  lu.fail(("%s was not seen in:\n%s"):format(what, screen))
end

-- Waits until a Lua pattern is on the screen behind what was there at the last `mark`: its captures.
function Terminal:see(pattern)
  local found = look(self, function(screen)
    local captures = { screen:sub(self.marked + 1):match(pattern) }
    return captures[1] and captures
  end, "'" .. pattern .. "'")
  return (table.unpack or unpack)(found) -- luacheck: ignore 113 143
end

-- What is on the screen up to now is no longer looked at, except for its last line, above which things are written.
function Terminal:mark()
  self.marked = #self:screen():gsub("[^\n]*$", "")
end

-- Types text, without the key that ends it.
function Terminal:type(text)
  self:tmux("send-keys -l " .. command.quote(text))
end

-- Presses keys by tmux's names.
function Terminal:press(...)
  self:tmux("send-keys " .. table.concat({ ... }, " "))
end

-- Types a line and waits for the answer and for the next prompt: the answer's captures.
function Terminal:ask(line, pattern)
  self:mark()
  self:type(line)
  self:press("Enter")
  return self:see((pattern or "") .. ".-\nraft>$")
end

-- Waits until the shell is there.
function Terminal:ready()
  self:see("raft>$")
end

-- Gives the terminal another size.
function Terminal:resize(width, height)
  self:tmux(("resize-window -x %d -y %d"):format(width, height))
end

-- The lines that are to be seen now, without what has scrolled away.
function Terminal:visible()
  return (self:tmux("capture-pane -p"):gsub("%s+$", ""))
end

-- f(terminal) with `raftbench WORDS` in a terminal of its own, of size[1] columns and size[2] lines, once a pattern is
-- seen (by default the shell's prompt).
function M.with(words, environment, f, size, prompt)
  local folder = output_of("mktemp -d"):gsub("\n", "")
  local self = setmetatable({ marked = 0, folder = folder }, Terminal)
  environment = environment or { RAFTBENCH_HISTORY = "@/history" }
  local parts = { "env -u RAFTBENCH_MODE -u RAFTBENCH_SEED -u RAFTBENCH_TRACE -u RAFTBENCH_HISTORY -u COLUMNS"
    .. " -u DISPLAY -u WAYLAND_DISPLAY" }
  if os.getenv "LD_PRELOAD" then
    parts[#parts + 1] = "LD_PRELOAD=" .. command.quote(os.getenv "LD_PRELOAD")
  end
  for name, value in pairs(environment) do
    parts[#parts + 1] = value and name .. "=" .. command.quote((value:gsub("@", folder))) or nil
  end
  parts[#parts + 1] = raftbench() .. " " .. words .. "; echo ended with $?; exec sleep 1000"
  self:tmux(("new-session -d -x %d -y %d %s"):format(size and size[1] or WIDTH, size and size[2] or HEIGHT,
    command.quote(table.concat(parts, " "))))
  local fine, problem = pcall(function()
    self:see(prompt or "raft>$")
    f(self, folder)
  end)
  self:tmux("kill-server")
  os.execute("rm -rf " .. command.quote(folder))
  if not fine then
    error(problem, 0)
  end
end

return M
