/*
 * A quick "no" for registers whose values repeat. A search got as far as some return, and cannot
 * say in reasonable time that nothing else gets further. Mostly the reason is near: so only a
 * window before that return is searched, whatever came before it, and of the values at first one
 * only, the others being as good as each other. Both make more histories linearizable, never
 * fewer, so a "no" of a window is one of the whole. It never says "yes".
 */
#include "check/linear_internal.h"

#include <string.h>

#define WINDOW_FIRST 2U /* operations */
#define WINDOW_GROWTH 4U
#define VALUES_MAX 16U   /* that are looked at one by one */
#define STEPS_SHARE 10U  /* of the steps given, for one search; what takes more is passed over */
#define OTHER UINT32_MAX /* any value but those that are looked at */

/* ---- one value ------------------------------------------------------------------------------ */

static uint32_t seen_as(uint32_t number, uint32_t value)
{
    return number == value ? value : OTHER;
}

/* What the operation is, where only this value is told from others. false: nothing. */
static bool project_one(struct linear_operation *operation, uint32_t value)
{
    uint32_t a = seen_as(operation->a, value);
    uint32_t b = seen_as(operation->b, value);
    switch (operation->kind) {
    case KIND_CAS:
        if (a == b) { /* it left the state as it was */
            operation->kind = KIND_READ;
        }
        operation->b = a == b ? 0 : b;
        break;
    case KIND_NOT:
        if (a == OTHER) { /* the value, or one of the others: that tells nothing */
            return false;
        }
        operation->kind = KIND_READ;
        a = OTHER;
        break;
    default:
        ensure(operation->kind == KIND_READ || operation->kind == KIND_WRITE);
    }
    operation->a = a;
    return operation->ret != HISTORY_NEVER || !linear_is_silent(operation);
}

static void project(const struct linear_part *part, uint32_t value, struct linear_part *projected)
{
    *projected = *part;
    projected->initial = seen_as(part->initial, value);
    memset(&projected->operations, 0, sizeof projected->operations);
    for (size_t i = 0; i < part->operations.count; i++) {
        struct linear_operation operation = part->operations.items[i];
        if (project_one(&operation, value)) {
            *array_push(&projected->operations) = operation;
        }
    }
}

/* ---- a window ------------------------------------------------------------------------------- */

static bool returned_before(const struct linear_operation *operation, uint32_t place)
{
    return operation->ret < place; /* one that never returned has no such place */
}

/* What was called in the window, and what may have taken effect in it although it was called
 * before: that is a write then, which need not have an effect here. */
static void cut_window(const struct linear_part *part, uint32_t begin, struct linear_part *window)
{
    *window = *part;
    window->begin = begin;
    memset(&window->operations, 0, sizeof window->operations);
    for (size_t i = 0; i < part->operations.count; i++) {
        struct linear_operation operation = part->operations.items[i];
        if (operation.inv < begin && operation.ret != HISTORY_NEVER) {
            if (returned_before(&operation, begin) || linear_is_silent(&operation)) {
                continue;
            }
            operation.a = operation.kind == KIND_CAS ? operation.b : operation.a;
            operation.kind = KIND_WRITE;
        }
        *array_push(&window->operations) = operation;
    }
}

/* The values that something in it saw, the last one first. */
static void find_values(const struct linear_part *part, struct linear_numbers *values)
{
    struct number_map known = {0};
    for (size_t i = part->operations.count; i-- > 0;) {
        const struct linear_operation *operation = &part->operations.items[i];
        if (operation->kind == KIND_WRITE) {
            continue;
        }
        uint32_t *place = number_map_at(&known, operation->a);
        if (*place == UINT32_MAX) {
            *place = 0;
            *array_push(values) = operation->a;
        }
    }
    number_map_free(&known);
}

/* ---- searching it --------------------------------------------------------------------------- */

static enum linear_verdict search(const struct linear_part *window, uint64_t seed,
                                  struct linear_budget *budget)
{
    uint32_t furthest = 0;
    struct linear_budget some = linear_budget_some(budget, budget->given / STEPS_SHARE);
    enum linear_verdict verdict = linear_search_register(window, seed, &some, &furthest, NULL);
    linear_budget_return(budget, &some);
    return verdict;
}

/* Whether no state at the window's beginning explains it: none of these values, and no other. By
 * two searches, since a fingerprint may err. */
