--- Orders and choices of tests that depend on nothing but their arguments: a seeded shuffle, and
-- patterns as LuaUnit understands them.
-- @module raft.test.order

local order = {}

--- Shuffles a list in place. The same seed gives the same order on every machine and Lua.
-- @tparam table list
-- @tparam integer seed
-- @treturn table the list
function order.shuffle(list, seed)
  local state = seed % 2147483646 + 1
  local function draw(count)
    state = state * 48271 % 2147483647 -- below 2^53 on the way: exact in any Lua
    return state % count + 1
  end
  for _ = 1, 8 do
    draw(2)
  end
  for position = #list, 2, -1 do
    local other = draw(position)
    list[position], list[other] = list[other], list[position]
  end
  return list
end

--- Whether a name is chosen.
-- @tparam string name
-- @tparam table|nil patterns Lua patterns; one that begins with ! excludes. The last that matches decides
-- @treturn boolean
function order.matches(name, patterns)
  local chosen = true
  for _, pattern in ipairs(patterns or {}) do
    if pattern:sub(1, 1) ~= "!" then
      chosen = false
    end
  end
  for _, pattern in ipairs(patterns or {}) do
    local excludes = pattern:sub(1, 1) == "!"
    if name:find(excludes and pattern:sub(2) or pattern) then
      chosen = not excludes
    end
  end
  return chosen
end

--- A pattern that matches one name only.
-- @tparam string name
-- @treturn string
function order.exactly(name)
  return "^" .. name:gsub("[^%w_]", "%%%0") .. "$"
end

return order
