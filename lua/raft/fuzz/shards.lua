--- Which part of the seeds this process is to run, where several machines share a campaign: from `--shard`, and from
-- what the engine that started it has put into the environment.
-- @module raft.fuzz.shards

local shards = {}

-- Each finds its position, from 0, and where the engine tells it, how many there are.
local engines = {
  { name = "Slurm's job array", find = function(number)
    local id, first = number "SLURM_ARRAY_TASK_ID", number "SLURM_ARRAY_TASK_MIN" or 0
    if id and id >= first then
      return math.floor((id - first) / math.max(1, number "SLURM_ARRAY_TASK_STEP" or 1)),
        number "SLURM_ARRAY_TASK_COUNT"
    end
  end },
  { name = "Slurm", find = function(number)
    return number "SLURM_PROCID", number "SLURM_STEP_NUM_TASKS" or number "SLURM_NTASKS"
  end },
  { name = "Kubernetes", find = function(number)
    return number "JOB_COMPLETION_INDEX"
  end },
  { name = "GNU parallel", find = function(number)
    local position = number "PARALLEL_SEQ"
    return position and position - 1
  end },
}

-- What the first engine that is there says.
local function from_environment(getenv)
  local function number(variable)
    local text = getenv(variable)
    return text and text:match "^%d+$" and tonumber(text) or nil
  end
  for _, engine in ipairs(engines) do
    local position, count = engine.find(number)
    if position then
      return position, count, engine.name
    end
  end
end

local function part(position, count, name)
  if position < 0 or position >= count then
    return nil, ("%s says that this is number %d of %d"):format(name, position + 1, count)
  end
  return { position + 1, count, name = name }
end

--- The part that is to be run.
-- @tparam ?string text of --shard: "I/N"; "N": of so many, and which one the engine says; nil: as the engine says,
-- where it tells both
-- @tparam ?function getenv os.getenv
-- @treturn ?table { I, N, name = the engine's }; { 1, 1 } is all; nil and a message
function shards.of(text, getenv)
  local position, count, name = from_environment(getenv or os.getenv)
  if not text then
    if position and count then
      return part(position, count, name)
    end
    return { 1, 1 }
  end
  local given, of = text:match "^(%d+)/(%d+)$"
  given, of = tonumber(given), tonumber(of or text:match "^%d+$")
  if not of or of < 1 or (given and (given < 1 or given > of)) then
    return nil, "'" .. text .. "' is not I/N with I from 1 to N, nor a number N"
  elseif given then
    return { given, of }
  elseif not position then
    return nil, ("--shard %s: which of the %d this is, nothing in the environment says (Slurm, Kubernetes and GNU "
      .. "parallel do); give --shard I/%d"):format(text, of, of)
  end
  return part(position, of, name)
end

return shards
