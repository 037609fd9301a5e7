/*
 * The private side of cores/.
 */
#ifndef RAFTBENCH_CORES_INTERNAL_H
#define RAFTBENCH_CORES_INTERNAL_H

#include "cores/cores.h"

struct cut_link {
    uint64_t from;
    uint64_t to;
};

struct cores {
    array_of(struct core *) all; /* in order of adding */
    struct list under_way;
    size_t under_way_count;
    uint64_t sent;      /* the number of the latest message */
    struct list unused; /* messages whose memory is used again */
    array_of(struct cut_link) cuts;
    int64_t now_ns;
};

#endif
