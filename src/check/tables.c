/*
 * The tables of tables.h, by open addressing, at most half full. They never forget.
 */
#include "check/tables.h"

#include <string.h>

#define CAPACITY_LEAST 64U

/* ---- byte strings --------------------------------------------------------------------------- */

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

uint32_t interner_number(struct interner *interner, struct bytes bytes)
{
    if (interner->ends.count * 2 >= interner->capacity) {
        interner_grow(interner);
    }
    uint32_t *slot = interner_slot(interner, bytes);
    if (*slot == 0) {
        ensure(interner->ends.count < UINT32_MAX - 1);
        buffer_append(&interner->bytes, bytes.data, bytes.size);
        *array_push(&interner->ends) = interner->bytes.size;
        *slot = (uint32_t)interner->ends.count;
    }
    return *slot - 1;
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

/* ---- numbers -------------------------------------------------------------------------------- */

struct number_slot {
    uint64_t key;
    uint32_t value;
    bool is_taken;
};

static struct number_slot *map_slot(const struct number_map *map, uint64_t key)
{
    size_t mask = map->capacity - 1;
    size_t at = random_scramble(key) & mask;
    while (map->slots[at].is_taken && map->slots[at].key != key) {
        at = (at + 1) & mask;
    }
    return &map->slots[at];
}

static void map_grow(struct number_map *map)
{
    struct number_map larger = {.capacity =
                                    map->capacity == 0 ? CAPACITY_LEAST : map->capacity * 2};
    larger.slots = memory_new_zeroed(larger.capacity, sizeof *larger.slots);
    larger.count = map->count;
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].is_taken) {
            *map_slot(&larger, map->slots[i].key) = map->slots[i];
        }
    }
    memory_free(map->slots);
    *map = larger;
}

uint32_t *number_map_at(struct number_map *map, uint64_t key)
{
    if (map->count * 2 >= map->capacity) {
        map_grow(map);
    }
    struct number_slot *slot = map_slot(map, key);
    if (!slot->is_taken) {
        *slot = (struct number_slot){.key = key, .value = UINT32_MAX, .is_taken = true};
        map->count++;
    }
    return &slot->value;
}

size_t number_map_memory(const struct number_map *map)
{
    return map->capacity * sizeof *map->slots;
}

void number_map_free(struct number_map *map)
{
    memory_free(map->slots);
    *map = (struct number_map){0};
}

/* ---- fingerprints --------------------------------------------------------------------------- */

static uint64_t *print_slot(const struct print_set *set, uint64_t print)
{
    size_t mask = set->capacity - 1;
    size_t at = random_scramble(print) & mask;
    while (set->slots[at] != 0 && set->slots[at] != print) {
        at = (at + 1) & mask;
    }
    return &set->slots[at];
}

static void print_set_grow(struct print_set *set)
{
    struct print_set larger = {.capacity = set->capacity == 0 ? CAPACITY_LEAST : set->capacity * 2};
    larger.slots = memory_new_zeroed(larger.capacity, sizeof *larger.slots);
    larger.count = set->count;
    for (size_t i = 0; i < set->capacity; i++) {
        if (set->slots[i] != 0) {
            *print_slot(&larger, set->slots[i]) = set->slots[i];
        }
    }
    memory_free(set->slots);
    *set = larger;
}

bool print_set_add(struct print_set *set, uint64_t print)
{
    if (set->count * 2 >= set->capacity) {
        print_set_grow(set);
    }
    print = print == 0 ? 1 : print;
    uint64_t *slot = print_slot(set, print);
    if (*slot == print) {
        return false;
    }
    *slot = print;
    set->count++;
    return true;
}

size_t print_set_memory(const struct print_set *set)
{
    return set->capacity * sizeof *set->slots;
}

void print_set_free(struct print_set *set)
{
    memory_free(set->slots);
    *set = (struct print_set){0};
}
