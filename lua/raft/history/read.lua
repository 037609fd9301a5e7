--- Reads histories: JSON lines, as `history:write` makes them, and Jepsen's EDN. What is wrong is told with its line
-- and column.
-- @module raft.history.read

local core = require "raft.core"
local history = require "raft.history"
local null = core.null

local read = {}

local PROGRESS_EVERY = 4096 -- entries

local types = { invoke = true, ok = true, fail = true, info = true }
local known = { -- what is kept of an entry
  "process", "type", "f", "key", "value", "result", "seen", "error", "time", "log_index", "node", "timeout", "read",
}

-- ---- places -------------------------------------------------------------------------------------------------

-- The line and column of a byte.
local function place_of(text, at)
  local line, begins = 1, 1
  while true do
    local newline = text:find("\n", begins, true)
    if not newline or newline >= at then
      return line, at - begins + 1
    end
    line, begins = line + 1, newline + 1
  end
end

local Reader = {}
Reader.__index = Reader

-- What ends the reading.
function Reader:fail(at, message, ...)
  local line, column = place_of(self.text, at)
  error({ problem = ("%s:%d:%d: %s"):format(self.path, line, column, message:format(...)) }, 0)
end

-- ---- entries ------------------------------------------------------------------------------------------------

local function absent(value)
  if value == null then
    return nil
  end
  return value
end

function Reader:check(at, entry, given)
  if not types[entry.type] then
    self:fail(at, "`type` is not invoke, ok, fail or info")
  elseif type(entry.f) ~= "string" then
    self:fail(at, "`f`, the operation's name, is missing")
  elseif entry.process == nil then
    self:fail(at, "`process` is missing")
  elseif entry.time ~= nil and (type(entry.time) ~= "number" or entry.time % 1 ~= 0) then
    self:fail(at, "`time` is not a whole number of nanoseconds")
  elseif given.key ~= nil and type(given.key) == "table" and next(given.key) == nil then
    self:fail(at, "`key` is empty")
  end
end

-- Who asks again before it was answered, or is answered without having asked, is no process.
function Reader:check_process(at, entry)
  local process, pending = entry.process, self.pending
  local open = pending[process]
  if entry.type == "invoke" then
    if open then
      self:fail(at, "process %s asks before its operation of entry %d has ended", tostring(process), open.index)
    end
    pending[process] = entry
    return
  elseif not open then
    self:fail(at, "process %s is answered but has asked nothing", tostring(process))
  elseif open.f ~= entry.f then
    self:fail(at, "process %s asked for '%s' in entry %d and is answered '%s'", tostring(process), open.f, open.index,
      entry.f)
  end
  pending[process] = nil
  if entry.key == nil then
    entry.key = open.key
  end
end

