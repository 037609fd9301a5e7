-- What the scenario specs share: a story told in both worlds, its options going through a list of variants.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"

local M = {}

local function by_name(map)
  local names = {}
  for name in pairs(map) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- Every combination of these values, as tables of options: vary { nodes = { 3, 5 }, pre_vote = { true, false } }.
function M.vary(choices)
  local list = { {} }
  for _, name in ipairs(by_name(choices)) do
    local longer = {}
    for _, before in ipairs(list) do
      for _, value in ipairs(choices[name]) do
        longer[#longer + 1] = clusters.merge(before, { [name] = value })
      end
    end
    list = longer
  end
  return list
end

-- One list after the other.
function M.join(...)
  local list = {}
  for _, part in ipairs { ... } do
    for _, options in ipairs(part) do
      list[#list + 1] = options
    end
  end
  return list
end

-- Adds test_NAME_sim, over many seeds, each with the variant whose turn it is, and test_NAME_tcp, with the run's
-- seed's variant. run(c, options).
function M.tell(tests, name, variants, run)
  if #variants == 0 then
    variants = { variants }
  end
  local function once(mode, seed)
    local options = clusters.merge(variants[(seed - 1) % #variants + 1], { mode = mode, name = name, seed = seed })
    clusters.with(options, function(c)
      run(c, options)
    end)
  end
  tests["test_" .. name .. "_sim"] = function()
    for seed = clusters.seed(), clusters.seed() + clusters.seed_count() - 1 do
      once("sim", seed)
    end
  end
  tests["test_" .. name .. "_tcp"] = function()
    once("tcp", clusters.seed())
  end
end

-- Stands for election, again where the term is one in which others have voted already, until it leads.
function M.make_leader(c, id)
  for _ = 1, 5 do
    c:campaign(id, { force = true })
    local fine = c:wait_until(function()
      return c:status(id).role ~= "candidate"
    end, 0.5)
    if fine and c:status(id).role == "leader" then
      return c:status(id).term
    end
  end
  lu.fail("node " .. id .. " was not elected")
end

-- The terms of a node's log, in order: { 1, 1, 2 }.
function M.terms_of(c, id)
  local terms = {}
  for index, entry in ipairs(c:log(id)) do
    terms[index] = entry.term
  end
  return terms
end

return M
