--- What a scenario leaves open, drawn by the seed: the cluster's size and options, and how long the run is.
-- @module raft.scenario.draw

local draw = {}

--- A function that draws by a seed: draw(choices) picks one of a list. Numbers of Park and Miller's, exact in every
-- Lua.
-- @tparam integer seed
-- @treturn function
function draw.of(seed)
  local state = seed % 2147483646 + 1
  local function pick(choices)
    state = state * 16807 % 2147483647
    return choices[state % #choices + 1]
  end
  for _ = 1, 10 do
    pick { 0 } -- neighbouring seeds begin alike
  end
  return pick
end

--- Options for a cluster of any kind, and parameters for a run of it: `time` (seconds), `rate` (operations a second
-- that clients ask for).
-- @tparam function pick as draw.of gives it
-- @tparam string mode
-- @treturn table
function draw.stock(pick, mode)
  local election = pick { { 0.150, 0.300 }, { 0.150, 0.300 }, { 0.100, 0.110 }, { 0.3, 0.9 } }
  local wide = pick { true, false, false } and mode == "sim" and election[1] >= 0.15 -- a network with slower links
  local options = {
    nodes = pick { 3, 3, 3, 4, 5, 5, 7 },
    pre_vote = pick { true, false },
    check_quorum = pick { true, true, false },
    election_collisions = pick { 0, 0, 0.3, 0.7 }, -- 1 would be split votes for ever
    election_timeout = election,
    link = wide and { delay = { 0.005, 0.030 } } or nil,
    window = pick { 1, 2, 8, 64 },
    max_entries = pick { 1, 3, 1000, 1000 },
    max_message = pick { 200, 4096, 65536 },
    max_inflight = pick { 1000, 524288 },
    max_uncommitted = pick { 2000, 67108864 },
    -- Small, so that followers fall behind the log all the time.
    snapshot_every = pick { math.huge, 3, 10, 30, 100 },
    snapshot_bytes = pick { math.huge, math.huge, 500, 5000 },
    clock_drift = pick { false, 0.05, 0.1, 0.5 } or nil,
    parameters = {
      time = mode == "sim" and pick { 2, 3, 4, 5, 5, 8, 12, 20, 30 } or pick { 5, 10 },
      rate = pick { 30, 100, 200, 200 },
    },
  }
  return options
end

return draw
