/*
 * The ring of the latest events. It grows up to its capacity, then overwrites the oldest; it keeps
 * no entries of logs, only their count.
 */
#include "trace/internal.h"

static void recent_read(void *context, const struct trace_event *event)
{
    struct recent *recent = context;
    if (recent->next == recent->slots.count) {
        struct event_copy *slot = array_push(&recent->slots);
        slot->storage = NULL;
        slot->capacity = 0;
    }
    event_copy_set(&recent->slots.items[recent->next], event, false);
    if (++recent->next == recent->count_max) {
        recent->next = 0;
    }
}

void recent_free(struct recent *recent)
{
    for (size_t i = 0; i < recent->slots.count; i++) {
        event_copy_free(&recent->slots.items[i]);
    }
    array_free(&recent->slots);
    *recent = (struct recent){0};
}

void trace_keep_ring(struct trace *trace, size_t capacity)
{
    if (trace->recent.count_max > 0) {
        trace_unsubscribe(trace, trace->recent.subscription);
        recent_free(&trace->recent);
    }
    if (capacity > 0) {
        trace->recent.count_max = capacity;
        trace->recent.subscription = trace_subscribe(trace, TRACE_ALL, recent_read, &trace->recent);
    }
}

size_t trace_ring_size(const struct trace *trace)
{
    return trace->recent.slots.count;
}

const struct trace_event *trace_ring_at(const struct trace *trace, size_t position)
{
    const struct recent *recent = &trace->recent;
    size_t count = recent->slots.count;
    ensure(position < count);
    size_t oldest = count < recent->count_max ? 0 : recent->next;
    size_t at = oldest + position;
    return &recent->slots.items[at < count ? at : at - count].event;
}
