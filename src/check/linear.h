/*
 * Histories and their linearizability: the second half of check.h, which includes it. history.c
 * (what clients saw), tables.c (numbers for values), linear.c (which rung answers, split by key),
 * linear_models.c (what operations mean), linear_witness.c, linear_distinct_register.c,
 * linear_distinct_queue.c, linear_distinct_lists.c, linear_register.c, linear_register_begin.c,
 * linear_window.c, linear_general.c (the rungs), linear_search.c (what the two searches share),
 * linear_states.c (states as values), linear_explain.c (what a "no" shows).
 *
 * It reads no clock: whoever calls says through a callback when it has taken long enough.
 */
#ifndef RAFTBENCH_LINEAR_H
#define RAFTBENCH_LINEAR_H

#include "base/base.h"

/* ---- histories (history.c) ------------------------------------------------------------------ */

enum history_type { HISTORY_INVOKE, HISTORY_OK, HISTORY_FAIL, HISTORY_INFO };

/* One entry as it was recorded. Values are encoded (base.h); empty ones were not given. */
struct history_entry {
    enum history_type type;
    int64_t process;
    struct bytes f; /* plain text */
    struct bytes key;
    struct bytes value;
    struct bytes result; /* of an ok: what was answered, where that is not `value` */
    /* of a fail: a cas found another value than the one it expected, and had no effect */
    bool is_mismatch;
    struct bytes seen;  /* that other value */
    uint64_t log_index; /* 0: none */
};

enum history_outcome {
    HISTORY_DONE,
    HISTORY_MISMATCH, /* a cas that was refused; `result` is the value that it saw, or 0 */
    HISTORY_UNKNOWN,  /* it may have had an effect, at any time since */
};

#define HISTORY_NEVER UINT32_MAX

/* An invoke and what became of it; what certainly had no effect is left out. Values are numbers
 * that equal values share, 0 for none: see history_value. */
struct history_operation {
    uint32_t inv;       /* the invoke's entry, counted from 1 */
    uint32_t ret;       /* that of its end; HISTORY_NEVER: unknown */
    uint32_t end;       /* the same, but an info's own entry; 0: there is none */
    uint32_t f;         /* a number of a text */
    uint32_t key;       /* of the invoke */
    uint32_t value;     /* of the invoke */
    uint32_t result;    /* of an ok: its result, or its value */
    uint64_t log_index; /* 0: none */
    int64_t process;
    enum history_outcome outcome;
};

struct history;

struct history *history_new(void);
/* One that knows these values by these numbers; that of the empty one has to be 0. */
struct history *history_new_of(const struct interner *values);
void history_free(struct history *history); /* NULL: nothing */
/* The next entry. false: it does not fit what came before; the failure names the entry. */
bool history_add(struct history *history, const struct history_entry *entry,
                 struct failure *failure);
/* The same by the numbers of its texts and values (history_number); 0: not given. */
struct history_numbers {
    enum history_type type;
    int64_t process;
    uint32_t f;
    uint32_t key;
    uint32_t value;
    uint32_t result;
    bool is_mismatch;
    uint32_t seen;
    uint64_t log_index;
};

bool history_add_numbers(struct history *history, const struct history_numbers *entry,
                         struct failure *failure);
/* An entry that is no client's (a nemesis'): it only counts. */
void history_skip(struct history *history);
/* After the last entry, once: what is still open stays unknown. */
void history_end(struct history *history);

/* In order of their invokes. */
size_t history_count(const struct history *history);
const struct history_operation *history_at(const struct history *history, size_t position);
uint32_t history_entries(const struct history *history);
/* The number of a value or a text, new or not; and what it stands for, as a view that lasts until
 * the next one is numbered. 0 is the empty one. */
uint32_t history_number(struct history *history, struct bytes value);
struct bytes history_value(const struct history *history, uint32_t number);

/* ---- linearizability (linear.c) ------------------------------------------------------------- */

