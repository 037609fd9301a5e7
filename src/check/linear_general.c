/*
 * Rung D: any model. The search of linear_search.c over states that are numbered by their bytes and
 * operations that are numbered by what they are: a model is asked once for each pair of them.
 */
#include "check/linear_search.h"

#include <string.h>

enum { UNDO_USE = SEARCH_OWN };

#define NOT_LEGAL (UINT32_MAX - 1)
#define READS_AHEAD 8U

/* Operations that are alike. */
struct alike {
    uint32_t example;
    bool pure;
    uint32_t first; /* of the unknown ones in `unknown`, which are used in order of inv */
    uint32_t count;
    uint32_t used;
    uint64_t proposed_at; /* the branch at which one of them was proposed */
};

struct candidate {
    uint32_t operation;
    uint32_t ret;
};

struct general_search {
    struct search search;
    struct interner states;
    struct number_map steps; /* state and class → the next state */
    struct buffer next;      /* scratch */
    uint32_t *class_of;
    struct {
        array_of(struct alike);
    } classes;
    uint32_t *unknown;
    struct {
        array_of(uint32_t);
    } unknown_classes; /* those that have unknown operations, by the first one's inv */
    uint64_t branches;
    struct {
        array_of(struct candidate);
    } candidates;
    struct linear_numbers resets; /* scratch: values */
    uint32_t unknown_reset;       /* the first inv of an unknown operation that is not an append */
};

static struct general_search *own(struct search *search)
{
    return (struct general_search *)(void *)((char *)search -
                                             offsetof(struct general_search, search));
}

/* The state after an operation of this class; NOT_LEGAL. false: the model failed. */
static bool step(struct general_search *self, uint32_t class, uint32_t *next)
{
    uint64_t pair = (uint64_t)self->search.state << 32 | class;
    *next = *number_map_at(&self->steps, pair);
    if (*next != UINT32_MAX) {
        return true;
    }
    bool legal = false;
    const struct alike *alike = &self->classes.items[class];
    buffer_clear(&self->next);
    if (!linear_step(self->search.part, interner_bytes(&self->states, self->search.state),
                     &self->search.operations[alike->example], &legal, &self->next)) {
        return false;
    }
    *next = legal ? interner_number(&self->states, buffer_bytes(&self->next)) : NOT_LEGAL;
    *number_map_at(&self->steps, pair) = *next;
    return true;
}

/* ---- what only grows ------------------------------------------------------------------------ */

/* Whether a string or a list may become that other one by appending; other values are left alone.
 */
static bool may_become(struct bytes state, struct bytes value)
{
    struct value_reader reader = {.data = state.data, .size = state.size};
    struct value_reader value_reader = {.data = value.data, .size = value.size};
    struct value_item item = {0};
    struct value_item wanted = {0};
    if (!value_read(&reader, &item) || !value_read(&value_reader, &wanted)) {
        return true;
    }
    if (item.kind == VALUE_STRING) {
        return wanted.kind == VALUE_STRING && item.string.size <= wanted.string.size &&
               (item.string.size == 0 ||
                memcmp(item.string.data, wanted.string.data, item.string.size) == 0);
    }
    size_t size = state.size - reader.position;
    return item.kind != VALUE_ARRAY ||
           (wanted.kind == VALUE_ARRAY && item.count <= wanted.count &&
            size <= value.size - value_reader.position &&
            memcmp(state.data + reader.position, value.data + value_reader.position, size) == 0);
}

/* Whether the value that is read can come about by appending to the present state, or to one that
 * was written by something that is called before the read returns. */
static bool is_reachable(const struct general_search *self, struct bytes state,
                         const struct linear_operation *read)
{
    const struct linear_part *part = self->search.part;
    struct bytes value = history_value(part->history, read->a);
    bool reachable = may_become(state, value) || read->ret > self->unknown_reset;
    for (size_t i = 0; i < self->resets.count && !reachable; i++) {
        reachable = may_become(history_value(part->history, self->resets.items[i]), value);
    }
    return reachable;
}

/* The reads that are left tell which append was next, long before one of them is due. (For display
 * the last one does not: how far one gets without it is what is shown.) */
