-- What the fuzzers found of use, replayed: each parser takes its whole corpus (spec/fuzz/corpus), and nothing
-- crashes, fails an assertion, or (`make check-asan`) displeases a sanitizer. `make fuzz` looks for more.
local lu = require "luaunit"

local tests = {}

local function quoted(path)
  return "'" .. path:gsub("'", "'\\''") .. "'"
end

local function lines_of(command)
  local pipe = assert(io.popen(command, "r"))
  local lines = {}
  for line in pipe:lines() do
    lines[#lines + 1] = line
  end
  pipe:close()
  return lines
end

-- `make` puts the fuzzers with a plain main beside the module.
local function folder_of_replays()
  local module = (package.searchpath or function() end)("raft.core", package.cpath)
  return (module and module:match("^(.*)/raft/[^/]*$") or os.getenv("RAFTBENCH_BUILD") or "build") .. "/replay"
end

local here = debug.getinfo(1, "S").source:match("^@(.*)_spec%.lua$")
for _, source in ipairs(lines_of("ls " .. quoted(here) .. "/*.c")) do
  local name = source:match("([^/]+)%.c$")
  tests["test_TheCorpusOf_" .. name] = function()
    local replay = folder_of_replays() .. "/" .. name
    local file = io.open(replay, "rb")
    if not file then
      lu.skip("not built: make replays")
    end
    file:close()
    local corpus = quoted(here) .. "/corpus/" .. name .. "/*"
    local said = lines_of(quoted(replay) .. " " .. corpus .. " 2>&1; echo $?")
    local status = table.remove(said)
    if status ~= "0" then
      -- It says each input's name before it runs it.
      lu.fail(("it ended with status %s\n%s"):format(status, table.concat(said, "\n", math.max(1, #said - 40))))
    end
    lu.assertTrue(#said > 0)
  end
end

return tests
