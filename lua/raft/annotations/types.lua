---@meta _
-- For editors (lua-language-server), never loaded: the tables and values that Raftbench's functions take and give.
-- The functions themselves are in the files beside this one.

---What commands, keys and results are: booleans, 64-bit integers, floats, strings of any bytes, arrays, tables with
---string keys, `raft.null`.
---@alias raft.value boolean|integer|number|string|table|lightuserdata

---A function, or a table of fields that must be equal.
---@alias raft.filter (fun(event: raft.event): any)|table<string, any>

---A node's id, a list of ids, or "all" nodes that were not removed.
---@alias raft.ids integer|integer[]|"all"

---A node's id, "*" (every node) or "client".
---@alias raft.endpoint integer|"*"|"client"

---Called with what the call returns where it waits.
---@alias raft.callback fun(...: any)

---What failed, besides the message and its code.
---@class raft.detail
---@field leader? integer who leads
---@field address? string the leader's address
---@field unknown? boolean the command may yet be applied

-- ---- options ---------------------------------------------------------------------------------------

---Options that clusters and nodes share.
---@class raft.shared_options
---@field election_timeout? number[]|number {min, max} seconds, {0.150, 0.300} if not given; math.huge: only `c:campaign` starts elections
---@field heartbeat_interval? number seconds, below the shortest election time-out; 0.050 if not given, at most a third of that
---@field pre_vote? boolean a candidate first asks whether it could win; true if not given
---@field check_quorum? boolean a leader that is cut off from its quorum steps down; true if not given
---@field clock_drift? number largest relative difference of the rates of two nodes' clocks, on which lease reads rely; none if not given
---@field election_collisions? number chance that a time-out is drawn at its minimum, to force split votes; 0 if not given
---@field window? integer messages in flight to a follower, 64 if not given
---@field max_entries? integer entries in a message; any number if not given
---@field max_message? integer bytes in a message, 65536 if not given
---@field max_inflight? integer bytes sent to a follower and not yet acknowledged, 524288 if not given
---@field max_uncommitted? integer bytes appended and not yet applied, beyond which commands are "busy"; 64 MiB if not given
---@field strict? boolean what may differ from node to node (os.time, math.random, pairs, …) raises inside `apply`; false if not given
---@field snapshot_every? integer a snapshot, and the log before it gone but for a tail, after so many entries; math.huge: never; raft.cluster: never, raft.node: 100000 if not given
---@field snapshot_bytes? integer the same after so many bytes of entries; raft.cluster: never, raft.node: 64 MiB if not given
---@field trace? string|fun(event: raft.event) a path for JSON lines, or a function that is given each event

---What raft.cluster takes.
---@class raft.cluster_options: raft.shared_options
---@field nodes? integer|integer[] how many (ids 1..n), or a list of ids; 3 if not given
---@field mode? "sim"|"tcp"|"process" simulated, in this process over TCP, or each node a process; else $RAFTBENCH_MODE or "sim"
---@field seed? integer decides everything in the simulated world; $RAFTBENCH_SEED or 1 if not given
---@field name? string the run's name in traces
---@field link? raft.faults faults that every link starts with; 1 to 5 ms of delay in "sim" if not given, none over TCP
---@field dir? string below it each node has its files (its write-ahead log and snapshots); without it they are in memory over TCP
---@field state? table<integer, raft.disk> what is on the nodes' disks at the start
---@field machine? "kv"|string|fun(id: integer): raft.machine "kv", a function that makes a node's machine at each of its starts, or the name of a module that returns one
---@field speed? number world seconds in a real one, over TCP; $RAFTBENCH_SPEED or 1 if not given
---@field keep_events? integer how many events `c:events` remembers, 100,000 if not given
---@field invariants? boolean check every event; true if not given

---What raft.node takes.
---@class raft.node_options: raft.shared_options
---@field id integer from 1
---@field listen string an IP address and a port, as "127.0.0.1:7001"
---@field peers? table<integer, string> the first members' addresses by id; it may hold the node itself; none: alone
---@field join? boolean wait to be added to a cluster, never start one
---@field cluster? string nodes of another cluster's name are refused; "default" if not given
---@field forward? boolean a follower passes proposals and reads on to the leader; true if not given
---@field session? boolean true: each command is applied exactly once, and sent again until it is answered
---@field insecure? boolean listen beyond this machine without encryption, on a network that you trust
---@field dir? string where its write-ahead log and snapshots are; without it all is in memory
---@field machine? "kv"|raft.machine "kv" if not given

