/*
 * The private side of node/, by subject: what each file keeps of a node, in a struct that no other
 * file touches, and what it does for the others.
 *
 * A step of the core is carried out at once, except what calls back into other rooms (applying,
 * answering): work_run does that later, so that a callback may hand in the next command.
 */
#ifndef RAFTBENCH_NODE_INTERNAL_H
#define RAFTBENCH_NODE_INTERNAL_H

#include "node/network.h"
#include "node/node.h"
#include "node/snapshots.h"

/* ---- persistence: writes, and messages that wait for them (persistence.c) ------------------- */

/* A frame that may leave once that persist is durable. */
struct outgoing {
    uint64_t sequence;
    struct raft_message message; /* for the trace; names no entries */
    uint64_t number;
    struct batch *frame;
};

struct persistence {
    uint64_t durable_sequence;
    uint64_t owed_sequence;              /* confirmed while it was paused; 0: nothing */
    ring_of(struct raft_persist) writes; /* handed to the disk, not confirmed */
    ring_of(struct outgoing) waiting;    /* by rising sequence */
};

/* What an update asks for: the write, and the messages that may leave only after it. */
void persistence_write(struct node *node, const struct raft_update *update);
/* What the store tells of them. */
void persistence_confirmed(void *context, uint64_t sequence, uint64_t term);
void persistence_failed(void *context, const char *problem);
void persistence_catch_up(struct node *node); /* what was confirmed while it was paused */
void persistence_end(struct node *node);      /* nothing is sent after this ... */
void persistence_clear(struct node *node);    /* ... and nothing is written */

/* ---- drive: events in, updates out (drive.c) ------------------------------------------------ */

struct drive {
    struct node_clock clock;
    struct wakeup wakeup; /* the core's deadline */
    int64_t armed_ns;     /* world time for which it is set */
    struct flusher flusher;
    bool flush_wanted;
    bool tick_is_owed; /* since it was paused */
};

struct reply {
    enum raft_refusal refusal;
    uint64_t index;
    uint64_t term;
};

void drive_prepare(struct node *node);         /* once */
int64_t drive_now_ns(const struct node *node); /* by its own clock */
/* Steps the core with this event (its time is filled in) and carries the update out, but for
 * work_run. `reply` may be NULL. */
void drive_step(struct node *node, struct raft_event *event, struct reply *reply);
void drive_tick(struct node *node);       /* does what is due now */
void drive_flush_soon(struct node *node); /* before time passes: new entries, the application */
void drive_catch_up(struct node *node);   /* what was owed while it was paused */
void drive_end(struct node *node);

/* ---- work: what to apply (work.c) ----------------------------------------------------------- */

struct work {
    uint64_t next; /* index */
    uint64_t last; /* that may be applied */
    struct buffer result;
    bool is_under_way;
    bool machine_failed; /* in this life */
};

void work_begin(struct node *node, uint64_t first_index);
void work_installed(struct node *node, uint64_t index); /* a snapshot covers what was due */
void work_add(struct node *node, const struct raft_update *update);
/* Applies and answers all that is due; within itself it leaves that to the outer call. */
void work_run(struct node *node);
bool work_machine_failed(const struct node *node);
uint64_t work_applied(const struct node *node); /* index, by its machine */
void work_clear(struct node *node);

/* ---- proposals: commands and changes of members (proposals.c) ------------------------------- */

enum members_form { MEMBERS_SIMPLE, MEMBERS_PREPARING, MEMBERS_JOINT };

/* Waits for the entry that was given this index and term. */
struct waiter {
    uint64_t index;
    uint64_t term;
    struct node_asker asker;
    bool change; /* of members: done only when the final configuration has committed */
};

struct proposals {
    ring_of(struct waiter) waiters; /* by rising index */
    uint64_t lowest_term;           /* none of them is of a lower one */
    struct waiter change; /* of members: its first entry was applied, the final one was not */
    bool change_waits;    /* `change` holds a waiter */
    enum members_form change_form; /* of the last configuration that was applied since */
    char coming[64];               /* whom it waits for, while new voters are brought level */
};

