/*
 * Rung B for registers: each value was written once at most. What one blind write (or the initial
 * value) starts and cas continue is a chain, which is contiguous in every linearization: so chains
 * must each be possible in themselves, and be put one behind the other. Sorting, and a sweep. It
 * passes on where a value has two writers, or where it is not known what a cas saw.
 */
#include "check/linear_internal.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/* A value, and who wrote it. */
struct value {
    uint32_t writer;   /* an operation; NONE */
    uint32_t next_cas; /* the one that went on from it; NONE */
    uint32_t chain;    /* by the value that begins it; NONE: not known yet */
    uint32_t place;    /* among all values, those of a chain one after the other */
    bool is_needed;    /* some operation that certainly happened saw it */
};

struct chain {
    uint32_t begin; /* the value that begins it; NONE: there is no such chain */
    int64_t first_ret;
    int64_t last_inv;
    uint32_t first_ret_of; /* which operation; NONE: the initial value */
    uint32_t last_inv_of;
};

struct member {
    uint32_t chain;
    uint32_t place; /* the writer of the i-th value 2i, what only reads it 2i + 1 */
    uint32_t operation;
};

struct distinct {
    const struct linear_part *part;
    uint32_t *value_of; /* each operation's a, by places */
    uint32_t *written;  /* what it writes; NONE */
    struct {
        array_of(struct value);
    } values;
    uint32_t initial;
    uint32_t *needed; /* a stack of values */
    struct {
        array_of(struct member);
    } members;
    uint32_t places; /* values that stand in chains */
    struct chain *chains;
    struct linear_certificate *certificate;
};

static enum linear_verdict no(const struct distinct *self, const char *reason, uint32_t first,
                              uint32_t second)
{
    struct linear_certificate *certificate = self->certificate;
    certificate->reason = reason;
    certificate->operations[certificate->count++] = first;
    if (second != NONE) {
        certificate->operations[certificate->count++] = second;
    }
    return LINEAR_NO;
}

static const struct linear_operation *at(const struct distinct *self, uint32_t operation)
{
    return &self->part->operations.items[operation];
}

static struct value *value_at(const struct distinct *self, uint32_t place)
{
    ensure(place < self->values.count && self->values.items != NULL);
    return &self->values.items[place];
}

/* ---- values and their writers --------------------------------------------------------------- */

static uint32_t place_of(struct distinct *self, struct number_map *places, uint32_t number)
{
    uint32_t *place = number_map_at(places, number);
    if (*place == UINT32_MAX) {
        *place = (uint32_t)self->values.count;
        *array_push(&self->values) =
            (struct value){.writer = NONE, .next_cas = NONE, .chain = NONE};
    }
    return *place;
}

/* false: a value has two writers, or a cas does not say what it saw. */
static bool find_writers(struct distinct *self)
{
    struct number_map places = {0};
    bool fine = true;
    self->initial = place_of(self, &places, self->part->initial);
    for (uint32_t i = 0; fine && i < self->part->operations.count; i++) {
        const struct linear_operation *operation = at(self, i);
        self->value_of[i] = place_of(self, &places, operation->a);
        self->written[i] = NONE;
        if (operation->kind == KIND_WRITE) {
            self->written[i] = self->value_of[i];
        } else if (operation->kind == KIND_CAS) {
            self->written[i] = place_of(self, &places, operation->b);
        }
        fine = operation->kind != KIND_NOT;
        if (self->written[i] != NONE) {
            struct value *value = value_at(self, self->written[i]);
            fine = fine && value->writer == NONE && self->written[i] != self->initial;
            value->writer = i;
        }
    }
    number_map_free(&places);
    return fine;
}

/* An unknown write happened iff its value was seen, perhaps by way of other unknown ones. */
static void find_needed(struct distinct *self)
{
    uint32_t count = 0;
    self->needed = memory_new((self->values.count + 1) * sizeof *self->needed);
    for (uint32_t i = 0; i < self->part->operations.count; i++) {
        const struct linear_operation *operation = at(self, i);
        struct value *value = value_at(self, self->value_of[i]);
        if (operation->ret != HISTORY_NEVER && operation->kind != KIND_WRITE && !value->is_needed) {
            value->is_needed = true;
            self->needed[count++] = self->value_of[i];
        }
    }
    while (count > 0) {
        uint32_t writer = value_at(self, self->needed[--count])->writer;
        if (writer == NONE || at(self, writer)->kind != KIND_CAS) {
            continue;
        }
        struct value *value = value_at(self, self->value_of[writer]);
        if (!value->is_needed) {
            value->is_needed = true;
            self->needed[count++] = self->value_of[writer];
        }
    }
}

