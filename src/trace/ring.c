/*
 * The ring of the latest events. It grows up to its capacity, then overwrites the oldest; it keeps
 * no entries of logs, only their count.
 */
#include "trace/internal.h"

/* Slots that are made together. The pages that they stand on are new to the process, and a page
 * fault costs more than an event: taken by itself at each, every command of a young cluster would
 * wait for two (2.5 of 20 us over TCP); together they cost less, and one command in many pays. */
#define SLOTS_TOGETHER 256U

static void make_slots(struct recent *recent)
{
    size_t missing = recent->count_max - recent->slots.count;
    size_t count = missing < SLOTS_TOGETHER ? missing : SLOTS_TOGETHER;
    struct event_copy *made = array_extend(&recent->slots, count);
    for (size_t i = 0; i < count; i++) {
        made[i].storage = NULL;
        made[i].capacity = 0;
    }
}

static void recent_read(void *context, const struct trace_event *event)
{
    struct recent *recent = context;
    if (recent->next == recent->slots.count) {
        make_slots(recent);
    }
    event_copy_set(&recent->slots.items[recent->next], event, false);
    if (++recent->next == recent->count_max) {
        recent->next = 0;
    }
    if (recent->count < recent->count_max) {
        recent->count++;
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

struct trace *trace_take_ring(struct trace *trace)
{
    struct trace *taken = trace_new();
    if (trace->recent.count_max > 0) {
        trace_unsubscribe(trace, trace->recent.subscription);
        taken->recent = trace->recent;
        taken->recent.subscription = 0;
        trace->recent = (struct recent){0};
    }
    return taken;
}

size_t trace_ring_size(const struct trace *trace)
{
    return trace->recent.count;
}

const struct trace_event *trace_ring_at(const struct trace *trace, size_t position)
{
    const struct recent *recent = &trace->recent;
    size_t count = recent->count;
    ensure(position < count);
    size_t oldest = count < recent->count_max ? 0 : recent->next;
    size_t at = oldest + position;
    return &recent->slots.items[at < count ? at : at - count].event;
}
