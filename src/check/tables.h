/* Tables that histories and their checks share: numbers for byte strings, a map of numbers, a set
 * of fingerprints (tables.c). All zero is an empty one. */
#ifndef RAFTBENCH_CHECK_TABLES_H
#define RAFTBENCH_CHECK_TABLES_H

#include "base/base.h"

/* Byte strings by numbers, 0, 1, 2 and so on as they come. */
struct interner {
    struct buffer bytes;
    array_of(size_t) ends; /* where each ends in `bytes` */
    uint32_t *slots;       /* number + 1 by open addressing; 0: a free one */
    size_t capacity;       /* a power of two, or 0 */
};

uint32_t interner_number(struct interner *interner, struct bytes bytes);
struct bytes interner_bytes(const struct interner *interner, uint32_t number);
size_t interner_memory(const struct interner *interner);
void interner_free(struct interner *interner);

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
