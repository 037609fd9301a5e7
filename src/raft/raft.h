/*
 * raft: the Raft algorithm, pure. An event and the time go in; an update comes out: messages to
 * send, what to make durable, entries to apply, reads that may be answered, the next deadline.
 *
 * It opens nothing, reads no clock, starts no thread, keeps no global, logs nothing, draws random
 * numbers only from a generator in its own state, and includes nothing of ours but base/.
 *
 * By subject: raft.c (a replica's life, dispatch of events), start.c, update.c (what a step hands
 * out), log.c, quorum.c (majorities), progress.c (what a leader knows of a peer), message.c (wire
 * form), validate.c (checks of what comes from outside), configuration.c, election.c, replication.c
 * (the leader's side), append.c (the follower's), persist.c, membership.c, catch_up.c,
 * snapshot.c, transfer.c, read.c, lease.c, hash.c, inspect.c.
 * What they share is in internal.h.
 *
 * "Paper" is Ongaro and Ousterhout, extended version; "dissertation" Ongaro 2014.
 */
#ifndef RAFTBENCH_RAFT_H
#define RAFTBENCH_RAFT_H

#include "base/base.h"
#include "raft/messages.h"

#define RAFT_NEVER INT64_MAX /* a deadline that does not come */

/* ---- events --------------------------------------------------------------------------------- */

enum raft_role {
    RAFT_FOLLOWER,
    RAFT_PRE_CANDIDATE,
    RAFT_CANDIDATE,
    RAFT_LEADER,
    /* A follower that does not campaign: its configuration does not let it vote, or it has none.
     * One that a configuration leaves out is a follower still until it knows that to be committed.
     */
    RAFT_LEARNER,
};

const char *raft_role_name(enum raft_role role); /* "pre_candidate" */

enum raft_event_kind {
    RAFT_EVENT_TICK,    /* time has passed: does what is due at now_ns; nothing where nothing is */
    RAFT_EVENT_FLUSH,   /* the loop is about to go idle: send new entries and commit notices */
    RAFT_EVENT_MESSAGE, /* `message` arrived; the node checked that `from` is whom the connection
                           belongs to */
    RAFT_EVENT_SUBMIT, /* append `entry_count` commands (kind COMMAND, term ignored); all or none */
    RAFT_EVENT_PERSISTED, /* all persists up to `sequence` are durable */
    RAFT_EVENT_CHANGE, /* change members: `configuration` is the wanted simple one (joint = false);
                          preparing: who is to vote is brought level before that, as a learner
                        */
    /* A linearizable read, `read_id` chosen by the caller. `lease`: it is let pass at once where
       the leader's lease holds at now_ns, which must have been looked at after the read came. */
    RAFT_EVENT_READ,
    RAFT_EVENT_CAMPAIGN,  /* the election timer fires now; `force`: without pre-vote, and voters do
                             not hold back */
    RAFT_EVENT_HEARTBEAT, /* a leader's round of heartbeats is due now, whatever the time; nothing
                             where it does not lead */
    /* An own `snapshot` is durable in the store. The log is not needed before first_index, which is
       at most its index + 1: the core drops it, some of it perhaps later, for peers to which a
       snapshot is being sent. The last one again (index and term): only that. */
    RAFT_EVENT_SNAPSHOT_TAKEN,
    /* `message`, a piece that an update handed out, and all before it are written (its bytes are
       not looked at, its piece_size is); not the last one, which INSTALLED confirms. `reject`: what
       was received cannot be used (it does not verify, the disk is full); it has been dropped. */
    RAFT_EVENT_SNAPSHOT_WRITTEN,
    /* A received `snapshot` is whole, verified and durable in the store. `message`: its last
       piece. */
    RAFT_EVENT_SNAPSHOT_INSTALLED,
    /* `message`, an outgoing SNAPSHOT, cannot be read: the store does not have that snapshot any
       more. */
    RAFT_EVENT_SNAPSHOT_GONE,
    RAFT_EVENT_TRANSFER, /* hand leadership over to `target`; 0: to the voter that is furthest */
};

struct raft_event {
    enum raft_event_kind kind;
    bool force;
    bool reject;
    bool lease;
    uint32_t entry_count;
    int64_t now_ns; /* never less than in the event before */
    const struct raft_message *message;
    const struct raft_entry *entries;
    const struct raft_configuration *configuration;
    const struct raft_snapshot *snapshot;
    uint64_t first_index;
    uint64_t sequence;
    uint64_t read_id;
    uint64_t target;
};

