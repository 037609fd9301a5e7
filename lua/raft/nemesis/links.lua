--- Bad links: lossy, slow, repeating; answers that come late or never.
-- @module raft.nemesis.links

local arguments = require "raft.arguments"
local pick = require "raft.nemesis.pick"

local links = {}

local fault_names = { "drop", "duplicate", "reorder", "delay", "bandwidth", "cut" }

local function is_end(value)
  return type(value) == "number" or value == "*" or value == "client" or value == "target"
end

local link_options = { from = { 'an id, "*", "client" or "target"', is_end }, to = { "the same", is_end },
  target = true }
for _, name in ipairs(fault_names) do
  link_options[name] = { "as c:link has it", function() return true end }
end

-- Links with just these faults; "target" is the node that is drawn.
links.link = {
  options = link_options,
  check = function(given)
    local faults = {}
    for _, name in ipairs(fault_names) do
      faults[name] = given[name]
    end
    if next(faults) == nil then
      arguments.raise("bad argument 'options' (the fault 'link' needs one of %s)", table.concat(fault_names, ", "))
    end
    arguments.link("link", faults)
    return faults
  end,
  start = function(c, given)
    local faults = {}
    for _, name in ipairs(fault_names) do
      faults[name] = given[name]
    end
    local target = (given.from == "target" or given.to == "target") and pick.target(c, given.target)
    local from = given.from == "target" and target or given.from or "*"
    local to = given.to == "target" and target or given.to or "*"
    c:link(from, to, faults)
  end,
}

-- All links between nodes lose, repeat, reorder and delay, each by a chance of its own.
links.flaky_links = {
  options = {},
  start = function(c)
    local stream = c.nemesis.stream
    c:link("*", "*", {
      drop = stream:random() * 0.3, duplicate = stream:random() * 0.3, reorder = stream:random() * 0.5,
      delay = { 0, stream:random() * 0.1 },
    })
  end,
}

-- What one node sends passes a thin and long line.
links.slow_link = {
  options = { target = true },
  start = function(c, given)
    local stream = c.nemesis.stream
    c:link(pick.target(c, given.target), "*", {
      bandwidth = stream:random(1000, 100000), delay = stream:random() * 0.5,
    })
  end,
}

-- Answers, or all that one node sends, come when another leads.
links.late_answers = {
  options = { target = true, delay = { "seconds or {min, max}", "interval" } },
  start = function(c, given)
    local delay = pick.between(c.nemesis, given.delay or { 0.2, 1.7 })
    if pick.chance(c.nemesis, 0.5) then
      c:link("*", "client", { delay = { 0, delay } })
    else
      c:link(pick.target(c, given.target), "*", { delay = { delay / 2, delay } })
    end
  end,
}

-- Requests of clients are lost and repeated, and their answers are lost.
links.lost_answers = {
  options = {},
  start = function(c)
    local stream = c.nemesis.stream
    c:link("client", "*", { drop = stream:random() * 0.3, duplicate = stream:random() * 0.5 })
    c:link("*", "client", { drop = stream:random() * 0.5, delay = { 0, stream:random() * 0.2 } })
  end,
}

-- Clients' requests arrive again and again, the copies late.
links.repeated_requests = {
  options = {},
  start = function(c)
    local stream = c.nemesis.stream
    c:link("client", "*", { duplicate = 0.3 + stream:random() * 0.7, delay = { 0, stream:random() * 0.5 } })
  end,
}

-- All that is on its way from one node to another is lost for a while, and the connection stays: a whole window.
links.lost_window = {
  options = { target = true, length = { "seconds or {min, max}", "interval" } },
  start = function(c, given)
    local from = pick.target(c, given.target or "leader")
    local to = pick.chance(c.nemesis, 0.5) and "*" or pick.target(c, "any")
    if to == from then
      to = "*"
    end
    c:link(from, to, { drop = 1 })
    c:sleep(pick.between(c.nemesis, given.length or { 0.02, 0.3 }))
    c:link(from, to, nil)
  end,
}

return links
