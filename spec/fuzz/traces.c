/*
 * Fuzzes the lines of traces: the line that an event is written to is read as the same event, which
 * is written to the same line; and whatever can be read has a readable form and a hash.
 */
#include "support/fuzz.h"

/* What a reader keeps of events, and the readable lines, must hold for any event that was read. */
static void show(struct trace_event *event)
{
    struct trace *trace = trace_new();
    struct buffer text = {0};
    trace_keep_hash(trace);
    trace_keep_ring(trace, 4);
    event->entry_count = 0; /* a line has their count but not the entries */
    trace_emit(trace, event);
    ensure(trace_ring_size(trace) == 1);
    struct trace_event kept;
    trace_ring_at(trace, 0, &kept);
    trace_write_text(&kept, &text);
    ensure(text.size > 0);
    buffer_free(&text);
    trace_free(trace);
}

static void check_again(struct trace_event *event)
{
    struct trace_event again;
    struct buffer first = {0};
    struct buffer second = {0};
    struct buffer storage = {0};
    struct buffer problem = {0};
    trace_write_json(event, &first);
    ensure(trace_read_json(buffer_bytes(&first), &again, &storage, &problem));
    ensure(again.kind == event->kind && again.node == event->node && again.term == event->term);
    ensure(bytes_equal(again.text, event->text) && bytes_equal(again.value, event->value));
    trace_write_json(&again, &second);
    ensure(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    show(&again);
    buffer_free(&first);
    buffer_free(&second);
    buffer_free(&storage);
    buffer_free(&problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_event event;
    struct buffer storage = {0};
    struct buffer problem = {0};
    if (trace_read_json((struct bytes){data, size}, &event, &storage, &problem)) {
        check_again(&event);
    } else {
        ensure(problem.size > 0);
    }
    buffer_free(&storage);
    buffer_free(&problem);
    return 0;
}
