/*
 * The private side of node/: the state of one node, and what its files offer each other.
 *
 * A step of the core is carried out at once but for what calls back into other rooms (applying,
 * answering): that waits in queues which node_work empties. So whoever is told an answer may hand
 * in the next command from there, and nothing recurses.
 */
#ifndef RAFTBENCH_NODE_INTERNAL_H
#define RAFTBENCH_NODE_INTERNAL_H

#include "node/node.h"

#define CLUSTER_NAME_BYTES_MAX 63
#define HELLO_VERSION 1 /* of the protocol; a hello tells the lowest and the highest one spoken */

/* ---- who waits for an answer (waiting.c) ---------------------------------------------------- */

/* Waits for the entry that was given this index and term. */
struct waiter {
    uint64_t index;
    uint64_t term;
    struct node_asker asker;
    uint32_t next; /* in its slot or in the free list; places are stored plus one, 0 is none */
    bool change;   /* of members: done only when the final configuration has committed */
};

/* Waiters by index, in slots of a power of two: indexes rise, so each mostly has a slot for itself.
 * An index can have several: of terms whose entries there were given up. */
struct waiters {
    struct waiter *all;
    uint32_t *slots;
    uint32_t capacity;
    uint32_t used; /* places of `all` that were ever taken */
    uint32_t count;
    uint32_t free;
    uint64_t lowest_term; /* none of them is of a lower one */
};

void waiters_add(struct waiters *waiters, const struct waiter *waiter);
/* Takes out one that waits for this index; false: none. */
bool waiters_take(struct waiters *waiters, uint64_t index, struct waiter *taken);
/* Takes out those of a lower term, one a call; *slot starts at 0. */
bool waiters_take_older(struct waiters *waiters, uint64_t term, uint32_t *slot,
                        struct waiter *taken);
/* Takes them all out, one a call; *slot starts at 0. */
bool waiters_take_next(struct waiters *waiters, uint32_t *slot, struct waiter *taken);
void waiters_free(struct waiters *waiters);

/* A linearizable read. Its place in the ring of reads is its id less the id of the first. */
struct read_wait {
    struct node_asker asker;
    struct batch *batch; /* the request's bytes */
    uint32_t offset;
    uint32_t size;
    bool answered;
};

struct ready_read {
    uint64_t read_id;
    uint64_t index; /* 0: it failed */
};

/* ---- other small things that wait ----------------------------------------------------------- */

/* A frame that may leave once that persist is durable. */
struct outgoing {
    uint64_t sequence;
    struct raft_message message; /* for the trace; names no entries */
    uint64_t number;
    struct batch *frame;
};

/* A frame that arrived while the node was paused. */
struct incoming {
    uint64_t from;
    struct batch *batch;
    uint32_t offset;
    struct frame_head head;
};

struct held_bytes {
    uint64_t from;
    uint64_t bytes;
};

struct peer {
    uint64_t id;
    int64_t used_ns; /* when a frame or a hello last gave a reason to keep the connection */
    bool dialled;
    bool member; /* of the configuration in force */
    bool differ; /* listed and told: each is tried in turn */
    bool wanted; /* not listed, but asked for at that address */
    bool found;  /* who said hello last is where it is asked for, if it is */
    char address[RAFT_ADDRESS_BYTES_MAX + 1]; /* where it is dialled */
    char listed[RAFT_ADDRESS_BYTES_MAX + 1];  /* by the latest configuration that lists it */
    char told[RAFT_ADDRESS_BYTES_MAX + 1];    /* by its latest hello */
    uint64_t told_directory;                  /* of the server that told it */
    int64_t tried_ns;                         /* since when the present one of two is */
    int64_t wanted_ns;                        /* since when it is looked for */
    uint64_t greeted_directory;               /* of the server that said hello last */
    uint64_t met_directory;                   /* of the server that is there; 0: not met yet */
    uint64_t other_directory; /* of another disk under its id that was turned away last; or 0 */
    int64_t turned_away_ns;   /* when that was last told so */
};

struct call {
    uint64_t number; /* on the wire */
    struct node_asker asker;
};

/* An answer to a request that was passed on. The latest are kept, and sent again when a connection
 * to who passed it on begins anew: what was under way on the last one is lost. Who has it already
 * takes no notice. */
struct kept_answer {
    uint64_t peer;
    struct batch *frame;
};

#define KEPT_ANSWERS_MAX 256U
#define KEPT_ANSWER_BYTES_MAX (64U << 10)
#define REQUESTS_REMEMBERED 65536U

/* The numbers of the clients' requests that came latest, by open addressing; 0: a free slot. */
struct seen_requests {
    uint64_t *slots;
    size_t capacity;         /* a power of two, or 0 */
    ring_of(uint64_t) order; /* the numbers as they came */
};

/* ---- the node ------------------------------------------------------------------------------- */

