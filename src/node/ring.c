/*
 * A queue of items of one size in a ring that grows. It knows nothing of what its items are.
 */
#include "node/internal.h"

#include <string.h>

static void grow(struct ring *ring)
{
    size_t capacity = ring->capacity == 0 ? 8 : ring->capacity * 2;
    uint8_t *items = memory_new(capacity * ring->item_size);
    size_t to_end = ring->capacity - ring->head;
    size_t first = ring->count < to_end ? ring->count : to_end;
    if (ring->count > 0) {
        memcpy(items, ring->items + ring->head * ring->item_size, first * ring->item_size);
        memcpy(items + first * ring->item_size, ring->items,
               (ring->count - first) * ring->item_size);
    }
    memory_free(ring->items);
    ring->items = items;
    ring->capacity = capacity;
    ring->head = 0;
}

void *ring_push(struct ring *ring)
{
    ensure(ring->item_size > 0);
    if (ring->count == ring->capacity) {
        grow(ring);
    }
    size_t place = (ring->head + ring->count++) & (ring->capacity - 1);
    return memset(ring->items + place * ring->item_size, 0, ring->item_size);
}

void *ring_at(const struct ring *ring, size_t position)
{
    ensure(position < ring->count);
    size_t place = (ring->head + position) & (ring->capacity - 1);
    return ring->items + place * ring->item_size;
}

void ring_pop(struct ring *ring)
{
    ensure(ring->count > 0);
    ring->head = (ring->head + 1) & (ring->capacity - 1);
    ring->count--;
}

void ring_free(struct ring *ring)
{
    size_t item_size = ring->item_size;
    memory_free(ring->items);
    memset(ring, 0, sizeof *ring);
    ring->item_size = item_size;
}
