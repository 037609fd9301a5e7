-- Bare replicas of which one needs a snapshot, and what is compared in the end; for the specs of snapshots.
local lu = require "luaunit"
local replicas = require "spec.support.replicas"

local M = {}

-- Options for replicas that do nothing by themselves and send small pieces.
function M.options(more)
  local all = { max_message_bytes = 64 }
  for key, value in pairs(replicas.still) do
    all[key] = value
  end
  for key, value in pairs(more or {}) do
    all[key] = value
  end
  return all
end

function M.submit(net, id, count)
  for i = 1, count do
    net:submit(id, i)
  end
  net:settle()
end

-- Replica 1 leads; 3 has missed 20 entries, which the log of 1 does not hold any more. The snapshot
-- takes about ten pieces.
function M.three_with_one_behind(more, ids)
  local net = replicas.new(ids or 3, M.options(more))
  net:elect(1)
  M.submit(net, 1, 3)
  net:isolate(3)
  M.submit(net, 1, 20)
  net:compact(1, nil, 500)
  net:heal()
  return net
end

-- The leader's heartbeats and what comes of them, until nothing more does.
function M.rounds(net, id, count)
  for _ = 1, count do
    net:heartbeat(id)
    net:settle()
  end
end

-- All have applied as much, and what they have applied is the same: each takes a snapshot of it.
function M.assert_same(net, ids)
  local index = net:applied_index(ids[1])
  local digest
  for _, id in ipairs(ids) do
    lu.assertEquals(net:applied_index(id), index)
    lu.assertEquals(net.cores:state(id).refused, 0)
    digest = digest or net.cores:digest(id)
    lu.assertEquals(net.cores:digest(id), digest)
  end
end

return M
