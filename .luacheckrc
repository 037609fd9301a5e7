-- 581: `not (x >= 0)` also refuses NaN, which `x < 0` does not.
ignore = { "581" }
std = "min"
max_line_length = 120
codes = true
files["spec"] = { std = "max" } -- they look for what some versions of Lua lack
files["lua/raft/command"] = { globals = { "arg" } }
files["lua/raft/fuzz"] = { globals = { "arg" } }
files["lua/raft/annotations"] = { unused = false, max_line_length = false } -- for editors: functions without bodies
files["lua/raft/test"] = { globals = { "arg" } }
files["scripts/raftbench"] = { std = "min" }
exclude_files = { "build*/" }
