/*
 * The private side of machine/: the table of client sessions that stands above a state machine.
 */
#ifndef RAFTBENCH_MACHINE_INTERNAL_H
#define RAFTBENCH_MACHINE_INTERNAL_H

#include "machine/machine.h"

#define SESSIONS_MAX 10000U

/* One session's latest command and its result. */
struct session {
    uint64_t id;
    uint64_t sequence;
    uint8_t *result;
    uint32_t result_size;
    struct session *chain; /* the next in its bucket */
    struct list_link by_use;
};

/* The sessions that were used last, by log order. All zero is an empty table. */
struct sessions {
    struct list used; /* the one whose last use is longest ago first */
    struct session **buckets;
    uint32_t count;
    uint32_t bucket_count; /* a power of two, or 0 */
};

void sessions_free(struct sessions *sessions);
/* The session with this id, which counts as its use; NULL where the table has none. */
struct session *sessions_use(struct sessions *sessions, uint64_t id);
/* Notes the result of a session's command, adding the session (and dropping the one whose last use
 * is longest ago) where the table lacks it. */
void sessions_remember(struct sessions *sessions, uint64_t id, uint64_t sequence,
                       struct bytes result);

#endif
