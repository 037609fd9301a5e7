---@meta raft.core
-- For editors (lua-language-server), never loaded: the C module raft.core, `require("raft").core`. Written by hand
-- after the comments in src/lua/; what a script is meant to use is in raft.lua, this is for specs and the curious.
--
-- Times are nanoseconds here (`_ns`), ids, terms and indexes integers; 0 means none.

---@class raft.core
---@field version string this release
---@field null lightuserdata JSON's null
---@field never integer the time in ns that never comes
---@field bench raft.core.bench
local core = {}

-- ---- one bare core, stepped by hand --------------------------------------------------------------

---@class raft.core.replica_options
---@field id? integer 1 if not given
---@field voters integer[] the first members
---@field learners? integer[]
---@field term? integer what was on its disk
---@field vote? integer
---@field log? raft.core.entry[] from index 1, or from first_index
---@field first_index? integer
---@field snapshot? raft.core.snapshot
---@field now_ns? integer 0 if not given
---@field election_timeout_min_ns? integer
---@field election_timeout_max_ns? integer
---@field heartbeat_interval_ns? integer
---@field election_collisions? number
---@field pre_vote? boolean true if not given
---@field check_quorum? boolean true if not given
---@field window? integer
---@field max_entries? integer 0: any number
---@field max_message_bytes? integer
---@field max_inflight_bytes? integer
---@field max_uncommitted_bytes? integer
---@field max_kept_bytes? integer of the log, for a peer that a snapshot is being sent to; 0: no limit
---@field seed? integer

---What a snapshot covers, with its members as in raft.members.
---@class raft.core.snapshot : raft.members
---@field index integer
---@field term integer
---@field size? integer its bytes
---@field members_index? integer of the entry that set the members; 0: the first

---{term, command}, {term, members} or, empty, {term}.
---@class raft.core.entry
---@field term? integer
---@field command? raft.value
---@field members? raft.members

---@alias raft.core.input_kind "tick"|"flush"|"message"|"submit"|"persisted"|"change"|"read"|"campaign"|"heartbeat"
---| "snapshot_taken"|"snapshot_written"|"snapshot_installed"|"snapshot_gone"

---@class raft.core.input
---@field kind raft.core.input_kind
---@field now_ns? integer not before the last one; the last one's if not given
---@field message? raft.message message
---@field entries? raft.core.entry[] submit: commands
---@field configuration? raft.members change
---@field sequence? integer persisted: up to this one
---@field read_id? integer read
---@field force? boolean campaign: without pre-vote
---@field snapshot? raft.core.snapshot snapshot_taken, snapshot_installed
---@field first_index? integer snapshot_taken: the log is needed from there on
---@field reject? boolean snapshot_written: what was received cannot be used

---@class raft.core.persist
---@field sequence integer
---@field reset_index integer before the entries the log is empty behind this one; 0: no
---@field reset_term integer
---@field hard_state boolean
---@field term integer
---@field vote integer
---@field first_index integer
---@field last_index integer

---What a step asks for. Numbers that mean nothing in it are 0.
---@class raft.core.update
---@field messages raft.message[] may leave now
---@field messages_after raft.message[] wait for the persist of `messages_after_sequence`
---@field messages_after_sequence integer
---@field persist? raft.core.persist
---@field compacted_first integer the log begins there now
---@field snapshot_abandoned boolean what was received of one is not wanted any more
---@field snapshot_piece? raft.message message to be written
---@field installed_index integer of a snapshot that replaced the log
---@field apply_first integer
---@field apply_last integer
---@field reads { read_id: integer, index: integer }[] may be answered once `index` is applied
---@field notices { from: integer, text: string }[] what was odd
---@field refusal "accepted"|"not_leader"|"busy"|"too_large"|"not_ready"|"membership_pending"|"bad_configuration"
---@field index integer that was given to the first command, or to the change
---@field deadline_ns integer when the next tick is due
---@field wants_flush boolean
---@field role_changed boolean
---@field voted boolean
---@field members_changed boolean
---@field commit_changed boolean
---@field commit_counted boolean
---@field truncated_from integer
---@field truncated_to integer
---@field appended_first integer
---@field appended_last integer
---@field match_peer integer
---@field match_index integer

