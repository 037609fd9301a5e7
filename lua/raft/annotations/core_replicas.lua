---@meta raft.core
-- For editors, never loaded: bare cores, of the C module raft.core. Written by hand after the comments in src/lua/.

---@class raft.core
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
