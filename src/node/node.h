/*
 * node: one replica at work: a core, a store, a machine and a trace, driven by a world.
 *
 * By subject, each with a struct of its own that no other file touches: node.c (its life: start,
 * crash, pause), drive.c (events in, updates out, the time), persistence.c (writes, and messages
 * that wait for them), work.c (entries to the machine), proposals.c (commands and changes),
 * transfers.c (of leadership), snapshots.c (taking them), sends.c (to followers), installs.c (from
 * a leader), restores.c (the machine from one), reads.c, refusals.c (why, in words), clients.c
 * (requests as frames), calls.c (requests between nodes), removal.c (the members as applied),
 * identity.c (who is who), peers.c (whom it keeps connections to), frames.c and messages.c (what
 * comes and goes), inbox.c (what came while it was paused), application.c (what it has to be told),
 * view.c (what others see), report.c (trace events).
 *
 * It never knows which world it is in, and never decides anything that is Raft's to decide.
 */
#ifndef RAFTBENCH_NODE_H
#define RAFTBENCH_NODE_H

#include "base/base.h"
#include "machine/machine.h"
#include "raft/raft.h"
#include "store/store.h"
#include "trace/trace.h"
#include "world/world.h"

/* STARTING: its disk is being read. STOPPING: an orderly end, what was written is being synced. */
#define NODE_STATES(X)                                                                             \
    X(STOPPED, "stopped")                                                                          \
    X(STARTING, "starting")                                                                        \
    X(RUNNING, "running")                                                                          \
    X(PAUSED, "paused")                                                                            \
    X(CRASHED, "crashed")                                                                          \
    X(STOPPING, "stopping")                                                                        \
    X(FAILED, "failed")                                                                            \
    X(REMOVED, "removed")

enum node_state {
#define X(name, text) NODE_##name,
    NODE_STATES(X)
#undef X
};

const char *node_state_name(enum node_state state);

struct node;

struct node_options {
    struct raft_options raft; /* id included; `seed` is derived by the node: "node/ID/election" */
    uint64_t seed;            /* of the run */
    const char *cluster_name; /* at most 63 bytes; nodes of another cluster's name are refused */
    const char *address;      /* to listen on; NULL: the world chooses */
    /* A snapshot is taken, and the log before it dropped but for a tail, when so many entries, or
     * so many bytes of them, were applied since the last one. 0: never because of that. */
    uint64_t snapshot_every;
    uint64_t snapshot_bytes;
    /* So much of a snapshot is asked of the machine in one turn, or read back, in the first few
     * turns; then, or where it is 0, a piece of the file. */
    size_t snapshot_step_bytes;
    bool compare_states; /* the digest of its machine's state is told after each command */
    /* A fresh machine at each start; NULL and a failure if that fails. */
    struct machine *(*make_machine)(void *context, uint64_t id, struct failure *failure);
    void *context;
    /* Told of what an application wants to know; any may be NULL. Not from within calls of node.h
     * other than through the world. */
    /* Where that node is now, whatever the configuration says; NULL, and where it gives NULL: as
     * that says. */
    const char *(*find_address)(void *context, uint64_t id);
    void (*on_role)(void *context, struct node *node); /* role, term or known leader changed */
    void (*on_members)(void *context,
                       struct node *node); /* a committed configuration was applied */
    void (*on_applied)(void *context, struct node *node);    /* applied index moved */
    void (*on_started)(void *context, struct node *node);    /* its disk was read, it runs */
    void (*on_stopped)(void *context, struct node *node);    /* failed, or an orderly end is over */
    void (*on_power_lost)(void *context, struct node *node); /* of its disk: crash it. NULL: it
                                                                crashes by itself */
};

/* The node takes the store over. It is stopped until node_start. */
struct node *node_new(struct world *world, struct store *store, const struct node_options *options);
void node_free(struct node *node); /* stops it first, without callbacks to those who wait */

/* Opens its endpoint and begins to recover from the store: it is STARTING. Then it runs and dials
 * the members, or fails. */
bool node_start(struct node *node, struct failure *failure);
/* At once, as if its process was killed; all that wait get node_down (unknown). */
void node_crash(struct node *node);
/* An orderly end: it takes no part from now on, and is STOPPING until what was written is synced.
 * `removed`: state REMOVED then, else STOPPED. */
void node_stop(struct node *node, bool removed);
/* Replaces its disk by an empty one: from then on it is another server. Only after its end. */
void node_wipe(struct node *node);
/* Frozen: what arrives waits (at most WORLD_QUEUE_BYTES_MAX from each peer), and so do its
 * time-outs and its disk's answers. */
