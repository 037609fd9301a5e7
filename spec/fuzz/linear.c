/*
 * Fuzzes the checks of linearizability: bytes become histories of up to nine operations, one after
 * the other, and each rung that can tell says what trying all orders says. What a "no" shows is
 * true as well: where it ends, that what is kept is enough, and each longest linearization.
 */
#include "support/linear_maker.h"

#include <stdio.h>

/* ---- what the rungs say --------------------------------------------------------------------- */

static enum linear_verdict check(struct history *history, enum twin_model model,
                                 enum linear_rung rung, struct linear_result *result)
{
    static const enum linear_model models[TWIN_MODELS] = {
        [TWIN_REGISTER] = LINEAR_REGISTER,
        [TWIN_CAS_REGISTER] = LINEAR_CAS_REGISTER,
        [TWIN_KV] = LINEAR_KV,
        [TWIN_SET] = LINEAR_SET,
        [TWIN_QUEUE] = LINEAR_QUEUE,
        [TWIN_APPEND] = LINEAR_APPEND,
    };
    struct linear_options options = {.model = models[model], .only = rung};
    struct failure failure;
    return linear_check(history, &options, result, &failure);
}

static void check_rungs(const struct maker *maker, struct history *history, bool expected)
{
    enum twin_model model = maker->history.model;
    enum linear_verdict wanted = expected ? LINEAR_YES : LINEAR_NO;
    for (int rung = LINEAR_WITNESS; rung <= LINEAR_SEARCH; rung++) {
        struct linear_result result;
        enum linear_verdict verdict = check(history, model, (enum linear_rung)rung, &result);
        linear_result_free(&result);
        bool agrees = verdict == wanted || (verdict == LINEAR_PASS && rung != LINEAR_SEARCH);
        if (!agrees) {
            maker_show(maker);
            (void)printf("%s: %d, should be %d\n", linear_rung_name((enum linear_rung)rung),
                         verdict, wanted);
            (void)fflush(stdout);
        }
        ensure(agrees);
    }
}

/* ---- what a "no" shows ---------------------------------------------------------------------- */

static uint32_t kept_set(const struct linear_result *result)
{
    uint32_t set = 0;
    for (size_t i = 0; i < result->kept.count; i++) {
        set |= 1U << result->kept.items[i];
    }
    return set;
}

/* The operations of the same key, or of a set that is split by element of the same one. */
static uint32_t part_set(const struct maker *maker, const struct linear_result *result)
{
    const struct twin_operation *end = &maker->history.operations[result->operation];
    bool is_split = maker->history.model == TWIN_SET;
    for (uint32_t i = 0; i < maker->history.count; i++) {
        is_split = is_split && maker->history.operations[i].f != TWIN_READ;
    }
    uint32_t set = 0;
    for (uint32_t i = 0; i < maker->history.count; i++) {
        const struct twin_operation *operation = &maker->history.operations[i];
        bool is_same = operation->key == end->key && (!is_split || operation->value == end->value);
        set |= is_same ? 1U << i : 0;
    }
    return set;
}

/* Each step is possible and leaves that state, nothing returned before what stands before it, and
 * nothing that returned before any of them is missing. */
static void check_longest(const struct maker *maker, const struct history *history, uint32_t kept,
                          uint32_t end, const struct linear_result *result,
                          const struct linear_longest *longest, bool is_split)
{
    struct twin_state state;
    struct buffer value = {0};
    uint32_t done = 0;
    twin_begin(maker->history.model, &state);
    for (uint32_t i = 0; i < longest->count; i++) {
        const struct linear_step *step = &result->steps.items[longest->first + i];
        const struct twin_operation *operation = &maker->history.operations[step->operation];
        ensure((kept >> step->operation & 1) != 0 && (done >> step->operation & 1) == 0);
        for (uint32_t j = 0; j < maker->history.count; j++) {
            uint32_t ret = maker->history.operations[j].ret;
            bool is_missing = (kept >> j & 1) != 0 && (done >> j & 1) == 0 && ret <= end;
            ensure(!is_missing || ret > operation->inv);
        }
        bool legal = twin_step(maker->history.model, operation, &state);
        ensure(legal);
        done |= 1U << step->operation;
        buffer_clear(&value);
        maker_write_state(maker->history.model, &state, &value);
        ensure(is_split || bytes_equal(buffer_bytes(&value), history_value(history, step->state)));
    }
    ensure((done >> longest->operation & 1) != 0);
    buffer_free(&value);
}

static void check_shown(const struct maker *maker, const struct history *history,
                        const struct linear_result *result)
{
    uint32_t end = maker->history.operations[result->operation].ret;
    uint32_t kept = kept_set(result);
    uint32_t part = part_set(maker, result);
    ensure(end != TWIN_NEVER && (kept >> result->operation & 1) != 0 && (kept & ~part) == 0);
    ensure(!twin_is_linearizable(&maker->history, part, end));
    ensure(twin_is_linearizable(&maker->history, part, end - 1));
    ensure(!twin_is_linearizable(&maker->history, kept, end));
    ensure(result->configurations.count > 0);
    bool is_split = maker->history.model == TWIN_SET;
    for (size_t i = 0; i < result->longest.count; i++) {
        check_longest(maker, history, kept, end, result, &result->longest.items[i], is_split);
    }
}

static void check_one(struct input *input, uint32_t *yes)
{
    struct maker maker = {.input = *input};
    maker_make(&maker);
    *input = maker.input;
    uint32_t all = (1U << maker.history.count) - 1;
    bool expected = twin_is_linearizable(&maker.history, all, PLACES);
    *yes += expected ? 1 : 0;
    struct history *history = maker_history(&maker);
    ensure(history_count(history) == maker.history.count);
    check_rungs(&maker, history, expected);
    struct linear_result result;
    enum linear_verdict verdict = check(history, maker.history.model, LINEAR_ANY, &result);
    ensure(verdict == (expected ? LINEAR_YES : LINEAR_NO));
    if (!expected) {
        check_shown(&maker, history, &result);
    }
    linear_result_free(&result);
    history_free(history);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint32_t count = 0;
    uint32_t yes = 0;
    while (input.size > 0) {
        check_one(&input, &yes);
        count++;
    }
    if (count >= 1000) { /* the specs ask how many there were */
        (void)printf("%u histories, %u linearizable\n", count, yes);
    }
    return 0;
}
