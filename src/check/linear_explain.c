/*
 * What a "no" shows: where the history ends, the part of it that is enough to see why, the
 * configurations that got there, and how far each operation can be taken. It works on a history
 * that is known not to be linearizable, within a fixed number of steps, so that it shows the same
 * on every machine; what does not fit is left out.
 */
#include "check/linear_search.h"

#define CHECK_STEPS_MAX 20000U   /* of one search while the history is cut */
#define WINDOW_STEPS_MAX 200000U /* to find a window that is enough */
#define ALL_STEPS_MAX 400000U    /* of all of them */
#define RECORD_STEPS_MAX 200000U /* of the one whose course is kept */
#define LONGEST_MAX 64U          /* operations whose longest linearization is shown */
#define STEPS_SHOWN_MAX 100000U  /* of all of them */

struct explainer {
    enum linear_rung rung;
    struct linear_budget budget;
};

/* ---- where it ends -------------------------------------------------------------------------- */

static bool is_wrong(struct explainer *self, const struct linear_part *part)
{
    struct linear_certificate certificate;
    uint32_t furthest = 0;
    enum linear_verdict verdict = LINEAR_PASS;
    if (self->rung == LINEAR_DISTINCT) {
        verdict = linear_distinct(part, &certificate);
    }
    if (verdict != LINEAR_PASS) {
        return verdict == LINEAR_NO;
    }
    struct linear_budget some = linear_budget_some(&self->budget, CHECK_STEPS_MAX);
    verdict = linear_search(part, 0, &some, &furthest, NULL);
    linear_budget_return(&self->budget, &some);
    if (verdict == LINEAR_UNKNOWN && part->family == FAMILY_REGISTER) {
        some = linear_budget_some(&self->budget, CHECK_STEPS_MAX);
        verdict = linear_window(part, furthest, &some) ? LINEAR_NO : LINEAR_UNKNOWN;
        linear_budget_return(&self->budget, &some);
    }
    return verdict == LINEAR_NO;
}

/* A long history of a register to a window at its end, if that shows it as well: what is left is
 * wrong then, and is not without its last return. */
static void cut_to_window(struct explainer *self, uint32_t end, struct linear_part *cut)
{
    struct linear_part window = *cut;
    struct linear_part before;
    memset(&window.operations, 0, sizeof window.operations);
    for (size_t i = 0; i < cut->operations.count; i++) {
        *array_push(&window.operations) = cut->operations.items[i];
    }
    struct linear_budget some = linear_budget_some(&self->budget, WINDOW_STEPS_MAX);
    bool is_enough = linear_window_only(&window, &some);
    uint32_t furthest = 0;
    if (is_enough) {
        linear_cut(&window, end - 1, &before);
        is_enough = linear_search(&before, 0, &some, &furthest, NULL) == LINEAR_YES;
        array_free(&before.operations);
    }
    linear_budget_return(&self->budget, &some);
    if (is_enough) {
        array_free(&cut->operations);
        *cut = window;
    } else {
        array_free(&window.operations);
    }
}

/* The first return with which what came until then cannot be explained, by halves: a beginning of a
 * linearizable history is linearizable. */
static uint32_t find_end(struct explainer *self, const struct linear_part *part)
{
    uint32_t low = 0;
    uint32_t high = 0;
    for (size_t i = 0; i < part->operations.count; i++) {
        uint32_t ret = part->operations.items[i].ret;
        high = ret != HISTORY_NEVER && ret > high ? ret : high;
    }
    while (low + 1 < high) { /* with `high` it is wrong, with `low` it is not */
        uint32_t middle = low + (high - low) / 2;
        struct linear_part cut;
        linear_cut(part, middle, &cut);
        bool wrong = is_wrong(self, &cut);
        array_free(&cut.operations);
        *(wrong ? &high : &low) = middle;
    }
    return high;
}

/* ---- cutting the history -------------------------------------------------------------------- */

