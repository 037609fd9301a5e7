-- The corpus of each fuzzer (spec/fuzz/corpus), replayed: nothing crashes, fails an assertion or (`make check-asan`)
-- is reported by a sanitizer. `make fuzz` looks for more.
local core = require("raft").core
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

-- The binding reads values of others, too, where no fuzzer comes: a command of nothing but opening arrays.
function tests.test_ACommandThatIsNestedTooDeeplyIsNone()
  local function command_of(depth)
    local text = ("x"):rep(depth)
    local message = core.message_encode { kind = "append", from = 2, to = 1, term = 1,
      entries = { { term = 1, command = text } } }
    local rest = message:sub(1, -#core.value_encode(text) - 1)
    local head = #core.value_encode(text) - depth
    return core.message_decode(rest .. ("\129"):rep(depth + head - 1) .. "\1").entries[1].command
  end
  lu.assertIsTable(command_of(99)) -- 100 with the head that makes room for one more
  for _, depth in ipairs { 100, 1000, 1000000 } do
    lu.assertNil(command_of(depth))
  end
end

return tests
