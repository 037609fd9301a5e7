---@meta _
-- For editors (lua-language-server), never loaded. Made by `make annotations` from the comments in lua/raft: edit those.

---@class raft.client
local client = {}

---Waits until it has ended. An error that ended it is raised.
---@param timeout? number seconds, 10 if not given
---@return boolean? # true; nil, message, "timeout", detail
---@return any|string # what its function returned
---@return string? code
---@return raft.detail? detail
function client:wait(timeout) end

---@class raft.history
local history = {}

---Ends its workload: no client begins anything more, what is under way is waited for. What remains open is "info".
---@param timeout? number seconds, 10 if not given
---@return boolean # true
function history:stop(timeout) end

---Waits until its workload has ended by itself: its time is over, its generator has no more.
---@param timeout? number seconds, 10 if not given
---@return boolean? # true; nil, message, "timeout", detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function history:wait(timeout) end

---Writes it as JSON lines, which raft.read_history and `raftbench check` read.
---@param path string
---@return string? # the path; nil, message, "storage", detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function history:write(path) end

---@class raft.message
local message = {}

---Lets a held message arrive at its receiver now, whatever has become of its sender and of the links: it was on its
---way. Again: a replay.
---@return boolean? # true; where the receiver is down nil, message, "node_down", detail, and it stays held
---@return string? message
---@return string? code
---@return raft.detail? detail
function message:deliver() end

---Loses a held message.
---@return boolean # true
function message:drop() end
