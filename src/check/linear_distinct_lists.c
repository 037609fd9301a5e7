/*
 * Rung B for lists that are appended to and for sets that only grow, read as a whole, each element
 * added once at most: the reads, by size, give the order in which everything has to have happened;
 * it is enough that nothing of a later place returned before something of an earlier one began. It
 * passes on where an element was added twice, and where a set is used in other ways.
 */
#include "check/linear_internal.h"

#include <stdlib.h>

#define NONE UINT32_MAX

/* ---- places --------------------------------------------------------------------------------- */

static int compare_placed(const void *left, const void *right)
{
    const struct linear_placed *x = left;
    const struct linear_placed *y = right;
    return x->place == y->place ? 0 : (x->place < y->place ? -1 : 1);
}

enum linear_verdict linear_walk(const struct linear_part *part, const struct linear_placed *placed,
                                size_t count, struct linear_certificate *certificate)
{
    uint32_t latest = NONE; /* of the operations at earlier places the one that began last */
    uint32_t latest_here = NONE;
    const struct linear_operation *operations = part->operations.items;
    for (size_t i = 0; i < count; i++) {
        uint32_t operation = placed[i].operation;
        if (i > 0 && placed[i].place != placed[i - 1].place) {
            latest = latest_here;
        }
        if (latest != NONE && operations[operation].ret < operations[latest].inv) {
            certificate->reason = "%1 returned before %2 began, but can only come after it";
            certificate->operations[0] = operation;
            certificate->operations[1] = latest;
            certificate->count = 2;
            return LINEAR_NO;
        }
        if (latest_here == NONE || operations[operation].inv > operations[latest_here].inv) {
            latest_here = operation;
        }
    }
    return LINEAR_YES;
}

/* ---- what was added, and what was read ------------------------------------------------------ */

/* A value that was read, perhaps several times. */
struct whole {
    uint32_t value;
    uint32_t size;
    uint32_t reader; /* the first */
    uint32_t group;  /* of those of one size */
};

struct element {
    uint32_t adder; /* NONE */
    uint32_t group; /* of the first reads that hold it; NONE */
};

struct collection {
    const struct linear_part *part;
    struct linear_certificate *certificate;
    struct number_map element_places;
    struct {
        array_of(struct element);
    } elements;
    struct number_map whole_places;
    struct {
        array_of(struct whole);
    } wholes;
    uint32_t groups;
};

static enum linear_verdict no(const struct collection *self, const char *reason, uint32_t first,
                              uint32_t second)
{
    self->certificate->reason = reason;
    self->certificate->operations[self->certificate->count++] = first;
    if (second != NONE) {
        self->certificate->operations[self->certificate->count++] = second;
    }
    return LINEAR_NO;
}

static uint32_t element_place(struct collection *self, uint32_t value)
{
    uint32_t *place = number_map_at(&self->element_places, value);
    if (*place == UINT32_MAX) {
        *place = (uint32_t)self->elements.count;
        *array_push(&self->elements) = (struct element){NONE, NONE};
    }
    return *place;
}

static uint32_t size_of(const struct linear_part *part, uint32_t list)
{
    struct bytes bytes = history_value(part->history, list);
    struct value_reader reader = {.data = bytes.data, .size = bytes.size};
    struct value_item item = {0};
    bool fine = value_read(&reader, &item) && item.kind == VALUE_ARRAY;
    ensure(fine);
    return (uint32_t)item.count;
}

/* false: an element was added twice, or something else was done than to add and to read. */
static bool collect(struct collection *self)
{
    for (uint32_t i = 0; i < self->part->operations.count; i++) {
        const struct linear_operation *operation = &self->part->operations.items[i];
        if (operation->kind == KIND_READ) {
            uint32_t *place = number_map_at(&self->whole_places, operation->a);
            if (*place == UINT32_MAX) {
                *place = (uint32_t)self->wholes.count;
                *array_push(&self->wholes) = (struct whole){
                    .value = operation->a, .size = size_of(self->part, operation->a), .reader = i};
            }
            continue;
        }
        if (operation->kind != KIND_ADD && operation->kind != KIND_APPEND) {
            return false;
        }
        uint32_t place = element_place(self, operation->a);
        if (self->elements.items[place].adder != NONE) {
            return false;
        }
        self->elements.items[place].adder = i;
    }
    return true;
}

static int compare_wholes(const void *left, const void *right)
{
    const struct whole *x = left;
    const struct whole *y = right;
    if (x->size != y->size) {
        return x->size < y->size ? -1 : 1;
    }
    return x->value == y->value ? 0 : (x->value < y->value ? -1 : 1);
}

/* ---- groups: reads of one size -------------------------------------------------------------- */

/* The elements of a list in a larger one have to stand in the same order at its beginning. */
static bool is_beginning(const struct linear_part *part, uint32_t list, uint32_t larger)
{
    struct linear_numbers few = {0};
    struct linear_numbers many = {0};
    linear_elements(part->history, list, &few);
    linear_elements(part->history, larger, &many);
    bool is_it =
        few.count <= many.count &&
        (few.count == 0 || memcmp(few.items, many.items, few.count * sizeof *few.items) == 0);
    array_free(&few);
    array_free(&many);
    return is_it;
}

