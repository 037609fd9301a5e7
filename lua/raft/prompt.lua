--- Lines for prompts: waits for one while a cluster in real time lives on.
-- @module raft.prompt

local core = require "raft.core"

local prompt = {}

local TURN_S = 0.010 -- how long the cluster is driven between two looks at standard input

local function is_live(cluster)
  return cluster and not cluster:is_closed() and cluster:mode() ~= "sim"
end

--- Reads one line from standard input.
-- @param cluster whose time passes meanwhile, or nil; in the simulated world no time passes
-- @tparam ?string text shown before the line
-- @treturn ?string the line without its end; nil: the end of input
-- @treturn ?string "interrupt" where SIGINT or SIGTERM came instead (core.catch_signals)
function prompt.read_line(cluster, text)
  if text then
    io.stdout:write(text)
  end
  io.stdout:flush()
  while true do
    local line, why = core.read_line(is_live(cluster) and 0 or nil)
    if line then
      return line
    elseif why == "end" then
      return nil
    elseif why ~= "timeout" then
      return nil, "interrupt"
    end
    local fine, problem = pcall(cluster.sleep, cluster, TURN_S)
    if not fine and problem == "interrupted" then
      return nil, "interrupt"
    elseif not fine then
      error(problem, 0)
    end
  end
end

return prompt
