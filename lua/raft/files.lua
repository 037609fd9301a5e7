--- Files, written whole.
-- @module raft.files

local files = {}

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

return files
