-- What a command of the shell says, and how it ends.
local outputs = {}

-- Its output and errors, whether it ended well, and its status.
function outputs.of(command)
  local pipe = assert(io.popen(command .. " 2>&1; echo $?", "r"))
  local text = pipe:read "*a"
  pipe:close()
  local said, status = text:match "^(.-)(%d+)\n$"
  return said, status == "0", tonumber(status)
end

return outputs
