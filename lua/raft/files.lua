--- Files, read and written whole, and folders for a while.
-- @module raft.files

local files = {}

--- What a file holds.
-- @tparam string path
-- @treturn ?string nil where it cannot be read
-- @treturn ?string why, with the path
function files.read(path)
  local file, problem = io.open(path, "rb")
  if not file then
    return nil, problem
  end
  local text, why = file:read "*a"
  file:close()
  if not text then
    return nil, path .. ": " .. tostring(why)
  end
  return text
end

--- Whether there is a file that can be read.
-- @tparam string path
-- @treturn boolean
function files.is_there(path)
  local file = io.open(path, "r")
  return file ~= nil and file:close() == true
end

--- Puts a text in the place of what a file holds.
-- @tparam string path
-- @tparam string text
-- @treturn ?boolean true; nil where that failed
-- @treturn ?string why, with the path
function files.write(path, text)
  local file, problem = io.open(path, "wb")
  if not file then
    return nil, problem
  end
  local written, why = file:write(text)
  local closed, close_why = file:close()
  if not written or not closed then
    return nil, path .. ": " .. tostring(why or close_why)
  end
  return true
end

--- Whether a file can be written, before the work whose outcome it is to hold. Where there is none, an empty one is
-- made.
-- @tparam string path
-- @treturn ?boolean true; nil where it cannot
-- @treturn ?string why, with the path
function files.check(path)
  local file, problem = io.open(path, "ab")
  if not file then
    return nil, problem
  end
  return file:close()
end

--- A new empty folder; whoever asks removes it.
-- @treturn string its path
function files.temporary_folder()
  local pipe = io.popen("mktemp -d", "r")
  local folder = pipe and pipe:read("*l")
  if pipe then
    pipe:close()
  end
  if not folder or folder == "" then
    error("mktemp cannot make a temporary folder", 0)
  end
  return folder
end

return files
