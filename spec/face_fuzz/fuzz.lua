-- Random sequences of public calls: arguments right and wrong, functions that call back into the cluster from wherever
-- they are called, loops within loops, closed handles. Whatever is called, it gives something back or raises an error
-- that is written for the user: no line of ours in it. Nothing crashes, and no invariant breaks.
--
-- FACE_FUZZ="FIRST LAST [sim|tcp|core]" raftbench run spec/face_fuzz/fuzz.lua: each seed is told before it begins.
local calls = require "spec.face_fuzz.calls"
local cores = require "spec.face_fuzz.cores"
local forms = require "raft.view.forms"
local raft = require "raft"
local values = require "spec.face_fuzz.values"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local CALLS = 40 -- in a session
local DEPTH_MOST = 3 -- of functions that call on

local found_uv, uv = pcall(require, "luv")

-- FACE_FUZZ_CALLS=1: each call is told before it is made.
local tells = os.getenv "FACE_FUZZ_CALLS" ~= nil
local function tell(what)
  if tells then
    io.stderr:write(what, "\n")
  end
end

local Session = {}
Session.__index = Session

local function new(seed, mode)
  local self = setmetatable({ random = values.random(seed), mode = mode, depth = 0, kept = {} }, Session)
  self.f = function(what, count) return self:callback(what, count) end
  return self
end

-- The first line of an error, which is what a user reads; its traceback is taken apart by whoever shows it.
local function first_line(problem)
  local fine, text = pcall(tostring, problem)
  return fine and type(text) == "string" and text:match "^[^\n]*" or "?"
end

-- "attempt to use a closed cluster" is right.
local OURS = { "lua/raft/", "bad argument #%d", "%[C%]", "^attempt to [^u]" }

-- Whether an error shows our own inside.
local function shows_inside(text)
  if text:find("raised by __", 1, true) or text:find("from the fuzzer", 1, true) then
    return false
  end
  for _, pattern in ipairs(OURS) do
    if text:find(pattern) then
      return true
    end
  end
  return false
end

local function is_violation(problem)
  local property = type(problem) == "table" and rawget(problem, "property")
  return property and property ~= "liveness" -- that it does not live is what check_live was asked
end

function Session:judge(what, fine, ...)
  if fine then
    return ...
  end
  local problem = ...
  local text = first_line(problem)
  if text:find("interrupted", 1, true) then
    error(problem, 0)
  elseif is_violation(problem) and not self.is_odd_machine then
    error(("%s: an invariant broke: %s"):format(what, text), 0)
  elseif type(problem) == "string" and shows_inside(text) then
    self.found = self.found or ("%s: an error that shows our inside: %s"):format(what, problem)
  end
end

