-- The "kv" machine once more, in Lua, with snapshots in chunks of a few keys.
local raft = require "raft"

local CHUNK_KEYS = 3

local function equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for key, value in pairs(a) do
    if not equal(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

-- Numbers and strings alone, which is what chaos writes.
local function quote(value)
  return type(value) == "number" and ("%d"):format(value) or ("%q"):format(value)
end

local function unquote(text)
  return assert(load("return " .. text))()
end

return function()
  local state = {}

  local function cas(command)
    local present = state[command.key]
    if not equal(present, command.old) then
      return present == nil and { false } or { false, present }
    end
    state[command.key] = command.new
    return { true }
  end

  local machine = {}

  function machine.apply(command)
    if type(command) ~= "table" then
      return nil
    elseif command.op == "set" then
      state[command.key] = command.value
    elseif command.op == "delete" then
      local was_there = state[command.key] ~= nil
      state[command.key] = nil
      return was_there
    elseif command.op == "cas" then
      return cas(command)
    end
  end

  function machine.query(request)
    local value = state[request.key]
    return value == nil and {} or { value }
  end

  function machine.snapshot()
    local lines = {}
    for key, value in raft.sorted(state) do
      lines[#lines + 1] = quote(key) .. "\n" .. quote(value) .. "\n"
    end
    local at = 1
    return function()
      local chunk = table.concat(lines, "", at, math.min(at + CHUNK_KEYS - 1, #lines))
      at = at + CHUNK_KEYS
      return chunk ~= "" and chunk or nil
    end
  end

  function machine.restore(next_chunk)
    state = {}
    for chunk in next_chunk do
      for key, value in chunk:gmatch "([^\n]*)\n([^\n]*)\n" do
        state[unquote(key)] = unquote(value)
      end
    end
  end

  function machine.digest()
    local all = {}
    for key, value in raft.sorted(state) do
      all[#all + 1] = { key, value }
    end
    return all
  end

  return machine
end
