/*
 * Events as records: bytes that hold all of an event, its entries and configurations too, for a
 * process that reads what another one's nodes do. Unlike lines of JSON they are kept nowhere: who
 * writes them and who reads them are the same program.
 *
 * Fields (base.h): kind, time, a number with a bit for each field of 64 bits that is not 0, these,
 * flags, and then what the flags say is there.
 */
#include "trace/internal.h"

#include <string.h>

static const size_t numbers[] = {
#define X(name, text, member) offsetof(struct trace_event, member),
    TRACE_FIELDS(X)
#undef X
        offsetof(struct trace_event, node),
    offsetof(struct trace_event, peer),
    offsetof(struct trace_event, message_number),
    offsetof(struct trace_event, hash),
    offsetof(struct trace_event, answer_hash),
    offsetof(struct trace_event, state_hash),
};
#define NUMBER_COUNT (sizeof numbers / sizeof *numbers)

enum record_flag {
    RECORD_REJECT = 1,
    RECORD_FLAG = 2,
    RECORD_ROLE = 4,
    RECORD_MESSAGE = 8, /* with a code; its name follows from it */
    RECORD_FRAME = 16,  /* without: the name */
    RECORD_ENTRIES = 32,
    RECORD_ENTRY_COUNT = 64,
    RECORD_WHAT = 128,
    RECORD_TEXT = 256,
    RECORD_VALUE = 512,
    RECORD_CONFIGURATIONS = 1024,
    RECORD_FLAGS_ALL = 2047,
};

/* ---- writing -------------------------------------------------------------------------------- */

static uint64_t number_at(const struct trace_event *event, size_t i)
{
    uint64_t number = 0;
    memcpy(&number, (const uint8_t *)event + numbers[i], sizeof number);
    return number;
}

static void write_numbers(const struct trace_event *event, struct buffer *out)
{
    uint64_t present = 0;
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        present |= (uint64_t)(number_at(event, i) != 0) << i;
    }
    field_write_number(out, present);
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        if (number_at(event, i) != 0) {
            field_write_number(out, number_at(event, i));
        }
    }
}

static unsigned flags_of(const struct trace_event *event)
{
    return (event->reject ? RECORD_REJECT : 0U) | (event->flag ? RECORD_FLAG : 0U) |
           (event->role_name != NULL ? RECORD_ROLE : 0U) |
           (event->message_name == NULL ? 0U
            : event->message_kind != 0  ? RECORD_MESSAGE
                                        : RECORD_FRAME) |
           (event->entry_count == 0  ? 0U
            : event->entries != NULL ? RECORD_ENTRIES
                                     : RECORD_ENTRY_COUNT) |
           (event->what != 0 ? RECORD_WHAT : 0U) | (event->text.size > 0 ? RECORD_TEXT : 0U) |
           (event->value.size > 0 ? RECORD_VALUE : 0U) |
           (event->configurations.size > 0 ? RECORD_CONFIGURATIONS : 0U);
}

static void write_entries(const struct trace_event *event, struct buffer *out)
{
    for (uint32_t i = 0; i < event->entry_count; i++) {
        field_write_number(out, event->entries[i].term);
        field_write_number(out, event->entries[i].hash);
    }
}

