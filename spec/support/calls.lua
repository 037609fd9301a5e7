-- Random calls of a cluster of five, such as can be recorded and done again: one of each kind that changes something or
-- waits.
local raft = require "raft"

local M = {}

local function any(c, list)
  return list[c:random(#list)]
end

local calls = {
  function(c) c:sleep(c:random() * 0.3) end,
  function(c) c:crash(c:random(5)) end,
  function(c) c:restart(c:random(5)) end,
  function(c) c:crash(c:leader() or 1) end,
  function(c) c:disconnect(c:random(5)) end,
  function(c) c:reconnect(c:random(5)) end,
  function(c) c:partition({ 1, c:random(2, 3) }, { 4, 5 }) end,
  function(c) c:heal() end,
  function(c) c:link(c:random(5), "*", { drop = c:random(), delay = { 0.001, 0.01 } }) end,
  function(c) c:link("client", c:random(5), any(c, { { cut = true }, { duplicate = 1 } })) end,
  function(c) c:pause(c:random(5)) end,
  function(c) c:resume(c:random(5)) end,
  function(c) c:clock(c:random(5), { rate = 1 + c:random() / 10 }) end,
  function(c) c:set(any(c, { "k", 1, "\0\n\"\\" }), { { a = 1.5, b = { true, raft.null } } }, { timeout = 0.5 }) end,
  function(c) c:get("k", { timeout = 0.2 }) end,
  function(c) c:submit(c:random(5), c:random(-2 ^ 31, 2 ^ 31)) end,
  function(c) c:campaign(c:random(5), { force = true }) end,
  function(c) c:wait_leader(0.5) end,
  function(c) pcall(c.check_one_leader, c) end,
  function(c) pcall(c.check_committed, c, "never", 3, 0.1) end,
  function(c) c:wait_event({ kind = "commit" }, 0.1) end,
  function(c) c:step(c:random(20)) end,
  function(c) c:note "a note" end,
  function(c) c:disk(c:random(5), { sync_delay = c:random() / 100 }) end,
  function(c) c:wait_event(function(event) return event.kind == "role" and event.node > 2 end, 0.2) end,
  function(c) for _ = 1, 10 do c:sleep(0.005) c:leader() end end,
}

-- Does so many, drawn from the cluster's own numbers; `another`: one more to draw from.
function M.some(c, count, another)
  for _ = 1, count do
    local place = c:random(#calls + (another and 1 or 0))
    local call = calls[place] or another
    call(c)
  end
end

return M
