/*
 * Rung B for queues: each value was put in once at most. Such a history is wrong in one of four
 * ways (Henzinger, Sezgin, Vafeiadis: "Aspect-oriented linearizability proofs", 2013): a value
 * taken that was not there, or twice; two taken in the other order than they were put in; nothing
 * found where something always was. Dequeues whose answer is not known may have taken what has to
 * be gone. Sorting and sweeps. It passes on where a value was put in twice, and where it is both
 * not known what dequeues took and found that nothing was there.
 */
#include "check/linear_internal.h"

#include <stdlib.h>

#define NONE UINT32_MAX

struct value {
    uint32_t put; /* operations; NONE */
    uint32_t taken;
};

struct place {
    uint32_t at;
    uint32_t value;
};

struct places {
    array_of(struct place);
};

struct queue {
    const struct linear_part *part;
    struct linear_certificate *certificate;
    struct {
        array_of(struct value);
    } values;
    struct linear_numbers unknown; /* dequeues */
    struct linear_numbers empty;
};

static const struct linear_operation *at(const struct queue *self, uint32_t operation)
{
    return &self->part->operations.items[operation];
}

static enum linear_verdict no(const struct queue *self, const char *reason,
                              const uint32_t *operations, uint32_t count)
{
    self->certificate->reason = reason;
    for (uint32_t i = 0; i < count; i++) {
        if (operations[i] != NONE) {
            self->certificate->operations[self->certificate->count++] = operations[i];
        }
    }
    return LINEAR_NO;
}

/* ---- values --------------------------------------------------------------------------------- */

static enum linear_verdict add(struct queue *self, uint32_t operation, struct value *value)
{
    bool puts = at(self, operation)->kind == KIND_ENQUEUE;
    uint32_t *which = puts ? &value->put : &value->taken;
    uint32_t before = *which;
    if (before != NONE && !puts && at(self, operation)->ret == HISTORY_NEVER) {
        return LINEAR_YES; /* it need not have happened */
    }
    *which = operation;
    if (before == NONE || (!puts && at(self, before)->ret == HISTORY_NEVER)) {
        return LINEAR_YES;
    }
    return puts ? LINEAR_PASS
                : no(self, "%1 and %2 both took a value that was put in once",
                     (uint32_t[]){before, operation}, 2);
}

/* Whether a value is put in twice is known only at the end: until then nothing is wrong. */
static enum linear_verdict collect(struct queue *self)
{
    struct number_map places = {0};
    enum linear_verdict wrong = LINEAR_YES;
    for (uint32_t i = 0; i < self->part->operations.count && wrong != LINEAR_PASS; i++) {
        const struct linear_operation *operation = at(self, i);
        if (operation->kind == KIND_TAKE) {
            *array_push(&self->unknown) = i;
            continue;
        } else if (operation->kind == KIND_EMPTY) {
            *array_push(&self->empty) = i;
            continue;
        }
        uint32_t *place = number_map_at(&places, operation->a);
        if (*place == UINT32_MAX) {
            *place = (uint32_t)self->values.count;
            *array_push(&self->values) = (struct value){NONE, NONE};
        }
        ensure(*place < self->values.count && self->values.items != NULL);
        struct value *value = &self->values.items[*place];
        enum linear_verdict verdict = wrong == LINEAR_NO && operation->kind != KIND_ENQUEUE
                                          ? LINEAR_YES
                                          : add(self, i, value);
        wrong = verdict == LINEAR_YES ? wrong : verdict;
    }
    number_map_free(&places);
    return wrong;
}

/* Each alone. Then those go whose being put in is not known, and which nobody took. */
static enum linear_verdict judge_values(struct queue *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->values.count; i++) {
        struct value value = self->values.items[i];
        if (value.put == NONE && at(self, value.taken)->ret == HISTORY_NEVER) {
            continue;
        } else if (value.put == NONE) {
            return no(self, "%1 took a value that nothing put in", &value.taken, 1);
        }
        if (value.taken != NONE && at(self, value.taken)->ret < at(self, value.put)->inv) {
            return no(self, "%1 returned before %2 began, but took what that put in",
                      (uint32_t[]){value.taken, value.put}, 2);
        }
        if (value.taken != NONE || at(self, value.put)->ret != HISTORY_NEVER) {
            self->values.items[kept++] = value;
        }
    }
    self->values.count = kept;
    return LINEAR_YES;
}

/* ---- order ---------------------------------------------------------------------------------- */

