--- A cluster's recorded calls, written as a stand-alone script. It keeps nothing and calls no cluster but for its time
-- and its trace's hash.
-- @module raft.script.writer

local archive = require "raft.script.archive"
local functions = require "raft.script.functions"
local source = require "raft.script.source"

local writer = {}

--- So much time between two calls is told by a sleep.
writer.GAP_LEAST_NS = 1000000

-- Calls that leave something to be committed when they are ended half-way.
local commands = {}
for name in ("propose set delete cas change_members add_servers add_learners remove_servers promote "
  .. "transfer_leader"):gmatch "[%a_]+" do
  commands[name] = true
end

local function seconds(ns)
  return (("%.9f"):format(ns / 1e9):gsub("0+$", ""):gsub("%.$", ""))
end

local Writer = {}
Writer.__index = Writer

function Writer:add(text, ...)
  self.lines[#self.lines + 1] = select("#", ...) > 0 and text:format(...) or text
end

-- A remark, each of its lines behind two dashes.
function Writer:remark(text)
  self:add("-- " .. text:gsub("\n", "\n-- "))
end

function Writer:sleep(length_ns, remark)
  self:add("c:sleep(%s)%s", seconds(length_ns), remark and " -- " .. remark or "")
end

function Writer:refuse(what, why, call)
  self.refused[#self.refused + 1] = what .. ": " .. why
  local passed_ns = call and call.end_ns and call.end_ns - call.start_ns or 0
  self:remark(("cannot be written: %s: %s"):format(what, why))
  if passed_ns > 0 then
    self:sleep(passed_ns, "the time that it took")
  end
end

-- The arguments of a call; nil and why they cannot be written.
function Writer:arguments(call)
  local parts = {}
  for position = 1, call.count do
    local text, why = source.write(call[position], self.context)
    if not text then
      return nil, why
    end
    parts[position] = text
  end
  return table.concat(parts, ", ")
end

function Writer:interrupted(call, given)
  local text = ("c:%s(%s)"):format(call.name, given)
  if commands[call.name] then
    self:add("c:client(function() %s end) -- not waited for: it was interrupted", text)
  else
    self:remark(text .. ", interrupted:")
  end
  if call.end_ns > call.start_ns then
    self:sleep(call.end_ns - call.start_ns)
  end
end

function Writer:call(call)
  if call.leaves_clients then
    self:refuse("the end of the clients that ran then", "a fork left them behind, and here they go on")
    return
  elseif call.text then
    self:add((call.place and ("kept[%d] = "):format(call.place) or "") .. call.text)
    return
  end
  local given, why = self:arguments(call)
  if not given then
    self:refuse("c:" .. call.name, why, call)
  elseif call.interrupted then
    self:interrupted(call, given)
  elseif call.raised then
    self:add("pcall(c.%s, c%s) -- raised an error", call.name, call.count > 0 and ", " .. given or "")
  else
    local kept = call.place and ("kept[%d] = "):format(call.place) or ""
    self:add("%sc:%s(%s)%s", kept, call.name, given, call.remark and " -- " .. call.remark or "")
  end
end

function Writer:options(options)
  self:add "local c = assert(raft.cluster {"
  for _, name in ipairs(source.keys(options)) do
    local text, why = source.write(options[name], self.context, 1)
    if name == "trace" then
      self:remark "trace: left out, so that the script writes over no file"
    elseif text then
      self:add("  %s = %s,", name, text)
    else
      self:refuse("the option '" .. name .. "'", why)
    end
  end
  self:add "})"
end

-- Time that passed without a call: at a prompt.
function Writer:gap(from_ns, to_ns)
  if from_ns and to_ns - from_ns >= writer.GAP_LEAST_NS then
    self:sleep(to_ns - from_ns)
  end
end

-- Calls that were made again and again.
function Writer:loop(loop)
  self:add("for _ = 1, %d do", loop.count)
  local first = #self.lines + 1
  for _, call in ipairs(loop.loop) do
    if call.loop then
      self:loop(call)
    else
      self:call(call)
    end
  end
  for position = first, #self.lines do
    self.lines[position] = "  " .. self.lines[position]:gsub("\n", "\n  ")
  end
  self:add "end"
end

function Writer:calls(recording, now_ns)
  local before_ns = recording.begin_ns
  for call in archive.all(recording) do
    self:gap(before_ns, call.start_ns)
    if call.loop then
      self:loop(call)
    else
      self:call(call)
    end
    before_ns = call.end_ns
  end
  self:gap(before_ns, now_ns)
end

--- A recording as a script.
-- @tparam table self the inner cluster
-- @tparam table recording
-- @treturn string
-- @treturn string[] what could not be written, and why
function writer.write(self, recording)
  local function is_known(name, value)
    return name == "c" and value == self.handle or name == "raft" and value == package.loaded.raft
  end
  local made = setmetatable({
    lines = {}, refused = {},
    context = {
      handle = self.handle,
      write_function = function(f) return functions.write(f, is_known) end,
    },
  }, Writer)
  made:add "-- What was done to a cluster, written by Raftbench."
  made:add 'local raft = require "raft"\n'
  made:options(recording.options)
  if recording.kept_count then
    made:add "local kept = {} -- what later lines speak of"
  end
  made:add ""
  made:calls(recording, self.core:now_ns())
  made:add ""
  made:add("print(c:trace_hash())%s", recording.options.mode == "sim" and " -- was " .. self.core:trace_hash() or "")
  return table.concat(made.lines, "\n") .. "\n", made.refused
end

return writer
