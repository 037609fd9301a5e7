---@meta _
-- For editors (lua-language-server), never loaded. Made by `make annotations` from the comments in lua/raft: edit those.

---@class raft.cluster
local cluster = {}

-- A cluster: many nodes in one world, for scripts and the shell.

---Stops everything. Twice is fine.
---@return boolean? # true; nil, message, code where the trace file could not be written whole
---@return string? message
---@return string? code
function cluster:shutdown() end

---Whether it was shut down.
---@return boolean
function cluster:is_closed() end

---The seed that decides everything in the simulated world.
---@return integer
function cluster:seed() end

---The kind of its world.
---@return string # "sim", "tcp" or "process"
function cluster:mode() end

-- Clients: functions that run as coroutines beside the main script.

---Runs a function beside the main script; calls that it makes wait without stopping the others.
---@param f fun(client:raft.client):any f(client)
---@param options? raft.client_options `session = true`: its commands are applied exactly once, and sent again each `repeat_every` seconds (1) until they are answered
---@return raft.client # the client, with `wait`
function cluster:client(f, options) end

---Waits until all clients have ended, those too that begin meanwhile; called by one of them, all others. An error that
---ended one of them is raised.
---@param timeout? number seconds, 10 if not given
---@return boolean? # true; nil, message, "timeout", detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:wait_clients(timeout) end

-- Commands and reads, and what was committed.

---Hands a command to a node; does not wait.
---@param id integer the node
---@param command raft.value
---@return integer? # its index; nil, message, code, detail
---@return integer|string # its term
---@return string? code
---@return raft.detail? detail
function cluster:submit(id, command) end

---Finds the leader, submits a command and waits until it is applied.
---@param command raft.value
---@param options? raft.command_options `node`: ask that one only; `timeout` seconds
---@return integer? # its index; nil, message, code, detail
---@return raft.value|string # the machine's result
---@return string? code
---@return raft.detail? detail
function cluster:propose(command, options) end

---Asks the machine; linearizable unless `options.read` is "stale". "lease": linearizable as long as clocks keep to
---`clock_drift`, and mostly without asking a quorum.
---@param question raft.value as the machine's query takes it
---@param options? raft.read_options `node`, `timeout`, `read`
---@return raft.value? # the answer; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:query(question, options) end

---Sets a key of the "kv" machine.
---@param key raft.value
---@param value raft.value
---@param options? raft.command_options as for propose
---@return integer? # the command's index; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:set(key, value, options) end

---Deletes a key of the "kv" machine.
---@param key raft.value
---@param options? raft.command_options as for propose
---@return integer? # the command's index; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:delete(key, options) end

---The value of a key.
---@param key raft.value
---@param options? raft.read_options as for query
---@return raft.value? # the value; nil alone where the key is missing; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:get(key, options) end

---Sets a key if it has the value that is expected.
---@param key raft.value
---@param old? raft.value nil: the key is absent
---@param new? raft.value nil: delete it
---@param options? raft.command_options as for propose
---@return boolean? # whether it had; nil, message, code, detail
---@return raft.value|string # where not, the present value
---@return string? code
---@return raft.detail? detail
function cluster:cas(key, old, new, options) end

---Checks that a command is applied: on how many running, connected nodes, their logs agreeing.
---@param command raft.value
---@param count? integer run until so many have
---@param timeout? number seconds, 10 if not given
---@return integer # on how many; raises an error where none has, or fewer than `count`, or logs differ
---@return integer # the lowest index at which it was applied
function cluster:check_committed(command, count, timeout) end

---Checks that no node has applied a command; raises an error where one has.
---@param command raft.value
function cluster:check_not_committed(command) end

---What a node has applied since it started, as far as its log holds it.
---@param id integer
---@return raft.commit[]? # list of {index, term, command}; {index, term, snapshot = true} where it began with a snapshot, or one was installed; nil, message, "unknown_node", detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:commits(id) end

