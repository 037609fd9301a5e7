--- The bug that the tour catches and makes small: what `raftbench fuzz` and `run --shrink` do, on raft.tour.forgets.
-- @module raft.tour.bug

local shrink = require "raft.shrink"
local plans = require "raft.shrink.plan"
local one = require "raft.fuzz.one"

local bug = {}

local REPLAYS = 120 -- enough for this one

--- The scenario's file.
bug.path = ((debug.getinfo(1, "S").source:match "^@(.*)bug%.lua$" or "") .. "forgets.lua"):gsub("[^/.]+/%.%./", "")

--- Runs it under seeds until one fails.
-- @tparam table variables `seed` is set to that
-- @treturn table lines
function bug.find(variables)
  local report = assert(require("raft.fuzz").run { scenario = bug.path, seeds = 100, jobs = 1 })
  local finding = report.findings[1]
  variables.seed = finding.seed
  return {
    ("FOUND: %s (seed %d, after %.3f virtual s)"):format(finding.property, finding.seed, finding.time),
    (finding.text:match "[^\n]+":gsub("^[^\n]-:%d+: ", "")),
  }
end

--- Makes the run small.
-- @tparam table variables `found` is set to what raft.shrink found
-- @treturn table lines
function bug.shrink(variables)
  local found = assert(shrink.run {
    run = function(events_most)
      local given = { file = bug.path, seed = variables.seed, settings = {}, events_most = events_most }
      return assert(one.run(given)).failure
    end,
    is_scenario = true, replays = REPLAYS,
  })
  variables.found = found
  local lines = {
    ("from %s"):format(plans.words(found.before)),
    ("to   %s (%d replays)"):format(plans.words(found.plan), found.replays), "What led to it:",
  }
  for _, event in ipairs(found.events) do
    lines[#lines + 1] = "  " .. event
  end
  return lines
end

--- The calls of the script that came of it.
-- @tparam table variables with `found`
-- @treturn table lines
function bug.script(variables)
  local lines, inside = { "…" }, false
  for line in variables.found.script:gmatch "[^\n]+" do
    inside = inside or line:find "^at%(" ~= nil
    if inside then
      lines[#lines + 1] = line
    end
  end
  return lines
end

return bug
