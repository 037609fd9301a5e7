/*
 * The event queue of the simulated world: two heaps with four children a node, one of deliveries,
 * whose contents lie in a pool beside it, and one of wake-ups. It allocates only to grow. It knows
 * no world, and never compares anything but time and order.
 */
#include "sim/internal.h"

#define CHILDREN 4

/* ---- the heap ------------------------------------------------------------------------------- */

static inline bool before(const struct queue_entry *a, const struct queue_entry *b)
{
    return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->order < b->order;
}

/* Wake-ups know their position (+ 1; 0: not queued), deliveries need not. */
static inline void put(struct heap *heap, size_t position, struct queue_entry entry, bool wakeups)
{
    heap->entries[position] = entry;
    if (wakeups) {
        entry.wakeup->position = position + 1;
    }
}

static inline void sift_up(struct heap *heap, size_t position, struct queue_entry entry,
                           bool wakeups)
{
    while (position > 0) {
        size_t parent = (position - 1) / CHILDREN;
        if (!before(&entry, &heap->entries[parent])) {
            break;
        }
        put(heap, position, heap->entries[parent], wakeups);
        position = parent;
    }
    put(heap, position, entry, wakeups);
}

static inline void sift_down(struct heap *heap, size_t position, struct queue_entry entry,
                             bool wakeups)
{
    for (;;) {
        size_t first = position * CHILDREN + 1;
        if (first >= heap->count) {
            break;
        }
        size_t end = first + CHILDREN < heap->count ? first + CHILDREN : heap->count;
        size_t least = first;
        for (size_t child = first + 1; child < end; child++) {
            if (before(&heap->entries[child], &heap->entries[least])) {
                least = child;
            }
        }
        if (!before(&heap->entries[least], &entry)) {
            break;
        }
        put(heap, position, heap->entries[least], wakeups);
        position = least;
    }
    put(heap, position, entry, wakeups);
}

static inline void heap_add(struct heap *heap, struct queue_entry entry, bool wakeups)
{
    if (heap->count == heap->capacity) {
        heap->capacity = heap->capacity == 0 ? 64 : heap->capacity * 2;
        heap->entries = memory_resize(heap->entries, heap->capacity * sizeof *heap->entries);
    }
    heap->count++;
    sift_up(heap, heap->count - 1, entry, wakeups);
}

static inline void heap_remove(struct heap *heap, size_t position, bool wakeups)
{
    ensure(position < heap->count);
    struct queue_entry last = heap->entries[--heap->count];
    if (position == heap->count) {
        return;
    }
    if (position > 0 && before(&last, &heap->entries[(position - 1) / CHILDREN])) {
        sift_up(heap, position, last, wakeups);
    } else {
        sift_down(heap, position, last, wakeups);
    }
}

/* ---- deliveries ----------------------------------------------------------------------------- */

static uint32_t take_slot(struct queue *queue)
{
    if (queue->unused != 0) {
        uint32_t slot = queue->unused - 1;
        queue->unused = queue->pool[slot].next_unused;
        return slot;
    }
    if (queue->pool_count == queue->pool_capacity) {
        ensure(queue->pool_capacity < UINT32_MAX / 2);
        queue->pool_capacity = queue->pool_capacity == 0 ? 256 : queue->pool_capacity * 2;
        queue->pool = memory_resize(queue->pool, queue->pool_capacity * sizeof *queue->pool);
    }
    return queue->pool_count++;
}

void queue_add(struct queue *queue, int64_t time_ns, const struct delivery *delivery)
{
    uint32_t slot = take_slot(queue);

    queue->pool[slot] = *delivery;
    heap_add(&queue->deliveries,
             (struct queue_entry){.time_ns = time_ns, .order = ++queue->order, .slot = slot},
             false);
}

/* ---- wake-ups ------------------------------------------------------------------------------- */

void queue_set_wakeup(struct queue *queue, struct wakeup *wakeup, int64_t at_ns)
{
    bool queued = wakeup->position != 0;

    if (at_ns == WORLD_NEVER) {
        if (queued) {
            heap_remove(&queue->wakeups, wakeup->position - 1, true);
            wakeup->position = 0;
        }
        wakeup->at_ns = WORLD_NEVER;
        return;
    }
    if (queued && wakeup->at_ns == at_ns) {
        return;
    }
    wakeup->at_ns = at_ns;
    wakeup->order = ++queue->order;
    if (queued && at_ns >= wakeup->queued_ns) {
        return; /* later: its entry stays where it is, and moves when it comes to the top */
    }
    wakeup->queued_ns = at_ns;
    struct queue_entry entry = {.time_ns = at_ns, .order = wakeup->order, .wakeup = wakeup};
    if (queued) {
        sift_up(&queue->wakeups, wakeup->position - 1, entry, true);
    } else {
        heap_add(&queue->wakeups, entry, true);
    }
}

/* The wake-up at the top stands at the time and order it was last set to, after this. */
static inline void settle_wakeups(struct queue *queue)
{
    while (queue->wakeups.count > 0) {
        struct queue_entry top = queue->wakeups.entries[0];
        struct wakeup *wakeup = top.wakeup;
        if (top.order == wakeup->order) {
            return;
        }
        ensure(wakeup->at_ns >= top.time_ns);
        wakeup->queued_ns = wakeup->at_ns;
        top.time_ns = wakeup->at_ns;
        top.order = wakeup->order;
        sift_down(&queue->wakeups, 0, top, true);
    }
}

/* ---- the next event ------------------------------------------------------------------------- */

int64_t queue_next_ns(struct queue *queue)
{
    int64_t next_ns = WORLD_NEVER;

    settle_wakeups(queue);
    if (queue->deliveries.count > 0) {
        next_ns = queue->deliveries.entries[0].time_ns;
    }
    if (queue->wakeups.count > 0 && queue->wakeups.entries[0].time_ns < next_ns) {
        next_ns = queue->wakeups.entries[0].time_ns;
    }
    return next_ns;
}

struct wakeup *queue_take(struct queue *queue, struct delivery *delivery)
{
    settle_wakeups(queue);
    if (queue->wakeups.count > 0 &&
        (queue->deliveries.count == 0 ||
         before(&queue->wakeups.entries[0], &queue->deliveries.entries[0]))) {
        struct wakeup *wakeup = queue->wakeups.entries[0].wakeup;
        heap_remove(&queue->wakeups, 0, true);
        wakeup->position = 0;
        wakeup->at_ns = WORLD_NEVER;
        return wakeup;
    }
    ensure(queue->deliveries.count > 0);
    uint32_t slot = queue->deliveries.entries[0].slot;
    heap_remove(&queue->deliveries, 0, false);
    *delivery = queue->pool[slot];
    queue->pool[slot].next_unused = queue->unused;
    queue->unused = slot + 1;
    return NULL;
}

void queue_free(struct queue *queue)
{
    ensure(queue->deliveries.count == 0);
    memory_free(queue->deliveries.entries);
    memory_free(queue->wakeups.entries);
    memory_free(queue->pool);
    *queue = (struct queue){0};
}
