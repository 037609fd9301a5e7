-- Mutants: each patch of spec/mutants puts one known Raft bug into a copy of src. Builds each copy, lets the stock
-- scenarios look for it, shows that the changed line ran, and prints a table.
--
--   make mutants                                       all of them, and the unmutated source first
--   make mutants MUTANTS="figure-8 none" SECONDS=10    some; at most so long for each sample of seeds
--   lua5.4 scripts/dev/mutants.lua --build-only figure-8
--
-- The table is also written to build/mutants/table.txt and table.json. Exit codes: 0; 1 if a mutant was not found, its
-- changed line never ran, or the unmutated source failed; 2 for wrong usage; 3 if one does not apply or build.
package.path = "./?.lua;lua/?.lua;" .. package.path
local argparse = require "argparse"
local cjson = require "cjson"
local output_of = require("scripts.dev.outputs").of
local quoted = require("raft.quote").word
local uv = require "luv"

local UNMUTATED = "none" -- a name like a mutant's
local SCENARIOS = { "scripts/chaos.lua", "scripts/minority.lua" } -- the stock ones
local SAMPLE_DISTANCE = 1000000 -- the seeds of two samples are never the same
local HANG_SECONDS = 30 -- of real time, for one seed
local SEEDS_TO_REACH = 20 -- of each scenario, until a changed line has run
local SHRINK_SECONDS = 120 -- of real time, at most
local FIRST_SLICE = 0.5 -- of real time, for each scenario's first turn

-- ---- files and commands -----------------------------------------------------------------------------------------

local function must(command, what)
  local said, fine = output_of(command)
  if not fine then
    io.stderr:write(("mutants: %s\n%s"):format(what, said))
    os.exit(3)
  end
end

local function read_file(path)
  local file = assert(io.open(path, "r"))
  local text = file:read "*a"
  file:close()
  return text
end

