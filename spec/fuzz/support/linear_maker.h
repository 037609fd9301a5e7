/*
 * Histories made of bytes, for the fuzzer of linearizability (linear_maker.c): as the twin knows
 * them, and as src/check does.
 */
#ifndef RAFTBENCH_LINEAR_MAKER_H
#define RAFTBENCH_LINEAR_MAKER_H

#include "check/check.h"
#include "fuzz.h"
#include "linear_model.h"

#define PROCESSES 5U
#define PLACES 64U

/* A history that comes into being: each operation takes effect between its call and its return. */
struct maker {
    struct input input;
    struct twin_history history;
    struct twin_state states[TWIN_KEYS];
    uint32_t open[PROCESSES];                 /* the operation, or TWIN_NEVER */
    uint32_t unknown_at[TWIN_OPERATIONS_MAX]; /* the entry that says so; 0: none */
    uint64_t log_index[TWIN_OPERATIONS_MAX];
    bool is_done[TWIN_OPERATIONS_MAX];
    uint64_t commands;
    uint8_t values; /* how many there are; 0: each is new */
    uint8_t fs;     /* which operations are used, a bit each */
    uint8_t lies;   /* of 256 answers */
    bool has_keys;
    bool has_log;
    int written;
};

/* The next history of the input. */
void maker_make(struct maker *maker);
struct history *maker_history(const struct maker *maker);
/* A state as it is read, or as src/check has it. */
void maker_write_state(enum twin_model model, const struct twin_state *state, struct buffer *out);
/* For whoever has to find out why. */
void maker_show(const struct maker *maker);

#endif
