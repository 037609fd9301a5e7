-- Long files hold more than one subject, long functions more than one thought: what is over the limit fails. What is
-- made of other files, or lists what they have (the annotations for editors), may be as long as those.
local lu = require "luaunit"

local FILE_LINES_MAX = 500
local FUNCTION_LINES_MAX = 60 -- the wish is 40
local COLUMNS_MAX = 120 -- of the page's files, which no formatter looks at

-- A function's body stands between lines that begin with its opening and its closing mark.
local marks = {
  c = { opens = "^{", closes = "^}", named_before = true },
  lua = { opens = "^l?o?c?a?l? ?function ", closes = "^end" },
}

local function measure(path, lines)
  local mark = path:find("%.[ch]$") and marks.c or marks.lua
  local faults, number, start, name, before = {}, 0, nil, nil, ""
  for line in lines do
    number = number + 1
    if line:find(mark.opens) then
      start, name = number, mark.named_before and before or line
    elseif start and line:find(mark.closes) then
      if number - start + 1 > FUNCTION_LINES_MAX then
        faults[#faults + 1] = ("%s:%d: %s has %d lines, more than %d"):format(path, start, name:gsub("%s*[({].*", ""),
          number - start + 1, FUNCTION_LINES_MAX)
      end
      start = nil
    end
    before = line:find("^%S") and line or before
  end
  if number > FILE_LINES_MAX then
    faults[#faults + 1] = ("%s: the file has %d lines, more than %d"):format(path, number, FILE_LINES_MAX)
  end
  return faults
end

local tests = {}

function tests.test_FilesAndFunctionsAreShort()
  local all = {}
  local pipe = assert(io.popen("find src lua spec scripts -name '*.[ch]' -o -name '*.lua' | sort"))
  for path in pipe:lines() do
    local is_list = path:find("^lua/raft/annotations/")
    for _, fault in ipairs(is_list and {} or measure(path, io.lines(path))) do
      all[#all + 1] = fault
    end
  end
  pipe:close()
  lu.assertEquals(table.concat(all, "\n"), "")
end

-- And each of its scripts opens with what it is for.
function tests.test_FilesOfThePageAreShort()
  local pipe = assert(io.popen "find lua/raft/view/page -name '*.js' -o -name '*.css' | sort")
  local faults, count = {}, 0
  for path in pipe:lines() do
    local number = 0
    for line in io.lines(path) do
      number = number + 1
      if number == 1 and not line:find "^/%*" then
        faults[#faults + 1] = path .. ": it does not open with what it is for"
      elseif path:find "js$" and select(2, line:gsub("[^\128-\191]", "")) > COLUMNS_MAX then
        faults[#faults + 1] = ("%s:%d: more than %d columns"):format(path, number, COLUMNS_MAX)
      end
    end
    count = count + 1
    if number > FILE_LINES_MAX then
      faults[#faults + 1] = ("%s: %d lines, more than %d"):format(path, number, FILE_LINES_MAX)
    end
  end
  pipe:close()
  lu.assertTrue(count > 10, "they are found")
  lu.assertEquals(table.concat(faults, "\n"), "")
end

function tests.test_TheRuleItselfFindsALongFunction()
  local text = "int f(void)\n{\n" .. ("    x++;\n"):rep(59) .. "}\n"
  lu.assertEquals(#measure("a.c", text:gmatch "[^\n]+"), 1)
  lu.assertEquals(#measure("a.c", (text:gsub("    x%+%+;\n", "", 1)):gmatch "[^\n]+"), 0)
end

return tests