static int compare_places(const void *left, const void *right)
{
    const struct place *x = left;
    const struct place *y = right;
    return x->at == y->at ? 0 : (x->at < y->at ? -1 : 1);
}

static void sort(struct places *places)
{
    if (places->count > 0) {
        qsort(places->items, places->count, sizeof *places->items, compare_places);
    }
}

static uint32_t taken_at(const struct queue *self, uint32_t value)
{
    uint32_t taken = self->values.items[value].taken;
    return taken == NONE ? HISTORY_NEVER : at(self, taken)->inv;
}

/* Whether it is known who took it. (A beginning of a history may have dequeues that did not return:
 * they took that value or nothing.) */
static bool is_taken(const struct queue *self, uint32_t value)
{
    uint32_t taken = self->values.items[value].taken;
    return taken != NONE && at(self, taken)->ret != HISTORY_NEVER;
}

static enum linear_verdict overtaken(const struct queue *self, uint32_t first, uint32_t second)
{
    const struct value *a = &self->values.items[first];
    const struct value *b = &self->values.items[second];
    return no(
        self,
        a->taken == NONE
            ? "%1 returned before %2 began, but %3 took what %2 put in, and nothing took what "
              "%1 put in before that"
            : "%1 returned before %2 began, but %3, which took what %2 put in, returned "
              "before %4 began",
        (uint32_t[]){a->put, b->put, b->taken, a->taken}, 4);
}

/* a put in before b, and b taken before a. Where unknown dequeues could have taken a, a is looked
 * at by judge_unknown. */
static enum linear_verdict judge_pairs(const struct queue *self, const struct places *puts_end,
                                       const struct places *puts_begin)
{
    uint32_t latest = NONE; /* of those that were put in before, the one that was taken last */
    size_t next = 0;
    for (size_t i = 0; i < puts_begin->count; i++) {
        uint32_t b = puts_begin->items[i].value;
        for (; next < puts_end->count && puts_end->items[next].at < puts_begin->items[i].at;
             next++) {
            uint32_t a = puts_end->items[next].value;
            bool may_be_gone = !is_taken(self, a) && self->unknown.count > 0;
            if (!may_be_gone && (latest == NONE || taken_at(self, a) > taken_at(self, latest))) {
                latest = a;
            }
        }
        uint32_t taken = self->values.items[b].taken;
        if (latest != NONE && taken != NONE && at(self, taken)->ret < taken_at(self, latest)) {
            return overtaken(self, latest, b);
        }
    }
    return LINEAR_YES;
}

/* The first return of a dequeue that found nothing, of those that began after `place`. */
static uint32_t empty_after(const struct queue *self, uint32_t place, size_t *next, uint32_t *least)
{
    for (; *next > 0 && at(self, self->empty.items[*next - 1])->inv > place; (*next)--) {
        uint32_t ret = at(self, self->empty.items[*next - 1])->ret;
        *least = ret < *least ? ret : *least;
    }
    return *least;
}

/* What nobody is known to have taken, and by when it has to be gone: when the first one behind it
 * is taken, or nothing is found. */
static void find_deadlines(const struct queue *self, const struct places *puts_end,
                           const struct places *puts_begin, struct places *deadlines)
{
    size_t next = puts_begin->count;
    size_t next_empty = self->empty.count;
    uint32_t least = HISTORY_NEVER;
    uint32_t least_empty = HISTORY_NEVER;
    for (size_t i = puts_end->count; i-- > 0;) {
        uint32_t place = puts_end->items[i].at;
        for (; next > 0 && puts_begin->items[next - 1].at > place; next--) {
            uint32_t taken = self->values.items[puts_begin->items[next - 1].value].taken;
            uint32_t ret = taken == NONE ? HISTORY_NEVER : at(self, taken)->ret;
            least = ret < least ? ret : least;
        }
        uint32_t empty = empty_after(self, place, &next_empty, &least_empty);
        uint32_t deadline = empty < least ? empty : least;
        uint32_t a = puts_end->items[i].value;
        if (!is_taken(self, a) && taken_at(self, a) >= deadline && deadline != HISTORY_NEVER) {
            *array_push(deadlines) = (struct place){deadline, a};
        }
    }
    sort(deadlines);
}

/* The unknown dequeues, in order, have to suffice for these deadlines, in order. They are given to
 * these values, which is one way in which it may have been. */
