--- Goals: what a scenario means to reach at least now and then, so that a campaign of many seeds tells where it never
-- did.
-- @module raft.cluster.goals

local arguments = require "raft.arguments"
local filters = require "raft.filters"

local goals = {}

local NAME_BYTES_MOST = 200

-- When a predicate is asked: at what changes a node's role, members, state or log beyond more entries.
local telling = { "start", "stop", "role", "truncate", "snapshot", "install", "members", "fault" }

--- A goal: over a campaign (`raftbench fuzz`) it must have been true at least once; a goal that no seed reached fails
-- the campaign. In a single run it changes nothing.
-- @tparam string name what was to happen, for people
-- @tparam any condition a value: true where it is so now; a filter (a table): true once such an event comes; a
-- function(event): asked when a node starts, stops, changes its role or members, removes entries, takes or installs a
-- snapshot, and at each fault, until it is true. The function must not wait
-- @treturn boolean whether it was true in this run so far
function goals:sometimes(name, condition)
  arguments.text("name", name)
  if name == "" or #name > NAME_BYTES_MOST then
    arguments.fail("name", ("a text of 1 to %d bytes"):format(NAME_BYTES_MOST), name)
  end
  self.goals = self.goals or {}
  local reached = self.goals
  reached[name] = reached[name] or false
  local is_watched = type(condition) == "table" or type(condition) == "function"
  if not is_watched then
    reached[name] = reached[name] or (condition and true or false)
    return reached[name]
  end
  local kinds, matches, node, message = filters.compile("condition", condition)
  if reached[name] then
    return true
  end
  local reader
  reader = self.core:on(type(condition) == "function" and telling or kinds, function(event)
    if reader and matches(event) then
      reached[name] = true
      self.core:off(reader)
      reader = nil
    end
  end, node, message)
  return false
end

return goals
