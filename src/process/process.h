/*
 * process: one node of a cluster in a process of its own, and both sides of the connection that it
 * is driven over. process.c (the parent's side: its life), arrivals.c (what comes from it),
 * orders.c (what it is asked), sight.c (what is seen of it), child.c and serve.c (the child's side:
 * a node, its world and its disk; what it is ordered), messages.c (what goes over the connection,
 * as bytes), channel.c (the connection), spawn.c (starting and ending a process), output.c (what a
 * child prints).
 *
 * The connection is a socket pair that the child inherits: nobody else can reach it. Its end ends
 * the child, and so does the kernel when the parent is gone, however that ended: no child outlives
 * its parent. Events, then what is seen of the node, then answers: what a parent is told of is in
 * its trace and its view already.
 *
 * It decides nothing that is Raft's to decide, and knows nothing of Lua or of clusters.
 */
#ifndef RAFTBENCH_PROCESS_H
#define RAFTBENCH_PROCESS_H

#include "base/base.h"
#include "node/node.h"
#include "raft/raft.h"
#include "trace/trace.h"
#include "world/world.h"

/* ---- the parent's side ---------------------------------------------------------------------- */

struct process;

struct process_options {
    struct raft_options raft; /* id included */
    uint64_t seed;            /* of the run */
    const char *cluster_name;
    const char *address;     /* to listen on */
    const char *directory;   /* of its files; it is made where it is not there */
    const char *machine;     /* a module's name, or "kv" */
    double speed;            /* of the world */
    uint64_t snapshot_every; /* as node_options has these two */
    uint64_t snapshot_bytes;
    /* The words that start a child's program, which calls process_serve; copied; NULL at the end.
     */
    const char *const *command;
    void *context;
    void (*on_changed)(void *context); /* what is seen of it */
    void (*on_stopped)(void *context); /* it has ended, by itself or in order */
    /* The nodes of the run: calls `each` with where each listens. */
    void (*addresses)(void *context, void (*each)(void *to, uint64_t id, const char *address),
                      void *to);
    /* The process of that node; NULL: there is none. */
    struct process *(*find)(void *context, uint64_t id);
    /* A frame for the endpoint "client"; takes the reference. */
    void (*on_client_frame)(void *context, uint64_t from, struct batch *frame);
};

/* Stopped. The world is a real one whose clock runs by itself. */
struct process *process_new(struct world *world, const struct process_options *options);
void process_free(struct process *process); /* kills it first, without callbacks */

/* Starts its process, which opens its disk, or an empty one in its place. It is not told to run
 * yet. */
bool process_open(struct process *process, bool wipe, struct failure *failure);
/* Until its disk is open: its view tells the directory. false: it never will be. */
bool process_await_open(struct process *process, struct failure *failure);
/* Begins to run, as node_start; the process is started where it was not. `first`: the members of an
 * empty disk; NULL or empty: it waits to be added. */
bool process_start(struct process *process, const struct raft_configuration *first,
                   struct failure *failure);
void process_crash(struct process *process); /* SIGKILL */
void process_stop(struct process *process, bool removed);
/* It ends first, if it has not; then an empty disk is opened in place of its own. */
bool process_wipe(struct process *process, struct failure *failure);
void process_pause(struct process *process);  /* SIGSTOP */
void process_resume(struct process *process); /* SIGCONT */

/* As node_view, node_log_read and node_peer_at. An entry of a node that cannot be asked now (it is
 * paused) is NULL. */
const struct node_view *process_view(struct process *process);
const struct raft_entry *process_log_read(struct process *process, uint64_t index);
/* Of one that has ended: reads its disk, so that the view and the log are what that holds. */
bool process_read_disk(struct process *process, struct failure *failure);
bool process_peer_at(const struct process *process, uint32_t position,
                     struct raft_peer_status *peer);

/* As their namesakes of a node; they wait for the child's answer. */
bool process_campaign(struct process *process, bool force, struct failure *failure);
bool process_submit(struct process *process, struct bytes payload, uint64_t *index, uint64_t *term,
                    struct failure *failure);
bool process_change(struct process *process, const struct raft_configuration *wanted,
                    uint64_t *index, uint64_t *term, const struct node_asker *asker,
                    struct failure *failure);
bool process_transfer(struct process *process, uint64_t target, const struct node_asker *asker,
                      struct failure *failure);
bool process_compact(struct process *process, const struct node_asker *asker,
                     struct failure *failure);
/* Its operating system's number; 0: there is no process. */
uint64_t process_pid(const struct process *process);
/* What the fault model has dropped of what it sent. */
uint64_t process_drop_count(const struct process *process);
/* A client's frame; the reference stays the caller's. */
void process_client_frame(struct process *process, const struct batch *frame);
/* The world's fault model has changed: the child's follows it. Told to all first, it is in force in
 * each that runs when it was awaited. */
void process_tell_faults(struct process *process);
void process_await_faults(struct process *process);

/* ---- the child's side ----------------------------------------------------------------------- */

struct process_serve_options {
    int descriptor; /* of the connection */
    /* A fresh machine, by its module's name. */
    struct machine *(*make_machine)(void *context, uint64_t id, const char *module,
                                    struct failure *failure);
    void *context;
};

/* The child's descriptor of the connection. */
#define PROCESS_DESCRIPTOR 3

/* Until the parent is gone or the node has ended: the process's exit status. */
int process_serve(const struct process_serve_options *options);

#endif