static bool is_doomed(struct search *search)
{
    struct general_search *self = own(search);
    if (!linear_grows(search->part)) {
        return false;
    }
    struct bytes state = interner_bytes(&self->states, search->state);
    uint32_t reads = 0;
    self->resets.count = 0;
    for (uint32_t place = search->next[0]; place != 0 && reads < READS_AHEAD;
         place = search->next[place]) {
        uint32_t position = search_at(search, place);
        const struct linear_operation *operation = &search->operations[position];
        bool is_return = search_is_return(search, place);
        if (!is_return && (operation->kind == KIND_WRITE || operation->kind == KIND_CAS)) {
            *array_push(&self->resets) =
                operation->kind == KIND_WRITE ? operation->a : operation->b;
        } else if (is_return && operation->kind == KIND_READ &&
                   (search->record == NULL || search->record->goal != position)) {
            reads++;
            if (!is_reachable(self, state, operation)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- settling ------------------------------------------------------------------------------- */

static bool is_free(struct search *search, uint32_t operation, bool *free)
{
    struct general_search *self = own(search);
    uint32_t class = self->class_of[operation];
    uint32_t next = NOT_LEGAL;
    if (self->classes.items[class].pure && !step(self, class, &next)) {
        return false;
    }
    *free = next == search->state;
    return true;
}

static void take(struct search *search, uint32_t operation)
{
    search_lift(search, operation);
    search_remember(search, operation, search->state, 0);
}

/* ---- branching ------------------------------------------------------------------------------ */

static bool consider(struct general_search *self, uint32_t operation)
{
    struct search *search = &self->search;
    uint32_t class = self->class_of[operation];
    uint32_t next = NOT_LEGAL;
    if (!step(self, class, &next)) {
        return false;
    }
    search_remember_candidate(search, operation, next != NOT_LEGAL);
    struct alike *alike = &self->classes.items[class];
    uint32_t ret = search->operations[operation].ret;
    if (next == NOT_LEGAL || (next == search->state && ret == HISTORY_NEVER)) {
        return true;
    }
    if (alike->proposed_at != self->branches) {
        alike->proposed_at = self->branches;
        *array_push(&self->candidates) = (struct candidate){operation, ret};
        return true;
    }
    for (size_t i = 0; i < self->candidates.count; i++) { /* among equals the earliest return */
        struct candidate *candidate = &self->candidates.items[i];
        if (self->class_of[candidate->operation] == class && candidate->ret > ret) {
            *candidate = (struct candidate){operation, ret};
        }
    }
    return true;
}

static bool consider_unknown(struct general_search *self)
{
    const struct search *search = &self->search;
    for (size_t i = 0; i < self->unknown_classes.count; i++) {
        const struct alike *alike = &self->classes.items[self->unknown_classes.items[i]];
        uint32_t before = search->operations[search->due].ret;
        if (search->operations[self->unknown[alike->first]].inv > before) {
            return true;
        }
        if (alike->used < alike->count) {
            uint32_t operation = self->unknown[alike->first + alike->used];
            if (search->operations[operation].inv < before && !consider(self, operation)) {
                return false;
            }
        }
    }
    return true;
}

static bool branch(struct search *search)
{
    struct general_search *self = own(search);
    self->branches++;
    self->candidates.count = 0;
    for (uint32_t place = search->next[0]; !search_is_return(search, place);
         place = search->next[place]) {
        if (!consider(self, search_at(search, place))) {
            return false;
        }
    }
    /* By their returns: what is due stands first. */
    for (size_t i = 1; i < self->candidates.count; i++) {
        struct candidate moved = self->candidates.items[i];
        size_t at = i;
        for (; at > 0 && self->candidates.items[at - 1].ret > moved.ret; at--) {
            self->candidates.items[at] = self->candidates.items[at - 1];
        }
        self->candidates.items[at] = moved;
    }
    if (!consider_unknown(self)) {
        return false;
    }
    for (size_t i = 0; i < self->candidates.count; i++) {
        search_propose(search, self->candidates.items[i].operation);
    }
    return true;
}

static bool apply(struct search *search, uint32_t operation)
{
    struct general_search *self = own(search);
    uint32_t next = NOT_LEGAL;
    bool fine = step(self, self->class_of[operation], &next);
    ensure(fine && next != NOT_LEGAL); /* it was proposed */
    search_set_state(search, next);
    if (search->operations[operation].ret != HISTORY_NEVER) {
        search_lift(search, operation);
    } else {
        self->classes.items[self->class_of[operation]].used++;
        search->print ^= search_word(search, operation, 0);
        search_note(search, UNDO_USE, operation);
    }
    search_remember(search, operation, search->state, 0);
    return true;
}

static void undo(struct search *search, uint32_t what, uint32_t operation)
{
    struct general_search *self = own(search);
    if (what == UNDO_USE) {
        self->classes.items[self->class_of[operation]].used--;
        search->print ^= search_word(search, operation, 0);
    }
}

static size_t memory(const struct search *search)
{
    const struct general_search *self =
        (const struct general_search *)(const void *)((const char *)search -
                                                      offsetof(struct general_search, search));
    return interner_memory(&self->states) + number_map_memory(&self->steps);
}

static const struct search_rules rules = {
    .is_free = is_free,
    .take = take,
    .is_doomed = is_doomed,
    .branch = branch,
    .apply = apply,
    .undo = undo,
    .memory = memory,
};

/* ---- beginning ------------------------------------------------------------------------------ */

static bool class_all(struct general_search *self)
{
    struct interner names = {0};
    bool fine = true;
    for (uint32_t i = 0; fine && i < self->search.count; i++) {
        const struct linear_operation *operation = &self->search.operations[i];
        uint32_t name[3] = {operation->kind, operation->a, operation->b};
        uint32_t class = interner_number(&names, (struct bytes){(uint8_t *)name, sizeof name});
        self->class_of[i] = class;
        if (class == self->classes.count) {
            struct alike *alike = array_push(&self->classes);
            *alike = (struct alike){.example = i};
            fine = linear_pure(self->search.part, operation, &alike->pure);
        }
        if (operation->ret == HISTORY_NEVER) {
            struct alike *alike = &self->classes.items[class];
            if (operation->kind != KIND_APPEND && operation->inv < self->unknown_reset) {
                self->unknown_reset = operation->inv;
            }
            if (alike->count++ == 0) {
                *array_push(&self->unknown_classes) = class;
            }
        }
    }
    interner_free(&names);
    return fine;
}

static void place_unknown(struct general_search *self)
{
    uint32_t first = 0;
    for (size_t i = 0; i < self->unknown_classes.count; i++) {
        struct alike *alike = &self->classes.items[self->unknown_classes.items[i]];
        alike->first = first;
        first += alike->count;
    }
    for (uint32_t i = 0; i < self->search.count; i++) {
        if (self->search.operations[i].ret == HISTORY_NEVER) {
            struct alike *alike = &self->classes.items[self->class_of[i]];
            self->unknown[alike->first + alike->used++] = i;
        }
    }
    for (size_t i = 0; i < self->classes.count; i++) {
        self->classes.items[i].used = 0;
    }
}

enum linear_verdict linear_search_general(const struct linear_part *part, uint64_t seed,
                                          struct linear_budget *budget, uint32_t *furthest,
                                          struct linear_record *record)
{
    struct general_search self = {.unknown_reset = HISTORY_NEVER};
    search_begin(&self.search, part, &rules, seed, record);
    size_t count = (size_t)self.search.count + 1;
    self.class_of = memory_new_zeroed(count, sizeof *self.class_of);
    self.unknown = memory_new_zeroed(count, sizeof *self.unknown);
    linear_initial(part, &self.next);
    self.search.state = interner_number(&self.states, buffer_bytes(&self.next));
    enum linear_verdict verdict = LINEAR_FAILED;
    if (class_all(&self)) {
        place_unknown(&self);
        verdict = search_run(&self.search, budget);
    }
    *furthest = self.search.furthest_operation;
    if (record != NULL) {
        interner_free(&record->states);
        record->states = self.states;
        self.states = (struct interner){0};
    }
    interner_free(&self.states);
    number_map_free(&self.steps);
    buffer_free(&self.next);
    memory_free(self.class_of);
    memory_free(self.unknown);
    array_free(&self.classes);
    array_free(&self.unknown_classes);
    array_free(&self.candidates);
    array_free(&self.resets);
    search_end(&self.search);
    return verdict;
}
