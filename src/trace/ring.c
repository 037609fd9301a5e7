/*
 * The ring of the latest events, as records, in leaves of so many events each: the leaf with the
 * oldest is used again for the next. There is one leaf more than the ring needs, so that what falls
 * out with a leaf was not of the latest any more. It keeps no entries of logs, only their count.
 *
 * A run writes to the ring at each event and reads it hardly ever: so it is kept small, because
 * what it takes of the processor's cache is lost to all the rest.
 */
#include "trace/internal.h"

/* The pages that a leaf stands on are new to the process, and a page fault costs more than an
 * event: all of them are taken at once, so that one event in many pays. */
#define LEAF_BYTES ((size_t)96 * RECENT_LEAF_EVENTS)

static size_t leaves_needed(size_t count_max)
{
    return (count_max + RECENT_LEAF_EVENTS - 1) / RECENT_LEAF_EVENTS + 1;
}

/* The leaf that the next event goes into, empty. */
static struct recent_leaf *next_leaf(struct recent *recent)
{
    uint64_t number = recent->total / RECENT_LEAF_EVENTS;
    if (recent->leaves.count < leaves_needed(recent->count_max)) {
        ensure(number == recent->leaves.count);
        *array_push(&recent->leaves) = (struct recent_leaf){.records = {0}};
    }
    struct recent_leaf *leaf = &recent->leaves.items[number % recent->leaves.count];
    buffer_clear(&leaf->records);
    if (leaf->records.capacity > 2 * LEAF_BYTES) { /* it has held large values */
        buffer_free(&leaf->records);
    }
    buffer_reserve(&leaf->records, LEAF_BYTES);
    return leaf;
}

static void recent_read(void *context, const struct trace_event *event)
{
    struct recent *recent = context;
    size_t place = recent->total % RECENT_LEAF_EVENTS;
    if (place == 0) {
        recent->leaf = (size_t)(next_leaf(recent) - recent->leaves.items);
    }
    struct recent_leaf *leaf = &recent->leaves.items[recent->leaf];
    leaf->starts[place] = leaf->records.size;
    trace_write_record(event, false, &leaf->records);
    recent->total++;
}

void recent_free(struct recent *recent)
{
    for (size_t i = 0; i < recent->leaves.count; i++) {
        buffer_free(&recent->leaves.items[i].records);
    }
    array_free(&recent->leaves);
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
    const struct recent *recent = &trace->recent;
    return recent->total < recent->count_max ? (size_t)recent->total : recent->count_max;
}

void trace_ring_at(const struct trace *trace, size_t position, struct trace_event *event)
{
    const struct recent *recent = &trace->recent;
    size_t count = trace_ring_size(trace);
    ensure(position < count);
    uint64_t number = recent->total - count + position;
    const struct recent_leaf *leaf =
        &recent->leaves.items[number / RECENT_LEAF_EVENTS % recent->leaves.count];
    size_t place = number % RECENT_LEAF_EVENTS;
    size_t start = leaf->starts[place];
    /* The youngest leaf is not full. */
    bool is_last = place + 1 == RECENT_LEAF_EVENTS || number + 1 == recent->total;
    size_t end = is_last ? leaf->records.size : leaf->starts[place + 1];
    struct bytes record = {leaf->records.data + start, end - start};
    struct buffer entries = {0}; /* there are none */
    bool is_whole = trace_read_record(record, event, &entries);
    ensure(is_whole && entries.data == NULL);
}
