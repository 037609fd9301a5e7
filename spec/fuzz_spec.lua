-- The corpus of each fuzzer (spec/fuzz/corpus), replayed: nothing crashes, fails an assertion or (`make check-asan`)
-- is reported by a sanitizer. `make fuzz` looks for more.
local core = require("raft").core
local lu = require "luaunit"
local replays = require "spec.support.replays"

local tests = {}

local here = debug.getinfo(1, "S").source:match("^@(.*)_spec%.lua$")
for _, source in ipairs(replays.lines_of("ls " .. replays.quoted(here) .. "/*.c")) do
  local name = source:match("([^/]+)%.c$")
  tests["test_TheCorpusOf_" .. name] = function()
    -- It says each input's name before it runs it.
    lu.assertTrue(#replays.run(name, replays.quoted(here) .. "/corpus/" .. name .. "/*") > 0)
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
