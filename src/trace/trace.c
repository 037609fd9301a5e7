/*
 * Handing events to their readers, in order. An event that a reader emits waits until every reader
 * has seen the present one, so that all readers see one order. It never drops an event, and never
 * calls a reader from within another.
 */
#include "trace/internal.h"

#include <string.h>

const struct trace_event trace_no_event;

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
    trace_ring_free(&trace->ring);
    for (size_t i = 0; i < trace->queue.capacity; i++) {
        event_copy_free(&trace->queue.slots[i]);
    }
    memory_free(trace->queue.slots);
    memory_free(trace->subscribers);
    memory_free(trace);
}

/* ---- readers -------------------------------------------------------------------------------- */

static void refresh_wanted(struct trace *trace)
{
    trace->wanted = 0;
    for (size_t i = 0; i < trace->subscriber_count; i++) {
        if (trace->subscribers[i].reader != NULL) {
            trace->wanted |= trace->subscribers[i].mask;
        }
    }
}

int trace_subscribe(struct trace *trace, uint64_t mask, trace_reader *reader, void *context)
{
    ensure(reader != NULL);
    if (trace->subscriber_count == trace->subscriber_capacity) {
        trace->subscriber_capacity = trace->subscriber_capacity * 2 + 4;
        trace->subscribers = memory_resize(trace->subscribers,
                                           trace->subscriber_capacity * sizeof *trace->subscribers);
    }
    int id = ++trace->last_subscription;
    trace->subscribers[trace->subscriber_count++] =
        (struct subscriber){mask & TRACE_ALL, reader, context, id};
    refresh_wanted(trace);
    return id;
}

static void remove_ended(struct trace *trace)
{
    size_t kept = 0;
    for (size_t i = 0; i < trace->subscriber_count; i++) {
        if (trace->subscribers[i].reader != NULL) {
            trace->subscribers[kept++] = trace->subscribers[i];
        }
    }
    trace->subscriber_count = kept;
    trace->has_ended_subscribers = false;
}

void trace_unsubscribe(struct trace *trace, int subscription)
{
    for (size_t i = 0; i < trace->subscriber_count; i++) {
        if (trace->subscribers[i].id == subscription) {
            trace->subscribers[i].reader = NULL;
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

static void queue_push(struct event_queue *queue, const struct trace_event *event)
{
    if (queue->size == queue->capacity) {
        size_t capacity = queue->capacity == 0 ? 8 : queue->capacity * 2;
        struct event_copy *slots = memory_new_zeroed(capacity, sizeof *slots);
        for (size_t i = 0; i < queue->size; i++) {
            slots[i] = queue->slots[(queue->head + i) & (queue->capacity - 1)];
        }
        memory_free(queue->slots);
        queue->slots = slots;
        queue->capacity = capacity;
        queue->head = 0;
    }
    size_t at = (queue->head + queue->size) & (queue->capacity - 1);
    event_copy_set(&queue->slots[at], event, true);
    queue->size++;
}

static void hand_out(struct trace *trace, const struct trace_event *event)
{
    uint64_t bit = TRACE_MASK(event->kind);
    size_t count = trace->subscriber_count; /* who subscribes now begins with the next event */
    for (size_t i = 0; i < count; i++) {
        const struct subscriber *subscriber = &trace->subscribers[i];
        if ((subscriber->mask & bit) != 0 && subscriber->reader != NULL) {
            subscriber->reader(subscriber->context, event);
        }
    }
}

static void hand_out_queued(struct trace *trace)
{
    struct event_queue *queue = &trace->queue;
    while (queue->size > 0) {
        /* The slots may move while readers emit; the slot's storage stays until it is popped. */
        struct trace_event event = queue->slots[queue->head].event;
        hand_out(trace, &event);
        queue->head = (queue->head + 1) & (queue->capacity - 1);
        queue->size--;
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
        queue_push(&trace->queue, event);
        return;
    }
    trace->is_emitting = true;
    hand_out(trace, event);
    hand_out_queued(trace);
    trace->is_emitting = false;
    if (trace->has_ended_subscribers) {
        remove_ended(trace);
    }
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
