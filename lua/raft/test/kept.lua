--- The traces and pages of failed tests, in a folder: of each kind of failure the first one, and at most so many.
--
-- A file `.kept` in the folder names what was written, so that the next run removes that and nothing else. It decides
-- no test's outcome: what cannot be written is told, once.
-- @module raft.test.kept

local core = require "raft.core"
local files = require "raft.files"
local forms = require "raft.view.forms"
local groups = require "raft.test.groups"
local histories = require "raft.view.histories"
local open = require "raft.open"
local quote = require "raft.quote"
local source = require "raft.view.source"

local kept = {}

local FAILURES_MOST = 20
local TRACE_MOST = 16 * 1024 * 1024 -- bytes: what is older is left out
local CLUSTERS_MOST = 3 -- of one test, the last ones
local NAME_MOST = 120 -- bytes of a test's name in a file's
local INDEX = ".kept"
local INDEX_HEAD = "Files that `raftbench test` keeps of failed tests: its next run removes those that it finds here.\n"

local Kept = {}
Kept.__index = Kept

-- A name in the index that we may have written.
local function is_ours(name)
  return name:find "^[%w_][%w_.-]*%.trace$" ~= nil or name:find "^[%w_][%w_.-]*%.html$" ~= nil
end

--- Removes what an earlier run kept there; the folder too, where nothing else is in it.
-- @tparam string folder
function kept.clear(folder)
  local index = io.open(folder .. "/" .. INDEX, "r")
  if not index then
    return
  end
  for name in index:lines() do
    if is_ours(name) then
      os.remove(folder .. "/" .. name)
    end
  end
  index:close()
  os.remove(folder .. "/" .. INDEX)
  os.remove(folder) -- fails where it is not empty
end

--- A keeper.
-- @tparam string folder made when it is needed
-- @tparam function report function(message): told once that nothing can be kept
-- @treturn table
function kept.new(folder, report)
  return setmetatable({ folder = folder, report = report, seen = {}, count = 0, told = {}, told_count = 0 }, Kept)
end

--- A test begins: the events of the clusters that it closes are kept from now on.
function Kept.begin()
  open.keep_closed(CLUSTERS_MOST)
end

--- A test has ended: they are let go.
function Kept.finish()
  open.keep_closed(0)
end

-- ---- writing --------------------------------------------------------------------------------------

local function file_base(record)
  local name = record.name:gsub("[^%w_.-]", "-"):gsub("^[.-]", "_")
  return ("%s-%.0f"):format(name:sub(1, NAME_MOST), record.seed)
end

-- Makes an empty file; false and why where there is one, another process' of just now too, or none can be made.
local function make_new(path)
  local outcome = os.execute(("(set -C; : >%s) 2>/dev/null"):format(quote.word(path)))
  if outcome == true or outcome == 0 then
    return true
  elseif files.is_there(path) then
    return false
  end
  local file, problem = io.open(path, "a")
  return file ~= nil and file:close(), problem and problem:gsub("^.*: ", "")
end

-- A name that no file in the folder has, and that nobody else takes from now on: its trace is there, empty. nil and a
-- message where there can be none.
local function take_base(self, record)
  local base = file_base(record)
  local name, number, fine, problem = base, 1, false, nil
  repeat
    local path = self.folder .. "/" .. name
    if not files.is_there(path .. ".trace") and not files.is_there(path .. ".html") then
      fine, problem = make_new(path .. ".trace")
    end
    if fine or problem then
      return fine and name or nil, problem
    end
    number = number + 1
    name = base .. "-" .. number
  until false
end

local function is_head(line)
  return line:find('"kind":"run"', 1, true) ~= nil
end

