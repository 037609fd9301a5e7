-- Prints where a Lua module belongs so that this interpreter finds it: `places.lua c PREFIX` the folder for modules in
-- C, `places.lua lua PREFIX` the one for modules in Lua. It is the first place below PREFIX that the interpreter looks
-- in by itself; where it looks in none there, the customary one, and a line on standard error says what to set.

local kind, prefix = arg[1], arg[2]:gsub("/+$", "")
local path = kind == "c" and package.cpath or package.path
local variable = kind == "c" and "LUA_CPATH" or "LUA_PATH"
local ending = kind == "c" and "/?.so" or "/?.lua"
local version = _VERSION:match "%d+%.%d+"

for place in path:gmatch "[^;]+" do
  local folder = place:sub(-#ending) == ending and place:sub(1, -#ending - 1) or nil
  if folder and folder:sub(1, #prefix + 1) == prefix .. "/" then
    print(folder)
    os.exit(0)
  end
end
local folder = prefix .. (kind == "c" and "/lib" or "/share") .. "/lua/" .. version
local more = kind == "c" and "" or folder .. "/?/init.lua;"
io.stderr:write(("this Lua does not look below %s: set %s=\"%s%s;%s;\"\n"):format(prefix, variable, folder, ending,
  more))
print(folder)
