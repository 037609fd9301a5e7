--- What is known of the terminal: whether there is one, how wide it is, whether colours are welcome.
--
-- It asks `raft.core` and `stty`, and never changes the terminal.
-- @module raft.view.terminal

local terminal = {}

local WIDTH_DEFAULT = 80
local WIDTH_LEAST = 20
local HEIGHT_DEFAULT, HEIGHT_LEAST = 24, 5

--- Whether a file descriptor of this process is a terminal.
-- @tparam integer descriptor 0, 1 or 2
-- @treturn boolean
function terminal.is_terminal(descriptor)
  return require("raft.core").is_terminal(descriptor) -- here, so that --help works before a build
end

-- Its lines and columns.
local function from_stty()
  local pipe = io.popen("(stty size </dev/tty) 2>/dev/null", "r")
  if not pipe then
    return nil
  end
  local answer = pipe:read("*l")
  pipe:close()
  local height, width = (answer or ""):match("^(%d+) (%d+)")
  return tonumber(height), tonumber(width)
end

--- The columns that output may take: `COLUMNS`, else what `stty size` says, else 80.
-- @treturn integer
function terminal.width()
  local width = tonumber(os.getenv("COLUMNS")) or select(2, from_stty())
  if not width or width < WIDTH_LEAST then
    return WIDTH_DEFAULT
  end
  return math.floor(width)
end

--- The lines of the screen: what `stty size` says, else 24.
-- @treturn integer
function terminal.height()
  local height = from_stty()
  return height and height >= HEIGHT_LEAST and height or HEIGHT_DEFAULT
end

--- Whether standard output should be coloured: a terminal, and `NO_COLOR` is not set.
-- @treturn boolean
function terminal.wants_colour()
  local refused = os.getenv("NO_COLOR")
  if refused and refused ~= "" or os.getenv("TERM") == "dumb" then
    return false
  end
  return terminal.is_terminal(1)
end

return terminal
