-- Spec files that the specs of `raftbench test` run.
local M = {}

-- Two tests pass, two fail, one is skipped.
M.of_each_kind = [[
local lu = require "luaunit"
local tests = {}
function tests.test_passes() lu.assertEquals(1, 1) end
function tests.test_fails()
  lu.assertEquals("one", "two")
end
function tests.test_raises()
  error("boom")
end
function tests.test_is_skipped() lu.skip("not today") end
function tests.test_ends_early() lu.success() end
return tests
]]

-- Twelve tests that print in which order and under which seed they run.
M.many = [[
local tests = {}
for i = 1, 12 do
  tests["test_" .. i] = function()
    print("RAN " .. i .. " " .. math.random(1000000) .. " " .. require("raft.defaults").get("seed"))
  end
end
return tests
]]

return M
