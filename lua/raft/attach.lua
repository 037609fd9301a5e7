--- Joins the loop of raft's nodes to the application's own luv loop: one poll, one timer and one prepare handle of the
-- application's luv. No handle of ours is ever on its loop.
-- @module raft.attach

local arguments = require "raft.arguments"
local core = require "raft.core"
local loop = require "raft.loop"

local core_loop = core.loop()

local Handle = {}
Handle.__index = Handle

local attached = setmetatable({}, { __mode = "k" }) -- by luv: the handle that is not closed

-- The application may have closed our handles with all others of its loop.
local function was_closed(self)
  if not self.is_closed and self.uv.is_closing(self.poll) then
    self:close()
  end
  return self.is_closed
end

local function step(self)
  if not was_closed(self) and core_loop:is_alive() then
    loop.step()
  end
end

-- While a node runs, it keeps the application's loop alive as a listening socket does.
local function keep_alive(self)
  if was_closed(self) then
    return
  end
  local wanted = core_loop:is_alive() and not self.is_unreferenced
  if wanted ~= self.keeps_alive then
    self.keeps_alive = wanted
    self.uv[wanted and "ref" or "unref"](self.poll)
  end
end

-- Before the application's loop waits: what is due is done, and the timer says when more is.
local function prepare(self)
  if core_loop:timeout_ns() == 0 then
    step(self)
  end
  keep_alive(self)
  if self.is_closed then
    return
  end
  local wait_ns = core_loop:timeout_ns()
  if wait_ns then
    self.uv.timer_start(self.timer, math.ceil(wait_ns / 1e6), 0, self.step)
  else
    self.uv.timer_stop(self.timer)
  end
end

local function is_luv(uv)
  return type(uv) == "table" and type(uv.new_poll) == "function" and type(uv.new_prepare) == "function"
end

--- Joins the application's luv loop: its `uv.run()` drives raft's nodes from then on, and goes on while one runs.
-- @tparam table uv the application's luv
-- @treturn ?raft.attached a handle with `close()`, and `unref()` as luv's handles have it; nil, message, code where the
-- loop cannot be made
local function attach(uv)
  if not is_luv(uv) then
    arguments.fail("uv", 'luv, as in raft.attach(require "luv"),', uv)
  end
  if attached[uv] and not was_closed(attached[uv]) then
    arguments.raise "raft.attach: this loop is joined already; close the handle of the first call before another"
  end
  local descriptor, message, code = core_loop:pollfd()
  if not descriptor then
    return nil, message, code
  end
  local poll, problem = uv.new_poll(descriptor)
  if not poll then
    core_loop:unpin()
    arguments.raise("raft.attach: luv cannot poll raft's descriptor (%s): does the application poll raft.pollfd() "
      .. "itself? Use either", problem)
  end
  local self = setmetatable({
    uv = uv, poll = poll, timer = assert(uv.new_timer()), prepare = assert(uv.new_prepare()),
  }, Handle)
  self.step = function() step(self) end
  self.watch = function() keep_alive(self) end
  uv.poll_start(self.poll, "r", self.step)
  uv.prepare_start(self.prepare, function() prepare(self) end)
  uv.unref(self.poll)
  uv.unref(self.timer)
  uv.unref(self.prepare)
  self.keeps_alive = false
  attached[uv] = self
  keep_alive(self)
  loop.watch(self.watch)
  return self
end

local function check_self(self, name)
  if getmetatable(self) ~= Handle then
    arguments.raise("%s was called without its handle: call it as handle:%s()", name, name)
  end
end

--- Nodes no longer keep the application's loop alive.
function Handle:unref()
  check_self(self, "unref")
  self.is_unreferenced = true
  keep_alive(self)
end

--- Leaves the application's loop. Twice is fine.
function Handle:close()
  check_self(self, "close")
  if self.is_closed then
    return
  end
  self.is_closed = true
  loop.unwatch(self.watch)
  for _, handle in ipairs { self.poll, self.timer, self.prepare } do
    if not self.uv.is_closing(handle) then
      self.uv.close(handle)
    end
  end
  attached[self.uv] = nil
  core_loop:unpin()
end

Handle.__tostring = function(self)
  return self.is_closed and "raft.attach (closed)" or "raft.attach"
end

return attach