/* One group further: what these reads hold, and no smaller one. */
static enum linear_verdict judge_whole(struct collection *self, struct whole *whole,
                                       const struct whole *smaller)
{
    struct linear_numbers elements = {0};
    enum linear_verdict verdict = LINEAR_YES;
    uint32_t known = 0;
    uint32_t group = self->groups++;
    whole->group = group;
    linear_elements(self->part->history, whole->value, &elements);
    for (size_t i = 0; i < elements.count && verdict == LINEAR_YES; i++) {
        uint32_t place = element_place(self, elements.items[i]);
        struct element *element = &self->elements.items[place];
        if (element->adder == NONE) {
            verdict = no(self, "%1 read an element that nothing added", whole->reader, NONE);
        } else if (element->group == group) {
            verdict = no(self, "%1 read an element twice that was added once, by %2", whole->reader,
                         element->adder);
        } else if (element->group == NONE) {
            element->group = group;
        } else {
            known++;
        }
    }
    if (verdict == LINEAR_YES && smaller != NULL && known != smaller->size) {
        verdict = no(self, "%1 and %2 each read something that the other one did not",
                     smaller->reader, whole->reader);
    }
    array_free(&elements);
    return verdict;
}

static enum linear_verdict judge_wholes(struct collection *self, bool is_list)
{
    if (self->wholes.count == 0) {
        return LINEAR_YES;
    }
    qsort(self->wholes.items, self->wholes.count, sizeof *self->wholes.items, compare_wholes);
    for (size_t i = 0; i < self->wholes.count; i++) {
        struct whole *whole = &self->wholes.items[i];
        const struct whole *smaller = i == 0 ? NULL : whole - 1;
        enum linear_verdict verdict = judge_whole(self, whole, smaller);
        if (verdict != LINEAR_YES) {
            return verdict;
        }
        *number_map_at(&self->whole_places, whole->value) = whole->group;
        if (is_list && smaller != NULL && !is_beginning(self->part, smaller->value, whole->value)) {
            return no(self, "what %1 read is not the beginning of what %2 read", smaller->reader,
                      whole->reader);
        }
    }
    return LINEAR_YES;
}

/* ---- the order ------------------------------------------------------------------------------ */

/* The elements of a list have places of their own: their order is known from the largest read. */
static void order_elements(struct collection *self)
{
    struct linear_numbers elements = {0};
    if (self->wholes.count > 0) {
        linear_elements(self->part->history, self->wholes.items[self->wholes.count - 1].value,
                        &elements);
    }
    for (uint32_t i = 0; i < elements.count; i++) {
        self->elements.items[element_place(self, elements.items[i])].group = i;
    }
    for (size_t i = 0; i < self->wholes.count; i++) { /* a list of n elements follows the n-th */
        const struct whole *whole = &self->wholes.items[i];
        *number_map_at(&self->whole_places, whole->value) = whole->size;
    }
    self->groups = (uint32_t)elements.count;
    array_free(&elements);
}

/* Additions of a group come before its reads (of a list: its n-th element before the reads of n).
 * Those that were never read come last, or may not have happened. */
static uint32_t place_of(struct collection *self, const struct linear_operation *operation,
                         bool is_list)
{
    if (operation->kind == KIND_READ) {
        uint32_t group = *number_map_at(&self->whole_places, operation->a);
        return is_list ? 2 * group : 2 * group + 1;
    }
    const struct element *element = &self->elements.items[element_place(self, operation->a)];
    if (element->group == NONE) {
        return operation->ret == HISTORY_NEVER ? NONE : 2 * self->groups + 2;
    }
    return is_list ? 2 * element->group + 1 : 2 * element->group;
}

static enum linear_verdict judge(struct collection *self, bool is_list)
{
    enum linear_verdict verdict = judge_wholes(self, is_list);
    if (verdict != LINEAR_YES) {
        return verdict;
    }
    if (is_list) {
        order_elements(self);
    }
    size_t count = 0;
    struct linear_placed *placed = memory_new((self->part->operations.count + 1) * sizeof *placed);
    for (uint32_t i = 0; i < self->part->operations.count; i++) {
        uint32_t place = place_of(self, &self->part->operations.items[i], is_list);
        if (place != NONE) {
            placed[count++] = (struct linear_placed){place, i};
        }
    }
    qsort(placed, count, sizeof *placed, compare_placed);
    verdict = linear_walk(self->part, placed, count, self->certificate);
    memory_free(placed);
    return verdict;
}

static enum linear_verdict judge_collection(const struct linear_part *part, bool is_list,
                                            struct linear_certificate *certificate)
{
    struct collection self = {.part = part, .certificate = certificate};
    enum linear_verdict verdict = collect(&self) ? judge(&self, is_list) : LINEAR_PASS;
    number_map_free(&self.element_places);
    number_map_free(&self.whole_places);
    array_free(&self.elements);
    array_free(&self.wholes);
    return verdict;
}

enum linear_verdict linear_distinct_list(const struct linear_part *part,
                                         struct linear_certificate *certificate)
{
    return judge_collection(part, true, certificate);
}

enum linear_verdict linear_distinct_set(const struct linear_part *part,
                                        struct linear_certificate *certificate)
{
    return judge_collection(part, false, certificate);
}