void trace_write_record(const struct trace_event *event, struct buffer *out)
{
    unsigned flags = flags_of(event);
    field_write_number(out, event->kind);
    field_write_number(out, (uint64_t)event->time_ns);
    write_numbers(event, out);
    field_write_number(out, flags);
    if ((flags & RECORD_ROLE) != 0) {
        field_write_number(out, event->role);
    }
    if ((flags & RECORD_MESSAGE) != 0) {
        field_write_number(out, event->message_kind);
    }
    if ((flags & RECORD_FRAME) != 0) {
        field_write_bytes(out, bytes_of_text(event->message_name));
    }
    if ((flags & RECORD_WHAT) != 0) {
        field_write_number(out, event->what);
    }
    if ((flags & (RECORD_ENTRIES | RECORD_ENTRY_COUNT)) != 0) {
        field_write_number(out, event->entry_count);
    }
    if ((flags & RECORD_ENTRIES) != 0) {
        write_entries(event, out);
    }
    if ((flags & RECORD_TEXT) != 0) {
        field_write_bytes(out, event->text);
    }
    if ((flags & RECORD_VALUE) != 0) {
        field_write_bytes(out, event->value);
    }
    if ((flags & RECORD_CONFIGURATIONS) != 0) {
        field_write_bytes(out, event->configurations);
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

static void read_numbers(struct field_reader *reader, struct trace_event *event)
{
    uint64_t present = field_read_at_most(reader, (1ULL << NUMBER_COUNT) - 1);
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        if ((present & 1ULL << i) != 0) {
            uint64_t number = field_read_number(reader);
            memcpy((uint8_t *)event + numbers[i], &number, sizeof number);
        }
    }
}

static void read_words(struct field_reader *reader, uint64_t flags, struct trace_event *event)
{
    if ((flags & RECORD_ROLE) != 0) {
        event->role = (uint8_t)field_read_at_most(reader, UINT8_MAX);
        event->role_name = trace_role_name(event->role);
        reader->is_bad = reader->is_bad || event->role_name == NULL;
    }
    if ((flags & RECORD_MESSAGE) != 0) {
        event->message_kind = (uint8_t)field_read_at_most(reader, UINT8_MAX);
        event->message_name = trace_message_name(event->message_kind);
        reader->is_bad = reader->is_bad || event->message_name == NULL || event->message_kind == 0;
    }
    if ((flags & RECORD_FRAME) != 0) {
        event->message_name =
            trace_message_from_name(field_read_bytes(reader), &event->message_kind);
        reader->is_bad = reader->is_bad || event->message_kind != 0;
    }
    if ((flags & RECORD_WHAT) != 0) {
        event->what = (uint8_t)field_read_at_most(reader, TRACE_WHAT_ALL);
    }
}

static void read_entries(struct field_reader *reader, struct trace_event *event,
                         struct buffer *storage)
{
    if (reader->is_bad || event->entry_count > reader->rest.size / 2) {
        reader->is_bad = true;
        return;
    }
    struct trace_entry *entries =
        (void *)buffer_extend(storage, event->entry_count * sizeof *entries);
    for (uint32_t i = 0; i < event->entry_count; i++) {
        entries[i].term = field_read_number(reader);
        entries[i].hash = field_read_number(reader);
    }
    event->entries = entries;
}

/* Pairs of an index and a string, as readers take for granted. */
static bool are_configurations(struct bytes bytes)
{
    struct value_reader reader = {bytes.data, bytes.size, 0};
    struct value_item item;
    while (reader.position < bytes.size) {
        if (!value_read(&reader, &item) || item.kind != VALUE_INTEGER ||
            !value_read(&reader, &item) || item.kind != VALUE_STRING) {
            return false;
        }
    }
    return true;
}

static void read_bytes(struct field_reader *reader, uint64_t flags, struct trace_event *event)
{
    if ((flags & RECORD_TEXT) != 0) {
        event->text = field_read_bytes(reader);
    }
    if ((flags & RECORD_VALUE) != 0) {
        event->value = field_read_bytes(reader);
        reader->is_bad = reader->is_bad || !value_is_valid(event->value);
    }
    if ((flags & RECORD_CONFIGURATIONS) != 0) {
        event->configurations = field_read_bytes(reader);
        reader->is_bad = reader->is_bad || !are_configurations(event->configurations);
    }
}

bool trace_read_record(struct bytes record, struct trace_event *event, struct buffer *storage)
{
    struct field_reader reader = {.rest = record};
    *event = trace_no_event;
    buffer_clear(storage);
    event->kind = (uint8_t)field_read_at_most(&reader, TRACE_KIND_COUNT - 1);
    event->time_ns = (int64_t)field_read_number(&reader);
    read_numbers(&reader, event);
    uint64_t flags = field_read_at_most(&reader, RECORD_FLAGS_ALL);
    event->reject = (flags & RECORD_REJECT) != 0;
    event->flag = (flags & RECORD_FLAG) != 0;
    read_words(&reader, flags, event);
    if ((flags & (RECORD_ENTRIES | RECORD_ENTRY_COUNT)) != 0) {
        event->entry_count = (uint32_t)field_read_at_most(&reader, UINT32_MAX);
    }
    if ((flags & RECORD_ENTRIES) != 0) {
        read_entries(&reader, event, storage);
    }
    read_bytes(&reader, flags, event);
    return field_read_end(&reader);
}
