--- Faults that come and go by themselves.
-- @module raft.cluster.nemeses

local nemesis = require "raft.nemesis"

local nemeses = {}

--- Starts a nemesis: faults that come and go while the script goes on. Its list holds names of faults, tables of a name
-- and options ({ "partition", shape = "halves", weight = 3 }), functions f(c) that do something and return what takes
-- it back, and { mix = list }, { sequence = list }, { stagger = list }. One begins each `every` seconds and lasts for
-- `lasts`; an entry with an `every` of its own keeps its own time.
-- @tparam raft.nemesis_options|string options the list, or the name of one fault; `swarm`: which of the list this run
-- has, how likely each is, whom it strikes, how often and how long is drawn by the seed (without a list: of all that
-- there are); `every` = {1, 4}, `lasts` = {0.5, 3}; `time` seconds after which it stops; `disk`: what each disk does
-- wrong all the time; `actions`: those of an earlier one, to be done again, in place of the list; `symbolic`: to
-- whoever has the role that the target had then
-- @treturn raft.nemesis the nemesis, with `stop` and `actions`
function nemeses:nemesis(options)
  return nemesis.new(self, options)
end

return nemeses
