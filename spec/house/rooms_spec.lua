-- The rooms of src/ use each other as the table in src/README.md says: a room uses only rooms on lower floors, by their
-- public headers, and each library has the rooms that may use it. Scripts reach C through require "raft" only.
local lu = require "luaunit"

-- A room and the rooms it may use.
local may_use = {
  base = "",
  trace = "base",
  raft = "base",
  cores = "base raft",
  world = "base trace",
  machine = "base",
  store = "base world raft",
  node = "base trace raft world machine store",
  sim = "base trace world",
  real = "base trace world",
  check = "base trace raft",
  request = "base trace raft world machine store node",
  process = "base trace raft world machine store node real",
  cluster = "base trace raft world machine store node request sim real check process",
  workload = "base trace raft world machine store node request check cluster",
  embed = "base trace raft world machine store node request real",
  bench = "base trace raft cores world machine store node request sim real check",
  lua = "base trace raft cores world machine store node request sim real check process cluster workload embed bench",
}

-- A header that is not ours, and the only rooms that may include it.
local only_in = {
  ["lua.h"] = "lua", ["lauxlib.h"] = "lua", ["histedit.h"] = "lua", ["lualib.h"] = "lua",
  ["luaconf.h"] = "lua", ["uv.h"] = "real bench",
}

-- What the pure core never includes.
local impure = {
  ["uv.h"] = true, ["unistd.h"] = true, ["time.h"] = true, ["stdio.h"] = true,
  ["fcntl.h"] = true, ["pthread.h"] = true, ["errno.h"] = true, ["math.h"] = true,
}

local function contains(words, word)
  return (" " .. words .. " "):find(" " .. word .. " ", 1, true) ~= nil
end

-- What is wrong with a room including this header of ours; nil: nothing.
local function problem_of_ours(room, header)
  local other, file = header:match("^([^/]+)/(.+)$")
  if not other then
    return nil -- beside the file: its own room
  elseif not may_use[other] then
    return ('"%s": there is no room "%s"'):format(header, other)
  elseif other ~= room and not contains(may_use[room], other) then
    return ("%s/ may not use %s/"):format(room, other)
  elseif other ~= room and file ~= other .. ".h" then
    return ('"%s": enter %s/ by its public header %s/%s.h'):format(header, other, other, other)
  end
end

local function problem_of_others(room, header)
  if only_in[header] and not contains(only_in[header], room) then
    return ("only %s/ may include <%s>"):format(only_in[header], header)
  elseif room == "raft" and impure[header] then
    return ("raft/ is pure: it may not include <%s>"):format(header)
  end
end

-- The faults that `judge(path, line)` finds in the lines of the files that a command lists.
local function faults_in(command, judge)
  local faults, files = {}, 0
  local pipe = assert(io.popen(command))
  for path in pipe:lines() do
    local number = 0
    files = files + 1
    for line in io.lines(path) do
      number = number + 1
      local problem = judge(path, line)
      if problem then
        faults[#faults + 1] = ("%s:%d: %s"):format(path, number, problem)
      end
    end
  end
  pipe:close()
  lu.assertTrue(files > 0, command)
  return table.concat(faults, "\n")
end

local function judge_include(path, line)
  local room = path:match("^src/([^/]+)/")
  if not room or not may_use[room] then
    return "not in a room of src/"
  end
  local ours = line:match('^%s*#%s*include%s+"([^"]+)"')
  local others = line:match("^%s*#%s*include%s+<([^>]+)>")
  return ours and problem_of_ours(room, ours) or others and problem_of_others(room, others) or nil
end

-- room → floor, by the table of floors in src/README.md.
local function floors_of(lines)
  local floors = {}
  for line in lines do
    local floor, rooms = line:match "^| (%d) | (.*) |$"
    for room in (rooms or ""):gmatch "`([%w_]+)/`:" do
      floors[room] = tonumber(floor)
    end
  end
  return floors
end

local tests = {}

function tests.test_TheTableOfFloorsAgrees()
  local floors, faults = floors_of(io.lines "src/README.md"), {}
  for room, used in pairs(may_use) do
    for other in used:gmatch "%S+" do
      if not floors[room] or not floors[other] or floors[other] >= floors[room] then
        faults[#faults + 1] = ("%s/ (floor %s) may use %s/ (floor %s)"):format(room, tostring(floors[room]), other,
          tostring(floors[other]))
      end
    end
  end
  for room in pairs(floors) do
    faults[#faults + 1] = not may_use[room] and ("src/README.md: there is no room %s/"):format(room) or nil
  end
  table.sort(faults)
  lu.assertEquals(table.concat(faults, "\n"), "")
end

function tests.test_RoomsUseOnlyRoomsBelow()
  lu.assertEquals(faults_in("find src -name '*.[ch]' | sort", judge_include), "")
end

function tests.test_TheRuleItselfFindsWhatBreaksIt()
  lu.assertStrContains(judge_include("src/raft/log.c", '#include "node/node.h"'), "raft/ may not use node/")
  lu.assertStrContains(judge_include("src/raft/log.c", "#include <time.h>"), "is pure")
  lu.assertStrContains(judge_include("src/node/node.c", '#include "raft/internal.h"'), "by its public header")
  lu.assertStrContains(judge_include("src/node/node.c", "#include <lua.h>"), "only lua/")
  lu.assertNil(judge_include("src/node/node.c", '#include "raft/raft.h"'))
end

function tests.test_ScriptsReachTheModuleByRequireRaft()
  lu.assertEquals(faults_in("find scripts spec -name '*.lua' | sort", function(_, line)
    return line:find("require[%s%(]*[\"']raft%.core[\"']") and 'use require("raft").core' or nil
  end), "")
end

return tests