void node_pause(struct node *node);
void node_resume(struct node *node);
/* Each write of its disk takes that much longer. */
bool node_set_disk_faults(struct node *node, const struct disk_faults *faults,
                          struct failure *failure);
void node_set_clock(struct node *node, int64_t rate_ppb, int64_t offset_ns);
/* Its election time-outs that are drawn from now on are as of another seed. */
void node_rekey(struct node *node, uint64_t seed);

/* What became of a proposal, a read or a change. */
struct node_outcome {
    struct failure failure; /* code NONE: it worked */
    uint64_t index;
    uint64_t term;
    struct bytes result; /* an encoded value, valid during the call; of a change: empty */
};
typedef void node_done(void *context, uint64_t number, const struct node_outcome *outcome);
/* Who gets the outcome, exactly once. The number is the asker's own, to find its request. */
struct node_asker {
    node_done *done; /* NULL: a client or a peer, whom the node answers by a frame */
    union {
        void *context;
        uint64_t peer; /* where `done` is NULL: the node that forwarded it; 0: a client */
    };
    uint64_t number;
};

/* Hands one command to this node now; a copy is taken. false and a failure (not_leader with the
 * leader, busy, too_large, node_down). */
bool node_submit(struct node *node, struct bytes payload, uint64_t *index, uint64_t *term,
                 struct failure *failure);
/* The same, and the asker gets the outcome: when it was applied here (with the machine's result),
 * superseded, or the node went down; before this returns if the node refuses. */
void node_propose(struct node *node, struct bytes payload, const struct node_asker *asker);
/* LEASE: linearizable as well, without a round where the leader's lease holds. */
enum node_read_mode { NODE_READ_LINEARIZABLE, NODE_READ_LEASE, NODE_READ_STALE };
/* An empty request asks nothing of the machine: the outcome's index is what a state that is to be
 * as fresh has applied. */
void node_read(struct node *node, enum node_read_mode mode, struct bytes request,
               const struct node_asker *asker);
/* `wanted` is a simple configuration. The asker gets the outcome when the final configuration has
 * committed. false: refused at once, there is no answer. */
bool node_change(struct node *node, const struct raft_configuration *wanted, uint64_t *index,
                 uint64_t *term, const struct node_asker *asker, struct failure *failure);
/* A leader hands leadership over to `target`; 0: to the voter whose log is furthest, of those that
 * it is connected to. The asker gets
 * the outcome (index: the target's id; term: that in which it leads) once the target leads, another
 * one does (not_leader), or it was given up (timeout, not_member): then this node leads on. false:
 * refused at once, there is no answer. */
bool node_transfer(struct node *node, uint64_t target, const struct node_asker *asker,
                   struct failure *failure);
bool node_campaign(struct node *node, bool force, struct failure *failure);
/* A snapshot now, and the log that it covers dropped: the asker gets the outcome once it is durable
 * (index: what it covers). false: refused at once, there is no answer. */
bool node_compact(struct node *node, const struct node_asker *asker, struct failure *failure);

/* Requests over the nodes' own transport. `serve` answers with one encoded value appended to
 * `answer`; false: it failed (message to the caller). */
typedef bool node_serve_function(void *context, struct node *node, struct bytes value,
                                 uint64_t from, struct buffer *answer, struct failure *failure);
void node_serve(struct node *node, node_serve_function *serve, void *context); /* NULL: none */
/* The call's number on the wire; the asker gets the outcome, unless node_call_forget. It has no
 * time-out of its own. 0 and a failure if it cannot be sent at all (node down). */
uint64_t node_call(struct node *node, uint64_t to, struct bytes value,
                   const struct node_asker *asker, struct failure *failure);
/* Whether a request to that node would be sent now. */
bool node_is_connected(const struct node *node, uint64_t peer);
/* Of that asker, by its number: its outcome is no longer needed. */
void node_call_forget(struct node *node, const void *context, uint64_t number);

/* ---- looking (view.c) ----------------------------------------------------------------------- */