struct node {
    struct world *world;
    struct store *store;
    struct node_options options;
    char cluster_name[CLUSTER_NAME_BYTES_MAX + 1];
    char address[RAFT_ADDRESS_BYTES_MAX + 1]; /* "" until the world has chosen one */
    char error[240];
    char reason[200]; /* why a connection is closed; read by the world at once */
    uint64_t id;
    struct random election_stream;
    struct random life_stream;
    struct node_clock clock;
    struct wakeup wakeup; /* the core's deadline */
    int64_t armed_ns;     /* world time for which it is set */
    struct wakeup removal_wakeup;
    struct flusher flusher;
    uint64_t message_number; /* of the latest frame; goes on across restarts */
    uint64_t call_number;
    uint64_t commit_high; /* for the statistics */
    struct node_stats stats;
    struct node_refusal refused;
    struct node_view view; /* filled by node_view */
    node_serve_function *serve;
    void *serve_context;

    /* While it runs or is paused. */
    struct raft *raft;
    struct machine *machine;
    struct endpoint *endpoint;
    uint64_t directory;
    uint64_t life; /* drawn at each start */
    uint64_t durable_sequence;
    ring_of(struct raft_persist) writes; /* handed to the disk, not confirmed */
    ring_of(struct outgoing) outgoing;   /* by rising sequence */

    /* Work: entries to apply, reads and those who wait. */
    uint64_t apply_next;
    uint64_t apply_last;
    struct waiters waiters;
    struct waiter change; /* of members: its first entry was applied, the final one was not */
    ring_of(struct read_wait) reads;
    uint64_t first_read_id;
    ring_of(struct ready_read) ready_reads;
    ring_of(struct call) calls;
    struct seen_requests seen;
    ring_of(struct kept_answer) kept_answers;

    /* Membership as far as it was applied. */
    struct raft_configuration applied_members; /* the latest that was applied */
    uint64_t removal_index; /* of the configuration that dropped this node; 0: none */

    array_of(struct peer) peers; /* sorted by id */
    uint64_t turned_away_by;     /* who told last that the members know another disk under our id */

    /* What came while it was paused. */
    ring_of(struct incoming) incoming;
    struct held_bytes *held;
    uint64_t owed_persisted; /* 0: nothing */

    /* Memory that is used again. */
    struct buffer frame;
    struct buffer result;
    struct buffer answer;
    struct buffer value;
    struct raft_entry *entries;
    struct trace_entry *trace_entries;
    size_t trace_entries_capacity;
    struct buffer trace_configurations;

    /* The small ones, side by side. */
    uint32_t entries_capacity;
    uint32_t held_count;
    enum node_state state;
    enum node_state final_state; /* while STOPPING: the one that comes */
    bool was_up;                 /* STOPPING: its trace has a START to be closed */
    bool removal_armed;
    bool contradiction; /* its core met one, which is why it ends */
    bool flush_wanted;
    bool working;      /* node_work is under way */
    bool change_waits; /* `change` holds somebody */
    bool was_member;   /* of what was applied last */
    bool owes_tick;    /* since it was paused */
    bool owes_removal;
    bool owes_start;   /* its disk was read while it was paused */
    bool tell_started; /* what the application has to be told */
    bool tell_role;
    bool tell_members;
    bool tell_applied;
    bool tell_stopped;
};

/* From its start to its end: starting, running, or paused. */
static inline bool node_is_alive(const struct node *node)
{
    return node->endpoint != NULL;
}

static inline bool node_is_running(const struct node *node)
{
    return node->state == NODE_RUNNING;
}

/* ---- node.c --------------------------------------------------------------------------------- */

/* Ends its life because of what is in `text`; those who wait are told, the application soon. */
void node_fail(struct node *node, const char *text);
/* Ends the node soon, unless it turns out to be a member again. */
void node_consider_removal(struct node *node);
void node_remove_itself(struct node *node);
/* false, and a failure that says so, where the node does not run. */
bool node_check_running(const struct node *node, struct failure *failure);

/* ---- drive.c -------------------------------------------------------------------------------- */

struct reply {
    enum raft_refusal refusal;
    uint64_t index;
    uint64_t term;
};

/* Steps the core with this event (its time is filled in) and carries the update out, but for
 * node_work. `reply` may be NULL. */
void node_step(struct node *node, struct raft_event *event, struct reply *reply);
/* Does what is due now. */
void node_tick(struct node *node);
void node_prepare(struct node *node); /* wake-ups and flusher, once */
void node_arm(struct node *node, int64_t deadline_local_ns);
/* What the store tells, but for the beginning and the end of a life (node.c). */
void node_store_persisted(void *context, uint64_t sequence, uint64_t term);
void node_store_failed(void *context, const char *problem);
void node_catch_up(struct node *node); /* what was owed while it was paused */
/* At the end of what the world called: tells the application. And of what a caller called: soon. */
void node_tell(struct node *node);
void node_tell_soon(struct node *node);
/* In words, with a code, why the core refused. */
void node_refused(const struct node *node, enum raft_refusal refusal, struct failure *failure);

/* ---- apply.c -------------------------------------------------------------------------------- */

/* Applies and answers all that is due. Called from within itself it leaves that to the outer one.
 */
void node_work(struct node *node);

/* ---- waiting.c ------------------------------------------------------------------------------ */

void asker_tell(struct node *node, const struct node_asker *asker,
                const struct node_outcome *outcome);
