--- `raftbench log`: what a node's directory holds, and whether it is sound. It changes nothing there.
-- @module raft.command.log

local core = require "raft.core"
local report = require "raft.report"

local log = {}

local OK, FAILED, CANNOT_RUN = 0, 1, 3
local PIECE_BYTES = 1048576 -- whole sectors

--- Adds this subcommand's options.
-- @param parser argparse's command
function log.describe(parser)
  parser:description "Print what a node's directory holds, and check it, without changing it."
  parser:epilog "Exit codes: 0 sound (a torn tail is: it was never acknowledged), 1 damaged, 3 it could not be read."
  parser:argument("DIR", "The directory of one node."):argname("DIR"):target("dir")
  parser:flag("--json", "Print JSON.")
  parser:flag("--records", "Every record, too.")
end

-- ---- reading ------------------------------------------------------------------------------------

-- The names of the log's segments and of the snapshots, each sorted, and of what else is there.
local function names_in(directory)
  local uv = require "luv"
  local handle, problem = uv.fs_scandir(directory)
  if not handle then
    return nil, problem
  end
  local names = { segments = {}, snapshots = {}, others = {} }
  local name = uv.fs_scandir_next(handle)
  while name do
    local list = name:find "^log%-%d+$" and names.segments or name:find "^snapshot%-%d+$" and names.snapshots
      or names.others
    list[#list + 1] = name
    name = uv.fs_scandir_next(handle)
  end
  for _, list in pairs(names) do
    table.sort(list)
  end
  return names
end

-- Hands a file's bytes to f, piece by piece; gives its size.
local function read_file(path, f)
  local file, problem = io.open(path, "rb")
  if not file then
    return nil, problem
  end
  local size = file:seek "end"
  file:seek "set"
  local begun, message = f.begin(size)
  while begun do
    local piece = file:read(PIECE_BYTES)
    if not piece then
      break
    end
    begun, message = f.take(piece)
  end
  file:close()
  if not begun and message then
    return nil, message
  end
  return size
end

-- What the records of a segment come to.
local function count_record(segment, record)
  if record.type == "header" then
    segment.id, segment.directory, segment.cluster = record.id, record.directory, record.cluster
    segment.version, segment.made_bytes = record.version, record.bytes
    return
  end
  segment.records = segment.records + 1
  segment.groups = record.group
  segment.lives = segment.lives or { record.life, record.life }
  segment.lives[2] = record.life
  if record.type == "entry" then
    segment.entries = segment.entries + 1
    segment.first_index = math.min(segment.first_index or record.index, record.index)
    segment.last_index = math.max(segment.last_index or record.index, record.index)
  end
end

local function read_segments(directory, names, found, with_records)
  local reader = core.log_reader()
  for _, name in ipairs(names) do
    local segment = { file = name, groups = 0, records = 0, entries = 0 }
    local size, problem = read_file(directory .. "/" .. name, {
      begin = function(size)
        return reader:segment(name, size)
      end,
      take = function(piece)
        for _, record in ipairs(reader:take(piece)) do
          count_record(segment, record)
          if with_records then
            found.records[#found.records + 1] = record
          end
        end
        return true
      end,
    })
    if not size then
      return nil, problem
    end
    reader:segment_end()
    segment.bytes = size
    found.segments[#found.segments + 1] = segment
  end
  found.log = reader:finish()
  return true
end

local function read_snapshots(directory, names, found)
  for _, name in ipairs(names) do
    local reader = core.snapshot_reader()
    local damage
    local size, problem = read_file(directory .. "/" .. name, {
      begin = function()
        return true
      end,
      take = function(piece)
        local fine, message = reader:take(piece)
        damage = message
        return fine
      end,
    })
    if not size then
      return nil, problem
    end
    local snapshot = reader:finish()
    snapshot.file, snapshot.bytes = name, size
    snapshot.problem = damage or (not snapshot.whole and "it ends too soon") or nil
    found.snapshots[#found.snapshots + 1] = snapshot
  end
  return true
end

-- All that is wrong: a list of { file, offset, problem }.
local function problems_of(found)
  local list = {}
  local result = found.log
  if #found.segments == 0 and #found.snapshots > 0 then
    list[1] = { problem = "there are snapshots and no log" }
  end
  if result.problem then
    list[#list + 1] = { file = result.damage.file, offset = result.damage.offset, problem = result.problem }
  end
  for _, snapshot in ipairs(found.snapshots) do
    if snapshot.problem then
      list[#list + 1] = { file = snapshot.file, problem = snapshot.problem }
    end
  end
  local latest = found.snapshots[#found.snapshots]
  if result.base_index > ((latest and latest.index) or 0) + 1 and not result.problem then
    list[#list + 1] = { file = found.segments[1].file,
      problem = ("the log begins with entry %d, and no snapshot holds what is before it"):format(result.base_index) }
  end
  return list
end

--- What a directory holds.
-- @tparam string directory
-- @tparam boolean with_records
-- @treturn ?table segments, snapshots, others, log, problems, records; nil, message where it cannot be read
function log.inspect(directory, with_records)
  local names, problem = names_in(directory)
  if not names then
    return nil, problem
  end
  local found = { directory = directory, segments = {}, snapshots = {}, others = names.others,
    records = with_records and {} or nil }
  local fine
  fine, problem = read_segments(directory, names.segments, found, with_records)
  if fine then
    fine, problem = read_snapshots(directory, names.snapshots, found)
  end
  if not fine then
    return nil, problem
  end
  found.problems = problems_of(found)
  return found
end

-- ---- as text ------------------------------------------------------------------------------------

local function ids_text(ids)
  local texts = {}
  for position, id in ipairs(ids or {}) do
    texts[position] = tostring(id)
  end
  return table.concat(texts, ", ")
end

local function members_text(members)
  local text = "voters " .. ids_text(members.voters)
  if members.learners and #members.learners > 0 then
    text = text .. "; learners " .. ids_text(members.learners)
  end
  if members.voters_old then
    text = text .. "; joint with " .. ids_text(members.voters_old)
  end
  return text
end

local function record_text(record)
  local parts = { ("  %-10s"):format(record.type) }
  local function add(format, ...)
    parts[#parts + 1] = format:format(...)
  end
  if record.type == "header" then
    add("segment %d", record.segment)
  else
    add("segment %d, byte %d, write %d, life %d", record.segment, record.offset, record.group, record.life)
  end
  for _, name in ipairs { "index", "term", "vote" } do
    if record[name] then
      add("%s %d", name, record[name])
    end
  end
  if record.kind then
    add("%s of %d bytes", record.kind, record.bytes)
  end
  return table.concat(parts, "  ")
end

local function print_segments(found)
  for _, segment in ipairs(found.segments) do
    local range = segment.first_index and ("entries %d to %d"):format(segment.first_index, segment.last_index)
      or "no entries"
    print(("  %s  %d bytes, %d writes, %d records, %s"):format(segment.file, segment.bytes, segment.groups,
      segment.records, range))
  end
  for _, snapshot in ipairs(found.snapshots) do
    local covers = snapshot.index and ("covers entry %d of term %d; %s"):format(snapshot.index, snapshot.term,
      members_text(snapshot.members)) or "no header"
    print(("  %s  %d bytes, %s"):format(snapshot.file, snapshot.bytes, covers))
  end
  for _, name in ipairs(found.others) do
    print("  " .. name)
  end
end

local function print_text(found)
  local first, result = found.segments[1], found.log
  if not first then
    print(("%s holds no log"):format(found.directory))
    print_segments(found)
  else
    print(("%s: node %s of the cluster %s, directory number %s, format %s"):format(found.directory, first.id or "?",
      first.cluster and ("%q"):format(first.cluster) or "?", first.directory or "?", first.version or "?"))
    print_segments(found)
    print(("term %d, vote %d"):format(result.term, result.vote))
    print(result.last_index >= result.first_index
      and ("the log holds entries %d to %d"):format(result.first_index, result.last_index)
      or ("the log is empty; the next entry is %d"):format(result.first_index))
    if result.members then
      print(("members, by entry %d: %s"):format(result.members.index, members_text(result.members)))
    elseif result.first_members then
      print("first members: " .. members_text(result.first_members))
    end
    if result.torn then
      print(("torn tail: %d bytes at the end of %s, which were never acknowledged; the next write takes their place")
        :format(result.torn.bytes, result.torn.file))
    end
  end
  for _, record in ipairs(found.records or {}) do
    print(record_text(record))
  end
  for _, problem in ipairs(found.problems) do
    print(("DAMAGED%s%s: %s"):format(problem.file and " " .. problem.file or "",
      problem.offset and (" at byte %d"):format(problem.offset) or "", problem.problem))
  end
  if #found.problems == 0 then
    print("sound")
  end
end

-- Addresses by id are a map also where the ids count from 1.
local function with_text_keys(value)
  if type(value) ~= "table" then
    return value
  end
  local copy = {}
  for key, part in pairs(value) do
    if key == "addresses" then
      local addresses = {}
      for id, address in pairs(part) do
        addresses[tostring(id)] = address
      end
      copy[key] = addresses
    else
      copy[key] = with_text_keys(part)
    end
  end
  return copy
end

--- Prints and checks a directory.
-- @tparam table arguments parsed by argparse
-- @treturn integer the exit code
function log.run(arguments)
  local found, problem = log.inspect(arguments.dir, arguments.records)
  if not found then
    report.problem(("%s cannot be read: %s"):format(arguments.dir, tostring(problem)))
    return CANNOT_RUN
  end
  if arguments.json then
    found.sound = #found.problems == 0
    print(core.json_encode(with_text_keys(found)))
  else
    print_text(found)
  end
  return #found.problems == 0 and OK or FAILED
end

return log