/* The models, by the names that users give. */
#define LINEAR_MODELS(X)                                                                           \
    X(REGISTER, "register")                                                                        \
    X(CAS_REGISTER, "cas-register")                                                                \
    X(KV, "kv")                                                                                    \
    X(SET, "set")                                                                                  \
    X(QUEUE, "queue")                                                                              \
    X(APPEND, "append")

enum linear_model {
#define X(name, text) LINEAR_##name,
    LINEAR_MODELS(X)
#undef X
        LINEAR_CUSTOM, /* somebody's own: struct linear_custom */
};

const char *linear_model_name(enum linear_model model);
bool linear_model_find(struct bytes name, enum linear_model *model);

/* A model of somebody else's. States are encoded values; operations are positions in the history.
 * Each function answers false where it failed, which ends the check. `step` is asked once for each
 * pair of a state and operations that are alike in f, value and result. */
struct linear_custom {
    void *self;
    struct bytes initial;
    bool (*step)(void *self, struct bytes state, uint32_t operation, bool *legal,
                 struct buffer *next);
    /* Whether it never changes the state. NULL: none is known to be so. */
    bool (*pure)(void *self, uint32_t operation, bool *pure);
    /* What the history may be split by. NULL: by nothing. */
    bool (*key)(void *self, uint32_t operation, struct buffer *key);
};

enum linear_rung {
    LINEAR_ANY,      /* whichever applies */
    LINEAR_WITNESS,  /* the order of the log */
    LINEAR_DISTINCT, /* each value was written once */
    LINEAR_WINDOW,   /* the end of it alone: says "no" or passes on */
    LINEAR_SEARCH_REGISTER,
    LINEAR_SEARCH,
};

const char *linear_rung_name(enum linear_rung rung);

enum linear_verdict {
    LINEAR_YES,
    LINEAR_NO,
    LINEAR_UNKNOWN, /* stopped by a limit */
    LINEAR_PASS,    /* the one rung that was asked for cannot tell */
    LINEAR_FAILED,  /* a model failed, or the history is not one of this model's */
};

struct linear_options {
    enum linear_model model;
    const struct linear_custom *custom;
    enum linear_rung only; /* no other rung is tried, and nothing is explained */
    /* Asked now and then: how many of how many operations are dealt with, how much memory is held.
     * false: give up. NULL: never. */
    bool (*go_on)(void *context, uint64_t done, uint64_t all, size_t memory_bytes);
    void *context;
};

/* A state that was reached, with all that returned before `operation` linearized. */
struct linear_candidate {
    uint32_t operation;
    bool is_legal; /* it could come next; what follows ends as well */
};

struct linear_configuration {
    uint32_t state; /* a number of a value */
    uint32_t first; /* of its candidates: what was invoked and is not linearized */
    uint32_t count;
};

struct linear_step {
    uint32_t operation;
    uint32_t state; /* after it */
};

/* The longest linearization that was found and holds this operation. */
struct linear_longest {
    uint32_t operation;
    uint32_t first; /* of its steps */
    uint32_t count;
};

/* What a "no" shows. Operations are positions in the history, values numbers of it. */
struct linear_result {
    enum linear_rung rung;
    uint32_t key;       /* of the part that is not linearizable; 0: there are no keys */
    uint32_t operation; /* where it ends: until just before it returned all could be explained */
    /* Distinct values: why not, in words with %1 .. %4 for operations of the certificate. */
    const char *reason; /* NULL: none */
    uint32_t certificate[4];
    uint32_t certificate_count;
    struct {
        array_of(uint32_t);
    } kept; /* a part of the history that is not linearizable either, for display */
    struct {
        array_of(struct linear_configuration);
    } configurations;
    struct {
        array_of(struct linear_candidate);
    } candidates;
    struct {
        array_of(struct linear_longest);
    } longest;
    struct {
        array_of(struct linear_step);
    } steps;
    uint64_t searched; /* configurations, by the searches */
};

/* The result, all zero before, is filled in for LINEAR_NO; free it always. */
enum linear_verdict linear_check(struct history *history, const struct linear_options *options,
                                 struct linear_result *result, struct failure *failure);
void linear_result_free(struct linear_result *result);

#endif
