/*
 * Histories of a few operations on small numbers, and whether they are linearizable by trying all
 * orders: the twin of src/check's rungs. It shares nothing with them.
 */
#ifndef RAFTBENCH_LINEAR_MODEL_H
#define RAFTBENCH_LINEAR_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define TWIN_OPERATIONS_MAX 9U
#define TWIN_KEYS 2U
#define TWIN_NEVER UINT32_MAX
#define TWIN_NULL (-1)

enum twin_model {
    TWIN_REGISTER,
    TWIN_CAS_REGISTER,
    TWIN_KV,
    TWIN_SET,
    TWIN_QUEUE,
    TWIN_APPEND,
    TWIN_MODELS,
};

enum twin_f {
    TWIN_READ,
    TWIN_WRITE,
    TWIN_CAS,
    TWIN_DELETE,
    TWIN_GROW, /* append, enqueue, add */
    TWIN_TAKE, /* dequeue, remove */
    TWIN_CONTAINS,
};

/* A register's content in the first place; of the others as many as there are, in order. */
struct twin_state {
    int count; /* TWIN_NULL: nothing is there */
    int items[2 * TWIN_OPERATIONS_MAX];
};

struct twin_operation {
    enum twin_f f;
    uint32_t inv;
    uint32_t ret; /* TWIN_NEVER */
    uint32_t process;
    uint32_t key;
    int value;
    int new_value;            /* of a cas */
    bool is_known;            /* what it was answered */
    bool is_refused;          /* a cas that was not equal ... */
    bool tells_seen;          /* ... and says to what */
    bool tells_change;        /* of a set */
    struct twin_state result; /* what was read, taken or seen; items[0] of contains and changes */
};

struct twin_history {
    enum twin_model model;
    uint32_t count;
    struct twin_operation operations[TWIN_OPERATIONS_MAX];
};

void twin_begin(enum twin_model model, struct twin_state *state);
/* What it answers, and what it does. */
void twin_apply(enum twin_model model, const struct twin_operation *operation,
                struct twin_state *state, struct twin_state *result);
/* Whether it may come next with the answer that it has; and does it. */
bool twin_step(enum twin_model model, const struct twin_operation *operation,
               struct twin_state *state);
/* Whether the operations in this set are linearizable, those that returned by `end`. */
bool twin_is_linearizable(const struct twin_history *history, uint32_t operations, uint32_t end);

#endif
