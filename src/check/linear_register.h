/* What linear_register.c searches by, and linear_register_begin.c makes ready. */
#ifndef RAFTBENCH_CHECK_LINEAR_REGISTER_H
#define RAFTBENCH_CHECK_LINEAR_REGISTER_H

#include "check/linear_search.h"

/* Unknown operations that are alike, in order of inv: they are used in that order. */
struct unknown_class {
    enum linear_kind kind;
    uint32_t a; /* values, by their places in the part */
    uint32_t b;
    uint32_t first; /* of its operations in `unknown` */
    uint32_t count;
    uint32_t used;
};

struct value_facts {
    uint32_t wants;    /* how many that are not linearized could use this state */
    uint32_t refusals; /* ... how many cas of them that were refused want another one */
    uint32_t writes;   /* the class of unknown writes of it; NO_OPERATION: none */
    uint32_t cas;      /* the first of the classes of unknown cas to it ... */
    uint32_t cas_count;
    uint64_t wanted_at; /* the branch at which something that was called wanted it */
    uint64_t written_at;
    uint32_t writer; /* ... and who would write it */
};

struct register_search {
    struct search search;
    uint32_t *a; /* values, by their places in the part */
    uint32_t *b;
    uint32_t *class_of; /* of unknown operations */
    struct value_facts *values;
    uint32_t value_count;
    uint32_t refusals; /* cas that were refused, and what they saw is not known */
    uint32_t *unknown; /* operations, by class */
    struct {
        array_of(struct unknown_class);
    } classes;
    uint8_t *hidden;
    uint32_t *hidden_at; /* nodes of the record */
    uint64_t branches;
    struct {
        array_of(uint32_t);
    } wanted; /* values, at this branch */
    struct {
        array_of(uint32_t);
    } cas; /* that are legal, at this branch */
};

/* Numbers the values, and sorts the unknown operations into classes. */
void register_search_begin(struct register_search *self, const struct linear_part *part,
                           const struct search_rules *rules, uint64_t seed,
                           struct linear_record *record);
void register_search_end(struct register_search *self);
/* One more (`by` 1) or one less (-1) that could use a state. */
void register_count_want(struct register_search *self, uint32_t operation, uint32_t by);

#endif
