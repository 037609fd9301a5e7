-- The reference suite where each node is a process of its own, but for the scenario whose nodes answer by functions of
-- the script.
local tests = require("spec.support.reference").tests("defaults", { mode = "process" })
tests.test_ServerClient = nil
return tests