static bool has_happened(const struct distinct *self, uint32_t operation)
{
    return at(self, operation)->ret != HISTORY_NEVER ||
           (self->written[operation] != NONE &&
            value_at(self, self->written[operation])->is_needed);
}

static enum linear_verdict link_cas(struct distinct *self)
{
    for (uint32_t i = 0; i < self->part->operations.count; i++) {
        if (!has_happened(self, i) || at(self, i)->kind == KIND_WRITE) {
            continue;
        }
        uint32_t seen = self->value_of[i];
        struct value *value = value_at(self, seen);
        if (value->writer == NONE && seen != self->initial) {
            return no(self, "%1 saw a value that nothing wrote", i, NONE);
        }
        if (at(self, i)->kind == KIND_CAS) {
            if (value->next_cas != NONE) {
                return no(self, "%1 and %2 both replaced the same value, which was written once",
                          value->next_cas, i);
            }
            value->next_cas = i;
        }
    }
    return LINEAR_YES;
}

/* ---- chains --------------------------------------------------------------------------------- */

static void follow_chain(struct distinct *self, uint32_t begin)
{
    for (uint32_t value = begin; value != NONE;) {
        struct value *of = value_at(self, value);
        of->chain = begin;
        of->place = self->places++;
        value = of->next_cas == NONE ? NONE : self->written[of->next_cas];
    }
}

static enum linear_verdict find_chains(struct distinct *self)
{
    follow_chain(self, self->initial);
    for (uint32_t i = 0; i < self->part->operations.count; i++) {
        if (at(self, i)->kind == KIND_WRITE && has_happened(self, i)) {
            follow_chain(self, self->written[i]);
        }
    }
    for (uint32_t i = 0; i < self->part->operations.count; i++) {
        if (!has_happened(self, i)) {
            continue;
        }
        bool writes = self->written[i] != NONE;
        const struct value *value = value_at(self, writes ? self->written[i] : self->value_of[i]);
        if (value->chain == NONE) {
            return no(self, "%1 stands in a ring of cas, each of which needs another one before it",
                      value->writer, NONE);
        }
        *array_push(&self->members) =
            (struct member){value->chain, value->place * 2 + (writes ? 0 : 1), i};
    }
    return LINEAR_YES;
}

/* By place: counted, for there are as many places as values. */
static struct member *sort_members(const struct distinct *self)
{
    size_t count = self->members.count;
    uint32_t *ends = memory_new_zeroed((size_t)self->places * 2 + 1, sizeof *ends);
    struct member *sorted = memory_new((count + 1) * sizeof *sorted);
    for (size_t i = 0; i < count; i++) {
        ends[self->members.items[i].place + 1]++;
    }
    for (size_t i = 1; i <= (size_t)self->places * 2; i++) {
        ends[i] += ends[i - 1];
    }
    for (size_t i = 0; i < count; i++) {
        sorted[ends[self->members.items[i].place]++] = self->members.items[i];
    }
    memory_free(ends);
    return sorted;
}

/* The members of one chain, by place: none of a later place may precede one of an earlier place. */
static enum linear_verdict walk_chain(struct distinct *self, const struct member *members,
                                      size_t count, struct chain *chain)
{
    uint32_t begin = members[0].chain;
    bool is_initial = begin == self->initial;
    *chain = (struct chain){begin, is_initial ? -1 : INT64_MAX, -1, NONE, NONE};
    uint32_t latest = NONE; /* of the operations at earlier places the one that began last */
    uint32_t latest_here = NONE;
    for (size_t i = 0; i < count; i++) {
        const struct linear_operation *operation = at(self, members[i].operation);
        if (i > 0 && members[i].place != members[i - 1].place) {
            latest = latest_here;
        }
        if (latest != NONE && operation->ret < at(self, latest)->inv) {
            return no(self, "%1 returned before %2 began, but can only come after it",
                      members[i].operation, latest);
        }
        if (latest_here == NONE || operation->inv > at(self, latest_here)->inv) {
            latest_here = members[i].operation;
        }
        if (operation->ret < chain->first_ret) {
            chain->first_ret = operation->ret;
            chain->first_ret_of = members[i].operation;
        }
        if (operation->inv > chain->last_inv) {
            chain->last_inv = operation->inv;
            chain->last_inv_of = members[i].operation;
        }
    }
    return LINEAR_YES;
}

