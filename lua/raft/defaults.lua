--- What a cluster's options are where the script does not give them: set by the `raftbench` command,
-- else taken from the environment, else left to the cluster.
--
-- It knows no option's meaning beyond turning the environment's text into the right type.
-- @module raft.defaults

local defaults = {}

local variables = {
  mode = "RAFTBENCH_MODE",
  seed = "RAFTBENCH_SEED",
  speed = "RAFTBENCH_SPEED",
  trace = "RAFTBENCH_TRACE",
}

-- Known names that no variable stands for: `name` is the running test's, `replay` the command that runs it
-- again, `verbose` asks for log lines, `situations` that the situations of clusters are kept, `trace_at_once` that each
-- event is in the trace's file as soon as it has happened.
local known = { mode = true, seed = true, speed = true, trace = true, name = true, replay = true, verbose = true,
  situations = true, trace_at_once = true }

local given = {}

local function from_environment(name)
  local variable = variables[name]
  local text = variable and os.getenv(variable)
  if not text or text == "" then
    return nil
  end
  if name == "seed" then
    local seed = tonumber(text)
    if not text:match("^%d+$") or seed >= 2 ^ 53 then
      error(variable .. " must be an integer from 0 to 2^53 - 1, not '" .. text .. "'", 3)
    end
    return seed
  elseif name == "speed" then
    local speed = tonumber(text)
    if not speed or speed <= 0 or speed ~= speed then
      error(variable .. " must be a number above 0, not '" .. text .. "'", 3)
    end
    return speed
  end
  return text
end

--- The default of one option.
-- @tparam string name `mode`, `seed`, `speed`, `trace`, `name`, `replay`, `verbose`, `situations` or
-- `trace_at_once`
-- @return its value, or nil where nobody gave one
function defaults.get(name)
  if not known[name] then
    error("there is no default '" .. tostring(name) .. "'", 2)
  end
  if given[name] ~= nil then
    return given[name]
  end
  return from_environment(name)
end

--- Gives one option a default, above the environment's.
-- @tparam string name as for `defaults.get`
-- @param value nil: back to the environment's
function defaults.set(name, value)
  if not known[name] then
    error("there is no default '" .. tostring(name) .. "'", 2)
  end
  given[name] = value
end

return defaults
