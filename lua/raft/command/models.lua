--- The models of linearizability that the command line names.
-- @module raft.command.models

local models = {}

local USAGE, CANNOT_RUN = 2, 3

--- The names of those that are built in.
models.names = { "register", "cas-register", "kv", "append", "set", "queue" }

--- The model of a name, or of a file that returns one.
-- @tparam string name
-- @return the name, or the model; nil, a message and the command's exit code
function models.find(name)
  for _, one in ipairs(models.names) do
    if one == name then
      return name
    end
  end
  if not name:find "%.lua$" then
    return nil, ("there is no model '%s': it is one of %s, or a file whose name ends in .lua"):format(name,
      table.concat(models.names, ", ")), USAGE
  end
  local chunk, problem = loadfile(name)
  if not chunk then
    return nil, problem, CANNOT_RUN
  end
  local fine, model = pcall(chunk)
  if not fine then
    return nil, tostring(model), CANNOT_RUN
  elseif type(model) ~= "table" or type(model.step) ~= "function" then
    return nil, name .. " returns no model: a table { init = state, step = function(state, operation) }",
      CANNOT_RUN
  end
  return model
end

return models
