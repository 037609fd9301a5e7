-- The reference suite: 23 scenarios by their names, written as a user's script would be. Each is
-- run(c, plain); plain: without pre-vote and check-quorum, which the assertions on terms need.
local lu = require "luaunit"
local clusters = require "spec.support.clusters"
local elections = require "spec.support.reference_elections"
local commits = require "spec.support.reference_commits"
local members = require "spec.support.reference_members"

local M = {}

local profiles = {
  plain = { pre_vote = false, check_quorum = false },
  defaults = {},
}

local function add(tests, options, profile, scenarios)
  for _, scenario in ipairs(scenarios) do
    tests["test_" .. scenario.name] = function()
      local all = clusters.merge(options, profiles[profile], scenario.options,
        { nodes = scenario.nodes or 3, name = scenario.name })
      clusters.over_seeds(all, function(c)
        scenario.run(c, profile == "plain")
      end)
    end
  end
end

-- The 23 tests with a profile ("plain" or "defaults") and further options of the cluster.
function M.tests(profile, options)
  lu.assertNotNil(profiles[profile])
  local tests = {}
  for _, scenarios in ipairs { elections, commits, members } do
    add(tests, options, profile, scenarios)
  end
  return tests
end

return M
