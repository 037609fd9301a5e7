/*
 * node: nodes inside an application. loop.c (the world they share), node.c (the life of one: its
 * store, its trace, callbacks to the application), notices.c (what it should know of trouble with
 * other nodes), requests.c (proposals, reads, changes of members and transfers of leadership).
 *
 * It decides nothing that is Raft's to decide and knows nothing of Lua. The world goes on only
 * within embed_loop_step, and the application is called only from there, from embed_begin_close and
 * from embed_close, once all else of that moment is done: a callback may call anything here but
 * embed_loop_step, those two and embed_free.
 */
#ifndef RAFTBENCH_EMBED_H
#define RAFTBENCH_EMBED_H

#include "base/base.h"
#include "machine/machine.h"
#include "node/node.h"
#include "raft/raft.h"
#include "request/request.h"
#include "trace/trace.h"
#include "world/world.h"

/* ---- all of them (loop.c) ------------------------------------------------------------------ */

/* One real world whose clock runs on by itself. */
struct embed_loop;

/* NULL and a failure if it cannot be made. */
struct embed_loop *embed_loop_new(struct failure *failure);
void embed_loop_free(struct embed_loop *loop); /* when all of its nodes are freed */
int64_t embed_loop_now_ns(const struct embed_loop *loop);
/* One turn of the loop, which waits until `until_ns` at most. */
void embed_loop_step(struct embed_loop *loop, int64_t until_ns);
/* Whether something can still happen: a node runs, or a call waits. */
bool embed_loop_are_alive(const struct embed_loop *loop);
/* Ends the turn that waits; from a signal handler too. */
void embed_loop_interrupt(struct embed_loop *loop);
/* For a loop that is not ours: what to poll for reading, and how long (WORLD_NEVER). `wakes`: it is
 * readable too once something was asked for outside of a turn, so that a sleeping poller wakes up.
 */
int embed_loop_pollfd(struct embed_loop *loop, bool wakes);
int64_t embed_loop_timeout_ns(const struct embed_loop *loop);

/* ---- one of them (node.c) ------------------------------------------------------------------- */

struct embedded;

enum embed_event_kind {
    EMBED_LEADER,  /* id (0: none is known), term */
    EMBED_ROLE,    /* role, term */
    EMBED_MEMBERS, /* a committed configuration was applied */
    EMBED_REMOVED, /* the node has ended: a committed configuration lacks it */
    EMBED_FAILED,  /* the node has ended; text: why */
    EMBED_NOTICE,  /* something from outside was refused; id: from whom (0: not known), text
                    */
};

struct embed_event {
    enum embed_event_kind kind;
    enum raft_role role;
    uint64_t id;
    uint64_t term;
    const char *text;
};

/* The outcome of the request with this ticket: called once, unless the node is freed
 * first. The outcome's views are valid during the call. */
typedef void embed_done(void *context, uint64_t ticket, const struct node_outcome *outcome);

struct embed_options {
    uint64_t snapshot_every; /* node_options has these two */
    uint64_t snapshot_bytes;
    struct raft_options raft;                       /* id included; `seed` is drawn by the node */
    const char *cluster_name;                       /* at most 63 bytes */
    const char *listen;                             /* "127.0.0.1:7001" */
    const char *directory;                          /* its files; NULL: in memory */
    const struct raft_configuration *first_members; /* NULL or empty: it waits to be added */
    bool forward; /* a follower forwards proposals and reads, and waits for a leader */
    bool session; /* commands are applied exactly once, and sent again until they are answered */
    /* As node.h has it; NULL: "kv". */
    struct machine *(*make_machine)(void *context, uint64_t id, struct failure *failure);
    void (*on_event)(void *context, const struct embed_event *event);
    embed_done *on_done;
    void *context;
};

/* A node, stopped: with an empty disk in memory, or with what its directory holds. NULL and a
 * failure if that fails: no two of one world have the same id. */
struct embedded *embed_new(struct embed_loop *loop, const struct embed_options *options,
                           struct failure *failure);
/* Once. */
bool embed_start(struct embedded *embedded, struct failure *failure);
/* All waiters get `closed`. A leader then hands leadership over, where that is wanted, to the voter
 * whose log is furthest, which takes two election time-outs at most; embed_may_end tells when
 * embed_close is due. */
void embed_begin_close(struct embedded *embedded, bool hands_over);
bool embed_may_end(struct embedded *embedded); /* what it has written is durable then, too */
/* It ends, now. */
void embed_close(struct embedded *embedded);
void embed_free(struct embedded *embedded); /* without callbacks */

struct node *embed_node(const struct embedded *embedded);
/* The trace of this node alone; made at the first call. */
struct trace *embed_trace(struct embedded *embedded);

/* ---- requests (requests.c) ------------------------------------------------------------------ */

/* Each makes a ticket (from 1; those that are done are used again). Where the node was made to
 * forward, a try that certainly had no effect is repeated until the time-out (request.h). */

/* One encoded value. result: the machine's answer; this node has applied it too by then. */
uint64_t embed_propose(struct embedded *embedded, struct bytes command, int64_t timeout_ns);
/* From then on the state of this node's machine is linearizable. The question, an encoded value, is
 * then put to it; empty: nothing is asked. STALE: it is put at once. */
uint64_t embed_read(struct embedded *embedded, enum node_read_mode mode, struct bytes question,
                    int64_t timeout_ns);
/* `wanted` is a simple configuration. Never forwarded: the leader has to be asked. */
uint64_t embed_change(struct embedded *embedded, const struct raft_configuration *wanted,
                      int64_t timeout_ns);
/* A snapshot of this node now, and the log that it covers dropped. */
uint64_t embed_compact(struct embedded *embedded, int64_t timeout_ns);
/* That server leads then: the outcome's index is its id. Never forwarded either. */
uint64_t embed_transfer(struct embedded *embedded, uint64_t target, int64_t timeout_ns);

#endif
