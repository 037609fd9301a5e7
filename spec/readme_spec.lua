-- The README's first screens: its scripts do what it says, and its picture is that of the run that it tells of.
local lu = require "luaunit"
local command = require "spec.support.command"

local tests = {}

local text = command.read "README.md"

-- The README's script of a name, in a folder.
local function script(folder, name)
  local block = text:match("```lua\n(%-%- " .. name:gsub("%.", "%%.") .. ".-)```\n")
  lu.assertNotNil(block, name)
  return command.write(folder .. "/" .. name, block)
end

-- What it says that a command prints: the lines behind it.
local function printed(line)
  local _, last = text:find("$ scripts/raftbench " .. line .. "\n", 1, true)
  lu.assertNotNil(last, line)
  return text:match("^(.-)%f[$`]", last + 1)
end

command.add(tests, "TheFirstScript", function(folder)
  local result = command.assert_code(command.run { "run", script(folder, "first.lua") }, 0)
  lu.assertEquals(result.out, printed "run first.lua")
  for _, ending in ipairs { "txt", "html", "svg" } do
    local trace = folder .. "/first.trace"
    command.assert_code(command.run { "run", folder .. "/first.lua", "--trace", trace }, 0)
    command.assert_code(command.run { "view", trace, "-o", folder .. "/first." .. ending }, 0)
  end
  command.assert_code(command.run { "run", folder .. "/first.lua", "--mode", "tcp" }, 0)
end)

command.add(tests, "TheSpec", function(folder)
  local result = command.run { "test", script(folder, "first_spec.lua"), "--seeds", "20" }
  command.assert_has(command.assert_code(result, 0).out, "20 passed, 0 failed, 0 skipped")
end)

-- Apart from seconds of this machine, and how often shrinking tried.
local function without_time(line)
  return (line:gsub("[%d.]+ s%)", "s)"):gsub("%d+ replays", "replays"))
end

command.add(tests, "TheBugIsCaughtAndMadeSmall", function(folder)
  script(folder, "sum.lua")
  local line = "root=$PWD; cd %s && %s$root/scripts/raftbench fuzz sum.lua 2>&1; echo \"[$?]\""
  local pipe = io.popen(line:format(folder, command.interpreter()), "r")
  local out = without_time(pipe:read "*a")
  pipe:close()
  local said = printed "fuzz sum.lua"
  for one in said:gmatch "[^\n]+" do
    if one ~= "…" then
      command.assert_has(out, (without_time(one):gsub(": scripts/raftbench.*", "")))
    end
  end
  command.assert_has(out, "[1]")
  -- The causes are those of a looser run than the one that is shown, which is said.
  command.assert_has(out, "those of the same run with its elections and delays left to chance")
  command.assert_has(command.assert_code(command.run { "run", folder .. "/repro-sum-1.lua" }, 1).err,
    "machines answer alike")
end)

-- Where this fails because it is drawn otherwise now: scripts/raftbench run scripts/picture.lua makes it anew.
command.add(tests, "ThePicture", function(folder)
  command.assert_has(text, "(scripts/picture.svg)")
  local path = folder .. "/picture.svg"
  command.assert_code(command.run { "run", "scripts/picture.lua", "--set", "parameters.svg=" .. path }, 0)
  local drawn, kept = command.read(path), command.read "scripts/picture.svg"
  if rawget(_G, "jit") then -- its rounding of a last digit is its own
    drawn, kept = drawn:gsub("%d+%.?%d*", "#"), kept:gsub("%d+%.?%d*", "#")
  end
  if drawn ~= kept then
    lu.fail "scripts/picture.svg is not what scripts/picture.lua draws: scripts/raftbench run scripts/picture.lua"
  end
end)

return tests
