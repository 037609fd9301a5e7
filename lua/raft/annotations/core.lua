---@meta raft.core
-- For editors (lua-language-server), never loaded: the C module raft.core, `require("raft").core`. Written by hand
-- after the comments in src/lua/; what a script is meant to use is in raft.lua, this is for specs and the curious.
--
-- Times are nanoseconds here (`_ns`), ids, terms and indexes integers; 0 means none.

---@class raft.core
---@field version string this release
---@field null lightuserdata JSON's null
---@field never integer the time in ns that never comes
---@field ticket_slots integer a ticket modulo this is a small number that no other has which waits
---@field bench raft.core.bench
local core = {}

-- ---- the checker by itself ------------------------------------------------------------------------

---@class raft.core.checker
local checker = {}

---Gives it one event, by the names of raft.event, `time_ns` and `message_number`.
---@param event table with `entries = { {term, hash} }` where its kind has some
---@return raft.violation? # the first so far
function checker:event(event) end

---Makes an invariant checker that is fed by hand.
---@param options? { gaps?: boolean, promise?: number, drift?: number } `gaps`: events may be missing, as of processes
---that were killed; `promise`: where there are lease reads, for how many seconds a voter that hears its leader votes for
---no other; `drift`: by which part the rates of clocks may differ
---@return raft.core.checker
function core.checker(options) end

-- ---- files of a node's directory ------------------------------------------------------------------

---Reads the segments of a write-ahead log without opening it.
---@class raft.core.log_reader
local log_reader = {}

---The next segment, in the order of their names.
---@param name string
---@param bytes integer of the file
---@return boolean # whether a segment has such a name
function log_reader:segment(name, bytes) end

---@param bytes string the next ones, a multiple of 512 but at the file's end
---@return table[] # the records that they hold
function log_reader:take(bytes) end

---It has no more bytes.
function log_reader:segment_end() end

---@return table # what recovery would make of it: term, vote, first_index, last_index, members, torn, damage, problem
function log_reader:finish() end

---@return raft.core.log_reader
function core.log_reader() end

---Reads a snapshot's file and verifies it.
---@class raft.core.snapshot_reader
local snapshot_reader = {}

---@param bytes string the next ones
---@return boolean? # true; nil and what is wrong with them
function snapshot_reader:take(bytes) end

---@return table # whole, index, term, members_index, members, cluster
function snapshot_reader:finish() end

---@return raft.core.snapshot_reader
function core.snapshot_reader() end

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
---@param is_brief? boolean shorter words, for a narrow column
---@return string? before nil: its kind is unknown
---@return string? after
---@return integer? peer what stands between the two; 0: the client
---@return integer? first or a range that does
---@return integer? last
function core.event_phrase(event, is_brief) end

---The names of all kinds of events.
---@return string[]
function core.event_kinds() end

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

---Numbers the values of a history and pairs its calls and returns. An entry that does not fit raises an error.
---@param entries table
---@return raft.core.history
function core.history(entries) end

---@class raft.core.history

---What raft.linearizable is made of; a "no" is told by entries, without words.
---@param history raft.core.history
---@param model string|table
---@param options table timeout_ns, memory, progress; `only`: one way of checking ("witness", "distinct", "window", "register", "general")
---@return boolean? verdict
---@return any detail
---@return string? code "timeout"; "unsupported" where that one way cannot tell
function core.linearizable(history, model, options) end

---@return string[]
function core.linear_models() end

---The next form of a text in EDN. Keywords and symbols are strings, lists, vectors and sets arrays; nil where only
---blanks and comments follow.
---@param text string
---@param at? integer the byte at which to begin, 1 if not given
---@return raft.value? value
---@return integer|string? next the byte behind it; where it is no EDN what is wrong with it
---@return integer? offset where that is
function core.edn_decode(text, at) end

---@param bytes string
---@return integer
function core.crc32c(bytes) end

---An empty record of calls, as bytes.
---@package
---@return userdata
function core.record() end

---The kinds of `c:workload`: how many keys each has where the script gives none, whether it goes on to further keys, and
---its operations with their weights in the mix.
---@return table<string, {keys: integer, changes_keys: boolean, operations: table<string, {weight: integer, is_read: boolean}>}>
function core.workload_kinds() end

---A stream of random numbers by name: one more draw in it changes no other.
---@param seed integer
---@param name string
---@return raft.core.stream
function core.stream(seed, name) end

---@class raft.core.stream
local stream = {}

---The next of it.
---@param low? integer
---@param high? integer
---@return number # of [0, 1); an integer where there are bounds, both included
function stream:random(low, high) end

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

---Three files written to and synced beside each other, by a thread each.
---@param directory string
---@param rounds integer
---@param bytes integer written to each file in a round
---@return integer[]? second_ns until the second of the three was on disk
---@return string? message
---@return string? code
function bench.syncs(directory, rounds, bytes) end

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

---From now on a signal that ends this process for a fault of its code prints that, too.
---@package
function core.tell_signals() end

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
---@param most_ns? integer how long at most
---@param ... userdata
---@return boolean? readable nil: a signal came
---@return boolean due
function core.wait_input(most_ns, ...) end

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

---A child made by fork, in which f(tell, take) runs (raft.workers).
---@package
---@param f fun(tell:fun(record:any),take:fun():any):integer
---@return userdata? worker nil, message
---@return string? message
function core.worker_start(f) end

---A child of this worker that goes on where it is (raft.workers).
---@package
---@return userdata|false|nil worker false in the child; nil, message
---@return string? message
function core.worker_fork() end

---Waits until something has come from a worker.
---@package
---@param workers userdata[]
---@param timeout_ms integer -1: for ever
---@return boolean # false: a signal ended it
function core.workers_poll(workers, timeout_ms) end

---An event's line in the trace's log.
---@package
---@param event table
---@return string
function core.event_line(event) end

---This process ends when the one that has started it does.
---@package
---@param parent integer its id
function core.end_with_parent(parent) end

---@package
---@return integer
function core.process_id() end

---How many processors this process may run on.
---@package
---@return integer
function core.processors() end

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
