/*
 * Fuzzes the records of events: one that can be read is written to a record that is read as the
 * same event, has lines of JSON and text, and can be judged by the checker's readers.
 */
#include "support/fuzz.h"

static void check_again(const struct trace_event *event)
{
    struct trace_event again;
    struct buffer first = {0};
    struct buffer second = {0};
    struct buffer storage = {0};
    trace_write_record(event, true, &first);
    ensure(trace_read_record(buffer_bytes(&first), &again, &storage));
    trace_write_record(&again, true, &second);
    ensure(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    ensure(again.kind == event->kind && again.entry_count == event->entry_count);
    buffer_clear(&second);
    trace_write_json(&again, &second);
    trace_write_text(&again, &second);
    buffer_free(&first);
    buffer_free(&second);
    buffer_free(&storage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_event event;
    struct buffer storage = {0};
    if (trace_read_record((struct bytes){data, size}, &event, &storage)) {
        check_again(&event);
    }
    buffer_free(&storage);
    return 0;
}
