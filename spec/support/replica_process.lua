-- A replica of a counter in a process of its own, for node_spec: lua replica_process.lua LOOP FOLDER OPTIONS
-- It is told what to do by lines in FOLDER/control, each "NUMBER CHUNK", which run as coroutines with `node` and
-- `count`, and answers in FOLDER/answers. LOOP is whose loop it lives in.
local raft = require "raft"

local kind, folder = arg[1], arg[2]
local load_chunk = loadstring or load -- luacheck: ignore 113

local PRELUDE = "local told = ... local node, count = told.node, told.count "

local count = 0
local notices = {}
local options = assert(load_chunk("return " .. arg[3]))()
options.machine = {
  apply = function(add)
    count = count + add
    return count
  end,
  snapshot = function() return tostring(count) end,
  restore = function(next_chunk) count = tonumber(next_chunk()) end,
}
local node = assert(raft.node(options))
node:on("notice", function(text) notices[#notices + 1] = text end)
assert(node:start())

local control = assert(io.open(folder .. "/control", "r"))
local answers = assert(io.open(folder .. "/answers", "a"))

local function answer(number, ...)
  local words = { number }
  for i = 1, select("#", ...) do
    words[#words + 1] = tostring((select(i, ...)))
  end
  answers:write(table.concat(words, "\t"), "\n")
  answers:flush()
end

local told = { node = node, notices = notices, count = function() return count end }

local function run_requests()
  control:seek("cur", 0) -- it may have grown
  for line in control:lines() do
    local number, text = line:match("^(%d+) (.*)$")
    local chunk = assert(load_chunk(PRELUDE .. text))
    coroutine.wrap(function() answer(number, chunk(told)) end)()
  end
end

local loops = {}

function loops.run()
  while raft.run(0.01) do -- until the node is closed
    run_requests()
  end
end

function loops.luv()
  local uv = require "luv"
  raft.attach(uv)
  local timer = uv.new_timer()
  timer:start(0, 10, run_requests)
  uv.run()
end

-- The poll protocol by hand, under a loop that knows nothing of raft.attach.
function loops.poll()
  local uv = require "luv"
  local poll, timer = uv.new_poll(raft.pollfd()), uv.new_timer()
  while true do
    local wait_ms = math.ceil(math.min(raft.timeout() or 0.01, 0.01) * 1000)
    poll:start(raft.events(), function() end)
    -- It repeats: one that is due before the poll has to be there for the poll too.
    timer:start(wait_ms, wait_ms, function() end)
    uv.run(wait_ms == 0 and "nowait" or "once")
    raft.step()
    run_requests()
  end
end

loops[kind]()
