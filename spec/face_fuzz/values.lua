-- Values for the fuzzer of the public calls: a generator of its own, and things that are right, odd or hostile.
local values = {}

local Random = {}
Random.__index = Random

-- A generator that is the same in every Lua: 31 bits of state, the low bits left out.
function values.random(seed)
  return setmetatable({ state = (seed * 7919 + 12345) % 2147483648 }, Random)
end

function Random:below(count)
  self.state = (self.state * 1103515245 % 2147483648 + 12345) % 2147483648
  return math.floor(self.state / 65536) % count
end

function Random:any(list)
  return list[self:below(#list) + 1]
end

function Random:one_in(count)
  return self:below(count) == 0
end

local nan = 0 / 0

local cyclic = {}
cyclic.self = cyclic

local deep = {}
for _ = 1, 150 do
  deep = { deep }
end

-- Tables whose own functions raise, or give what nobody expects.
local hostile = {
  setmetatable({}, { __index = function() error "raised by __index" end }),
  setmetatable({}, { __tostring = function() error "raised by __tostring" end }),
  setmetatable({}, { __tostring = function() return {} end }),
  setmetatable({}, { __len = function() return 2 ^ 40 end }),
  setmetatable({}, { __len = function() error "raised by __len" end }),
  setmetatable({}, { __pairs = function() error "raised by __pairs" end }),
  setmetatable({}, { __eq = function() error "raised by __eq" end, __lt = function() error "raised by __lt" end }),
  setmetatable({}, { __name = "raft.cluster" }),
  setmetatable({}, { __metatable = "hidden" }),
  setmetatable({}, { __call = function() error "raised by __call" end }),
}

-- What is wrong in most places. No large number: a wait of years is no mistake, and does not end.
local odd = {
  false, true, 0, 1, 2, 3, -1, 1.5, nan, -math.huge, "", "x", "1", "all", "client", "*", ("long "):rep(1000), "\0\255",
  {}, { 1 }, { 1, 2 }, { 1, 1 }, { 0 }, { "x" }, { 1, nil, 3 }, { [0] = 1 }, { x = 1 }, { [1.5] = 1 }, { [true] = 1 },
  cyclic, deep, error, io.stdout, coroutine.create(function() end), _G, package, string, debug.getmetatable "",
}

-- Anything; nil one time in eight.
function values.odd(random)
  if random:one_in(8) then
    return nil
  elseif random:one_in(6) then
    return random:any(hostile)
  end
  return random:any(odd)
end

-- A value as commands, keys and results are, most of the time.
function values.value(random)
  return random:any {
    1, -1, 2 ^ 53 - 1, 0.5, "key", "\0\255", true, false, { 1, 2, { "x" } }, { a = 1, b = { c = "d" } }, {},
    { op = "set", key = "k", value = 1 }, { op = "get", key = "k" }, { op = "cas", key = "k", old = 1, new = 2 },
    { op = "sett" }, ("v"):rep(3000),
  }
end

return values