/* One command, its payload a range of `batch`. */
bool proposals_submit(struct node *node, struct batch *batch, uint32_t offset, uint32_t size,
                      const struct node_asker *asker, struct reply *reply, struct failure *failure);
/* An entry as it was applied. */
struct applied {
    uint64_t term;
    enum members_form form;       /* of a configuration */
    enum machine_verdict verdict; /* of a command; and its result, empty: it is too large */
    struct bytes result;
};

/* An entry was applied: those who wait for it are told. */
void proposals_applied(struct node *node, uint64_t index, const struct applied *applied);
/* A configuration was applied: the change that waits may be done, or given up. */
void proposals_change_applied(struct node *node, uint64_t index, uint64_t term,
                              enum members_form form);
/* A snapshot was installed: what became of those up to its index is not known. */
void proposals_installed(struct node *node, uint64_t index);
/* Forgets all that wait, after telling them where `tell`. */
void proposals_end(struct node *node, bool tell);
/* In words, with a code, why the core refused. */
void refusal_explain(const struct node *node, enum raft_refusal refusal, struct failure *failure);

/* ---- transfers of leadership (transfers.c) --------------------------------------------------- */

/* Waits until that server leads in a later term than this. */
struct transfer_wait {
    uint64_t target;
    uint64_t term;
    struct node_asker asker;
    bool is_over; /* the outcome is known, and to be told */
    struct node_outcome outcome;
};

struct transfers {
    array_of(struct transfer_wait) waiting;
};

/* A step has changed who leads, or a transfer has ended. */
void transfers_follow(struct node *node, const struct raft_update *update,
                      const struct raft_status *status);
/* Tells one what came of it; false: there is none to be told. */
bool transfers_answer_one(struct node *node);
void transfers_end(struct node *node, bool tell);

/* ---- reads (reads.c) ------------------------------------------------------------------------ */

/* A linearizable read. Its place in the ring of reads is its id less the id of the first. */
struct read_wait {
    struct node_asker asker;
    struct batch *batch; /* the request's bytes */
    uint32_t offset;
    uint32_t size;
    bool answered;
};

struct reads {
    ring_of(struct read_wait) waiting;
    uint64_t first_id;
    ring_of(struct raft_read_result) confirmed; /* by the core, or given up */
    ring_of(struct read_wait) held;             /* stale ones, until the machine is restored */
    struct buffer answer;
};

void reads_prepare(struct node *node); /* once */
/* Takes its own reference of the batch; the asker is told in any case. */
void reads_take(struct node *node, enum node_read_mode mode, struct batch *batch, uint32_t offset,
                uint32_t size, const struct node_asker *asker);
void reads_confirmed(struct node *node, const struct raft_update *update);
void reads_restored(struct node *node); /* the machine can be asked again */
/* Answers one that no longer waits for an entry; false: there is none. */
bool reads_answer_one(struct node *node);
void reads_end(struct node *node, bool tell);

/* ---- clients: requests as frames, and askers (clients.c) ------------------------------------ */

/* An answer to a request that was passed on. The latest are kept, and sent again when a connection
 * to who passed it on begins anew: what was under way on the last one is lost. Who has it already
 * takes no notice. */
struct kept_answer {
    uint64_t peer;
    struct batch *frame;
    bool is_owed; /* there was no room for it among what waits to be sent */
};

struct clients {
    struct latest_numbers seen; /* of the clients' requests */
    ring_of(struct kept_answer) kept;
    size_t kept_bytes;
    struct wakeup send_owed;
};

void clients_prepare(struct node *node); /* once */

/* Beside its kind: a request that was passed on on a connection that broke. It has its number
 * again, so that it is taken once; who cannot tell any more says so. */
#define NODE_REQUEST_AGAIN 0x80

/* A client's request; or one that a peer passes on. false: malformed. */
bool clients_take(struct node *node, struct batch *batch, uint32_t offset,
                  const struct frame_head *head);
