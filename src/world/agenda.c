/*
 * What a world has to do at some time, and before it lets time pass. A wake-up that is put off
 * stays where it stands and is moved when it comes to the top: election timers are put off
 * thousands of times before they fire once.
 *
 * It never reads a clock, and calls nothing but flushers.
 */
#include "world/world.h"

static struct wakeup *wakeup_of(const struct heap_entry *entry)
{
    return item_of(entry->of.item, struct wakeup, queued);
}

void agenda_wake_at(struct agenda *agenda, struct wakeup *wakeup, int64_t at_ns)
{
    const struct heap_entry *entry = heap_find(&agenda->wakeups, &wakeup->queued);
    if (at_ns == WORLD_NEVER) {
        /* At once, not lazily: its owner may be about to free it. */
        heap_remove(&agenda->wakeups, &wakeup->queued);
        wakeup->at_ns = WORLD_NEVER;
        return;
    }
    ensure(wakeup->fire != NULL);
    if (entry != NULL && wakeup->at_ns == at_ns) {
        return;
    }
    wakeup->at_ns = at_ns;
    wakeup->order = agenda_order(agenda);
    if (entry == NULL || at_ns < entry->key) {
        heap_set(&agenda->wakeups, &wakeup->queued, at_ns, wakeup->order);
    }
}

int64_t agenda_settle(struct agenda *agenda, int64_t horizon_ns)
{
    const struct heap_entry *first = heap_first(&agenda->wakeups);
    while (first != NULL && first->key <= horizon_ns) {
        struct wakeup *wakeup = wakeup_of(first);
        if (first->order == wakeup->order) {
            break;
        }
        ensure(wakeup->at_ns >= first->key);
        heap_set(&agenda->wakeups, &wakeup->queued, wakeup->at_ns, wakeup->order);
        first = heap_first(&agenda->wakeups);
    }
    return agenda_earliest_ns(agenda);
}

struct wakeup *agenda_take(struct agenda *agenda, int64_t horizon_ns)
{
    (void)agenda_next_ns(agenda, horizon_ns);
    const struct heap_entry *first = heap_first(&agenda->wakeups);
    if (first == NULL || first->key > horizon_ns) {
        return NULL;
    }
    struct wakeup *wakeup = wakeup_of(first);
    heap_remove(&agenda->wakeups, &wakeup->queued);
    wakeup->at_ns = WORLD_NEVER;
    return wakeup;
}

void agenda_flush_soon(struct agenda *agenda, struct flusher *flusher)
{
    ensure(flusher->flush != NULL);
    if (!list_holds(&flusher->queued)) {
        list_append(&agenda->flushers, &flusher->queued);
    }
}

bool agenda_flush(struct agenda *agenda)
{
    size_t count = 0;
    list_each(&agenda->flushers, at) {
        count++;
    }
    for (size_t i = 0; i < count && agenda_has_flushers(agenda); i++) {
        struct flusher *flusher = item_of(list_first(&agenda->flushers), struct flusher, queued);
        list_remove(&flusher->queued);
        flusher->flush(flusher->context);
    }
    return count > 0;
}

void agenda_free(struct agenda *agenda)
{
    heap_free(&agenda->wakeups);
    *agenda = (struct agenda){0};
}