-- One entry as it was read, at that byte.
function Reader:add(at, given)
  if type(given) ~= "table" or given == null then
    self:fail(at, "an entry is expected: a map of type, process, f, value")
  end
  local index = #self.list + 1
  local entry = { index = index }
  for _, name in ipairs(known) do
    entry[name] = absent(given[name])
  end
  self:check(at, entry, given)
  if type(entry.process) ~= "number" then
    entry.process = tostring(entry.process) -- "nemesis"
  end
  entry.time = entry.time or index
  if entry.value == nil and (entry.type == "ok" or given.value == null and entry.f == "write") then
    entry.value = null
  end
  if type(entry.error) == "table" then -- Jepsen's [:type "words"]
    entry.error = core.json_encode(entry.error)
  elseif entry.error ~= nil then
    entry.error = tostring(entry.error)
  end
  if entry.process ~= "nemesis" then
    self:check_process(at, entry)
  end
  self.list[index] = entry
  if self.progress and index % PROGRESS_EVERY == 0 then
    self.progress(at, #self.text)
  end
end

-- ---- forms --------------------------------------------------------------------------------------------------

local function read_json_lines(self)
  local text, at = self.text, 1
  while at <= #text do
    local ends = text:find("\n", at, true) or #text + 1
    local first = text:find("%S", at)
    if first and first < ends then
      local entry, problem = core.json_decode(text:sub(at, ends - 1))
      if entry == nil then
        local offset, why = problem:match "^not JSON at byte (%d+): (.*)$"
        self:fail(at + tonumber(offset) - 1, "%s", why)
      end
      self:add(first, entry)
    end
    at = ends + 1
  end
end

-- One list of entries.
local function read_json_list(self)
  local list, problem = core.json_decode(self.text)
  if list == nil then
    local offset, why = problem:match "^not JSON at byte (%d+): (.*)$"
    self:fail(tonumber(offset), "%s", why)
  end
  for _, entry in ipairs(list) do
    self:add(1, entry)
  end
end

-- Entries one after the other, or lists of them.
local function read_edn(self)
  local text, at = self.text, 1
  while true do
    local first = text:find("%S", at) or at
    local form, behind, offset = core.edn_decode(text, at)
    if form == nil and behind == nil then
      return
    elseif form == nil then
      self:fail(offset, "%s", behind)
    end
    if type(form) == "table" and form[1] ~= nil then
      for _, entry in ipairs(form) do
        self:add(first, entry)
      end
    else
      self:add(first, form)
    end
    at = behind
  end
end

local function form_of(text)
  local start = text:find("%S") or 1
  if text:find('^{%s*"', start) or text:find("^{%s*}", start) then
    return read_json_lines
  elseif text:find('^%[%s*{%s*"', start) then
    return read_json_list
  end
  return read_edn
end

-- ---- independent keys ---------------------------------------------------------------------------------------

local function is_pair(value)
  return type(value) == "table" and #value == 2
end

-- Jepsen's independent tests put each value behind its key: [k v], and [k [old new]] for cas. They are told by this:
-- every operation has such a pair, also reads, which otherwise bring no value.
local function has_tuples(list)
  local any = false
  for _, entry in ipairs(list) do
    if entry.type == "invoke" and entry.process ~= "nemesis" then
      if entry.key ~= nil or not is_pair(entry.value) or entry.f == "cas" and not is_pair(entry.value[2]) then
        return false
      end
      any = any or entry.f ~= "cas" or is_pair(entry.value[2])
    end
  end
  return any
end

local function split_tuples(list)
  for _, entry in ipairs(list) do
    if entry.process ~= "nemesis" and is_pair(entry.value) then
      entry.key, entry.value = entry.value[1], entry.value[2]
      if entry.value == null and entry.type == "invoke" and entry.f ~= "write" then
        entry.value = nil
      end
    end
  end
end

--- Reads a history from a text.
-- @tparam string text
-- @tparam string path what it is called in messages
-- @tparam ?function progress function(done, all), in bytes
-- @treturn ?raft.history nil, message, "storage", detail
function read.text(text, path, progress)
  local self = setmetatable({ path = path, text = text, list = {}, pending = {}, progress = progress }, Reader)
  local fine, raised = pcall(form_of(text), self)
  if not fine and type(raised) == "table" and raised.problem then
    return nil, raised.problem, "storage", {}
  elseif not fine then
    error(raised, 0)
  end
  if has_tuples(self.list) then
    split_tuples(self.list)
  end
  return history.new(self.list)
end

--- Reads a history from a file of JSON lines, a JSON array, or EDN.
-- @tparam string path
-- @tparam ?function progress function(done, all), in bytes
-- @treturn ?raft.history nil, message, "storage", detail
function read.file(path, progress)
  local file, problem = io.open(path, "r")
  local text
  if file then
    text, problem = file:read "*a"
    file:close()
  end
  if not text then
    return nil, ("the history cannot be read: %s"):format(tostring(problem)), "storage", {}
  end
  return read.text(text, path, progress)
end

return read
