-- A scenario's options and parameters: what the seed draws, and what is held fast.
local lu = require "luaunit"
local raft = require "raft"
local scenario = require "raft.scenario"

local tests = {}

-- The options and parameters that a run of the scenario has, by the seed; `more` is set in the scenario.
local function drawn(seed, more)
  local seen
  local definition = {
    mode = "sim", seed = seed, parameters = { pace = "drawn", own = 7 },
    options = function(draw, mode)
      lu.assertEquals(mode, "sim")
      return {
        nodes = draw { 1, 2, 3, 4, 5 }, window = draw { 1, 2, 8, 64 },
        parameters = { pace = draw { 1, 2, 3 }, own = 8 },
      }
    end,
    run = function(c, options)
      lu.assertEquals(#c:ids(), options.nodes)
      seen = options
    end,
  }
  for name, value in pairs(more or {}) do
    definition[name] = value
  end
  scenario.run(definition, raft.cluster)
  return { seen.nodes, seen.window, seen.parameters.pace, seen.parameters.own }
end

function tests.test_TheSameSeedDrawsTheSame()
  for seed = 1, 5 do
    lu.assertEquals(drawn(seed), drawn(seed))
  end
end

function tests.test_OtherSeedsDrawOtherwise()
  local sizes, count = {}, 0
  for seed = 1, 30 do
    local nodes = drawn(seed)[1]
    count = count + (sizes[nodes] and 0 or 1)
    sizes[nodes] = true
  end
  lu.assertEquals(count, 5)
end

function tests.test_WhatIsSetIsNotDrawn()
  local free = drawn(3)
  local fixed = drawn(3, { nodes = 4, parameters = { pace = 9, own = 7 } })
  lu.assertEquals(fixed, { 4, free[2], 9, 7 })
  lu.assertEquals(free[4], 7)
end

function tests.test_TheDefaultSeedCountsWhereNoneIsGiven()
  local defaults = require "raft.defaults"
  local before = defaults.get "seed"
  defaults.set("seed", 5)
  local fine, list = pcall(drawn, nil)
  defaults.set("seed", before)
  lu.assertTrue(fine, list)
  lu.assertEquals(list, drawn(5))
end

-- What a run with the stock options has: nodes, pre_vote, window, snapshot_every and its time.
local function stock(seed, more)
  local seen
  local definition = {
    mode = "sim", seed = seed, options = "drawn", parameters = { time = "drawn", own = 7 },
    run = function(c, options)
      seen = { #c:ids(), options.pre_vote, options.window, options.snapshot_every, options.parameters.time }
      lu.assertEquals(options.parameters.own, 7)
    end,
  }
  for name, value in pairs(more or {}) do
    definition[name] = value
  end
  scenario.run(definition, raft.cluster)
  return seen
end

function tests.test_TheStockDrawing()
  local sizes = {}
  for seed = 1, 40 do
    local seen = stock(seed)
    sizes[seen[1]] = true
    lu.assertTrue(seen[5] >= 2 and seen[5] <= 30)
  end
  lu.assertEquals(sizes, { [3] = true, [4] = true, [5] = true, [7] = true })
  lu.assertEquals(stock(7), stock(7))
  lu.assertEquals(stock(7, { nodes = 2, window = 5 })[1], 2)
end

-- A lease needs a quorum that is asked: where that is off, none is drawn.
function tests.test_WhatIsSetTakesWhatDependsOnItAlong()
  for seed = 1, 20 do
    stock(seed, { check_quorum = false })
  end
end

-- What a scenario takes from the stock drawing it may change.
function tests.test_AFunctionMayChangeTheStockDrawing()
  local seen
  scenario.run({ mode = "sim", seed = 1, parameters = { time = "drawn" }, options = function(draw, mode, given)
    local options = given(draw, mode)
    options.nodes = 2
    return options
  end, run = function(c, options)
    seen = { #c:ids(), type(options.parameters.time) }
  end }, raft.cluster)
  lu.assertEquals(seen, { 2, "number" })
end

return tests
