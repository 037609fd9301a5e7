--- Does a cluster's recorded calls again on a new one, up to the present or to an earlier moment: what a fork is made
-- of.
--
-- The functions that the script gave stay behind: what they did is done in their place, at the same point of the
-- trace. It judges nothing but whether each call begins where it began.
-- @module raft.script.replay

local archive = require "raft.script.archive"
local aside = require "raft.script.aside"
local driver = require "raft.driver"

local replay = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143
local load_in = setfenv -- luacheck: ignore 113
  and function(text, environment)
    return setfenv(assert(loadstring(text, "=record")), environment) -- luacheck: ignore 113
  end
  or function(text, environment)
    return assert(load(text, "=record", "t", environment))
  end

local Replay = {}
Replay.__index = Replay

local function nothing() end

-- ---- one call ---------------------------------------------------------------------------------

local special = {}

function special.on()
  return nothing
end

function special.sometimes()
  return nothing
end

function special.after(self, call)
  return self.c:after(call[1], self:timer(self.driver.after_count + 1))
end

function special.client(self, call)
  return self.c:client(self:client(call.number), call[2])
end

function special.intercept(self, call)
  return self.c:intercept(call[1] ~= nil and function()
    self:catch_up()
    return self.from.verdicts[self.to.judged + 1]
  end or nil)
end

function special.serve(self, call)
  self.served[call[1]] = call[2] ~= nil or nil
  return self.c:serve(call[1], call[2] ~= nil and function()
    self:catch_up()
    return self.from.answers[self.to.answered + 1]
  end or nil)
end

-- Ends where the script's own function ended it: after that step of the world, or within it.
local function asked(self, call, within)
  local handle = self.core
  return function()
    return call.gave and handle:world_steps() + within >= call.end_steps
  end
end

function special.wait_until(self, call)
  return self.c:wait_until(asked(self, call, 0), call[2], call[3])
end

function special.wait_event(self, call)
  if type(call[1]) ~= "function" then
    return self.c:wait_event(call[1], call[2])
  end
  return self.c:wait_event(asked(self, call, 1), call[2])
end

-- Makes a call; what it gives is kept where later calls speak of it.
function Replay:call(call)
  local result
  if call.leaves_clients then
    self.leave(self.c.inner)
  elseif call.text then
    result = load_in("return " .. call.text, self.environment)()
  elseif special[call.name] then
    result = special[call.name](self, call)
  else
    result = self.c[call.name](self.c, unpack(call, 1, call.count))
  end
  if call.place then
    self.kept[call.place] = result
    if type(result) == "table" then
      self.recording.kept[result] = ("kept[%d]"):format(call.place)
    end
  end
end

-- A call that raised an error, or may, in a function of the script's that caught it.
local function attempt(self, call)
  local fine, problem = pcall(self.call, self, call)
  if not fine and problem == driver.STOPPED then
    error(problem, 0)
  end
end

-- ---- in place of functions ----------------------------------------------------------------------

-- What clients did, each call after the other: they wait as before.
function Replay:client(number)
  return function()
    local list, done = self.from.clients[number], aside.client(self.to, number)
    done.client = list and list.client
    for call in list and list.calls:each() or nothing do
      done.calls:push(call)
      attempt(self, call)
    end
    if not list then
      return
    elseif list.client and list.client.failure then
      error(list.client.failure.value, 0)
    end
  end
end

function Replay:timer(number)
  return function()
    local list = self.from.timers[number] or {}
    self.to.timers[number] = list
    for _, call in ipairs(list) do
      attempt(self, call)
    end
  end
end