---@class raft.core.replica_status
---@field id integer
---@field role raft.role
---@field term integer
---@field vote integer
---@field leader integer
---@field commit_index integer
---@field applied_index integer
---@field durable_index integer
---@field first_index integer
---@field last_index integer
---@field last_term integer
---@field log_bytes integer entries in memory and their payloads
---@field snapshot_index integer
---@field snapshot_term integer
---@field peers table<integer, raft.core.peer>

---@class raft.core.peer
---@field match_index integer
---@field next_index integer
---@field inflight_messages integer
---@field snapshot_index integer of the one that it is being sent; 0: none
---@field snapshot_offset integer so many bytes of it are written there

---@class raft.core.replica
local replica = {}

---Gives it one event. It opens nothing and waits for nothing: what is to be done is in the update.
---@param event raft.core.input
---@return raft.core.update
function replica:step(event) end

---What it says of itself.
---@return raft.core.replica_status
function replica:status() end

---@return raft.entry[]
function replica:log() end

---The members in force.
---@return raft.members
---@return integer index of their entry; 0: the first members
function replica:members() end

---What a snapshot of what was applied up to `index` covers.
---@param index integer
---@return raft.core.snapshot? # nil: its last snapshot covers as much
function replica:snapshot_at(index) end

---Of all that later behaviour depends on; never of times or generators, and of rounds and other counts only how they
---stand to each other.
---@param renaming? table<integer, integer> as if servers had these ids; those that it lacks keep theirs
---@return string # 16 hex digits
function replica:hash(renaming) end

---A second one that goes on by itself. Not of one that belongs to cores: those are copied as a whole.
---@return raft.core.replica
function replica:copy() end

---Makes one bare core.
---@param options raft.core.replica_options
---@return raft.core.replica
function core.replica(options) end

-- ---- several bare cores under one harness ---------------------------------------------------------

---@class raft.core.state
---@field applied integer entries handed out
---@field asked integer the latest persist that its disk was given
---@field durable integer the latest that its disk has confirmed
---@field deadline_ns integer when it wants to be woken
---@field wants_flush boolean
---@field reads table<integer, integer> by read_id, the index of each answer; 0: it failed
---@field snapshots integer[] those that it keeps, by index
---@field writes_piece boolean of a snapshot that it receives
---@field refused integer snapshots that it received and that did not verify

---@class raft.core.message : raft.message
---@field number integer by which it is known while it is under way
---@field hash string equal for messages that do the same

---Replicas, their disks, the messages between them and a clock. Nothing moves unless it is told to.
---@class raft.core.cores
local cores = {}

---One more replica.
---@param options raft.core.replica_options
function cores:add(options) end

---To be looked at: it is stepped by the cores.
---@param id integer
---@return raft.core.replica
function cores:replica(id) end

---How far it and its disk are.
---@param id integer
---@return raft.core.state
function cores:state(id) end

---Its disk writes only when `confirm` says so.
---@param id integer
---@param slow boolean
function cores:set_slow(id, slow) end

---One event to one replica. What its update asks for is done: messages are under way, and its disk, unless it is slow,
---has written.
---@param id integer
---@param event raft.core.input any kind but "persisted"
---@return raft.core.update
function cores:step(id, event) end

---Its disk has done what it was asked for, or all up to `sequence`.
---@param id integer
---@param sequence? integer
---@return raft.core.update? # nil: it had done that before
function cores:confirm(id, sequence) end

---It takes a snapshot of what it has applied, which is on its disk at once.
---@param id integer
---@param first_index? integer its log is needed from there on; not given: only behind the snapshot
---@param padding? integer so many bytes more than the snapshot needs
---@return raft.core.update? # nil: it has that one
function cores:compact(id, first_index, padding) end

---Its disk, which is slow, has written the next piece of a snapshot that it receives.
---@param id integer
---@param fail? boolean it could not
---@return raft.core.update? # nil: there is none
function cores:write_piece(id, fail) end

---Replicas that are added from now on, and do not begin with a snapshot, can crash.
function cores:keep_disks() end

