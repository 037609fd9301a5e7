/*
 * Growing the memory of an array, and copies. It knows nothing of what the items are.
 */
#include "base/base.h"

#define CAPACITY_FIRST 8

void *array_grown(void *items, size_t count, size_t wanted, size_t item_size, size_t *capacity)
{
    size_t grown = *capacity == 0 ? CAPACITY_FIRST : *capacity;
    ensure(item_size > 0 && wanted <= SIZE_MAX / 2 / item_size - count);
    while (grown - count < wanted) {
        grown *= 2;
    }
    *capacity = grown;
    return memory_resize(items, grown * item_size);
}

void *items_copied(const void *items, size_t size)
{
    return size == 0 ? NULL : memcpy(memory_new(size), items, size);
}
