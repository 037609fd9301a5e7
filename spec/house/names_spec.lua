-- One style for the names of tests: test_WhatIsTrue, words run together, each with a capital; `_sim` or `_tcp` and
-- other variants behind an underscore. The tests of spec/scenarios_*_spec.lua bear the names of their scenarios.
local lu = require "luaunit"

local tests = {}

local function spec_files()
  local list, pipe = {}, assert(io.popen "find spec -name '*_spec.lua' | LC_ALL=C sort")
  for path in pipe:lines() do
    if not path:find "/scenarios_" then
      list[#list + 1] = path
    end
  end
  pipe:close()
  return list
end

local ways = {
  "^function tests[.:]test_([%w_]+)", "^tests%.test_([%w_]+) =", "^%s*[%w_.]*add%(tests, \"([%w_]+)\"",
  "^%s*add%(\"([%w_]+)\"", "^%s*[%w_.]*in_both%(tests, \"([%w_]+)\"",
}

function tests.test_TestsAreNamedInOneStyle()
  local odd, count = {}, 0
  for _, path in ipairs(spec_files()) do
    local file = assert(io.open(path))
    local text = file:read("*a"):gsub("%[(=*)%[.-%]%1%]", '""') -- without the specs that are written within strings
    file:close()
    for line in text:gmatch "[^\n]+" do
      for _, way in ipairs(ways) do
        local name = line:match(way)
        count = count + (name and 1 or 0)
        if name and not name:find "^%u" then
          odd[#odd + 1] = path .. ": " .. name
        end
      end
    end
  end
  lu.assertEquals(odd, {})
  lu.assertTrue(count > 500, count .. " names were found")
end

return tests
