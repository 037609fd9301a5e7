/* What the files of linearizability share; only they include it. */
#ifndef RAFTBENCH_CHECK_LINEAR_INTERNAL_H
#define RAFTBENCH_CHECK_LINEAR_INTERNAL_H

#include "check/check.h"
#include "check/tables.h"

/* ---- operations as their models see them (linear_models.c) ---------------------------------- */

enum linear_kind {
    KIND_READ,        /* a is what was read; of sets and lists: the whole of it */
    KIND_WRITE,       /* a is written */
    KIND_CAS,         /* from a to b, it succeeded; or may have */
    KIND_NOT,         /* a cas was refused: at that moment the value was not a */
    KIND_APPEND,      /* a is put at the end: of a string ("kv"), of a list */
    KIND_ADD,         /* a is put into the set; b is 0, or true: it was not there */
    KIND_REMOVE,      /* a is taken out of the set; b is 0, or true: it was there */
    KIND_HAS,         /* whether a is in the set was answered by b, true or false */
    KIND_ENQUEUE,     /* a */
    KIND_DEQUEUE,     /* a was taken */
    KIND_EMPTY,       /* there was nothing to take */
    KIND_TAKE,        /* it is not known what was taken, if anything */
    KIND_CUSTOM,      /* a model of somebody else's: a is f and value, b the result */
    KIND_CUSTOM_OPEN, /* the same, the result is not known */
};

/* Sorted by inv. No two places are equal. An operation that never returned need not have happened;
 * what cannot have mattered then is left out. */
struct linear_operation {
    uint32_t inv;
    uint32_t ret; /* HISTORY_NEVER */
    enum linear_kind kind;
    uint32_t a; /* numbers of values */
    uint32_t b;
    uint32_t source; /* its position in the history */
};

enum linear_family {
    FAMILY_REGISTER, /* READ, WRITE, CAS, NOT */
    FAMILY_STRING,   /* the same and APPEND */
    FAMILY_SET,      /* ADD, REMOVE, HAS, READ */
    FAMILY_QUEUE,    /* ENQUEUE, DEQUEUE, EMPTY, TAKE */
    FAMILY_LIST,     /* APPEND, READ */
    FAMILY_CUSTOM,
};

/* The operations of one key: by locality a history is linearizable iff each of these is (Herlihy,
 * Wing: "Linearizability" (1990), theorem 1). */
struct linear_part {
    struct history *history;
    const struct linear_custom *custom;
    enum linear_family family;
    uint32_t key;     /* 0: none */
    uint32_t initial; /* of a register */
    uint32_t begin;   /* a write that was invoked before this place need not have an effect here */
    bool is_decided;
    struct linear_operations {
        array_of(struct linear_operation);
    } operations;
};

struct linear_parts {
    array_of(struct linear_part);
};

/* false: the history is not one of this model's; the failure names the entry. */
bool linear_split(struct history *history, const struct linear_options *options,
                  struct linear_parts *parts, struct failure *failure);
void linear_parts_free(struct linear_parts *parts);

/* What only tells of a state: without a return it tells nothing. */
bool linear_is_silent(const struct linear_operation *operation);
/* The elements of an encoded array, by their encoded bytes: how the states of sets are written. */
void linear_sort_elements(struct bytes array, struct buffer *sorted);
/* The elements of an encoded array, as numbers of values, behind what is there. */
struct linear_numbers {
    array_of(uint32_t);
};
void linear_elements(struct history *history, uint32_t array, struct linear_numbers *numbers);
/* The state that a part begins with, as a value. */
void linear_initial(const struct linear_part *part, struct buffer *state);
/* Whether this operation could come next in that state, and the state after it. false: a model of
 * somebody else's failed. */
bool linear_step(const struct linear_part *part, struct bytes state,
                 const struct linear_operation *operation, bool *legal, struct buffer *next);
/* Whether the operation never changes a state. */
bool linear_pure(const struct linear_part *part, const struct linear_operation *operation,
                 bool *pure);

/* What had been invoked before `place`, with what returned later not returned. */
void linear_cut(const struct linear_part *part, uint32_t place, struct linear_part *cut);

