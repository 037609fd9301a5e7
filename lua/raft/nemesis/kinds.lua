--- The stock kinds of faults, by name: { options = names and what each should be, start = function(c, given) }. `start`
-- does what the fault does by its own `c`, may wait, and may return a function that takes back what taking back its
-- calls does not.
-- @module raft.nemesis.kinds

local kinds = {}

for _, subject in ipairs {
  require "raft.nemesis.partitions", require "raft.nemesis.processes", require "raft.nemesis.links",
  require "raft.nemesis.messages", require "raft.nemesis.clocks", require "raft.nemesis.disks",
  require "raft.nemesis.leaders", require "raft.nemesis.snapshots", (require "raft.nemesis.members"),
} do
  for name, kind in pairs(subject) do
    assert(kinds[name] == nil, name)
    kinds[name] = kind
  end
end

return kinds
