/*
 * sim: the simulated world. Virtual time, one queue of events ordered by (time, counter), and
 * virtual connections; one seed decides everything. queue.c (the event queue), sim.c (the world),
 * links.c (virtual connections and deliveries).
 *
 * It never reads a clock, opens a file or a socket, or does anything that depends on an address or
 * on the machine.
 */
#ifndef RAFTBENCH_SIM_H
#define RAFTBENCH_SIM_H

#include "base/base.h"
#include "world/world.h"

/* Time starts at 0. The world takes neither trace nor faults over: its maker frees them after it.
 */
struct world *sim_new(struct trace *trace, struct faults *faults, uint64_t seed);
/* What disks draw from now on is as of another seed. */
void sim_rekey(struct world *world, uint64_t seed);

#endif
