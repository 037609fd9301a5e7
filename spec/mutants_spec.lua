-- Every mutant of spec/mutants applies to the sources as they are. That each builds, and is found, is for
-- `make mutants`; one of them is built here.
local lu = require "luaunit"

local ROOT = debug.getinfo(1, "S").source:match("^@(.*)spec/[^/]*$")
ROOT = ROOT == "" and "./" or ROOT

local tests = {}

local function quoted(path)
  return "'" .. path:gsub("'", "'\\''") .. "'"
end

local function output_of(command)
  local pipe = assert(io.popen(command .. " 2>&1; echo $?", "r"))
  local text = pipe:read "*a"
  pipe:close()
  local said, status = text:match "^(.-)(%d+)\n$"
  return said, status
end

local function patches()
  local paths = {}
  for path in output_of("ls " .. quoted(ROOT .. "spec/mutants")):gmatch "[^\n]+%.patch" do
    paths[#paths + 1] = ROOT .. "spec/mutants/" .. path
  end
  return paths
end

local function head_of(path)
  local head = {}
  for line in io.lines(path) do
    local field, value = line:match "^(%l+): (.*)$"
    if not field then
      break
    end
    head[field] = value
  end
  return head
end

local function changed_lines(path)
  local count = 0
  for line in io.lines(path) do
    if line:match "^[+-]" and not line:match "^%+%+%+ " and not line:match "^%-%-%- " then
      count = count + 1
    end
  end
  return count
end

function tests.test_EachPatchApplies()
  local paths = patches()
  lu.assertTrue(#paths > 20)
  for _, path in ipairs(paths) do
    local said, status = output_of(("patch --dry-run --force -p1 -d %s < %s"):format(quoted(ROOT), quoted(path)))
    lu.assertEquals(status, "0", path .. " does not apply:\n" .. said)
    lu.assertNil(said:match "fuzz", path .. " applies only by a guess: make it anew\n" .. said)
  end
end

function tests.test_EachPatchSaysWhatItIs()
  for _, path in ipairs(patches()) do
    local head = head_of(path)
    for _, field in ipairs { "idea", "section", "breaks", "needs" } do
      lu.assertNotNil(head[field], path .. " has no " .. field)
    end
    lu.assertTrue(changed_lines(path) > 0)
  end
end

return tests
