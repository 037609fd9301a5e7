-- What the specs of the command share: `raftbench` as a child process with piped input, its output and
-- its exit code.
local lu = require "luaunit"
local quote = require "raft.quote"

local M = {}

-- What this process was given to run in is not the child's business, but for what runs it.
local CLEAN = "env -u RAFTBENCH_MODE -u RAFTBENCH_SEED -u RAFTBENCH_SPEED -u RAFTBENCH_TRACE -u COLUMNS -u NO_COLOR"
local TIMEOUT_S = 120 -- a hang is a failure; far above what a sanitizer's build takes

function M.quote(word)
  return quote.word(tostring(word))
end

-- The first line that a shell command prints.
local function shell_line(text)
  local pipe = assert(io.popen(text, "r"))
  local line = pipe:read("*l")
  pipe:close()
  return line
end

function M.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
  return path
end

function M.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- Why a test of Ctrl-C in a script that computes is skipped there.
M.NO_INTERRUPT = "what LuaJIT has compiled looks at no signal: there it takes a second Ctrl-C"

-- The interpreter that runs this, with a space behind it; "" where that is not known.
function M.interpreter()
  local first = 0
  while arg and arg[first - 1] do
    first = first - 1
  end
  return first < 0 and M.quote(arg[first]) .. " " or ""
end

function M.lines(text)
  local list = {}
  for line in text:gmatch("([^\n]*)\n?") do
    list[#list + 1] = line
  end
  if list[#list] == "" then
    list[#list] = nil
  end
  return list
end

-- ---- a folder for a test ------------------------------------------------------------------------

-- Adds test_NAME: f(folder), an empty folder that goes with the test.
function M.add(tests, name, f)
  tests["test_" .. name] = function()
    local folder = assert(shell_line("mktemp -d"))
    local fine, problem = pcall(f, folder)
    os.execute("rm -rf " .. M.quote(folder))
    if not fine then
      error(problem, 0)
    end
  end
end

-- ---- running ------------------------------------------------------------------------------------

-- What a failed test leaves does not stay: it goes into the folder of the call, where the spec names none.
local function words_of(options, folder)
  local parts, is_kept = { M.interpreter() .. "scripts/raftbench" }, false
  for _, word in ipairs(options) do
    parts[#parts + 1] = M.quote(word)
    is_kept = is_kept or word == "--keep"
  end
  if options[1] == "test" and not is_kept then
    table.insert(parts, 3, "--keep " .. folder .. "/failed")
  end
  return table.concat(parts, " ")
end

local function environment(options)
  local parts = { CLEAN }
  for name, value in pairs(options.env or {}) do
    parts[#parts + 1] = name .. "=" .. M.quote(value)
  end
  return table.concat(parts, " ")
end

local function collect(folder, code)
  local result = { code = code, out = M.read(folder .. "/out"), err = M.read(folder .. "/err") }
  result.lines = M.lines(result.out)
  os.execute("rm -rf " .. M.quote(folder))
  return result
end

-- Runs { "run", "file.lua", input = text, env = { NAME = value } }: {code, out, err, lines of out}.
function M.run(options)
  local folder = assert(shell_line("mktemp -d"))
  M.write(folder .. "/in", options.input or "")
  local place = M.quote(folder)
  local code = shell_line(("%s timeout --foreground -k 10 %d %s <%s/in >%s/out 2>%s/err; echo $?"):format(
    environment(options), TIMEOUT_S, words_of(options, folder), place, place, place))
  return collect(folder, tonumber(code))
end

-- A child in the background has SIGINT ignored, which is not how a terminal starts it. The pipe stays open,
-- so that what ends the child is the signal and not the end of input.
-- (timeout passes signals on.)
local signal_script = [[
mkfifo "$1/in"
env --default-signal=INT %s timeout --foreground -k 10 %d %s <"$1/in" >"$1/out" 2>"$1/err" & child=$!
exec 3>"$1/in"
cat "$1/lines" >&3
looks=0
until grep -q -- "$2" "$1/out" "$1/err"; do
  looks=$((looks + 1))
  if [ $looks -gt 3000 ]; then
    kill -TERM $child
    wait $child
    echo "not seen"
    exit
  fi
  sleep 0.01
done
kill -$3 $child
wait $child
echo $?
]]

-- The same, but once what it prints has `seen` (a regular expression of grep) in it, the child gets a signal.
function M.run_until(options, seen, signal)
  local folder = assert(shell_line("mktemp -d"))
  M.write(folder .. "/lines", options.input or "")
  M.write(folder .. "/script", signal_script:format(environment(options), TIMEOUT_S,
    words_of(options, folder)))
  local answer = shell_line(("sh %s/script %s %s %s 2>/dev/null"):format(M.quote(folder), M.quote(folder),
    M.quote(seen), signal))
  local result = collect(folder, tonumber(answer))
  lu.assertNotNil(result.code, ("'%s' was not seen in:\n%s%s"):format(seen, result.out, result.err))
  return result
end

-- ---- assertions ---------------------------------------------------------------------------------

function M.assert_code(result, code)
  if result.code ~= code then
    lu.fail(("it ended with %s, not %d; it printed:\n%s%s"):format(tostring(result.code), code, result.out, result.err))
  end
  return result
end

-- A text for a message, which need not tell all of it.
local function clip(text)
  return #text > 8000 and text:sub(1, 8000) .. "\n..." or text
end

-- Each of the texts is in it.
function M.assert_has(text, ...)
  for _, part in ipairs { ... } do
    if not text:find(part, 1, true) then
      lu.fail(("there is no '%s' in:\n%s"):format(part, clip(text)))
    end
  end
end

function M.assert_lacks(text, ...)
  for _, part in ipairs { ... } do
    if text:find(part, 1, true) then
      lu.fail(("there is '%s' in:\n%s"):format(part, clip(text)))
    end
  end
end

function M.assert_match(text, pattern)
  if not text:find(pattern) then
    lu.fail(("'%s' does not match:\n%s"):format(pattern, clip(text)))
  end
end

return M
