-- Every mutant of spec/mutants applies to the sources as they are. That each builds, and is found, is for
-- `make mutants`; one of them, by the seed, is built here, and the stock scenarios find an easy one.
local defaults = require "raft.defaults"
local lu = require "luaunit"
local output_of = require("scripts.dev.outputs").of
local quoted = require("raft.quote").word

local ROOT = debug.getinfo(1, "S").source:match("^@(.*)spec/[^/]*$")
ROOT = ROOT == "" and "./" or ROOT

local tests = {}

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
    -- Without the sanitizers' libraries: it is not our program.
    local dry = "env -u LD_PRELOAD patch --dry-run --force -p1 -d %s < %s"
    local said, _, status = output_of(dry:format(quoted(ROOT), quoted(path)))
    lu.assertEquals(status, 0, path .. " does not apply:\n" .. said)
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

-- Its build, below that of the unmutated source.
local function build(name)
  lu.skipIf(os.getenv("RAFTBENCH_BUILD") ~= nil or rawget(_G, "jit") ~= nil or _VERSION ~= "Lua 5.4",
    "mutants are built for Lua 5.4, without sanitizers")
  local make = "cd %s && lua5.4 scripts/dev/mutants.lua --build-only %s"
  local said, _, status = output_of(make:format(quoted(ROOT), name))
  lu.assertEquals(status, 0, said)
  return said:match "([^\n]+)\n$"
end

local function remove(folder)
  output_of(("cd %s && rm -rf %s"):format(quoted(ROOT), quoted(folder:match "^(.*)/build$")))
end

function tests.test_OneOfThemBuilds()
  local paths = patches()
  local path = paths[(defaults.get("seed") or 1) % #paths + 1]
  remove(build(path:match "([^/]+)%.patch$"))
end

function tests.test_AnEasyOneIsFound()
  local folder = build "vote-twice"
  local said, _, status = output_of(("cd %s && RAFTBENCH_BUILD=%s scripts/raftbench run scripts/minority.lua --mode sim"
    .. " --set nodes=5 --set election_collisions=0.7 --set pre_vote=false"):format(quoted(ROOT), quoted(folder)))
  remove(folder)
  lu.assertEquals(status, 1)
  lu.assertStrContains(said, "one vote in a term is violated")
end

return tests