static int compare_chains(const void *left, const void *right)
{
    const struct chain *x = left;
    const struct chain *y = right;
    return x->first_ret == y->first_ret ? 0 : (x->first_ret < y->first_ret ? -1 : 1);
}

/* Two chains that each would have to come before the other; pairs suffice. */
static enum linear_verdict clash(struct distinct *self, const struct chain *a,
                                 const struct chain *b)
{
    struct linear_certificate *certificate = self->certificate;
    if (a->first_ret_of == NONE) { /* the initial value comes before all */
        certificate->reason = "%1 returned before %2 began: the value that %2 saw was gone by then";
        certificate->operations[0] = b->first_ret_of;
        certificate->operations[1] = a->last_inv_of;
        certificate->count = 2;
        return LINEAR_NO;
    }
    const struct chain *around = b->first_ret_of == b->last_inv_of ? a : b;
    const struct chain *between = around == a ? b : a;
    if (between->first_ret_of == between->last_inv_of) {
        certificate->reason = "%1 returned before %2 began, and that before %3 began: the value of "
                              "%1 and %3 had been replaced by that of %2";
        certificate->operations[0] = around->first_ret_of;
        certificate->operations[1] = between->first_ret_of;
        certificate->operations[2] = around->last_inv_of;
        certificate->count = 3;
        return LINEAR_NO;
    }
    certificate->reason = "%1 returned before %2 began, and %3 returned before %4 began: the value "
                          "of %1 and %4 would have to be there both before and after that of %2 "
                          "and %3";
    certificate->operations[0] = a->first_ret_of;
    certificate->operations[1] = b->last_inv_of;
    certificate->operations[2] = b->first_ret_of;
    certificate->operations[3] = a->last_inv_of;
    certificate->count = 4;
    return LINEAR_NO;
}

static enum linear_verdict sweep(struct distinct *self, size_t count)
{
    qsort(self->chains, count, sizeof *self->chains, compare_chains);
    const struct chain *kept = NULL; /* of those that begin earlier the one that lasts longest */
    for (size_t i = 0; i < count; i++) {
        const struct chain *chain = &self->chains[i];
        if (kept != NULL && kept->last_inv > chain->first_ret &&
            kept->first_ret < chain->last_inv) {
            return clash(self, kept, chain);
        }
        if (chain->first_ret < chain->last_inv &&
            (kept == NULL || chain->last_inv > kept->last_inv)) {
            kept = chain;
        }
    }
    return LINEAR_YES;
}

static enum linear_verdict judge_chains(struct distinct *self)
{
    size_t chains = 0;
    size_t count = self->members.count;
    if (count == 0) {
        return LINEAR_YES;
    }
    struct member *members = sort_members(self);
    array_free(&self->members);
    self->members.items = members; /* freed with the rest */
    self->members.count = count;
    self->members.capacity = count + 1;
    self->chains = memory_new(count * sizeof *self->chains);
    for (size_t first = 0; first < count;) {
        size_t end = first + 1;
        while (end < count && members[end].chain == members[first].chain) {
            end++;
        }
        enum linear_verdict verdict =
            walk_chain(self, members + first, end - first, &self->chains[chains++]);
        if (verdict != LINEAR_YES) {
            return verdict;
        }
        first = end;
    }
    return sweep(self, chains);
}

enum linear_verdict linear_distinct_register(const struct linear_part *part,
                                             struct linear_certificate *certificate)
{
    struct distinct self = {.part = part, .certificate = certificate};
    size_t count = part->operations.count + 1;
    self.value_of = memory_new(count * sizeof *self.value_of);
    self.written = memory_new(count * sizeof *self.written);
    enum linear_verdict verdict = LINEAR_PASS;
    if (find_writers(&self)) {
        find_needed(&self);
        verdict = link_cas(&self);
        verdict = verdict == LINEAR_YES ? find_chains(&self) : verdict;
        verdict = verdict == LINEAR_YES ? judge_chains(&self) : verdict;
    }
    memory_free(self.value_of);
    memory_free(self.written);
    memory_free(self.needed);
    memory_free(self.chains);
    array_free(&self.values);
    array_free(&self.members);
    return verdict;
}
