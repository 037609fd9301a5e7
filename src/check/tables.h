/* Tables that histories and their checks share: a map of numbers, a set of fingerprints (tables.c).
 * All zero is an empty one. */
#ifndef RAFTBENCH_CHECK_TABLES_H
#define RAFTBENCH_CHECK_TABLES_H

#include "base/base.h"

/* From 64-bit numbers to 32-bit ones below UINT32_MAX. */
struct number_map {
    struct number_slot *slots;
    size_t capacity;
    size_t count;
};

/* Where the number of this key stands, UINT32_MAX where it is new; until the next one. */
uint32_t *number_map_at(struct number_map *map, uint64_t key);
size_t number_map_memory(const struct number_map *map);
void number_map_free(struct number_map *map);

/* Fingerprints. */
struct print_set {
    uint64_t *slots; /* 0: a free one */
    size_t capacity;
    size_t count;
};

bool print_set_add(struct print_set *set, uint64_t print); /* whether it is new */
size_t print_set_memory(const struct print_set *set);
void print_set_free(struct print_set *set);

#endif
