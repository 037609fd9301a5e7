--- Taking away what a failure does not need: from a list, in chunks of half of it, a quarter and so on down to one,
-- from the end.
-- @module raft.shrink.chunks

local chunks = {}

--- Removes items of a list as long as what is left still fails.
-- @tparam table items
-- @tparam function test test(items, share) → whether those still fail; share of the items that have gone
-- @tparam function is_spent
-- @treturn table the items that are left
-- @treturn boolean whether any went
function chunks.remove(items, test, is_spent)
  local went = false
  if #items > 0 and test({}, 1) then
    return {}, true
  end
  local size = math.max(1, math.floor(#items / 2))
  while #items > 0 do
    local last = #items
    while last >= 1 and not is_spent() do
      local first, rest = math.max(1, last - size + 1), {}
      for position, item in ipairs(items) do
        if position < first or position > last then
          rest[#rest + 1] = item
        end
      end
      if #rest < #items and #rest > 0 and test(rest, (#items - #rest) / #items) then
        items, went = rest, true
      end
      last = first - 1
    end
    if size == 1 or is_spent() then
      break
    end
    size = math.max(1, math.floor(math.min(size, #items) / 2))
  end
  return items, went
end

return chunks
