/*
 * Rung C: registers whose values repeat. The search of linear_search.c with what is known of
 * registers: a read is linearized as soon as it is legal; a write is tried only if something that
 * was called wants its value; and a pending write may have been overwritten at once.
 *
 * hidden(w): since w was called, a blind write was linearized, or a cas left the state that w
 * writes. w may then stand just before that, without effect, whenever it has to return.
 */
#include "check/linear_register.h"

enum { UNDO_HIDE = SEARCH_OWN, UNDO_USE };

static struct register_search *own(struct search *search)
{
    return (struct register_search *)(void *)((char *)search -
                                              offsetof(struct register_search, search));
}

static uint32_t next_call(const struct search *search, uint32_t place)
{
    place = search->next[place];
    return place == 0 || search_is_return(search, place) ? 0 : place;
}

/* Goes through what was called before the first return that is not satisfied. */
#define called_each(search, place)                                                                 \
    for (uint32_t(place) = next_call((search), 0); (place) != 0;                                   \
         (place) = next_call((search), (place)))

/* ---- wants ---------------------------------------------------------------------------------- */

static bool may_be_wanted(const struct register_search *self, uint32_t value)
{
    const struct value_facts *facts = &self->values[value];
    return facts->wants > 0 || self->refusals > facts->refusals;
}

/* ---- settling ------------------------------------------------------------------------------- */

/* What is hidden counts only as long as it is pending. */
static void forget_hidden(struct register_search *self, uint32_t operation)
{
    if (self->hidden[operation] != 0) {
        self->search.print ^= search_word(&self->search, operation, 1);
    }
}

static void linearize(struct register_search *self, uint32_t operation, uint32_t anchor)
{
    register_count_want(self, operation, (uint32_t)-1);
    forget_hidden(self, operation);
    search_lift(&self->search, operation);
    search_remember(&self->search, operation, anchor == 0 ? self->search.state : self->a[operation],
                    anchor);
}

static bool is_free(struct search *search, uint32_t operation, bool *free)
{
    const struct register_search *self = own(search);
    uint32_t value = self->a[operation];
    switch (search->operations[operation].kind) {
    case KIND_READ:
        *free = value == search->state;
        break;
    case KIND_NOT:
        *free = value != search->state;
        break;
    case KIND_WRITE:
        *free = self->hidden[operation] != 0 && !may_be_wanted(self, value);
        break;
    default:
        *free = false;
    }
    return true;
}

static void take(struct search *search, uint32_t operation)
{
    struct register_search *self = own(search);
    bool is_write = search->operations[operation].kind == KIND_WRITE;
    linearize(self, operation, is_write ? self->hidden_at[operation] : 0);
}

/* ---- branching ------------------------------------------------------------------------------ */

static void want(struct register_search *self, uint32_t value)
{
    struct value_facts *facts = &self->values[value];
    if (facts->wanted_at != self->branches) {
        facts->wanted_at = self->branches;
        *array_push(&self->wanted) = value;
    }
}

/* The unknown operation of this class that would be used next; NO_OPERATION: none was called. */
static uint32_t unknown_next(const struct register_search *self, uint32_t class)
{
    if (class == NO_OPERATION) {
        return NO_OPERATION;
    }
    const struct unknown_class *of = &self->classes.items[class];
    if (of->used == of->count) {
        return NO_OPERATION;
    }
    uint32_t operation = self->unknown[of->first + of->used];
    const struct search *search = &self->search;
    return search->operations[operation].inv < search->operations[search->due].ret ? operation
                                                                                   : NO_OPERATION;
}

/* What was called and is not linearized: what it wants, and the writers of each value, the one
 * with the earliest return first among equals. How many writes are not hidden. */
static uint32_t look_at_calls(struct register_search *self, bool *wants_another)
{
    struct search *search = &self->search;
    uint32_t exposed = 0;
    called_each(search, place)
    {
        uint32_t operation = search_at(search, place);
        uint32_t a = self->a[operation];
        struct value_facts *facts = &self->values[a];
        switch (search->operations[operation].kind) {
        case KIND_WRITE:
            exposed += self->hidden[operation] == 0 ? 1 : 0;
            if (facts->written_at != self->branches ||
                search->operations[operation].ret < search->operations[facts->writer].ret) {
                facts->written_at = self->branches;
                facts->writer = operation;
            }
            break;
        case KIND_CAS:
            if (a == search->state) {
                *array_push(&self->cas) = operation;
            } else {
                want(self, a);
            }
            break;
        case KIND_NOT:
            *wants_another = true; /* or it would be linearized */
            break;
        default:
            want(self, a);
        }
    }
    return exposed;
}

