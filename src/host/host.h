/*
 * host: nodes inside an application. hosts.c (the world they share), host.c (the life of one: its
 * store, its trace, what the application is told), notices.c (what it should know of its dealings
 * with others), requests.c (proposals, reads and changes of members, to the leader wherever it is),
 * change.c (what a change may ask for).
 *
 * It decides nothing that is Raft's to decide and knows nothing of Lua. The world goes on only
 * within hosts_step, and the application is called only from there and from host_close, once all
 * else of that moment is done: whoever is called may call anything here but hosts_step, host_close
 * and host_free.
 */
#ifndef RAFTBENCH_HOST_H
#define RAFTBENCH_HOST_H

#include "base/base.h"
#include "machine/machine.h"
#include "node/node.h"
#include "raft/raft.h"
#include "trace/trace.h"
#include "world/world.h"

/* ---- all of them (hosts.c) ------------------------------------------------------------------ */

/* One real world whose clock runs on by itself. */
struct hosts;

/* NULL and a failure where there can be none. */
struct hosts *hosts_new(struct failure *failure);
void hosts_free(struct hosts *hosts); /* when all of its nodes are freed */
int64_t hosts_now_ns(const struct hosts *hosts);
/* One turn of the loop, which waits until `until_ns` at most. */
void hosts_step(struct hosts *hosts, int64_t until_ns);
/* Whether something can still happen: a node runs, or somebody waits. */
bool hosts_are_alive(const struct hosts *hosts);
/* For a loop that is not ours: what to poll for reading, and how long (WORLD_NEVER). */
int hosts_pollfd(const struct hosts *hosts);
int64_t hosts_timeout_ns(const struct hosts *hosts);

/* ---- one of them (host.c) ------------------------------------------------------------------- */

struct host;

enum host_event_kind {
    HOST_LEADER,  /* id (0: none is known), term */
    HOST_ROLE,    /* role, term */
    HOST_MEMBERS, /* a committed configuration was applied */
    HOST_REMOVED, /* the node has ended: a committed configuration lacks it */
    HOST_FAILED,  /* the node has ended; text: why */
    HOST_NOTICE,  /* something odd from outside was turned away; id: from whom (0: not known), text
                   */
};

struct host_event {
    enum host_event_kind kind;
    enum raft_role role;
    uint64_t id;
    uint64_t term;
    const char *text;
};

/* What became of the request that was given this ticket: told once, unless the host is freed first.
 * The outcome's views are valid during the call. */
typedef void host_done(void *context, uint64_t ticket, const struct node_outcome *outcome);

struct host_options {
    struct raft_options raft;                       /* id included; `seed` is drawn by the node */
    const char *cluster_name;                       /* at most 63 bytes */
    const char *listen;                             /* "127.0.0.1:7001" */
    const struct raft_configuration *first_members; /* NULL or empty: it waits to be added */
    bool forward; /* a follower passes proposals and reads on, and waits for a leader */
    /* As node.h has it; NULL: "kv". */
    struct machine *(*make_machine)(void *context, uint64_t id, struct failure *failure);
    void (*on_event)(void *context, const struct host_event *event);
    host_done *on_done;
    void *context;
};

/* A node with an empty disk in memory, stopped. NULL and a failure where that does not work: no two
 * of one world have the same id. */
struct host *host_new(struct hosts *hosts, const struct host_options *options,
                      struct failure *failure);
/* Once. */
bool host_start(struct host *host, struct failure *failure);
/* All that wait are told "closed", then it ends. */
void host_close(struct host *host);
void host_free(struct host *host); /* without a word to anybody */

struct node *host_node(const struct host *host);
/* The trace of this node alone; made at the first call. */
struct trace *host_trace(struct host *host);

/* ---- requests (requests.c) ------------------------------------------------------------------ */

/* Where the host was made to forward, what has certainly come to nothing (this node or the one that
 * it asked does not lead, another leader's entry took the place) is tried again until the time-out.
 * A time-out leaves open whether a command is applied (`unknown`), but for NO_LEADER, where nobody
 * took it. Tickets are the caller's. */

/* One encoded value. result: the machine's answer; this node has applied it too by then. */
void host_propose(struct host *host, struct bytes command, int64_t timeout_ns, uint64_t ticket);
/* From then on the state of this node's machine is linearizable. The question, an encoded value, is
 * then put to it; empty: nothing is asked. */
void host_read(struct host *host, struct bytes question, int64_t timeout_ns, uint64_t ticket);
/* `wanted` is a simple configuration. Never passed on: the leader has to be asked. */
void host_change(struct host *host, const struct raft_configuration *wanted, int64_t timeout_ns,
                 uint64_t ticket);

#endif
