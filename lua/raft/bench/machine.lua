--- On what machine it is measured: its processor and how busy it was.
-- @module raft.bench.machine

local machine = {}

local function lines_of(path)
  local file = io.open(path, "r")
  if not file then
    return function() end
  end
  local text = file:read("*a")
  file:close()
  return text:gmatch("[^\n]+")
end

--- The processor's name, the number of cores and the load when it was asked.
-- @treturn table {cpu, cores, load}
function machine.describe()
  local cpu, cores = "unknown", 0
  for line in lines_of("/proc/cpuinfo") do
    local name = line:match("^model name%s*:%s*(.-)%s*$")
    if name then
      cpu, cores = name, cores + 1
    end
  end
  local load = 0
  for line in lines_of("/proc/loadavg") do
    load = tonumber(line:match("^%S+")) or 0
  end
  return { cpu = cpu, cores = cores, load = load }
end

-- Of this process; or of its child whose first word is `name`.
local function process_of(name)
  if not name then
    return "self"
  end
  for line in lines_of("/proc/self/task/" .. (lines_of("/proc/self/stat")():match "^%d+") .. "/children") do
    for child in line:gmatch "%d+" do
      local command = lines_of("/proc/" .. child .. "/cmdline")()
      if command and command:match "^%Z*" == name then
        return child
      end
    end
  end
  return nil
end

--- The resident size of this process, or of a child of it.
-- @tparam ?string name the child's first word
-- @treturn integer|nil bytes; nil where the system does not tell
function machine.resident_bytes(name)
  local process = process_of(name)
  for line in lines_of("/proc/" .. (process or "none") .. "/status") do
    local kib = line:match("^VmRSS:%s*(%d+) kB")
    if kib then
      return tonumber(kib) * 1024
    end
  end
  return nil
end

return machine
