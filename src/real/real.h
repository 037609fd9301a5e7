/*
 * real: the real world over libuv. One private loop, TCP with a listening port for each node, the
 * wall clock. loop.c (turns, clock, what is due), listener.c (ports), connection.c (one
 * connection's life), remote.c (one peer: dialling, which connection stays, what waits), reader.c,
 * writer.c and queue.c (what comes, what leaves, what waits), pieces.c (large frames), strangers.c
 * (limits for connections that are not from peers), local.c (clients), watch.c (descriptors),
 * address.c, real.c (the world, cuts).
 *
 * It never judges a frame beyond its head and checksum, and knows nothing of Raft.
 */
#ifndef RAFTBENCH_REAL_H
#define RAFTBENCH_REAL_H

#include "base/base.h"
#include "world/world.h"

struct real_options {
    bool free_running; /* false: the world's clock stops between calls of step */
    double speed;      /* world seconds in a real one; > 0 */
};

/* NULL and a failure where the loop cannot be made. The world takes neither trace nor faults over.
 */
struct world *real_new(struct trace *trace, struct faults *faults,
                       const struct real_options *options, struct failure *failure);

/* For applications and prompts: the loop's descriptor to poll, what to poll it for, and how long
 * (ns; WORLD_NEVER). */
int real_pollfd(const struct world *world);
int64_t real_timeout_ns(const struct world *world);
bool real_is_alive(const struct world *world);
/* Lets the clock run outside of step too, or no longer: a prompt does while it waits for a line.
 * Not from within step. */
void real_set_free_running(struct world *world, bool free_running);
/* Wakes a waiting step from a signal handler or another thread. */
void real_interrupt(struct world *world);
/* From now on the descriptor becomes readable too when something is asked for outside of step. */
void real_wake_pollers(struct world *world);

#endif