---Checks that the cluster lives: no node has failed, a leader comes, an operation succeeds, all running members catch
---up. Heals nothing. Raises an error that says what stands still and why: a table {property = "liveness", message,
---time, nodes, standing} with __tostring.
---@param timeout? number seconds, 10 if not given
function cluster:check_live(timeout) end

-- A second cluster that goes on from a moment of this one.

---A second cluster that goes on from this moment by itself, or from one in the past: all calls are done again in a
---simulated world of its own, and the trace's hash is compared. A Lua machine is made afresh; functions given to `on`,
---`after`, `intercept`, `serve` and `trace` stay behind, and clients that ran at an earlier moment.
---@param ago? number seconds, 0 if not given
---@return raft.cluster? # nil, message, "unsupported", detail: over TCP, and where the run cannot be done again. An error is raised while clients are running
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:fork(ago) end

-- Goals: what a scenario means to reach at least now and then, so that a campaign of many seeds tells where it never did.

---A goal: over a campaign (`raftbench fuzz`) it must have been true at least once; a goal that no seed reached fails
---the campaign. In a single run it changes nothing.
---@param name string what was to happen, for people
---@param condition any a value: true where it is so now; a filter (a table): true once such an event comes; a function(event): asked when a node starts, stops, changes its role or members, removes entries, takes or installs a snapshot, and at each fault, until it is true. The function must not wait
---@return boolean # whether it was true in this run so far
function cluster:sometimes(name, condition) end

-- Who leads.

---The agreed leader now.
---@return integer? # its id; nil: none
---@return integer? # its term
function cluster:leader() end

---All that believe they lead, cut off or not.
---@return raft.leadership[] # list of {id, term}
function cluster:leaders() end

---Runs until a running node that is not disconnected leads, and a quorum that it reaches both ways names it in its
---term.
---@param timeout? number seconds, 10 if not given
---@param above? integer in a later term than this, 0 if not given
---@return integer? # its id; nil, message, "timeout"
---@return integer|string # its term
---@return string? code
function cluster:wait_leader(timeout, above) end

---Checks that there is one leader.
---@return integer # its id; raises an error if two lead in one term, or none is agreed within 20 longest election time-outs
---@return integer # its term
function cluster:check_one_leader() end

---Checks that no connected running node believes itself leader; raises an error if one does.
function cluster:check_no_leader() end

---Fires a node's election timer now.
---@param id raft.ids a node's id, a list of ids or "all"; a number that follows is ignored
---@param options? raft.campaign_options `force = true`: without pre-vote, and voters do not hold back for a live leader
---@return boolean? # true; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:campaign(id, options) end

---Hands leadership over: the leader brings that node level, takes no commands meanwhile ("busy"), and tells it to
---campaign at once; waits until it is the agreed leader. What has not come about within one election time-out is given
---up ("timeout"), and the leader takes commands again.
---@param id integer a voter
---@param options? raft.timeout_options `timeout` seconds, 10 if not given
---@return integer? # its id; nil, message, code, detail ("not_member": it is no voter)
---@return integer|string # the term in which it leads
---@return string? code
---@return raft.detail? detail
function cluster:transfer_leader(id, options) end

-- Looking at a cluster.

---The ids of all nodes, removed ones included.
---@return integer[] # list, rising
function cluster:ids() end

---What a node says of itself.
---@param id? integer nil: all
---@param field? string one of them alone, which costs far less in a predicate
---@return raft.status|raft.status[]|any|nil # id, role, state, error, damage ({file, offset}: of its disk), term, vote, leader, commit, applied, first_index, last_index, members, member (they list this very server), turned_away_by (a member that told it that its id has another disk), address, on a leader peers, refused (by, what, term, time, reason: what another refused it last), and pid (of a node that is a process); without id a list of them; nil, message, "unknown_node", detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:status(id, field) end

---A node's log; of a crashed node what its disk holds.
---@param id integer
---@return raft.entry[]? # list of {index, term, kind, command}; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:log(id) end

