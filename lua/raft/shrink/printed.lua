--- A plan as a stand-alone script, in the words that scenarios are written in. It makes the same calls in the same
-- order as raft.shrink.replay, so that its run is the same to the last event.
-- @module raft.shrink.printed

local functions = require "raft.script.functions"
local plans = require "raft.shrink.plan"
local replay = require "raft.shrink.replay"
local source = require "raft.script.source"

local printed = {}

local MILLISECOND_NS = 1000000

local Printer = {}
Printer.__index = Printer

function Printer:add(text, ...)
  self.lines[#self.lines + 1] = select("#", ...) > 0 and text:format(...) or text
end

-- A line as it is.
function Printer:plain(text)
  self.lines[#self.lines + 1] = text
end

function Printer:remark(text)
  self:plain(source.remark(text))
end

-- A function that a file returns, or a table that it returns has: as a call that loads that file.
local function of_file(f)
  local info = debug.getinfo(f, "S")
  local path = info.source:match "^@(.*)$"
  local chunk = path and loadfile(path)
  local fine, value = pcall(chunk or error, path)
  local function is_it(one)
    local other = type(one) == "function" and debug.getinfo(one, "S")
    return other and other.source == info.source and other.linedefined == info.linedefined
  end
  if fine and is_it(value) then
    return ("dofile(%q)"):format(path)
  elseif fine and type(value) == "table" then
    for _, name in ipairs(source.keys(value)) do
      if source.is_name(name) and is_it(value[name]) then
        return ("dofile(%q).%s"):format(path, name)
      end
    end
  end
  return nil
end

local function seconds(ns)
  return (("%.9f"):format(ns / 1e9):gsub("0+$", ""):gsub("%.$", ""))
end

-- A value as source; what cannot be written is told, and the script is not stand-alone.
function Printer:value(value, what, depth)
  local text, why = source.write(value, self.context, depth)
  if not text then
    self.refused[#self.refused + 1] = ("%s: %s"):format(what, why)
    return nil
  end
  return text
end

function Printer:options(plan)
  local options = plans.with(plan.options, { seed = plan.seed })
  self:add "local c = assert(raft.cluster {"
  for _, name in ipairs(source.keys(options)) do
    local text = self:value(options[name], "the option '" .. name .. "'", 1)
    if text then
      self:plain(("  %s = %s,"):format(name, text))
    end
  end
  self:add "})"
end

local function is_fate(step)
  return step.name == "delay" or step.name == "lose"
end

-- Messages that come late or never, where there are such.
function Printer:fates(plan)
  local needed = false
  for _, step in ipairs(plan.steps) do
    needed = needed or is_fate(step)
  end
  if not needed then
    return
  end
  self:add [[

-- Of what is listed here the next message of that link and kind comes so many seconds later, or never.
local late = {}
c:intercept(function(message)
  for position, which in ipairs(late) do
    if which.from == message.from and which.to == message.to and which.kind == message.kind then
      table.remove(late, position)
      if which.again then
        c:after(which.by + which.again, function() message:deliver() end)
      end
      return which.by or "drop"
    end
  end
end)]]
end

function Printer:workloads(plan)
  for place, workload in ipairs(plan.workloads) do
    local name = ("h%d"):format(place)
    local text = self:value(workload, "a workload", 0)
    if text then
      self:plain(("local %s = c:workload %s"):format(name, text))
    end
  end
end

-- Nodes that must start again, where the failure is that one does not.
function Printer:starts(plan)
  if plan.reason then
    self:add("\n%s", ([[
-- A node that does not start for this reason is the failure; what else is refused is no matter.
local function must_start(started, message)
  assert(started ~= nil or not message:find(%q, 1, true), message)
end]]):format(plan.reason))
  end
end

function Printer:call(step, reason)
  local parts = {}
  for place = 1, step.count do
    parts[place] = self:value(step[place], "c:" .. step.name, 0) or "nil"
  end
  if step.name == "ambush" or step.name == "late" then
    return ("c:nemesis { actions = { { at = c:now(), %q, %s } } }"):format(step.name, parts[1])
  end
  if reason and (step.name == "restart" or step.name == "heal") then
    return ("must_start(c:%s(%s))"):format(step.name, table.concat(parts, ", "))
  end
  return is_fate(step) and ("late[#late + 1] = %s"):format(parts[1])
    or ("c:%s(%s)"):format(step.name, table.concat(parts, ", "))
end

function Printer:session(steps, reason)
  self:add "c:client(function()"
  local before_ns
  for _, step in ipairs(steps) do
    if before_ns and step.at_ns > before_ns then
      self:add("  at(%s)", seconds(step.at_ns))
    end
    before_ns = step.at_ns
    self:plain("  " .. self:call(step, reason))
  end
  self:add "end, { session = true })"
end

function Printer:step(step, session, reason)
  if session then
    if session[1] == step then
      self:session(session, reason)
    end
  elseif plans.waits(step.name) and not step.is_direct then
    self:plain(("c:client(function() %s end)"):format(self:call(step, reason)))
  else
    self:plain(self:call(step, reason))
  end
end

function Printer:steps(plan)
  local now_ns, sessions = 0, plans.sessions(plan)
  local function sleep_until(at_ns)
    if at_ns > now_ns then
      self:add("at(%s)", seconds(at_ns))
      now_ns = at_ns
    end
  end
  self:add [[
local function at(time)
  c:sleep(math.max(0, time - c:now()))
end
]]
  self:workloads(plan)
  for _, step in ipairs(plan.steps) do
    sleep_until(step.at_ns)
    self:step(step, sessions[step.session], plan.reason)
  end
  local later_ns = plan.tail and 0 or replay.SLACK_NS -- where time is real it fails a little sooner or later
  sleep_until(math.ceil((plan.ends_ns + later_ns) / MILLISECOND_NS) * MILLISECOND_NS)
end

function Printer:tail(plan)
  if plan.tail == "live" then
    self:add 'assert(c:heal "all")'
    self:add("c:check_live(%d)", replay.LIVE_S)
  elseif plan.tail == "start" then
    self:plain [[
for _, id in ipairs(c:ids()) do
  if c:status(id, "state") == "failed" then
    must_start(nil, c:status(id, "error"))
  end
end
must_start(c:heal "all")]]
  elseif plan.tail == "check" then
    for place in ipairs(plan.workloads) do
      self:add("h%d:wait()", place)
      local workload = plan.workloads[place]
      local model = self:value(workload.model or workload.kind, "a model", 0)
      self:plain(("assert(raft.linearizable(h%d, %s))"):format(place, tostring(model)))
    end
  end
end

--- Writes a plan as a script.
-- @tparam table plan
-- @tparam ?string about what it shows, for the remark at its head
-- @tparam ?boolean may_load whether the files that functions came from may be loaded once more
-- @treturn string the script
-- @treturn string[] what could not be written, and why
function printed.write(plan, about, may_load)
  local function is_known(name, value)
    return name == "raft" and value == package.loaded.raft
  end
  local printer = setmetatable({
    lines = {}, refused = {},
    context = {
      write_function = function(f)
        local written, why = functions.write(f, is_known)
        if written or not may_load then
          return written, why
        end
        written = of_file(f)
        return written, why
      end,
    },
  }, Printer)
  if about then
    printer:remark(about)
  end
  printer:add 'local raft = require "raft"\n'
  printer:options(plan)
  printer:fates(plan)
  printer:starts(plan)
  printer:add ""
  printer:steps(plan)
  printer:tail(plan)
  printer:add "c:shutdown()"
  return table.concat(printer.lines, "\n") .. "\n", printer.refused
end

return printed
