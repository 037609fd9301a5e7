--- What is made ready whenever the script goes on: a client, a timer, a predicate, the main script. `self` is a driver.
-- @module raft.driver.before_script

local before_script = {}

--- Calls a function each time. It neither waits nor raises.
-- @tparam table self
-- @tparam function f what gives true is called no more
function before_script.add(self, f)
  self.before[#self.before + 1] = f
end

--- The script goes on.
-- @tparam table self
function before_script.run(self)
  local list = self.before
  for position = #list, 1, -1 do
    if list[position]() then
      table.remove(list, position)
    end
  end
end

return before_script
