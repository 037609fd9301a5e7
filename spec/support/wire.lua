-- Fake peers for the specs of what comes in by a port: raw connections in this process, by luv's loop, which the world
-- of a cluster or of nodes is driven beside.
local lu = require "luaunit"
local core = require("raft").core
local has_luv, uv = pcall(require, "luv")

local M = {}

local FRAME_HEAD_BYTES = #core.frame(1, 1, "")

function M.skip_without_luv()
  lu.skipIf(not has_luv, "luv is not installed")
end

local function number_at(bytes, first, size)
  local number = 0
  for i = first + size - 1, first, -1 do
    number = number * 256 + bytes:byte(i)
  end
  return number
end

-- The whole frames at the start of what came, as a list of {kind, body}.
function M.frames(bytes)
  local list, at = {}, 1
  while #bytes - at + 1 >= FRAME_HEAD_BYTES do
    local length = number_at(bytes, at, 4)
    if at + length - 1 > #bytes then
      break
    end
    list[#list + 1] = { kind = bytes:byte(at + FRAME_HEAD_BYTES - 4),
      body = bytes:sub(at + FRAME_HEAD_BYTES, at + length - 1) }
    at = at + length
  end
  return list
end

local Connection = {}
Connection.__index = Connection

-- What comes is read from now on.
function Connection:read()
  self.tcp:read_start(function(problem, bytes)
    if bytes then
      self.came = self.came .. bytes
    else
      self.ended = problem or "closed"
    end
  end)
end

local function watch(tcp)
  local connection = setmetatable({ tcp = tcp, came = "", ended = false }, Connection)
  connection:read()
  return connection
end

function Connection:say(bytes)
  if not self.tcp:is_closing() then
    self.tcp:write(bytes)
  end
end

function Connection:frames()
  return M.frames(self.came)
end

-- Whether a hello has come.
function Connection:is_answered()
  local first = self:frames()[1]
  return first ~= nil and first.kind == 1
end

function Connection:close()
  if not self.tcp:is_closing() then
    self.tcp:close()
    uv.run "nowait"
  end
end

local function port_of(address)
  return tonumber(address:match ":(%d+)$")
end

-- A connection to a port of this machine, which has said something.
function M.connect(address, bytes)
  local tcp = uv.new_tcp()
  local connection
  tcp:connect("127.0.0.1", port_of(address), function(problem)
    assert(not problem, problem)
    connection = watch(tcp)
    connection:say(bytes)
  end)
  while not connection do
    uv.run "once"
  end
  return connection
end

-- Listens: gives the address, a list of the connections that came, and what ends it.
function M.listen()
  local server, connections = uv.new_tcp(), {}
  assert(server:bind("127.0.0.1", 0))
  assert(server:listen(16, function()
    local tcp = uv.new_tcp()
    server:accept(tcp)
    connections[#connections + 1] = watch(tcp)
  end))
  return "127.0.0.1:" .. server:getsockname().port, connections, function()
    server:close()
    for _, connection in ipairs(connections) do
      connection:close()
    end
    uv.run "nowait"
  end
end

-- Stands between two nodes: `address(to, out, back)` gives an address where it listens for what is meant for another,
-- and passes both ways on. What goes a way in `holds` is swallowed.
function M.between()
  local state, servers, ends = { holds = {} }, {}, {}
  local function close(tcp)
    if not tcp:is_closing() then
      tcp:close()
    end
  end
  local function pass(from, to, way)
    ends[#ends + 1] = from
    from:read_start(function(_, bytes)
      if not bytes then
        close(from)
        close(to)
      elseif not state.holds[way] and not to:is_closing() then
        to:write(bytes)
      end
    end)
  end
  -- All connections, at once.
  function state.cut()
    for _, tcp in ipairs(ends) do
      close(tcp)
    end
    ends = {}
  end
  function state.stop()
    state.cut()
    for _, server in ipairs(servers) do
      server:close()
    end
    uv.run "nowait"
  end
  function state.address(to, out, back)
    local server = uv.new_tcp()
    servers[#servers + 1] = server
    assert(server:bind("127.0.0.1", 0))
    assert(server:listen(16, function()
      local near, far = uv.new_tcp(), uv.new_tcp()
      server:accept(near)
      far:connect("127.0.0.1", port_of(to), function(problem)
        if problem then
          close(near)
          close(far)
        else
          pass(near, far, out)
          pass(far, near, back)
        end
      end)
    end))
    return "127.0.0.1:" .. server:getsockname().port
  end
  return state
end

-- Goes on with both until the predicate is true: `drive` lets the other world's time pass a little.
function M.wait(what, drive, predicate)
  local deadline_ns = core.clock_ns() + 30e9 -- a busy machine takes its time
  while not predicate() do
    lu.assertTrue(core.clock_ns() < deadline_ns, "waited in vain: " .. what)
    drive()
    uv.run "nowait"
  end
end

-- For a while.
function M.pass(drive, seconds)
  local deadline_ns = core.clock_ns() + seconds * 1e9
  while core.clock_ns() < deadline_ns do
    drive()
    uv.run "nowait"
  end
end

return M