-- The head of a run whose beginning is no longer remembered, for its last lines.
local function head_of(cluster, lines, first)
  local ids, is_known = {}, { [0] = true }
  for position = first, #lines do
    local id = tonumber(lines[position]:match '"node":(%d+)')
    if id and not is_known[id] then
      is_known[id], ids[#ids + 1] = true, id
    end
  end
  table.sort(ids)
  local head = core.json_encode { text = cluster.options.name,
    value = { mode = cluster.options.mode, seed = cluster.options.seed, nodes = ids } }
  return ('{"time":%s,"node":0,"kind":"run",%s'):format(lines[first]:match '"time":(%d+)' or "0", head:sub(2))
end

-- The last lines of a cluster's events that fit.
local function last_lines(cluster, room)
  local lines = cluster.core:event_lines(false)
  local first, bytes = #lines + 1, 0
  while first > 1 and bytes + #lines[first - 1] + 1 <= room do
    first = first - 1
    bytes = bytes + #lines[first] + 1
  end
  local list = {}
  if first <= #lines and not is_head(lines[first]) then
    list[1] = head_of(cluster, lines, first)
  end
  for position = first, #lines do
    list[#list + 1] = lines[position]
  end
  return list, bytes
end

-- The lines of all clusters of the test, the last cluster's before all where there is no room.
local function all_lines(clusters)
  local parts, room, last = {}, TRACE_MOST, nil
  for position = #clusters, 1, -1 do
    local lines, bytes = last_lines(clusters[position], room)
    room = room - bytes
    last = last or lines
    if #lines > 0 then
      table.insert(parts, 1, table.concat(lines, "\n") .. "\n")
    end
  end
  return table.concat(parts), last
end

-- All of it or nothing.
local function write(path, text)
  local written, problem = files.write(path, text)
  if not written then
    os.remove(path)
  end
  return written, problem
end

local function decoded(lines)
  return function()
    local position = 0
    return function()
      position = position + 1
      return lines[position] and core.json_decode(lines[position])
    end
  end
end

local function write_page(path, lines, cluster, name)
  local parts = {}
  forms.render("html", decoded(lines), {
    write = function(text) parts[#parts + 1] = text end,
    name = name, histories = histories.of_cluster(cluster),
  })
  return write(path, table.concat(parts))
end

local function append_to_index(self, ...)
  local path = self.folder .. "/" .. INDEX
  local head = files.is_there(path) and "" or INDEX_HEAD
  local index, problem = io.open(path, "a")
  if not index then
    return nil, problem
  end
  index:write(head .. table.concat({ ... }, "\n") .. "\n")
  return index:close()
end

-- The folder, and in it an empty trace and the index's lines: the path of both files without their endings.
local function make_place(self, record)
  os.execute("mkdir -p -- " .. quote.word(self.folder) .. " 2>/dev/null")
  local base, problem = take_base(self, record)
  local fine = base ~= nil
  if fine then
    fine, problem = append_to_index(self, base .. ".trace", base .. ".html")
  end
  return fine and self.folder .. "/" .. base or nil, problem
end

local function write_all(self, record, clusters)
  local base, problem = make_place(self, record)
  if not base then
    return nil, problem
  end
  local text, lines = all_lines(clusters)
  local trace, page = base .. ".trace", base .. ".html"
  local fine
  fine, problem = write(trace, text)
  if not fine then
    return nil, problem
  end
  record.events = trace
  fine, problem = write_page(page, lines, clusters[#clusters], record.name)
  record.page = fine and page or nil
  return fine, problem
end

-- What is in a trace's file; nil: no event is.
local function open_trace(path)
  local trace = source.open(path, core.json_decode, function() end)
  if trace and (trace.is_unknown or trace.is_log) then
    trace:close()
    return nil
  end
  return trace
end

-- Calls what writes; the first time that it fails is told, and nothing is kept from then on.
local function guard(self, f, ...)
  local no_error, fine, problem = pcall(f, ...)
  if not no_error or not fine then
    self.problem = tostring(no_error and problem or fine)
    self.report(("failed tests cannot be kept in %s: %s"):format(self.folder, self.problem))
  end
end

--- A test has failed, in this process, and its clusters are closed: writes what is known of them, where it is the first
-- failure of its kind. `record.events` and `record.page` name the files.
-- @tparam table record
function Kept:keep(record)
  local kind = groups.kind(record)
  local clusters = open.closed()
  if self.seen[kind] or self.count >= FAILURES_MOST or #clusters == 0 or self.problem then
    return
  end
  self.seen[kind], self.count = true, self.count + 1
  guard(self, write_all, self, record, clusters)
end

-- The trace of a test that dies again where it runs once more, and its page.
local function write_dead(self, record, again)
  local base, problem = make_place(self, record)
  if not base then
    return nil, problem
  end
  local trace, page = base .. ".trace", base .. ".html"
  local died = again(trace)
  local events = died and open_trace(trace) or nil
  if not events then
    os.remove(trace)
    record.message = record.message .. (died == false and "\nrun once more, by itself, it did not" or "")
    return true
  end
  record.events = trace
  local count
  count, problem = forms.to_file("html", function() return events:events() end, { name = record.name }, page)
  events:close()
  record.page = count and page or nil
  return count, problem
end

--- A test has died with its process: runs it once more, with a trace of each event as soon as it has happened, where it
-- is the first failure of its kind. `record.events` and `record.page` name the files; where it does not die again, its
-- message says so.
-- @tparam table record
-- @tparam function again function(path of the trace) → whether it has died; nil: nobody knows
function Kept:keep_dead(record, again)
  if record.same_as or self.told_count >= FAILURES_MOST or self.problem then
    return
  end
  guard(self, write_dead, self, record, again)
end

--- What another process has kept: removes it again where it is one too many, or not the first of its kind.
-- @tparam table record
function Kept:settle(record)
  if not record.events then
    return
  elseif not record.same_as and self.told_count < FAILURES_MOST then
    self.told_count = self.told_count + 1
    return
  end
  os.remove(record.events)
  if record.page then
    os.remove(record.page)
  end
  record.events, record.page = nil, nil
end

return kept