/* What may go without making a history wrong that is not: operations that tell only of the state;
 * and with them those whose effect no remaining one tells of. */
struct cutter {
    struct explainer *explainer;
    struct linear_part part; /* what is left */
    bool *goes;              /* by operation, in the try under way */
    struct number_map seen;  /* values that a remaining operation tells of */
};

static bool is_seen(struct cutter *self, uint32_t value)
{
    return *number_map_at(&self->seen, value) != UINT32_MAX;
}

static void see(struct cutter *self, uint32_t value)
{
    *number_map_at(&self->seen, value) = 1;
}

static void see_elements(struct cutter *self, uint32_t list)
{
    struct linear_numbers elements = {0};
    linear_elements(self->part.history, list, &elements);
    for (size_t i = 0; i < elements.count; i++) {
        see(self, elements.items[i]);
    }
    array_free(&elements);
}

/* What a remaining operation tells of. false: of everything. */
static bool see_operation(struct cutter *self, const struct linear_operation *operation)
{
    bool is_register = self->part.family == FAMILY_REGISTER;
    switch (operation->kind) {
    case KIND_NOT:
        return false;
    case KIND_READ:
        if (!is_register) {
            see_elements(self, operation->a);
            return true;
        }
        see(self, operation->a);
        return true;
    case KIND_CAS:
    case KIND_HAS:
        see(self, operation->a);
        return true;
    case KIND_ADD:
    case KIND_REMOVE:
        if (operation->b != 0) { /* it says whether its element was there */
            see(self, operation->a);
        }
        return true;
    default:
        return true;
    }
}

/* Keeps the writer of what is seen, and with a cas what it saw itself. */
static void keep_writers(struct cutter *self)
{
    bool sees_all = false;
    number_map_free(&self->seen);
    for (size_t i = 0; i < self->part.operations.count; i++) {
        sees_all =
            (!self->goes[i] && !see_operation(self, &self->part.operations.items[i])) || sees_all;
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < self->part.operations.count; i++) {
            const struct linear_operation *operation = &self->part.operations.items[i];
            bool writes = !linear_is_silent(operation);
            uint32_t written = operation->kind == KIND_CAS ? operation->b : operation->a;
            if (self->goes[i] && writes && (sees_all || is_seen(self, written))) {
                self->goes[i] = false;
                (void)see_operation(self, operation);
                changed = true;
            }
        }
    }
}

/* All operations on a value of a queue go together. */
static void keep_values(struct cutter *self)
{
    number_map_free(&self->seen);
    for (size_t i = 0; i < self->part.operations.count; i++) {
        const struct linear_operation *operation = &self->part.operations.items[i];
        self->goes[i] = self->goes[i] && operation->kind != KIND_TAKE;
        if (!self->goes[i] && operation->kind != KIND_EMPTY) {
            see(self, operation->a);
        }
    }
    for (size_t i = 0; i < self->part.operations.count; i++) {
        const struct linear_operation *operation = &self->part.operations.items[i];
        if (operation->kind != KIND_EMPTY && is_seen(self, operation->a)) {
            self->goes[i] = false;
        }
    }
}

static void keep_effects(struct cutter *self)
{
    for (size_t i = 0; i < self->part.operations.count; i++) {
        bool pure = false;
        if (self->goes[i]) {
            (void)linear_pure(&self->part, &self->part.operations.items[i], &pure);
            self->goes[i] = pure;
        }
    }
}

static void keep_needed(struct cutter *self)
{
    switch (self->part.family) {
    case FAMILY_REGISTER:
    case FAMILY_SET:
    case FAMILY_LIST:
        keep_writers(self);
        break;
    case FAMILY_QUEUE:
        keep_values(self);
        break;
    default:
        keep_effects(self);
    }
}

