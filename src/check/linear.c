/*
 * Linearizability: a history is split by key, and each part climbs the rungs until one of them can
 * tell: distinct values, the log's order, a search. It never takes the word of a fingerprint for a
 * "no", and a limit that is reached is never a "yes".
 */
#include "check/linear_internal.h"

const char *linear_rung_name(enum linear_rung rung)
{
    static const char *const names[] = {
        [LINEAR_ANY] = "any",
        [LINEAR_WITNESS] = "witness",
        [LINEAR_DISTINCT] = "distinct",
        [LINEAR_WINDOW] = "window",
        [LINEAR_SEARCH_REGISTER] = "register",
        [LINEAR_SEARCH] = "general",
    };
    return names[rung];
}

bool linear_may_go_on(struct linear_budget *budget, uint64_t steps, uint64_t done,
                      size_t memory_bytes)
{
    const struct linear_options *options = budget->options;
    budget->searched += steps;
    if (budget->steps_left != UINT64_MAX) {
        if (budget->steps_left < steps) {
            return false;
        }
        budget->steps_left -= steps;
    }
    budget->is_stopped =
        options != NULL && options->go_on != NULL &&
        !options->go_on(options->context, budget->done + done, budget->all, memory_bytes);
    return !budget->is_stopped;
}

struct linear_budget linear_budget_some(const struct linear_budget *budget, uint64_t steps_max)
{
    struct linear_budget some = *budget;
    some.steps_left = budget->steps_left < steps_max ? budget->steps_left : steps_max;
    some.given = some.steps_left;
    return some;
}

void linear_budget_return(struct linear_budget *budget, const struct linear_budget *some)
{
    ensure(some->steps_left <= some->given);
    budget->searched = some->searched;
    budget->is_stopped = some->is_stopped;
    if (budget->steps_left != UINT64_MAX) {
        budget->steps_left -= some->given - some->steps_left;
    }
}

enum linear_verdict linear_search(const struct linear_part *part, uint64_t seed,
                                  struct linear_budget *budget, uint32_t *furthest,
                                  struct linear_record *record)
{
    return part->family == FAMILY_REGISTER
               ? linear_search_register(part, seed, budget, furthest, record)
               : linear_search_general(part, seed, budget, furthest, record);
}

enum linear_verdict linear_distinct(const struct linear_part *part,
                                    struct linear_certificate *certificate)
{
    *certificate = (struct linear_certificate){0};
    switch (part->family) {
    case FAMILY_REGISTER:
        return linear_distinct_register(part, certificate);
    case FAMILY_QUEUE:
        return linear_distinct_queue(part, certificate);
    case FAMILY_LIST:
        return linear_distinct_list(part, certificate);
    case FAMILY_SET:
        return linear_distinct_set(part, certificate);
    default:
        return LINEAR_PASS;
    }
}

/* ---- one part ------------------------------------------------------------------------------- */

/* Two searches with different random words, of which the second is of what the first one found
 * wanting: what had been called when the return came that cannot be reached. */
#define SEARCHES_MAX 8U

static enum linear_verdict search_part(const struct linear_part *part, struct linear_budget *budget,
                                       uint32_t *furthest)
{
    for (uint64_t seed = 0; seed < SEARCHES_MAX; seed += 2) {
        uint32_t again = 0;
        bool is_certain = false;
        enum linear_verdict verdict =
            part->family == FAMILY_REGISTER
                ? linear_search_by_windows(part, seed, budget, furthest, &is_certain)
                : linear_search(part, seed, budget, furthest, NULL);
        if (verdict != LINEAR_NO || is_certain) {
            return verdict;
        }
        struct linear_part cut;
        linear_cut(part,
                   linear_grows(part) ? HISTORY_NEVER - 1 : part->operations.items[*furthest].ret,
                   &cut);
        verdict = linear_search(&cut, seed + 1, budget, &again, NULL);
        array_free(&cut.operations);
        if (verdict != LINEAR_YES) {
            return verdict;
        }
    }
    return LINEAR_UNKNOWN;
}

static enum linear_verdict check_part(const struct linear_part *part, struct linear_budget *budget,
                                      enum linear_rung *rung, uint32_t *furthest)
{
    struct linear_certificate certificate;
    *rung = LINEAR_DISTINCT;
    enum linear_verdict verdict = linear_distinct(part, &certificate);
    if (verdict == LINEAR_PASS) {
        *rung = LINEAR_WITNESS;
        verdict = linear_witness(part);
    }
    if (verdict == LINEAR_PASS) {
        *rung = part->family == FAMILY_REGISTER ? LINEAR_SEARCH_REGISTER : LINEAR_SEARCH;
        verdict = search_part(part, budget, furthest);
    }
    return verdict;
}

