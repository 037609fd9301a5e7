/*
 * Numbers for byte strings, by open addressing, at most half full. It never forgets one.
 */
#include "base/base.h"

#include <string.h>

#define CAPACITY_LEAST 64U

struct bytes interner_bytes(const struct interner *interner, uint32_t number)
{
    ensure(number < interner->ends.count);
    size_t from = number == 0 ? 0 : interner->ends.items[number - 1];
    size_t size = interner->ends.items[number] - from;
    return (struct bytes){size == 0 ? NULL : interner->bytes.data + from, size};
}

/* Where this one stands, or where it would. */
static uint32_t *interner_slot(const struct interner *interner, struct bytes bytes)
{
    size_t mask = interner->capacity - 1;
    size_t at = hash_bytes(bytes.data, bytes.size, 0) & mask;
    while (interner->slots[at] != 0 &&
           !bytes_equal(interner_bytes(interner, interner->slots[at] - 1), bytes)) {
        at = (at + 1) & mask;
    }
    return &interner->slots[at];
}

static void interner_grow(struct interner *interner)
{
    memory_free(interner->slots);
    interner->capacity = interner->capacity == 0 ? CAPACITY_LEAST : interner->capacity * 2;
    interner->slots = memory_new_zeroed(interner->capacity, sizeof *interner->slots);
    for (size_t i = 0; i < interner->ends.count; i++) {
        *interner_slot(interner, interner_bytes(interner, (uint32_t)i)) = (uint32_t)i + 1;
    }
}

/* They may be a part of one that is there already, which moves when more room is needed. */
static void interner_add(struct interner *interner, struct bytes bytes)
{
    size_t place = (size_t)((uintptr_t)bytes.data - (uintptr_t)interner->bytes.data);
    bool is_own = bytes.size > 0 && place < interner->bytes.size;
    buffer_reserve(&interner->bytes, bytes.size);
    buffer_append(&interner->bytes, is_own ? interner->bytes.data + place : bytes.data, bytes.size);
    *array_push(&interner->ends) = interner->bytes.size;
}

uint32_t interner_number(struct interner *interner, struct bytes bytes)
{
    if (interner->ends.count * 2 >= interner->capacity) {
        interner_grow(interner);
    }
    uint32_t *slot = interner_slot(interner, bytes);
    if (*slot == 0) {
        ensure(interner->ends.count < UINT32_MAX - 1);
        interner_add(interner, bytes);
        *slot = (uint32_t)interner->ends.count;
    }
    return *slot - 1;
}

void interner_copy(struct interner *to, const struct interner *from)
{
    ensure(to->capacity == 0);
    buffer_append(&to->bytes, from->bytes.data, from->bytes.size);
    array_copy(&to->ends, &from->ends);
    to->capacity = from->capacity;
    to->slots = items_copied(from->slots, from->capacity * sizeof *from->slots);
}

size_t interner_memory(const struct interner *interner)
{
    return interner->bytes.capacity + interner->ends.capacity * sizeof *interner->ends.items +
           interner->capacity * sizeof *interner->slots;
}

void interner_free(struct interner *interner)
{
    buffer_free(&interner->bytes);
    array_free(&interner->ends);
    memory_free(interner->slots);
    interner->slots = NULL;
    interner->capacity = 0;
}
