-- A real connection that is slow: relays in this process, over luv's loop, that pass on so many bytes a second and keep
-- little in their sockets, as a thin line does.
local M = {}

local SOCKET_BYTES = 16384

local function parse(address)
  local host, port = address:match("^(.*):(%d+)$")
  return host, tonumber(port)
end

-- What comes on one goes to the other, no faster than that.
local function pump(uv, from, to, rate, close)
  local timer = uv.new_timer()
  local function read()
    if from:is_closing() then
      return
    end
    from:read_start(function(problem, data)
      if problem or not data then
        timer:close()
        close()
        return
      end
      from:read_stop()
      to:write(data)
      timer:start(math.ceil(#data / rate * 1000), 0, read)
    end)
  end
  read()
end

local function relay(uv, from, to, rate)
  local server = uv.new_tcp()
  assert(server:bind(parse(from)))
  uv.recv_buffer_size(server, SOCKET_BYTES)
  assert(server:listen(16, function()
    local near, far = uv.new_tcp(), uv.new_tcp("inet")
    assert(server:accept(near))
    uv.recv_buffer_size(far, SOCKET_BYTES)
    local function close()
      for _, socket in ipairs { near, far } do
        if not socket:is_closing() then
          socket:close()
        end
      end
    end
    local host, port = parse(to)
    far:connect(host, port, function(problem)
      if problem or near:is_closing() then
        close()
        return
      end
      pump(uv, near, far, rate, close)
      pump(uv, far, near, rate, close)
    end)
  end))
end

--- Relays what comes at each `from` address to the `to` address beside it, `rate` bytes a second each way, while that
-- loop turns.
function M.start(uv, from, to, rate)
  for position, address in ipairs(from) do
    relay(uv, address, to[position], rate)
  end
end

--- Closes all that the loop has.
function M.stop(uv)
  uv.walk(function(handle)
    if not handle:is_closing() then
      handle:close()
    end
  end)
  uv.run()
end

return M
