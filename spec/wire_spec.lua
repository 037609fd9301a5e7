-- A malformed frame closes its connection, with a traced reason, and nothing else is affected.
local lu = require "luaunit"
local core = require("raft").core
local clusters = require "spec.support.clusters"

local tests = {}

local function octal(bytes)
  return (bytes:gsub(".", function(byte)
    return ("\\%03o"):format(byte:byte())
  end))
end

-- Connects to a node's port and says this. The shell ends, and with it the connection.
local function say(c, id, bytes)
  local port = c:status(id).address:match("^127%.0%.0%.1:(%d+)$")
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(("exec 3<>/dev/tcp/127.0.0.1/%s\nprintf '%s' >&3\n"):format(port, octal(bytes)))
  file:close()
  os.execute("bash " .. path)
  os.remove(path)
end

-- What a node has said of its connections since then.
local function told_by(c, id, since)
  local told = {}
  for _, event in ipairs(c:events()) do
    if event.node == id and event.time >= since and (event.kind == "notice" or event.kind == "disconnect") then
      told[#told + 1] = event.text or event.reason
    end
  end
  return table.concat(told, "\n")
end

-- A raw connection says something to a node of a cluster at work: it tells of it,
-- and works on.
local function strangers(name, bytes, reason)
  clusters.add(tests, name, { nodes = 3, mode = "tcp" }, function(c)
    local leader, term = c:check_one_leader()
    assert(c:set("key", "before"))
    for id = 1, 3 do
      say(c, id, bytes)
    end
    local since = c:now()
    for id = 1, 3 do
      if reason then
        assert(c:wait_until(function()
          return told_by(c, id, since):find(reason, 1, true)
        end, 10, "what node " .. id .. " tells"))
      end
      lu.assertTrue(c:is_alive(id))
    end
    lu.assertEquals({ c:check_one_leader() }, { leader, term })
    assert(c:set("key", "after"))
    lu.assertEquals(c:check_committed({ op = "set", key = "key", value = "after" }, 3), 3)
  end)
end

local hello, raft, piece = 1, 2, 10

strangers("AWebBrowser", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "frame")
strangers("Garbage", ("\1\2\3\4\5\6\7\8"):rep(100), "frame")
strangers("AnOversizedFrame", "\255\255\255\127" .. ("\0"):rep(100), "")
strangers("AFrameOfDamagedBytes", core.frame(hello, 1, "x"):sub(1, -2) .. "y", "checksum")
strangers("ATruncatedFrame", core.frame(hello, 1, ("x"):rep(100)):sub(1, 50))
strangers("AHelloThatIsNone", core.frame(hello, 1, "not a hello"), "hello")
strangers("AMessageBeforeItsHello", core.frame(raft, 1, "no hello came before"), "hello")
strangers("APieceBeforeItsHello", core.frame(piece, 1, core.frame(raft, 1, ("x"):rep(200000)):sub(1, 1000)), "hello")
strangers("AnEmptyConnection", "")

return tests
