/*
 * Rung C, beginning: values by their places, so that facts about them are in an array; and unknown
 * operations by what they are.
 */
#include "check/linear_register.h"

#include <stdlib.h>

void register_count_want(struct register_search *self, uint32_t operation, uint32_t by)
{
    enum linear_kind kind = self->search.operations[operation].kind;
    if (kind == KIND_READ || kind == KIND_CAS) {
        self->values[self->a[operation]].wants += by;
    } else if (kind == KIND_NOT) {
        self->refusals += by;
        self->values[self->a[operation]].refusals += by;
    }
}

static uint32_t value_place(struct number_map *places, uint32_t number)
{
    uint32_t *place = number_map_at(places, number);
    if (*place == UINT32_MAX) {
        *place = (uint32_t)places->count - 1;
    }
    return *place;
}

static void number_values(struct register_search *self, struct interner *states)
{
    const struct linear_part *part = self->search.part;
    struct number_map places = {0};
    self->search.state = value_place(&places, part->initial);
    for (uint32_t i = 0; i < self->search.count; i++) {
        const struct linear_operation *operation = &self->search.operations[i];
        self->a[i] = value_place(&places, operation->a);
        self->b[i] = operation->kind == KIND_CAS ? value_place(&places, operation->b) : 0;
    }
    self->value_count = (uint32_t)places.count;
    self->values = memory_new_zeroed(places.count, sizeof *self->values);
    for (uint32_t value = 0; value < self->value_count; value++) {
        self->values[value].writes = NO_OPERATION;
    }
    if (states != NULL) { /* in the same order */
        (void)interner_number(states, history_value(part->history, part->initial));
        for (uint32_t i = 0; i < self->search.count; i++) {
            const struct linear_operation *operation = &self->search.operations[i];
            (void)interner_number(states, history_value(part->history, operation->a));
            if (operation->kind == KIND_CAS) {
                (void)interner_number(states, history_value(part->history, operation->b));
            }
        }
        ensure(states->ends.count == places.count);
    }
    number_map_free(&places);
}

/* One that never returned: by its kind, and then so that the cas to one value stand together. */
struct unknown_order {
    uint32_t kind;
    uint32_t b;
    uint32_t a;
    uint32_t operation;
};

static int compare_unknown(const void *left, const void *right)
{
    const struct unknown_order *x = left;
    const struct unknown_order *y = right;
    uint32_t keys[2][4] = {{x->kind, x->b, x->a, x->operation},
                           {y->kind, y->b, y->a, y->operation}};
    for (int i = 0; i < 4; i++) {
        if (keys[0][i] != keys[1][i]) {
            return keys[0][i] < keys[1][i] ? -1 : 1;
        }
    }
    return 0;
}

static void add_class(struct register_search *self, const struct unknown_order *order,
                      uint32_t position)
{
    uint32_t class = (uint32_t)self->classes.count;
    enum linear_kind kind = self->search.operations[order->operation].kind;
    *array_push(&self->classes) =
        (struct unknown_class){.kind = kind, .a = order->a, .b = order->b, .first = position};
    if (kind == KIND_WRITE) {
        self->values[order->a].writes = class;
        return;
    }
    struct value_facts *facts = &self->values[order->b];
    facts->cas = facts->cas_count == 0 ? class : facts->cas;
    facts->cas_count++;
}

static void class_unknown(struct register_search *self)
{
    struct unknown_order *orders = memory_new((self->search.count + 1) * sizeof *orders);
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->search.count; i++) {
        const struct linear_operation *operation = &self->search.operations[i];
        if (operation->ret == HISTORY_NEVER) {
            ensure(operation->kind == KIND_WRITE || operation->kind == KIND_CAS);
            orders[count++] = (struct unknown_order){operation->kind, self->b[i], self->a[i], i};
        }
    }
    qsort(orders, count, sizeof *orders, compare_unknown);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || orders[i].kind != orders[i - 1].kind || orders[i].a != orders[i - 1].a ||
            orders[i].b != orders[i - 1].b) {
            add_class(self, &orders[i], i);
        }
        uint32_t class = (uint32_t)self->classes.count - 1;
        self->classes.items[class].count++;
        self->unknown[i] = orders[i].operation;
        self->class_of[orders[i].operation] = class;
    }
    memory_free(orders);
}

void register_search_begin(struct register_search *self, const struct linear_part *part,
                           const struct search_rules *rules, uint64_t seed,
                           struct linear_record *record)
{
    *self = (struct register_search){0};
    search_begin(&self->search, part, rules, seed, record);
    size_t count = (size_t)self->search.count + 1;
    self->a = memory_new_zeroed(count, sizeof *self->a);
    self->b = memory_new_zeroed(count, sizeof *self->b);
    self->class_of = memory_new_zeroed(count, sizeof *self->class_of);
    self->unknown = memory_new_zeroed(count, sizeof *self->unknown);
    self->hidden = memory_new_zeroed(count, sizeof *self->hidden);
    self->hidden_at = memory_new_zeroed(count, sizeof *self->hidden_at);
    number_values(self, record == NULL ? NULL : &record->states);
    for (uint32_t i = 0; i < self->search.count; i++) {
        const struct linear_operation *operation = &self->search.operations[i];
        bool returns = operation->ret != HISTORY_NEVER;
        self->hidden[i] = returns && operation->kind == KIND_WRITE && operation->inv < part->begin;
        register_count_want(self, i, 1);
    }
    class_unknown(self);
}

void register_search_end(struct register_search *self)
{
    memory_free(self->a);
    memory_free(self->b);
    memory_free(self->class_of);
    memory_free(self->unknown);
    memory_free(self->hidden);
    memory_free(self->hidden_at);
    memory_free(self->values);
    array_free(&self->classes);
    array_free(&self->wanted);
    array_free(&self->cas);
    search_end(&self->search);
}