---The application's state: the same commands in the same order on each node.
---@class raft.machine
---@field apply fun(command: any, index: integer): any what it returns is the command's result
---@field query? fun(request: any): any answers reads
---@field snapshot? fun(): string|fun(): string? the state as a string, or a function that gives it chunk by chunk, at last nil: the state at the call, though commands are applied meanwhile
---@field restore? fun(next_chunk: fun(): string?) takes the place of the state by what snapshot gave, chunk by chunk; with both of these the log can be compacted
---@field digest? fun(): any a value that equal states share: states are compared where snapshots are taken and restored

---A disk's contents at the start of a cluster.
---@class raft.disk
---@field term? integer
---@field vote? integer whom it voted for in that term; 0: nobody
---@field log? (integer|table)[] from index 1: a term, or {term, command}

---@class raft.timeout_options
---@field timeout? number seconds

---@class raft.command_options: raft.timeout_options
---@field node? integer ask that one only

---@class raft.read_options: raft.command_options
---@field read? "lease"|"stale" "lease": linearizable by the leader's lease (needs clock_drift); "stale": what that node has just now; linearizable if not given

---@class raft.node_read_options: raft.timeout_options
---@field read? "lease"|"stale" as raft.read_options; "stale" for node:query only

---@class raft.change_options: raft.command_options
---@field wait? boolean false: return the change's index and term at once; new voters are not brought level first
---@field stop? boolean false: removed nodes run on

---@class raft.restart_options
---@field wipe? boolean from an empty disk: another server, which is turned away until its id is removed and added again
---@field wait? boolean false: return at once

---@class raft.campaign_options
---@field force? boolean without pre-vote, and voters do not hold back for a live leader

---@class raft.client_options
---@field session? boolean its commands are applied exactly once
---@field repeat_every? number seconds after which a session's command is sent again until it is answered; 1 if not given

---What c:workload takes.
---@class raft.workload_options
---@field kind? "register"|"cas-register"|"kv"|"append"|"set"|"queue" what is asked; "register" if not given
---@field clients? integer how many, 5 if not given
---@field rate? number operations a second of all together; each as fast as it is answered if not given
---@field time? number seconds after which it ends; never if not given
---@field count? integer operations after which it ends
---@field keys? integer|raft.value[] how many keys, or which; 1, for "kv" 5 if not given
---@field prefix? string what the keys' names begin with
---@field mix? table<string, integer> weights by operation
---@field values? integer so many different values only, from 0; each written once if not given
---@field ask? "leader"|"known"|"any"|table<string, integer> whom clients ask, or weights of that
---@field read? "lease"|"stale" how reads are answered; linearizable if not given
---@field session? boolean commands are applied exactly once, and sent again until they are answered
---@field timeout? number seconds of an operation, 1 if not given
---@field generator? fun(client: integer, n: integer): raft.operation? a client's n-th operation; nil: it is done
---@field perform? fun(client: integer, operation: raft.operation, c: raft.cluster): any, any, string?, raft.detail? does it on `c`, and returns as `c:propose` does
---@field operations? raft.operation[] what was done before, to do it again
---@field model? raft.model what the history is checked by at a scenario's end; by its kind if not given
---@field may_fail? boolean a scenario accepts that none of its commands, or none of its reads, ever succeeds

---The name of a fault; a table of that and its options; a function that does something and may return what takes it
---back; or a list of them: { mix = list }, { sequence = list }, { stagger = list }. Tables have `every`, `lasts`, `weight`.
---@alias raft.fault string|table|fun(c: raft.cluster): function?

---What c:nemesis takes.
---@class raft.nemesis_options
---@field [integer] raft.fault
---@field every? number|number[] seconds, or {min, max}, between the beginnings of two faults; {1, 4} if not given
---@field lasts? number|number[] how long a fault lasts; {0.5, 3} if not given
---@field time? number seconds after which it stops; never if not given
---@field swarm? boolean which of the list a run has, how likely each is, whom it strikes, how often and how long is drawn; without a list: of all
---@field disk? raft.disk_faults what each disk does wrong all the time
---@field actions? raft.action[] those of an earlier one, to be done again, in place of the list
---@field symbolic? boolean they are done to whoever has the role that the target had then

