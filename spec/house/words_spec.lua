-- Messages and comments use the field's terms. These phrases were replaced once and must not come back.
local lu = require "luaunit"

-- A pattern and what to write in its place.
local replaced = {
  { "that is none[%p%s]", "malformed" },
  { "where it is none[%p%s]", "if it is not one" },
  { "is no hello", "is not a hello" },
  { "were not told", "were left out" },
  { "not lead any more", "no longer leads" },
  { "goes? by the members", "uses the members" },
  { "goe?s? on living", "keeps running" },
  { "lives on while", "keeps running while" },
  { "is felled", "is crashed" },
  { "something odd from", "something from outside was refused" },
  { "somebody unknown", "an unknown peer" },
  { "%f[%w_]%w*_?bury%f[^%w_]", "free later" },
  { "%f[%w_]%w*_?mourn%f[^%w_]", "what it does" },
  { "%f[%w_]leave_office%f[^%w_]", "step_down_after_removal" },
}

-- What to change in one line; nil: nothing.
local function judge(line)
  for _, pair in ipairs(replaced) do
    local found = line:match(pair[1])
    if found then
      return ("'%s': write '%s'"):format(found, pair[2])
    end
  end
end

local tests = {}

function tests.test_NoReplacedPhraseComesBack()
  local faults, count = {}, 0
  local pipe = assert(io.popen("find src lua scripts spec README.md -name '*.[ch]' -o -name '*.lua' -o -name '*.md'"))
  for path in pipe:lines() do
    local number = 0
    count = count + 1
    for line in io.lines(path) do
      number = number + 1
      local problem = path ~= "spec/house/words_spec.lua" and judge(line)
      faults[#faults + 1] = problem and ("%s:%d: %s"):format(path, number, problem) or nil
    end
  end
  pipe:close()
  lu.assertTrue(count > 100)
  table.sort(faults)
  lu.assertEquals(table.concat(faults, "\n"), "")
end

function tests.test_TheRuleItselfFindsAPhrase()
  lu.assertStrContains(judge("/* a request that is none */"), "malformed")
  lu.assertStrContains(judge("void real_bury(struct real *real);"), "free later")
  lu.assertNil(judge("/* NULL: there is none */"))
end

return tests
