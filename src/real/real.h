/*
 * real: the real world over libuv. One private loop, TCP with a listening port for each node, the
 * wall clock. loop.c (turns, clock, what is due), listener.c (ports), connection.c (one
 * connection's life), remote.c (one peer: dialling, which connection stays, what waits), reader.c,
 * writer.c and queue.c (what comes, what leaves, what waits), pieces.c (large frames), strangers.c
 * (limits for connections that are not from peers), local.c (clients), watch.c (descriptors),
 * address.c, files.c, io_thread.c, file_work.c and directory.c (files, and the threads that block
 * for them), real.c (the world, cuts).
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
    /* Free-running: when the clock showed 0, by CLOCK_MONOTONIC, so that the worlds of several
     * processes have one time. 0: now. */
    int64_t origin_real_ns;
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
/* When a free-running world's clock showed 0, by CLOCK_MONOTONIC. */
int64_t real_origin_ns(const struct world *world);

/* ---- descriptors of others than the world's own (watch.c) ----------------------------------- */

/* One under the loop's eye, which stays its owner's. */
struct real_watch;
/* `ready` is called from within step when there is something to read or, where it is wanted, room
 * to write; also where the descriptor is in error. NULL, with errno set: it can't be watched. */
struct real_watch *real_watch_new(struct world *world, int descriptor, void (*ready)(void *context),
                                  void *context);
void real_watch_writable(struct real_watch *watch, bool wanted);
/* Before the descriptor is closed; from within `ready` too. */
void real_watch_free(struct real_watch *watch);

/* Called before frames leave for peers, so that what led to them can be told first. */
void real_set_before_writing(struct world *world, void (*before)(void *context), void *context);

/* Where frames from clients to a node go that has no endpoint here: it runs in another process.
 * `frame` takes the reference. NULL: they are dropped. */
void real_set_elsewhere(struct world *world,
                        void (*frame)(void *context, uint64_t to, struct batch *frame),
                        void *context);
/* From now on the descriptor becomes readable too when something is asked for outside of step. */
void real_wake_pollers(struct world *world);

#endif
