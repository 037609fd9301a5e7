/*
 * Rung A: the cluster knows its order. Operations sorted by their place in the log are tried as
 * they stand; that they are a linearization is checked, whoever gave the order. It never says no.
 */
#include "check/linear_internal.h"

#include <stdlib.h>

struct placed {
    uint64_t log_index;
    bool is_read; /* behind the command at its index */
    uint32_t inv;
    uint32_t operation;
};

static int compare_placed(const void *left, const void *right)
{
    const struct placed *x = left;
    const struct placed *y = right;
    if (x->log_index != y->log_index) {
        return x->log_index < y->log_index ? -1 : 1;
    }
    if (x->is_read != y->is_read) {
        return y->is_read ? -1 : 1;
    }
    return x->inv < y->inv ? -1 : 1;
}

/* An unknown operation stands where the logs hold it, or else is left out. NULL: the place of one
 * that returned is not known. */
static struct placed *place_all(const struct linear_part *part, size_t *count)
{
    struct placed *placed = memory_new((part->operations.count + 1) * sizeof *placed);
    *count = 0;
    for (uint32_t i = 0; i < part->operations.count; i++) {
        const struct linear_operation *operation = &part->operations.items[i];
        uint64_t log_index = history_at(part->history, operation->source)->log_index;
        if (log_index != 0) {
            placed[(*count)++] =
                (struct placed){log_index, linear_is_silent(operation), operation->inv, i};
        } else if (operation->ret != HISTORY_NEVER) {
            memory_free(placed);
            return NULL;
        }
    }
    qsort(placed, *count, sizeof *placed, compare_placed);
    return placed;
}

static enum linear_verdict follow(const struct linear_part *part, const struct placed *placed,
                                  size_t count)
{
    struct buffer states[2] = {0};
    uint32_t latest_inv = 0;
    enum linear_verdict verdict = LINEAR_YES;
    linear_initial(part, &states[0]);
    for (size_t i = 0; i < count && verdict == LINEAR_YES; i++) {
        const struct linear_operation *operation = &part->operations.items[placed[i].operation];
        bool legal = false;
        if (operation->ret < latest_inv) { /* it precedes one that stands before it */
            verdict = LINEAR_PASS;
            break;
        }
        latest_inv = operation->inv > latest_inv ? operation->inv : latest_inv;
        buffer_clear(&states[(i + 1) & 1]);
        if (!linear_step(part, buffer_bytes(&states[i & 1]), operation, &legal,
                         &states[(i + 1) & 1])) {
            verdict = LINEAR_FAILED;
        } else if (!legal) {
            verdict = LINEAR_PASS;
        }
    }
    buffer_free(&states[0]);
    buffer_free(&states[1]);
    return verdict;
}

enum linear_verdict linear_witness(const struct linear_part *part)
{
    size_t count = 0;
    struct placed *placed = place_all(part, &count);
    if (placed == NULL) {
        return LINEAR_PASS;
    }
    enum linear_verdict verdict = follow(part, placed, count);
    memory_free(placed);
    return verdict;
}
