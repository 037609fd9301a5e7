#!/usr/bin/env lua5.4
-- A counter that three processes keep together and on disk: it survives the loss of any one, and a kill -9 of all.
-- Each has a web page.
local id, join = tonumber(arg[1]), arg[2] == "join"
if not id or id < 1 or id > 99 or arg[2] and not join then
  io.stderr:write([[
usage: lua5.4 scripts/counter.lua ID [join]

Start 1, 2 and 3, each in a terminal of its own, and open http://127.0.0.1:8001 (8002, 8003): node ID has its page at
port 8000 + ID, talks to the others at 7000 + ID, and keeps its log and snapshots in counter/ID (or $COUNTER_DIR/ID).
Kill one with kill -9, and the others go on counting; start it again in the same way, and it has caught up. Kill all and
start them again: the count is what it was. Where a disk is lost, a new id takes its place; ask the leader's page:
  lua5.4 scripts/counter.lua 4 join
  curl http://127.0.0.1:8001/members/1,2,4
]])
  os.exit(2)
end
local root = (arg[0]:match("^.*/") or "./") .. "../" -- where this file is in a checkout
package.path = root .. "lua/?.lua;" .. root .. "lua/?/init.lua;" .. package.path
local build = rawget(_G, "jit") and "build/luajit" or _VERSION == "Lua 5.4" and "build" or "build/lua5.3"
package.cpath = root .. build .. "/?.so;" .. package.cpath
local raft, uv = require "raft", require "luv"

local function address(of) return "127.0.0.1:" .. 7000 + of end

local count = 0
local node = assert(raft.node {
  id = id, listen = address(id), cluster = "counter", join = join,
  peers = not join and { address(1), address(2), address(3) } or nil,
  dir = (os.getenv "COUNTER_DIR" or "counter") .. "/" .. id,
  machine = {
    apply = function(add) count = count + add return count end,
    snapshot = function() return tostring(count) end,
    restore = function(next_chunk) count = tonumber(next_chunk()) end,
  },
})
node:on("leader", function(leader) print(leader and "node " .. leader .. " leads" or "no leader") end)
node:on("notice", function(text) print(text) end)
assert(node:start())
raft.attach(uv)

local requests = { -- they run in a coroutine, so that the node's calls may wait
  look = function() return node:read() end,
  add = function(number)
    if not number:find "^%d%d?%d?%d?%d?%d?$" then return nil, "add what? /add/1" end
    return node:propose(tonumber(number))
  end,
  members = function(list)
    local voters = {}
    for member in list:gmatch "%d+" do
      if not member:find "^[1-9]%d?$" then return nil, "members are 1 to 99" end
      voters[tonumber(member)] = address(member)
    end
    if not next(voters) then return nil, "which members? /members/1,2,4" end
    return node:change_members { voters = voters }
  end,
}
local function answer(client, name, argument)
  local done, message = (requests[name] or requests.look)(argument)
  client:write(("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<h1>%d</h1> %s <p><a href='/'>look</a> "
    .. "<a href='/add/1'>add 1</a>\n"):format(count, done and tostring(node) or message), function() client:close() end)
end
local server = uv.new_tcp()
assert(server:bind("127.0.0.1", 8000 + id))
assert(server:listen(16, function()
  local client = uv.new_tcp()
  server:accept(client)
  client:read_start(function(_, data)
    client:read_stop()
    coroutine.wrap(answer)(client, (data or ""):match "^%u+ /(%w+)/?([%d,]*)")
  end)
end))
print("node " .. id .. ": http://127.0.0.1:" .. 8000 + id)
uv.run()
