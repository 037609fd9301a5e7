/*
 * The numbers that came latest: whether one came before, by open addressing, and their order in a
 * ring, so that the oldest go. It knows nothing of what they number.
 */
#include "base/base.h"

/* Where a number belongs. The requests of one ticket of a cluster count up above its slot's bits:
 * eight that follow each other stand side by side, so that most find theirs in a line of memory
 * that the last one has brought in. */
#define COUNT_SHIFT 20
#define SIDE_BY_SIDE 8U

static size_t preferred_slot(uint64_t number, size_t mask)
{
    uint64_t place = (number >> COUNT_SHIFT) % SIDE_BY_SIDE;
    uint64_t group = number - (place << COUNT_SHIFT);
    return (size_t)(hash_mix(0, group) * SIDE_BY_SIDE + place) & mask;
}

static size_t find_slot(const struct latest_numbers *latest, uint64_t number)
{
    size_t mask = latest->capacity - 1;
    size_t slot = preferred_slot(number, mask);
    while (latest->slots[slot] != 0 && latest->slots[slot] != number) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

/* Removes a number and moves those behind it up. */
static void drop_number(struct latest_numbers *latest, uint64_t number)
{
    size_t mask = latest->capacity - 1;
    size_t hole = find_slot(latest, number);
    ensure(latest->slots[hole] == number);
    for (size_t i = (hole + 1) & mask; latest->slots[i] != 0; i = (i + 1) & mask) {
        size_t home = preferred_slot(latest->slots[i], mask);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            latest->slots[hole] = latest->slots[i];
            hole = i;
        }
    }
    latest->slots[hole] = 0;
}

static void grow(struct latest_numbers *latest)
{
    latest->capacity = latest->capacity == 0 ? 64 : latest->capacity * 2;
    memory_free(latest->slots);
    latest->slots = memory_new_zeroed(latest->capacity, sizeof *latest->slots);
    for (size_t i = 0; i < latest->order.count; i++) {
        uint64_t number = *ring_at(&latest->order, i);
        latest->slots[find_slot(latest, number)] = number;
    }
}

bool latest_numbers_add(struct latest_numbers *latest, uint64_t number, size_t most)
{
    ensure(number != 0 && latest->order.count <= most);
    if (latest->capacity > 0 && latest->slots[find_slot(latest, number)] == number) {
        return false;
    }
    if (latest->order.count == most) {
        drop_number(latest, *ring_pop(&latest->order));
    }
    if ((latest->order.count + 1) * 2 > latest->capacity) {
        grow(latest);
    }
    latest->slots[find_slot(latest, number)] = number;
    *ring_push(&latest->order) = number;
    return true;
}

void latest_numbers_free(struct latest_numbers *latest)
{
    memory_free(latest->slots);
    ring_free(&latest->order);
    *latest = (struct latest_numbers){0};
}
