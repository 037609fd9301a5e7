-- What the specs of the timing diagram share: traces, and measures of what was drawn.
local lu = require "luaunit"
local command = require "spec.support.command"
local raft = require "raft"
local table_view = require "raft.view.table"

local M = {}

local WIDE = { "世", "界", "🙂" } -- two columns each; the only ones in here

-- Columns, counted apart from the code that is tested: no control characters, and UTF-8 only.
function M.columns(text)
  if utf8 then -- luacheck: ignore 113
    lu.assertNotNil(utf8.len(text), "no UTF-8: " .. text) -- luacheck: ignore 113
  end
  lu.assertNil(text:find("%c"), "a control character in: " .. text)
  local count = select(2, text:gsub("[^\128-\191]", ""))
  for _, letter in ipairs(WIDE) do
    count = count + select(2, text:gsub(letter, ""))
  end
  return count - select(2, text:gsub("\204\136", "")) -- U+0308, combining
end

-- No line is wider; the lines of each table are of one width. How many lines there were.
function M.check_fit(text, width)
  local table_width, count = nil, 0
  for line in text:gmatch("[^\n]+") do
    count = count + 1
    local wide = M.columns(line)
    if wide > width then
      lu.fail(("%d columns, not %d: %s"):format(wide, width, line))
    end
    if line:find("^┌") then
      table_width = wide
    end
    if line:find("^[┌├│└]") and wide ~= table_width then
      lu.fail(("%d columns in a table of %d: %s"):format(wide, table_width, line))
    end
  end
  return count
end

function M.view(path, ...)
  return command.run { "view", path, ... }
end

function M.show(path, ...)
  local result = command.assert_code(M.view(path, ...), 0)
  lu.assertEquals(result.err, "")
  return result.out, result.lines
end

-- The diagram of events that are given as a trace's lines hold them.
function M.draw(events, options)
  local parts = {}
  local settings = { write = function(text) parts[#parts + 1] = text end }
  for name, value in pairs(options or {}) do
    settings[name] = value
  end
  table_view.render(function()
    local position = 0
    return function()
      position = position + 1
      return events[position]
    end
  end, settings)
  return table.concat(parts)
end

function M.read_events(path)
  local list = {}
  for line in io.lines(path) do
    list[#list + 1] = assert(raft.core.json_decode(line))
  end
  return list
end

-- A cluster with a trace at that path, driven by f, and shut down; how many events.
function M.record(path, options, f)
  options.trace, options.mode = path, options.mode or "sim"
  local c = assert(raft.cluster(options))
  local fine, problem = pcall(f, c)
  c:shutdown()
  if not fine then
    error(problem, 0)
  end
  return #command.lines(command.read(path))
end

function M.some_faults(c)
  local leader, term = c:check_one_leader()
  assert(c:set("key", "value"))
  c:disconnect(leader)
  if #c:ids() > 2 then
    assert(c:wait_leader(nil, term))
  end
  c:heal()
  c:crash(leader)
  assert(c:restart(leader))
  c:note("all is well")
end

-- A whole run of two nodes, as lines.
M.small = {
  '{"time":0,"node":0,"kind":"run","text":"small","value":{"mode":"sim","seed":7,"nodes":[1,2]}}',
  '{"time":0,"node":1,"kind":"start","term":0,"vote":0,"first":1,"last":0}',
  '{"time":0,"node":2,"kind":"start","term":3,"vote":0,"first":1,"last":9}',
  '{"time":1500000000,"node":1,"kind":"role","term":4,"role":"leader"}',
  '{"time":1500000000,"node":1,"kind":"append","term":4,"first":1,"last":1,"entries":1}',
  '{"time":1500000000,"node":1,"kind":"append","term":4,"first":2,"last":3,"entries":2}',
  '{"time":1500000000,"node":1,"kind":"write","term":4,"sequence":1,"first":1,"last":3,"what":"entries"}',
  '{"time":1500000000,"node":1,"kind":"send","peer":2,"message":"append","number":1,"term":4,"entries":3}',
  '{"time":1501234567,"node":2,"kind":"receive","peer":1,"message":"append","number":1,"term":4,"entries":3}',
  '{"time":1501300000,"node":1,"kind":"fault","text":"crash","value":[1]}',
  '{"time":1501300000,"node":1,"kind":"stop","text":"crash"}',
  '{"time":1501300000,"node":1,"kind":"drop","peer":2,"number":2,"text":"cut"}',
  '{"time":1501400000,"node":0,"kind":"verdict","text":"small","value":{"passed":true,"message":""}}',
}


return M