/* Some cas was refused because the value was not the present one: any other will do. */
static void want_any_other(struct register_search *self)
{
    bool one_is_enough = false;
    for (uint32_t value = 0; value < self->value_count; value++) {
        struct value_facts *facts = &self->values[value];
        bool written = facts->written_at == self->branches;
        bool unknown = unknown_next(self, facts->writes) != NO_OPERATION;
        if (value == self->search.state || (!written && !unknown && facts->cas_count == 0)) {
            continue;
        }
        /* Unknown writes that nobody else asks for are as good as each other. */
        if (!written && facts->cas_count == 0 && facts->wants == 0 && facts->refusals == 0) {
            if (one_is_enough) {
                continue;
            }
            one_is_enough = true;
        }
        want(self, value);
    }
}

/* The unknown cas whose result is wanted, and what these want in turn. */
static void propose_unknown_cas(struct register_search *self, bool tries)
{
    for (size_t i = 0; i < self->wanted.count; i++) {
        const struct value_facts *facts = &self->values[self->wanted.items[i]];
        for (uint32_t class = facts->cas; class < facts->cas + facts->cas_count; class ++) {
            uint32_t operation = unknown_next(self, class);
            if (operation == NO_OPERATION) {
                continue;
            }
            uint32_t from = self->classes.items[class].a;
            if (from != self->search.state) {
                want(self, from);
            } else if (tries) {
                search_propose(&self->search, operation << 1);
            }
        }
    }
}

static uint32_t writer_of(const struct register_search *self, uint32_t value)
{
    const struct value_facts *facts = &self->values[value];
    return facts->written_at == self->branches ? facts->writer : unknown_next(self, facts->writes);
}

static void propose_due(struct register_search *self)
{
    struct search *search = &self->search;
    uint32_t due = search->due;
    switch (search->operations[due].kind) {
    case KIND_WRITE:
        if (self->hidden[due] != 0) {
            search_propose(search, due << 1 | 1);
        }
        search_propose(search, due << 1); /* where nobody could want it, it was settled */
        break;
    case KIND_CAS:
        if (self->a[due] == search->state) {
            search_propose(search, due << 1);
        }
        break;
    default:
        break;
    }
}

/* A write of the present value changes nothing, but hides the others: a cas may come next. */
static void propose_present(struct register_search *self, uint32_t exposed)
{
    struct search *search = &self->search;
    uint32_t writer = writer_of(self, search->state);
    if (writer == NO_OPERATION || writer == search->due) {
        return;
    }
    bool is_known = search->operations[writer].ret != HISTORY_NEVER;
    if (exposed > (is_known && self->hidden[writer] == 0 ? 1U : 0U)) {
        search_propose(search, writer << 1);
    }
}

static void remember_candidates(struct search *search)
{
    if (search->record == NULL || search->due != search->record->goal) {
        return;
    }
    struct register_search *self = own(search);
    called_each(search, place)
    {
        uint32_t operation = search_at(search, place);
        enum linear_kind kind = search->operations[operation].kind;
        search_remember_candidate(search, operation,
                                  kind == KIND_WRITE ||
                                      (kind == KIND_CAS && self->a[operation] == search->state));
    }
    for (uint32_t class = 0; class < self->classes.count; class ++) {
        uint32_t operation = unknown_next(self, class);
        if (operation != NO_OPERATION) {
            const struct unknown_class *of = &self->classes.items[class];
            search_remember_candidate(search, operation,
                                      of->kind == KIND_WRITE || of->a == search->state);
        }
    }
}

static bool branch(struct search *search)
{
    struct register_search *self = own(search);
    self->branches++;
    self->wanted.count = 0;
    self->cas.count = 0;
    bool wants_another = false;
    uint32_t exposed = look_at_calls(self, &wants_another);
    if (wants_another) {
        want_any_other(self);
    }
    propose_due(self);
    propose_unknown_cas(self, false);
    for (size_t i = 0; i < self->wanted.count; i++) {
        uint32_t value = self->wanted.items[i];
        uint32_t writer = writer_of(self, value);
        if (value != search->state && writer != NO_OPERATION && writer != search->due) {
            search_propose(search, writer << 1);
        }
    }
    for (size_t i = 0; i < self->cas.count; i++) {
        if (self->cas.items[i] != search->due) {
            search_propose(search, self->cas.items[i] << 1);
        }
    }
    propose_present(self, exposed);
    propose_unknown_cas(self, true);
    remember_candidates(search);
    return true;
}