bool clients_take_passed_on(struct node *node, uint64_t peer, struct batch *batch, uint32_t offset,
                            const struct frame_head *head);
/* It is told that the node does not run. */
void clients_refuse(struct node *node, const struct frame_head *head);
/* Sends the outcome to the asker, by a call or by a frame. */
void clients_tell(struct node *node, const struct node_asker *asker,
                  const struct node_outcome *outcome);
/* That the node went down before it answered. */
void clients_tell_down(struct node *node, const struct node_asker *asker, uint64_t index,
                       uint64_t term);
/* An answer's body, to whatever was asked; and back: false: malformed. */
void clients_write_answer(struct buffer *out, uint64_t request, const struct node_outcome *outcome);
bool clients_parse_answer(struct bytes body, uint64_t *number, struct node_outcome *outcome);
void clients_connected(struct node *node, uint64_t peer); /* a connection to it has begun */
void clients_clear(struct node *node);

/* ---- calls: requests between nodes (calls.c) ------------------------------------------------ */

struct call {
    uint64_t number; /* on the wire */
    struct node_asker asker;
    uint64_t to;
    uint64_t life;         /* of that node when it was asked */
    struct batch *request; /* that was passed on, its kind first; NULL: another call */
};

struct calls {
    ring_of(struct call) pending;
    uint64_t number; /* of the latest */
    node_serve_function *serve;
    void *context;
};

void calls_prepare(struct node *node, uint64_t seed);                  /* once */
bool calls_serve(struct node *node, uint64_t from, struct bytes body); /* false: malformed */
bool calls_take_answer(struct node *node, struct bytes body);
void calls_connected(struct node *node, uint64_t peer); /* a connection to it has begun */
void calls_end(struct node *node, bool tell);

/* ---- removal: the members as they are applied (removal.c) ----------------------------------- */

struct removal {
    struct raft_configuration members; /* the latest that was applied */
    uint64_t heard_from;               /* the latest append; 0: none came */
    int64_t heard_ns;
    uint64_t index; /* of the one that left this node out; 0: none */
    struct wakeup wakeup;
    bool was_member; /* of what was applied last */
    bool is_armed;
    bool is_owed; /* since it was paused */
};

void removal_prepare(struct node *node); /* once */
void removal_begin(struct node *node, const struct raft_configuration *first_members);
/* The machine became that of a snapshot with these members. */
void removal_installed(struct node *node, uint64_t index, const struct raft_configuration *members);
/* A configuration is applied; gives its form. */
enum members_form removal_applied(struct node *node, uint64_t index,
                                  const struct raft_entry *entry);
const struct raft_configuration *removal_members(const struct node *node);
void removal_heard(struct node *node, uint64_t from); /* an append came */
void removal_arm(struct node *node);                  /* ends the node soon, where it is left out */
void removal_catch_up(struct node *node);             /* what was owed while it was paused */
void removal_end(struct node *node);

/* ---- application: what it has to be told (application.c) ------------------------------------ */

enum application_news {
    NEWS_STARTED,
    NEWS_ROLE, /* or term, leader, whether it is a member */
    NEWS_MEMBERS,
    NEWS_APPLIED,
    NEWS_STOPPED
};

struct application {
    unsigned due; /* a bit for each that has to be told */
};

void application_note(struct node *node, enum application_news news);
/* At the end of what the world called: tells it. And of what a caller called: soon. */
void application_tell(struct node *node);
void application_tell_soon(struct node *node);
void application_clear(struct node *node);

/* ---- view: what others see (view.c) --------------------------------------------------------- */

struct view {
    struct node_view value;
    struct node_stats statistics;
    struct node_refusal refused;
    uint64_t commit_high; /* for the statistics */
};

void view_begin(struct node *node); /* a life */
/* Keeps what another server refused this node; `reason` "" where `what` says it all. */
void view_refused(struct node *node, uint64_t peer, const char *what, uint64_t term,
                  const char *reason);
