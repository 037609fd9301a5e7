/* The depth-first search that linear_register.c and linear_general.c share (linear_search.c). */
#ifndef RAFTBENCH_CHECK_LINEAR_SEARCH_H
#define RAFTBENCH_CHECK_LINEAR_SEARCH_H

#include "check/linear_internal.h"

#define NO_OPERATION UINT32_MAX

struct search;

/* What a rung adds. Operations are positions in the part, states numbers of its own. */
struct search_rules {
    /* Whether this one, which was called, need not be branched on. false: a model failed. */
    bool (*is_free)(struct search *search, uint32_t operation, bool *free);
    /* Linearizes it. */
    void (*take)(struct search *search, uint32_t operation);
    /* Whether what is left cannot be satisfied. NULL: it cannot say so early. */
    bool (*is_doomed)(struct search *search);
    /* Adds the moves that are to be tried, the best first, by search_propose. */
    bool (*branch)(struct search *search);
    /* Does one. */
    bool (*apply)(struct search *search, uint32_t move);
    /* Takes back one record of its own, or what goes with a SEARCH_LIFT. */
    void (*undo)(struct search *search, uint32_t what, uint32_t of);
    /* What it holds beyond the search, in bytes. */
    size_t (*memory)(const struct search *search);
};

/* Records of what was done; a rung's own begin with SEARCH_OWN. */
enum { SEARCH_LIFT, SEARCH_STATE, SEARCH_OWN };

struct search_frame {
    uint32_t mark; /* of the trail */
    size_t first;  /* of its moves */
    size_t next;   /* the move to try next */
    uint32_t node; /* of the record */
};

struct search_undo {
    uint32_t what;
    uint32_t of;
};

struct search {
    const struct linear_part *part;
    const struct search_rules *rules;
    const struct linear_operation *operations;
    uint32_t count;
    /* Calls and returns of those that returned, in order, as a list through places 1 .. from 0
     * around to 0. What is linearized is lifted out. */
    uint32_t *next;
    uint32_t *previous;
    uint32_t *entries; /* operation << 1 | whether it is the return */
    uint32_t *calls;   /* where an operation's call stands */
    uint32_t *returns;
    uint64_t seed;  /* of the random words */
    uint64_t print; /* of what is linearized */
    uint32_t state;
    uint32_t due;   /* the first return that is not satisfied; NO_OPERATION: none is left */
    bool is_doomed; /* what is left cannot be satisfied */
    struct {
        array_of(struct search_undo);
    } trail;
    struct {
        array_of(struct search_frame);
    } frames;
    struct {
        array_of(uint32_t);
    } moves;
    struct print_set seen;
    uint32_t furthest; /* the return that was reached last, by its place */
    uint32_t furthest_operation;
    struct linear_record *record;
    uint32_t node;
};

/* What a search for display keeps: how each operation came to be linearized, as a tree. */
struct record_node {
    uint32_t parent;
    uint32_t operation;
    uint32_t state;   /* after it */
    uint32_t anchor;  /* it has no effect, and stands just before this node; 0: it stands here */
    uint32_t depth;   /* how many are linearized, with it */
    uint32_t covered; /* the deepest dead end that was reached through it so far */
};

struct record_configuration {
    uint32_t node;
    uint32_t state;
    uint32_t first; /* of its candidates */
    uint32_t count;
};

struct record_candidate {
    uint32_t operation;
    bool is_legal;
};

#define RECORD_CONFIGURATIONS_MAX 16U

struct linear_record {
    uint32_t goal; /* the operation whose return cannot be reached */
    struct {
        array_of(struct record_node);
    } nodes; /* the first stands for the beginning */
    struct {
        array_of(struct record_configuration);
    } configurations;
    struct {
        array_of(struct record_candidate);
    } candidates;
    uint32_t *best;         /* for each operation the deepest node of a dead end that holds it */
    struct interner states; /* what the numbers of states in nodes stand for */
};

void search_begin(struct search *search, const struct linear_part *part,
                  const struct search_rules *rules, uint64_t seed, struct linear_record *record);
void search_end(struct search *search);
enum linear_verdict search_run(struct search *search, struct linear_budget *budget);

/* A word that stands for an operation, or for something else that is true of it. */
static inline uint64_t search_word(const struct search *search, uint32_t operation, uint32_t what)
{
    return random_scramble(search->seed + ((uint64_t)operation << 2 | what));
}

static inline bool search_is_return(const struct search *search, uint32_t place)
{
    return (search->entries[place] & 1) != 0;
}

static inline uint32_t search_at(const struct search *search, uint32_t place)
{
    return search->entries[place] >> 1;
}

static inline void search_note(struct search *search, uint32_t what, uint32_t of)
{
    *array_push(&search->trail) = (struct search_undo){what, of};
}

static inline void search_propose(struct search *search, uint32_t move)
{
    *array_push(&search->moves) = move;
}

static inline void search_set_state(struct search *search, uint32_t state)
{
    search_note(search, SEARCH_STATE, search->state);
    search->state = state;
}

/* Linearizes one that is in the list, after the state was set. */
void search_lift(struct search *search, uint32_t operation);
/* Keeps that an operation is linearized, which leaves this state: just before the node `anchor`, or
 * (0) now. */
void search_remember(struct search *search, uint32_t operation, uint32_t state, uint32_t anchor);
/* Keeps that a candidate of the present configuration was looked at. */
void search_remember_candidate(struct search *search, uint32_t operation, bool is_legal);

#endif