/* ---- moves ---------------------------------------------------------------------------------- */

/* Before `by` takes effect: what it hides of what was called. */
static void hide(struct register_search *self, uint32_t by)
{
    struct search *search = &self->search;
    bool is_blind = search->operations[by].kind == KIND_WRITE;
    called_each(search, place)
    {
        uint32_t operation = search_at(search, place);
        if (operation == by || search->operations[operation].kind != KIND_WRITE ||
            self->hidden[operation] != 0 || (!is_blind && self->a[operation] != search->state)) {
            continue;
        }
        self->hidden[operation] = 1;
        if (search->record != NULL) {
            self->hidden_at[operation] = (uint32_t)search->record->nodes.count;
        }
        search->print ^= search_word(search, operation, 1);
        search_note(search, UNDO_HIDE, operation);
    }
}

static bool apply(struct search *search, uint32_t move)
{
    struct register_search *self = own(search);
    uint32_t operation = move >> 1;
    if ((move & 1) != 0) {
        linearize(self, operation, self->hidden_at[operation]);
        return true;
    }
    bool is_write = search->operations[operation].kind == KIND_WRITE;
    hide(self, operation);
    search_set_state(search, is_write ? self->a[operation] : self->b[operation]);
    if (search->operations[operation].ret != HISTORY_NEVER) {
        linearize(self, operation, 0);
        return true;
    }
    self->classes.items[self->class_of[operation]].used++;
    register_count_want(self, operation, (uint32_t)-1);
    search->print ^= search_word(search, operation, 0);
    search_note(search, UNDO_USE, operation);
    search_remember(search, operation, search->state, 0);
    return true;
}

static void undo(struct search *search, uint32_t what, uint32_t operation)
{
    struct register_search *self = own(search);
    switch (what) {
    case UNDO_HIDE:
        self->hidden[operation] = 0;
        search->print ^= search_word(search, operation, 1);
        break;
    case UNDO_USE:
        self->classes.items[self->class_of[operation]].used--;
        search->print ^= search_word(search, operation, 0);
        register_count_want(self, operation, 1);
        break;
    default:
        forget_hidden(self, operation); /* twice is not at all */
        register_count_want(self, operation, 1);
    }
}

static size_t memory(const struct search *search)
{
    (void)search;
    return 0;
}

static const struct search_rules rules = {
    .is_free = is_free,
    .take = take,
    .branch = branch,
    .apply = apply,
    .undo = undo,
    .memory = memory,
};

enum linear_verdict linear_search_register(const struct linear_part *part, uint64_t seed,
                                           struct linear_budget *budget, uint32_t *furthest,
                                           struct linear_record *record)
{
    struct register_search self;
    register_search_begin(&self, part, &rules, seed, record);
    enum linear_verdict verdict = search_run(&self.search, budget);
    *furthest = self.search.furthest_operation;
    register_search_end(&self);
    return verdict;
}

/* How long it may stand still before it looks at windows: at the same place twice as long each
 * time. */
#define STEPS_STILL 20000U

enum linear_verdict linear_search_by_windows(const struct linear_part *part, uint64_t seed,
                                             struct linear_budget *budget, uint32_t *furthest,
                                             bool *is_certain)
{
    struct register_search self;
    register_search_begin(&self, part, &rules, seed, NULL);
    enum linear_verdict verdict = LINEAR_UNKNOWN;
    *is_certain = false;
    for (uint64_t steps = STEPS_STILL; verdict == LINEAR_UNKNOWN && !*is_certain;) {
        uint32_t before = self.search.furthest;
        struct linear_budget some = linear_budget_some(budget, steps);
        verdict = search_run(&self.search, &some); /* it goes on where it was */
        linear_budget_return(budget, &some);
        *furthest = self.search.furthest_operation;
        if (budget->is_stopped || some.given < steps || verdict == LINEAR_YES) {
            break;
        }
        bool moved = verdict == LINEAR_UNKNOWN && self.search.furthest != before;
        if (!moved) {
            some = linear_budget_some(budget, steps);
            *is_certain = linear_window(part, *furthest, &some);
            linear_budget_return(budget, &some);
        }
        steps = moved ? STEPS_STILL : steps * 2;
    }
    register_search_end(&self);
    return *is_certain ? LINEAR_NO : verdict;
}
