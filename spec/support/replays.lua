-- Runs a fuzzer with the plain main that `make replays` gives it.
local lu = require "luaunit"
local quote = require "raft.quote"

local replays = {}

replays.quoted = quote.word

function replays.lines_of(command)
  local pipe = assert(io.popen(command, "r"))
  local lines = {}
  for line in pipe:lines() do
    lines[#lines + 1] = line
  end
  pipe:close()
  return lines
end

-- `make` puts them beside the module.
local function folder()
  local module = (package.searchpath or function() end)("raft.core", package.cpath)
  return (module and module:match("^(.*)/raft/[^/]*$") or os.getenv("RAFTBENCH_BUILD") or "build") .. "/replay"
end

-- What the fuzzer of this name said of these inputs, as the shell takes them; the test fails where it ended badly.
function replays.run(name, inputs)
  local replay = folder() .. "/" .. name
  local file = io.open(replay, "rb")
  if not file then
    lu.skip("not built: make replays")
  end
  file:close()
  local said = replays.lines_of(replays.quoted(replay) .. " " .. inputs .. " 2>&1; echo $?")
  local status = table.remove(said)
  if status ~= "0" then
    lu.fail(("it ended with status %s\n%s"):format(status, table.concat(said, "\n", math.max(1, #said - 40))))
  end
  return said
end

return replays
