/* Who waits for an entry, by its index: what proposals.c keeps them in. */
#ifndef RAFTBENCH_NODE_WAITERS_H
#define RAFTBENCH_NODE_WAITERS_H

#include "node/node.h"

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

#endif