/* One command, its payload a range of `batch`. */
bool node_submit_batch(struct node *node, struct batch *batch, uint32_t offset, uint32_t size,
                       const struct node_asker *asker, struct reply *reply,
                       struct failure *failure);
/* Takes its own reference of the batch; the asker is told in any case. */
void node_read_batch(struct node *node, enum node_read_mode mode, struct batch *batch,
                     uint32_t offset, uint32_t size, const struct node_asker *asker);
/* Answers a read that the core let pass; the reads before it stay. */
void node_answer_read(struct node *node, const struct ready_read *ready);
/* Forgets all that wait, after telling them where `tell`. */
void node_end_waiting(struct node *node, bool tell);

/* ---- view.c --------------------------------------------------------------------------------- */

/* Keeps what another server refused this node; `reason` "" where `what` says it all. */
void view_refused(struct node *node, uint64_t peer, const char *what, uint64_t term,
                  const char *reason);

/* ---- peers.c -------------------------------------------------------------------------------- */

/* Dials who is a member of the configuration in force. */
void peers_follow_members(struct node *node);
/* Hangs up on peers that are not members and were of no use for a while. */
void peers_tidy(struct node *node);
struct peer *peers_find(struct node *node, uint64_t id);
/* That server told its address in a hello that was accepted. */
void peers_greeted(struct node *node, uint64_t id, uint64_t directory, struct bytes address,
                   bool dialled);
/* Looks for a server that is to be added by its address alone. true: it was met there, and
 * `*directory` tells which it is; or it could not be for a while, and 0 has to do. */
bool peers_meet(struct node *node, const struct raft_member *wanted, uint64_t *directory);
void peers_connected(struct node *node, uint64_t id); /* it can be sent to now */
void peers_disconnected(struct node *node, uint64_t id);
/* A frame to a peer; takes the reference. */
void peers_send(struct node *node, uint64_t to, struct batch *frame, bool urgent);
void peers_clear(struct node *node);

/* ---- identity.c ----------------------------------------------------------------------------- */

struct batch *hello_frame(struct node *node, uint64_t to);
/* true: `from` knows its server now; false: refused, node->reason says why. */
bool hello_judge(struct node *node, struct bytes body, uint64_t number, struct connection *from);
/* A server turned up whose id a configuration lists with another directory: it is told so, and the
 * user is. */
void identity_turn_away(struct node *node, uint64_t id, uint64_t directory);
/* That this happened to us; false: malformed. */
bool identity_turned_away(struct node *node, uint64_t from, struct bytes body);
void identity_follow_members(struct node *node); /* another configuration is in force */

/* ---- frames.c ------------------------------------------------------------------------------- */

struct endpoint_handler node_endpoint_handler(struct node *node);
void frames_deliver_held(struct node *node);
void frames_drop_held(struct node *node);
/* A finished copy of node->frame, and its number. */
struct batch *node_seal_frame(struct node *node, enum frame_kind kind, uint64_t *number);

/* ---- client.c ------------------------------------------------------------------------------- */

bool client_request(struct node *node, struct batch *batch, uint32_t offset,
                    const struct frame_head *head);
/* It is told that the node does not run. */
void client_refuse(struct node *node, const struct frame_head *head);
bool client_request_from(struct node *node, uint64_t peer, struct batch *batch, uint32_t offset,
                         const struct frame_head *head);
void client_answer(struct node *node, const struct node_asker *asker,
                   const struct node_outcome *outcome);
/* A frame's body to an outcome; false: malformed. */
bool client_answer_parse(struct bytes body, uint64_t *number, struct node_outcome *outcome);
/* A connection to this peer has begun. */
void client_connected(struct node *node, uint64_t peer);
void client_forget(struct node *node);

/* ---- calls.c -------------------------------------------------------------------------------- */

bool calls_request(struct node *node, uint64_t from, struct bytes body);
bool calls_answer(struct node *node, struct bytes body);
bool calls_forward_answer(struct node *node, struct bytes body);
void calls_end(struct node *node, bool tell);

/* ---- report.c ------------------------------------------------------------------------------- */

void report_start(struct node *node, const struct raft_status *status);
void report_stop(struct node *node, const char *text);
void report_update(struct node *node, const struct raft_update *update,
                   const struct raft_status *status);
void report_raft_message(struct node *node, enum trace_kind kind, uint64_t peer, uint64_t number,
                         const struct raft_message *message);
/* A frame that is no message of Raft's: SEND or RECEIVE, `name` a static string. */
void report_frame(struct node *node, enum trace_kind kind, uint64_t peer, uint64_t number,
                  const char *name);
void report_write(struct node *node, enum trace_kind kind, const struct raft_persist *persist);
void report_read(struct node *node, uint64_t read_id); /* before the core sees it */
void report_confirmed(struct node *node, const struct raft_update *update);
void report_applied(struct node *node, uint64_t index, const struct raft_entry *entry,
                    struct bytes answer);
void report_notice(struct node *node, uint64_t peer, const char *text);
void report_connection(struct node *node, enum trace_kind kind, uint64_t peer, const char *text);

#endif
