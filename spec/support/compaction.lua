-- What the specs of snapshots share.
local M = {}

-- Nodes other than the leader.
function M.followers(c, leader)
  local others = {}
  for _, id in ipairs(c:ids()) do
    if id ~= leader then
      others[#others + 1] = id
    end
  end
  return others[1], others[2]
end

function M.set_many(c, count, prefix)
  for i = 1, count do
    assert(c:set("k" .. i % 10, (prefix or "v") .. i))
  end
end

function M.caught_up(c, id, timeout)
  assert(c:wait_until(function()
    local leader = c:leader()
    return leader and c:status(id, "applied") == c:status(leader, "commit")
  end, timeout or 20, "node " .. id .. " has caught up"))
end

return M
