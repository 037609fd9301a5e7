--- The lines that were typed, kept from one run to the next, one a line of a file.
-- @module raft.shell.history

local quote = require "raft.quote"

local history = {}

local LINES_MOST = 1000

local History = {}
History.__index = History

--- Where they are kept: $RAFTBENCH_HISTORY, else raftbench/history below $XDG_STATE_HOME or ~/.local/state.
-- @treturn ?string nil: nowhere
function history.path()
  local given = os.getenv "RAFTBENCH_HISTORY"
  if given then
    return given ~= "" and given or nil
  end
  local state, home = os.getenv "XDG_STATE_HOME", os.getenv "HOME"
  if state and state ~= "" then
    return state .. "/raftbench/history"
  elseif home and home ~= "" then
    return home .. "/.local/state/raftbench/history"
  end
  return nil
end

local function read_lines(path)
  local lines = {}
  local file = io.open(path, "r")
  if file then
    for line in file:lines() do
      lines[#lines + 1] = line
    end
    file:close()
  end
  return lines
end

-- A file that has grown long is written anew with its latest lines.
local function shorten(path, lines)
  local latest = {}
  for position = math.max(1, #lines - LINES_MOST + 1), #lines do
    latest[#latest + 1] = lines[position]
  end
  local file = #lines > 2 * LINES_MOST and io.open(path, "w")
  if file then
    file:write(table.concat(latest, "\n"), "\n")
    file:close()
  end
  return latest
end

--- Opens the file, which is made readable for its owner alone.
-- @tparam function remember remember(line), called for each line that is there
-- @treturn table
function history.open(remember)
  local path = history.path()
  local self = setmetatable({ path = path, remember = remember }, History)
  if path then
    local folder = path:match "^(.*)/[^/]*$"
    os.execute("umask 077; " .. (folder and "mkdir -p " .. quote.word(folder) .. " 2>/dev/null; " or "")
      .. ": 2>/dev/null >>" .. quote.word(path))
    for _, line in ipairs(shorten(path, read_lines(path))) do
      remember(line)
      self.last = line
    end
  end
  return self
end

--- Keeps a line, unless it is empty or the same as the last.
-- @tparam string line
function History:add(line)
  if line:find "^%s*$" or line == self.last then
    return
  end
  self.last = line
  self.remember(line)
  local file = self.path and io.open(self.path, "a")
  if file then
    file:write(line, "\n")
    file:close()
  end
end

return history
