/*
 * Handing events to their readers, in order. An event that a reader emits waits until every reader
 * has seen the present one, so that all readers see one order. It never drops an event, and never
 * calls a reader from within another.
 */
#include "trace/internal.h"

#include <string.h>

struct trace *trace_new(void)
{
    return memory_new_zeroed(1, sizeof(struct trace));
}

void trace_free(struct trace *trace)
{
    if (trace == NULL) {
        return;
    }
    ensure(!trace->is_emitting);
    trace_outputs_close(trace);
    recent_free(&trace->recent);
    ensure(trace->queue.count == 0);
    ring_free(&trace->queue);
    array_free(&trace->subscribers);
    array_free(&trace->marks);
    memory_free(trace);
}

/* ---- readers -------------------------------------------------------------------------------- */

static void refresh_wanted(struct trace *trace)
{
    trace->wanted = 0;
    for (size_t i = 0; i < trace->subscribers.count; i++) {
        trace->wanted |= trace->subscribers.items[i].mask;
    }
}

int trace_subscribe(struct trace *trace, uint64_t mask, trace_reader *reader, void *context)
{
    ensure(reader != NULL);
    int id = ++trace->last_subscription;
    *array_push(&trace->subscribers) = (struct subscriber){mask & TRACE_ALL, reader, context, id};
    refresh_wanted(trace);
    return id;
}

static void remove_ended(struct trace *trace)
{
    size_t kept = 0;
    for (size_t i = 0; i < trace->subscribers.count; i++) {
        if (trace->subscribers.items[i].reader != NULL) {
            trace->subscribers.items[kept++] = trace->subscribers.items[i];
        }
    }
    trace->subscribers.count = kept;
    trace->has_ended_subscribers = false;
}

void trace_unsubscribe(struct trace *trace, int subscription)
{
    for (size_t i = 0; i < trace->subscribers.count; i++) {
        if (trace->subscribers.items[i].id == subscription) {
            trace->subscribers.items[i].reader = NULL;
            trace->subscribers.items[i].mask = 0;
            trace->has_ended_subscribers = true;
        }
    }
    /* A reader may end itself or another: places must not move under the loop that calls them. */
    if (!trace->is_emitting) {
        remove_ended(trace);
    }
    refresh_wanted(trace);
}

uint64_t trace_wanted(const struct trace *trace)
{
    return trace->wanted;
}

/* ---- emitting ------------------------------------------------------------------------------- */

static void hand_out(struct trace *trace, const struct trace_event *event)
{
    uint64_t bit = TRACE_MASK(event->kind);
    size_t count = trace->subscribers.count; /* who subscribes now begins with the next event */
    for (size_t i = 0; i < count; i++) {
        const struct subscriber *subscriber = &trace->subscribers.items[i];
        if ((subscriber->mask & bit) != 0) {
            subscriber->reader(subscriber->context, event);
        }
    }
}

static void hand_out_queued(struct trace *trace)
{
    while (trace->queue.count > 0) {
        struct event_copy copy = *ring_pop(&trace->queue); /* readers may emit, and so push */
        hand_out(trace, &copy.event);
        event_copy_free(&copy);
    }
}

void trace_emit(struct trace *trace, struct trace_event *event)
{
    ensure(event->kind < TRACE_KIND_COUNT);
    event->number = ++trace->count;
    if ((trace->wanted & TRACE_MASK(event->kind)) == 0) {
        return;
    }
    if (trace->is_emitting) {
        struct event_copy copy = {0};
        event_copy_set(&copy, event);
        *ring_push(&trace->queue) = copy;
        trace->chained++;
        return;
    }
    trace->is_emitting = true;
    trace->chained = 0;
    hand_out(trace, event);
    hand_out_queued(trace);
    trace->is_emitting = false;
    if (trace->has_ended_subscribers) {
        remove_ended(trace);
    }
}

size_t trace_chained(const struct trace *trace)
{
    return trace->is_emitting ? trace->chained : 0;
}

uint64_t trace_count(const struct trace *trace)
{
    return trace->count;
}

/* ---- the hash ------------------------------------------------------------------------------- */

void trace_keep_hash(struct trace *trace)
{
    if (!trace->keeps_hash) {
        trace->keeps_hash = true;
        trace_subscribe(trace, TRACE_ALL, trace_hash_read, trace);
    }
}

uint64_t trace_hash(const struct trace *trace)
{
    return trace->hash;
}

size_t trace_mark_count(const struct trace *trace)
{
    return trace->marks.count;
}

uint64_t trace_mark_at(const struct trace *trace, size_t position)
{
    ensure(position < trace->marks.count);
    return trace->marks.items[position];
}