/* ---- updates -------------------------------------------------------------------------------- */

/* Why an event was refused (SUBMIT, CHANGE, READ, TRANSFER, CAMPAIGN). */
enum raft_refusal {
    RAFT_ACCEPTED,
    RAFT_NOT_LEADER,
    RAFT_BUSY,               /* too much appended and not yet applied */
    RAFT_TOO_LARGE,          /* an entry over RAFT_ENTRY_BYTES_MAX */
    RAFT_MEMBERSHIP_PENDING, /* a change is under way */
    RAFT_NOT_READY, /* CHANGE, before an entry of the leader's term committed: try again soon */
    RAFT_BAD_CONFIGURATION, /* no voters, duplicate ids, address too long */
    RAFT_TRANSFERRING,      /* SUBMIT, CHANGE, TRANSFER: leadership is being handed over */
    RAFT_NO_VOTER,          /* TRANSFER: the target cannot lead, or there is nobody */
    RAFT_NO_LEASES,         /* READ with `lease`, where options.lease_reads is not set */
    RAFT_PROMISED,          /* CAMPAIGN, while a leader may hold a lease on its word */
};

/* How a transfer of leadership has ended while this server leads on. Where it leads no more, the
 * role tells, and the next leader's first append who took it. */
enum raft_transfer_end {
    RAFT_TRANSFER_NOT_ENDED,
    RAFT_TRANSFER_TIMED_OUT,
    RAFT_TRANSFER_TARGET_GONE, /* it is no voter any more */
    RAFT_TRANSFER_REFUSED,     /* by the target */
};

/* What a node has to make durable, in order, before messages that wait for `sequence` leave. */
struct raft_persist {
    uint64_t
        sequence;    /* 0: nothing in this update. Rises by one at each update that has something */
    bool hard_state; /* term and vote changed: write them, together */
    uint64_t term;   /* always the present ones */
    uint64_t vote;
    uint64_t vote_directory; /* of the server that has the vote */
    /* 0: no. Else, before the entries: the log is empty behind (reset_index, reset_term), which the
     * snapshot in the store covers. */
    uint64_t reset_index;
    uint64_t reset_term;
    uint64_t first_index; /* 0: no entries. Else the log from first_index on is replaced by ... */
    uint64_t
        last_index; /* ... first_index..last_index of this log (last = first - 1: only truncated) */
};

struct raft_read_result {
    uint64_t read_id;
    uint64_t index; /* answer when applied that far (0: the read failed, leadership was lost or not
                       had) */
};

#define RAFT_NOTICE_BYTES_MAX 96

/* Input from outside that was refused and dropped. */
struct raft_notice {
    uint64_t from;
    /* 0, or the term of an append that contradicts what is committed here: a leader of that term
     * never sends one. */
    uint64_t contradicts_in_term;
    char text[RAFT_NOTICE_BYTES_MAX]; /* "append: commit 9 past the leader's term ..." */
};

/* What a step asks for. It belongs to the replica and is valid until its next step. Carry it out in
 * this order: (1) `messages` may leave at once; (2) `persist`; (3) `messages_after` leave once
 * persist.sequence, or where that is 0 the persist sequence `messages_after_sequence`, is durable;
 * (4) the snapshots' part: compacted_first, snapshot_abandoned, snapshot_piece, installed_index;
 * (5) apply apply_first..apply_last; (6) answer reads. */