---The machine that the cluster's function made for a node at its last start.
---@param id integer
---@return raft.machine? # nil where it is not a Lua machine; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:machine(id) end

---What was counted since the cluster began. `messages` and `bytes` (frames included) as sent, by kind and in "total";
---`requests` are the messages that are no answers, `deliveries` those that arrived, `payload` the bytes of entries in
---what was sent, `disk_bytes` what was handed to the disk.
---@param id? integer nil: all nodes together
---@return raft.stats? # {messages, bytes, requests, deliveries, payload, elections, commits, syncs, disk_bytes, drops}; nil, message, "unknown_node", detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:stats(id) end

---The latest events, oldest first.
---@param filter? raft.filter a function, or a table of fields that must be equal
---@return raft.event[] # list
function cluster:events(filter) end

---What two equal runs in "sim" share, over all events.
---@return string # 16 hex digits
function cluster:trace_hash() end

---A line of yours in the trace.
---@param text string
function cluster:note(text) end

---A number from the seed, in a stream of its own, as math.random gives it.
---@param m? integer
---@param n? integer
---@return number
function cluster:random(m, n) end

---A diagram of the run so far, from the events that are remembered. A form that shows histories shows those of the
---workloads.
---@param as? string the form, one of those of `raftbench view --as`: "table", "html", "svg", "shiviz", "perfetto", "table" if not given
---@param path? string a file to write it to; nil: it is returned
---@param given? raft.view_options `from` and `to` (seconds), `nodes` (list of ids), `kinds` (of events, list of names), and of a table `width` (columns) and `all` (every event, heartbeats too)
---@return string? # the diagram, or the path; nil, message, "storage", detail where the file cannot be written
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:view(as, path, given) end

-- Members: who belongs to the cluster, and changing it.

---The members: of the agreed leader, or as a node sees them.
---@param id? integer
---@return raft.members? # {voters, learners}, voters_old while joint, and wanted = {voters, learners, added} while new voters are brought level; nil, message, "no_leader", detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:members(id) end

---Changes the members to exactly these, any number at once, through joint consensus. New voters are brought level
---first, as learners; where one does not come level in time the change is given up ("timeout"): the members are those
---of before, and the nodes that were started for it stop.
---@param wanted raft.wanted_members { voters = {ids}, learners = {ids} }
---@param options? raft.change_options `node`, `timeout`, `wait = false` (→ index, term at once; new voters are not brought level first), `stop = false` (removed nodes run on)
---@return integer? # the index of the change; nil, message, code, detail
---@return integer|string # its term
---@return string? code
---@return raft.detail? detail
function cluster:change_members(wanted, options) end

---Starts new nodes and makes them voters, in one change.
---@param ids integer[]
---@param options? raft.change_options as for change_members
---@return integer? # the index of the change; nil, message, code, detail
---@return integer|string # its term
---@return string? code
---@return raft.detail? detail
function cluster:add_servers(ids, options) end

---Starts new nodes that follow without a vote.
---@param ids integer[]
---@param options? raft.change_options as for change_members
---@return integer? # the index of the change; nil, message, code, detail
---@return integer|string # its term
---@return string? code
---@return raft.detail? detail
function cluster:add_learners(ids, options) end

---Removes members, the leader too if it is among them, in one change; they stop.
---@param ids integer[]
---@param options? raft.change_options as for change_members
---@return integer? # the index of the change; nil, message, code, detail
---@return integer|string # its term
---@return string? code
---@return raft.detail? detail
function cluster:remove_servers(ids, options) end

---Makes learners voters.
---@param ids integer[]
---@param options? raft.change_options as for change_members
---@return integer? # the index of the change; nil, message, code, detail
---@return integer|string # its term
---@return string? code
---@return raft.detail? detail
function cluster:promote(ids, options) end

-- Faults that come and go by themselves.

