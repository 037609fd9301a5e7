-- A node is kept by subject: what src/node/internal.h keeps in `struct work work;` is touched by work.c alone.
local lu = require "luaunit"

local HEADER = "src/node/internal.h"
local LIFE = { life = "node" } -- a subject whose file has another name

-- The members of struct node that are a subject's own: { work = true, ... }.
local function subjects_of(text)
  local body = text:match("\nstruct node {\n(.-)\n};")
  local subjects, count = {}, 0
  for kind, name in (body or ""):gmatch("struct ([%w_]+) ([%w_]+);") do
    if kind == name then
      subjects[name], count = true, count + 1
    end
  end
  return subjects, count
end

-- Lines of a file that touch what another file keeps.
local function judge(file, subjects, lines)
  local faults, number = {}, 0
  for line in lines do
    number = number + 1
    for subject in line:gmatch("node%->([%w_]+)") do
      if subjects[subject] and (LIFE[subject] or subject) ~= file then
        faults[#faults + 1] = ("src/node/%s.c:%d: node->%s is %s.c's own"):format(file, number, subject,
          LIFE[subject] or subject)
      end
    end
  end
  return faults
end

local function subjects()
  local file = assert(io.open(HEADER))
  local text = file:read "*a"
  file:close()
  return subjects_of(text)
end

local tests = {}

function tests.test_NoFileOfANodeTouchesAnothersStruct()
  local known, count = subjects()
  lu.assertTrue(count > 10, HEADER .. " has few subjects")
  local faults = {}
  local pipe = assert(io.popen("ls src/node/*.c"))
  for path in pipe:lines() do
    for _, fault in ipairs(judge(path:match("([^/]+)%.c$"), known, io.lines(path))) do
      faults[#faults + 1] = fault
    end
  end
  pipe:close()
  lu.assertEquals(table.concat(faults, "\n"), "")
end

function tests.test_ItFindsWhoDoes()
  local known = subjects_of("\nstruct node {\n  struct work work;\n  struct life life;\n  struct raft *raft;\n};\n")
  local function lines(text)
    return text:gmatch "[^\n]+"
  end
  lu.assertEquals(known, { work = true, life = true })
  lu.assertEquals(judge("work", known, lines "node->work.next = 1;\nnode->raft = NULL;"), {})
  lu.assertEquals(judge("node", known, lines "node->life.error[0] = 0;"), {})
  lu.assertEquals(judge("reads", known, lines "a;\nstruct work *work = &node->work;"),
    { "src/node/reads.c:2: node->work is work.c's own" })
end

return tests