struct raft_update {
    const struct raft_message *messages;
    uint32_t message_count;
    const struct raft_message *messages_after;
    uint32_t message_after_count;
    uint64_t
        messages_after_sequence; /* what they wait for: this update's persist and all before it */
    struct raft_persist persist;
    /* 0: none. The log begins there now: the store need not keep what is before it. */
    uint64_t compacted_first;
    /* What has been received of a snapshot is not wanted any more: drop it. */
    bool snapshot_abandoned;
    /* NULL: none. A SNAPSHOT whose piece is to be written behind those handed out before it, valid
     * in this step: hold its batch. At offset 0 a snapshot begins; an earlier one is dropped. */
    const struct raft_message *snapshot_piece;
    /* 0: none. The received snapshot of that index replaced the log: the machine becomes what the
     * store's snapshot says, whatever of the log was handed out and is not applied yet. */
    uint64_t installed_index;
    uint64_t apply_first; /* 0: none. Committed and locally durable; never handed out twice */
    uint64_t apply_last;
    const struct raft_read_result *reads;
    uint32_t read_count;
    bool read_by_lease; /* the read of this event: a lease let it pass */
    const struct raft_notice *notices;
    uint32_t notice_count;
    enum raft_refusal refusal; /* of this event */
    uint64_t index;            /* SUBMIT, CHANGE: the (first) index that was given */
    int64_t deadline_ns;       /* wake me with TICK then; RAFT_NEVER: no need */
    bool wants_flush;          /* send me FLUSH before the loop goes idle */
    /* What changed, for traces and checks; each is also in the status. */
    bool role_changed; /* role, term or leader */
    bool voted;        /* granted its vote (to itself or another) in this step: hard state's vote */
    bool members_changed; /* the configuration in force (append, truncation, restart) */
    bool commit_changed;
    bool commit_counted;     /* commit moved by counting on the leader, not by a message */
    uint64_t truncated_from; /* 0: none. Entries from here to truncated_to were removed */
    uint64_t truncated_to;
    uint64_t appended_first; /* 0: none. Entries appended to the log in this step */
    uint64_t appended_last;
    /* 0: none. An answer came from that id and did not count: the configuration lists it with
     * another directory. */
    uint64_t other_id;
    uint64_t other_directory;
    uint64_t match_peer; /* 0: none. A leader's match_index of this peer is now match_index */
    uint64_t match_directory;
    uint64_t match_index;
    enum raft_transfer_end transfer_ended;
    bool transfer_told; /* of one that has ended: the target was told, and may still campaign */
};

/* ---- a replica ------------------------------------------------------------------------------ */

#define RAFT_CLOCK_DRIFT_MAX_PPB 1000000000U

struct raft_options {
    uint64_t id;        /* >= 1 */
    uint64_t directory; /* its own; 0 where nobody's is told apart (cores without disks) */
    int64_t election_timeout_min_ns; /* > 0; RAFT_NEVER: never by itself */
    int64_t election_timeout_max_ns; /* >= min */
    int64_t heartbeat_interval_ns;   /* > 0 */
    uint64_t election_collisions;    /* chance (base.h) that a timeout is drawn at its minimum */
    bool pre_vote;                   /* dissertation 9.6 */
    bool check_quorum; /* dissertation 6.2; and 4.2.3: voters that hear a live leader do not vote */
    /* Leases for reads (dissertation 6.4.1; lease.c), which need check_quorum. They hold while no
       two servers' clocks run at rates that differ by more than this, in billionths of the faster
       one, and none jumps. All servers have to be given the same. */
    bool lease_reads;
    uint32_t clock_drift_ppb;   /* below RAFT_CLOCK_DRIFT_MAX_PPB */
    uint32_t window;            /* append messages with entries in flight to a follower; >= 1 */
    uint32_t max_entries;       /* in a message; 0: no limit */
    uint32_t max_message_bytes; /* payload bytes in a message; one entry always fits */
    uint64_t
        max_inflight_bytes; /* sent to a follower and not acknowledged; one entry always fits */
    uint64_t max_uncommitted_bytes; /* appended on the leader and not yet applied; beyond it BUSY.
                                       0: no limit */
    /* While a snapshot is being sent, the log behind it is kept, so that it does not take another
       one; but only while the whole log has at most so many bytes. 0: no limit */
    uint64_t max_kept_bytes;
    uint64_t
        seed; /* of its own generator: the node derives it from the stream "node/ID/election" */
};

/* What a disk held. Entries are taken over by reference (held by the core). */
struct raft_start {
    uint64_t term;
    uint64_t vote;
    uint64_t vote_directory;
    const struct raft_configuration
        *first_members; /* the configuration at index 0; NULL or empty: waits to be added */
    struct raft_snapshot snapshot; /* index 0: none */
    /* Of `entries`: 1, or with a snapshot at most its index + 1. Entries that do not meet it (a
     * crash came between an install and the reset of the log) are left out, and the next persist
     * resets the log. */
    uint64_t first_index;
    const struct raft_entry *entries;
    uint64_t entry_count;
};

/* Validates; NULL and a message in words where an option is wrong. The replica is a follower (or
 * learner), its election timer drawn from now_ns. What it was started with is durable. */
struct raft *raft_new(const struct raft_options *options, const struct raft_start *start,
                      int64_t now_ns, const char **problem);