---@class raft.view_options
---@field from? number seconds: nothing from before
---@field to? number seconds: nothing from after
---@field nodes? integer[] these only
---@field kinds? string[] these kinds of events only
---@field width? integer columns of a table
---@field all? boolean every event in a table, heartbeats too

---@class raft.fuzz_options
---@field scenario string|table a scenario's path, or the scenario itself
---@field seeds? integer|integer[] how many, or {first, last}; 1000 if not given
---@field jobs? integer worker processes; as many as there are processors if not given
---@field time? number real seconds at most
---@field keep_going? boolean collects failures; otherwise it ends at the lowest seed that fails
---@field set? string[] options of the scenario, "NAME=VALUE"
---@field shard? integer[] {I, N}: part I of N
---@field patience? number real seconds that one run may take; 120 if not given
---@field events_most? integer deliveries and wake-ups that one run may have; 10 million if not given
---@field replay? fun(seed:integer):string the command that runs a seed again, as failures tell it
---@field progress? fun(campaign:table) called several times a second
---@field tell_finding? fun(finding:raft.finding) called for each new failure

---@class raft.fuzz_report
---@field passed boolean nothing failed, and every goal was reached
---@field seeds integer how many have run
---@field time number virtual seconds
---@field real_time number seconds
---@field interrupted boolean
---@field stats table<string, integer> faults, elections, commits, messages, drops, events
---@field goals table<string, integer> in how many seeds each goal was reached
---@field missed string[] goals that no seed reached
---@field situations integer distinct ones
---@field new_situations integer of these, in the latest hundred seeds
---@field findings raft.finding[] each failure once, the one that shows soonest first

---@class raft.finding
---@field property string what broke: an invariant's name, "linearizability", "liveness", "check", "error", "abort", "hang", "not deterministic"
---@field key string with the property, what makes two failures the same
---@field text string
---@field seed integer the one that shows it soonest
---@field time? number virtual seconds at which it shows there
---@field nodes? integer[]
---@field count integer how many seeds have it
---@field seeds integer[] some of them
---@field note? string

---What a nemesis did: a call of the cluster's, and its arguments; or "ambush" and a table.
---@class raft.action
---@field at number seconds of the world's clock
---@field [integer] any
---@field who? string what its target was then: "leader", "follower", …
---@field kind string the fault that it is of
---@field undoes? integer the action that it takes back
---@field had_effect boolean whether it changed something

---@class raft.nemesis
---@field actions raft.action[] what it has done
---@field left_out table<string, string> the faults that this world cannot express, and why

---@class raft.operation
---@field f string what is done
---@field key? raft.value
---@field value? raft.value
---@field at? number seconds of the world's clock
---@field client? integer
---@field node? integer the node that is asked; the leader if not given
---@field timeout? number seconds
---@field read? "lease"|"stale"

---@class raft.history_entry
---@field index integer
---@field process integer|"nemesis"
---@field type "invoke"|"ok"|"fail"|"info" info: it may have had an effect, or may have one later
---@field f string
---@field key? raft.value
---@field value? raft.value what was written, or what was read (raft.null: absent)
---@field result? raft.value
---@field seen? raft.value the value that kept a cas from being done
---@field error? string
---@field time integer nanoseconds of the world's clock
---@field log_index? integer the command's, or the one at which a read was answered
---@field node? integer
---@field timeout? number
---@field read? "lease"|"stale"

---@alias raft.model "register"|"cas-register"|"kv"|"append"|"set"|"queue"|table

---@class raft.disk_faults
---@field sync_delay? number seconds that each sync lasts longer
---@field stall? boolean nothing ends until it is taken back, also what is under way
---@field full? boolean nothing takes new room
---@field write_error? number chance that a write fails
---@field sync_error? number chance that a sync fails
---@field corrupt? number chance that a read gives a wrong bit
---@field misdirect_read? number chance that a read gives what stands elsewhere in the file
---@field misdirect_write? number chance that a write goes elsewhere in the file
---@field torn_write? boolean at the next crash: of what was not synced, some sectors are there
---@field flip? boolean at the next crash: one bit of what was synced is another
---@field crash_after? integer the node crashes when its disk has done so many more operations

---@class raft.clock
---@field rate? number beside the world's, 1.0 if not given
---@field offset? number seconds: a jump forward, or for a negative one a stand-still

