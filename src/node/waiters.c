/*
 * Who waits for an entry, by its index. It never looks into a command or a result.
 */
#include "node/waiters.h"

#include <string.h>

static uint32_t *slot_of(const struct waiters *waiters, uint64_t index)
{
    return &waiters->slots[index & (waiters->capacity - 1)];
}

static void put_in_slot(struct waiters *waiters, uint32_t place)
{
    struct waiter *waiter = &waiters->all[place - 1];
    uint32_t *slot = slot_of(waiters, waiter->index);
    waiter->next = *slot;
    *slot = place;
}

/* Only when all places are taken, so that each holds a waiter. */
static void grow(struct waiters *waiters)
{
    ensure(waiters->capacity <= UINT32_MAX / 4);
    waiters->capacity = waiters->capacity == 0 ? 64 : waiters->capacity * 2;
    waiters->all = memory_resize(waiters->all, waiters->capacity * sizeof *waiters->all);
    memory_free(waiters->slots);
    waiters->slots = memory_new_zeroed(waiters->capacity, sizeof *waiters->slots);
    for (uint32_t place = 1; place <= waiters->used; place++) {
        put_in_slot(waiters, place);
    }
}

void waiters_add(struct waiters *waiters, const struct waiter *waiter)
{
    uint32_t place = waiters->free;
    if (place != 0) {
        waiters->free = waiters->all[place - 1].next;
    } else {
        if (waiters->used == waiters->capacity) {
            grow(waiters);
        }
        place = ++waiters->used;
    }
    if (waiters->count == 0 || waiter->term < waiters->lowest_term) {
        waiters->lowest_term = waiter->term;
    }
    waiters->all[place - 1] = *waiter;
    put_in_slot(waiters, place);
    waiters->count++;
}

static void take_at(struct waiters *waiters, uint32_t *link, struct waiter *taken)
{
    uint32_t place = *link;
    *taken = waiters->all[place - 1];
    *link = taken->next;
    waiters->all[place - 1].next = waiters->free;
    waiters->free = place;
    waiters->count--;
}

bool waiters_take(struct waiters *waiters, uint64_t index, struct waiter *taken)
{
    if (waiters->count == 0) {
        return false;
    }
    uint32_t *link = slot_of(waiters, index);
    while (*link != 0 && waiters->all[*link - 1].index != index) {
        link = &waiters->all[*link - 1].next;
    }
    if (*link == 0) {
        return false;
    }
    take_at(waiters, link, taken);
    return true;
}

bool waiters_take_older(struct waiters *waiters, uint64_t term, uint32_t *slot,
                        struct waiter *taken)
{
    for (; waiters->lowest_term < term && waiters->count > 0 && *slot < waiters->capacity;
         (*slot)++) {
        uint32_t *link = &waiters->slots[*slot];
        while (*link != 0 && waiters->all[*link - 1].term >= term) {
            link = &waiters->all[*link - 1].next;
        }
        if (*link != 0) {
            take_at(waiters, link, taken);
            return true;
        }
    }
    if (waiters->lowest_term < term) {
        waiters->lowest_term = term;
    }
    return false;
}

bool waiters_take_next(struct waiters *waiters, uint32_t *slot, struct waiter *taken)
{
    for (; waiters->count > 0 && *slot < waiters->capacity; (*slot)++) {
        if (waiters->slots[*slot] != 0) {
            take_at(waiters, &waiters->slots[*slot], taken);
            return true;
        }
    }
    return false;
}

void waiters_free(struct waiters *waiters)
{
    memory_free(waiters->all);
    memory_free(waiters->slots);
    memset(waiters, 0, sizeof *waiters);
}