static enum linear_verdict judge_unknown(struct queue *self, const struct places *puts_end,
                                         const struct places *puts_begin)
{
    struct places deadlines = {0};
    enum linear_verdict verdict = LINEAR_YES;
    find_deadlines(self, puts_end, puts_begin, &deadlines);
    for (size_t i = 0; i < deadlines.count && verdict == LINEAR_YES; i++) {
        struct value *value = &self->values.items[deadlines.items[i].value];
        if (i >= self->unknown.count ||
            at(self, self->unknown.items[i])->inv >= deadlines.items[i].at) {
            verdict = no(self,
                         "what %1 put in has to be gone before what was put in behind it was "
                         "taken, or nothing was found, but there are not enough dequeues that "
                         "could have taken it by then",
                         &value->put, 1);
        } else {
            value->taken = self->unknown.items[i];
        }
    }
    array_free(&deadlines);
    return verdict;
}

/* ---- emptiness ------------------------------------------------------------------------------ */

/* Each value is there for certain from the return of the one operation to the call of the other:
 * something is there during the union of these times. */
static enum linear_verdict judge_empty(const struct queue *self, const struct places *puts_end)
{
    if (self->empty.count == 0) {
        return LINEAR_YES;
    }
    size_t next = 0;
    size_t looked = 0;
    while (looked < self->empty.count) {
        if (next == puts_end->count) {
            return LINEAR_YES;
        }
        uint32_t from = puts_end->items[next].at;
        uint32_t first = self->values.items[puts_end->items[next].value].put;
        uint32_t to = 0;
        for (; next < puts_end->count && (to == 0 || puts_end->items[next].at < to); next++) {
            uint32_t gone = taken_at(self, puts_end->items[next].value);
            uint32_t here = gone > puts_end->items[next].at ? gone : puts_end->items[next].at;
            to = here > to ? here : to;
        }
        for (; looked < self->empty.count; looked++) { /* by inv, as all operations are */
            const struct linear_operation *operation = at(self, self->empty.items[looked]);
            if (operation->inv > to) {
                break;
            }
            if (operation->inv > from && operation->ret < to) {
                return no(self,
                          "%1 found nothing, but from the return of %2 until it returned there "
                          "always was something",
                          (uint32_t[]){self->empty.items[looked], first}, 2);
            }
        }
    }
    return LINEAR_YES;
}

/* With unknown dequeues: what is certain without those values that they may have taken; and then
 * whether it can have been as they were given out. Otherwise nobody knows. */
static enum linear_verdict judge_with_unknown(struct queue *self, const struct places *puts_end,
                                              const struct places *puts_begin)
{
    struct places certain = {0};
    for (size_t i = 0; i < puts_end->count; i++) {
        if (is_taken(self, puts_end->items[i].value)) {
            *array_push(&certain) = puts_end->items[i];
        }
    }
    enum linear_verdict verdict = judge_empty(self, &certain);
    array_free(&certain);
    verdict = verdict == LINEAR_YES ? judge_unknown(self, puts_end, puts_begin) : verdict;
    if (verdict == LINEAR_YES && judge_empty(self, puts_end) == LINEAR_NO) {
        *self->certificate = (struct linear_certificate){0};
        return LINEAR_PASS;
    }
    return verdict;
}

static enum linear_verdict judge_order(struct queue *self)
{
    struct places puts_end = {0};
    struct places puts_begin = {0};
    for (uint32_t i = 0; i < self->values.count; i++) {
        const struct linear_operation *put = at(self, self->values.items[i].put);
        *array_push(&puts_begin) = (struct place){put->inv, i};
        if (put->ret != HISTORY_NEVER) {
            *array_push(&puts_end) = (struct place){put->ret, i};
        }
    }
    sort(&puts_end);
    sort(&puts_begin);
    enum linear_verdict verdict = judge_pairs(self, &puts_end, &puts_begin);
    if (verdict == LINEAR_YES) {
        verdict = self->unknown.count > 0 ? judge_with_unknown(self, &puts_end, &puts_begin)
                                          : judge_empty(self, &puts_end);
    }
    array_free(&puts_end);
    array_free(&puts_begin);
    return verdict;
}

enum linear_verdict linear_distinct_queue(const struct linear_part *part,
                                          struct linear_certificate *certificate)
{
    struct queue self = {.part = part, .certificate = certificate};
    enum linear_verdict verdict = collect(&self);
    verdict = verdict == LINEAR_YES ? judge_values(&self) : verdict;
    verdict = verdict == LINEAR_YES ? judge_order(&self) : verdict;
    array_free(&self.values);
    array_free(&self.unknown);
    array_free(&self.empty);
    return verdict;
}