struct node_stats {
    uint64_t messages[RAFT_MESSAGE_KIND_COUNT]; /* sent, by kind; 0: all */
    uint64_t bytes[RAFT_MESSAGE_KIND_COUNT];    /* frames included */
    uint64_t elections;                         /* campaigns that raised its term */
    uint64_t commits;       /* entries its commit index passed since it was made */
    uint64_t syncs;         /* writes that its disk has completed */
    uint64_t payload_bytes; /* of the entries in what was sent; the rest is overhead */
    uint64_t deliveries;    /* messages that arrived */
    uint64_t disk_bytes;    /* handed to its disk */
    uint64_t snapshots;     /* taken of its machine */
    uint64_t installs;      /* received, in place of its log */
};

/* What another server refused this node last: its vote, an append, or the connection. */
struct node_refusal {
    uint64_t peer;    /* 0: nothing was refused since it was started */
    const char *what; /* the message that was refused ("vote"), "connection", or "server" */
    uint64_t term;    /* that the refusal carries; of a connection: 0 */
    int64_t at_ns;    /* the world's time */
    char reason[160]; /* of a connection, in words; else "" */
};

/* All that others see of a node, filled by the node itself: from its own structures here, from
 * messages where it runs in another process. */
struct node_view {
    uint64_t id;
    uint64_t directory; /* whose disk it is: another one after the disk was emptied */
    enum node_state state;
    /* Its core is at work, or paused: the fields below are the core's. Else those from `term` to
     * `last_index` tell what its disk holds, as far as the disk holds such a thing, and are 0
     * otherwise. */
    bool is_up;
    enum raft_role role;
    uint64_t term;
    uint64_t vote;
    uint64_t leader; /* 0: none known */
    uint64_t commit_index;
    uint64_t applied_index; /* by its machine */
    uint64_t durable_index;
    uint64_t first_index;
    uint64_t last_index;
    uint64_t snapshot_index; /* of the latest, taken or received; 0: none */
    uint64_t snapshot_term;
    uint64_t restored_index; /* its machine was made from the snapshot of that index; 0: it began
                                empty */
    uint64_t restored_term;
    bool is_restoring;      /* its machine is not there yet: it becomes that of the snapshot */
    uint64_t members_index; /* of the entry that set `members`; 0: the first */
    const struct raft_configuration *members; /* in force; empty where it is not up */
    /* At its latest snapshot, else the first ones; those of its disk where it is not up. */
    const struct raft_configuration *snapshot_members;
    bool is_member;           /* they list this very server */
    bool machine_failed;      /* that is why it failed */
    uint64_t turned_away_by;  /* a member that told it that its id has another disk; 0: none */
    const char *address;      /* "" while it does not listen */
    const char *error;        /* why it failed; "" */
    const char *damaged_file; /* where its disk is damaged; "" elsewhere */
    uint64_t damaged_offset;
    const struct node_refusal *refused;
    const struct node_stats *statistics;
};

/* Up to date, and valid until the node's next event. */
const struct node_view *node_view(struct node *node);
/* One entry from the view's first_index to last_index, valid until the node's next event; of a node
 * that is not up: from its disk. NULL: outside of them. */
const struct raft_entry *node_log_read(struct node *node, uint64_t index);
/* A leader's peer number `position`, from 0; false: past the last, or it does not lead. */
bool node_peer_at(const struct node *node, uint32_t position, struct raft_peer_status *peer);

struct machine *node_machine(const struct node *node); /* NULL unless it is up */

/* ---- the clients' side of the messages between endpoint "client" and a node (client.c) --------
 */

/* One request's body in a FRAME_CLIENT_REQUEST, one answer's in a FRAME_CLIENT_ANSWER. A request
 * that arrives twice is submitted once. */
enum node_request_kind {
    NODE_REQUEST_PROPOSE = 1,
    NODE_REQUEST_READ = 2,
    NODE_REQUEST_READ_STALE = 3,
    NODE_REQUEST_READ_LEASE = 4
};

struct node_request {
    uint64_t number;
    enum node_request_kind kind;
    struct bytes body; /* a payload, or a query's encoded request */
};

struct batch *node_request_frame(struct pool *pool, const struct node_request *request);
/* Passes a request on to that node, which answers as it would a client; it never passes it on
 * further. As node_call: no time-out of its own. false and a failure where nothing was sent (node
 * down, not connected, too large, busy: too much waits on the way). */
bool node_forward(struct node *node, uint64_t to, enum node_request_kind kind, struct bytes body,
                  const struct node_asker *asker, struct failure *failure);
/* An answer's frame, head included, to an outcome; false: malformed. Views point into the batch. */
bool node_answer_parse(const struct batch *batch, uint32_t offset, const struct frame_head *head,
                       uint64_t *number, struct node_outcome *outcome);

#endif
