/*
 * A table from (sender, receiver) to whatever a room keeps for that pair: open addressing, so that
 * a look-up on the way of each message is a multiplication and mostly one compare. It owns nothing
 * it refers to, and never forgets a pair.
 */
#include "world/world.h"

#define CAPACITY_MIN 64

static void grow(struct pairs *pairs)
{
    struct pairs larger = {.capacity = pairs->capacity == 0 ? CAPACITY_MIN : pairs->capacity * 2};

    larger.slots = memory_new_zeroed(larger.capacity, sizeof *larger.slots);
    for (size_t i = 0; i < pairs->capacity; i++) {
        if (pairs->slots[i].value != NULL) {
            struct pair *pair = &pairs->slots[i];
            larger.slots[pairs_slot(&larger, pair->from, pair->to)] = *pair;
            larger.count++;
        }
    }
    ensure(larger.count == pairs->count);
    memory_free(pairs->slots);
    *pairs = larger;
}

void pairs_add(struct pairs *pairs, uint64_t from, uint64_t to, void *value)
{
    ensure(value != NULL);
    /* At most half full: a miss ends after a step or two. */
    if (pairs->count * 2 >= pairs->capacity) {
        grow(pairs);
    }
    size_t slot = pairs_slot(pairs, from, to);
    ensure(pairs->slots[slot].value == NULL);
    pairs->slots[slot] = (struct pair){.from = from, .to = to, .value = value};
    pairs->count++;
}

void pairs_free(struct pairs *pairs)
{
    memory_free(pairs->slots);
    *pairs = (struct pairs){0};
}
