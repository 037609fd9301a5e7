-- Raft in an application that has a loop of its own, and what an application does wrong.
local lu = require "luaunit"
local nodes_of = require "spec.support.nodes"
local processes = require "spec.support.processes"
local raft = require "raft"
local uv = require "luv"

local tests = {}

local with_nodes, run_until = nodes_of.with_nodes, nodes_of.run_until

-- ---- other loops ------------------------------------------------------------------------------------

-- Whether the descriptor can be read now.
local function is_readable(poll)
  local readable = false
  poll:start("r", function() readable = true end)
  uv.run "nowait"
  poll:stop()
  return readable
end

function tests.test_WhoPollsHearsOfWhatIsAskedMeanwhile()
  with_nodes(1, { heartbeat_interval = 4, election_timeout = { 20, 30 } }, function(nodes)
    local poll = uv.new_poll(raft.pollfd())
    repeat
      raft.step()
    until not is_readable(poll) and raft.timeout() ~= 0
    local result
    nodes[1]:propose(1, function(_, value) result = value end)
    lu.assertTrue(is_readable(poll))
    run_until("the answer", function() return result end)
    poll:close()
    uv.run "nowait"
  end)
end

function tests.test_WaitingInACoroutineOfCqueuesSaysWhatToDo()
  with_nodes(1, nil, function(nodes)
    local before = package.loaded.cqueues
    package.loaded.cqueues = { running = function() return true end }
    local fine, problem = coroutine.resume(coroutine.create(function() nodes[1]:propose(1) end))
    package.loaded.cqueues = before
    lu.assertFalse(fine)
    lu.assertStrContains(problem, "node:propose waits, which cannot be done in a coroutine of cqueues: give it a")
    lu.assertStrContains(problem, "embed_spec.lua")
  end)
end

function tests.test_ACoroutineThatAnotherSchedulerResumesSaysWhatToDo()
  with_nodes(1, nil, function(nodes)
    local thread = coroutine.create(function() nodes[1]:propose(1) end)
    assert(coroutine.resume(thread))
    local fine, problem = coroutine.resume(thread)
    lu.assertFalse(fine)
    lu.assertStrContains(problem, "resumed by other code while it waited for node:propose")
    lu.assertEquals(nodes[1]:query "count", 1) -- the answer to nobody does no harm
  end)
end

function tests.test_AHandleThatTheApplicationClosedWithAllOthers()
  with_nodes(1, nil, function(nodes)
    for _ = 1, 2 do
      local handle = assert(raft.attach(uv))
      uv.walk(function(other)
        if not other:is_closing() then
          other:close()
        end
      end)
      handle:unref()
      uv.run()
      handle:close()
      handle:close()
    end
    local handle, result = assert(raft.attach(uv)), nil
    nodes[1]:propose(1, function(_, value)
      result = value
      handle:close()
    end)
    uv.run()
    lu.assertEquals(result, 1)
  end)
end

function tests.test_JoiningALoopTwice()
  with_nodes(1, nil, function()
    local handle = assert(raft.attach(uv))
    lu.assertErrorMsgContains("joined already", raft.attach, uv)
    handle:close()
    local again = assert(raft.attach(uv))
    again:close()
    uv.run "nowait"
  end)
end

-- ---- the beginning ----------------------------------------------------------------------------------

-- Who its members are it knows when its disk has been read.
function tests.test_AChangeOfMembersThatIsAskedOfANodeThatStarts()
  for _, forward in ipairs { true, false } do
    local node = assert(raft.node { id = 1, listen = processes.free_addresses(1)[1], forward = forward })
    assert(node:start())
    lu.assertEquals(node:status().state, "starting")
    local index, message = node:change_members { voters = { [1] = true } }
    lu.assertNotNil(index, message)
    local unknown
    index, unknown, message = node:change_members { voters = { [1] = true, [2] = true } }
    lu.assertEquals({ index, message }, { nil, "not_member" })
    lu.assertStrContains(unknown, "node 2 is not a member: give its address in place of true")
    node:close()
  end
end

-- ---- the end ----------------------------------------------------------------------------------------

function tests.test_ATerminateSignalEndsRunInOrder()
  local words, code = processes.run_chunk([[
    local raft = require "raft"
    local node = assert(raft.node { id = 1, listen = "127.0.0.1:0", join = true })
    assert(node:start())
    node:propose(1, { timeout = 60 }, function(_, _, code) print("told " .. code) end)
    node:propose(2, { timeout = 0.05 }, function() os.execute("kill -TERM $PPID") end)
    print("run gave " .. tostring(raft.run(60)) .. ", the node is " .. node:status().state)
  ]])
  lu.assertEquals(words, "told closed\nrun gave false, the node is closed\n")
  lu.assertEquals(code, 0)