void raft_free(struct raft *raft);
/* Time-outs that are drawn from now on are other ones; that which runs stays. */
void raft_rekey(struct raft *raft, uint64_t seed);
/* A second replica with equal state that shares payload batches by reference. */
struct raft *raft_copy(const struct raft *raft);
/* Another name for each server: bijective; 0 stays 0, and directories stay as they are. */
struct raft_renaming {
    uint64_t (*rename)(void *context, uint64_t id);
    void *context;
};

/* Covers all that later behaviour depends on (role, term, vote, leader, commit, log with the
 * content of payloads, configurations, what was voted, the progress of peers, what is in flight,
 * rounds, waiting reads, unconfirmed persists), and never times, generators, counters or addresses:
 * numbers of rounds and persists count only by how they stand to each other. Equal for replicas
 * that behave alike at equal events. `renaming`: as if all servers had those ids; NULL: their own.
 */
uint64_t raft_hash(const struct raft *raft, const struct raft_renaming *renaming);
/* The same for a message under way, whose entries, if it has any, are given in `entries`. `leader`:
 * the replica that it is from or to and that leads in its term, by which its round is told from
 * others; NULL where there is none, since then no round matters. */
uint64_t raft_message_hash(const struct raft_message *message, const struct raft *leader,
                           const struct raft_renaming *renaming);

/* The one call. `*update` points into the replica. */
void raft_step(struct raft *raft, const struct raft_event *event,
               const struct raft_update **update);

struct raft_status {
    uint64_t id;
    uint64_t directory;
    enum raft_role role;
    bool member; /* the configuration in force lists this very server */
    uint64_t term;
    uint64_t vote;
    uint64_t vote_directory;
    uint64_t leader; /* 0: none known */
    uint64_t leader_directory;
    uint64_t commit_index;
    uint64_t applied_index; /* handed out for applying */
    uint64_t durable_index; /* of its own log */
    uint64_t first_index;
    uint64_t last_index;
    uint64_t last_term;
    uint64_t log_bytes;      /* entries in memory and their payloads */
    uint64_t snapshot_index; /* of the last one, taken or received; 0: none */
    uint64_t snapshot_term;
    uint64_t transfer_target;  /* a leader's, to whom it hands over; 0: nobody */
    uint64_t dropped_messages; /* those that were noticed */
};

void raft_get_status(const struct raft *raft, struct raft_status *status);
const struct raft_configuration *raft_members(const struct raft *raft); /* in force; may be empty */
/* Whether it lists this very server; one of the first members also where its directory is not known
 * yet. */
bool raft_is_listed(const struct raft *raft, const struct raft_configuration *configuration);
uint64_t raft_members_index(const struct raft *raft); /* of the entry that set it; 0: the first */
/* Those in force at the last snapshot; without one the first ones. May be empty. */
const struct raft_configuration *raft_snapshot_members(const struct raft *raft);
/* What a snapshot of a machine that has applied entries up to `index` (at most commit_index)
 * covers; its size stays 0, `members` is valid until the next step. Index 0: there is none
 * to be taken, since the last one covers as much, or the members there are not known. */
struct raft_snapshot raft_snapshot_at(const struct raft *raft, uint64_t index);
/* Why a received snapshot, which says this of itself, cannot be installed; NULL: it can. `message`:
 * one of its pieces. To be asked before it is given to the store for good. */
const char *raft_snapshot_problem(const struct raft_message *message,
                                  const struct raft_snapshot *snapshot);
/* Whether a peer is being sent the snapshot of that index: the store should keep it. */
bool raft_sends_snapshot(const struct raft *raft, uint64_t index);
/* first_index - 1 .. last_index gives a term, others 0. */
uint64_t raft_term_at(const struct raft *raft, uint64_t index);
/* first_index .. last_index; the view is valid until the next step. */
const struct raft_entry *raft_entry_at(const struct raft *raft, uint64_t index);
/* Copies of first_index .. first_index + count - 1 of its log, which hold no batches. */
void raft_copy_entries(const struct raft *raft, uint64_t first_index, size_t count,
                       struct raft_entry *copies);

struct raft_peer_status {
    uint64_t id;
    uint64_t match_index;
    uint64_t next_index;
    uint32_t inflight_messages;
    uint64_t snapshot_index;  /* 0: none is being sent. Else the one that is, */
    uint64_t snapshot_offset; /* and how much of it is written there */
};

/* On a leader: peer number `position` from 0; false past the last or on others. */
bool raft_peer_at(const struct raft *raft, uint32_t position, struct raft_peer_status *peer);

#endif
