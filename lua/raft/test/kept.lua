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

local function is_there(path)
  local file = io.open(path, "r")
  return file ~= nil and file:close()
end

-- A name that no file in the folder has.
local function free_base(self, record)
  local base = file_base(record)
  local name, number = base, 1
  while is_there(self.folder .. "/" .. name .. ".trace") or is_there(self.folder .. "/" .. name .. ".html") do
    number = number + 1
    name = base .. "-" .. number
  end
  return name
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
  local file = io.open(path, "r")
  if file then
    file:close()
  end
  local index, problem = io.open(path, "a")
  if not index then
    return nil, problem
  end
  index:write((file and "" or INDEX_HEAD) .. table.concat({ ... }, "\n") .. "\n")
  return index:close()
end

local function write_all(self, record, clusters)
  os.execute("mkdir -p -- " .. quote.word(self.folder) .. " 2>/dev/null")
  local base = free_base(self, record)
  local fine, problem = append_to_index(self, base .. ".trace", base .. ".html")
  if not fine then
    return nil, problem
  end
  local text, lines = all_lines(clusters)
  local trace, page = self.folder .. "/" .. base .. ".trace", self.folder .. "/" .. base .. ".html"
  fine, problem = write(trace, text)
  if not fine then
    return nil, problem
  end
  record.events = trace
  fine, problem = write_page(page, lines, clusters[#clusters], record.name)
  record.page = fine and page or nil
  return fine, problem
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
  local no_error, fine, problem = pcall(write_all, self, record, clusters)
  if not no_error or not fine then
    self.problem = tostring(no_error and problem or fine)
    self.report(("failed tests cannot be kept in %s: %s"):format(self.folder, self.problem))
  end
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