-- What callbacks did at this point of the trace.
function Replay:catch_up()
  local list, count = self.from.events, self.core:trace_count()
  local call = list[self.position]
  while call and call.position <= count do
    self.position = self.position + 1
    self.to.events[#self.to.events + 1] = call
    attempt(self, call)
    call = list[self.position]
  end
  if self.samples_at == count and not self.sample then
    self.sample = self.core:trace_hash()
  end
end

-- ---- the main script's calls --------------------------------------------------------------------

-- A copy, for tables of a record are used again.
local function keep(self, call)
  local copy = {}
  for name, value in pairs(call) do
    copy[name] = value
  end
  archive.keep(self.recording, copy)
end

-- A call that is ended half-way, as it was.
local function set_end(self, steps, ns)
  self.driver.stops_steps = steps or false
  self.core:limit_steps(steps or 0)
  if ns and self.until_ns then
    ns = math.min(ns, self.until_ns)
  end
  self.driver.stops_ns = ns or self.until_ns or false
end

-- Of a call that was ended by the moment up to which all is done; a sleep is only shorter.
local function half_of(call, now_ns)
  if call.name == "sleep" then
    return { name = "sleep", count = 1, start_ns = call.start_ns, start_steps = call.start_steps, end_ns = now_ns,
      (now_ns - call.start_ns) / 1e9 }
  end
  local half = { start_ns = call.start_ns, start_steps = call.start_steps, end_ns = now_ns, raised = true,
    interrupted = true, name = call.name, text = call.text, count = call.count }
  for position = 1, call.count or 0 do
    half[position] = call[position]
  end
  return half
end

-- A sleep up to the moment; false: it ends before.
function Replay:sleeps_to_end(call)
  local left_ns = self.until_ns and self.until_ns - self.core:now_ns()
  if not left_ns or call[1] * 1e9 <= left_ns then
    return false
  end
  set_end(self)
  self.driver.stops_ns = false
  self.c:sleep(left_ns / 1e9)
  return true
end

-- Makes a call of the main script's; true: it was ended by the moment up to which all is done.
function Replay:main(call, next_call, is_in_loop)
  if call.start_ns and not is_in_loop and self.core:now_ns() ~= call.start_ns then
    error(("the call %s began at %.9f s, and would begin at %.9f s"):format(call.name or call.text or "",
      call.start_ns / 1e9, self.core:now_ns() / 1e9), 0)
  end
  local is_half = call.raised
  if call.name == "sleep" and not is_half and self:sleeps_to_end(call) then
    return true
  end
  if is_half then
    set_end(self, next_call.start_steps, next_call.start_ns)
  end
  local fine, problem = pcall(self.call, self, call)
  if is_half then
    set_end(self)
    self:wait_for(next_call.start_ns)
  end
  if fine then
    return false
  elseif type(problem) == "string" and problem:find "^interrupted" then -- by somebody at a prompt, just now
    error(problem, 0)
  elseif problem == driver.STOPPED and self.until_ns and self.core:now_ns() >= self.until_ns and not (is_half
    and call.end_ns and call.end_ns <= self.until_ns) then
    return true
  elseif not is_half then
    error(problem, 0)
  end
  return false
end

-- The clock may have gone on behind the last step.
function Replay:wait_for(ns)
  ns = ns and self.until_ns and math.min(ns, self.until_ns) or ns
  while ns and self.core:now_ns() < ns do
    self.driver:turn(ns)
  end
end

local function is_over(self)
  return self.until_ns and self.core:now_ns() > self.until_ns
end

-- A loop's calls; those that were made are kept. true: it was ended.
function Replay:loop(loop)
  for turn = 1, loop.count do
    for position, call in ipairs(loop.loop) do
      local ended = call.loop and self:loop(call)
      if not call.loop then
        local start_ns = self.core:now_ns()
        ended = self:main(call, {}, true)
        if ended then
          self:keep_part(loop, turn, position)
          keep(self, half_of({ name = call.name, text = call.text, count = call.count, start_ns = start_ns,
            unpack(call, 1, call.count) }, self.core:now_ns()))
          return true
        end
      elseif ended then
        return true
      end
    end
  end
  return false
end

-- The turns of a loop that were whole, and what was made of the next.
function Replay:keep_part(loop, turn, position)
  if turn > 1 then
    keep(self, { loop = loop.loop, count = turn - 1, start_ns = loop.start_ns, start_steps = loop.start_steps,
      end_ns = self.core:now_ns() })
  end
  for before = 1, position - 1 do
    keep(self, loop.loop[before])
  end
end

function Replay:run(recording, present)
  set_end(self)
  local each = archive.all(recording)
  local following = each()
  while following do
    local call = following
    following = each()
    if is_over(self) or self.until_ns and call.start_ns > self.until_ns then
      return
    end
    if call.loop then
      if self:loop(call) then
        return
      end
      keep(self, { loop = call.loop, count = call.count, start_ns = call.start_ns, end_ns = call.end_ns,
        start_steps = call.start_steps })
    elseif self:main(call, following or present) then
      keep(self, half_of(call, self.core:now_ns()))
      return
    else
      keep(self, call)
    end
  end
end

--- Does it again.
-- @tparam table of the cluster, its inner object
-- @tparam table c the new cluster
-- @tparam table options `until_ns`: the moment, nil: the present; `samples_at`: a number of events of the trace;
-- `leave`: leave(inner) → whether there were clients that ran, which are left behind
-- @treturn ?string the trace's hash after so many events
function replay.run(of, c, options)
  local recording = c.inner.recording
  local self = setmetatable({
    c = c, core = c.core, driver = c.inner.driver, recording = recording, from = of.recording.aside,
    to = recording.aside, until_ns = options.until_ns, samples_at = options.samples_at, position = 1, kept = {},
    served = {}, leave = options.leave,
  }, Replay)
  self.environment = { c = c, kept = self.kept, math = math, raft = { null = require("raft.core").null } }
  recording.is_off = true
  local reader = (self.samples_at or #self.from.events > 0) and self.core:on(nil, function() self:catch_up() end)
  local fine, problem = pcall(self.run, self, of.recording,
    { start_steps = of.core:world_steps(), start_ns = of.core:now_ns() })
  if reader then
    self.core:off(reader)
  end
  self.driver.stops_ns, self.driver.stops_steps = false, false
  self.core:limit_steps(0)
  recording.is_off, recording.kept_count = false, of.recording.kept_count
  if not fine then
    error(problem, 0)
  end
  if self.leave(c.inner) then
    keep(self, { leaves_clients = true, start_ns = self.core:now_ns(), end_ns = self.core:now_ns() })
  end
  self.c.inner:intercept(nil)
  for id in pairs(self.served) do
    self.core:serve(id, nil)
  end
  return self.sample
end

return replay