---It crashes, and starts again with what is on its disk.
---@param id integer
---@param options raft.core.replica_options
function cores:crash(id, options) end

---Of all that it has applied: equal where the same has been applied.
---@param id integer
---@return string # 16 hex digits
function cores:digest(id) end

---All that are under way, in order of sending.
---@return raft.core.message[]
function cores:messages() end

---The first of them; nil where there is none.
---@return raft.core.message?
function cores:oldest() end

---How many there are.
---@return integer
function cores:under_way() end

---It arrives, and is gone unless it is kept.
---@param number integer
---@param keep? boolean
---@return raft.core.update? # nil: lost on a link that is cut
function cores:deliver(number, keep) end

---It is lost.
---@param number integer
function cores:drop(number) end

---One more under way.
---@param message raft.message
---@return integer number
---@return string hash
function cores:send(message) end

---What would arrive there from here is lost, until `heal`.
---@param from integer
---@param to integer
function cores:cut(from, to) end

---Ends all cuts.
function cores:heal() end

---Each replica that has something to say when the loop goes idle says it.
function cores:flush() end

---Delivers in order and flushes until nothing is under way.
function cores:settle() end

---Lets time pass, waking each replica (or only that one) when it asked for it; nothing is delivered.
---@param duration_ns integer
---@param id? integer
function cores:pass(duration_ns, id) end

---The harness's time.
---@return integer
function cores:now_ns() end

---Of the whole, messages under way included, in whatever order.
---@param renaming? table<integer, integer>
---@return string # 16 hex digits
function cores:hash(renaming) end

---The same once more, apart from this one.
---@return raft.core.cores
function cores:copy() end

---Makes a harness without replicas.
---@return raft.core.cores
function core.cores() end

-- ---- the checker by itself ------------------------------------------------------------------------

---@class raft.core.checker
local checker = {}

---Gives it one event, by the names of raft.event, `time_ns` and `message_number`.
---@param event table with `entries = { {term, hash} }` where its kind has some
---@return raft.violation? # the first so far
function checker:event(event) end

---Makes an invariant checker that is fed by hand.
---@param options? { gaps?: boolean } `gaps`: events may be missing, as of processes that were killed
---@return raft.core.checker
function core.checker(options) end

-- ---- encodings -------------------------------------------------------------------------------------

---Why something is no value.
---@param value any
---@return string? problem nil: it is one
function core.value_problem(value) end

---The one encoding of a value: deterministic CBOR (RFC 8949, 4.2).
---@param value raft.value
---@return string bytes
function core.value_encode(value) end

---@param bytes string
---@return raft.value? value nil, message where they are no value in that encoding
---@return string? message
function core.value_decode(bytes) end

---The words of a diagram's cell for an event.
---@param event raft.event or a trace's line, decoded
---@return string? before nil: its kind is unknown
---@return string? after
---@return integer? peer what stands between the two; 0: the client
---@return integer? first or a range that does
---@return integer? last
function core.event_phrase(event) end

---@param value raft.value
---@return string words it in Lua's notation, on one line
function core.value_words(value) end

---@param value raft.value
---@return string text integers exact, strings that are not UTF-8 as {"$bytes": base64}
function core.json_encode(value) end

---@param text string
---@return raft.value? value
---@return string? message
function core.json_decode(text) end

---@param bytes string
---@return integer
function core.crc32c(bytes) end

---A message's form on the wire, without its frame.
---@param message raft.message
---@return string bytes
function core.message_encode(message) end

---@param bytes string
---@return raft.message? message
---@return string? problem
function core.message_decode(bytes) end

---@param bytes string
---@return "whole"|"partial"|"bad" verdict
---@return string? problem
function core.frame_check(bytes) end

---A frame with its head and checksum.
---@param kind integer
---@param number integer the message's
---@param body string
---@param directory? integer the sender's; 0: none
---@return string bytes
function core.frame(kind, number, body, directory) end

-- ---- measurements ------------------------------------------------------------------------------------

---What `raftbench bench` measures below Lua.
---@class raft.core.bench
local bench = {}