---Starts a nemesis: faults that come and go while the script goes on. Its list holds names of faults, tables of a name
---and options ({ "partition", shape = "halves", weight = 3 }), functions f(c) that do something and return what takes
---it back, and { mix = list }, { sequence = list }, { stagger = list }. One begins each `every` seconds and lasts for
---`lasts`; an entry with an `every` of its own keeps its own time.
---@param options raft.nemesis_options|string the list, or the name of one fault; `swarm`: which of the list this run has, how likely each is, whom it strikes, how often and how long is drawn by the seed (without a list: of all that there are); `every` = {1, 4}, `lasts` = {0.5, 3}; `time` seconds after which it stops; `disk`: what each disk does wrong all the time; `actions`: those of an earlier one, to be done again, in place of the list; `symbolic`: to whoever has the role that the target had then
---@return raft.nemesis # the nemesis, with `stop` and `actions`
function cluster:nemesis(options) end

-- The network's faults, intercepted messages, calls between nodes.

---Cuts a node's links to all others.
---@param id raft.ids a node's id, a list of ids or "all"; what follows is ignored
---@return boolean? # true; nil, message, "unknown_node", detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:disconnect(id) end

---Restores a node's links.
---@param id raft.ids as for disconnect
---@return boolean? # true; nil, message, "unknown_node", detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:reconnect(id) end

---Parts the nodes into groups that cannot talk; nodes in no group form one more. Replaces the last partition: one
---group of all nodes ends it.
---@param ... integer[] groups: lists of ids
---@return boolean? # true; nil, message, "unknown_node", detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:partition(...) end

---Sets the faults of one direction of one link; replaces what it had. `delay` keeps the order of messages; `reorder`
---is the chance that a message waits for the next two on its link, at most 100 ms.
---@param from raft.endpoint an id, "*" (every node) or "client"
---@param to raft.endpoint the same
---@param faults? raft.faults `drop`, `duplicate`, `delay`, `reorder`, `bandwidth`, `cut`; nil: back to the default
---@return boolean? # true; nil, message, "unknown_node", detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:link(from, to, faults) end

---Ends partition, disconnects and link faults; not pauses or crashes. With "all" it ends every fault: the intercept,
---what was done to clocks and disks, and paused and crashed nodes run again; failed ones do not.
---@param what? "all"
---@return boolean? # true; nil, message, code, detail where a node does not start again
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:heal(what) end

---Looks at each message before it leaves. One function at a time: end the one in force before you set another.
---@param f? fun(message:raft.message):"drop"|"hold"|number|nil f(message): nothing lets it pass, "drop", "hold", or a number: it arrives so many seconds later, whatever overtakes it; nil ends it, held ones stay
---@return boolean? # true; nil, message, "unsupported", detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:intercept(f) end

---The messages that are held, in the order in which they were.
---@return raft.message[]
function cluster:held() end

---Says what a node answers to calls.
---@param id integer
---@param f? fun(value:raft.value,from:integer):raft.value f(value, from) → answer; nil: it no longer answers
---@return boolean? # true; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:serve(id, f) end

---A request from one node to another over the nodes' own transport.
---@param from integer
---@param to integer
---@param value raft.value
---@param timeout? number seconds, 10 if not given
---@return raft.value? # the answer; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:call(from, to, value, timeout) end

-- What is done to nodes: crash, restart, pause, clocks.

---Stops a node at once: what was not synced is lost.
---@param id raft.ids a node's id, a list of ids or "all"; what follows is ignored, so that `c:crash(c:leader())` works
---@return boolean? # true; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:crash(id) end

---Starts a crashed node again from its disk, and waits until it has read that.
---@param id raft.ids as for crash
---@param options? raft.restart_options `wipe = true`: from an empty disk: another server, which is turned away until its id is removed and added again; `wait = false`: returns at once, its state being "starting" until its disk is read
---@return boolean? # true; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:restart(id, options) end

---Freezes a node: what arrives waits.
---@param id raft.ids as for crash
---@return boolean? # true; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:pause(id) end