end

function tests.test_ANodeThatWasNeverStartedAndLostLeavesItsId()
  for _ = 1, 2 do
    local node, message = raft.node { id = 77, listen = "127.0.0.1:0", join = true }
    lu.assertNotNil(node, message)
  end
  local kept = assert(raft.node { id = 77, listen = "127.0.0.1:0", join = true })
  lu.assertEquals(select(3, raft.node { id = 77, listen = "127.0.0.1:0", join = true }), "already_member")
  kept:close()
end

-- The example's page under a port of its own; what is asked wrongly is answered, and it goes on.
function tests.test_TheCounterAnswersBadAddresses()
  local pipe = assert(io.popen "mktemp -d")
  local folder = pipe:read "*l"
  pipe:close()
  local answers, code = processes.run_chunk([[
    local uv = require "luv"
    local paths = {}
    local function is_free(port)
      local probe = uv.new_tcp()
      local free = probe:bind("127.0.0.1", port) and probe:listen(1, function() end)
      probe:close()
      return free
    end
    -- Its ports are those of its id: other suites on this machine may have a counter too.
    local id = 99 - math.floor(uv.os_getpid()) % 60
    while not (is_free(7000 + id) and is_free(8000 + id)) do
      id = id - 1
    end
    uv.os_setenv("COUNTER_DIR", "]] .. folder .. [[")
    local given = { "scripts/counter.lua", ("%d"):format(id), "join" }
    local process = assert(uv.spawn(uv.exepath(), { args = given }, function()
      assert(not paths[1], "the example has ended")
      uv.stop()
    end))
    paths = { "/add/x", "/add/", "/add", "/add/99999999999999999999", "/members/", "/members/0" }
    local ask
    local function answered(text)
      print(text:match "<h1>(.-) <p>")
      table.remove(paths, 1)
      if paths[1] then
        ask()
      else
        process:kill "sigterm"
      end
    end
    function ask()
      local socket, text = uv.new_tcp(), ""
      socket:connect("127.0.0.1", 8000 + id, function(problem)
        if problem then
          socket:close()
          return uv.new_timer():start(20, 0, ask)
        end
        socket:write("GET " .. paths[1] .. " HTTP/1.0\r\n\r\n")
        socket:read_start(function(_, data)
          text = text .. (data or "")
          if not data then
            socket:close()
            answered(text)
          end
        end)
      end)
    end
    ask()
    uv.run()
  ]])
  os.execute("rm -rf '" .. folder .. "'")
  lu.assertEquals(answers, ("0</h1> add what? /add/1\n"):rep(4) .. "0</h1> which members? /members/1,2,4\n"
    .. "0</h1> members are 1 to 99\n")
  lu.assertEquals(code, 0)
end

-- ---- mistakes ---------------------------------------------------------------------------------------

function tests.test_MethodsCalledWithADot()
  with_nodes(1, nil, function(nodes)
    for _, name in ipairs { "propose", "read", "query", "change_members", "status", "on", "start", "close" } do
      local fine, problem = pcall(nodes[1][name], { op = "set" })
      lu.assertFalse(fine)
      lu.assertStrContains(problem, ("call it with a colon, as node:%s(...)"):format(name))
      lu.assertNotStrContains(problem, "lua/raft")
    end
  end)
end

function tests.test_AddressesThatMakeNoCluster()
  local function given(more)
    return nodes_of.merge({ id = 1, listen = "127.0.0.1:7001" }, more)
  end
  lu.assertErrorMsgContains("bad argument 'peers[3]' (127.0.0.1:7002 is the address of node 2", raft.node,
    given { peers = { [2] = "127.0.0.1:7002", [3] = "127.0.0.1:7002" } })
  lu.assertErrorMsgContains("bad argument 'peers[2]' (127.0.0.1:7001 is the address of node 1", raft.node,
    given { peers = { [2] = "127.0.0.1:7001" } })
  lu.assertErrorMsgContains("bad argument 'peers[1]' (this is node 1, which listens on 127.0.0.1:7001", raft.node,
    given { peers = { "127.0.0.1:7002", "127.0.0.1:7003" } }) -- without oneself, by position
  local node, message, code = raft.node(given { peers = { [2] = "10.1.2.3:7001" } })
  lu.assertEquals({ node, code }, { nil, "address" })
  lu.assertStrContains(message, "peers[2]")
  lu.assertStrContains(message, "insecure = true")
  assert(raft.node(given { peers = { [2] = "10.1.2.3:7001" }, insecure = true })):close()
end

function tests.test_StopEndsRun()
  with_nodes(1, nil, function(nodes)
    nodes[1]:propose(1, raft.stop)
    lu.assertTrue(raft.run(20))
    lu.assertTrue(raft.run(0.01))
  end)
end

return tests