local function write_file(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- ---- patches ------------------------------------------------------------------------------------------------------

-- Its head (idea, section, breaks, needs) and the files that it changes.
local function read_patch(path)
  local patch = { head = {}, files = {} }
  for line in read_file(path):gmatch "([^\n]*)\n" do
    local file = line:match "^%+%+%+ b/(%S+)"
    local field, value = line:match "^(%l+): (.*)$"
    patch.files[#patch.files + 1] = file
    if #patch.files == 0 and field then
      patch.head[field] = value
    end
  end
  return patch
end

-- The lines of a file that are not as in src; where some were only removed, the line that follows. The patch does not
-- tell: it may have been applied further down than it says.
local function changed_lines(folder, path)
  local lines = {}
  local said = output_of(("diff -U0 %s %s"):format(quoted(path), quoted(folder .. "/" .. path)))
  for first, count in said:gmatch "\n@@ %-%S+ %+(%d+),?(%d*) @@" do
    first, count = tonumber(first), tonumber(count) or 1
    if count == 0 then -- behind the line `first`
      first, count = first + 1, 1
    end
    for at = first, first + count - 1 do
      lines[at] = true
    end
  end
  return lines
end

local function names_of(folder)
  local names = {}
  for path in output_of("ls " .. quoted(folder)):gmatch "[^\n]+" do
    names[#names + 1] = path:match "^(.*)%.patch$"
  end
  table.sort(names)
  return names
end

-- ---- builds -------------------------------------------------------------------------------------------------------

-- A folder with the sources (links, which `patch` breaks where it writes) and the objects, so that only what changed is
-- compiled. Changed files count how often each line runs (gcov), also in processes that end by abort.
local function make_build(options, name)
  local folder = options.build .. "/mutants/" .. name
  must(("rm -rf %s && mkdir -p %s/build"):format(quoted(folder), quoted(folder)), "cannot make " .. folder)
  must(("cp -al src Makefile %s/ && cp -a %s/src %s/raft %s/build/"):format(quoted(folder), quoted(options.build),
    quoted(options.build), quoted(folder)), "cannot copy the sources to " .. folder)
  if name == UNMUTATED then
    return folder
  end
  must(("patch -s -p1 -d %s < spec/mutants/%s.patch"):format(quoted(folder), name), name .. " does not apply")
  must(("cc -O2 -fPIC -c -o %s/build/leave.o scripts/dev/mutants/leave.c"):format(quoted(folder)),
    "scripts/dev/mutants/leave.c does not build")
  local make = "make -s -o Makefile -C %s all OPTIMIZE='-O2 -g --coverage' LDFLAGS='build/leave.o --coverage %s'"
  must(make:format(quoted(folder),
    "-Wl,--wrap=abort"), name .. " does not build")
  return folder
end

-- Whether one of the changed lines has run so far.
local function was_reached(folder, patch)
  for _, path in ipairs(patch.files) do
    local lines = changed_lines(folder, path)
    local objects = "build/" .. path:match "^(.*)/"
    local said = output_of(("cd %s && gcov -t -o %s %s"):format(quoted(folder), quoted(objects), quoted(path)))
    for count, line in said:gmatch "\n%s*(%d+)%*?:%s*(%d+):" do
      if lines[tonumber(line)] and count ~= "0" then
        return true
      end
    end
  end
  return false
end

local function run_seed(folder, scenario, seed)
  local run = "RAFTBENCH_BUILD=%s timeout %d scripts/raftbench run %s --mode sim --seed %d"
  return select(2, output_of(run:format(quoted(folder .. "/build"), HANG_SECONDS, scenario, seed)))
end

-- Whether one of the changed lines runs in the seed that failed, or in some others. The workers of a campaign are
-- killed at its end, which loses their counts, so that these seeds run once more; and whether the first failed again.
local function has_run(folder, patch, sample)
  local again = sample.failed and not run_seed(folder, sample.scenario, sample.seed)
  for seed = 1, SEEDS_TO_REACH do
    if was_reached(folder, patch) then
      return true, again
    end
    for _, scenario in ipairs(SCENARIOS) do
      run_seed(folder, scenario, seed)
    end
  end
  return was_reached(folder, patch), again
end

-- ---- looking for it -----------------------------------------------------------------------------------------------

local function seconds_since(start_ns)
  return (uv.hrtime() - start_ns) / 1e9
end

-- A campaign of one scenario on one core for so many seconds, at most; what it says of it (its --json).
local function fuzz(folder, scenario, first, seconds)
  local results = folder .. "/results.json"
  os.remove(results)
  local run = "RAFTBENCH_BUILD=%s scripts/raftbench fuzz %s --seeds %d..%d --jobs 1 --time %g --patience %d --no-shrink"
    .. " --json %s"
  local said = output_of(run:format(quoted(folder .. "/build"), scenario, first, first + SAMPLE_DISTANCE - 1, seconds,
    HANG_SECONDS, quoted(results)))
  local file = io.open(results, "r")
  if not file then
    io.stderr:write(("mutants: %s could not be run:\n%s"):format(scenario, said))
    os.exit(3)
  end
  file:close()
  return cjson.decode(read_file(results)).tally
end

-- The scenarios take turns, a little longer each time, until one fails or the time is over.
local function hunt(options, folder, first)
  local found = { seeds = 0, virtual = 0 }
  local start_ns, slice, done = uv.hrtime(), FIRST_SLICE, {}
  while not found.failed and seconds_since(start_ns) < options.seconds do
    for _, scenario in ipairs(SCENARIOS) do
      local left = math.max(0.1, options.seconds - seconds_since(start_ns))
      local tally = fuzz(folder, scenario, first + (done[scenario] or 0), math.min(slice, left))
      done[scenario] = (done[scenario] or 0) + tally.seeds
      found.seeds, found.virtual = found.seeds + tally.seeds, found.virtual + tally.time
      local finding = tally.findings[1]
      if finding then
        found.failed, found.scenario, found.seed = true, scenario, finding.seed
        found.property, found.key, found.text = finding.property, finding.key, finding.text
        break
      end
    end
    slice = slice * 1.5
  end
  found.real = seconds_since(start_ns)
  return found
end

-- What is left of it once it is as small as it can be; nil where that cannot be made small.
local function shrink(folder, sample)
  local run = "root=$PWD && cd %s && RAFTBENCH_BUILD=$PWD/build timeout %d $root/scripts/raftbench run $root/%s"
    .. " --mode sim --seed %d --shrink" -- the script that it writes goes with the folder
  local said = output_of(run:format(quoted(folder), SHRINK_SECONDS, sample.scenario, sample.seed))
  local from = said:match "\n  from (%d+) fault"
  local to, replays, seconds = said:match "\n  to +(%d+) faults?[^\n]-%((%d+) replays, ([%d.]+) s"
  if not to then -- the script itself, with few of its faults
    to, replays, seconds = said:match "\n  from %d+ faults? to (%d+) %((%d+) replays, ([%d.]+) s"
  end
  if not to then -- where only the script itself fails so
    to, replays, seconds = said:match "\n  from %d+ faults? to (%d+) %((%d+) replays, ([%d.]+) s"
  end
  return to and { from = tonumber(from), to = tonumber(to), replays = tonumber(replays), real = tonumber(seconds) }
end

local function try(options, name)
  local row = { name = name, samples = {} }
  local folder = make_build(options, name)
  local patch = name ~= UNMUTATED and read_patch("spec/mutants/" .. name .. ".patch") or nil
  row.section = patch and patch.head.section or ""
  for sample = 1, options.samples do
    row.samples[sample] = hunt(options, folder, options.seeds + (sample - 1) * SAMPLE_DISTANCE)
  end
  row.ran, row.again = true, true
  if patch then
    row.ran, row.again = has_run(folder, patch, row.samples[1])
    row.shrunk = options.shrink and row.samples[1].failed and shrink(folder, row.samples[1]) or nil
  end
  must("rm -rf " .. quoted(folder), "cannot remove " .. folder)
  return row
end

-- ---- the table ----------------------------------------------------------------------------------------------------

local function is_fine(row)
  for _, sample in ipairs(row.samples) do
    if (sample.failed or false) == (row.name == UNMUTATED) then
      return false
    end
  end
  return row.ran and (row.again or not row.samples[1].failed)
end

local function line_of(row)
  local parts = { ("%-30s"):format(row.name) }
  for _, sample in ipairs(row.samples) do
    parts[#parts + 1] = ("%-9s %4d seeds %7.1f s %6.1f s"):format(sample.failed and "found" or "not found",
      sample.seeds, sample.virtual, sample.real)
  end
  parts[#parts + 1] = not row.ran and "NEVER RAN" or nil
  parts[#parts + 1] = row.samples[1].failed and not row.again and "NOT AGAIN" or nil
  if row.shrunk then
    parts[#parts + 1] = ("%d to %d faults, %d replays in %.0f s "):format(row.shrunk.from, row.shrunk.to,
      row.shrunk.replays, row.shrunk.real)
  end
  for _, sample in ipairs(row.samples) do
    parts[#parts + 1] = sample.property
  end
  return table.concat(parts, "  ")
end

local function median_of(rows)
  local times = {}
  for _, row in ipairs(rows) do
    for _, sample in ipairs(row.name ~= UNMUTATED and row.samples or {}) do
      times[#times + 1] = sample.failed and sample.real or math.huge
    end
  end
  table.sort(times)
  return times[math.ceil(#times / 2)] or 0
end

local function report(options, rows)
  local lines, bad = {}, 0
  for _, row in ipairs(rows) do
    lines[#lines + 1] = line_of(row)
    bad = bad + (is_fine(row) and 0 or 1)
  end
  lines[#lines + 1] = ("%d of %d as expected; median %.1f s"):format(#rows - bad, #rows, median_of(rows))
  write_file(options.build .. "/mutants/table.txt", table.concat(lines, "\n") .. "\n")
  write_file(options.build .. "/mutants/table.json", cjson.encode(rows) .. "\n")
  print(lines[#lines])
  return bad == 0
end

-- ---- the command --------------------------------------------------------------------------------------------------

local function read_arguments()
  local parser = argparse("mutants.lua", "Builds known bugs into copies of the source and looks for them.")
  parser:argument("name", "of spec/mutants; \"none\" is the unmutated source (default: all, none first)"):args "*"
  parser:option("--seconds", "for each sample of seeds", 60):convert(tonumber)
  parser:option("--seeds", "the first seed", 1):convert(tonumber)
  parser:option("--samples", "how many samples of seeds", 2):convert(tonumber)
  parser:option("--build", "the folder of the unmutated build", "build")
  parser:flag("--shrink", "makes the first sample's failure small")
  parser:flag("--build-only", "leaves the builds in build/mutants/NAME/build and looks for nothing")
  return parser:parse()
end

local function main()
  local options = read_arguments()
  local names = options.name
  if #names == 0 then
    names = names_of "spec/mutants"
    table.insert(names, 1, UNMUTATED)
  end
  local rows = {}
  for at, name in ipairs(names) do
    if options.build_only then
      print(make_build(options, name) .. "/build")
    else
      rows[at] = try(options, name)
      print(line_of(rows[at]))
      io.stdout:flush()
    end
  end
  if not options.build_only and not report(options, rows) then
    os.exit(1)
  end
end

main()
