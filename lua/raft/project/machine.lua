-- A store of goods: how many there are of each item. Commands are { op = "put" or "take", item =, count = }; the answer
-- is how many are there afterwards, or { refused = how many there are }. A query is an item's name.
local raft = require "raft"

return function()
  local stock = {}
  return {
    -- The same commands in the same order must have the same effect and the same answer on every node: no clock, no
    -- random numbers, no `pairs` (raft.sorted has an order).
    apply = function(command)
      local held = stock[command.item] or 0
      if command.op == "take" and held < command.count then
        return { refused = held }
      end
      stock[command.item] = held + (command.op == "take" and -command.count or command.count)
      return stock[command.item]
    end,
    query = function(item)
      return stock[item] or 0
    end,
    snapshot = function()
      local lines = {}
      for item, count in raft.sorted(stock) do
        lines[#lines + 1] = ("%s=%d\n"):format(item, count)
      end
      return table.concat(lines)
    end,
    restore = function(next_chunk)
      stock = {}
      local text = ""
      for chunk in next_chunk do
        text = text .. chunk
      end
      for item, count in text:gmatch "([^=\n]+)=(%d+)" do
        stock[item] = tonumber(count)
      end
    end,
  }
end