static bool is_wrong_from(const struct linear_part *window, const uint32_t *states, size_t count,
                          struct linear_budget *budget)
{
    struct linear_part begun = *window;
    for (size_t i = 0; i <= count; i++) {
        begun.initial = i == count ? OTHER : states[i];
        for (uint64_t seed = 0; seed < 2; seed++) {
            if (search(&begun, seed, budget) != LINEAR_NO) {
                return false;
            }
        }
    }
    return true;
}

static bool is_wrong(const struct linear_part *window, struct linear_budget *budget)
{
    struct linear_numbers values = {0};
    find_values(window, &values);
    bool wrong = false;
    for (size_t i = 0; !wrong && i < values.count && i < VALUES_MAX; i++) {
        struct linear_part projected;
        project(window, values.items[i], &projected);
        wrong = is_wrong_from(&projected, &values.items[i], 1, budget);
        array_free(&projected.operations);
    }
    wrong = wrong || is_wrong_from(window, values.items, values.count, budget);
    array_free(&values);
    return wrong;
}

/* Where the window that shows it begins, in a part that ends with it; HISTORY_NEVER: none does. */
static uint32_t find_begin(const struct linear_part *cut, struct linear_budget *budget)
{
    uint32_t count = (uint32_t)cut->operations.count;
    for (uint32_t size = WINDOW_FIRST; !budget->is_stopped; size *= WINDOW_GROWTH) {
        struct linear_part window;
        uint32_t begin = size < count ? cut->operations.items[count - size].inv : 0;
        cut_window(cut, begin, &window);
        bool wrong = is_wrong(&window, budget);
        array_free(&window.operations);
        if (wrong) {
            return begin;
        }
        if (size >= count) {
            break;
        }
    }
    return HISTORY_NEVER;
}

bool linear_window(const struct linear_part *part, uint32_t furthest, struct linear_budget *budget)
{
    struct linear_part cut;
    linear_cut(part, part->operations.items[furthest].ret, &cut);
    uint32_t begin = find_begin(&cut, budget);
    array_free(&cut.operations);
    return begin != HISTORY_NEVER;
}

/* ---- showing it ----------------------------------------------------------------------------- */

static uint32_t written_by(const struct linear_operation *operation)
{
    return operation->kind == KIND_CAS ? operation->b : operation->a;
}

/* Marks what returned before the window and may have been its first state: what no other one
 * replaced for certain. And of a value in it that nobody else here writes the last write, so that
 * nobody looks for it. */
static void mark_before(const struct linear_part *cut, uint32_t begin, bool *marks)
{
    uint32_t latest_inv = 0;
    struct number_map missing = {0};
    for (size_t i = 0; i < cut->operations.count; i++) {
        const struct linear_operation *operation = &cut->operations.items[i];
        if (!linear_is_silent(operation) && returned_before(operation, begin)) {
            latest_inv = operation->inv; /* they are in this order */
        }
        if (!returned_before(operation, begin) && operation->kind != KIND_WRITE) {
            *number_map_at(&missing, operation->a) = 1;
        }
    }
    for (int round = 0; round < 2; round++) { /* those first, then the writes that are missing */
        for (size_t i = cut->operations.count; i-- > 0;) {
            const struct linear_operation *operation = &cut->operations.items[i];
            if (linear_is_silent(operation)) {
                continue;
            }
            uint32_t *is_missing = number_map_at(&missing, written_by(operation));
            bool stays = !returned_before(operation, begin) || operation->ret >= latest_inv;
            if (stays || (round == 1 && *is_missing == 1)) {
                marks[i] = true;
                *is_missing = 0;
            }
        }
    }
    number_map_free(&missing);
}

bool linear_window_only(struct linear_part *cut, struct linear_budget *budget)
{
    uint32_t begin = find_begin(cut, budget);
    if (begin == HISTORY_NEVER) {
        return false;
    }
    bool *marks = memory_new_zeroed(cut->operations.count + 1, sizeof *marks);
    mark_before(cut, begin, marks);
    size_t kept = 0;
    for (size_t i = 0; i < cut->operations.count; i++) {
        if (marks[i] || cut->operations.items[i].inv >= begin) {
            cut->operations.items[kept++] = cut->operations.items[i];
        }
    }
    cut->operations.count = kept;
    memory_free(marks);
    return true;
}
