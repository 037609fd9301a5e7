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

--- The resident size of this process.
-- @treturn integer|nil bytes; nil where the system does not tell
function machine.resident_bytes()
  for line in lines_of("/proc/self/status") do
    local kib = line:match("^VmRSS:%s*(%d+) kB")
    if kib then
      return tonumber(kib) * 1024
    end
  end
  return nil
end

return machine
