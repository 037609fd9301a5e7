-- scripts/demo.lua, which `make demo` runs: its story, and the stretch of its diagram that it ends with.
local lu = require "luaunit"
local command = require "spec.support.command"
local display = require "raft.view.display"

local tests = {}

for _, mode in ipairs { "sim", "tcp" } do
  tests["test_TheStoryAndItsMostTellingSecond_" .. mode] = function()
    local result = command.assert_code(command.run { "run", "scripts/demo.lua", "--mode", mode,
      env = { COLUMNS = "100" } }, 0)
    command.assert_has(result.out, "is elected, in term 1", "The leader is cut off", "The minority's write is gone",
      "All that was promised held")
    local excerpt = result.out:match "(From the cut of the leader to its return.*)$"
    lu.assertNotNil(excerpt)
    command.assert_has(excerpt, "▶ disconnect(", "LEADER t2", "▶ reconnect(", "removes ")
    command.assert_lacks(excerpt, "crash", "VERDICT", "more lines")
    lu.assertTrue(#result.lines < 80, #result.lines .. " lines")
    for _, line in ipairs(command.lines(excerpt)) do
      lu.assertTrue(display.width(line) <= 100, line)
    end
  end
end

return tests