/* Tries the history without what is marked. */
static bool try_without(struct cutter *self)
{
    struct linear_part rest = self->part;
    memset(&rest.operations, 0, sizeof rest.operations);
    keep_needed(self);
    for (size_t i = 0; i < self->part.operations.count; i++) {
        if (!self->goes[i]) {
            *array_push(&rest.operations) = self->part.operations.items[i];
        }
    }
    if (rest.operations.count == self->part.operations.count || !is_wrong(self->explainer, &rest)) {
        array_free(&rest.operations);
        return false;
    }
    array_free(&self->part.operations);
    self->part = rest;
    return true;
}

/* Marks `size` operations from the `first` on, or as many values of a queue. false: none is left.
 */
static bool mark(struct cutter *self, size_t first, size_t size)
{
    size_t units = 0;
    size_t count = self->part.operations.count;
    struct number_map values = {0};
    for (size_t i = 0; i < count; i++) {
        const struct linear_operation *operation = &self->part.operations.items[i];
        size_t unit = i;
        if (self->part.family == FAMILY_QUEUE && operation->kind != KIND_EMPTY) {
            uint32_t *place = number_map_at(&values, operation->a);
            *place = *place == UINT32_MAX ? (uint32_t)units : *place;
            unit = *place;
            units += unit == units ? 1 : 0;
        } else if (self->part.family == FAMILY_QUEUE) {
            unit = units++;
        }
        self->goes[i] = unit >= first && unit - first < size;
    }
    number_map_free(&values);
    return first < (self->part.family == FAMILY_QUEUE ? units : count);
}

/* One pass; whether anything went. */
static bool pass(struct cutter *self, size_t size)
{
    bool any = false;
    for (size_t first = 0; mark(self, first, size);) {
        if (self->explainer->budget.steps_left < self->part.operations.count) {
            return false;
        }
        self->explainer->budget.steps_left -= self->part.operations.count;
        if (try_without(self)) {
            any = true;
        } else {
            first += size;
        }
    }
    return any;
}

static void shorten(struct explainer *explainer, struct linear_part *part)
{
    struct cutter self = {.explainer = explainer, .part = *part};
    size_t size = part->operations.count;
    self.goes = memory_new(size + 1);
    while (size > 1) {
        size = (size + 1) / 2;
        bool any = pass(&self, size);
        while (any && size == 1) {
            any = pass(&self, size);
        }
    }
    *part = self.part;
    memory_free(self.goes);
    number_map_free(&self.seen);
}

/* ---- how far it goes ------------------------------------------------------------------------ */

static uint32_t state_number(const struct linear_part *part, const struct linear_record *record,
                             uint32_t state)
{
    struct buffer copy = {0};
    struct bytes bytes = interner_bytes(&record->states, state);
    buffer_append(&copy, bytes.data, bytes.size);
    uint32_t number = history_number(part->history, buffer_bytes(&copy));
    buffer_free(&copy);
    return number;
}

static void add_step(const struct linear_part *part, const struct linear_record *record,
                     uint32_t node, struct linear_result *result)
{
    const struct record_node *of = &record->nodes.items[node];
    *array_push(&result->steps) = (struct linear_step){part->operations.items[of->operation].source,
                                                       state_number(part, record, of->state)};
}

/* The steps that lead to a node; those without effect just before the one that they stand at. */
static void add_longest(const struct linear_part *part, const struct linear_record *record,
                        uint32_t operation, struct linear_result *result)
{
    struct linear_numbers path = {0};
    for (uint32_t at = record->best[operation]; at != 0; at = record->nodes.items[at].parent) {
        *array_push(&path) = at;
    }
    struct linear_longest *longest = array_push(&result->longest);
    *longest = (struct linear_longest){.operation = part->operations.items[operation].source,
                                       .first = (uint32_t)result->steps.count,
                                       .count = (uint32_t)path.count};
    struct number_map anchored = {0}; /* node → the last of the path that stands at it ... */
    uint32_t *others = memory_new((path.count + 1) * sizeof *others); /* ... and the one before */
    for (uint32_t i = 0; i < path.count; i++) {
        uint32_t anchor = record->nodes.items[path.items[i]].anchor;
        if (anchor != 0) {
            uint32_t *latest = number_map_at(&anchored, anchor);
            others[i] = *latest;
            *latest = i;
        }
    }
    for (size_t i = path.count; i-- > 0;) {
        if (record->nodes.items[path.items[i]].anchor != 0) {
            continue;
        }
        for (uint32_t j = *number_map_at(&anchored, path.items[i]); j != UINT32_MAX;
             j = others[j]) {
            add_step(part, record, path.items[j], result);
        }
        add_step(part, record, path.items[i], result);
    }
    number_map_free(&anchored);
    memory_free(others);
    array_free(&path);
    ensure(result->steps.count == longest->first + longest->count);
}