---Faults of one direction of a link.
---@class raft.faults
---@field drop? number chance that a message is lost
---@field duplicate? number chance that it comes twice
---@field delay? number|number[] seconds, or {min, max}
---@field reorder? number chance that it waits for the next two
---@field bandwidth? integer bytes a second
---@field cut? boolean nothing passes

---@class raft.wanted_members
---@field voters integer[]
---@field learners? integer[]

---@class raft.wanted_addresses
---@field voters table<integer, true|string> true: a member already; otherwise its address
---@field learners? table<integer, true|string>

-- ---- what is given back ------------------------------------------------------------------------------

---@alias raft.role "follower"|"pre_candidate"|"candidate"|"leader"|"learner"

---@class raft.members
---@field voters integer[]
---@field learners integer[]
---@field voters_old? integer[] while joint: the voters that are to be replaced
---@field wanted? raft.wanted while new voters are brought level: what the members are to be

---@class raft.wanted
---@field voters integer[]
---@field learners integer[]
---@field added integer[] those that are members for that alone

---@class raft.node_members: raft.members
---@field addresses table<integer, string>

---What a leader knows of a follower.
---@class raft.peer
---@field match integer its log is the leader's up to here
---@field next integer what is sent next
---@field inflight integer messages that are not acknowledged
---@field snapshot? integer the index of the snapshot that it is being sent
---@field offset? integer how many of its bytes are written there

---What a node says of itself. What stands behind `error` is there while it runs or is paused; while it starts it is a
---follower that knows no leader and no members yet.
---@class raft.status
---@field id integer
---@field state "starting"|"running"|"paused"|"crashed"|"stopping"|"failed"|"removed"
---@field address string
---@field error? string why it has failed
---@field damage? {file: string, offset: integer} where its disk is damaged
---@field role? raft.role
---@field term? integer
---@field vote? integer whom it voted for in its term; 0: nobody
---@field leader? integer whom it takes for the leader; 0: nobody
---@field commit? integer
---@field applied? integer
---@field first_index? integer
---@field last_index? integer
---@field snapshot_index? integer what the latest snapshot covers, taken or received; 0: there is none
---@field restoring? boolean its machine is being made from the snapshot: nothing is applied meanwhile
---@field members? raft.members
---@field member? boolean they list this very server: its id with its disk
---@field turned_away_by? integer a member that told it that its id has another disk: remove the id, then add it again
---@field peers? table<integer, raft.peer> on a leader
---@field refused? raft.refusal what another server refused it last
---@field pid? integer of a node that is a process

---@class raft.refusal
---@field by integer
---@field what string the message ("vote"), "connection", or "server": another disk is a member under its id
---@field term integer that the refusal carries; 0: of a connection or server
---@field time number the world's time, in seconds
---@field reason string of a connection, in words; else ""

---@class raft.node_status
---@field id integer
---@field state "stopped"|"starting"|"running"|"stopping"|"failed"|"removed"|"closed"
---@field address? string
---@field error? string why it has failed
---@field damage? {file: string, offset: integer} where its disk is damaged
---@field role? raft.role
---@field term? integer
---@field vote? integer whom it voted for in its term; 0: nobody
---@field leader? integer whom it takes for the leader; 0: nobody
---@field commit? integer
---@field applied? integer
---@field first_index? integer
---@field last_index? integer
---@field members? raft.node_members
---@field member? boolean they list this very server: its id with its disk
---@field turned_away_by? integer a member that told it that its id has another disk: remove the id, then add it again
---@field peers? table<integer, raft.peer> on a leader
---@field refused? raft.refusal what another server refused it last

---Where two clusters differ: `[1]` is the first one's value, `[2]` the second one's.
---@class raft.difference
---@field node integer 0: the world
---@field field string
---@field [1] any
---@field [2] any

---@class raft.leadership
---@field id integer
---@field term integer

---@class raft.entry
---@field index integer
---@field term integer
---@field kind "command"|"empty"|"configuration"
---@field command? any
---@field members? raft.members of a configuration

---@class raft.commit
---@field index integer
---@field term integer
---@field command any
---@field snapshot? boolean it began with that snapshot, or one was installed: no command

