/*
 * Growing the memory of a ring. It knows nothing of what the items are.
 */
#include "base/base.h"

#define CAPACITY_FIRST 8

void *ring_grown(void *items, size_t *first, size_t item_size, size_t *capacity)
{
    size_t before = *capacity;
    size_t grown = before == 0 ? CAPACITY_FIRST : before * 2;
    ensure(item_size > 0 && grown <= SIZE_MAX / 2 / item_size && *first <= before);
    uint8_t *larger = memory_new(grown * item_size);
    if (before > 0) {
        size_t to_end = (before - *first) * item_size;
        memcpy(larger, (uint8_t *)items + *first * item_size, to_end);
        memcpy(larger + to_end, items, *first * item_size);
    }
    memory_free(items);
    *first = 0;
    *capacity = grown;
    return larger;
}