---Three bare cores, messages in memory.
---@param entries integer
---@param batch integer
---@param window integer
---@param entry_bytes integer
---@param warm? boolean in memory that was used before
---@return integer ns
function bench.core(entries, batch, window, entry_bytes, warm) end

---Append frames.
---@param frames integer
---@param entries integer
---@param entry_bytes integer
---@return integer encode_ns
---@return integer decode_ns
---@return integer frame_bytes
function bench.codec(frames, entries, entry_bytes) end

---A process that is to flood ports of this machine for a while.
---@param payloads string[] what each connection says, in turn; the ports are taken in turn as well
---@param again? string what each goes on saying
---@param per_second number connections
---@param keep integer connections that are open at most
---@param seconds number
---@return integer? process
---@return integer|string descriptor
---@return string? code
function bench.flood(payloads, again, per_second, keep, seconds) end

---Lets it begin.
---@param process integer
---@param descriptor integer
---@param ports integer[]
---@return boolean
function bench.flood_start(process, descriptor, ports) end

---Waits for its end.
---@param process integer
---@param descriptor integer
---@return integer connections that were tried
function bench.flood_end(process, descriptor) end

---A bare libuv echo over TCP.
---@param rounds integer
---@param bytes integer
---@return integer[]? round_trips_ns
---@return string? message
---@return string? code
function bench.echo(rounds, bytes) end

-- ---- for lua/raft itself ---------------------------------------------------------------------------

---The handle below raft.cluster.
---@package
---@param options table
---@return userdata? handle
---@return string? message
---@return string? code
function core.cluster(options) end

---The loop below raft.node.
---@package
---@return userdata
function core.loop() end

---What a failed assertion of the C code prints as the way to replay.
---@package
---@param text? string
function core.set_replay(text) end

---Raises an error at the line of the innermost function that is a user's.
---@package
---@param message string
function core.user_error(message) end

---How the sources of lua/raft begin.
---@package
---@param prefix string
function core.own_files(prefix) end

---A clock that never goes back, of no particular start.
---@return integer ns
function core.clock_ns() end

---@param descriptor 0|1|2
---@return boolean
function core.is_terminal(descriptor) end

---Keeps what is written to standard output from now on, by whomever.
---@return boolean? # true; nil and why not
---@return string? message
function core.capture_begin() end

---Ends that.
---@param most integer bytes of it that are given back
---@return string? # what was written; nil: nothing was captured
function core.capture_end(most) end

---SIGINT and SIGTERM end a wait and are told by `read_line` and `signal`.
---@package
function core.catch_signals() end

---@package
---@return "interrupt"|"terminate"|nil # the one that was caught since the last call
function core.signal() end

---@package
---@param timeout_ms? integer
---@return string? line
---@return string? why "end", "timeout" or a signal's name
function core.read_line(timeout_ms) end

---From here on SIGINT and SIGTERM interrupt what runs.
---@package
---@param everywhere? boolean also coroutines that compute without end
function core.begin_prompt(everywhere) end

---@package
---@param everywhere? boolean
function core.end_prompt(everywhere) end

---A coroutine that was there before the prompt is interrupted too.
---@package
---@param thread thread
function core.watch_thread(thread) end

---@package
---@return "interrupt"|"terminate"|nil # the one that came since the last call
function core.take_interrupt() end

---Waits for standard input or for something to do in one of these worlds.
---@package
---@param ... userdata
---@return boolean? readable nil: a signal came
---@return boolean due
function core.wait_input(...) end

---Whether a cluster's clock goes on while nobody drives it.
---@package
---@param handle userdata
---@param on boolean
function core.set_free_running(handle, on) end

---This process is one node of a cluster (raft.processes) until that ends.
---@package
---@param make fun(id:integer,module:string):table
---@return integer status the exit status
function core.serve_process(make) end

---The path of the program that runs this.
---@package
---@return string? path nil, message
---@return string? message
function core.interpreter() end

---Whether one of a cluster's calls is under way, which has called back.
---@package
---@param handle userdata
---@return boolean
function core.is_entered(handle) end

---The present time of a cluster's world; nil where it is closed or one of its calls is under way.
---@package
---@param handle userdata
---@return integer? now_ns
function core.now_at_rest(handle) end

return core