---What a node, or all, have counted since the cluster began.
---@class raft.stats
---@field messages table<string, integer> sent, by kind of message, and "total"
---@field bytes table<string, integer> the same in bytes, frames included
---@field requests integer messages sent that are no answers
---@field deliveries integer messages that arrived
---@field payload integer bytes of entries in what was sent; the rest of `bytes.total` is overhead
---@field elections integer campaigns that raised the term
---@field commits integer entries that the commit index passed
---@field syncs integer writes that the disk has completed
---@field snapshots integer taken of its machine
---@field installs integer snapshots received, in place of the log
---@field disk_bytes integer handed to the disk: payloads, 16 for each entry's head, 16 for term and vote
---@field drops integer messages that were lost

---A message between nodes. `c:intercept` hands it over before it leaves.
---@class raft.message
---@field kind "pre_vote"|"pre_vote_response"|"vote"|"vote_response"|"append"|"append_response"|"read"|"read_response"
---@field from integer
---@field to integer
---@field term integer
---@field prev_index integer append: the entry before the first one sent; a vote: the last of the candidate's log
---@field prev_term integer
---@field commit integer
---@field index integer
---@field hint_index integer where a follower that refuses would have the leader go on
---@field hint_term integer
---@field sequence integer
---@field reject boolean
---@field force boolean
---@field quiet boolean
---@field entries raft.entry[]

---What happened, as the trace has it. A field that its kind does not use is nil.
---@class raft.event
---@field time number seconds of the world's clock
---@field node integer 0: the world or a client
---@field kind "start"|"stop"|"role"|"vote"|"send"|"receive"|"drop"|"append"|"truncate"|"write"|"sync"|"match"|"commit"|"apply"|"snapshot"|"install"|"restore"|"members"|"read"|"confirm"|"connect"|"disconnect"|"client"|"fault"|"notice"|"note"|"violation"|"run"|"verdict"
---@field peer? integer the other node: receiver, sender, candidate's follower, leader
---@field candidate? integer of a vote
---@field term? integer
---@field role? raft.role
---@field message? string a message's kind (send, receive); what a violation says
---@field number? integer the sender's number of a message: by it send, receive and drop belong together
---@field index? integer of a commit, apply, match, members
---@field first? integer of the entries that were appended, removed, written, synced
---@field last? integer
---@field entries? integer how many
---@field prev_index? integer
---@field prev_term? integer
---@field commit? integer
---@field reject? boolean
---@field flag? boolean
---@field what? string what was written or synced: "state", "entries", "state+entries"
---@field sequence? integer of a write or sync
---@field vote? integer
---@field directory? integer of the server that sent what arrived, that answered, or that starts
---@field vote_directory? integer of the server that has the vote
---@field hash? integer of what was applied
---@field answer_hash? integer of the machine's answer
---@field state_hash? integer of the machine's state after it
---@field members? any of a start or members
---@field reason? string of a stop, drop, disconnect
---@field call? string of a fault
---@field arguments? any of a fault: ids; of a link `{ from, to, drop, ... }`, those that are on, or `default = true`; of a clock `{ node, rate, offset }`; of a partition its groups
---@field entry? any of a client
---@field property? string of a violation
---@field name? string of a run or verdict
---@field text? string of a note, notice, connect
---@field value? any of a run or verdict

---An invariant that broke, raised by the call that was driving the world.
---@class raft.violation
---@field property string
---@field message string
---@field time number seconds
---@field nodes integer[]
---@field replay string how to run it again

---An operation of a history: a call and what became of it.
---@class raft.operation
---@field process integer
---@field f string
---@field key? any
---@field value? any of the call
---@field outcome string "ok", "fail" or "info"
---@field result? any of an ok
---@field error? string
---@field seen? any what a refused cas found
---@field invoke integer the entry of the call
---@field complete? integer the entry of its end
---@field text string in words

---Why a history is not linearizable; tostring puts it in words.
---@class raft.explanation
---@field rung string how it was found: "distinct", "register", "general"
---@field key? any whose operations these are
---@field operation raft.operation all can be explained until just before it returned
---@field reason? string why `certificate` is a contradiction, with %1 for its first operation
---@field certificate? raft.operation[]
---@field kept raft.operation[] enough to see it
---@field configurations table[] { state, pending = { { operation, legal, why }, … } }, before it ends
---@field longest table by the entry of an operation's call the longest linearization that holds it, { { operation, state }, … }
