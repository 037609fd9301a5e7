-- What node_spec needs of the system: processes of replicas, free ports, what this process holds.
local lu = require "luaunit"
local raft = require "raft"
local quote = require("raft.quote").word

local M = {}

local function read_all(command)
  local pipe = assert(io.popen(command, "r"))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

-- What runs this, with the places where it looks for modules.
function M.interpreter()
  local first = 0
  while arg[first - 1] do
    first = first - 1
  end
  return ("LUA_PATH=%s LUA_CPATH=%s %s"):format(quote(package.path), quote(package.cpath), quote(arg[first]))
end

-- Runs a chunk in a process of its own, after what the shell is to do before; gives its output and whether it ended
-- well.
function M.run_chunk(text, before)
  local output = read_all((before or "") .. ("%s -e %s 2>&1; echo \"[$?]\""):format(M.interpreter(), quote(text)))
  local words, code = output:match("^(.-)%[(%d+)%]\n$")
  return words, tonumber(code)
end

-- Addresses that nobody listens on just now.
function M.free_addresses(count)
  local nodes, addresses = {}, {}
  for i = 1, count do
    nodes[i] = assert(raft.node { id = 9000 + i, listen = "127.0.0.1:0", join = true })
    assert(nodes[i]:start())
    addresses[i] = nodes[i]:status().address
  end
  for _, node in ipairs(nodes) do
    node:close()
  end
  return addresses
end

-- Those of this process but for the pipe by which it asks: whether popen has closed the end that is not its own is a
-- matter of chance.
function M.descriptors()
  local list = read_all [[
    asked=$(readlink /proc/$$/fd/1)
    for place in /proc/$PPID/fd/*; do
      what=$(readlink $place) && [ "$what" != "$asked" ] && echo $place
    done]]
  return select(2, list:gsub("\n", "\n"))
end

function M.resident_kib()
  local file = assert(io.open("/proc/self/status"))
  local status = file:read("*a")
  file:close() -- by hand: descriptors are counted, too
  return tonumber(status:match("\nVmRSS:%s+(%d+)"))
end

-- Memory has grown by less than so much. AddressSanitizer keeps what was freed: there it tells nothing.
function M.assert_grown_less(more_kib, most_kib)
  if not os.getenv "ASAN_OPTIONS" then
    lu.assertTrue(more_kib < most_kib, more_kib .. " KiB more")
  end
end

function M.sleep(seconds)
  os.execute("sleep " .. seconds)
end

-- Asks until f gives something, at most so long.
function M.wait(what, f, seconds)
  local deadline_ns = raft.core.clock_ns() + (seconds or 30) * 1e9
  repeat
    local value = f()
    if value then
      return value
    end
    M.sleep(0.02)
  until raft.core.clock_ns() > deadline_ns
  error("waited in vain: " .. what, 2)
end

-- The letter that the system has for a process's state: "R" where it runs, "S" where it sleeps, "T" where it was
-- stopped, "Z" where it has ended and nobody has asked; nil: there is no such process. And how many threads it has.
function M.state_of(pid)
  local file = io.open(("/proc/%d/stat"):format(pid))
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  if not text then
    return nil
  end
  return text:match "%) (%a)", tonumber(text:match("%) " .. ("%S+ "):rep(17) .. "(%d+)"))
end

-- Whether it has ended: its connections are closed then. A thread that waits for the disk ends later than the others.
function M.has_ended(pid)
  local state, threads = M.state_of(pid)
  return state == nil or state == "Z" and threads <= 1
end

-- ---- replicas in processes of their own -----------------------------------------------------------

local Process = {}
Process.__index = Process

-- `options`: raft.node's, as the text of a table.
function M.start(loop, options)
  local folder = read_all("mktemp -d"):gsub("%s", "")
  assert(io.open(folder .. "/control", "w")):close()
  assert(io.open(folder .. "/answers", "w")):close()
  local command = ("%s spec/support/replica_process.lua %s %s %s >%s/output 2>&1 & echo $!"):format(M.interpreter(),
    loop, folder, quote(options), folder)
  local pid = assert(read_all(command):match("%d+"))
  return setmetatable({ pid = pid, folder = folder, asked = 0 }, Process)
end

local function file_text(path)
  local file = assert(io.open(path, "r"))
  local text = file:read("*a")
  file:close()
  return text
end

function Process:output()
  return file_text(self.folder .. "/output")
end

-- Has it run a chunk; the words that this gave.
function Process:ask(chunk, seconds)
  self.asked = self.asked + 1
  local file = assert(io.open(self.folder .. "/control", "a"))
  file:write(self.asked, " ", chunk, "\n")
  file:close()
  local line = M.wait(chunk .. "\n" .. self:output(), function()
    return ("\n" .. file_text(self.folder .. "/answers")):match("\n" .. self.asked .. "\t?([^\n]*)\n")
  end, seconds)
  local words = {}
  for word in (line .. "\t"):gmatch("([^\t]*)\t") do
    words[#words + 1] = word
  end
  return (table.unpack or unpack)(words) -- luacheck: ignore 113 143
end

-- As kill -9 does, and waits until it has ended: what is sent to one that is about to end is lost without a word.
function Process:kill()
  local pid = self.pid
  if pid then
    self.pid = nil
    os.execute("kill -9 " .. pid .. " 2>/dev/null")
    M.wait("process " .. pid .. " to end", function() return M.has_ended(pid) end)
  end
end

function Process:forget()
  self:kill()
  os.execute("rm -rf " .. quote(self.folder))
end

return M
