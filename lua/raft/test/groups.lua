--- Failures that are alike: the same test of the same file, by the same property and words but for numbers.
--
-- It prints nothing.
-- @module raft.test.groups

local failure = require "raft.failure"

local groups = {}

local Groups = {}
Groups.__index = Groups

--- What a failure is, as one text: equal for those that are alike.
-- @tparam table record of a test that failed
-- @treturn string
function groups.kind(record)
  local what = failure.of(record.message or "no message")
  return table.concat({ record.file, record.name, what.property, what.key }, "\n")
end

--- No failures yet.
-- @treturn table
function groups.new()
  return setmetatable({ list = {}, by_kind = {} }, Groups)
end

--- One more failure. Where it is not the first of its kind, `record.same_as` is that first one from here on.
-- @tparam table record
function Groups:add(record)
  local kind = groups.kind(record)
  local group = self.by_kind[kind]
  if group then
    group.count = group.count + 1
    record.same_as = group.record
    return
  end
  group = { record = record, count = 1 }
  self.by_kind[kind], self.list[#self.list + 1] = group, group
end

--- The kinds of failures, in the order in which they were met.
-- @treturn table a list of {record = the first one, count}
function Groups:all()
  return self.list
end

return groups
