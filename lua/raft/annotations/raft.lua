---@meta raft
-- For editors (lua-language-server), never loaded. Made by `make annotations` from the comments in lua/raft: edit those.

---@class raft.module
---@field assert raft.assert The checks as LuaUnit-style assertions; see raft.assert.
---@field core raft.core The C module, for specs and the curious.
---@field event table What an event is: the names of all kinds, and of all fields that a filter can ask for; `help(raft.event)`.
---@field null lightuserdata JSON's null, a value of its own: a Lua nil is no value.
---@field parameters table What `--set parameters.NAME=VALUE` gave to a spec or a script, by name.
---@field version string This release, as text.
local raft = {}

---Joins the application's luv loop: its `uv.run()` drives raft's nodes from then on, and goes on while one runs.
---@param uv table the application's luv
---@return raft.attached? # a handle with `close()`, and `unref()` as luv's handles have it; nil, message, code where the loop cannot be made
---@return string? message
---@return string? code
function raft.attach(uv) end

---Makes a cluster and starts its nodes.
---@param given? raft.cluster_options the options; see the README
---@return raft.cluster # the cluster; where the world cannot be made nil, message, code
---@return string? message
---@return string? code
function raft.cluster(given) end

---A prompt in the middle of a script, with a cluster at hand as `c`. The script goes on when it ends.
---@param c? raft.cluster nil: the one opened last, or a new one of three nodes, which is shut down at the end
function raft.shell(c) end

---Where two clusters differ: a fork and its origin, say. `print(raft.diff(c, d))` shows it as a table.
---@param c raft.cluster
---@param d raft.cluster
---@return raft.difference[] # list of { node (0: the world), field, c's value, d's value }; empty: no difference
function raft.diff(c, d) end

---Runs a scenario under many seeds in worker processes, as `raftbench fuzz` does.
---@param options raft.fuzz_options
---@return raft.fuzz_report? # nil and a message where the scenario cannot be run
function raft.fuzz(options) end

---As `pairs`, in an order that is the same in every run: numbers, then strings, then booleans, each rising. `pairs`
---itself goes through a table in an order of the process's own, so that a script that decides by it is not the same
---under the same seed. Keys of other types raise an error: they have no such order.
---@param t table
---@return fun():any,any # to be used as `for key, value in raft.sorted(t) do`
function raft.sorted(t) end

---Reads a history of what clients asked and were told: JSON lines, as `history:write` makes them, or Jepsen's EDN.
---@param path string
---@param progress? fun(done:integer,all:integer) called now and then with the bytes that were read, and all
---@return raft.history? # the history; where the file cannot be read or is no history nil, message (with line and column), "storage", detail
---@return string? message
function raft.read_history(path, progress) end

---Whether a history is linearizable.
---@param history table of c:workload or raft.read_history, or a list of entries { process, type, f, key, value }
---@param model string|table "register", "cas-register", "kv", "set", "queue", "append", or `{ init = state, step = function(state, operation) → the next state, or nil where it cannot come next, key = function(operation) → what to split by, pure = function(operation) → whether it never changes a state }` (the last two optional), operation being {f, key, value, result, known}
---@param options? table `timeout` in real seconds, `memory` in bytes, `progress` function(done, all)
---@return boolean? # true; false where it is not; nil where a limit was reached before it was decided
---@return raft.explanation? # why not, with __tostring; or the message
---@return string? # "timeout"
function raft.linearizable(history, model, options) end

---Drives the loop, where the application has none. A SIGTERM that nobody else catches closes all nodes in order, so
---that this returns.
---@param seconds? number for so long at most; nil: until nothing is alive or raft.stop is called
---@return boolean # false once nothing is alive: no node runs and no call waits
function raft.run(seconds) end

---Makes raft.run return after the present turn; also from a callback.
function raft.stop() end

---One turn of the loop, without waiting.
---@return boolean # false once nothing is alive
function raft.step() end

---The descriptor to poll, for a loop that is not ours. It stays the same from then on, and becomes readable also when
---something is asked of a node meanwhile.
---@return integer? # the descriptor; nil, message, code where the loop cannot be made
---@return string? message
---@return string? code
function raft.pollfd() end

---What to poll the descriptor for.
---@return string # "r", "w" or "rw"
function raft.events() end

---How long one may wait for the descriptor before raft.step is due.
---@return number? # seconds; nil: for ever
function raft.timeout() end

---Makes a node; it does nothing before `node:start()`.
---@param given raft.node_options `id`, `listen`, `peers`, `join`, `cluster`, `forward`, `insecure`, `machine`, and raft.cluster's options of trace, timing, limits and safety
---@return raft.node? # the node; nil, message, code, detail where it cannot be made
---@return string? message
---@return string? code
---@return raft.detail? detail
function raft.node(given) end

---@class raft.assert
local assertions = {}

---There is one leader, agreed by its quorum, and no two in a term.
---@param cluster raft.cluster
---@return integer # its id
---@return integer # its term
function assertions.one_leader(cluster) end

---No connected running node believes itself leader.
---@param cluster raft.cluster
function assertions.no_leader(cluster) end

---A command is applied on so many running, connected nodes, and logs agree.
---@param cluster raft.cluster
---@param command raft.value
---@param count? integer nil: on any
---@param timeout? number seconds
---@return integer # on how many
---@return integer # its index
function assertions.committed(cluster, command, count, timeout) end

---No node has applied a command.
---@param cluster raft.cluster
---@param command raft.value
function assertions.not_committed(cluster, command) end

---The cluster elects, catches up and answers.
---@param cluster raft.cluster
---@param timeout? number seconds
function assertions.live(cluster, timeout) end

---What clients saw is linearizable; what is not decided in time is a failure, too.
---@param history raft.history|table of c:workload, or a list of entries as raft.linearizable takes it
---@param model? string|table nil: that of the workload
---@param timeout? number real seconds, 10 if not given
function assertions.linearizable(history, model, timeout) end

---Tries again until it works, letting the cluster's time pass in between. A function that returns
---something works once that is true; one that returns nothing works once it raises no error.
---@param f fun():any tried at once, and then every 10 ms of the cluster's time
---@param timeout? number seconds of the cluster's clock, 10 if not given
---@param cluster? raft.cluster whose time passes; nil: the one opened last
---@return any # what f returned
function assertions.eventually(f, timeout, cluster) end

return raft