/* For the statistics. */
void view_count_sent(struct node *node, enum raft_message_kind kind, size_t frame_bytes);
void view_count_payload(struct node *node, uint64_t bytes);
void view_count_delivery(struct node *node);
void view_count_snapshot(struct node *node);
void view_count_install(struct node *node);
void view_count_changes(struct node *node, const struct raft_update *update,
                        const struct raft_status *status);

/* ---- report: trace events (report.c) -------------------------------------------------------- */

struct report {
    struct buffer value;
    array_of(struct trace_entry) entries;
    struct buffer configurations;
    struct notice_limit refusals;
};

/* `snapshot`: the one that it starts from. */
void report_start(struct node *node, const struct raft_status *status,
                  const struct raft_snapshot *snapshot);
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
                    struct bytes answer, uint64_t state_hash);
/* Of its own machine, with the digest of its state (0: none): a snapshot was taken; the machine was
 * restored from one. */
void report_snapshot(struct node *node, const struct raft_snapshot *snapshot, uint64_t digest);
void report_restored(struct node *node, const struct raft_snapshot *snapshot, uint64_t digest);
void report_notice(struct node *node, uint64_t peer, const char *text);
/* Of what came from outside and was not taken: few notices for many. */
void report_refusal(struct node *node, uint64_t peer, const char *text);
/* The same of a snapshot whose bytes are not what its sender wrote; `message`: the piece that
 * showed it. */
void report_damaged_snapshot(struct node *node, const struct raft_message *message,
                             const char *text);
void report_connection(struct node *node, enum trace_kind kind, uint64_t peer, const char *text);
void report_clear(struct node *node);

/* ---- the node, and its life (node.c) -------------------------------------------------------- */

struct life {
    enum node_state final_state; /* while STOPPING: the one that comes */
    struct random election_stream;
    char error[240];
    char damaged_file[32]; /* of its disk; "" */
    uint64_t damaged_offset;
    bool was_up;        /* STOPPING: its trace has a START to be closed */
    bool start_is_owed; /* its disk was read while it was paused */
};

/* The first of these are written by node.c only (all but has_changed) and read by all; each of the
 * others belongs to the file of its name. */
struct node {
    struct world *world;
    struct store *store;
    struct raft *raft;         /* NULL unless it is up */
    struct machine *machine;   /* NULL unless it is alive */
    struct endpoint *endpoint; /* NULL unless it is alive */
    enum node_state state;
    bool has_changed; /* since others looked last (view.c): set by whoever changes what they see */
    uint64_t id;
    uint64_t directory;
    struct node_options options;
    char address[RAFT_ADDRESS_BYTES_MAX + 1]; /* "" until the world has chosen one */

    struct drive drive;
    struct work work;
    struct persistence persistence;
    struct proposals proposals;
    struct transfers transfers;
    struct reads reads;
    struct snapshots snapshots;
    struct sends sends;
    struct installs installs;
    struct restores restores;
    struct peers peers;
    struct frames frames;
    struct messages messages;
    struct clients clients;
    struct calls calls;
    struct inbox inbox;
    struct removal removal;
    struct identity identity;
    struct application application;
    struct view view;
    struct report report;
    struct life life;
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

/* Each turn ends with it. */
static inline void removal_consider(struct node *node)
{
    if (node->removal.index != 0) {
        removal_arm(node);
    }
}

/* Ends its life because of what is in `text`; those who wait are told, the application soon. What a
 * frame says is never a reason. */
void node_fail(struct node *node, const char *text);
void node_end_removed(struct node *node); /* in order */
/* false, and a failure that says so, where the node does not run. */
bool node_check_running(const struct node *node, struct failure *failure);
const char *node_life_error(const struct node *node); /* why it failed; "" */
/* The file whose damage that was, and where; "": it was something else. */
void node_life_damaged(struct node *node, const char *file, uint64_t offset); /* its disk is */
const char *node_life_damage(const struct node *node, uint64_t *offset);

#endif
