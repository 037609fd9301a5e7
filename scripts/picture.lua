-- The README's picture: the run that `raftbench fuzz` found in a state machine whose snapshots forget a count, as it
-- was made small. Written by Raftbench, but for names and these comments; it draws itself beside this file.
--
--   scripts/raftbench run scripts/picture.lua
local raft = require "raft"

local c = raft.cluster {
  name = "sum.lua, made small",
  mode = "sim",
  election_timeout = math.huge,
  link = { delay = { 0.005, 0.03 } },
  machine = function()
    local total, count = 0, 0
    return {
      apply = function(command) total, count = total + command, count + 1 return { total, count } end,
      snapshot = function() return tostring(total) end,
      restore = function(next_chunk) total = tonumber(next_chunk()) end,
    }
  end,
  nodes = 3,
  seed = 2,
  snapshot_every = 10,
}

local function at(time)
  c:sleep(math.max(0, time - c:now()))
end

at(0.001)
c:campaign(3)
at(0.03)
c:disconnect(1)
for command = 12, 20 do
  c:propose(command)
end
c:reconnect(1)
c:propose(21)
local fine, problem = pcall(at, 1)
assert(not fine and problem.property == "machines answer alike", "the mistake was not noticed")
assert(c:view("svg", raft.parameters.svg or (arg[0]:gsub("%.lua$", ".svg"))))