-- Arguments as given, some of them replaced, left out or added.
function Session:spoil(given)
  local random, count = self.random, math.max(#given, given.n or 0)
  local list = { unpack(given, 1, count) }
  if random:one_in(2) then
    return list, count
  end
  local place = random:below(count + 1) + 1
  if random:one_in(6) then
    return list, math.max(0, count - 1)
  elseif type(list[place]) == "table" and random:one_in(2) and not getmetatable(list[place]) then
    local copy = {}
    for key, value in pairs(list[place]) do
      copy[key] = value
    end
    local key = random:any { "timeout", "node", "wait", "kind", 1, "nonsense", "drop", "voters", "session", "rate" }
    copy[key] = values.odd(random)
    list[place] = copy
  else
    list[place] = random:one_in(5) and self:kept_one() or values.odd(random)
  end
  return list, math.max(count, place)
end

-- Something that was given out before: a client, a message, a function that ends, a closed cluster.
function Session:kept_one()
  return #self.kept > 0 and self.random:any(self.kept) or nil
end

function Session:keep(...)
  for position = 1, math.min(3, select("#", ...)) do
    local value = (select(position, ...))
    if (type(value) == "table" or type(value) == "function" or type(value) == "userdata") and #self.kept < 40 then
      self.kept[#self.kept + 1] = value
    end
  end
  return ...
end

function Session:try(what, f, ...)
  tell(what)
  self:keep(self:judge(what, pcall(f, ...)))
end

local names = {}
for name in pairs(calls.of_cluster) do
  names[#names + 1] = name
end
table.sort(names)

-- Where files may be written, for a text would be the path of one.
local writes = { view = true, script = true }

local function without_paths(list, count)
  for position = 1, count do
    if type(list[position]) == "string" and not (position == 1 and forms.has(list[position])) then
      list[position] = "/dev/null/none"
    end
  end
end

function Session:cluster_call()
  local random = self.random
  local name = random:any(names)
  if calls.seldom[name] and not random:one_in(6) then
    name = "sleep"
  end
  local given, count = self:spoil(calls.of_cluster[name](self))
  if writes[name] then
    without_paths(given, count)
  end
  local what = ("c:%s at depth %d"):format(name, self.depth)
  if random:one_in(30) then
    self:try(what .. " without its cluster", self.cluster[name], unpack(given, 1, count))
    return
  end
  self:try(what, self.cluster[name], self.cluster, unpack(given, 1, count))
end

-- What was given out is used: clients, messages, nodes; also what ended long ago, and on a wrong self.
function Session:object_call()
  local object = self:kept_one()
  local metatable = type(object) == "table" and getmetatable(object)
  if type(object) == "function" then
    if object ~= error then
      self:try("a function that was given out", object, values.odd(self.random))
    end
    return
  end
  local methods = type(metatable) == "table" and rawget(metatable, "__index")
  local name = self.random:any { "wait", "deliver", "drop", "close", "unref", "start", "status", "propose", "read" }
  local method = type(methods) == "table" and rawget(methods, name)
  if type(method) == "function" then
    local given, count = self:spoil(name == "wait" and { 0.05 } or {})
    local is_wrong = self.random:one_in(8)
    self:try(name .. " of what was given out", method, is_wrong and values.odd(self.random) or object,
      unpack(given, 1, count))
  end
  self:try("tostring of what was given out", function()
    return metatable and rawget(metatable, "__tostring") and tostring(object) or nil
  end)
end

-- The loop of an application, and luv's, from wherever this is.
function Session:loop_call()
  local random = self.random
  local name = random:any { "run", "step", "stop", "pollfd", "events", "timeout", "attach", "node", "uv" }
  if name == "run" then
    self:try("raft.run", raft.run, random:any { 0, 0.001, 0.01, "x", -1, {} })
  elseif name == "attach" then
    self:try("raft.attach", raft.attach, random:one_in(4) and values.odd(random) or found_uv and uv or nil)
  elseif name == "uv" then
    if found_uv then
      self:try("uv.run", uv.run, "nowait")
    end
  elseif name == "node" then
    self:node_call()
  else
    self:try("raft." .. name, raft[name], values.odd(random))
  end
end

local node_names = {}
for name in pairs(calls.of_node) do
  node_names[#node_names + 1] = name
end
table.sort(node_names)

function Session:node_call()
  local random = self.random
  if not self.node or random:one_in(8) then
    local given = { id = random:below(3) + 1, listen = "127.0.0.1:0", join = random:one_in(2) or nil }
    if random:one_in(3) then
      given[random:any { "id", "listen", "peers", "cluster", "machine", "forward" }] = values.odd(random)
    end
    self:try("raft.node", function()
      local node, message, code = raft.node(given)
      self.node = node or self.node
      return node, message, code
    end)
    return
  end
  local name = random:any(node_names)
  local given, count = self:spoil(calls.of_node[name](self))
  self:try(("node:%s at depth %d"):format(name, self.depth), self.node[name], self.node, unpack(given, 1, count))
end

function Session:other_call()
  local random = self.random
  local name = random:any { "sorted", "one_leader", "no_leader", "committed", "not_committed", "eventually", "print" }
  if name == "sorted" then
    self:try("raft.sorted", function(t)
      for _ in raft.sorted(t) do end -- luacheck: ignore 542
    end, values.odd(random))
  elseif name == "eventually" then
    self:try("raft.assert.eventually", raft.assert.eventually, self.f("eventually", 0), 0.05, self.cluster)
  elseif name == "print" then
    self:try("tostring(c)", tostring, self.cluster)
  else
    local first = random:one_in(4) and values.odd(random) or self.cluster
    self:try("raft.assert." .. name, raft.assert[name], first, values.odd(random), 1, 0.05)
  end
end

function Session:any_call()
  local kind = self.random:below(20)
  if kind < 13 then
    self:cluster_call()
  elseif kind < 15 then
    self:object_call()
  elseif kind < 17 then
    self:loop_call()
  else
    self:other_call()
  end
end

-- A function as scripts give them: it calls on, raises or gives something back.
function Session:callback(what, count)
  local random, left = self.random, 20
  return function(...)
    if left == 0 or self.depth >= DEPTH_MOST then
      return nil
    end
    left = left - 1
    self.depth = self.depth + 1
    for position = 1, count do
      self:keep((select(position, ...)))
    end
    for _ = 1, random:below(3) do
      self:any_call()
    end
    self.depth = self.depth - 1
    if random:one_in(12) then
      error(random:any { "raised from the fuzzer in " .. what, { "from the fuzzer" }, 5 })
    end
    return random:any { nil, true, false, 1, "hold", "drop", 0.01, {}, what } -- luacheck: ignore 532
  end
end

function Session:options()
  local random, given = self.random, { nodes = 3, mode = self.mode, seed = 1 }
  given.speed = self.mode == "tcp" and 20 or nil
  for name, make in raft.sorted(calls.of_options) do
    if random:one_in(8) then
      given[name] = make(self)
      self.is_odd_machine = self.is_odd_machine or name == "machine" or name == "state"
    end
  end
  if random:one_in(4) then
    given[random:any { "nodes", "link", "state", "machine", "trace", "seed", "nonsense", "name" }] = values.odd(random)
    self.is_odd_machine = true
  end
  if type(given.trace) == "string" then
    given.trace = "/dev/null"
  end
  return given
end

-- The C module as specs use it: bare cores, the checker, the encodings. It has words of its own for wrong arguments.
function Session:run_cores()
  cores.session(self.random, function(what, f, ...)
    tell(what)
    local fine, problem = pcall(f, ...)
    local text = not fine and first_line(problem) or ""
    if text:find("lua/raft/", 1, true) or text:find("^attempt to") then
      self.found = self.found or ("%s: an error that shows our inside: %s"):format(what, text)
    end
  end, CALLS)
end

function Session:run()
  local options = self:options()
  self:try("raft.cluster", function()
    local c, message, code = raft.cluster(options)
    self.cluster = c
    return c, message, code
  end)
  if not self.cluster then
    self.is_odd_machine = false
    self.cluster = raft.cluster { nodes = 3, mode = self.mode, seed = 1, speed = self.mode == "tcp" and 20 or nil }
  end
  for _ = 1, CALLS do
    self:any_call()
    if self.cluster:is_closed() and self.random:one_in(10) then
      break
    end
  end
  self:finish()
end

-- All is closed, in some order.
function Session:finish()
  self.depth = DEPTH_MOST -- what is called now does nothing more
  for _, object in ipairs(self.kept) do
    local metatable = type(object) == "table" and getmetatable(object)
    local methods = type(metatable) == "table" and rawget(metatable, "__index")
    local close = type(methods) == "table" and rawget(methods, "close")
    if type(close) == "function" and type(object) == "table" and rawget(object, "uv") then
      pcall(close, object) -- what raft.attach gave
    end
  end
  if self.node then
    pcall(self.node.close, self.node)
  end
  pcall(self.cluster.shutdown, self.cluster)
  pcall(raft.run, 0.001)
  if found_uv then
    pcall(uv.run, "nowait")
    pcall(uv.run, "nowait")
  end
  self.cluster, self.kept, self.node = nil, {}, nil
end

local first, last, mode = (os.getenv "FACE_FUZZ" or "1 20 sim"):match "^(%d+) (%d+) ?(%a*)$"
for seed = tonumber(first), tonumber(last) do
  io.write("seed ", seed, "\n")
  io.flush()
  local session = new(seed, mode ~= "" and mode or "sim")
  local fine, problem = pcall(mode == "core" and session.run_cores or session.run, session)
  if not fine then
    error(("seed %d: %s"):format(seed, first_line(problem)), 0)
  elseif session.found then
    error(("seed %d: %s"):format(seed, session.found), 0)
  end
  if seed % 10 == 0 then
    collectgarbage()
  end
end
print "all fine"