static void add_configurations(const struct linear_part *part, const struct linear_record *record,
                               struct linear_result *result)
{
    for (size_t i = 0; i < record->configurations.count; i++) {
        const struct record_configuration *of = &record->configurations.items[i];
        *array_push(&result->configurations) =
            (struct linear_configuration){.state = state_number(part, record, of->state),
                                          .first = (uint32_t)result->candidates.count,
                                          .count = of->count};
        for (uint32_t j = 0; j < of->count; j++) {
            const struct record_candidate *candidate = &record->candidates.items[of->first + j];
            *array_push(&result->candidates) = (struct linear_candidate){
                part->operations.items[candidate->operation].source, candidate->is_legal};
        }
    }
}

static void record(const struct linear_part *part, uint32_t end, struct linear_result *result)
{
    struct linear_record record = {.goal = NO_OPERATION};
    struct linear_budget budget = {.steps_left = RECORD_STEPS_MAX};
    uint32_t furthest = 0;
    for (uint32_t i = 0; i < part->operations.count; i++) {
        record.goal = part->operations.items[i].ret == end ? i : record.goal;
    }
    ensure(record.goal != NO_OPERATION);
    (void)linear_search(part, 0, &budget, &furthest, &record);
    add_configurations(part, &record, result);
    size_t shown = 0;
    for (uint32_t i = 0; i < part->operations.count && shown < LONGEST_MAX; i++) {
        /* The latest ones, if there are many. */
        uint32_t operation = (uint32_t)part->operations.count - 1 - i;
        if (record.best[operation] != 0 && result->steps.count < STEPS_SHOWN_MAX) {
            add_longest(part, &record, operation, result);
            shown++;
        }
    }
    array_free(&record.nodes);
    array_free(&record.configurations);
    array_free(&record.candidates);
    interner_free(&record.states);
    memory_free(record.best);
}

void linear_explain(const struct linear_part *part, enum linear_rung rung, uint32_t furthest,
                    struct linear_result *result)
{
    struct explainer self = {.rung = rung, .budget = {.steps_left = ALL_STEPS_MAX}};
    struct linear_part cut;
    bool is_told = rung != LINEAR_DISTINCT && !linear_grows(part);
    uint32_t end = is_told ? part->operations.items[furthest].ret : find_end(&self, part);
    linear_cut(part, end, &cut);
    if (rung == LINEAR_SEARCH_REGISTER) {
        cut_to_window(&self, end, &cut);
    }
    result->rung = rung;
    result->key = part->key;
    shorten(&self, &cut);
    end = 0; /* the same, unless the steps did not suffice to find it */
    for (size_t i = 0; i < cut.operations.count; i++) {
        const struct linear_operation *operation = &cut.operations.items[i];
        *array_push(&result->kept) = operation->source;
        if (operation->ret != HISTORY_NEVER && operation->ret > end) {
            end = operation->ret;
            result->operation = operation->source;
        }
    }
    struct linear_certificate certificate = {0};
    if (linear_distinct(&cut, &certificate) == LINEAR_NO) {
        result->reason = certificate.reason;
        result->certificate_count = certificate.count;
        for (uint32_t i = 0; i < certificate.count; i++) {
            result->certificate[i] = cut.operations.items[certificate.operations[i]].source;
        }
    }
    record(&cut, end, result);
    array_free(&cut.operations);
}
