/*
 * Wake-ups in order of time. A wake-up that is put off stays where it stands and is moved when it
 * comes to the top: election timers are put off thousands of times before they fire once.
 *
 * It never reads a clock and never calls anybody.
 */
#include "real/internal.h"

static bool is_before(const struct wakeup *a, const struct wakeup *b)
{
    return a->queued_ns != b->queued_ns ? a->queued_ns < b->queued_ns : a->order < b->order;
}

static void place(struct alarms *alarms, size_t slot, struct wakeup *wakeup)
{
    alarms->heap[slot] = wakeup;
    wakeup->position = slot + 1;
}

static void sift_up(struct alarms *alarms, size_t slot)
{
    struct wakeup *wakeup = alarms->heap[slot];
    while (slot > 0) {
        size_t parent = (slot - 1) / 2;
        if (!is_before(wakeup, alarms->heap[parent])) {
            break;
        }
        place(alarms, slot, alarms->heap[parent]);
        slot = parent;
    }
    place(alarms, slot, wakeup);
}

static void sift_down(struct alarms *alarms, size_t slot)
{
    struct wakeup *wakeup = alarms->heap[slot];
    for (;;) {
        size_t child = 2 * slot + 1;
        if (child >= alarms->count) {
            break;
        }
        if (child + 1 < alarms->count && is_before(alarms->heap[child + 1], alarms->heap[child])) {
            child++;
        }
        if (!is_before(alarms->heap[child], wakeup)) {
            break;
        }
        place(alarms, slot, alarms->heap[child]);
        slot = child;
    }
    place(alarms, slot, wakeup);
}

static void take_out(struct alarms *alarms, struct wakeup *wakeup)
{
    size_t slot = wakeup->position - 1;
    ensure(slot < alarms->count && alarms->heap[slot] == wakeup);
    struct wakeup *last = alarms->heap[--alarms->count];
    if (last != wakeup) {
        place(alarms, slot, last);
        sift_down(alarms, slot);
        sift_up(alarms, last->position - 1);
    }
    wakeup->position = 0;
    wakeup->at_ns = WORLD_NEVER;
}

void alarms_set(struct alarms *alarms, struct wakeup *wakeup, int64_t at_ns)
{
    if (at_ns == WORLD_NEVER) {
        /* At once, not lazily: its owner may be about to free it. */
        if (wakeup->position != 0) {
            take_out(alarms, wakeup);
        }
        wakeup->at_ns = WORLD_NEVER;
        return;
    }
    ensure(wakeup->fire != NULL);
    wakeup->at_ns = at_ns;
    if (wakeup->position != 0 && at_ns >= wakeup->queued_ns) {
        return;
    }
    wakeup->queued_ns = at_ns;
    wakeup->order = ++alarms->order;
    if (wakeup->position == 0) {
        if (alarms->count == alarms->capacity) {
            alarms->capacity = alarms->capacity == 0 ? 64 : 2 * alarms->capacity;
            alarms->heap = memory_resize(alarms->heap, alarms->capacity * sizeof(struct wakeup *));
        }
        place(alarms, alarms->count++, wakeup);
    }
    sift_up(alarms, wakeup->position - 1);
}

int64_t alarms_earliest(const struct alarms *alarms)
{
    return alarms->count == 0 ? WORLD_NEVER : alarms->heap[0]->queued_ns;
}

int64_t alarms_first_due(struct alarms *alarms, int64_t now_ns)
{
    while (alarms->count > 0 && alarms->heap[0]->queued_ns <= now_ns) {
        struct wakeup *top = alarms->heap[0];
        ensure(top->at_ns >= top->queued_ns);
        if (top->at_ns == top->queued_ns) {
            break;
        }
        top->queued_ns = top->at_ns;
        top->order = ++alarms->order;
        sift_down(alarms, 0);
    }
    return alarms_earliest(alarms);
}

struct wakeup *alarms_take(struct alarms *alarms, int64_t horizon_ns)
{
    if (alarms_first_due(alarms, horizon_ns) > horizon_ns) {
        return NULL;
    }
    if (alarms->count == 0) { /* the horizon is WORLD_NEVER */
        return NULL;
    }
    struct wakeup *wakeup = alarms->heap[0];
    take_out(alarms, wakeup);
    return wakeup;
}

void alarms_free(struct alarms *alarms)
{
    memory_free(alarms->heap);
    *alarms = (struct alarms){0};
}
