/*
 * The twin of the checks of linearizability: all orders. It knows no rung.
 */
#include "linear_model.h"

#include <string.h>

void twin_begin(enum twin_model model, struct twin_state *state)
{
    memset(state, 0, sizeof *state);
    state->count = model == TWIN_SET || model == TWIN_QUEUE || model == TWIN_APPEND ? 0 : TWIN_NULL;
}

static bool same(const struct twin_state *a, const struct twin_state *b)
{
    size_t count = a->count > 0 ? (size_t)a->count : 0;
    return a->count == b->count && memcmp(a->items, b->items, count * sizeof a->items[0]) == 0;
}

static int find(const struct twin_state *state, int value)
{
    for (int i = 0; i < state->count; i++) {
        if (state->items[i] == value) {
            return i;
        }
    }
    return -1;
}

static void remove_at(struct twin_state *state, int at)
{
    state->count--;
    memmove(state->items + at, state->items + at + 1,
            (size_t)(state->count - at) * sizeof state->items[0]);
}

/* Sorted, each once. */
static bool put_in(struct twin_state *state, int value)
{
    int at = 0;
    if (find(state, value) >= 0) {
        return false;
    }
    while (at < state->count && state->items[at] < value) {
        at++;
    }
    memmove(state->items + at + 1, state->items + at,
            (size_t)(state->count - at) * sizeof state->items[0]);
    state->items[at] = value;
    state->count++;
    return true;
}

static void set_to(struct twin_state *state, int value)
{
    state->count = value == TWIN_NULL ? TWIN_NULL : 1;
    state->items[0] = value;
}

static void take(enum twin_model model, const struct twin_operation *operation,
                 struct twin_state *state, struct twin_state *result)
{
    if (model == TWIN_SET) {
        int at = find(state, operation->value);
        set_to(result, at >= 0 ? 1 : 0);
        if (at >= 0) {
            remove_at(state, at);
        }
        return;
    }
    set_to(result, state->count == 0 ? TWIN_NULL : state->items[0]);
    if (state->count > 0) {
        remove_at(state, 0);
    }
}

static void grow(enum twin_model model, const struct twin_operation *operation,
                 struct twin_state *state, struct twin_state *result)
{
    if (model == TWIN_SET) {
        set_to(result, put_in(state, operation->value) ? 1 : 0);
        return;
    }
    state->count = state->count < 0 ? 0 : state->count;
    state->items[state->count++] = operation->value;
}

void twin_apply(enum twin_model model, const struct twin_operation *operation,
                struct twin_state *state, struct twin_state *result)
{
    struct twin_state old;
    memset(result, 0, sizeof *result);
    switch (operation->f) {
    case TWIN_READ:
        *result = *state;
        break;
    case TWIN_WRITE:
        set_to(state, operation->value);
        break;
    case TWIN_DELETE:
        set_to(state, TWIN_NULL);
        break;
    case TWIN_CAS:
        *result = *state;
        set_to(&old, operation->value);
        if (same(state, &old)) {
            set_to(state, operation->new_value);
        }
        break;
    case TWIN_GROW:
        grow(model, operation, state, result);
        break;
    case TWIN_TAKE:
        take(model, operation, state, result);
        break;
    case TWIN_CONTAINS:
        set_to(result, find(state, operation->value) >= 0 ? 1 : 0);
        break;
    }
}

bool twin_step(enum twin_model model, const struct twin_operation *operation,
               struct twin_state *state)
{
    struct twin_state before = *state;
    struct twin_state result;
    struct twin_state old;
    twin_apply(model, operation, state, &result);
    if (!operation->is_known) {
        return true; /* a cas that found another value, too, is one that did not happen */
    }
    set_to(&old, operation->value);
    switch (operation->f) {
    case TWIN_CAS:
        if (!operation->is_refused) {
            return same(&result, &old);
        }
        *state = before;
        return operation->tells_seen ? same(&result, &operation->result) : !same(&result, &old);
    case TWIN_READ:
    case TWIN_CONTAINS:
        return same(&result, &operation->result);
    case TWIN_TAKE:
        return (model == TWIN_SET && !operation->tells_change) || same(&result, &operation->result);
    case TWIN_GROW:
        return model != TWIN_SET || !operation->tells_change || same(&result, &operation->result);
    default:
        return true;
    }
}

struct
try {
    const struct twin_history *history;
    uint32_t wanted; /* operations, a bit each */
    uint32_t end;
    struct twin_state states[TWIN_KEYS];
};

static uint32_t return_of(const struct try *now, uint32_t operation)
{
    uint32_t ret = now->history->operations[operation].ret;
    return ret > now->end ? TWIN_NEVER : ret;
}

/* Whether something that is not done returned before this one began. */
static bool must_wait(const struct try *now, uint32_t done, uint32_t operation)
{
    for (uint32_t other = 0; other < now->history->count; other++) {
        bool pending = (now->wanted >> other & 1) != 0 && (done >> other & 1) == 0;
        if (pending && return_of(now, other) < now->history->operations[operation].inv) {
            return true;
        }
    }
    return false;
}

static bool go_on(struct try *now, uint32_t done)
{
    bool all = true;
    for (uint32_t i = 0; i < now->history->count; i++) {
        bool pending = (now->wanted >> i & 1) != 0 && (done >> i & 1) == 0;
        all = all && !(pending && return_of(now, i) != TWIN_NEVER);
    }
    if (all) {
        return true;
    }
    for (uint32_t i = 0; i < now->history->count; i++) {
        const struct twin_operation *operation = &now->history->operations[i];
        if ((now->wanted >> i & 1) == 0 || (done >> i & 1) != 0 || operation->inv > now->end ||
            must_wait(now, done, i)) {
            continue;
        }
        struct twin_state before = now->states[operation->key];
        if (twin_step(now->history->model, operation, &now->states[operation->key]) &&
            go_on(now, done | 1U << i)) {
            return true;
        }
        now->states[operation->key] = before;
    }
    return false;
}

bool twin_is_linearizable(const struct twin_history *history, uint32_t operations, uint32_t end)
{
    struct try now = {.history = history, .wanted = operations, .end = end};
    for (uint32_t key = 0; key < TWIN_KEYS; key++) {
        twin_begin(history->model, &now.states[key]);
    }
    return go_on(&now, 0);
}
