--- Histories: what clients asked and what they were told, in the order in which it happened. A history is a list of
-- entries { index, process, type = "invoke" "ok" "fail" "info", f, key, value, time (integer ns), error }; an operation
-- is an invoke and the next entry of the same process, and where there is none, nobody knows what became of it.
--
-- It keeps and writes entries; src/workload makes them, raft.linearizable judges them. A workload's are in C until
-- somebody looks: then they become tables of its history, once. Where none comes any more and all are tables, it is a
-- list like any other.
-- @module raft.history

local core = require "raft.core"
local script = require "raft.script"
local null = core.null
local rawlen = rawlen or function(list) return #list end -- luacheck: ignore 113 143

local history = {}

local methods = {}

-- In this order, so that equal histories are equal files.
local fields = {
  "index", "process", "type", "f", "key", "value", "result", "seen", "error", "time", "log_index", "node", "timeout",
  "read",
}

-- Most values are whole numbers and plain words.
local function json_of(value)
  local kind = type(value)
  if kind == "number" and value % 1 == 0 and value < 2 ^ 53 and value > -2 ^ 53 then
    return ("%d"):format(value)
  elseif kind == "string" and not value:find "[^%w _/.-]" then
    return '"' .. value .. '"'
  end
  return core.json_encode(value)
end

local function line_of(entry)
  local parts = {}
  for _, name in ipairs(fields) do
    local value = entry[name]
    if value == nil and name == "value" then
      value = null
    end
    if value ~= nil then
      parts[#parts + 1] = '"' .. name .. '":' .. json_of(value)
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- What the clients did, as `c:workload { operations = … }` takes it to do it again.
-- @treturn table list of { at = s, client, f, key, value, node, timeout, read }
local function operations(self)
  local list, clients = {}, self.clients or 1
  for _, entry in ipairs(self) do
    if entry.type == "invoke" and type(entry.process) == "number" and entry.process > 0 then -- else asked at the end
      list[#list + 1] = {
        at = entry.time / 1e9, client = (entry.process - 1) % clients + 1, f = entry.f, key = entry.key,
        value = entry.value, node = entry.node, timeout = entry.timeout, read = entry.read,
      }
    end
  end
  return list
end

-- What its entries come from; nil where all have come that ever will.
local function handle_of(self)
  local run = rawget(self, "run")
  return run and not run.is_whole and run.handle or nil
end

-- Makes tables of the entries that have come since the last look.
local function pull(self)
  local handle = handle_of(self)
  if handle then
    for index = rawlen(self) + 1, handle:count() do
      rawset(self, index, handle:entry(index))
    end
    self.run.is_whole = handle:is_closed()
  end
end

local metatable = {
  __name = "raft.history",
  methods = methods,
  checked = function(self) -- as core.linearizable takes it; nil: entries are tables, which the script may have changed
    local handle = handle_of(self)
    if handle and rawlen(self) == 0 then
      return handle:checked()
    end
    pull(self)
  end,
  __index = function(self, name)
    if type(name) == "number" then
      pull(self)
      return rawget(self, name)
    elseif name == "operations" then
      return operations(self)
    end
    return methods[name]
  end,
  __newindex = function(self, name, value)
    pull(self)
    rawset(self, name, value)
  end,
  __len = function(self)
    local handle = handle_of(self)
    return handle and handle:count() or rawlen(self)
  end,
  __pairs = function(self)
    pull(self)
    return next, self, nil
  end,
  __tostring = function(self)
    local count = 0
    for _, entry in ipairs(self) do
      count = count + (entry.type == "invoke" and 1 or 0)
    end
    return ("raft.history (%d operation%s%s)"):format(count, count == 1 and "" or "s",
      self.kind and ", " .. self.kind or "")
  end,
}

--- A history.
-- @tparam ?table given its fields: kind, model, clients; and its entries
-- @treturn raft.history
function history.new(given)
  return setmetatable(given or {}, metatable)
end

-- Lua 5.1, and so LuaJIT, asks tables neither for their length nor for what ipairs goes through: there they are
-- filled whenever a script may look.
local is_filled = #setmetatable({}, { __len = function() return 1 end }) == 0

--- The history of a workload.
-- @tparam table run
-- @treturn raft.history
function history.of_run(run)
  local self = history.new { kind = run.kind, model = run.model, clients = run.clients, run = run }
  if is_filled then
    run.driver:before_script(function()
      pull(self)
      return run.is_whole
    end)
  end
  return self
end

--- Fills it where that has to be done before a script looks.
-- @tparam raft.history self
function history.fill(self)
  if is_filled then
    pull(self)
  end
end

--- Its last entry has come, and those that were unknown have got their places.
-- @tparam raft.history self
function history.close(self)
  local run = self.run
  for index = 1, run.locates and rawlen(self) or 0 do
    local entry = rawget(self, index)
    if type(entry) == "table" then
      entry.log_index = run.handle:entry(index).log_index
    end
  end
  history.fill(self)
end

--- Ends its workload: no client begins anything more, what is under way is waited for. What remains open is "info".
-- @tparam[opt=10] ?number timeout seconds
-- @treturn boolean true
function methods:stop(timeout)
  local run = self.run
  if not run then
    return true
  end
  local returned = script.object_call(run.cluster.recording, self, (":stop(%s)"):format(script.seconds(timeout)))
  run:stop(timeout)
  returned()
  return true
end

--- Waits until its workload has ended by itself: its time is over, its generator has no more.
-- @tparam[opt=10] ?number timeout seconds
-- @treturn ?boolean true; nil, message, "timeout", detail
function methods:wait(timeout)
  local run = self.run
  if not run then
    return true
  end
  local returned = script.object_call(run.cluster.recording, self, (":wait(%s)"):format(script.seconds(timeout)))
  local fine, message, code, detail = run:wait(timeout)
  returned()
  return fine, message, code, detail
end

--- Writes it as JSON lines, which raft.read_history and `raftbench check` read.
-- @tparam string path
-- @treturn ?string the path; nil, message, "storage", detail
function methods:write(path)
  local file, problem = io.open(path, "w")
  local fine = file ~= nil
  for _, entry in ipairs(self) do
    if fine then
      fine, problem = file:write(line_of(entry), "\n")
    end
  end
  if file then
    local closed, why = file:close()
    fine, problem = fine and closed, problem or why
  end
  if not fine then
    return nil, ("the history cannot be written to %s: %s"):format(path, tostring(problem)), "storage", {}
  end
  return path
end

return history
