---@meta _
-- For editors (lua-language-server), never loaded. Made by `make annotations` from the comments in lua/raft: edit those.

---@class raft.node
local node = {}

---Listens, dials its peers, takes part. Once.
---@return boolean? # true; nil, message, code, detail where that does not work
---@return string? message
---@return string? code
---@return raft.detail? detail
function node:start() end

---Has a command replicated and applied, on this node too. A follower passes it on to the leader and waits for one,
---unless the node was made with `forward = false`.
---@param command raft.value
---@param given? raft.timeout_options|raft.callback `timeout` seconds, 10 if not given; may be left out
---@param f? raft.callback f(index, result), or f(nil, message, code, detail); without it the call waits and returns that
---@return integer? # the command's index; nil, message, code, detail
---@return raft.value|string # the machine's result
---@return string? code
---@return raft.detail? detail
function node:propose(command, given, f) end

---Waits until this node's own state is as fresh as the cluster's: what was answered before the call is in it.
---@param given? raft.node_read_options|raft.callback `timeout` seconds, 10 if not given; `read`: "lease" for the leader's lease (needs `clock_drift`); may be left out
---@param f? raft.callback f(true), or f(nil, message, code, detail); without it the call waits and returns that
---@return boolean? # true; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function node:read(given, f) end

---As `node:read`, and asks the machine's `query` then.
---@param request raft.value as the machine takes it
---@param given? raft.node_read_options|raft.callback `timeout` seconds, 10 if not given; `read`: "lease" for the leader's lease (needs `clock_drift`), "stale" for what this node has just now; may be left out
---@param f? raft.callback f(answer), or f(nil, message, code, detail); without it the call waits and returns that
---@return raft.value? # the answer; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function node:query(request, given, f) end

---Changes the members to exactly these, any number at once, through joint consensus. Only the leader takes it; others
---answer "not_leader", with the leader's address in `detail.address`. New ones have to run, with `join = true`.
---@param wanted raft.wanted_addresses { voters = { [id] = true, or the address of a new one }, learners = {...} }
---@param given? raft.timeout_options|raft.callback `timeout` seconds, 10 if not given; may be left out
---@param f? raft.callback f(index, term), or f(nil, message, code, detail); without it the call waits and returns that
---@return integer? # the index of the change; nil, message, code, detail
---@return integer|string # its term
---@return string? code
---@return raft.detail? detail
function node:change_members(wanted, given, f) end

---Hands leadership over to another voter: it is brought level first, and no command is taken meanwhile ("busy"). Only
---the leader can; others answer "not_leader". What has not come about within one election time-out is given up
---("timeout"), and this node leads on.
---@param id integer
---@param given? raft.timeout_options|raft.callback `timeout` seconds, 10 if not given; may be left out
---@param f? raft.callback f(id, term), or f(nil, message, code, detail); without it the call waits and returns that
---@return integer? # that node's id, once it leads; nil, message, code, detail
---@return integer|string # the term in which it leads
---@return string? code
---@return raft.detail? detail
function node:transfer_leader(id, given, f) end

---Takes a snapshot of this node's machine now, and drops the log that it covers.
---@param given? raft.timeout_options|raft.callback `timeout` seconds, 10 if not given; may be left out
---@param f? raft.callback f(index), or f(nil, message, code, detail); without it the call waits and returns that
---@return integer? # the index that it covers, once it is on disk; nil, message, code, detail ("unsupported": the machine has no snapshots)
---@return string? message
---@return string? code
---@return raft.detail? detail
function node:compact(given, f) end

---Calls f when something happens: "leader"(id or nil, term), "role"(role, term), "members"(members), "removed"(),
---"error"(message, code) when the node has failed, "notice"(text, peer or nil) when something from outside was
---turned away. Without a listener of "error" the call that drives the loop raises it.
---@param name "leader"|"role"|"members"|"removed"|"error"|"notice"
---@param f fun(...)
function node:on(name, f) end

---What it is now.
---@return raft.node_status # id, state ("stopped" "running" "failed" "removed" "closed"), error, role, term, vote, leader, commit, applied, first_index, last_index, address, members ({voters, learners, addresses}); on a leader peers[id] = {match, next, inflight}
function node:status() end

---Ends it: waiting calls get "closed", no callback comes later. A leader hands leadership over first, to the voter
---whose log is furthest; that takes two of the longest election time-outs at most, and a second call ends it at once.
---Without f it waits for that; from one of its callbacks it ends later.
---@param f? raft.callback f(true) once it is closed, or f(nil, message, "storage") where the trace could not be written whole
---@return boolean? # true; nil, message, code, detail where the trace could not be written whole
---@return string? message
---@return string? code
---@return raft.detail? detail
function node:close(f) end

---@class raft.attached
local attached = {}

---Nodes no longer keep the application's loop alive.
function attached:unref() end

---Leaves the application's loop. Twice is fine.
function attached:close() end