---Lets a frozen node go on.
---@param id raft.ids as for crash
---@return boolean? # true; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:resume(id) end

---Takes a snapshot of each node now, waits until it is on disk, and drops the log that it covers.
---@param id raft.ids a node's id, a list of ids or "all"
---@param options? raft.timeout_options `timeout` seconds, 10 if not given
---@return integer? # the index that the (first) snapshot covers; nil, message, code, detail ("unsupported": the machine has no snapshots)
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:compact(id, options) end

---What a node's disk does wrong, this one or the next that the id has; replaces what it did.
---@param id raft.ids a node's id, a list of ids or "all"
---@param faults? raft.disk_faults nil: none. `sync_delay`: seconds that each sync lasts longer; `stall`: nothing ends until it is taken back; `full`: nothing takes new room; chances of `write_error`, `sync_error`, `corrupt` (a read gives a wrong bit), `misdirect_read`, `misdirect_write`; of the next crash only: `torn_write` (of what was not synced, some sectors are there), `flip` (a synced bit is another); `crash_after`: the node crashes when its disk has done so many more operations. Over TCP in memory: `sync_delay`, `stall` and errors; with real files none
---@return boolean? # true; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:disk(id, faults) end

---Changes a node's own clock.
---@param id raft.ids as for crash
---@param clock raft.clock `rate`: beside the world's, from 0.001 to 1000 (1.0); `offset` seconds, less than 1e6 either way: a jump forward, or for a negative one a stand-still
---@return boolean? # true; nil, message, code, detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:clock(id, clock) end

---Whether a node is running.
---@param id integer
---@return boolean
function cluster:is_alive(id) end

---Whether a node is running and not disconnected.
---@param id integer
---@return boolean
function cluster:is_connected(id) end

-- Time: letting the world of a cluster go on.

---The world's clock.
---@return number # seconds
function cluster:now() end

---Lets the world run.
---@param s number seconds
function cluster:sleep(s) end

---Runs until a predicate is true. It is asked at once and after each event ("sim") or turn of the loop (TCP), and
---must not wait.
---@param predicate fun():any
---@param timeout? number seconds, 10 if not given
---@param what? string is waited for, in words, for the message
---@return any # the predicate's value; nil, message, "timeout", detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:wait_until(predicate, timeout, what) end

---Runs until the next event that matches.
---@param filter raft.filter a function, or a table of fields that must be equal
---@param timeout? number seconds, 10 if not given
---@return raft.event? # the event; nil, message, "timeout", detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:wait_event(filter, timeout) end

---The next events of a simulated world, one after the other.
---@param n? integer how many, 1 if not given
---@return raft.event[]? # what the trace tells of them, in order; nil, message, "unsupported", detail
---@return string? message
---@return string? code
---@return raft.detail? detail
function cluster:step(n) end

---Calls a function so much later on the world's clock. As one that `on` calls it may call faults, and must not wait.
---@param s number seconds
---@param f fun()
---@return fun() # ends the subscription: f is not called again
function cluster:after(s, f) end

---Calls a function at each event that matches. It may call faults, which take effect after the present step.
---@param filter raft.filter a function, or a table of fields that must be equal
---@param f fun(event:raft.event) f(event)
---@return fun() # ends it
function cluster:on(filter, f) end

-- Workloads; see raft.workload.

---Starts clients that go on asking the cluster, and records what they ask and are told.
---@param options? raft.workload_options
---@return raft.history # the history, which grows while the world goes on
function cluster:workload(options) end

-- What was done to a cluster, kept as calls, and written as a stand-alone script that does it again.

---The calls made so far as a stand-alone script; in the simulated world one that gives the same trace.
---@param path? string a file to write it to; nil: it is returned
---@return string? # the script, or the path; nil, message, code, detail
---@return string[]|string # what could not be written, and why: a list of sentences
---@return string? code
---@return raft.detail? detail
function cluster:script(path) end