/* ---- rungs ---------------------------------------------------------------------------------- */

/* Limits of a check, counted down by its searches. */
struct linear_budget {
    const struct linear_options *options; /* NULL: no callback */
    uint64_t done;                        /* operations of the parts that are finished */
    uint64_t all;
    uint64_t steps_left; /* UINT64_MAX: as many as it takes */
    uint64_t given;      /* of them at the beginning */
    uint64_t searched;   /* configurations so far */
    bool is_stopped;     /* the callback said so */
};

/* Whether to go on, with so many more steps done; asked once in a while. */
bool linear_may_go_on(struct linear_budget *budget, uint64_t steps, uint64_t done,
                      size_t memory_bytes);

/* At most so many steps of it, for one search; and back what is left of these. */
struct linear_budget linear_budget_some(const struct linear_budget *budget, uint64_t steps_max);
void linear_budget_return(struct linear_budget *budget, const struct linear_budget *some);

enum linear_verdict linear_witness(const struct linear_part *part);

/* Why not, for distinct values. */
struct linear_certificate {
    const char *reason;
    uint32_t operations[4]; /* positions in the part */
    uint32_t count;
};

/* Operations by the places that they have to have in any order; sorted. Whether none of a later
 * place returned before one of an earlier place began. */
struct linear_placed {
    uint32_t place;
    uint32_t operation;
};
enum linear_verdict linear_walk(const struct linear_part *part, const struct linear_placed *placed,
                                size_t count, struct linear_certificate *certificate);

enum linear_verdict linear_distinct_register(const struct linear_part *part,
                                             struct linear_certificate *certificate);
enum linear_verdict linear_distinct_queue(const struct linear_part *part,
                                          struct linear_certificate *certificate);
enum linear_verdict linear_distinct_list(const struct linear_part *part,
                                         struct linear_certificate *certificate);
enum linear_verdict linear_distinct_set(const struct linear_part *part,
                                        struct linear_certificate *certificate);
/* Whichever fits the part's family. */
enum linear_verdict linear_distinct(const struct linear_part *part,
                                    struct linear_certificate *certificate);

/* Whether its state mostly grows, so that a search looks ahead: then `furthest` may be too early.
 */
static inline bool linear_grows(const struct linear_part *part)
{
    return part->family == FAMILY_STRING || part->family == FAMILY_LIST;
}

/* The searches. `furthest`, for a "no": the position of the operation whose return could not be
 * reached. `record`: see below; NULL: nothing is kept. */
struct linear_record;
enum linear_verdict linear_search_register(const struct linear_part *part, uint64_t seed,
                                           struct linear_budget *budget, uint32_t *furthest,
                                           struct linear_record *record);
/* One that looks, where it has not got further for long, whether the end of what it reached is
 * enough for a "no"; `is_certain`: it is. */
enum linear_verdict linear_search_by_windows(const struct linear_part *part, uint64_t seed,
                                             struct linear_budget *budget, uint32_t *furthest,
                                             bool *is_certain);
enum linear_verdict linear_search_general(const struct linear_part *part, uint64_t seed,
                                          struct linear_budget *budget, uint32_t *furthest,
                                          struct linear_record *record);
enum linear_verdict linear_search(const struct linear_part *part, uint64_t seed,
                                  struct linear_budget *budget, uint32_t *furthest,
                                  struct linear_record *record);

/* Whether a window that ends with the return of `furthest` shows that a register's history is not
 * linearizable, whatever came before it. false tells nothing. */
bool linear_window(const struct linear_part *part, uint32_t furthest, struct linear_budget *budget);
/* The same of a part that ends with it; of which then only the window is left, and the writes that
 * it may begin with. */
bool linear_window_only(struct linear_part *cut, struct linear_budget *budget);

/* Fills the result in for a part that is not linearizable; what takes too long is left out.
 * `furthest`: the operation where it ends, where a search has told. */
void linear_explain(const struct linear_part *part, enum linear_rung rung, uint32_t furthest,
                    struct linear_result *result);

#endif
