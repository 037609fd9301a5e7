-- The reference suite over real TCP connections, with plain Raft and with the defaults.
local reference = require "spec.support.reference"

local tests = {}
for _, profile in ipairs { "plain", "defaults" } do
  for name, test in pairs(reference.tests(profile, { mode = "tcp" })) do
    tests[name .. "_" .. profile] = test
  end
end
return tests
