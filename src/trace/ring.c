/*
 * The ring of the latest events. It grows up to its capacity, then overwrites the oldest; it keeps
 * no entries of logs, only their count.
 */
#include "trace/internal.h"

#define SLOTS_FIRST 64U

static void grow(struct ring *ring)
{
    size_t allocated = ring->allocated == 0 ? SLOTS_FIRST : ring->allocated * 2;
    if (allocated > ring->capacity) {
        allocated = ring->capacity;
    }
    ring->slots = memory_resize(ring->slots, allocated * sizeof *ring->slots);
    for (size_t i = ring->allocated; i < allocated; i++) {
        ring->slots[i].storage = NULL;
        ring->slots[i].capacity = 0;
    }
    ring->allocated = allocated;
}

static void ring_read(void *context, const struct trace_event *event)
{
    struct ring *ring = context;
    if (ring->next == ring->allocated) {
        grow(ring);
    }
    event_copy_set(&ring->slots[ring->next], event, false);
    if (++ring->next == ring->capacity) {
        ring->next = 0;
    }
    if (ring->size < ring->capacity) {
        ring->size++;
    }
}

void trace_ring_free(struct ring *ring)
{
    for (size_t i = 0; i < ring->allocated; i++) {
        event_copy_free(&ring->slots[i]);
    }
    memory_free(ring->slots);
    *ring = (struct ring){0};
}

void trace_keep_ring(struct trace *trace, size_t capacity)
{
    if (trace->ring.capacity > 0) {
        trace_unsubscribe(trace, trace->ring.subscription);
        trace_ring_free(&trace->ring);
    }
    if (capacity > 0) {
        trace->ring.capacity = capacity;
        trace->ring.subscription = trace_subscribe(trace, TRACE_ALL, ring_read, &trace->ring);
    }
}

size_t trace_ring_size(const struct trace *trace)
{
    return trace->ring.size;
}

const struct trace_event *trace_ring_at(const struct trace *trace, size_t position)
{
    const struct ring *ring = &trace->ring;
    ensure(position < ring->size);
    size_t oldest = ring->size < ring->capacity ? 0 : ring->next;
    size_t at = oldest + position;
    return &ring->slots[at < ring->capacity ? at : at - ring->capacity].event;
}
