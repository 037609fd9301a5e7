--- The tour: what Raft does, step by step, each in a simulated cluster whose calls are shown.
--
-- It writes to no file, and needs no network.
-- @module raft.tour

local bug = require "raft.tour.bug"
local core = require "raft.core"
local defaults = require "raft.defaults"
local play = require "raft.tour.play"
local steps = require "raft.tour.steps"

local tour = {}

-- The tour's clusters are always the same ones, whatever the environment says.
local function with_defaults(f)
  local before = {}
  for name, value in pairs { mode = "sim", seed = 1 } do
    before[name] = defaults.get(name) or false
    defaults.set(name, value)
  end
  local fine, answer = pcall(f)
  for name, value in pairs(before) do
    defaults.set(name, value or nil)
  end
  if not fine then
    error(answer, 0)
  end
  return answer
end

-- What a step's calls find. One step goes on with the seed that the step before it has found.
local function variables_of(raft)
  local variables = { raft = raft, bug = bug.path }
  return setmetatable(variables, { __index = function(_, name)
    if name == "seed" then
      bug.find(variables)
      return variables.seed
    end
    return nil
  end })
end

--- How many steps there are.
-- @treturn integer
function tour.count()
  return #steps
end

--- A step's title.
-- @tparam integer number
-- @treturn string
function tour.title(number)
  return steps[number].title
end

--- Shows steps until the reader leaves, or the last one has ended.
-- @tparam table screen raft.tour.screen
-- @tparam integer first the number of the step to begin with
-- @tparam integer last the number of the last one
function tour.run(screen, first, last)
  local variables, number = variables_of(require "raft"), first
  while number <= last do
    math.randomseed(1)
    core.set_replay "raftbench tour"
    local answer = with_defaults(function()
      return play(screen, steps[number], ("%d/%d  %s"):format(number, #steps, steps[number].title), variables)
    end)
    screen.write "\n"
    if not answer then
      answer = screen:ask(number < last and ("step %d, %s"):format(number + 1, steps[number + 1].title) or "the end")
    end
    if answer == "quit" then
      return
    elseif answer == "next" then
      number = number + 1
    elseif answer == "back" then
      number = math.max(1, number - 1)
    else
      number = answer
    end
  end
end

return tour