static enum linear_verdict check_windows(const struct linear_part *part,
                                         struct linear_budget *budget)
{
    for (uint32_t i = 0; part->family == FAMILY_REGISTER && i < part->operations.count; i++) {
        if (part->operations.items[i].ret != HISTORY_NEVER && linear_window(part, i, budget)) {
            return LINEAR_NO;
        }
    }
    return budget->is_stopped ? LINEAR_UNKNOWN : LINEAR_PASS;
}

static enum linear_verdict check_only(const struct linear_part *part, enum linear_rung rung,
                                      struct linear_budget *budget)
{
    struct linear_certificate certificate;
    uint32_t furthest = 0;
    switch (rung) {
    case LINEAR_DISTINCT:
        return linear_distinct(part, &certificate);
    case LINEAR_WITNESS:
        return linear_witness(part);
    case LINEAR_WINDOW:
        return check_windows(part, budget);
    case LINEAR_SEARCH_REGISTER:
        return part->family == FAMILY_REGISTER
                   ? linear_search_register(part, 0, budget, &furthest, NULL)
                   : LINEAR_PASS;
    default:
        return linear_search_general(part, 0, budget, &furthest, NULL);
    }
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* One part, within the steps that it is given. LINEAR_UNKNOWN: these, or a limit, were reached. */
static enum linear_verdict check_next(const struct linear_part *part,
                                      const struct linear_options *options,
                                      struct linear_budget *budget, struct linear_result *result)
{
    enum linear_rung rung = options->only;
    uint32_t furthest = 0;
    if (options->only != LINEAR_ANY) {
        return check_only(part, rung, budget);
    }
    enum linear_verdict verdict = check_part(part, budget, &rung, &furthest);
    if (verdict == LINEAR_NO) {
        linear_explain(part, rung, furthest, result);
    }
    return verdict;
}

/* A few steps for each at first: the one that is wrong may be found soon, and another one be hard.
 */
#define FIRST_STEPS 512U
#define STEPS_GROWTH 8U

/* A "no" of any part is one of the whole; else what is not known of one is not known of all. */
static enum linear_verdict check_parts(struct linear_parts *parts,
                                       const struct linear_options *options,
                                       struct linear_budget *budget, struct linear_result *result)
{
    enum linear_verdict all = LINEAR_YES;
    uint64_t steps = parts->count == 1 ? UINT64_MAX : FIRST_STEPS;
    for (size_t left = parts->count; left > 0;
         steps = steps > UINT64_MAX / STEPS_GROWTH ? UINT64_MAX : steps * STEPS_GROWTH) {
        for (size_t i = 0; i < parts->count; i++) {
            struct linear_part *part = &parts->items[i];
            if (part->is_decided) {
                continue;
            }
            budget->steps_left = budget->given = steps;
            enum linear_verdict verdict = check_next(part, options, budget, result);
            if (verdict == LINEAR_NO || verdict == LINEAR_FAILED || budget->is_stopped) {
                return verdict;
            }
            if (verdict == LINEAR_UNKNOWN && steps != UINT64_MAX) {
                continue;
            }
            all = verdict == LINEAR_YES ? all : verdict;
            part->is_decided = true;
            left--;
            budget->done += part->operations.count;
            if (left > 0 && !linear_may_go_on(budget, 0, 0, 0)) {
                return LINEAR_UNKNOWN;
            }
        }
    }
    return all;
}

enum linear_verdict linear_check(struct history *history, const struct linear_options *options,
                                 struct linear_result *result, struct failure *failure)
{
    struct linear_parts parts = {0};
    struct linear_budget budget = {
        .options = options, .all = history_count(history), .steps_left = UINT64_MAX};
    ensure(options->model != LINEAR_CUSTOM || options->custom != NULL);
    *result = (struct linear_result){0};
    enum linear_verdict verdict = LINEAR_FAILED;
    if (linear_split(history, options, &parts, failure)) {
        verdict = check_parts(&parts, options, &budget, result);
    }
    result->searched = budget.searched;
    linear_parts_free(&parts);
    return verdict;
}

void linear_result_free(struct linear_result *result)
{
    array_free(&result->kept);
    array_free(&result->configurations);
    array_free(&result->candidates);
    array_free(&result->longest);
    array_free(&result->steps);
}
