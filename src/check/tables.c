/*
 * The tables of tables.h, by open addressing, at most half full. They never forget.
 */
#include "check/tables.h"

#include <string.h>

#define CAPACITY_LEAST 64U

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
